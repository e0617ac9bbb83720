"""The promises of `cxone_wfm.intervals`: one grid, no gap, no duplicate, in every zone there is."""

import copy
import pickle
import subprocess
import sys
import time
import zoneinfo
from bisect import bisect_left
from datetime import date, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil.tz import tzoffset, tzstr
from hypothesis import given, settings
from hypothesis import strategies as st

from cxone_wfm import intervals
from cxone_wfm.intervals import INTERVAL_LENGTH, Interval

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
NEW_YORK = ZoneInfo("America/New_York")

properties = settings(max_examples=60, deadline=None)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starting(text: str) -> Interval:
    return Interval(start=utc(text))


# --- one interval -------------------------------------------------------------------------------------


@pytest.mark.parametrize("minute", [0, 15, 30, 45])
def test_an_interval_is_a_quarter_of_an_hour_on_the_utc_grid(minute):
    start = datetime(2024, 4, 17, 10, minute, tzinfo=UTC)
    interval = Interval(start=start)
    assert (interval.start, interval.end) == (start, start + timedelta(minutes=15))
    assert timedelta(minutes=15) == INTERVAL_LENGTH


@pytest.mark.parametrize(
    ("given_start", "expected"),
    [
        (datetime(2024, 4, 17, 12, 15, tzinfo=ZoneInfo("Europe/Paris")), "2024-04-17T10:15"),
        (datetime(2024, 4, 17, 15, 45, tzinfo=ZoneInfo("Asia/Kathmandu")), "2024-04-17T10:00"),
        (datetime(2024, 4, 17, 5, 0, tzinfo=tzoffset(None, -5 * 3600)), "2024-04-17T10:00"),
        (datetime(2024, 11, 3, 1, 30, tzinfo=NEW_YORK), "2024-11-03T05:30"),
        (datetime(2024, 11, 3, 1, 30, tzinfo=NEW_YORK, fold=1), "2024-11-03T06:30"),
        (datetime(1969, 12, 31, 23, 45, tzinfo=ZoneInfo("UTC")), "1969-12-31T23:45"),
    ],
)
def test_a_start_in_any_zone_is_kept_in_utc(given_start, expected):
    interval = Interval(start=given_start)
    assert interval.start.tzinfo is UTC
    assert interval == starting(expected)
    assert hash(interval) == hash(starting(expected))


@pytest.mark.parametrize(
    ("off_grid", "before", "after"),
    [
        ("2024-04-17T10:00:12", "2024-04-17T10:00:00Z", "2024-04-17T10:15:00Z"),
        ("2024-04-17T23:59:59", "2024-04-17T23:45:00Z", "2024-04-18T00:00:00Z"),
        ("2024-04-17T10:15:00.000001", "2024-04-17T10:15:00Z", "2024-04-17T10:30:00Z"),
        ("1969-12-31T23:59:00", "1969-12-31T23:45:00Z", "1970-01-01T00:00:00Z"),
    ],
)
def test_a_start_off_the_grid_is_refused_with_its_neighbours_on_the_grid(off_grid, before, after):
    with pytest.raises(ValueError, match="not on the 15-minute UTC grid") as refused:
        Interval(start=utc(off_grid))
    assert f"the nearest starts are {before} and {after};" in str(refused.value)
    assert str(refused.value).startswith(f"{off_grid}Z ")


class ZoneWithoutOffset(tzinfo):
    """A zone that does not know its offset: such a moment is naive, though it has a tzinfo."""

    def utcoffset(self, dt):
        return None


AWARE = datetime(2024, 4, 17, 10, tzinfo=UTC)
NAIVE = [AWARE.replace(tzinfo=None), AWARE.replace(tzinfo=ZoneWithoutOffset())]
EVERY_WAY_IN = {
    "Interval": lambda moment: Interval(start=moment),
    "containing": Interval.containing,
    "in": lambda moment: moment in Interval(start=AWARE),
    "overlap start": lambda moment: Interval(start=AWARE).overlap(moment, AWARE),
    "overlap end": lambda moment: Interval(start=AWARE).overlap(AWARE, moment),
    "between start": lambda moment: Interval.between(moment, AWARE),
    "between end": lambda moment: Interval.between(AWARE, moment),
}


@pytest.mark.parametrize("way_in", EVERY_WAY_IN.values(), ids=EVERY_WAY_IN)
@pytest.mark.parametrize("moment", NAIVE, ids=["no tzinfo", "no offset"])
def test_a_naive_moment_is_refused_everywhere(way_in, moment):
    with pytest.raises(ValueError, match=r"^2024-04-17T10:00:00 has no time zone"):
        way_in(moment)


