"""What the presets say of single ACDs: the event sets as printed, and no trap in the historical columns."""

import inspect
import random
from pathlib import Path
from typing import get_args

import attrs
import pytest

from cxone_wfm import AgentQueueReport, AgentSystemPerformanceReport, QueueReport, ValidationError
from cxone_wfm.connector import presets
from cxone_wfm.connector.presets import (
    Confidence,
    EventSetName,
    MappedField,
    MappingName,
    event_set,
    historical_mapping,
    mapping_table,
)
from cxone_wfm.connector.state_feed import StateFeed

RECORDS = {
    record.__name__: record for record in (QueueReport, AgentQueueReport, AgentSystemPerformanceReport)
}
EVENT_SETS = get_args(EventSetName)
MAPPINGS = get_args(MappingName)

# --- event sets ---------------------------------------------------------------------------------------


def test_the_event_set_of_avaya_cms_is_the_one_on_the_vendors_page():
    events = event_set("avaya_cms")
    assert (events.acd, events.login_id) == ("Avaya CMS", "the vendor login id")
    assert {event.code: event.name for event in events.events if not event.reason} == {
        "10": "Unstaff",
        "20": "Available",
        "30": "ACD",
        "31": "ACD Out",
        "32": "ACD In",
        "40": "ACW",
        "41": "ACW Out",
        "42": "ACW In",
        "50": "Aux",
        "51": "Aux Out",
        "52": "Aux In",
        "60": "DACD",
        "61": "DACD Out",
        "62": "DACD In",
        "70": "DACW",
        "71": "DACW Out",
        "72": "DACW In",
        "80": "Ring",
        "100": "Signon/Logon",
        "110": "Signoff/Logout",
        "220": "Other",
        "600": "AuxOutOnHold",
    }
    with_reasons = {
        code: [e.reason for e in events.events if e.code == code and e.reason]
        for code in ["50", "51", "52", "600"]
    }
    assert all(reasons == [str(n) for n in range(1, 100)] for reasons in with_reasons.values())
    assert len(events.events) == 22 + 4 * 99
    assert {event.confidence for event in events.events} == {"confirmed"}


def test_the_event_set_of_livevox_is_the_one_on_the_vendors_page():
    events = event_set("livevox")
    plain = {event.code for event in events.events if not event.reason}
    assert plain == {
        *("LOGON", "REGISTERING", "READY", "NOT READY", "RESERVED", "MANUAL DIAL", "PREVIEW DIAL OFFERED"),
        *("PREVIEW DIAL ACCEPTED", "PREVIEW DIAL SKIPPED", "DIALING", "LOGOFF", "TRANSFERRING", "IN CALL"),
        *("AGENT HOLD", "WRAP UP", "AGENT TRANSFER FAILED"),
    }
    reasons = {}
    for event in events.events:
        if event.reason:
            reasons.setdefault(event.code, []).append(event.reason)
    assert reasons.pop("NOT READY") == [
        *("LUNCH", "TRAINING", "BREAK", "MEETING", "TECH DIFFICULTIES", "VOICE MAIL", "OTHER"),
    ]
    steps = ("INITIATED", "CONNECTED", "CONFERENCED", "RECONNECTED", "COMPLETE", "HOLD", "RESUMED")
    assert reasons == {f"AGENT TRANSFER {step}": ["SUPERVISOR", "AGENT2"] for step in steps}


def test_where_the_page_does_not_say_which_reason_belongs_to_which_code_the_row_says_unconfirmed():
    events = event_set("livevox")
    unconfirmed = {event.code for event in events.events if event.confidence == "unconfirmed"}
    assert all(event.confidence == "unconfirmed" for event in events.events if event.reason)
    assert {"NOT READY", "AGENT HOLD"} <= unconfirmed
    assert events.find("READY").confidence == "confirmed"


