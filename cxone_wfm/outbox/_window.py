"""Which pending events of one kind come next, without reading the whole backlog.

Rows are read in the order of acceptance, some thousand at a time, into one queue for each stream. The heads
of the queues of free streams wait in a heap by position. So a batch is taken from it in the order of
acceptance with one event of each stream, and each row is read about once however large the backlog is.
"""

import heapq
from collections.abc import Callable, Collection
from typing import NamedTuple

CHUNK = 2000
"""Rows read at once."""
ENOUGH = 8000
"""With so many rows in memory no more are read while there are requests on their way that free streams."""
MOST_CHUNKS = 10
"""So many chunks are read in one go, for others wait meanwhile. The next call reads on."""
DEEP = 256
"""So many rows of one stream are kept; the rest is read again when they are used up."""


class Row(NamedTuple):
    """A pending event: where it is, whose it is, how many bytes its payload has."""

    position: int
    stream: str
    size: int


Load = Callable[[int, int, int, str | None], list[Row]]
"""(after, last, limit, stream) -> pending rows beyond a position and up to one, in order; of one stream only,
if it is given."""


class Window:
    """The next rows. `held` are the rows of sets to be tried again: positions that are not given out."""

    def __init__(self, load: Load, last: int, held: Collection[Row] = ()) -> None:
        self._load = load
        self._last = last
        self._held = {row.position for row in held}
        self._busy = {row.stream for row in held}
        self._queues: dict[str, list[Row]] = {}  # no deques: an empty one takes 700 bytes
        self._cut: dict[str, int] = {}
        self._heads: list[tuple[int, str]] = []
        self._read_to = 0
        self._rows = 0

    def added(self, last: int) -> None:
        """There are pending events up to this position now."""
        self._last = last

    def take(self, most: int, most_bytes: int, *, patient: bool) -> list[Row]:
        """The next rows, one of each free stream; these are busy from now on.

        At least one row, if there is any, whatever its size. `patient`: more streams will be free soon.
        """
        taken: list[Row] = []
        room = most_bytes
        while len(taken) < most and self._fill(patient=patient or bool(taken)):
            _, stream = self._heads[0]
            row = self._queues[stream][0]
            if taken and row.size > room:
                break
            heapq.heappop(self._heads)
            self._queues[stream].pop(0)
            self._rows -= 1
            self._busy.add(stream)
            room -= row.size
            taken.append(row)
        return taken

    def free(self, row: Row) -> None:
        """This row is delivered or dead: the next of its stream may go."""
        self._held.discard(row.position)
        self._busy.discard(row.stream)
        self._offer(row.stream)

    def discard(self, stream: str, positions: Collection[int]) -> None:
        """These rows of a stream are deleted. None of them was given out."""
        kept = [row for row in self._queues.get(stream, ()) if row.position not in positions]
        self._rows -= len(self._queues.pop(stream, ())) - len(kept)
        if kept:
            self._queues[stream] = kept
        self._heads = [head for head in self._heads if head[1] != stream]
        heapq.heapify(self._heads)
        if stream not in self._busy:
            self._offer(stream)

    def _offer(self, stream: str) -> None:
        """The next row of this stream may be taken."""
        queue = self._queues.get(stream)
        if not queue and stream in self._cut:
            after = self._cut.pop(stream)
            queue = self._queues[stream] = []
            # What comes later is read in its turn: to look for it now would be to read the whole backlog.
            for each in self._load(after, self._read_to, DEEP + 1, stream):
                self._keep(each, queue)
        if queue:
            heapq.heappush(self._heads, (queue[0].position, stream))
        else:
            self._queues.pop(stream, None)

    def _fill(self, *, patient: bool) -> bool:
        """Read on until there is a head. Whether there is one."""
        for _ in range(1 if patient else MOST_CHUNKS):
            if self._heads or self._read_to >= self._last or (patient and self._rows >= ENOUGH):
                break
            rows = self._load(self._read_to, self._last, CHUNK, None)
            for row in rows:
                self._read(row)
            self._read_to = rows[-1].position if len(rows) == CHUNK else self._last
        return bool(self._heads)

    def _read(self, row: Row) -> None:
        stream = row.stream
        if row.position in self._held or stream in self._cut:
            return
        queue = self._queues.setdefault(stream, [])
        self._keep(row, queue)
        if len(queue) == 1 and stream not in self._busy and stream not in self._cut:
            heapq.heappush(self._heads, (row.position, stream))

    def _keep(self, row: Row, queue: list[Row]) -> None:
        if len(queue) < DEEP:
            queue.append(row)
            self._rows += 1
        else:
            self._cut[row.stream] = queue[-1].position
