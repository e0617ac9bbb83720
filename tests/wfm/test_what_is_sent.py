"""What leaves for each of the seven operations: method, address, headers and JSON."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import attrs
import pytest
import responses

from cxone_wfm import (
    AgentActivity,
    AgentActivityData,
    AgentActivityReport,
    AgentQueueReport,
    AgentState,
    AgentSystemPerformanceReport,
    HistoricalReport,
    HistoricalReportData,
    QueueReport,
    WfmClient,
    WfmConfig,
)

START = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)
END = START + timedelta(minutes=15)
CONFIG = WfmConfig(
    base_url="https://data.example/tenant",
    auth_url="https://auth.example",
    tenant_name="Tenant_Name",
    access_key_id="key-id",
    access_key_secret="key-secret",
)
ALWAYS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "cxone-wfm-sdk"}
GRANT = {"access_token": "access-1", "refresh_token": "refresh-1", "expires_in": 3600, "token_type": "Bearer"}

LOGIN = ("POST", "https://auth.example/authentication/v1/token/access-key")
REFRESH = ("POST", "https://auth.example/public/user/refresh")


def send_states(wfm: WfmClient) -> None:
    wfm.agent_states.send(
        [
            AgentState(
                login_id="a@b.example",
                acd_id="ACD",
                event_code="READY",
                reason_code="é",
                event_utc_time=START.astimezone(timezone(timedelta(hours=2))),
            )
        ]
    )


def send_activity(wfm: WfmClient) -> None:
    wfm.reports.send_agent_activity(
        AgentActivityReport(
            acd_type="Generic_LiveVox",
            start_date=START,
            end_date=END,
            report_data=[
                AgentActivityData(
                    agent_value="42",
                    user_name="a@b.example",
                    agent_activity=[
                        AgentActivity(
                            state="CallContact", start_time=START, duration=timedelta(seconds=139.09)
                        )
                    ],
                )
            ],
        )
    )


def send_historical(wfm: WfmClient) -> None:
    wfm.reports.send_historical(
        HistoricalReport(
            acd_type="Generic_LiveVox",
            start_date=START,
            end_date=END,
            report_data=HistoricalReportData(
                queue_report=[QueueReport(queue_value="-4", handle_time=12.5, contacts_received=3)],
                agent_queue_report=[AgentQueueReport(queue_value="-4", agent_value="42", handled_time=12.5)],
                agent_system_performance_report=[AgentSystemPerformanceReport(agent_value="42")],
            ),
        )
    )


DATA: dict[str, tuple[Callable[[WfmClient], object], str, str, object]] = {
    "agent_states": (
        send_states,
        "POST",
        "https://data.example/tenant/asc-manager/v1/agent-states",
        {
            "agentStateList": [
                {
                    "loginId": "a@b.example",
                    "acdId": "ACD",
                    "eventCode": "READY",
                    "reasonCode": "é",
                    "eventUtcTime": "2026-11-21T12:00:00.000Z",
                }
            ]
        },
    ),
    "agent_activity_report": (
        send_activity,
        "POST",
        "https://data.example/tenant/asc-manager/v1/agent-activity-report",
        {
            "acdType": "Generic_LiveVox",
            "reportVersion": "0",
            "startDate": "2026-11-21T12:00:00.000Z",
            "endDate": "2026-11-21T12:15:00.000Z",
            "reportData": [
                {
                    "agentValue": "42",
                    "userName": "a@b.example",
                    "agentActivity": [
                        {
                            "state": "CallContact",
                            "startTime": "2026-11-21T12:00:00.000Z",
                            "duration": 139090,
                            "reason": "",
                        }
                    ],
                }
            ],
        },
    ),
    "historical_report": (
        send_historical,
        "POST",
        "https://data.example/tenant/asc-manager/v1/historical-report",
        {
            "acdType": "Generic_LiveVox",
            "reportVersion": "0",
            "startDate": "2026-11-21T12:00:00.000Z",
            "endDate": "2026-11-21T12:15:00.000Z",
            "status": "SUCCESS",
            "statusReason": "",
            "reportData": {
                "queueReport": [{"queueValue": "-4", "handleTime": 12.5, "contactsReceived": 3}],
                "agentQueueReport": [{"queueValue": "-4", "agentValue": "42", "handledTime": 12.5}],
                "agentSystemPerformanceReport": [{"agentValue": "42"}],
            },
        },
    ),
    "acd_types": (
        lambda wfm: wfm.heartbeat.acd_types(),
        "GET",
        "https://data.example/tenant/asc-manager/v1/acd-types",
        None,
    ),
    "heartbeat": (
        lambda wfm: wfm.heartbeat.send(),
        "POST",
        "https://data.example/tenant/asc-manager/v1/heartbeat",
        None,
    ),
}


@pytest.fixture
def cxone() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def sent(cxone: responses.RequestsMock, number: int) -> tuple[str, str, dict[str, str], object]:
    """Method, address, headers and JSON of a request; the id and the length are checked here."""
    request = cxone.calls[number].request
    headers = dict(request.headers)
    assert len(headers.pop("X-Request-Id")) == 36
    body = request.body or b""
    assert isinstance(body, bytes)
    assert headers.pop("Content-Length", "0") == str(len(body))
    return str(request.method), str(request.url), headers, json.loads(body) if body else None


@pytest.mark.parametrize("operation", DATA)
def test_a_data_call(cxone: responses.RequestsMock, operation: str) -> None:
    call, method, url, document = DATA[operation]
    cxone.add(*LOGIN, json=GRANT)
    cxone.add(method, url, json=[])
    with WfmClient(CONFIG) as wfm:
        call(wfm)
    content = {} if document is None else {"Content-Type": "application/json"}
    assert sent(cxone, 1) == (
        method,
        url,
        {**ALWAYS, **content, "Authorization": "Bearer access-1"},
        document,
    )
    assert len(cxone.calls) == 2


KEY = {"accessKeyId": "key-id", "accessKeySecret": "key-secret"}
NESTED = {"tenantName": "Tenant_Name", "accessKeyTokenRequest": KEY}


@pytest.mark.parametrize(
    ("config", "body"), [(CONFIG, NESTED), (attrs.evolve(CONFIG, token_request="flat"), KEY)]
)
def test_a_login(cxone: responses.RequestsMock, config: WfmConfig, body: object) -> None:
    cxone.add(*LOGIN, json=GRANT)
    with WfmClient(config) as wfm:
        wfm.auth.login()
    assert sent(cxone, 0) == (*LOGIN, {**ALWAYS, "Content-Type": "application/json"}, body)


def test_a_refresh(cxone: responses.RequestsMock) -> None:
    cxone.add(*LOGIN, json=GRANT)
    cxone.add(*REFRESH, json={"token": "access-2", "tokenExpirationTimeSec": 3600})
    with WfmClient(CONFIG) as wfm:
        wfm.auth.login()
        wfm.auth.refresh()
    body = {"token": "refresh-1", "updateCookie": True, "toggleEnabled": False}
    assert sent(cxone, 1) == (*REFRESH, {**ALWAYS, "Content-Type": "application/json"}, body)