@pytest.mark.parametrize("name", EVENT_SETS)
def test_every_event_has_a_source_and_a_confidence_and_stands_there_once(name):
    events = event_set(name)
    assert len({(event.code, event.reason) for event in events.events}) == len(events.events)
    for event in events.events:
        assert event.source.startswith("vendor page: ")
        assert event.confidence in get_args(Confidence)
        assert event.name
        assert events.find(event.code, event.reason) is event


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("avaya_cms", "99", ""),
        ("avaya_cms", "50", "0"),
        ("avaya_cms", "50", "100"),
        ("avaya_cms", "30", "1"),
        ("livevox", "ready", ""),
        ("livevox", "NOT READY", "HOLIDAY"),
    ],
)
def test_an_event_that_the_page_does_not_have_is_not_found(name, code, reason):
    assert event_set(name).find(code, reason) is None


@pytest.mark.parametrize("name", EVENT_SETS)
def test_the_codes_of_login_and_log_off_are_events_and_what_the_state_feed_takes(name):
    events = event_set(name)
    assert "on" in events.find(events.login_code).name.lower()
    assert "off" in events.find(events.logoff_code).name.lower()
    StateFeed(acd_id="Tenant", login_code=events.login_code, logoff_code=events.logoff_code)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (event_set, r"no events named 'cisco': there are avaya_cms, livevox"),
        (
            historical_mapping,
            r"no mapping named 'cisco': there are amazon_connect, avaya_cms, five9, genesys_cloud",
        ),
    ],
)
def test_an_acd_without_a_preset_is_refused_with_those_that_have_one(make, message):
    with pytest.raises(ValueError, match=message):
        make("cisco")


def test_presets_cannot_be_changed():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event_set("livevox").events[0].code = "x"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        mapping_table()[0].formula = "x"


# --- the table of what is mapped ----------------------------------------------------------------------


def test_the_table_lists_every_field_of_the_four_acds_with_source_and_confidence():
    table = mapping_table()
    assert {field.acd for field in table} == {"Amazon Connect", "Avaya CMS", "Five9", "Genesys Cloud"}
    assert len({(field.acd, field.record, field.field) for field in table}) == len(table)
    for field in table:
        assert field.field in attrs.fields_dict(RECORDS[field.record])
        assert field.source
        assert field.confidence in get_args(Confidence)
        assert field.columns


def test_nothing_of_genesys_cloud_and_five9_is_called_confirmed():
    assert {f.confidence for f in mapping_table() if f.acd in {"Genesys Cloud", "Five9"}} == {"unconfirmed"}


def test_a_field_tells_its_columns_once_each():
    field = MappedField(
        acd="x",
        record="QueueReport",
        field="work_time",
        formula="(b.sum + a) * b.sum / 1000 - c",
        source="x",
        confidence="unconfirmed",
        trap="",
    )
    assert field.columns == ("b.sum", "a", "c")


@pytest.mark.parametrize("acd", MAPPINGS)
def test_every_formula_gives_what_python_makes_of_it(acd):
    for field in historical_mapping(acd).fields:
        report, expected = both_values(field)
        assert getattr(report, field.field) == pytest.approx(expected), field


def both_values(field):
    chance = random.Random(field.formula)
    # Later columns get smaller values, so that no difference is below 0.
    values = {column: chance.randint(10, 20) * 10 ** (5 - n) for n, column in enumerate(field.columns)}
    plain = {column.replace(".", "_"): value for column, value in values.items()}
    formula = field.formula
    for column in values:
        formula = formula.replace(column, column.replace(".", "_"))
    row = {column: values.get(column, 10**7) for column in all_columns(field)}
    return report_of(field, row, only=field.field), eval(formula, {}, plain)


def all_columns(field):
    return {c for f in mapping_table() if (f.acd, f.record) == (field.acd, field.record) for c in f.columns}


def report_of(field, row, only):
    mapping = next(m for m in map(historical_mapping, MAPPINGS) if m.acd == field.acd)
    others = {f.field for f in mapping.fields if f.record == field.record} - {only}
    if field.record == "QueueReport":
        return mapping.queue_report(row, queue_value="1", without=others)
    if field.record == "AgentQueueReport":
        return mapping.agent_queue_report(row, queue_value="1", agent_value="2", without=others)
    return mapping.agent_system_performance_report(row, agent_value="2", without=others)


