"""Interval: a quarter of an hour on the UTC grid, and the intervals of a local day.

CXone WFM takes historical data for 15 minutes at a time (vendor page). That every interval begins
at :00, :15, :30 or :45 UTC is our choice: of the vendor page's two sample reports one is on that
grid (16:45:00 to 17:00:00) and one is not (10:00:12 to 10:15:12).

Nothing here reads a clock or the machine's time zone. A naive moment, a moment off the grid or an
end before its start is a mistake in the calling program, not bad data: it raises `ValueError`, and
a value of the wrong type raises `TypeError`. Moments that `datetime` cannot hold (before year 1,
after year 9999) raise `OverflowError`, as all arithmetic with `datetime` does.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone, tzinfo

from attrs import field, frozen

__all__ = ["INTERVAL_LENGTH", "Interval"]

INTERVAL_LENGTH = timedelta(minutes=15)
"""The length of every interval: 15 minutes, the only one that the SDK supports (vendor page)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _iso(moment: datetime, timespec: str = "auto") -> str:
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def _utc(moment: datetime) -> datetime:
    # Everything is converted first: Python compares and subtracts the wall clocks of two moments that
    # share a zone, so across a change of the clocks its answers are an hour off.
    if not isinstance(moment, datetime):
        raise TypeError(f"a moment is a datetime with a time zone, not {type(moment).__name__}")
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: give it its tzinfo (timezone.utc for UTC)")
    return moment.astimezone(timezone.utc)


def _past_grid(moment: datetime) -> timedelta:
    return (moment - _EPOCH) % INTERVAL_LENGTH


def _grid_point(moment: datetime) -> datetime:
    start = _utc(moment)
    if past := _past_grid(start):
        before = start - past
        raise ValueError(
            f"{_iso(start)} is not on the 15-minute UTC grid: the nearest starts are {_iso(before)} and"
            f" {_iso(before + INTERVAL_LENGTH)}; Interval.containing() gives the interval of any moment"
        )
    return start


def _span(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    begin, finish = _utc(start), _utc(end)
    if finish < begin:
        raise ValueError(f"the end {_iso(finish)} is before the start {_iso(begin)}")
    return begin, finish


def _first_instant(day: date, zone: tzinfo) -> datetime:
    from dateutil.tz import datetime_exists, resolve_imaginary  # noqa: PLC0415 - only local days pay for it

    midnight = resolve_imaginary(datetime.combine(day, time(), tzinfo=zone))
    first = _utc(midnight)
    if not datetime_exists(midnight):
        raise ValueError(
            f"{zone} gives {midnight.isoformat()} and does not read it back as the same time: use a zone from"
            " zoneinfo or dateutil.tz (pytz does not follow Python's rules for tzinfo)"
        )
    if _past_grid(first):
        raise ValueError(f"in {zone} the day {day} begins at {_iso(first)}, off the 15-minute UTC grid")
    # A skipped midnight was moved by the whole length of the gap. Where the gap began before midnight
    # (Toronto in 1919 went from 23:30 to 00:30) that is too far.
    while (first - INTERVAL_LENGTH).astimezone(zone).date() >= day:
        first -= INTERVAL_LENGTH
    return first


@frozen(kw_only=True, order=True)
class Interval:
    """The 15 minutes from `start`, which belongs to it, to `end`, which belongs to the next.

    `start` is an aware datetime on the grid; it is kept in UTC. Intervals sort by time, and equal ones
    have equal hashes, whatever the zones they were given in. `str()` is the ISO 8601 form with the
    length, such as `2024-04-17T10:00Z/PT15M`.

    Raises ValueError when `start` is naive or off the grid, TypeError when it is not a datetime.
    """

    start: datetime = field(converter=_grid_point)

    @classmethod
    def containing(cls, moment: datetime) -> "Interval":
        """The interval with `start <= moment < end`. Raises ValueError when `moment` is naive."""
        moment = _utc(moment)
        return cls(start=moment - _past_grid(moment))

    @classmethod
    def between(cls, start: datetime, end: datetime) -> Iterator["Interval"]:
        """Every interval that begins in `[start, end)`, in order; none when the two are equal.

        Raises ValueError, at once and not at the first step, when one is naive or `end` is before `start`.
        """
        first, stop = (-((_EPOCH - moment) // INTERVAL_LENGTH) for moment in _span(start, end))  # rounded up
        return (cls(start=_EPOCH + number * INTERVAL_LENGTH) for number in range(first, stop))

    @classmethod
    def of_local_day(cls, day: date, zone: tzinfo) -> tuple["Interval", ...]:
        """The intervals of a calendar day in `zone`, from its first instant to that of the next day.

        There are 96 of them, fewer or more where the clocks change (92 and 100 for an hour). A midnight
        that is skipped is replaced by the first instant that exists, one that happens twice is taken the
        first time, and a day that the zone left out altogether has no intervals.

        `zone` comes from `zoneinfo` or `dateutil.tz`. Raises ValueError when the day does not begin and
        end on the UTC grid in this zone, TypeError when `day` has a time of day.
        """
        if isinstance(day, datetime):
            raise TypeError("day is a date, not a datetime: take the date() of the moment in the local zone")
        return tuple(cls.between(_first_instant(day, zone), _first_instant(day + timedelta(days=1), zone)))

    @property
    def end(self) -> datetime:
        """The first moment, in UTC, that no longer belongs to the interval: the start of the next."""
        return self.start + INTERVAL_LENGTH

    def next(self) -> "Interval":
        """The interval that begins when this one ends."""
        return Interval(start=self.end)

    def previous(self) -> "Interval":
        """The interval that ends when this one begins."""
        return Interval(start=self.start - INTERVAL_LENGTH)

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= _utc(moment) < self.end

    def overlap(self, start: datetime, end: datetime) -> timedelta:
        """How much of `[start, end)` lies in this interval: zero to 15 minutes.

        This is how ready, not-ready and login time are cut to the interval they are reported for.
        Raises ValueError when one is naive or `end` is before `start`.
        """
        begin, finish = _span(start, end)
        return max(min(finish, self.end) - max(begin, self.start), timedelta(0))

    def __str__(self) -> str:
        return f"{_iso(self.start, 'minutes')}/PT15M"