@pytest.mark.parametrize("way_in", EVERY_WAY_IN.values(), ids=EVERY_WAY_IN)
@pytest.mark.parametrize("moment", ["2024-04-17T10:00Z", 1713348000, date(2024, 4, 17), None])
def test_what_is_not_a_datetime_is_refused_everywhere(way_in, moment):
    with pytest.raises(TypeError, match=f"not {type(moment).__name__}"):
        way_in(moment)


def test_an_interval_is_written_as_an_iso_8601_start_and_length():
    assert str(starting("2024-04-17T10:00")) == "2024-04-17T10:00Z/PT15M"
    assert str(starting("0987-01-01T00:45")) == "0987-01-01T00:45Z/PT15M"


def test_intervals_sort_by_time_and_compare_with_nothing_else():
    early, late = starting("2024-04-17T10:00"), starting("2024-04-17T10:15")
    assert sorted([late, early]) == [early, late]
    assert early < late <= late.next()
    assert early != early.start
    with pytest.raises(TypeError):
        _ = early < late.start


def test_an_interval_does_not_change_and_survives_copies():
    interval = starting("2024-04-17T10:00")
    with pytest.raises(AttributeError):
        interval.start = interval.end
    assert {interval: "kept"}[pickle.loads(pickle.dumps(interval))] == "kept"
    assert copy.deepcopy(interval) == interval


def test_start_is_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        Interval(AWARE)


def test_beyond_the_years_of_datetime_the_error_is_that_of_datetime():
    last, first = starting("9999-12-31T23:45"), starting("0001-01-01T00:00")
    assert last.previous().end == last.start
    with pytest.raises(OverflowError):
        _ = last.end
    with pytest.raises(OverflowError):
        first.previous()
    with pytest.raises(OverflowError):
        Interval.of_local_day(date.max, UTC)


# --- finding and walking ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2024-04-17T10:00:00", "2024-04-17T10:00"),
        ("2024-04-17T10:14:59.999999", "2024-04-17T10:00"),
        ("2024-04-17T10:15:00", "2024-04-17T10:15"),
        ("2024-12-31T23:59:59", "2024-12-31T23:45"),
        ("1969-12-31T23:59:59", "1969-12-31T23:45"),
    ],
)
def test_a_moment_lies_in_the_interval_that_began_last(moment, expected):
    assert Interval.containing(utc(moment)) == starting(expected)


def test_the_end_belongs_to_the_next_interval():
    interval = starting("2024-04-17T10:00")
    assert interval.start in interval
    assert interval.end - MICROSECOND in interval
    assert interval.end not in interval
    assert interval.start - MICROSECOND not in interval
    assert interval.next() == starting("2024-04-17T10:15")
    assert interval.previous() == starting("2024-04-17T09:45")


def test_the_two_hours_of_the_same_name_are_told_apart():
    first = datetime(2024, 11, 3, 1, 30, tzinfo=NEW_YORK)
    second = first.replace(fold=1)
    assert Interval.containing(first) == starting("2024-11-03T05:30")
    assert Interval.containing(second) == starting("2024-11-03T06:30")
    assert first in Interval.containing(first)
    assert second not in Interval.containing(first)
    assert len(list(Interval.between(first, second))) == 4
    with pytest.raises(ValueError, match="before the start"):
        Interval.between(second, first)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("10:00", "10:30", ["10:00", "10:15"]),
        ("10:00", "10:30:01", ["10:00", "10:15", "10:30"]),
        ("10:00:01", "10:30", ["10:15"]),
        ("09:59:59", "10:00:01", ["10:00"]),
        ("10:01", "10:14", []),
        ("10:00", "10:00", []),
        ("10:07", "10:07", []),
    ],
)
def test_between_gives_the_intervals_that_begin_in_the_span(start, end, expected):
    found = Interval.between(utc(f"2024-04-17T{start}"), utc(f"2024-04-17T{end}"))
    assert [f"{interval.start:%H:%M}" for interval in found] == expected


def test_between_makes_its_intervals_one_at_a_time():
    made = []

    class Counted(Interval):
        def __init__(self, *, start):
            made.append(start)
            super().__init__(start=start)

    found = Counted.between(AWARE, AWARE + DAY)
    assert made == []
    assert next(found).start == AWARE
    assert made == [AWARE]


@pytest.mark.parametrize("way_in", [Interval.between, starting("2024-04-17T10:00").overlap])
def test_an_end_before_the_start_is_refused_at_once_with_both(way_in):
    with pytest.raises(
        ValueError, match=r"end 2024-04-17T09:59:59Z is before the start 2024-04-17T10:00:00Z"
    ):
        way_in(AWARE, AWARE - timedelta(seconds=1))


