"""The promises of the records that are built in Python: checked as a whole, and never changed."""

import copy
import json
import pickle
import threading
from datetime import datetime, timedelta, timezone, tzinfo
from enum import Enum

import attrs
import pytest
from support.records import (
    AGENT_KEY,
    CANARY,
    COUNT,
    FLAG,
    MILLISECONDS,
    NAME,
    NOON,
    NOTE,
    QUEUE_KEY,
    RECORDS,
    SECONDS,
    SMALLEST,
    STATE,
    TIME,
    UTC,
    both_writers,
    faults_of,
    refusal,
    state,
)

from cxone_wfm._kinds import AgentKey
from cxone_wfm.errors import ValidationError
from cxone_wfm.models import (
    AgentActivity,
    AgentQueueReport,
    AgentState,
    AgentStateList,
    HistoricalReport,
    HistoricalReportData,
    QueueReport,
)
from cxone_wfm.models._record import Record

writer = both_writers()


# --- times --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2024-04-17T10:00:00Z", "2024-04-17T10:00:00.000Z"),
        ("2024-04-17T10:00Z", "2024-04-17T10:00:00.000Z"),
        ("2024-04-17T10:00:00.123456789Z", "2024-04-17T10:00:00.123Z"),
        ("2024-04-17T10:00:00.999999Z", "2024-04-17T10:00:00.999Z"),
        ("2024-04-17T10:00:00,5Z", "2024-04-17T10:00:00.500Z"),
        ("2024-04-17T12:00:00+02:00", "2024-04-17T10:00:00.000Z"),
        ("2024-04-16T23:30:00-10:30", "2024-04-17T10:00:00.000Z"),
        ("20240417T100000Z", "2024-04-17T10:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_is_read_in_any_iso_form_with_offset_and_written_in_the_vendors(text, written, writer):
    state = AgentState.from_json({**STATE, "eventUtcTime": text})
    assert json.loads(state.to_json())["eventUtcTime"] == written
    assert state.event_utc_time.tzinfo is UTC


class Odd(tzinfo):
    """A time zone that does not know its offset."""

    def utcoffset(self, moment):
        return None


class NotATime(datetime):
    """As pandas' NaT: a datetime whose offset is no offset."""

    def utcoffset(self):
        return self


def test_a_datetime_is_turned_to_utc_and_cut_to_milliseconds():
    india = timezone(timedelta(hours=5, minutes=30))
    made = state(event_utc_time=datetime(2024, 4, 17, 17, 30, 0, 999_999, india))
    assert made.event_utc_time == datetime(2024, 4, 17, 12, 0, 0, 999_000, UTC)
    assert made.event_utc_time.tzinfo is UTC
    assert b'"2024-04-17T12:00:00.999Z"' in made.to_json()
    assert made == state(event_utc_time=NOON + timedelta(microseconds=999_123))


def test_both_readings_of_an_hour_that_comes_twice_are_kept_apart():
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Europe/Berlin")
    first, second = (
        state(event_utc_time=datetime(2024, 10, 27, 2, 30, tzinfo=zone, fold=fold)) for fold in (0, 1)
    )
    assert second.event_utc_time - first.event_utc_time == timedelta(hours=1)


def test_a_datetime_of_another_class_becomes_a_plain_one():
    class Stamp(datetime):
        pass

    assert type(state(event_utc_time=Stamp(2024, 4, 17, 12, tzinfo=UTC)).event_utc_time) is datetime


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (datetime(2024, 4, 17, 12), "2024-04-17T12:00:00, a time without its offset"),  # noqa: DTZ001 - naive on purpose
        (datetime(2024, 4, 17, 12, tzinfo=Odd()), "2024-04-17T12:00:00, a time without its offset"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), "0001-01-01T00:00:00+14:00"),
        (NotATime(2024, 4, 17, tzinfo=UTC), None),
        (NOON.date(), "a Python date"),
        (NOON.isoformat(), "'2024-04-17T12:00:00+00:00'"),
        (NOON.timestamp(), "1713355200.0"),
        (None, "null"),
    ],
)
def test_a_time_in_python_is_a_datetime_with_its_offset(value, found):
    ((path, told, expected),) = faults_of(lambda: state(event_utc_time=value))
    assert (path, expected) == ("$.eventUtcTime", TIME)
    assert found is None or told == found


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (timedelta(minutes=2, seconds=19, milliseconds=90), 139090),
        (timedelta(0), 0),
        (timedelta(microseconds=1999), 1),
        (timedelta(days=365), 31_536_000_000),
        (139090, 139090),
    ],
)
def test_a_duration_is_given_as_timedelta_or_as_milliseconds(length, written):
    activity = AgentActivity(state="Ready", start_time=NOON, duration=length)
    assert json.loads(activity.to_json())["duration"] == written


