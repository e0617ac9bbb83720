"""Lint: each rule finds what it looks for, is silent about what is right, and about what is not known."""

import copy
import json
import re
from datetime import datetime, timezone
from pathlib import Path

import attrs
import pytest

from cxone_wfm.connector.linting import RULES, Finding, Media, Severity, lint
from cxone_wfm.connector.linting._media import NEEDS, Need
from cxone_wfm.connector.linting._rows import clock_hint, lasting, number
from cxone_wfm.connector.presets import event_set
from cxone_wfm.models import AgentActivityReport, AgentStateList, HistoricalReport, QueueReport
from cxone_wfm.samples import sample

ROOT = Path(__file__).parents[3]
DASH = "\N{EN DASH}"
NOON = datetime(2024, 4, 17, 12, tzinfo=timezone.utc)
LIVE, MAIL = Media.IMMEDIATE_RESPONSE, Media.DEFERRABLE

QUEUE = {
    "queueValue": "8057",
    "isOutbound": False,
    "contactsReceived": 5,
    "abandonedShort": 0,
    "abandonedLong": 1,
    "handledShort": 3,
    "handledLong": 2,
    "handleTime": 1500,
    "workTime": 120,
    "queueDelayTime": 90,
    "svcLvlPct": 60,
    "rightPartyHandleTime": 0,
    "rightPartyContacts": 0,
    "wrongPartyHandleTime": 0,
    "wrongPartyContacts": 0,
    "backlog": 5,
    "backlogNotExpired": 3,
    "backlogExpired": 2,
    "holdTime": 60,
    "active": 1,
}
SHARE = {
    "queueValue": "8057",
    "isOutbound": False,
    "agentValue": "a1",
    "handled": 3,
    "handledTime": 900,
    "workTime": 70,
    "rightPartyHandleTime": 0,
    "rightPartyContacts": 0,
    "wrongPartyHandleTime": 0,
    "wrongPartyContacts": 0,
    "holdTime": 40,
    "active": 1,
}
OTHER_SHARE = {**SHARE, "agentValue": "a2", "handled": 2, "handledTime": 600, "workTime": 50, "holdTime": 20}
OTHER_SHARE["active"] = 0
TIME = {"agentValue": "a1", "readyTime": 100, "notReadyTime": 50, "loginTime": 900}
HISTORICAL = {
    "acdType": "Generic",
    "startDate": "2024-04-17T10:00:00.000Z",
    "endDate": "2024-04-17T10:15:00.000Z",
    "reportData": {
        "queueReport": [QUEUE],
        "agentQueueReport": [SHARE, OTHER_SHARE],
        "agentSystemPerformanceReport": [TIME, {**TIME, "agentValue": "a2"}],
    },
}
ACTIVITY = {
    "acdType": "Generic",
    "startDate": "2024-04-17T10:00:00.000Z",
    "endDate": "2024-04-17T10:15:00.000Z",
    "reportData": [
        {
            "agentValue": agent,
            "agentActivity": [
                {"state": "Ready", "startTime": "2024-04-17T09:58:00.000Z", "duration": 300_000},
                {"state": "Talking", "startTime": "2024-04-17T10:03:00.000Z", "duration": 240_000},
            ],
        }
        for agent in ("a1", "a2")
    ],
}


def state(seconds, code="20", **changes):
    moment = f"2024-04-17T10:00:{seconds:06.3f}Z"
    return {"loginId": "ann", "acdId": "acd", "eventCode": code, "eventUtcTime": moment, **changes}


STATES = {"agentStateList": [state(0, "100"), state(0, "20"), state(10, "30"), state(0, loginId="bob")]}

Q = "reportData.queueReport.0"
S = "reportData.agentQueueReport.0"
T = "reportData.agentSystemPerformanceReport.0"
A = "reportData.0.agentActivity.0"


def changed(document, changes):
    """A copy with values set at dotted places; `...` takes a key away, "+" appends to a list."""
    document = copy.deepcopy(document)
    for place, value in changes.items():
        *path, last = (int(step) if step.isdigit() else step for step in place.split("."))
        holder = document
        for step in path:
            holder = holder[step]
        if last == "+":
            holder.append(value)
        elif value is ...:
            del holder[last]
        else:
            holder[last] = value
    return document


def read(document):
    if "agentStateList" in document:
        return AgentStateList.from_json(json.dumps(document))
    record = AgentActivityReport if isinstance(document["reportData"], list) else HistoricalReport
    return record.from_json(json.dumps(document))


def found(*documents, **options):
    return lint(*(read(document) for document in documents), **options)


def ids(findings):
    return [finding.rule for finding in findings]


