"""What the tests of the records share: the words of the faults, and a smallest document for each record."""

import json
from datetime import datetime, timezone

import attrs
import pytest

from cxone_wfm import _json
from cxone_wfm.errors import ValidationError
from cxone_wfm.models import (
    AccessKeyTokenRequest,
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
    RefreshTokenResponse,
    TokenRequest,
    TokenResponse,
)

UTC = timezone.utc
CANARY = "canary-7d1f"
NOON = datetime(2024, 4, 17, 12, tzinfo=UTC)

TIME = "a time with its offset: a datetime in Python, 2024-04-17T10:00:00.000Z in JSON"
NAME = "text of 1 to 256 characters"
NOTE = "text of at most 4096 characters"
QUEUE_KEY = "text of 1 to 100 ASCII characters"
AGENT_KEY = "text of 1 to 256 ASCII characters"
COUNT = "a count: a whole number from 0 to 2147483647"
SECONDS = "seconds: a number of at least 0"
MILLISECONDS = "milliseconds: a whole number of at least 0"
PERCENT = "a percentage: a number from 0 to 100"
FLAG = "true or false"
SECRET = "text (a secret: it is not shown)"
PAGE_KEYS = "only the keys of the vendor's page"
JSON = "JSON of at most 64 levels, numbers in the range of a double, text without lone surrogates"
MISSING = ("nothing", "a value: the key is missing")
UNKNOWN = ("an unknown key", PAGE_KEYS)
ONCE = ("the key more than once", "it once")


def both_writers():
    """A fixture that runs a test with both ways to write JSON: `writer = both_writers()`."""

    @pytest.fixture(params=["orjson", "standard library"])
    def writer(request, monkeypatch):
        if request.param == "standard library":
            monkeypatch.setattr(_json, "dump", _json.dump_plain)
        return request.param

    return writer


def refusal(make):
    with pytest.raises(ValidationError) as caught:
        make()
    return caught.value


def faults_of(make):
    """The faults that were told, as (path, found, expected)."""
    return [attrs.astuple(fault) for fault in refusal(make).faults]


def read_faults(record, **changes):
    """The faults of the record's smallest valid document with these keys changed; `...` takes a key away."""
    document = {**SMALLEST[record], **changes}
    text = json.dumps({key: value for key, value in document.items() if value is not ...})
    return faults_of(lambda: record.from_json(text))


ACTIVITY = {"state": "Ready", "startTime": "2024-04-17T10:00:00Z", "duration": 1}
STATE = {"loginId": "a", "acdId": "b", "eventCode": "c", "eventUtcTime": "2024-04-17T10:00:00Z"}
SPAN = {"startDate": "2024-04-17T10:00:00Z", "endDate": "2024-04-17T10:15:00Z"}

SMALLEST = {
    QueueReport: {"queueValue": "8057"},
    AgentQueueReport: {"queueValue": "8057", "agentValue": "1"},
    AgentSystemPerformanceReport: {"agentValue": "1"},
    HistoricalReportData: {},
    HistoricalReport: {"acdType": "x", **SPAN, "reportData": {}},
    AgentActivity: ACTIVITY,
    AgentActivityData: {"agentValue": "1", "agentActivity": []},
    AgentActivityReport: {"acdType": "x", **SPAN, "reportData": []},
    AgentState: STATE,
    AgentStateList: {"agentStateList": []},
    AccessKeyTokenRequest: {"accessKeyId": "id", "accessKeySecret": "secret"},
    TokenRequest: {"accessKeyTokenRequest": {"accessKeyId": "id", "accessKeySecret": "secret"}},
    RefreshTokenRequest: {"token": "t"},
    TokenResponse: {"access_token": "t"},
    RefreshTokenResponse: {"token": "t"},
}
"""For each record a document that holds only what it must."""

DEFAULTS = {
    HistoricalReport: {"reportVersion": "0", "status": "SUCCESS", "statusReason": ""},
    AgentActivityReport: {"reportVersion": "0"},
    AgentActivity: {"reason": ""},
    AgentState: {"reasonCode": ""},
    RefreshTokenRequest: {"updateCookie": True, "toggleEnabled": False},
}
"""What is written where it was left out, as the docstrings say."""

RECORDS = list(SMALLEST)
ANSWERS = [TokenResponse, RefreshTokenResponse]
WRITTEN_BY_USERS = [record for record in RECORDS if record not in ANSWERS]


def same(one, other):
    """Equal JSON, and equal types: 276 is not 276.0, true is not 1."""
    return one == other and repr(one) == repr(other)


def sort(value):
    """Keys in one order, for the order of keys means nothing."""
    if isinstance(value, dict):
        return {key: sort(value[key]) for key in sorted(value)}
    return [sort(item) for item in value] if isinstance(value, list) else value


def state(**changes):
    return AgentState(
        **{"login_id": "a", "acd_id": "b", "event_code": "c", "event_utc_time": NOON, **changes}
    )