@pytest.mark.parametrize("length", [timedelta(microseconds=-1), 1.5, True, "5", None])
def test_a_duration_that_is_none_is_refused(length):
    ((path, _, expected),) = faults_of(lambda: AgentActivity(state="Ready", start_time=NOON, duration=length))
    assert (path, expected) == ("$.duration", MILLISECONDS)


# --- records built in Python --------------------------------------------------------------------------


def test_all_faults_of_a_record_that_is_built_are_in_one_error():
    error = refusal(
        lambda: AgentQueueReport(
            queue_value="",
            queue_name=5,
            is_outbound="no",
            agent_value="é",
            handled=True,
            handled_time=float("nan"),
            work_time="7",
            right_party_contacts=-1,
            hold_time=float("inf"),
            active=2.0,
        )
    )
    assert error.record == "AgentQueueReport"
    assert [attrs.astuple(fault) for fault in error.faults] == [
        ("$.queueValue", "''", QUEUE_KEY),
        ("$.queueName", "5", NOTE),
        ("$.isOutbound", "'no'", FLAG),
        ("$.agentValue", "'\\xe9'", AGENT_KEY),
        ("$.handled", "true", COUNT),
        ("$.handledTime", "NaN", SECONDS),
        ("$.workTime", "'7'", SECONDS),
        ("$.rightPartyContacts", "-1", COUNT),
        ("$.holdTime", "Infinity", SECONDS),
        ("$.active", "2.0", COUNT),
    ]


def test_a_report_that_ends_before_it_starts_is_told_beside_its_other_faults():
    def report(**changes):
        given = {"acd_type": "x", "start_date": NOON, "end_date": NOON, "report_data": HistoricalReportData()}
        return HistoricalReport(**{**given, **changes})

    order = ("$.endDate", "2024-04-17T12:00:00.000Z", "a time after startDate, 2024-04-17T12:00:00.000Z")
    assert faults_of(report) == [order]
    assert faults_of(lambda: report(acd_type="", status=None)) == [
        ("$.acdType", "''", NAME),
        ("$.status", "null", NAME),
        order,
    ]
    assert [path for path, *_ in faults_of(lambda: report(end_date=None))] == ["$.endDate"]
    # a difference below a millisecond is none on the wire
    assert faults_of(lambda: report(end_date=NOON + timedelta(microseconds=999))) == [order]


class Float64(float):
    """As numpy's: a float that is not exactly one."""


def test_a_number_of_another_class_is_named_by_its_class():
    class Level(int, Enum):
        LOW = 1

    told = faults_of(lambda: QueueReport(queue_value="1", handle_time=Float64(5), active=Level.LOW))
    assert told == [("$.active", "a Python Level", COUNT), ("$.handleTime", "a Python Float64", SECONDS)]


class Event(str, Enum):
    """An ACD's events, as a user may write them down."""

    READY = "READY"
    EMPTY = ""


def test_an_enum_of_texts_may_stand_where_text_may(writer):
    made = state(event_code=Event.READY)
    assert json.loads(made.to_json())["eventCode"] == "READY"
    assert made == state(event_code="READY") == AgentState.from_json(made.to_json())
    assert faults_of(lambda: state(event_code=Event.EMPTY)) == [("$.eventCode", "''", NAME)]


@pytest.mark.parametrize(
    "form", [list, tuple, iter, lambda rows: (row for row in rows), lambda rows: dict.fromkeys(rows).keys()]
)
def test_rows_come_from_any_iterable_and_become_a_tuple(form):
    rows = [QueueReport(queue_value=str(i)) for i in range(3)]
    assert HistoricalReportData(queue_report=form(rows)).queue_report == tuple(rows)