@pytest.mark.parametrize("document", [HISTORICAL, ACTIVITY, STATES], ids=["historical", "activity", "states"])
@pytest.mark.parametrize("media", [None, MAIL, {"other": Media.OUTBOUND}], ids=str)
def test_nothing_is_found_in_what_is_right(document, media):
    assert found(document, media=media, now=NOON, events=event_set("avaya_cms")) == []


def test_nothing_is_found_in_documents_that_agree():
    later = {"startDate": HISTORICAL["endDate"], "endDate": "2024-04-17T10:30:00Z"}
    assert found(HISTORICAL, ACTIVITY, STATES, {**HISTORICAL, **later}, now=NOON) == []


def test_nothing_at_all_is_found_in_nothing():
    assert lint() == []
    assert lint([]) == []


@attrs.frozen
class Case:
    """What makes a right document wrong, where, with which figures among others; and what is still right."""

    rule: str
    document: dict
    changes: dict
    path: str
    figures: dict
    still_right: dict
    options: dict = attrs.field(factory=dict)
    besides: set = attrs.field(factory=set)


def case(rule, document, changes, path, figures, still_right, besides=(), **options):  # noqa: PLR0917 - a row
    return pytest.param(
        Case(rule, document, changes, path, figures, still_right, options, set(besides)), id=f"{rule} {path}"
    )


def agents_with_work(count, handled, login=900):
    """Agents of whom each worked on queue 9 with 30 s of after-contact work."""
    shares = [
        {"queueValue": "9", "agentValue": f"w{n}", "handled": 2, "handledTime": handled, "workTime": 30}
        for n in range(count)
    ]
    times = [
        {"agentValue": f"w{n}", "readyTime": 200, "notReadyTime": 100, "loginTime": login}
        for n in range(count)
    ]
    return {"reportData": {"agentQueueReport": shares, "agentSystemPerformanceReport": times}}


EMPTY = {"queueReport": [], "agentQueueReport": []}
ZERO_ROW = {"queueValue": "8057", "handledLong": 0, "handleTime": 0, "svcLvlPct": 100}
TINY = [{"state": "x", "startTime": f"2024-04-17T10:0{n}:00Z", "duration": 40 * n} for n in range(3)]

