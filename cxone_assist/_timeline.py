"""Where audio belongs in its call: by counting samples, not by when it arrives.

Audio that arrives late is either late only (a stall: it all comes in the end, in a burst), or some
of it was left out (a loss: everything after it is late for good). A ``StreamClock`` tells them apart
by the least delay. The delay of a frame is its time of arrival minus the length of all audio up to
its end; jitter and stalls only ever add to it. So its minimum over a while is steady, and rises
for good only where audio is missing. Nothing is moved for a stall; a loss is left open.

Small and slow changes are followed without moving anything: no two computers' clocks agree.
All numbers here are our choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final, NamedTuple

from .mulaw import SAMPLE_RATE

__all__ = ["CallClock", "Placement", "StreamClock"]

STEADY: Final = 2.0
"""Seconds for which the least delay must not have fallen, until it is believed."""

OVERDUE: Final = 10.0
"""Seconds after which it is believed all the same."""

MAX_HELD: Final = 30 * SAMPLE_RATE
"""Samples after which it is believed all the same."""

MAX_FRAMES: Final = 1536
"""Frames after which it is believed all the same: frames may be as short as a sample."""

LATE: Final = 0.010
"""Seconds beyond the least delay from which a frame is late. It must be below one packet."""

STEP: Final = 0.060
"""Seconds from which a rise of the least delay is a loss, whatever its size. A smaller one is a loss
where it is a whole number of packets, and a change of the way that packets take where it is not."""

WHOLE: Final = SAMPLE_RATE * 2 // 1000
"""Samples by which a loss may differ from a whole number of packets, to be taken as one."""

SHORTEST_PACKET: Final = SAMPLE_RATE // 100
"""Samples from which a frame is a packet that losses are counted in."""

LEVEL: Final = 0.3
"""Seconds that a raised delay lasts, at least, for it to be a loss and no jitter."""

LEAST: Final = 0.002
"""Seconds within which a delay is the least one: it shows how long the least delay was what it is."""

WINDOW: Final = 2 * SAMPLE_RATE
"""Samples after which the least delay is followed."""

FOLLOW: Final = 0.001
"""Seconds by which it rises at most in a window: clocks that differ by 500 parts per million."""

FALL: Final = 0.005
"""Seconds by which the least delay must fall for it to count as still falling."""


class Placement(NamedTuple):
    """A piece of a stream, and where it belongs."""

    start: int
    """Samples of the stream before it."""
    samples: int
    position: int
    """Samples of the call before it."""
    lost: int
    """Samples that are missing right before it."""


class _Late(NamedTuple):
    at: float
    delay: float
    start: int
    end: int


class CallClock:
    """What the streams of one call share: when the call's first sample was due."""

    __slots__ = ("origin", "starting")

    def __init__(self) -> None:
        self.origin: float | None = None
        self.starting: list[StreamClock] = []
        """Streams that have audio and no place yet."""