# --- the traps ----------------------------------------------------------------------------------------

AVAYA = {
    "callsoffered": 25,
    "acdcalls": 20,
    "acceptable": 15,
    "abncalls": 5,
    "slvlabns": 2,
    "acdtime": 3600,
    "holdtime": 400,
    "acwtime": 900,
    "anstime": 300,
    "abntime": 77,
}


def test_avaya_cms_hold_is_added_to_talk_and_after_call_work_is_not():
    mapping = historical_mapping("avaya_cms")
    assert mapping.queue_report(AVAYA, queue_value="12") == QueueReport(
        queue_value="12",
        contacts_received=25,
        handled_short=15,
        handled_long=5,
        abandoned_short=2,
        abandoned_long=3,
        handle_time=4000,
        hold_time=400,
        work_time=900,
        queue_delay_time=300,
    )
    assert mapping.agent_queue_report(AVAYA, queue_value="12", agent_value="1001") == AgentQueueReport(
        queue_value="12", agent_value="1001", handled=20, handled_time=4000, hold_time=400, work_time=900
    )


def test_avaya_cms_not_ready_time_is_the_one_over_all_splits():
    row = {"i_stafftime": 900, "i_availtime": 200, "i_auxtime": 111, "ti_auxtime": 300, "acwtime": 77}
    mapping = historical_mapping("avaya_cms")
    assert mapping.agent_system_performance_report(row, agent_value="1001") == AgentSystemPerformanceReport(
        agent_value="1001", login_time=900, ready_time=200, not_ready_time=300
    )


GENESYS = {
    "nOffered.count": 25,
    "tHandle.count": 20,
    "tAnswered.count": 19,
    "tAbandon.count": 5,
    "tTalk.sum": 3_600_500,
    "tHeld.sum": 400_000,
    "tAcw.sum": 900_000,
    "tHandle.sum": 4_900_500,
    "tAnswered.sum": 300_000,
    "tAbandon.sum": 77_000,
}


def test_genesys_cloud_milliseconds_become_seconds_and_after_call_work_stays_out():
    mapping = historical_mapping("genesys_cloud")
    report = mapping.queue_report(GENESYS, queue_value="q")
    assert report == QueueReport(
        queue_value="q",
        contacts_received=25,
        handled_long=20,
        abandoned_long=5,
        handle_time=4000.5,
        hold_time=400,
        work_time=900,
        queue_delay_time=300,
    )
    assert report.handle_time == (GENESYS["tHandle.sum"] - GENESYS["tAcw.sum"]) / 1000
    assert mapping.agent_queue_report(GENESYS, queue_value="q", agent_value="u") == AgentQueueReport(
        queue_value="q", agent_value="u", handled=20, handled_time=4000.5, hold_time=400, work_time=900
    )


def test_genesys_cloud_has_no_mapping_of_agent_time():
    with pytest.raises(
        ValueError, match=r"there is no mapping of Genesys Cloud to AgentSystemPerformanceReport"
    ):
        historical_mapping("genesys_cloud").agent_system_performance_report({}, agent_value="u")


CONNECT = {
    "CONTACTS_QUEUED": 25.0,
    "CONTACTS_HANDLED": 20.0,
    "SUM_CONTACTS_ANSWERED_IN_X": 15.0,
    "CONTACTS_ABANDONED": 5.0,
    "SUM_CONTACTS_ABANDONED_IN_X": 2.0,
    "SUM_HANDLE_TIME": 4900.0,
    "AFTER_CONTACT_WORK_TIME": 45.0,
    "SUM_AFTER_CONTACT_WORK_TIME": 900.0,
    "SUM_HOLD_TIME": 400.0,
    "AVG_QUEUE_ANSWER_TIME": 15.5,
}


def test_amazon_connect_after_contact_work_is_subtracted_and_the_average_wait_becomes_a_total():
    mapping = historical_mapping("amazon_connect")
    assert mapping.queue_report(CONNECT, queue_value="arn") == QueueReport(
        queue_value="arn",
        contacts_received=25,
        handled_short=15,
        handled_long=5,
        abandoned_short=2,
        abandoned_long=3,
        handle_time=4000,
        hold_time=400,
        work_time=900,
        queue_delay_time=310,
    )
    assert mapping.agent_queue_report(CONNECT, queue_value="arn", agent_value="u") == AgentQueueReport(
        queue_value="arn", agent_value="u", handled=20, handled_time=4000, hold_time=400, work_time=900
    )