CASES = [
    case("WFM101", HISTORICAL, {"endDate": "2024-04-17T10:30:00Z"}, "$.endDate", {"seconds": 1800}, {}),
    case("WFM101", ACTIVITY, {"endDate": "2024-04-17T10:14:59Z"}, "$.endDate", {"seconds": 899}, {}),
    case(
        "WFM102",
        HISTORICAL,
        {"startDate": "2024-04-17T10:00:12Z", "endDate": "2024-04-17T10:15:12Z"},
        "$.startDate",
        {"secondsPastGrid": 12, "startDate": "2024-04-17T10:00:12.000Z"},
        {"startDate": "2024-04-17T10:15:00Z", "endDate": "2024-04-17T10:30:00Z"},
    ),
    case("WFM103", HISTORICAL, {"endDate": "2024-04-17T10:15:00Z"}, "$.endDate", {"secondsAhead": 1},
         {"startDate": "2024-04-17T09:45:00Z", "endDate": "2024-04-17T10:00:00Z"},
         now=datetime(2024, 4, 17, 10, 14, 59, tzinfo=timezone.utc)),
    case("WFM104", HISTORICAL, {"reportData": EMPTY}, "$.reportData", {"rows": 0}, {}),
    case("WFM105", HISTORICAL, {"reportData": {"queueReport": [ZERO_ROW]}}, "$.reportData",
         {"rows": 1, "measures": 2}, {"reportData": {"queueReport": [{**ZERO_ROW, "contactsReceived": 1}]}}),
    case("WFM106", HISTORICAL, {"reportData.agentSystemPerformanceReport": []},
         "$.reportData.agentSystemPerformanceReport", {"handled": 5},
         {"reportData.agentSystemPerformanceReport": ...}),
    case("WFM106", HISTORICAL, {"reportData.agentQueueReport": []}, "$.reportData.agentQueueReport",
         {"handled": 5}, {"reportData.agentQueueReport": ...}),
    case("WFM106", HISTORICAL, {"reportData.queueReport": []}, "$.reportData.queueReport", {"handled": 5},
         {"reportData.queueReport": ...}),
    case("WFM107", HISTORICAL, {"reportData.queueReport.+": QUEUE}, "$.reportData.queueReport[1].queueValue",
         {"queueValue": "8057"}, {"reportData.queueReport.+": {**QUEUE, "queueValue": "9", "handledShort": 0,
         "handledLong": 0, "handleTime": 0, "holdTime": 0, "queueDelayTime": 0}}),
    case("WFM108", HISTORICAL, {"reportData.agentSystemPerformanceReport.+": TIME},
         "$.reportData.agentSystemPerformanceReport[2].agentValue", {"agentValue": "a1"},
         {"reportData.agentSystemPerformanceReport.+": {**TIME, "agentValue": "a3"}}),
    case("WFM108", HISTORICAL, {"reportData.agentQueueReport.1.agentValue": "a1"},
         "$.reportData.agentQueueReport[1].agentValue", {"agentValue": "a1", "queueValue": "8057"}, {}),
    case("WFM108", ACTIVITY, {"reportData.1.agentValue": "a1"}, "$.reportData[1].agentValue",
         {"agentValue": "a1"}, {}),
    case("WFM109", HISTORICAL, {f"{T}.agentValue": "a1 "},
         "$.reportData.agentSystemPerformanceReport[0].agentValue", {"agentValue": "a1 "},
         {f"{T}.agentValue": "a 1", f"{S}.agentValue": "a 1"}, besides=["WFM405"]),
    case("WFM109", ACTIVITY, {"reportData.0.agentValue": " a1"}, "$.reportData[0].agentValue",
         {"agentValue": " a1"}, {"reportData.0.agentValue": "a 1"}),
    case("WFM109", STATES, {"agentStateList.3.loginId": "bob\t"}, "$.agentStateList[3].loginId",
         {"loginId": "bob\t"}, {"agentStateList.3.loginId": "b b"}),
    case("WFM201", HISTORICAL, {f"{S}.isOutbound": True}, "$.reportData.agentQueueReport[0].isOutbound",
         {"isOutbound": True, "queueValue": "8057"}, {f"{S}.isOutbound": ...}),
    case("WFM202", HISTORICAL, {f"{Q}.rightPartyContacts": 1, f"{Q}.rightPartyHandleTime": 60},
         "$.reportData.queueReport[0].rightPartyContacts", {"rightPartyContacts": 1, "isOutbound": False},
         {f"{Q}.rightPartyContacts": ...}, besides=["WFM303"]),
    case("WFM202", HISTORICAL,
         {f"{Q}.wrongPartyContacts": 1, f"{Q}.wrongPartyHandleTime": 60, f"{Q}.isOutbound": ...},
         "$.reportData.queueReport[0].rightPartyContacts", {"wrongPartyContacts": 1, "handledShort": 3},
         {f"{Q}.isOutbound": ...}, besides=["WFM303"]),
    case("WFM203", HISTORICAL, {f"{Q}.handleTime": 5 * 14_401}, "$.reportData.queueReport[0].handleTime",
         {"handleTime": 72_005, "handledShort": 3, "handledLong": 2, "average": 14_401},
         {f"{Q}.handleTime": 5 * 14_400, f"{S}.handledTime": 3 * 14_400,
          "reportData.agentQueueReport.1.handledTime":
          2 * 14_400}, besides=["WFM303"]),
    case("WFM203", HISTORICAL, {f"{S}.workTime": 70_000}, "$.reportData.agentQueueReport[0].workTime",
         {"workTime": 70_000, "handled": 3}, {}, besides=["WFM303"]),
    case("WFM203", HISTORICAL, {f"{Q}.queueDelayTime": 90_000}, "$.reportData.queueReport[0].queueDelayTime",
         {"queueDelayTime": 90_000}, {}, besides=["WFM253"], media=LIVE),
    case("WFM204", HISTORICAL, {f"{Q}.holdTime": 1502}, "$.reportData.queueReport[0].holdTime",
         {"holdTime": 1502, "handleTime": 1500}, {f"{Q}.holdTime": ...}, besides=["WFM303"]),
    case("WFM204", HISTORICAL, {f"{S}.holdTime": 902}, "$.reportData.agentQueueReport[0].holdTime",
         {"holdTime": 902, "handledTime": 900}, {f"{S}.handledTime": ...}, besides=["WFM303"]),
    case("WFM205", HISTORICAL, {"reportData": {"queueReport": [{**QUEUE, "handledLong": 37,
    "handleTime": 300}]}},
         "$.reportData.queueReport[0].handleTime", {"handleTime": 300, "handledLong": 37},
         {"reportData": {"queueReport": [{**QUEUE, "handledLong": 27, "handleTime": 300}]}}),
    case("WFM206", HISTORICAL, {"reportData": {"queueReport": [{**QUEUE, "handleTime": 0, "holdTime": 0}]}},
         "$.reportData.queueReport[0].handleTime", {"handleTime": 0, "handledShort": 3},
         {"reportData": {"queueReport": [{key: QUEUE[key] for key in QUEUE if key != "handleTime"}]}}),
    case("WFM207", HISTORICAL,
         {"reportData": {"queueReport": [{"queueValue": "1", "rightPartyContacts": 0,
          "rightPartyHandleTime": 5}]}},
         "$.reportData.queueReport[0].rightPartyHandleTime", {"rightPartyHandleTime": 5,
         "rightPartyContacts": 0},
         {"reportData": {"queueReport": [{"queueValue": "1", "rightPartyHandleTime": 5}]}}),
    case("WFM208", HISTORICAL,
         {"reportData": {"queueReport": [{"queueValue": "1", "handledShort": 0, "handledLong": 0,
                                          "queueDelayTime": 30}]}},
         "$.reportData.queueReport[0].queueDelayTime", {"queueDelayTime": 30},
         {"reportData": {"queueReport": [{"queueValue": "1", "handledLong": 0, "queueDelayTime": 30}]}}),
    case("WFM209", HISTORICAL, {f"{Q}.backlog": 6}, "$.reportData.queueReport[0].backlog",
         {"backlog": 6, "backlogNotExpired": 3, "backlogExpired": 2}, {f"{Q}.backlogExpired": ...}),
    case("WFM210", HISTORICAL, {f"{Q}.svcLvlPct": 0.6}, "$.reportData.queueReport[0].svcLvlPct",
         {"svcLvlPct": 0.6}, {f"{Q}.svcLvlPct": 1.01}),
    case("WFM251", HISTORICAL, {f"{Q}.handleTime": ...}, "$.reportData.queueReport[0].handleTime",
         {"queueValue": "8057", "media": "deferrable"}, {}, media=MAIL),
    case("WFM252", HISTORICAL, {f"{Q}.svcLvlPct": ..., f"{Q}.backlog": ...}, "$.reportData.queueReport",
         {"fields": "svcLvlPct, backlog", "rows": 1}, {f"{Q}.abandonedLong": ...}, media={"8057": MAIL}),
    case("WFM253", HISTORICAL, {f"{Q}.backlog": 5}, "$.reportData.queueReport[0].backlog",
         {"backlog": 5, "media": "immediate-response"},
         {f"{Q}.backlog": 0, f"{Q}.backlogExpired": 0, f"{Q}.backlogNotExpired": 0}, media=LIVE),
    case("WFM254", HISTORICAL, {f"{Q}.isOutbound": True}, "$.reportData.queueReport[0].isOutbound",
         {"isOutbound": True, "media": "deferrable"}, {f"{Q}.isOutbound": ...}, besides=["WFM201"],
          media=MAIL),
    case("WFM301", HISTORICAL, {f"{Q}.handleTime": 1620}, "$.reportData.queueReport[0].handleTime",
         {"handleTime": 1620, "workTime": 120, "agents.handledTime": 1500}, {f"{Q}.handleTime": 1502}),
    case("WFM301", HISTORICAL, {f"{Q}.handleTime": 1380}, "$.reportData.queueReport[0].handleTime",
         {"agents.workTime": 120}, {f"{Q}.handleTime": ...}),
    case("WFM302", HISTORICAL, {f"{Q}.handledLong": 5}, "$.reportData.queueReport[0].handledLong",
         {"handledShort": 3, "handledLong": 5, "agents.handled": 5},
         {f"{Q}.handledLong": 5, f"{Q}.handledShort": 0}),
    case("WFM303", HISTORICAL, {f"{Q}.handledLong": 3, f"{Q}.handleTime": 1504, f"{Q}.active": 2},
         "$.reportData.queueReport[0].handledShort",
         {"handledLong": 3, "agents.handled": 5, "agents.handledTime": 1500, "agents.active": 1},
         {f"{Q}.handleTime": 1503, f"{S}.active": ..., f"{S}.handled": ...}),
    case("WFM304", HISTORICAL, {"reportData.queueReport.+": {**QUEUE, "queueValue": "9"}},
         "$.reportData.queueReport[1].queueValue", {"queueValue": "9", "handledShort": 3},
         {"reportData.queueReport.+": {"queueValue": "9"}}),
    case("WFM305", HISTORICAL, {"reportData.agentQueueReport.+": {**SHARE, "queueValue": "9"}},
         "$.reportData.agentQueueReport[2].queueValue", {"queueValue": "9"}, {"reportData.queueReport": ...}),
    case("WFM401", HISTORICAL, {f"{T}.loginTime": 900_000},
         "$.reportData.agentSystemPerformanceReport[0].loginTime", {"loginTime": 900_000, "seconds": 900},
         {f"{T}.loginTime": 901}),
    case("WFM401", HISTORICAL, {f"{T}.readyTime": 902, f"{T}.loginTime": ...},
         "$.reportData.agentSystemPerformanceReport[0].readyTime", {"readyTime": 902}, {}),
    case("WFM402", HISTORICAL, {f"{T}.readyTime": 853},
         "$.reportData.agentSystemPerformanceReport[0].readyTime",
         {"readyTime": 853, "notReadyTime": 50, "loginTime": 900}, {f"{T}.readyTime": 852}),
    case("WFM403", HISTORICAL, agents_with_work(3, 600), "$.reportData.agentSystemPerformanceReport",
         {"agents": 3}, agents_with_work(3, 570)),
    case("WFM403", HISTORICAL, agents_with_work(4, 601), "$.reportData.agentSystemPerformanceReport",
         {"agents": 4}, agents_with_work(2, 600)),
    case("WFM404", HISTORICAL, {f"{T}.loginTime": 0, f"{T}.readyTime": 0, f"{T}.notReadyTime": 0},
         "$.reportData.agentSystemPerformanceReport[0].loginTime", {"loginTime": 0, "handled": 3},
         {f"{T}.loginTime": ...}),
    case("WFM405", HISTORICAL, {f"{T}.agentValue": "a9"}, "$.reportData.agentQueueReport[0].agentValue",
         {"agentValue": "a1", "handled": 3}, {"reportData.agentSystemPerformanceReport": ...}),
    case("WFM501", ACTIVITY, {f"{A}.startTime": "2024-04-17T08:00:00Z"},
         "$.reportData[0].agentActivity[0].startTime", {"duration": 300_000}, {}),
    case("WFM501", ACTIVITY, {f"{A}.startTime": "2024-04-17T10:15:00Z"},
         "$.reportData[0].agentActivity[0].startTime", {"startTime": "2024-04-17T10:15:00.000Z"}, {}),
    case("WFM502", ACTIVITY, {"reportData.0.agentActivity.1.duration": 722_000},
         "$.reportData[0].agentActivity[1].duration", {"duration": 722_000},
         {"reportData.0.agentActivity.1.duration": 721_000}),
    case("WFM503", ACTIVITY, {f"{A}.duration": 300}, "$.reportData[0].agentActivity[0].duration",
         {"duration": 300}, {f"{A}.duration": 120_000}, besides=["WFM505"]),
    case("WFM504", ACTIVITY, {"reportData": [{"agentValue": "a", "agentActivity": TINY}]}, "$.reportData",
         {"activities": 3, "longest": 80}, {"reportData": [{"agentValue": "a", "agentActivity": TINY[1:]}]}),
    case("WFM505", ACTIVITY, {f"{A}.duration": 300}, "$.reportData[0].agentActivity[0].duration",
         {"milliseconds": 3, "seconds": 1}, {}, besides=["WFM503"]),
    case("WFM506", ACTIVITY, {f"{A}.duration": 302_000}, "$.reportData[0].agentActivity[1].startTime",
         {"overlap": 2}, {f"{A}.duration": 301_000}),
    case("WFM601", STATES, {"agentStateList.2": state(2.999, "30")}, "$.agentStateList[1].eventUtcTime",
         {"seconds": 2.999, "eventCode": "20"}, {"agentStateList.2": state(3, "30")}),
    case("WFM602", STATES, {"agentStateList.1": state(11)}, "$.agentStateList[2].eventUtcTime",
         {"seconds": -1, "loginId": "ann"}, {"agentStateList.1": state(5)}),
    case("WFM603", STATES, {"agentStateList.+": state(10, "40")}, "$.agentStateList[4].eventUtcTime",
         {"loginId": "ann"}, {"agentStateList.+": state(10, "30")}),
    case("WFM604", STATES, {"agentStateList.+": state(20, "30")}, "$.agentStateList[4].eventUtcTime",
         {"seconds": 10}, {"agentStateList.+": state(20, "50", reasonCode="1")}),
    case("WFM605", STATES, {}, "$.agentStateList[2].eventUtcTime", {"secondsAhead": 6},
         {"agentStateList.2": state(9, "30")}, now=datetime(2024, 4, 17, 10, 0, 4, tzinfo=timezone.utc)),
    case("WFM606", STATES, {"agentStateList.3.eventCode": "READY", "agentStateList.3.reasonCode": "7"},
         "$.agentStateList[3].eventCode", {"eventCode": "READY", "reasonCode": "7"},
         {"agentStateList.3.eventCode": "50", "agentStateList.3.reasonCode": "7"},
          events=event_set("avaya_cms")),
    case("WFM606", STATES, {"agentStateList.3.eventCode": "21"}, "$.agentStateList[3].eventCode",
         {"eventCode": "21", "reasonCode": ""}, {}, events=event_set("avaya_cms")),
    case("WFM607", STATES, {"agentStateList.3.acdId": "other"}, "$.agentStateList[3].acdId",
         {"acdId": "other"}, {}),
]  # fmt: skip