class StreamClock:
    """Places the audio of one stream.

    Attributes:
        received: samples so far.
        placed: samples whose place is known. What is beyond them waits, 30 seconds at most.
        offset: what to add to a position in the placed stream to have it in the call; it grows
            with each loss.
    """

    __slots__ = (
        "_ahead",
        "_anchored",
        "_base",
        "_call",
        "_earliest",
        "_first_at",
        "_late",
        "_limit",
        "_low",
        "_low_at",
        "_packet",
        "_window_base",
        "_window_end",
        "_window_low",
        "offset",
        "placed",
        "received",
    )

    def __init__(self, call: CallClock, *, earliest: int) -> None:
        """Place nothing before ``earliest``, a position in the call: there is other audio already."""
        self._call = call
        self._earliest = earliest
        self.received = 0
        self.placed = 0
        self.offset = 0
        self._anchored = False
        self._late: list[_Late] = []
        self._packet = 0
        self._low = self._low_at = self._first_at = inf
        self._base = self._limit = -inf  # so that nothing is in time before there is a place
        self._window_base = self._window_low = inf
        self._window_end = 0
        self._ahead = 0

    def audio(self, samples: int, now: float) -> Sequence[Placement]:
        """Tell that a frame came at ``now``, and return what begins at a new place with it.

        Nothing is returned where all that became placed lies right behind the audio before it.
        """
        received = self.received + samples
        self.received = received
        delay = now - received / SAMPLE_RATE
        if self._base <= delay <= self._limit:
            self.placed = received
            if delay < self._window_low:  # noqa: PLR1730 - the hot path: min() costs twice as much
                self._window_low = delay
            if received >= self._window_end:
                self._follow()
            return ()
        self._packet = samples
        if delay <= self._base + LATE:
            self._in_time(delay)
            return ()
        if not self._late:
            self._limit = -inf
            self._low = inf
            self._first_at = now
            if not self._anchored:
                self._call.starting.append(self)
        self._late.append(_Late(now, delay, received - samples, received))
        if not self._is_steady(delay, now):
            return ()
        return self._judge(wait=min(STEADY, now - self._low_at)) if self._anchored else self.begin()

    def begin(self) -> Sequence[Placement]:
        """Give the stream a place now, if it has audio and no place yet: no more audio comes for long."""
        return () if self._anchored or not self.received else (self._anchor(),)

    def finish(self) -> Sequence[Placement]:
        """Place all there is: no more audio comes."""
        return (*self.begin(), *self._judge(wait=0))

    def _is_steady(self, delay: float, now: float) -> bool:
        if delay < self._low - FALL:
            self._low_at = now
        self._low = min(self._low, delay)
        return (
            now - self._low_at >= STEADY
            or now - self._first_at >= OVERDUE
            or self.received - self.placed >= MAX_HELD
            or len(self._late) >= MAX_FRAMES
        )

    def _anchor(self) -> Placement:
        """Place the first audio, from the least delay of all so far."""
        call, late = self._call, self._late
        if call.origin is None:
            call.origin = min(stream._low for stream in call.starting)
        call.starting.remove(self)
        position = round((self._low - call.origin) * SAMPLE_RATE)
        self.offset = max(position, self._earliest)
        self._ahead = self.offset - position
        self._anchored = True
        self._restart(self._low)
        self._decided(_last_below(late, self._low + LATE))
        return Placement(0, self.placed, self.offset, 0)

    def _decided(self, last: int) -> None:
        """Place the late frames up to the one with this index; what is after it is late anew."""
        late = self._late
        self.placed = late[last].end
        del late[: last + 1]
        if late:
            self._limit = -inf
            self._low = min(frame.delay for frame in late)
            self._low_at = self._first_at = late[0].at
        else:
            self._limit = self._base + LATE

    def _restart(self, base: float) -> None:
        """Take a least delay as the one to go by."""
        self._base = self._window_base = base
        self._limit = base + LATE
        self._window_low = inf
        self._window_end = self.received + WINDOW

    def _in_time(self, delay: float) -> None:
        """Place all: a late frame was a stall, because this one is in time, or earlier than any."""
        self._late.clear()
        self._base = min(self._base, delay)
        self._limit = self._base + LATE
        self.placed = self.received

    def _follow(self) -> None:
        self._count_ahead()
        rise = min(self._window_low - self._base, FOLLOW)
        self._restart(self._base + rise)
        self._call.origin = self._base - (self.offset - self._ahead) / SAMPLE_RATE

    def _count_ahead(self) -> None:
        """Notice a fall too deep to be drift: the audio before it was placed that much too late."""
        fall = self._window_base - self._base
        if fall > STEP:
            self._ahead += round(fall * SAMPLE_RATE)
        self._window_base = self._base

    def _judge(self, *, wait: float) -> Sequence[Placement]:
        """Decide on late frames: where the least delay rose, by how much, and for how long.

        The newest are left undecided where they are not yet late for ``wait`` seconds.
        """
        placements = []
        late = self._late
        now = late[-1].at if late else 0.0
        while late and now - self._low_at >= wait:
            level = min(frame.delay for frame in late)
            last = _last_below(late, level + LEAST)
            lost = self._missing(level)
            if late[last].at - late[0].at >= (LEVEL if lost else STEADY / 2):
                self._count_ahead()
                self._restart(level)
                repaid = min(lost, self._ahead)
                self._ahead -= repaid
                lost -= repaid
                self.offset += lost
                if lost:
                    start = late[0].start
                    placements.append(Placement(start, late[last].end - start, start + self.offset, lost))
            self._decided(last)
        return placements

    def _missing(self, level: float) -> int:
        """Return how many samples are missing where the least delay rose to a level; 0 where none are."""
        rise = level - self._base
        lost = round(rise * SAMPLE_RATE)
        if self._packet >= SHORTEST_PACKET:
            whole = round(lost / self._packet) * self._packet
            if whole and abs(lost - whole) <= WHOLE:
                return whole
        return lost if rise >= STEP else 0


def _last_below(late: list[_Late], delay: float) -> int:
    return max(index for index, frame in enumerate(late) if frame.delay <= delay)
