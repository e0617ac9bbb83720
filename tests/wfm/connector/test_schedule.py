"""When what is due: periods by seconds that never go back, intervals by the time of day."""

from datetime import datetime, timedelta, timezone

import pytest

from cxone_wfm.connector._schedule import Backoff, Looks, Period
from cxone_wfm.intervals import INTERVAL_LENGTH, Interval

NOON = datetime(2024, 4, 17, 12, tzinfo=timezone.utc)
LOOKS = Looks(
    lag=timedelta(minutes=2),
    again=timedelta(hours=1),
    correctable=timedelta(hours=4),
    reach=timedelta(hours=24),
)


def interval(quarters):
    """The one that begins so many quarters after noon."""
    return Interval(start=NOON + quarters * INTERVAL_LENGTH)


def at(minutes):
    return NOON + timedelta(minutes=minutes)


def due(now, first=0, reported=(), extracted=()):
    return LOOKS.due(now, first=interval(first), reported=set(reported), extracted=dict(extracted))


def test_an_interval_is_due_the_lag_after_its_end():
    assert due(at(16.99)) == []
    assert due(at(17)) == [interval(0)]
    assert due(at(40)) == [interval(0), interval(1)]


def test_it_is_due_once_and_then_again_an_hour_after_its_end():
    extracted = {interval(0): at(17)}
    assert due(at(30), extracted=extracted) == []
    assert due(at(74.9), first=0, extracted={interval(n): at(74) for n in range(5)}) == []
    later = {interval(n): at(70) for n in range(5)}
    assert due(at(75), extracted=later) == [interval(0)]
    assert due(at(80), extracted=later | {interval(0): at(75)}) == []


def test_after_a_restart_the_reported_ones_that_can_be_corrected_are_due_as_well():
    reported = [interval(n) for n in range(-40, 0)]
    found = due(at(10), first=-40, reported=reported)
    assert found == [interval(n) for n in range(-16, 0)]


def test_what_was_missed_is_due_back_to_the_reach_and_no_further_than_the_first():
    assert len(due(at(2), first=-500)) == 95
    assert due(at(2), first=-500)[0] == LOOKS.oldest(at(2)) == interval(-95)
    assert len(due(at(2), first=-3)) == 3
    assert due(at(2), first=3) == []


@pytest.mark.parametrize(("now", "then"), [(0, 2), (2, 15), (14.9, 15), (15, 17), (17, 30), (29, 30)])
def test_the_next_question_is_at_a_lag_or_an_hour_after_a_quarter(now, then):
    assert LOOKS.next(at(now)) == at(then)


def test_a_period_keeps_its_beat_and_makes_nothing_up():
    period = Period(10)
    assert period.is_due(100)
    period.begun(100)
    assert not period.is_due(109)
    period.begun(112)
    assert period.due_at == 120
    period.begun(175)
    assert period.due_at == 185


def test_a_backoff_doubles_up_to_a_minute_and_forgets_all_after_a_success():
    backoff, waits = Backoff(), []
    for _ in range(8):
        backoff.failed(0)
        waits.append(backoff.until)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.failed(0, at_least=900)
    assert not backoff.is_over(899)
    backoff.succeeded()
    assert backoff.is_over(0)
    backoff.failed(0)
    assert backoff.until == 1
