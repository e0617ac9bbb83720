"""The promises of the records: the vendor's JSON in and out, and every fault told at its place."""

import copy
import json
from collections import OrderedDict
from datetime import datetime, timedelta
from types import MappingProxyType

import attrs
import pytest
from support.page import HISTORICAL_REPORT, SAMPLES
from support.records import (
    ACTIVITY,
    AGENT_KEY,
    CANARY,
    COUNT,
    DEFAULTS,
    FLAG,
    MILLISECONDS,
    MISSING,
    NAME,
    NOTE,
    ONCE,
    PERCENT,
    QUEUE_KEY,
    RECORDS,
    SECONDS,
    SMALLEST,
    TIME,
    UNKNOWN,
    UTC,
    WRITTEN_BY_USERS,
    both_writers,
    faults_of,
    read_faults,
    refusal,
    same,
    sort,
)

from cxone_wfm import _json, models
from cxone_wfm._wire import wire_fields
from cxone_wfm.models import (
    AcdTypes,
    AgentActivity,
    AgentActivityData,
    AgentActivityReport,
    AgentQueueReport,
    AgentState,
    AgentStateList,
    AgentSystemPerformanceReport,
    HistoricalReport,
    HistoricalReportData,
    QueueReport,
    RefreshTokenRequest,
    TokenResponse,
)
from cxone_wfm.models._record import Record

writer = both_writers()


def test_the_tables_here_hold_every_record_there_is():
    derived = {cls.__name__ for cls in Record.__subclasses__() if cls.__module__.startswith("cxone_wfm.")}
    assert {record.__name__ for record in RECORDS} == derived
    assert {record.__name__ for record in [*RECORDS, AcdTypes]} == set(models.__all__)


# --- the vendor page's samples ------------------------------------------------------------------------


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_each_sample_of_the_page_comes_back_as_the_same_json(sample, writer):
    record = sample.record.from_json(sample.text)
    assert same(sort(json.loads(record.to_json())), sort(json.loads(sample.text)))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_each_sample_is_read_alike_from_every_form_of_the_document(sample):
    record = sample.record.from_json(sample.text)
    raw = sample.text.encode()
    parsed = json.loads(sample.text)
    forms = [raw, bytearray(raw), b"\xef\xbb\xbf" + raw, "\ufeff" + sample.text, parsed]
    forms += [MappingProxyType(parsed), OrderedDict(parsed), record.to_json()]
    assert all(sample.record.from_json(form) == record for form in forms)


def test_a_number_keeps_its_type_on_the_way_through(writer):
    first = HistoricalReport.from_json(HISTORICAL_REPORT).report_data.queue_report[0]
    assert (first.svc_lvl_pct, type(first.svc_lvl_pct)) == (100.0, float)
    assert (first.handle_time, type(first.handle_time)) == (276, int)
    assert b'"svcLvlPct":100.0' in first.to_json()
    assert b'"handleTime":276,' in first.to_json()


def test_the_sample_can_be_read_in_python_words():
    report = HistoricalReport.from_json(HISTORICAL_REPORT)
    assert report.acd_type == "Generic_LiveVox"
    assert report.start_date == datetime(2024, 4, 17, 10, 0, 12, tzinfo=UTC)
    assert report.report_data.agent_queue_report[1].handled_time == 276
    assert report.report_data.agent_system_performance_report[1].not_ready_time == 9


@pytest.mark.parametrize("record", RECORDS)
def test_what_is_left_out_stays_left_out_or_takes_the_documented_default(record, writer):
    written = json.loads(record.from_json(json.dumps(SMALLEST[record])).to_json())
    wanted = {**SMALLEST[record], **DEFAULTS.get(record, {})}
    times = {"startDate", "endDate", "startTime", "eventUtcTime"}
    wanted = {key: value[:-1] + ".000Z" if key in times else value for key, value in wanted.items()}
    assert same(sort(written), sort(wanted))


