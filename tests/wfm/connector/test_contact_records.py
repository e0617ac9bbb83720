"""The promises of `Contact`, `AgentTime` and `Queue`: what cannot be right cannot be built."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import attrs
import pytest

from cxone_wfm.connector.records import AgentTime, AgentTimeState, Contact, Queue
from cxone_wfm.errors import ValidationError

UTC = timezone.utc
TEN = datetime(2024, 4, 17, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TIME = "a time with its offset: a datetime in Python, 2024-04-17T10:00:00.000Z in JSON"
LENGTH = "a timedelta from 0 to 366 days"


def contact(**changes):
    fields = {"contact_id": "c1", "queue": "8057", "arrived": TEN, "answered": TEN + MINUTE}
    return Contact(**{**fields, "ended": TEN + 4 * MINUTE, "talk_time": 2 * MINUTE, **changes})


def span(**changes):
    return AgentTime(
        **{"agent": "a", "start": TEN, "end": TEN + MINUTE, "state": AgentTimeState.READY, **changes}
    )


def faults_of(make):
    with pytest.raises(ValidationError) as caught:
        make()
    return caught.value.record, [attrs.astuple(fault) for fault in caught.value.faults]


def test_a_contact_keeps_its_moments_in_utc_cut_to_milliseconds():
    new_york = datetime(2024, 4, 17, 6, 0, 0, 1999, tzinfo=ZoneInfo("America/New_York"))
    made = contact(arrived=new_york)
    assert (made.arrived, made.arrived.tzinfo) == (TEN.replace(microsecond=1000), UTC)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"contact_id": ""}, ("contact_id", "''", "text of 1 to 256 characters")),
        ({"queue": ""}, ("queue", "''", "text of 1 to 100 ASCII characters")),
        ({"queue": 8057}, ("queue", "8057", "text of 1 to 100 ASCII characters")),
        ({"agent": "é"}, ("agent", "'\\xe9'", "text of 1 to 256 ASCII characters")),
        ({"outbound": 1}, ("outbound", "1", "true or false")),
        ({"right_party": "yes"}, ("right_party", "'yes'", "true or false")),
        (
            {"arrived": TEN.replace(tzinfo=None)},
            ("arrived", "2024-04-17T10:00:00, a time without its offset", TIME),
        ),
        ({"ended": "now"}, ("ended", "'now'", TIME)),
        ({"talk_time": 120}, ("talk_time", "120", LENGTH)),
        ({"talk_time": -MINUTE}, ("talk_time", "-1 day, 23:59:00", LENGTH)),
        ({"hold_time": None}, ("hold_time", "null", LENGTH)),
        ({"hold_time": timedelta(days=367)}, ("hold_time", "367 days, 0:00:00", LENGTH)),
        ({"after_contact_work_time": 5.0}, ("after_contact_work_time", "5.0", LENGTH)),
        ({"queue_delay": 0}, ("queue_delay", "0", LENGTH)),
        (
            {"answered": TEN - MINUTE},
            (
                "answered",
                "2024-04-17T09:59:00.000Z",
                "a time not before arrived, 2024-04-17T10:00:00.000Z",
            ),
        ),
        (
            {"ended": TEN + timedelta(seconds=59)},
            ("ended", "2024-04-17T10:00:59.000Z", "a time not before answered, 2024-04-17T10:01:00.000Z"),
        ),
        (
            {"answered": None, "talk_time": None, "ended": TEN - MINUTE},
            ("ended", "2024-04-17T09:59:00.000Z", "a time not before arrived, 2024-04-17T10:00:00.000Z"),
        ),
        ({"right_party": False}, ("right_party", "false", "None on an inbound contact")),
        ({"outbound": True}, ("right_party", "None", "true or false; true where the ACD cannot tell")),
        (
            {"talk_time": None},
            ("talk_time", "None", "a timedelta, for the contact was answered and has ended"),
        ),
        (
            {"answered": None},
            ("answered", "None", "a time, for there is talk, hold or after-contact work time"),
        ),
        (
            {"answered": None, "talk_time": None, "after_contact_work_time": MINUTE},
            ("answered", "None", "a time, for there is talk, hold or after-contact work time"),
        ),
    ],
)
def test_a_contact_that_cannot_be_right_is_refused_with_what_was_expected(changes, expected):
    record, faults = faults_of(lambda: contact(**changes))
    assert record == "Contact"
    assert faults[0] == expected


def test_all_faults_of_a_contact_are_told_at_once():
    _, faults = faults_of(lambda: contact(contact_id="", queue="", talk_time=-MINUTE))
    assert [path for path, *_ in faults] == ["contact_id", "queue", "talk_time"]


def test_talk_and_hold_longer_than_the_contact_are_refused_for_a_unit_is_wrong_or_hold_counts_twice():
    assert contact(talk_time=3 * MINUTE, hold_time=MINUTE).handle_time == 4 * MINUTE  # of 3, a minute's grace
    _, faults = faults_of(lambda: contact(talk_time=3 * MINUTE, hold_time=MINUTE + timedelta(seconds=1)))
    assert faults == [("talk_time", "0:04:01 of talk and hold", "at most 0:03:00, answered to ended")]


def test_handle_time_is_talk_and_hold_without_after_contact_work():
    made = contact(talk_time=MINUTE, hold_time=MINUTE, after_contact_work_time=90 * MINUTE)
    assert made.handle_time == 2 * MINUTE


@pytest.mark.parametrize(
    ("changes", "wait"),
    [
        ({}, MINUTE),
        ({"queue_delay": timedelta(seconds=7)}, timedelta(seconds=7)),
        ({"answered": None, "talk_time": None}, 4 * MINUTE),
        ({"answered": None, "talk_time": None, "ended": None}, timedelta(0)),
        ({"answered": TEN}, timedelta(0)),
    ],
)
def test_the_wait_is_what_the_acd_says_or_else_until_answer_or_abandonment(changes, wait):
    assert contact(**changes).wait == wait


def test_an_open_contact_may_have_its_talk_time_so_far_or_none():
    assert contact(ended=None, talk_time=None).handle_time == timedelta(0)
    assert contact(ended=None, hold_time=MINUTE).handle_time == 3 * MINUTE


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"agent": ""}, ("agent", "''", "text of 1 to 256 ASCII characters")),
        (
            {"start": TEN.replace(tzinfo=None)},
            ("start", "2024-04-17T10:00:00, a time without its offset", TIME),
        ),
        ({"state": "ready"}, ("state", "'ready'", "an AgentTimeState")),
        (
            {"end": TEN - MINUTE},
            (
                "end",
                "2024-04-17T09:59:00.000Z",
                "a time from start, 2024-04-17T10:00:00.000Z, to 7 days after it",
            ),
        ),
        (
            {"end": TEN + timedelta(days=7, milliseconds=1)},
            (
                "end",
                "2024-04-24T10:00:00.001Z",
                "a time from start, 2024-04-17T10:00:00.000Z, to 7 days after it",
            ),
        ),
        (
            {"end": datetime(9999, 12, 31, tzinfo=UTC)},
            (
                "end",
                "9999-12-31T00:00:00.000Z",
                "a time from start, 2024-04-17T10:00:00.000Z, to 7 days after it",
            ),
        ),
    ],
)
def test_a_span_that_cannot_be_right_is_refused_with_what_was_expected(changes, expected):
    assert faults_of(lambda: span(**changes)) == ("AgentTime", [expected])


def test_a_span_may_last_from_no_time_to_seven_days():
    assert span(end=TEN).end == TEN
    assert span(end=TEN + timedelta(days=7)).end == TEN + timedelta(days=7)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"value": ""}, ("value", "''", "text of 1 to 100 ASCII characters")),
        ({"name": ""}, ("name", "''", "text of 1 to 256 characters")),
        ({"outbound": None}, ("outbound", "null", "true or false")),
        ({"service_level_threshold": 20}, ("service_level_threshold", "20", LENGTH)),
    ],
)
def test_a_queue_that_cannot_be_right_is_refused_with_what_was_expected(changes, expected):
    assert faults_of(lambda: Queue(**{"value": "8057", **changes})) == ("Queue", [expected])


@pytest.mark.parametrize("record", [contact(), span(), Queue(value="8057")], ids=lambda r: type(r).__name__)
def test_records_cannot_be_changed(record):
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        record.agent = "b"
