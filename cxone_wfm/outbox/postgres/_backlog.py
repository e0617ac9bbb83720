"""Which pending events of one kind come next, in the lanes that are ours, without reading the whole backlog.

Inside a lane the order of positions is the order of commits, so each lane is read once from its start to its
end. Between lanes a smaller position may be committed later; therefore each has a mark of its own up to where
it was read. What was read waits in one queue for each stream, and the heads of the queues in a heap.
"""

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from ..store import lane_of

CHUNK = 2048
"""Rows read at once, over all lanes."""
ENOUGH = 8000
"""With so many rows in memory no more are read, but where no stream is free."""
MOST_CHUNKS = 10
"""So many chunks are read in one go. The next call reads on."""
DEEP = 64
"""So many rows of one stream are kept; the rest is read again when they are used up."""


class Row(NamedTuple):
    """A pending event: where it is, whose it is, how many bytes its payload has."""

    position: int
    lane: int
    stream: str
    size: int


LoadLanes = Callable[[Mapping[int, int], int], list[Row]]
"""(lane -> position, most of each lane) -> pending rows beyond the positions, in order."""
LoadStream = Callable[[str, int, int, int], list[Row]]
"""(stream, after, last, limit) -> its pending rows between two positions, in order."""


class Backlog:
    """The next rows. A row that was taken or held keeps its stream busy until it is freed."""

    def __init__(self, load_lanes: LoadLanes, load_stream: LoadStream) -> None:
        self._load_lanes = load_lanes
        self._load_stream = load_stream
        self._read_to: dict[int, int] = {}
        """Lane -> up to where it was read."""
        self._unread: set[int] = set()
        """Lanes in which there may be more."""
        self._horizon = math.inf
        """Up to where all of them were read: what lies beyond is not the next for certain."""
        self._held: set[int] = set()
        """Positions of sets that were given out by others before. They are never read as something new, not
        even when they have just been delivered and are not deleted yet."""
        self._busy: set[str] = set()
        self._queues: dict[str, list[Row]] = {}
        self._cut: dict[str, int] = {}
        self._heads: list[tuple[int, str]] = []
        self._rows = 0

    def add(self, lanes: Iterable[int], held: Iterable[Row]) -> None:
        """These lanes are ours. `held` are the rows of sets that were given out before."""
        for row in held:
            self._held.add(row.position)
            self._busy.add(row.stream)
        for lane in lanes:
            self._read_to[lane] = 0
            self._unread.add(lane)
        self._see()

    def drop(self, lanes: Collection[int]) -> None:
        """These lanes are ours no longer."""
        for lane in lanes:
            self._read_to.pop(lane, None)
        self._unread.difference_update(lanes)
        self._see()
        self._busy = {stream for stream in self._busy if lane_of(stream) not in lanes}
        self._cut = {stream: last for stream, last in self._cut.items() if lane_of(stream) not in lanes}
        self._queues = {
            stream: queue for stream, queue in self._queues.items() if lane_of(stream) not in lanes
        }
        self._rows = sum(map(len, self._queues.values()))

    def look(self) -> None:
        """There may be new events in any lane."""
        self._unread.update(self._read_to)
        self._see()

    def take(self, most: int, most_bytes: int) -> list[Row]:
        """The next rows in the order of positions, one of each stream; their streams are busy from now on.

        At least one row, if there is any, whatever its size.
        """
        taken: list[Row] = []
        room = most_bytes
        chunks = 0
        while len(taken) < most:
            head = self._head()
            if chunks < MOST_CHUNKS and self._read_on(head):
                chunks += 1
                continue
            if head is None or (taken and head.size > room):
                break
            heapq.heappop(self._heads)
            self._queues[head.stream].pop(0)
            self._rows -= 1
            if not self._queues[head.stream]:
                del self._queues[head.stream]
            self._busy.add(head.stream)
            room -= head.size
            taken.append(head)
        return taken

    def free(self, row: Row) -> None:
        """This row is delivered, dead or gone: the next of its stream may go."""
        stream = row.stream
        self._busy.discard(stream)
        if row.lane not in self._read_to:
            return
        if stream not in self._queues and stream in self._cut:
            for each in self._load_stream(stream, self._cut.pop(stream), self._read_to[row.lane], DEEP + 1):
                self._keep(each)
        if stream in self._queues:
            heapq.heappush(self._heads, (self._queues[stream][0].position, stream))

    def _head(self) -> Row | None:
        """The first row of the free streams. What became of streams of dropped lanes is passed over."""
        while self._heads:
            position, stream = self._heads[0]
            queue = self._queues.get(stream)
            if queue and queue[0].position == position and stream not in self._busy:
                return queue[0]
            heapq.heappop(self._heads)
        return None

    def _read_on(self, head: Row | None) -> bool:
        """Read a chunk of the lanes in which something may lie before the head. Whether it was worth it."""
        last = math.inf if head is None else head.position
        if self._horizon >= last or (head is not None and self._rows >= ENOUGH):
            return False
        lanes = {lane: self._read_to[lane] for lane in self._unread if self._read_to[lane] < last}
        most = max(8, CHUNK // len(lanes))
        rows = self._load_lanes(lanes, most)
        found = dict.fromkeys(lanes, 0)
        for row in rows:
            found[row.lane] += 1
            self._read_to[row.lane] = max(self._read_to[row.lane], row.position)
            self._read(row)
        self._unread.difference_update(lane for lane, count in found.items() if count < most)
        self._see()
        return True

    def _see(self) -> None:
        self._horizon = min((self._read_to[lane] for lane in self._unread), default=math.inf)

    def _read(self, row: Row) -> None:
        stream = row.stream
        if row.position in self._held or stream in self._cut:
            return
        self._keep(row)
        queue = self._queues[stream]
        if len(queue) == 1 and stream not in self._busy:
            heapq.heappush(self._heads, (row.position, stream))

    def _keep(self, row: Row) -> None:
        queue = self._queues.setdefault(row.stream, [])
        if len(queue) < DEEP:
            queue.append(row)
            self._rows += 1
        else:
            self._cut[row.stream] = queue[-1].position