def test_words_are_joined_in_camel_case_on_the_wire(writer):
    row = QueueReport(queue_value="1", svc_lvl_pct=1, backlog_not_expired=2, is_outbound=True)
    assert json.loads(row.to_json()) == {
        "queueValue": "1",
        "isOutbound": True,
        "svcLvlPct": 1,
        "backlogNotExpired": 2,
    }


def test_the_two_handle_times_have_their_two_names_on_the_wire():
    assert b'"handleTime":5' in QueueReport(queue_value="1", handle_time=5).to_json()
    assert b'"handledTime":5' in AgentQueueReport(queue_value="1", agent_value="2", handled_time=5).to_json()
    assert read_faults(QueueReport, handledTime=5) == [("$.handledTime", *UNKNOWN)]
    assert read_faults(AgentQueueReport, handleTime=5) == [("$.handleTime", *UNKNOWN)]


def test_an_empty_part_is_written_and_a_part_that_is_none_is_not(writer):
    assert HistoricalReportData(queue_report=[]).to_json() == b'{"queueReport":[]}'
    assert HistoricalReportData(queue_report=None).to_json() == b"{}"


def test_both_writers_give_equal_json(monkeypatch):
    record = HistoricalReport.from_json(HISTORICAL_REPORT)
    record = attrs.evolve(record, acd_type='ä\u2028\x00"\\/\U0001f600', status_reason="\x7f")
    fast = record.to_json()
    monkeypatch.setattr(_json, "dump", _json.dump_plain)
    assert same(json.loads(fast), json.loads(record.to_json()))


# --- faults in documents: one table -------------------------------------------------------------------

LONG = "x" * 5000
HUGE = 10**400