# --- overlap ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("10:15", "10:30", 900),
        ("09:00", "11:00", 900),
        ("10:20", "10:25", 300),
        ("10:00", "10:20", 300),
        ("10:25", "10:40", 300),
        ("10:00", "10:15", 0),
        ("10:30", "10:45", 0),
        ("09:00", "09:30", 0),
        ("11:00", "11:30", 0),
        ("10:20", "10:20", 0),
    ],
)
def test_overlap_is_the_part_of_the_span_inside_the_interval(start, end, seconds):
    part = starting("2024-04-17T10:15").overlap(utc(f"2024-04-17T{start}"), utc(f"2024-04-17T{end}"))
    assert part == timedelta(seconds=seconds)


def test_overlap_counts_real_time_when_the_clocks_go_back():
    login = datetime(2024, 11, 3, 1, 50, tzinfo=NEW_YORK)
    logout = datetime(2024, 11, 3, 1, 10, tzinfo=NEW_YORK, fold=1)
    assert starting("2024-11-03T05:45").overlap(login, logout) == timedelta(minutes=10)
    assert starting("2024-11-03T06:00").overlap(login, logout) == timedelta(minutes=10)
    assert starting("2024-11-03T06:15").overlap(login, logout) == timedelta(0)


# --- properties ---------------------------------------------------------------------------------------

moments = st.datetimes(
    min_value=datetime.fromisoformat("1972-01-08"),
    max_value=datetime.fromisoformat("2099-01-01"),
    timezones=st.sampled_from(
        [
            UTC,
            NEW_YORK,
            ZoneInfo("Asia/Kathmandu"),
            ZoneInfo("Australia/Lord_Howe"),
            timezone(timedelta(hours=-11, minutes=-7)),
            tzstr("EST5EDT,M3.2.0,M11.1.0"),
        ]
    ),
)
lengths = st.timedeltas(min_value=timedelta(0), max_value=DAY)


@properties
@given(st.integers(min_value=-10_000_000, max_value=10_000_000))
def test_the_numbers_of_the_grid_and_the_intervals_are_one_to_one(number):
    start = EPOCH + number * INTERVAL_LENGTH
    interval = Interval(start=start)
    assert interval.start == start
    assert start.minute % 15 == 0
    assert Interval.containing(start) == Interval.containing(interval.end - MICROSECOND) == interval
    assert interval.next().previous() == interval.previous().next() == interval
    assert interval.previous().end == start


@properties
@given(moments)
def test_every_moment_lies_in_one_interval_and_no_other(moment):
    interval = Interval.containing(moment)
    assert interval.start <= moment.astimezone(UTC) < interval.end
    assert [moment in near for near in (interval.previous(), interval, interval.next())] == [
        False,
        True,
        False,
    ]


@properties
@given(moments, lengths)
def test_between_has_no_gap_and_no_duplicate(start, length):
    end = start.astimezone(UTC) + length
    found = list(Interval.between(start, end))
    assert all(earlier.end == later.start for earlier, later in pairwise(found))
    around = Interval.containing(start).previous()
    expected = []
    while around.start < end:
        if around.start >= start.astimezone(UTC):
            expected.append(around)
        around = around.next()
    assert found == expected


@properties
@given(moments, lengths)
def test_the_overlaps_of_a_span_add_up_to_its_length(start, length):
    end = start.astimezone(UTC) + length
    parts = [part.overlap(start, end) for part in Interval.between(Interval.containing(start).start, end)]
    assert sum(parts, timedelta(0)) == length
    assert all(timedelta(0) <= part <= INTERVAL_LENGTH for part in parts)


# --- local days ---------------------------------------------------------------------------------------