@pytest.mark.parametrize("each", CASES)
def test_a_rule_finds_what_it_looks_for_and_nothing_beside(each):
    findings = found(changed(each.document, each.changes), **each.options)
    (one,) = (finding for finding in findings if finding.rule == each.rule and finding.path == each.path)
    assert dict(one.figures) | each.figures == dict(one.figures)
    assert set(ids(findings)) - {each.rule} <= each.besides
    assert one.problem.endswith(".")
    assert one.advice.endswith(".")
    assert str(one).startswith(f"{each.path}: {one.severity.value} {each.rule}: ")


def test_a_rule_is_silent_on_the_other_side_of_its_border():
    cases = [one.values[0] for one in CASES if one.values[0].still_right]
    too_strict = [
        (each.rule, each.still_right)
        for each in cases
        if each.rule in ids(found(changed(each.document, each.still_right), **each.options))
    ]
    assert too_strict == []
    assert len(cases) > 40


SPAN = {"startDate": "2024-04-17T10:15:00Z", "endDate": "2024-04-17T10:30:00Z"}
LATER = {"startDate": "2024-04-17T11:00:00Z", "endDate": "2024-04-17T11:15:00Z"}
NEXT_DAY = {"startDate": "2024-04-18T10:15:00Z", "endDate": "2024-04-18T10:30:00Z"}
DAYS_LATER = {"startDate": "2024-04-18T10:30:00Z", "endDate": "2024-04-18T10:45:00Z"}
ONLY_QUEUE = {"reportData": {"queueReport": [QUEUE]}}
OTHER_QUEUE = {"reportData": {"queueReport": [{**QUEUE, "queueValue": "8058"}]}}
NO_QUEUES = {"reportData": {}}