def test_amazon_connect_agent_time():
    row = {"SUM_ONLINE_TIME_AGENT": 900, "SUM_IDLE_TIME_AGENT": 200, "SUM_NON_PRODUCTIVE_TIME_AGENT": 300}
    mapping = historical_mapping("amazon_connect")
    assert mapping.agent_system_performance_report(row, agent_value="u") == AgentSystemPerformanceReport(
        agent_value="u", login_time=900, ready_time=200, not_ready_time=300
    )


FIVE9 = {
    "callsHandled": 20,
    "callsAcceptable": 15,
    "callsAbandoned": 5,
    "callsAbandonedInSLA": 2,
    "averageTalkTime": 180,
    "averageHoldTime": 20,
    "averageWrapTime": 45,
    "averageHandleTime": 245,
    "averageQueueTime": 15.5,
}


def test_five9_averages_are_multiplied_by_the_calls_and_wrap_up_stays_out():
    mapping = historical_mapping("five9")
    assert mapping.queue_report(FIVE9, queue_value="s") == QueueReport(
        queue_value="s",
        handled_short=15,
        handled_long=5,
        abandoned_short=2,
        abandoned_long=3,
        handle_time=4000,
        hold_time=400,
        work_time=900,
        queue_delay_time=310,
    )
    assert mapping.agent_queue_report(FIVE9, queue_value="s", agent_value="u") == AgentQueueReport(
        queue_value="s", agent_value="u", handled=20, handled_time=4000, hold_time=400, work_time=900
    )


def test_five9_agent_time():
    row = {"timeLoggedIn": 900, "timeReady": 200, "timeNotReady": 300}
    assert historical_mapping("five9").agent_system_performance_report(
        row, agent_value="u"
    ) == AgentSystemPerformanceReport(agent_value="u", login_time=900, ready_time=200, not_ready_time=300)


@pytest.mark.parametrize(
    ("name", "row", "handled", "abandoned"),
    [
        ("avaya_cms", AVAYA, "acdcalls", "abncalls"),
        ("genesys_cloud", GENESYS, "tHandle.count", "tAbandon.count"),
        ("amazon_connect", CONNECT, "CONTACTS_HANDLED", "CONTACTS_ABANDONED"),
        ("five9", FIVE9, "callsHandled", "callsAbandoned"),
    ],
)
def test_no_contact_is_counted_both_as_short_and_as_long(name, row, handled, abandoned):
    report = historical_mapping(name).queue_report(row, queue_value="q")
    assert (report.handled_short or 0) + report.handled_long == row[handled]
    assert (report.abandoned_short or 0) + report.abandoned_long == row[abandoned]


@pytest.mark.parametrize("null", [None, float("nan"), 0])
def test_the_average_of_no_contact_is_no_fault_and_the_total_is_zero(null):
    quiet = {**FIVE9, "callsHandled": 0, "callsAcceptable": 0}
    quiet |= {column: null for column in FIVE9 if column.startswith("average")}
    report = historical_mapping("five9").queue_report(quiet, queue_value="s")
    assert (report.handle_time, report.work_time, report.queue_delay_time) == (0, 0, 0)


# --- rows that cannot be mapped -----------------------------------------------------------------------


def faults_of(make):
    with pytest.raises(ValidationError) as refused:
        make()
    return [attrs.astuple(fault) for fault in refused.value.faults]


def without(row, *columns):
    return {column: value for column, value in row.items() if column not in columns}


def test_every_missing_column_is_named():
    row = without(AVAYA, "holdtime", "slvlabns")
    missing = ("nothing", "a number: the column is missing")
    assert faults_of(lambda: historical_mapping("avaya_cms").queue_report(row, queue_value="1")) == [
        ("$.holdtime", *missing),
        ("$.slvlabns", *missing),
    ]
    row = without(GENESYS, "tTalk.sum")
    assert faults_of(lambda: historical_mapping("genesys_cloud").queue_report(row, queue_value="1")) == [
        ("$['tTalk.sum']", *missing)
    ]