LOCAL_DAYS = [
    # zone, day, first start in UTC, number of intervals
    ("Etc/UTC", "2024-04-17", "2024-04-17T00:00", 96),
    ("Asia/Kathmandu", "2024-04-17", "2024-04-16T18:15", 96),
    ("America/New_York", "2024-04-17", "2024-04-17T04:00", 96),
    ("America/New_York", "2024-03-10", "2024-03-10T05:00", 92),
    ("America/New_York", "2024-11-03", "2024-11-03T04:00", 100),
    ("Pacific/Chatham", "2024-09-29", "2024-09-28T11:15", 92),
    ("Australia/Lord_Howe", "2024-10-06", "2024-10-05T13:30", 94),  # half an hour
    ("Australia/Lord_Howe", "2024-04-07", "2024-04-06T13:00", 98),
    ("Antarctica/Troll", "2024-03-31", "2024-03-31T00:00", 88),  # two hours
    ("Antarctica/Troll", "2024-10-27", "2024-10-26T22:00", 104),
    ("America/Havana", "2024-03-10", "2024-03-10T05:00", 92),  # 00:00 to 01:00: no midnight
    ("America/Havana", "2024-11-03", "2024-11-03T04:00", 100),  # 01:00 to 00:00: two midnights
    ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00", 92),
    ("America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00", 100),  # 24:00 to 23:00, the same day
    ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00", 96),
    ("Antarctica/Casey", "2010-03-04", "2010-03-03T13:00", 96),
    ("Antarctica/Casey", "2010-03-05", "2010-03-04T13:00", 108),  # 02:00 to 23:00 the day before
    ("America/Toronto", "1919-03-30", "1919-03-30T05:00", 94),  # 23:30 to 00:30 the day after
    ("America/Toronto", "1919-03-31", "1919-03-31T04:30", 94),
    ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00", 96),
    ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00", 96),  # the 30th was left out
]


@pytest.mark.parametrize(("zone", "day", "first", "count"), LOCAL_DAYS)
def test_a_local_day_begins_at_its_first_instant_and_is_whole(zone, day, first, count):
    found = Interval.of_local_day(date.fromisoformat(day), ZoneInfo(zone))
    assert found[0] == starting(first)
    assert len(found) == count
    assert all(earlier.end == later.start for earlier, later in pairwise(found))


def test_a_day_that_the_zone_left_out_has_no_intervals():
    assert Interval.of_local_day(date(2011, 12, 30), ZoneInfo("Pacific/Apia")) == ()


@pytest.mark.parametrize(
    ("rules", "zone"),
    [
        ("EST5EDT,M3.2.0,M11.1.0", "America/New_York"),
        ("CST5CDT,M3.2.0/0,M11.1.0/1", "America/Havana"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "Europe/Berlin"),
    ],
)
def test_zones_of_dateutil_give_the_days_that_zoneinfo_gives(rules, zone):
    ours, theirs = tzstr(rules), ZoneInfo(zone)
    days = [date(2024, month, number) for month in (3, 11) for number in range(1, 31)]
    for day in [*days, date(2024, 10, 26), date(2024, 10, 27), date(2024, 10, 28)]:
        assert Interval.of_local_day(day, ours) == Interval.of_local_day(day, theirs), day


@pytest.mark.parametrize(
    ("day", "zone", "begins"),
    [
        (date(2024, 4, 17), timezone(timedelta(minutes=20)), "2024-04-17 begins at 2024-04-16T23:40:00Z"),
        (date(1960, 1, 1), ZoneInfo("Africa/Monrovia"), "1960-01-01 begins at 1960-01-01T00:44:30Z"),
        # This day begins on the grid, and ends off it: the zone went from +07:00 to +07:20.
        (date(1933, 1, 1), ZoneInfo("Asia/Singapore"), "1933-01-02 begins at 1933-01-01T16:40:00Z"),
    ],
)
def test_a_day_off_the_grid_is_refused_with_the_zone_and_its_beginning(day, zone, begins):
    with pytest.raises(
        ValueError, match=f"in {zone} the day {begins}, off the 15-minute UTC grid".replace("+", r"\+")
    ):
        Interval.of_local_day(day, zone)


class ZoneThatNeedsLocalize(tzinfo):
    """As zones of pytz do, it gives a wall time the zone's oldest offset, and reads UTC with the real one."""

    def utcoffset(self, dt):
        return timedelta(hours=12, minutes=15)

    def fromutc(self, dt):
        return dt + timedelta(hours=12)

    def __str__(self):
        return "Pacific/Wallis"


def test_a_zone_that_contradicts_itself_is_refused_and_not_guessed():
    with pytest.raises(
        ValueError,
        match=r"^Pacific/Wallis gives 2024-04-17T00:00:00\+12:15 and does not read it back as the same time:"
        r" use a zone from zoneinfo or dateutil.tz \(pytz does not follow Python's rules for tzinfo\)$",
    ):
        Interval.of_local_day(date(2024, 4, 17), ZoneThatNeedsLocalize())


@pytest.mark.parametrize("zone", ["America/New_York", 0])
def test_a_zone_by_name_or_offset_is_refused(zone):
    with pytest.raises(TypeError, match="tzinfo"):
        Interval.of_local_day(date(2024, 4, 17), zone)


def test_a_day_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="has no time zone"):
        Interval.of_local_day(date(2024, 4, 17), None)