SEVERAL = [
    ("WFM701", [HISTORICAL, HISTORICAL], 1, "$.startDate", {"seconds": 900}),
    ("WFM701", [{**ACTIVITY, **SPAN}, {**ACTIVITY, "endDate": "2024-04-17T10:16:00Z"}], 0, "$.startDate",
     {"seconds": 60}),
    ("WFM702", [HISTORICAL, {**HISTORICAL, **LATER}], 1, "$.startDate", {"seconds": 2700}),
    ("WFM702", [{**HISTORICAL, **NEXT_DAY}, HISTORICAL], 0, "$.startDate", {"seconds": 86_400}),
    (
        "WFM703",
        [{**HISTORICAL, **ONLY_QUEUE}, {**HISTORICAL, **OTHER_QUEUE, **SPAN}],
        1,
        "$.reportData.queueReport",
        {"queueValue": "8057", "reports": 2, "with": 1},
    ),
    ("WFM704", [HISTORICAL, ACTIVITY, {**ACTIVITY, "acdType": "x", **SPAN}], 2, "$.acdType",
     {"acdType": "x"}),
    (
        "WFM705",
        [changed(ACTIVITY, {"reportData.1.agentValue": "zoe"}), HISTORICAL],
        0,
        "$.reportData[1].agentValue",
        {"agentValue": "zoe"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "documents", "place", "path", "figures"), SEVERAL)
def test_documents_that_do_not_agree_are_told_with_the_one_that_is_wrong(
    rule, documents, place, path, figures
):
    findings = [each for each in found(*documents) if each.rule == rule]
    assert (findings[0].document, findings[0].path) == (place, path)
    assert dict(findings[0].figures) | figures == dict(findings[0].figures)


@pytest.mark.parametrize(
    ("rule", "documents"),
    [
        ("WFM701", [HISTORICAL, ACTIVITY]),
        ("WFM702", [HISTORICAL, {**HISTORICAL, **DAYS_LATER}]),
        ("WFM703", [HISTORICAL, {**HISTORICAL, **NO_QUEUES, **SPAN}]),
        ("WFM705", [changed(ACTIVITY, {"reportData.1.agentValue": "zoe"}), {**HISTORICAL, **SPAN}]),
        ("WFM705", [changed(ACTIVITY, {"reportData.1.agentValue": "zoe"}), {**HISTORICAL, **ONLY_QUEUE}]),
        (
            "WFM705",
            [
                changed(ACTIVITY, {"reportData.1.agentValue": "zoe", "reportData.1.agentActivity": []}),
                HISTORICAL,
            ],
        ),
    ],
)
def test_documents_that_need_not_agree_are_not_held_against_each_other(rule, documents):
    assert rule not in ids(found(*documents))


def test_every_rule_has_a_case():
    assert {each.values[0].rule for each in CASES} | {rule for rule, *_ in SEVERAL} == {
        rule.id for rule in RULES
    }


# What the rules promise as a whole


def test_a_rule_has_an_id_a_name_and_sentences_of_its_own():
    assert all(re.fullmatch(r"WFM\d{3}", rule.id) for rule in RULES)
    for texts in (
        [rule.id for rule in RULES],
        [rule.name for rule in RULES],
        [rule.summary for rule in RULES],
    ):
        assert len(set(texts)) == len(texts)
    for rule in RULES:
        assert rule.summary.endswith(".")
        assert rule.advice.endswith(".")
        assert rule.source
        assert not rule.source.endswith(".")
    assert [rule.id for rule in RULES] == sorted(rule.id for rule in RULES)


@pytest.mark.parametrize("media", [None, *Media])
@pytest.mark.parametrize(("name", "expected"), [("historical", True), ("activity", True), ("states", False)])
def test_the_pages_samples_give_findings_and_no_errors(name, expected, media):
    document = json.loads(sample(name))
    findings = found(document, media=media, now=datetime(2026, 1, 1, tzinfo=timezone.utc))
    assert bool(findings) is expected
    assert [finding for finding in findings if finding.severity is Severity.ERROR] == []


def test_what_is_found_in_the_pages_historical_sample():
    assert [(each.rule, each.path) for each in found(json.loads(sample("historical")))] == [
        ("WFM102", "$.startDate"),
        ("WFM303", "$.reportData.queueReport[1].handledShort"),
        ("WFM405", "$.reportData.agentQueueReport[0].agentValue"),
        ("WFM405", "$.reportData.agentQueueReport[1].agentValue"),
    ]


def unknown(row):
    return {key: value for key, value in row.items() if key.endswith("Value")}


@pytest.mark.parametrize("now", [None, NOON])
def test_measures_that_are_left_out_are_never_held_against_a_report(now):
    parts = {name: [unknown(row) for row in rows] for name, rows in HISTORICAL["reportData"].items()}
    assert found({**HISTORICAL, "reportData": parts}, now=now) == []


@pytest.mark.parametrize("part", ["queueReport", "agentQueueReport", "agentSystemPerformanceReport"])
def test_no_rule_compares_with_a_part_whose_measures_are_unknown(part):
    documents = {one.id: changed(one.values[0].document, one.values[0].changes) for one in CASES}
    wrong = {}
    for name, document in documents.items():
        rows = document["reportData"].get(part) if isinstance(document.get("reportData"), dict) else None
        if rows:
            parts = {**document["reportData"], part: [unknown(row) for row in rows]}
            wrong[name] = set(ids(found({**document, "reportData": parts}))) - set(ids(found(document)))
    assert {name: rules for name, rules in wrong.items() if rules - {"WFM105"}} == {}
    assert len(wrong) > 20


def test_rules_are_off_without_what_they_need():
    needing = {
        needs: {rule.id for rule in RULES if rule.needs == needs} for needs in ("media", "now", "events")
    }
    assert all(needing.values())
    for each in (one.values[0] for one in CASES):
        told = set(ids(found(changed(each.document, each.changes))))
        assert told & set().union(*needing.values()) == set()


def test_a_medium_of_one_queue_says_nothing_of_another():
    other = changed(HISTORICAL, {"reportData.queueReport.+": {"queueValue": "9"}})
    findings = found(other, media={"8057": MAIL})
    assert findings == []
    assert {each.path.split(".")[2] for each in found(other, media={"9": MAIL})} == {
        "queueReport[1]",
        "queueReport",
    }


def test_the_live_service_level_and_the_wait_of_mails_are_nobodys_business():
    row = {f"{Q}.svcLvlPct": 0.6, f"{Q}.queueDelayTime": 90_000}
    assert ids(found(changed(HISTORICAL, row), media=MAIL)) == ["WFM210"]
    assert {"WFM210", "WFM203"} & set(ids(found(changed(HISTORICAL, row), media=LIVE))) == {"WFM203"}


def test_a_queue_that_is_mixed_or_missing_is_told_once():
    mixed = {f"reportData.agentQueueReport.{n}.isOutbound": True for n in (0, 1)}
    assert ids(found(changed(HISTORICAL, mixed))) == ["WFM201"]
    missing = {f"reportData.agentQueueReport.{n}.queueValue": "9" for n in (0, 1)}
    assert ids(found(changed(HISTORICAL, missing))) == ["WFM304", "WFM305"]


def test_a_queue_that_stands_twice_is_not_held_against_its_agents_as_well():
    half = {**QUEUE, "handledShort": 1, "handledLong": 1, "handleTime": 700}
    assert ids(found(changed(HISTORICAL, {"reportData.queueReport": [half, half]}))) == ["WFM107"]


def test_one_agent_whose_work_fits_speaks_for_the_others():
    rows = agents_with_work(4, 600)
    rows["reportData"]["agentQueueReport"][3]["handledTime"] = 570
    assert found({**HISTORICAL, **rows}) == []


def test_an_interval_that_has_just_ended_can_be_reported():
    assert found(HISTORICAL, ACTIVITY, now=datetime(2024, 4, 17, 10, 15, tzinfo=timezone.utc)) == []


def test_work_that_rounding_could_explain_proves_nothing():
    little = {f"{Q}.handleTime": 1506, f"{Q}.workTime": 6, f"{S}.workTime": 3}
    rows = changed(HISTORICAL, {**little, "reportData.agentQueueReport.1.workTime": 3})
    assert ids(found(rows)) == ["WFM303"]


def test_local_time_marked_as_utc_is_guessed_where_the_clock_is_hours_ahead():
    two_hours_before = datetime(2024, 4, 17, 8, 15, 20, tzinfo=timezone.utc)
    (one,) = found(HISTORICAL, now=two_hours_before)
    assert one.problem == "The report's interval ends 119.7 min from now: perhaps local time marked as UTC."
    assert clock_hint(60) == clock_hint(86_400 * 3) == clock_hint(3600 + 700) == ""
    assert clock_hint(5.5 * 3600 - 400) != ""


def test_figures_are_told_in_units_that_people_use():
    assert [number(value) for value in (None, 5, 5.0, 5.256, 2**53)] == [
        "unknown",
        "5",
        "5",
        "5.26",
        str(2**53),
    ]
    assert [lasting(s) for s in (5.5, 119, 120, 7199, 7200, 2 * 86_400)] == [
        "5.5 s", "119 s", "2 min", "120 min", "2 h", "2 days"
    ]  # fmt: skip


def test_states_are_taken_as_the_pages_list_and_as_any_iterable():
    listed = read(changed(STATES, {"agentStateList.1": state(11)}))
    assert lint(listed) == lint(listed.agent_state_list) == lint(iter(listed.agent_state_list)) != []


def test_findings_tell_which_document_they_are_about():
    off = changed(HISTORICAL, {f"{Q}.backlog": 6})
    assert [each.document for each in found(STATES, off)] == [1]


@pytest.mark.parametrize("wrong", [[QueueReport(queue_value="1")], [b"{}"], ["x"]])
def test_what_is_no_document_is_a_mistake_of_the_caller(wrong):
    with pytest.raises(TypeError, match="lint takes reports and agent states, not"):
        lint(wrong)


def test_a_moment_without_a_zone_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="no time zone"):
        lint(now=datetime(2024, 4, 17))  # noqa: DTZ001 - that is the mistake