def test_a_missing_column_is_a_fault_also_where_there_was_nothing_to_average():
    row = {**without(FIVE9, "averageQueueTime"), "callsHandled": 0, "callsAcceptable": 0}
    assert faults_of(lambda: historical_mapping("five9").queue_report(row, queue_value="1")) == [
        ("$.averageQueueTime", "nothing", "a number: the column is missing")
    ]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "null"),
        ("900", "'900'"),
        (True, "true"),
        (-1, "-1"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
    ],
)
def test_a_column_that_holds_no_number_of_at_least_0_is_named(value, found):
    row = {**AVAYA, "acwtime": value}
    assert faults_of(lambda: historical_mapping("avaya_cms").queue_report(row, queue_value="1")) == [
        ("$.acwtime", found, "a number of at least 0")
    ]


@pytest.mark.parametrize(("acceptable", "found"), [(21, "-1"), (15.5, "4.5")])
def test_a_result_that_its_field_cannot_hold_is_told_with_the_formula(acceptable, found):
    row = {**AVAYA, "acceptable": acceptable}
    count = "a count: a whole number from 0 to 2147483647"
    faults = faults_of(lambda: historical_mapping("avaya_cms").queue_report(row, queue_value="1"))
    assert ("$.handled_long", f"{found} as acdcalls - acceptable", count) in faults


def test_a_result_beyond_all_numbers_is_told_and_not_raised():
    row = {**FIVE9, "averageWrapTime": 1e308}
    faults = faults_of(lambda: historical_mapping("five9").queue_report(row, queue_value="1"))
    assert faults == [
        ("$.work_time", "Infinity as averageWrapTime * callsHandled", "seconds: a number of at least 0")
    ]


def test_the_error_names_the_acd():
    with pytest.raises(ValidationError, match="Avaya CMS row was refused: 1 fault"):
        historical_mapping("avaya_cms").queue_report({**AVAYA, "anstime": None}, queue_value="1")


def test_fields_whose_columns_one_does_not_have_can_be_left_out():
    row = without(AVAYA, "slvlabns", "callsoffered")
    mapping = historical_mapping("avaya_cms")
    report = mapping.queue_report(
        row, queue_value="1", without=["abandoned_short", "abandoned_long", "contacts_received"]
    )
    assert (report.abandoned_short, report.abandoned_long, report.contacts_received) == (None, None, None)
    assert report.handle_time == 4000
    assert attrs.evolve(report, abandoned_long=row["abncalls"]).abandoned_long == 5
    with pytest.raises(ValueError, match=r"not mapped in QueueReport of Avaya CMS: active, x"):
        mapping.queue_report(row, queue_value="1", without=["active", "x"])


def test_the_public_names_are_sorted_and_explained():
    assert presets.__all__ == sorted(presets.__all__)
    found = [getattr(presets, name) for name in presets.__all__]
    assert all(inspect.getdoc(each) for each in found if inspect.isclass(each) or inspect.isroutine(each))


# --- what the documentation says ----------------------------------------------------------------------

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "connector-presets.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MAPPINGS)
def test_the_documentation_has_every_mapped_field_as_it_is_and_no_other(name):
    mapping = historical_mapping(name)
    section = PAGE.split(f"### {mapping.acd}\n")[1].split("\n### ")[0]
    rows = [
        f"| `{f.record}` | `{f.field}` | `{f.formula}` | {f.confidence} | {f.trap} |" for f in mapping.fields
    ]
    assert [line for line in section.splitlines() if line.startswith("| `")] == rows


@pytest.mark.parametrize("name", EVENT_SETS)
def test_the_documentation_names_every_event_set_with_its_number_of_codes(name):
    codes = {event.code for event in event_set(name).events}
    assert f"| `{name}` | {event_set(name).login_id.removeprefix('the ')} | {len(codes)} codes;" in PAGE