def test_a_datetime_is_not_taken_for_a_day():
    with pytest.raises(TypeError, match=r"take the date\(\)"):
        Interval.of_local_day(AWARE, UTC)


# --- every zone, every change of the clocks, 2024 to 2032 ----------------------------------------------

NOONS = [datetime.fromisoformat("2023-12-25T12:00") + n * DAY for n in range(9 * 366 + 14)]  # to January 2033
COUNTS = {88, 92, 94, 96, 98, 100, 104}
"""88 and 104: Antarctica/Troll, two hours. 94 and 98: Lord Howe Island, half an hour."""


def changes_of(zone: ZoneInfo) -> list[tuple[datetime, timedelta, timedelta]]:
    """When the zone's clocks change (to the quarter, UTC), from which offset, to which.

    It compares the offsets of one noon and the next, so it would miss a change undone the same day.
    """
    found = []
    offsets = list(map(zone.utcoffset, NOONS))
    for noon, before, after in zip(NOONS[1:], offsets, offsets[1:], strict=False):
        if before != after:
            start = (noon - DAY - before).replace(tzinfo=UTC)
            steps = range((DAY - (after - before)) // INTERVAL_LENGTH + 1)

            def is_after(step: int, start=start, after=after) -> bool:
                return (start + step * INTERVAL_LENGTH).astimezone(zone).utcoffset() == after

            found.append((start + bisect_left(steps, True, key=is_after) * INTERVAL_LENGTH, before, after))
    return found


def test_every_change_of_the_clocks_in_every_zone_leaves_no_gap_and_no_duplicate():
    # Two zones that change at the same instant between the same offsets have the same days around it.
    changes = {
        change: zone for zone in map(ZoneInfo, zoneinfo.available_timezones()) for change in changes_of(zone)
    }
    counts = set()
    for (instant, before, after), zone in changes.items():
        days = [(instant + before).date() + n * DAY for n in range(-2, 4)]
        by_day = [Interval.of_local_day(day, zone) for day in days]
        # Told by other means: an interval belongs to the date that the zone's clocks show as it begins.
        shown = {day: [] for day in days}
        for step in range(-5 * 96, 5 * 96):
            start = instant + step * INTERVAL_LENGTH
            shown.setdefault(start.astimezone(zone).date(), []).append(start)
        assert [[interval.start for interval in found] for found in by_day] == [shown[day] for day in days], (
            zone
        )
        joined = [interval for found in by_day for interval in found]
        assert all(earlier.end == later.start for earlier, later in pairwise(joined)), zone
        assert len(joined) * INTERVAL_LENGTH == len(days) * DAY - (after - before), zone
        counts.update(map(len, by_day))
    assert len(changes) > 500
    assert counts == COUNTS


def test_between_changes_every_offset_in_use_has_days_of_96_intervals():
    by_offset = {zone.utcoffset(NOONS[0]): zone for zone in map(ZoneInfo, zoneinfo.available_timezones())}
    assert len(by_offset) > 30
    for zone in by_offset.values():
        found = Interval.of_local_day(NOONS[0].date(), zone)
        assert len(found) == 96, zone
        assert found[0].start.astimezone(zone).replace(tzinfo=None) == NOONS[0].replace(hour=0), zone


# --- where it runs ------------------------------------------------------------------------------------


@pytest.fixture
def odd_machine_zone():
    if not hasattr(time, "tzset"):
        pytest.skip("this system cannot change the zone of a running program")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "ODD-05:37:11ODE,M3.2.0,M11.1.0")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("odd_machine_zone")
def test_nothing_depends_on_the_machine_s_zone():
    assert time.timezone == -(5 * 3600 + 37 * 60 + 11)
    for zone, day, first, count in LOCAL_DAYS:
        found = Interval.of_local_day(date.fromisoformat(day), ZoneInfo(zone))
        assert (found[0], len(found)) == (starting(first), count)
    assert str(Interval.containing(utc("2024-04-17T10:14:59"))) == "2024-04-17T10:00Z/PT15M"
    for moment in NAIVE:
        with pytest.raises(ValueError, match="has no time zone"):
            Interval.containing(moment)


def test_the_module_stands_alone_and_loads_dateutil_only_for_local_days():
    check = """
import runpy, sys
from datetime import date, timezone
module = runpy.run_path(sys.argv[1])
assert not {"cxone_wfm", "dateutil"} & set(sys.modules), "loaded on import"
assert len(module["Interval"].of_local_day(date(2024, 4, 17), timezone.utc)) == 96
assert "dateutil" in sys.modules
"""
    subprocess.run([sys.executable, "-c", check, intervals.__file__], check=True, timeout=60)