def test_a_finding_cannot_be_changed_and_can_be_counted():
    (one,) = found(changed(HISTORICAL, {f"{Q}.backlog": 6}))
    with pytest.raises(TypeError):
        one.figures["backlog"] = 5
    assert {one: 1}[attrs.evolve(one)] == 1
    assert isinstance(one, Finding)


def test_an_error_reaches_every_threshold_and_a_note_only_its_own():
    reached = {each: [other for other in Severity if each.reaches(other)] for each in Severity}
    assert [len(reached[each]) for each in (Severity.ERROR, Severity.WARNING, Severity.NOTE)] == [3, 2, 1]
    assert reached[Severity.NOTE] == [Severity.NOTE]


def test_what_an_acd_writes_cannot_steer_a_terminal():
    evil = {f"{S}.queueValue": "\x1b[31m", f"{S}.agentValue": "\x07"}
    findings = found(changed(HISTORICAL, evil))
    assert findings
    assert all(str(each).isprintable() for each in findings)


# What the documentation says


def test_the_needs_of_the_media_are_those_of_the_field_table():
    words = {Need.REQUIRED: "yes", Need.IF_AVAILABLE: "ria", Need.NOT_REQUIRED: "no"}
    documented = {}
    for line in (ROOT / "docs/reference/fields.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[0].startswith("`"):
            documented |= dict.fromkeys(re.findall(r"`(\w+)`", cells[0]), cells[3:])
    ours = {name: [words.get(need, DASH) for need in needs.values()] for name, needs in NEEDS.items()}
    ours = {
        name: needs for name, needs in ours.items() if name not in {"backlog_expired", "backlog_not_expired"}
    }
    assert ours == documented


def test_an_event_set_of_ones_own_is_asked_once_for_each_state():
    own = CountingEvents()
    assert found({"agentStateList": [state(0, loginId=str(n)) for n in range(20)]}, events=own) == []
    assert own.times == 20


class CountingEvents:
    acd = "counting"

    def __init__(self):
        self.times = 0

    def find(self, code, reason, /):
        self.times += 1
        return code