FAULTS = [
    # record, key, value, found, expected
    *(
        (record, key, value, found, expected)
        for record, key, expected in [
            (QueueReport, "queueValue", QUEUE_KEY),
            (AgentQueueReport, "agentValue", AGENT_KEY),
            (AgentState, "loginId", NAME),
            (AgentState, "reasonCode", NOTE),
            (AgentActivity, "state", NAME),
            (HistoricalReport, "acdType", NAME),
        ]
        for value, found in [
            (7, "7"),
            (True, "true"),
            (LONG, "text of 5000 characters"),
            ("\ud800", "text of 1 characters with a lone surrogate"),
            (["a"], "a list"),
            ({"a": 1}, "an object"),
            (None, "null"),
        ]
        if (key, value) != ("reasonCode", None)
    ),
    (QueueReport, "queueValue", "", "''", QUEUE_KEY),
    (QueueReport, "queueValue", "x" * 101, "text of 101 characters", QUEUE_KEY),
    (QueueReport, "queueValue", "caf\u00e9", "'caf\\xe9'", QUEUE_KEY),
    (QueueReport, "queueValue", "\u00e9" * 70, "text of 70 characters, not all ASCII", QUEUE_KEY),
    (AgentQueueReport, "agentValue", "", "''", AGENT_KEY),
    (AgentSystemPerformanceReport, "agentValue", "é", "'\\xe9'", AGENT_KEY),
    (AgentActivityData, "agentValue", "é", "'\\xe9'", AGENT_KEY),
    (AgentQueueReport, "agentValue", "x" * 257, "text of 257 characters", AGENT_KEY),
    (AgentState, "loginId", "", "''", NAME),
    (AgentState, "reasonCode", None, "null", NOTE),
    *(
        (QueueReport, "active", value, found, COUNT)
        for value, found in [
            (-1, "-1"),
            (2**31, "2147483648"),
            (1.0, "1.0"),
            (1.5, "1.5"),
            ("7", "'7'"),
            (True, "true"),
            (False, "false"),
            (float("nan"), "NaN"),
            (float("inf"), "Infinity"),
            (HUGE, "a whole number of 1329 bits"),
            (2**53 + 1, "a whole number of 54 bits"),
            ([], "a list"),
        ]
    ),
    *(
        (QueueReport, "handleTime", value, found, SECONDS)
        for value, found in [
            (-1, "-1"),
            (-0.001, "-0.001"),
            ("7", "'7'"),
            (True, "true"),
            (float("nan"), "NaN"),
            (float("inf"), "Infinity"),
            (float("-inf"), "-Infinity"),
            (1e300, "1e+300"),
            (2**53 + 1, "a whole number of 54 bits"),
        ]
    ),
    (QueueReport, "svcLvlPct", 100.1, "100.1", PERCENT),
    (QueueReport, "svcLvlPct", -1, "-1", PERCENT),
    *(
        (QueueReport, "isOutbound", value, found, FLAG)
        for value, found in [(0, "0"), (1, "1"), ("true", "'true'"), (1.0, "1.0")]
    ),
    (AgentActivity, "duration", 1.5, "1.5", MILLISECONDS),
    (AgentActivity, "duration", -1, "-1", MILLISECONDS),
    (AgentActivity, "duration", True, "true", MILLISECONDS),
    *(
        (AgentState, "eventUtcTime", value, found, TIME)
        for value, found in [
            ("2024-04-17T10:00:00", "'2024-04-17T10:00:00'"),
            ("2024-04-17", "'2024-04-17'"),
            ("yesterday", "'yesterday'"),
            ("2024-04-17T10:00:60Z", "'2024-04-17T10:00:60Z'"),
            ("2024-02-30T10:00:00Z", "'2024-02-30T10:00:00Z'"),
            ("0001-01-01T00:00:00+14:00", "'0001-01-01T00:00:00+14:00'"),
            ("9999-12-31T23:59:59-01:00", "'9999-12-31T23:59:59-01:00'"),
            ("9999-12-31T24:00:00Z", "'9999-12-31T24:00:00Z'"),
            ("9999-W53-7", "'9999-W53-7'"),
            ("٢٠٢٤-04-17T10:00:00Z", ascii("٢٠٢٤-04-17T10:00:00Z")),
            ("", "''"),
            (1713348000, "1713348000"),
            (None, "null"),
        ]
    ),
    (HistoricalReport, "reportData", [], "a list", "an object"),
    (HistoricalReport, "reportData", None, "null", "an object"),
    (HistoricalReport, "reportData", "text", "text", "an object"),
    (HistoricalReportData, "queueReport", {}, "an object", "a list"),
    (HistoricalReportData, "queueReport", "text", "text", "a list"),
    (AgentStateList, "agentStateList", None, "null", "a list"),
    (AgentStateList, "agentStateList", 7, "a number", "a list"),
    (RefreshTokenRequest, "updateCookie", 1, "1", FLAG),
    (RefreshTokenRequest, "toggleEnabled", None, "null", FLAG),
    (TokenResponse, "token_type", 5, "5", NOTE),
    (TokenResponse, "token_type", LONG, "text of 5000 characters", NOTE),
]


@pytest.mark.parametrize(("record", "key", "value", "found", "expected"), FAULTS)
def test_a_value_that_may_not_stand_there_is_told_with_path_found_and_expected(
    record, key, value, found, expected
):
    assert read_faults(record, **{key: value}) == [(f"$.{key}", found, expected)]


@pytest.mark.parametrize("record", RECORDS)
def test_each_key_that_is_needed_is_told_where_it_is_missing(record):
    for key in SMALLEST[record]:
        assert read_faults(record, **{key: ...}) == [(f"$.{key}", *MISSING)]


@pytest.mark.parametrize("record", WRITTEN_BY_USERS)
def test_an_unknown_key_in_what_users_write_is_refused(record):
    assert read_faults(record, note=1) == [("$.note", *UNKNOWN)]


