"""Breaker: whether one kind of event may be sent now, and in how many requests at once."""

from collections import deque
from collections.abc import Callable

from attrs import define, field

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds: the wait before the next try is a random part of `FIRST_WAIT * 2**n`, at most the longest."""
PROBE_SECONDS = 60.0
"""How long it is left alone where a setting is wrong or everything is refused, before one more try."""
RECENT = 20
"""More failures than half of so many requests open it."""
PARKED_IN_A_ROW, FATES, REFUSED_IN_A_ROW = 20, 100, 50
"""The fuse: after so many refused events in a row, with more than half of the last 100 refused, or after so
many refused requests in a row of any size, nothing more is parked. All numbers here are our choice."""


@define
class Breaker:
    """It opens when requests fail, lets one small one through now and then, and closes when that succeeds.

    After that it admits one request at a time, and twice as many after each success, up to `workers`.
    """

    workers: int
    chance: Callable[[], float]
    limit: int = field(default=0)
    in_flight: int = 0
    successes: int = 0
    failures: int = 0
    """In a row."""
    cause: str = ""
    """Why it is open, in words; empty where it is closed."""
    blocked: bool = False
    """It is open for something that does not pass by itself."""
    systemic: bool = False
    """It is open because everything is refused."""
    open_until: float = float("-inf")
    _openings: int = 0
    """In a row, without a success between."""
    _parked_in_a_row: int = 0
    _refused_in_a_row: int = 0
    _recent: "deque[bool]" = field(factory=lambda: deque(maxlen=RECENT))
    _fates: "deque[bool]" = field(factory=lambda: deque(maxlen=FATES))

    def __attrs_post_init__(self) -> None:
        self.limit = self.workers

    def rests(self, now: float) -> bool:
        """Whether nothing may leave yet, however few requests are on their way."""
        return bool(self.cause) and now < self.open_until

    def admits(self, now: float) -> bool:
        """Whether one more request may leave."""
        return not self.rests(now) and self.in_flight < (1 if self.cause else self.limit)

    def succeeded(self, now: float, events: int) -> None:
        """A request was taken, with so many events in it."""
        self.successes += 1
        self._parked_in_a_row = self._refused_in_a_row = 0
        self._recent.append(True)
        self._fates.extend([True] * min(events, FATES))
        self.limit = min(self.workers, self.limit * 2)
        self.systemic = self.systemic and now < self.open_until
        self.answered(now)

    def answered(self, now: float) -> None:
        """The route works, whatever it said of the data."""
        self.failures = 0
        # What was on its way before it opened says nothing: only a probe closes it.
        if self.cause and not self.systemic and now >= self.open_until:
            self.cause, self.blocked, self.limit = "", False, 1
            self._recent.clear()
            self._fates.clear()
            self._parked_in_a_row = self._refused_in_a_row = self._openings = 0

    def failed(self, now: float, cause: str, *, patience: int, wait: float | None = None) -> None:
        """A request failed. With so many failures in a row it opens, for `wait` seconds or a random time.

        The random time grows with the probes that failed, not with the requests: several were on their way.
        """
        self.failures += 1
        self._recent.append(False)
        mostly = len(self._recent) == RECENT and self._recent.count(False) > RECENT // 2
        due = now >= self.open_until
        if not (self.cause or self.failures >= patience or mostly):
            return
        if wait is None and due:
            self._openings += 1
        if wait is not None or due:
            self.open(now, cause, self.backoff(self._openings) if wait is None else wait)

    def open(self, now: float, cause: str, wait: float, *, blocked: bool = False) -> None:
        """Let nothing through for so many seconds, then one request."""
        self.cause, self.blocked = cause, blocked
        self.open_until = max(self.open_until, now + wait)

    def may_split(self, now: float) -> bool:
        """Whether a refused set may be split to find out why; if not, the fuse has blown and it is open."""
        self._refused_in_a_row += 1
        return not self._blows(now, self._refused_in_a_row > REFUSED_IN_A_ROW)

    def may_park(self, now: float) -> bool:
        """Whether one more refused event may be parked; if not, the fuse has blown and it is open."""
        self._refused_in_a_row += 1
        self._parked_in_a_row += 1
        self._fates.append(False)
        mostly = len(self._fates) == FATES and self._fates.count(False) > FATES // 2
        return not self._blows(now, mostly or self._parked_in_a_row > PARKED_IN_A_ROW)

    def _blows(self, now: float, enough: bool) -> bool:  # noqa: FBT001 - it reads as the sentence it is
        if not (self.systemic or enough):
            return False
        self.systemic = True
        cause = "nearly everything is refused: see the last refusals, and correct tenant, settings or data"
        self.open(now, cause, PROBE_SECONDS, blocked=True)
        return True

    def backoff(self, failures: int, longest: float = LONGEST_WAIT) -> float:
        """Seconds to wait after so many failures in a row."""
        return self.chance() * min(longest, FIRST_WAIT * 2.0 ** min(failures, 30))