def test_a_list_that_changes_later_does_not_change_the_record():
    rows = [state()]
    states = AgentStateList(agent_state_list=rows)
    rows.append(state())
    assert len(states.agent_state_list) == 1


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("ab", "text"),
        (b"ab", "a Python bytes"),
        (bytearray(b"ab"), "a Python bytearray"),
        ({"a": 1}, "an object"),
        (None, "null"),
        (7, "a number"),
        (QueueReport(queue_value="1"), "a Python QueueReport"),
    ],
)
def test_what_is_no_row_list_is_one_fault(rows, found):
    assert faults_of(lambda: AgentStateList(agent_state_list=rows)) == [
        ("$.agentStateList", found, "a list of AgentState")
    ]


def test_each_wrong_row_is_a_fault_at_its_place():
    rows = [state(), {"loginId": CANARY}, state(), QueueReport(queue_value="1"), None]
    assert faults_of(lambda: AgentStateList(agent_state_list=rows)) == [
        ("$.agentStateList[1]", "an object", "an instance of AgentState"),
        ("$.agentStateList[3]", "a Python QueueReport", "an instance of AgentState"),
        ("$.agentStateList[4]", "null", "an instance of AgentState"),
    ]


@pytest.mark.parametrize("row", [{"loginId": "a"}, (), "a", object()])
def test_one_wrong_row_is_enough(row):
    assert [path for path, *_ in faults_of(lambda: AgentStateList(agent_state_list=[row]))] == [
        "$.agentStateList[0]"
    ]


def test_an_error_of_the_users_own_generator_comes_out_as_it_is():
    def rows():
        yield state()
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        AgentStateList(agent_state_list=rows())


def test_a_nested_record_of_another_class_is_refused():
    given = {"acd_type": "x", "start_date": NOON, "end_date": NOON + timedelta(minutes=15)}
    assert faults_of(lambda: HistoricalReport(**given, report_data={"queueReport": []})) == [
        ("$.reportData", "an object", "an instance of HistoricalReportData")
    ]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_can_be_compared_hashed_copied_and_not_changed(record):
    one, other = (record.from_json(json.dumps(SMALLEST[record])) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != object()
    for field in attrs.fields(record):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(one, field.name, getattr(one, field.name))
    with pytest.raises((AttributeError, TypeError)):
        one.another = 1
    assert attrs.evolve(one) == one
    assert copy.copy(one) == one


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_pickled_whole_or_where_it_holds_a_secret_not_at_all(record):
    one = record.from_json(json.dumps(SMALLEST[record]))
    if "Token" in record.__name__:
        with pytest.raises(TypeError, match="a Secret cannot be pickled"):
            pickle.dumps(one)
    else:
        assert pickle.loads(pickle.dumps(one)) == one
        assert copy.deepcopy(one) == one


def test_a_change_by_evolve_is_checked_too():
    with pytest.raises(ValidationError):
        attrs.evolve(QueueReport(queue_value="1"), active=-1)


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_cannot_be_derived_from_for_its_checks_would_not_be_the_vendors(record):
    with pytest.raises(TypeError, match="cannot be derived from"):
        type("Mine", (record,), {})


def test_arguments_that_are_missing_unknown_or_positional_are_pythons_own_errors():
    with pytest.raises(TypeError, match="queue_value"):
        QueueReport()
    with pytest.raises(TypeError, match="queueValue"):
        QueueReport(queueValue="1")
    with pytest.raises(TypeError):
        QueueReport("1")


def test_the_first_records_of_a_class_may_be_built_in_many_threads_at_once():
    @attrs.frozen(kw_only=True)
    class Fresh(Record):
        agent_value: AgentKey

    gate, outcomes = threading.Barrier(16), []

    def build():
        gate.wait()
        try:
            outcomes.append(Fresh(agent_value=""))
        except ValidationError as error:
            outcomes.append(error.faults[0].path)
        outcomes.append(Fresh(agent_value="1").agent_value)

    threads = [threading.Thread(target=build) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == sorted(["1", "$.agentValue"] * 16)