@pytest.mark.parametrize("record", WRITTEN_BY_USERS)
def test_null_in_what_users_write_is_refused_and_told_that_the_key_may_be_left_out(record):
    for field in wire_fields(record):
        if field.optional:
            ((path, found, expected),) = read_faults(record, **{field.wire: None})
            assert (path, found) == (f"$.{field.wire}", "null")
            assert expected.endswith(", or no such key")


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", "a list"),
        ("null", "null"),
        ("7", "a number"),
        ("true", "true or false"),
        (f'"{CANARY}"', "text"),
    ],
)
def test_a_document_that_is_no_object_is_refused_and_not_shown(record, text, found):
    assert faults_of(lambda: record.from_json(text)) == [("$", found, "an object")]
    assert faults_of(lambda: record.from_json(json.loads(text) if text[0] != '"' else 7))[0][0] == "$"


@pytest.mark.parametrize("value", [None, 7, ["a"], pytest, b"x".hex])
def test_what_is_no_document_at_all_is_a_fault_too(value):
    ((path, _, expected),) = faults_of(lambda: AgentState.from_json(value))
    assert (path, expected) == ("$", "an object")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("my key", "$['my key']"),
        ("a.b", "$['a.b']"),
        ("", "$['']"),
        ("\n\x1b[31m", "$['\\n\\x1b[31m']"),
        ("\ud800", "$['\\ud800']"),
        ("k" * 101, "$['" + "k" * 59 + "...]"),
        ("é", "$['\\xe9']"),
        ("extra", "$.extra"),
        ("__class__", "$.__class__"),
        ("queue_value", "$.queue_value"),
    ],
)
def test_a_key_that_is_no_plain_name_stands_quoted_and_cut_in_the_path(key, path):
    assert read_faults(QueueReport, **{key: 1}) == [(path, *UNKNOWN)]


def test_keys_that_are_no_text_in_a_mapping_are_unknown_keys():
    document = {"queueValue": "1", 5: 1, None: 2, ("a", "b"): 3}
    assert {path for path, *_ in faults_of(lambda: QueueReport.from_json(document))} == {
        "$[5]",
        "$[None]",
        "$[('a', 'b')]",
    }


def test_all_faults_of_a_document_are_in_one_error_with_their_paths():
    document = json.loads(HISTORICAL_REPORT)
    document["status"] = ""
    document["endDate"] = document["startDate"]
    document["note"] = "x"
    del document["acdType"]
    queues = document["reportData"]["queueReport"]
    queues += copy.deepcopy(queues)
    queues[3]["handleTime"] = -1
    queues[3]["active"] = "7"
    queues[1] = "no row"
    del queues[2]["queueValue"]
    document["reportData"]["agentQueueReport"][0]["handleTime"] = 5
    document["reportData"]["agentSystemPerformanceReport"] = None
    document["reportData"]["more"] = []
    error = refusal(lambda: HistoricalReport.from_json(json.dumps(document)))
    assert error.record == "HistoricalReport"
    assert sorted(attrs.astuple(fault) for fault in error.faults) == sorted(
        [
            ("$.acdType", *MISSING),
            ("$.endDate", "2024-04-17T10:00:12.000Z", "a time after startDate, 2024-04-17T10:00:12.000Z"),
            ("$.note", *UNKNOWN),
            ("$.reportData.agentQueueReport[0].handleTime", *UNKNOWN),
            ("$.reportData.agentSystemPerformanceReport", "null", "a list, or no such key"),
            ("$.reportData.more", *UNKNOWN),
            ("$.reportData.queueReport[1]", "text", "an object"),
            ("$.reportData.queueReport[2].queueValue", *MISSING),
            ("$.reportData.queueReport[3].active", "'7'", COUNT),
            ("$.reportData.queueReport[3].handleTime", "-1", SECONDS),
            ("$.status", "''", NAME),
        ]
    )
    assert "$.reportData.queueReport[3].handleTime: found -1" in str(error)


