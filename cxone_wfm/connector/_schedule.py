"""When what is due. Pure: time is an argument.

Periods go by the monotonic clock, which nobody sets. Intervals go by the wall clock, for they are times of
day; where that clock is set, the next question gets the answer for the new time.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from attrs import define, frozen

from ..intervals import Interval

LONGEST_WAIT = 60.0
"""Seconds between two attempts at most (our choice)."""


@define
class Period:
    """A job that comes again every so many seconds. What was missed is not made up for."""

    seconds: float
    due_at: float = float("-inf")

    def is_due(self, now: float) -> bool:
        """Whether the job is to be done now."""
        return now >= self.due_at

    def begun(self, now: float) -> None:
        """The job is done now; the next time is counted from when this one was due, unless it was late."""
        following = self.due_at + self.seconds
        self.due_at = following if following > now else now + self.seconds


@define
class Backoff:
    """How long to leave alone what failed: 1 s, 2 s, 4 s ... after failures in a row."""

    failures: int = 0
    until: float = float("-inf")

    def is_over(self, now: float) -> bool:
        """Whether it may be tried."""
        return now >= self.until

    def failed(self, now: float, at_least: float = 0.0) -> None:
        """It failed again. `at_least`: seconds that the other side asked for."""
        self.failures += 1
        self.until = now + max(at_least, min(LONGEST_WAIT, 2.0 ** min(self.failures - 1, 30)))

    def succeeded(self) -> None:
        """It is well again."""
        self.failures = 0
        self.until = float("-inf")


@frozen(kw_only=True)
class Looks:
    """Which intervals are to be extracted: each after `lag`, and again after `again`.

    After a restart, those that were reported but may still be corrected are extracted anew as well:
    without them the aggregator could not tell what a late contact changes.
    """

    lag: timedelta
    again: timedelta
    correctable: timedelta
    reach: timedelta

    def due(
        self,
        now: datetime,
        *,
        first: Interval,
        reported: Collection[Interval],
        extracted: Mapping[Interval, datetime],
    ) -> list[Interval]:
        """The intervals to extract by now, oldest first.

        `first` is the oldest to be responsible for, `reported` are those that were reported at some time,
        `extracted` says when each was last extracted in this run.
        """
        oldest, end = max(first.start, self.oldest(now).start), now - self.lag
        if end <= oldest:
            return []
        return [
            interval
            for interval in Interval.between(oldest, end)
            if interval.end <= end
            and self._is_due(now, interval, was_reported=interval in reported, last=extracted.get(interval))
        ]

    def _is_due(
        self, now: datetime, interval: Interval, *, was_reported: bool, last: datetime | None
    ) -> bool:
        if last is None:
            return not was_reported or interval.end + self.correctable > now
        return last < interval.end + self.again <= now

    def oldest(self, now: datetime) -> Interval:
        """The oldest interval that is still made up for."""
        return Interval.containing(now - self.reach).next()

    def next(self, now: datetime) -> datetime:
        """When, after now, an interval can become due."""
        return min(Interval.containing(now - wait).end + wait for wait in self._waits())

    def _waits(self) -> Iterator[timedelta]:
        yield self.lag
        yield self.again