def test_a_fault_deep_in_an_activity_report_has_its_whole_path():
    document = {**SMALLEST[AgentActivityReport], "reportData": [SMALLEST[AgentActivityData]] * 2}
    document["reportData"][1] = {
        "agentValue": "1",
        "agentActivity": [ACTIVITY, {**ACTIVITY, "duration": "1"}],
    }
    assert faults_of(lambda: AgentActivityReport.from_json(json.dumps(document))) == [
        ("$.reportData[1].agentActivity[1].duration", "'1'", MILLISECONDS)
    ]


def test_every_row_of_a_long_list_is_judged():
    rows = [{"queueValue": ""}] * 2000
    paths = [path for path, *_ in faults_of(lambda: HistoricalReportData.from_json({"queueReport": rows}))]
    assert paths == [f"$.queueReport[{i}].queueValue" for i in range(2000)]


@pytest.mark.parametrize("record", [HistoricalReport, AgentActivityReport])
@pytest.mark.parametrize(
    "end", ["2024-04-17T10:00:00Z", "2024-04-17T09:59:59.999Z", "2024-04-17T12:00:00.000+02:00"]
)
def test_an_end_that_is_not_after_the_start_is_refused_with_and_without_other_faults(record, end):
    ((path, _, expected),) = read_faults(record, endDate=end)
    assert (path, expected) == ("$.endDate", "a time after startDate, 2024-04-17T10:00:00.000Z")
    paths = [path for path, *_ in read_faults(record, endDate=end, acdType=5, x=1)]
    assert sorted(paths) == ["$.acdType", "$.endDate", "$.x"]


@pytest.mark.parametrize("value", [5, None, [], {}, "soon", ...])
def test_start_and_end_are_compared_only_where_both_are_times(value):
    for key in ("startDate", "endDate"):
        assert [path for path, *_ in read_faults(HistoricalReport, **{key: value})] == [f"$.{key}"]
    both = [path for path, *_ in read_faults(HistoricalReport, startDate=value, endDate=value)]
    assert both == ["$.startDate", "$.endDate"]


def test_an_interval_of_one_millisecond_is_an_interval():
    changes = {"startDate": "2024-04-17T10:00:00.000Z", "endDate": "2024-04-17T10:00:00.001Z"}
    report = HistoricalReport.from_json({**SMALLEST[HistoricalReport], **changes})
    assert report.end_date - report.start_date == timedelta(milliseconds=1)


# --- repeated keys ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "text", "faults"),
    [
        (QueueReport, '{"queueValue":"1","queueValue":"1"}', [("$.queueValue", *ONCE)]),
        (QueueReport, '{"queueValue":"1","active":1,"queueValue":2,"active":3,"active":4}', [
            ("$.active", *ONCE),
            ("$.queueValue", *ONCE),
            ("$.queueValue", "2", QUEUE_KEY),
        ]),
        (QueueReport, '{"x":1,"x":2}', [("$.queueValue", *MISSING), ("$.x", *ONCE), ("$.x", *UNKNOWN)]),
        (HistoricalReportData, '{"queueReport":[{"queueValue":"1","a b":1,"a b":1}]}', [
            ("$.queueReport[0]['a b']", *ONCE),
            ("$.queueReport[0]['a b']", *UNKNOWN),
        ]),
        (TokenResponse, '{"access_token":"a","access_token":"b"}', [("$.access_token", *ONCE)]),
        (TokenResponse, '{"access_token":"a","x":1,"x":1}', [("$.x", *ONCE)]),
        (AgentActivityReport, '{"acdType":"x","startDate":"2024-04-17T10:00Z","endDate":"2024-04-17T11:00Z",'
         '"endDate":"2024-04-17T09:00Z","reportData":[]}', [
            ("$.endDate", "2024-04-17T09:00:00.000Z", "a time after startDate, 2024-04-17T10:00:00.000Z"),
            ("$.endDate", *ONCE),
        ]),
    ],
)  # fmt: skip
def test_a_key_that_stands_twice_is_told_beside_all_other_faults(record, text, faults):
    assert sorted(faults_of(lambda: record.from_json(text))) == sorted(faults)
