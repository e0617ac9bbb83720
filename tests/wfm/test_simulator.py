"""The simulator over real sockets, with no client of ours."""

import _pyio
import gc
import http.client
import importlib
import json
import logging
import socket
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from support.plain_http import PATIENCE, PlainClient, read_to_end

from cxone_wfm.config import Endpoints, Route, WfmConfig
from cxone_wfm.errors import ConfigurationError
from cxone_wfm.models import AgentActivityReport, AgentStateList, HistoricalReport
from cxone_wfm.simulator import (
    AnswerLost,
    CutBefore,
    CutInside,
    Delay,
    Drip,
    ExpireToken,
    Html,
    RateLimit,
    Received,
    Redirect,
    Simulator,
    Status,
    TooLong,
)

pytest_plugins = ["cxone_wfm.simulator.pytest_plugin"]

PATHS = Endpoints()
STATES = {
    "agentStateList": [
        {
            "loginId": "a@b.example",
            "acdId": "Tenant_Name",
            "eventCode": "READY",
            "reasonCode": "",
            "eventUtcTime": "2024-01-15T16:45:00.000Z",
        },
        {
            "loginId": "c@d.example",
            "acdId": "Tenant_Name",
            "eventCode": "CallContact",
            "reasonCode": "x",
            "eventUtcTime": "2024-01-15T16:45:03.000Z",
        },
    ]
}
ACTIVITY = {
    "acdType": "Generic_acdName",
    "reportVersion": "0",
    "startDate": "2024-01-15T16:45:00.000Z",
    "endDate": "2024-01-15T17:00:00.000Z",
    "reportData": [
        {
            "agentValue": "19837005",
            "agentActivity": [
                {
                    "state": "CallContact",
                    "startTime": "2024-01-15T16:46:00.000Z",
                    "duration": 139090,
                    "reason": "",
                }
            ],
        }
    ],
}
HISTORICAL = {
    "acdType": "Generic_LiveVox",
    "reportVersion": "0",
    "startDate": "2024-04-17T10:00:00.000Z",
    "endDate": "2024-04-17T10:15:00.000Z",
    "status": "SUCCESS",
    "statusReason": "",
    "reportData": {"queueReport": [{"queueValue": "8057", "contactsReceived": 1, "svcLvlPct": 100.0}]},
}
DATA_ROUTES = {
    "agent_states": (PATHS.agent_states.path, STATES),
    "agent_activity_report": (PATHS.agent_activity_report.path, ACTIVITY),
    "historical_report": (PATHS.historical_report.path, HISTORICAL),
}
A_DATE = "Wed, 17 Apr 2024 10:15:12 GMT"
KEY = {"accessKeyId": "simulator-key", "accessKeySecret": "simulator-secret"}
LOGIN = {"tenantName": "Simulator_Tenant", "accessKeyTokenRequest": KEY}


class SteppedClock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def running():
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(running):
    running.reset()
    return running


@pytest.fixture
def anonymous(simulator):
    return PlainClient(simulator.base_url)


@pytest.fixture
def client(simulator):
    """A client with a token; what its login left behind is forgotten."""
    logged_in = log_in(simulator)
    simulator.reset()
    return logged_in


def log_in(simulator):
    answer = PlainClient(simulator.base_url).post(PATHS.access_key_token.path, LOGIN).json()
    return PlainClient(simulator.base_url, {"Authorization": f"Bearer {answer['access_token']}"})


def refresh(simulator, token, **switches):
    document = {"token": token, "updateCookie": True, "toggleEnabled": False, **switches}
    return PlainClient(simulator.base_url).post(PATHS.refresh_token.path, document)


def stored(simulator):
    received = simulator.received
    return [*received.agent_states, *received.agent_activity_reports, *received.historical_reports]


def beat(client):
    return client.send("POST", PATHS.heartbeat.path)


# --- tokens


@pytest.mark.parametrize(
    "body", [LOGIN, {"accessKeyTokenRequest": KEY}, KEY], ids=["nested", "no tenant", "flat"]
)
def test_every_shape_of_the_login_is_answered_as_the_page_prints_it(simulator, anonymous, body):
    reply = anonymous.post(PATHS.access_key_token.path, body)
    answer = reply.json()
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert list(answer) == ["id_token", "token_type", "expires_in", "refresh_token", "access_token"]
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    assert len({answer["id_token"], answer["refresh_token"], answer["access_token"]}) == 3
    assert simulator.received.logins == 1


def test_a_refresh_is_answered_as_the_page_prints_it_and_its_token_is_good(simulator, anonymous):
    first = anonymous.post(PATHS.access_key_token.path, LOGIN).json()
    reply = refresh(simulator, first["refresh_token"])
    answer = reply.json()
    assert list(answer) == [
        "token",
        "tokenExpirationTimeSec",
        "refreshToken",
        "refreshTokenExpirationTimeSec",
        "sessionId",
    ]
    assert (answer["tokenExpirationTimeSec"], answer["refreshTokenExpirationTimeSec"]) == (3600, 7200)
    assert answer["sessionId"] is None
    assert answer["token"] != first["access_token"]
    assert beat(PlainClient(simulator.base_url, {"Authorization": f"Bearer {answer['token']}"})).status == 200
    assert simulator.received.refreshes == 1


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"accessKeyTokenRequest": {**KEY, "accessKeySecret": "wrong"}}, "id or secret"),
        ({**KEY, "accessKeyId": "wrong"}, "id or secret"),
        ({**LOGIN, "tenantName": "Somebody"}, "tenant"),
    ],
    ids=["wrong secret", "wrong id", "wrong tenant"],
)
def test_a_login_with_something_wrong_gets_401_and_the_reason_but_no_secret(simulator, anonymous, body, why):
    reply = anonymous.post(PATHS.access_key_token.path, body)
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.json()["error"] == "unauthorized"
    assert why in reply.json()["message"]
    assert b"simulator-secret" not in reply.body
    assert simulator.received.logins == 0


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"accessKeyTokenRequest": {"accessKeyId": "x"}}, "$.accessKeyTokenRequest.accessKeySecret"),
        ({"accessKeyId": 7, "accessKeySecret": "x"}, "$.accessKeyId"),
        ([], "$"),
        (b"{", "$"),
    ],
)
def test_a_login_that_is_no_login_gets_400_with_the_fault(anonymous, body, path):
    reply = anonymous.post(PATHS.access_key_token.path, body)
    assert reply.status == 400
    assert path in [fault["path"] for fault in reply.json()["faults"]]


def test_a_revoked_key_is_refused_until_the_reset_while_its_tokens_stay_good(simulator, client, anonymous):
    simulator.revoke_key()
    assert anonymous.post(PATHS.access_key_token.path, LOGIN).status == 401
    assert beat(client).status == 200
    simulator.reset()
    assert anonymous.post(PATHS.access_key_token.path, LOGIN).status == 200


def test_an_access_token_is_good_until_the_end_of_its_life_and_a_refresh_token_twice_as_long():
    clock = SteppedClock()
    with Simulator(token_life=60, clock=clock) as simulator:
        answer = PlainClient(simulator.base_url).post(PATHS.access_key_token.path, LOGIN).json()
        client = PlainClient(simulator.base_url, {"Authorization": f"Bearer {answer['access_token']}"})
        assert answer["expires_in"] == 60
        clock.now += 59.9
        assert beat(client).status == 200
        clock.now += 0.1
        assert beat(client).status == 401
        clock.now += 59.9
        assert refresh(simulator, answer["refresh_token"]).status == 200
        clock.now += 0.1
        assert refresh(simulator, answer["refresh_token"]).status == 401


def test_tokens_that_are_over_are_not_kept():
    clock = SteppedClock()
    with Simulator(token_life=1, clock=clock) as simulator:
        for _ in range(5):
            log_in(simulator)
            clock.now += 2
        assert len(simulator._state._access_tokens) == 1
        assert len(simulator._state._refresh_tokens) == 1


@pytest.mark.parametrize("one_time", [True, False])
def test_a_refresh_token_can_be_used_again_unless_it_is_for_one_use(one_time):
    with Simulator(one_time_refresh=one_time) as simulator:
        answer = PlainClient(simulator.base_url).post(PATHS.access_key_token.path, LOGIN).json()
        second = refresh(simulator, answer["refresh_token"]).json()["refreshToken"]
        again = refresh(simulator, answer["refresh_token"])
        assert again.status == (401 if one_time else 200)
        assert refresh(simulator, second).status == 200
        assert simulator.received.refreshes == (2 if one_time else 3)


def test_expire_tokens_ends_every_access_token_and_leaves_the_refresh_tokens(simulator, anonymous):
    answers = [anonymous.post(PATHS.access_key_token.path, LOGIN).json() for _ in range(2)]
    simulator.expire_tokens()
    for answer in answers:
        client = PlainClient(simulator.base_url, {"Authorization": f"Bearer {answer['access_token']}"})
        assert beat(client).status == 401
        assert refresh(simulator, answer["refresh_token"]).status == 200


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "Basic YTpi", "bearer"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", PATHS.heartbeat.path),
        ("GET", PATHS.acd_types.path),
        *(("POST", path) for path, _ in DATA_ROUTES.values()),
    ],
)
def test_no_route_but_those_for_tokens_serves_without_a_good_token(
    simulator, anonymous, method, path, header
):
    headers = {} if header is None else {"Authorization": header}
    reply = anonymous.send(method, path, b"{}", Content_Type="application/json", **headers)
    assert reply.status == 401
    assert reply.json()["error"] == "unauthorized"
    assert simulator.received.heartbeats == 0


def test_the_name_of_the_bearer_scheme_may_be_in_any_case(simulator, client):
    token = client.headers["Authorization"].split()[1]
    assert beat(PlainClient(simulator.base_url, {"Authorization": f"bearer {token}"})).status == 200


# --- data


@pytest.mark.parametrize("operation", DATA_ROUTES)
def test_good_data_is_stored_and_answered_with_nothing(simulator, client, operation):
    path, document = DATA_ROUTES[operation]
    reply = client.post(path, document, X_Request_Id="id-1")
    assert (reply.status, reply.body) == (200, b"")
    assert "content-type" not in reply.headers
    received = simulator.received
    expected = {
        "agent_states": Received(agent_states=AgentStateList.from_json(STATES).agent_state_list),
        "agent_activity_report": Received(agent_activity_reports=(AgentActivityReport.from_json(ACTIVITY),)),
        "historical_report": Received(historical_reports=(HistoricalReport.from_json(HISTORICAL),)),
    }[operation]
    (request,) = received.requests
    assert (received.agent_states, received.agent_activity_reports, received.historical_reports) == (
        expected.agent_states,
        expected.agent_activity_reports,
        expected.historical_reports,
    )
    assert (request.operation, request.method, request.path) == (operation, "POST", path)
    assert (request.status, request.request_id) == (200, "id-1")
    assert request.body == json.dumps(document).encode()


@pytest.mark.parametrize("operation", DATA_ROUTES)
def test_bad_data_is_refused_with_every_fault_and_not_stored(simulator, client, operation):
    path, document = DATA_ROUTES[operation]
    reply = client.post(path, {**document, "one": 1, "two": 2})
    assert reply.status == 400
    assert reply.json()["error"] == "validation"
    assert reply.json()["message"]
    assert [fault["path"] for fault in reply.json()["faults"]] == ["$.one", "$.two"]
    assert all(set(fault) == {"path", "found", "expected"} for fault in reply.json()["faults"])
    assert stored(simulator) == []
    assert [request.status for request in simulator.received.requests] == [400]


def test_agent_states_are_one_list_in_the_order_of_arrival(simulator, client):
    for login in ("one", "two", "three"):
        (first, second) = STATES["agentStateList"]
        client.post(PATHS.agent_states.path, {"agentStateList": [{**first, "loginId": login}, second]})
    assert [state.login_id for state in simulator.received.agent_states] == [
        "one",
        "c@d.example",
        "two",
        "c@d.example",
        "three",
        "c@d.example",
    ]


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonp", ""])
@pytest.mark.parametrize(
    "path", [PATHS.historical_report.path, PATHS.access_key_token.path, PATHS.refresh_token.path]
)
def test_what_is_not_declared_as_json_is_not_taken(simulator, client, path, content_type):
    reply = client.post(path, HISTORICAL, Content_Type=content_type)
    assert reply.status == 415
    assert reply.json()["error"] == "unsupported_media_type"
    assert not simulator.received.historical_reports


def test_a_charset_beside_the_content_type_is_fine(client):
    reply = client.post(
        PATHS.historical_report.path, HISTORICAL, Content_Type="Application/JSON; charset=utf-8"
    )
    assert reply.status == 200


def test_the_acd_types_are_a_list(client):
    reply = client.send("GET", PATHS.acd_types.path)
    assert (reply.status, reply.json()) == (200, ["Generic_acdName", "Generic_LiveVox"])


def test_heartbeats_are_counted_and_answered_with_nothing(simulator, client):
    assert [(beat(client).status, beat(client).body)] == [(200, b"")]
    assert simulator.received.heartbeats == 2


# --- HTTP


def test_an_unknown_path_gets_404_and_a_wrong_method_405_with_what_is_allowed(simulator, client):
    missing = client.send("GET", "/nowhere?x=1")
    wrong = client.send("GET", PATHS.heartbeat.path)
    assert (missing.status, missing.json()["error"]) == (404, "not_found")
    assert (wrong.status, wrong.json()["error"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"
    assert [(r.operation, r.path, r.status) for r in simulator.received.requests] == [
        ("", "/nowhere?x=1", 404),
        ("", PATHS.heartbeat.path, 405),
    ]


def test_a_head_request_gets_no_body_so_the_connection_stays_usable(simulator, client):
    host = urlsplit(simulator.base_url).netloc.encode()
    beat_lines = (
        f"POST {PATHS.heartbeat.path} HTTP/1.1\r\nAuthorization: {client.headers['Authorization']}\r\n"
    )
    answers = client.raw(
        b"HEAD /nowhere HTTP/1.1\r\nHost: %s\r\n\r\n" % host
        + beat_lines.encode()
        + b"Host: %s\r\nConnection: close\r\n\r\n" % host
    )
    first, second, rest = answers.split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert second.startswith(b"HTTP/1.1 200 OK\r\n")
    assert rest == b""


def test_routes_can_be_served_elsewhere_escaped_and_told_apart_by_their_query():
    endpoints = Endpoints(
        heartbeat=Route("GET", "/a%20b?op=beat"),
        acd_types=Route("GET", "/a%20b"),
        agent_states=Route("PUT", "/a%20b"),
    )
    with Simulator(endpoints=endpoints) as simulator:
        client = log_in(simulator)
        assert client.send("GET", "/a%20b?op=beat").body == b""
        assert client.send("GET", "/a%20b?op=other").json()
        assert client.send("GET", "/a%20b").json()
        assert client.send("PUT", "/a%20b", json.dumps(STATES), Content_Type="application/json").status == 200
        assert client.send("POST", PATHS.heartbeat.path).status == 404
        assert client.send("POST", "/a%20b?op=beat").headers["allow"] == "GET, PUT"
        assert simulator.received.heartbeats == 1


def test_endpoints_that_cannot_be_served_are_refused_all_at_once():
    with pytest.raises(ConfigurationError) as caught:
        Simulator(endpoints=Endpoints(heartbeat=PATHS.agent_states, acd_types=Route("FETCH", "nowhere")))
    assert len(caught.value.problems) == 3
    assert "agent_states and heartbeat are both served at POST" in str(caught.value)


def test_a_body_over_the_limit_gets_413_even_while_it_is_still_being_sent():
    with Simulator(max_body_bytes=1000) as simulator:
        client = log_in(simulator)
        fitting = client.post(PATHS.historical_report.path, json.dumps(HISTORICAL).encode().ljust(1000))
        reply = client.post(PATHS.historical_report.path, b" " * 5_000_000)
        assert fitting.status == 200
        assert (reply.status, reply.json()["error"]) == (413, "too_large")
        assert [request.status for request in simulator.received.requests[1:]] == [200, 413]
        assert simulator.received.requests[-1].body == b""


def test_of_a_body_over_the_limit_no_more_than_the_limit_is_held():
    with Simulator(max_body_bytes=1000) as simulator:
        client, body = log_in(simulator), b" " * 5_000_000
        tracemalloc.start()
        try:
            assert client.post(PATHS.historical_report.path, body).status == 413
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1_000_000


def chunked(client, *chunks, trailer=b""):
    head = f"POST {PATHS.historical_report.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"Authorization: {client.headers['Authorization']}\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(c), c or trailer) for c in chunks)


def test_a_chunked_body_is_taken_and_the_connection_can_be_used_again(simulator, client):
    body = json.dumps(HISTORICAL).encode()
    request = chunked(client, body[:10], body[10:], b"", trailer=b"X-Trailer: a\r\n")
    answers = client.raw(request + request)
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert [request.body for request in simulator.received.requests] == [body, body]


def test_a_body_that_is_not_whole_gets_400_and_is_not_stored(simulator, client):
    body = json.dumps(HISTORICAL).encode()
    head = f"POST {PATHS.historical_report.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"Authorization: {client.headers['Authorization']}\r\n"
    short = client.raw(head.encode() + b"Content-Length: %d\r\n\r\n%s" % (len(body) + 5, body))
    bad_chunk = client.raw(chunked(client, body) + b"zz\r\n")
    negative = client.raw(head.encode() + b"Connection: close\r\nContent-Length: -1\r\n\r\n", end=False)
    for answer in (short, bad_chunk, negative):
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b'"error": "bad_request"' in answer
    assert f"the body ends after {len(body)} of {len(body) + 5} bytes".encode() in short
    assert not simulator.received.historical_reports


def test_a_connection_is_kept_for_the_next_request(simulator, client):
    connection = http.client.HTTPConnection(urlsplit(simulator.base_url).netloc, timeout=PATIENCE)
    connection.connect()
    port = connection.sock.getsockname()[1]
    for _ in range(3):
        connection.request("POST", PATHS.heartbeat.path, headers=client.headers)
        assert connection.getresponse().read() == b""
        assert connection.sock.getsockname()[1] == port
    connection.close()


def test_64_clients_at_a_time_are_served_each_with_its_own_answer(simulator):
    first, _ = STATES["agentStateList"]
    start = threading.Barrier(64)

    def work(number):
        client = log_in(simulator)
        start.wait(PATIENCE)
        document = {"agentStateList": [{**first, "loginId": f"{number}/{step}"} for step in range(20)]}
        return client.post(PATHS.agent_states.path, document).status, beat(client).status

    with ThreadPoolExecutor(64) as pool:
        assert set(pool.map(work, range(64))) == {(200, 200)}
    received = simulator.received
    assert (received.logins, received.heartbeats, len(received.requests)) == (64, 64, 192)
    arrived = [state.login_id.split("/") for state in received.agent_states]
    batches = [arrived[at : at + 20] for at in range(0, len(arrived), 20)]
    assert sorted(int(batch[0][0]) for batch in batches) == list(range(64))
    assert all([[batch[0][0], str(step)] for step in range(20)] == batch for batch in batches)


def test_64_delayed_clients_do_not_keep_others_from_being_served(simulator, client):
    simulator.fail("heartbeat", Delay(0.5), times=64)
    with ThreadPoolExecutor(64) as pool:
        waiting = [pool.submit(beat, client) for _ in range(64)]
        wait_until(lambda: simulator.received.heartbeats == 64)
        assert client.send("GET", PATHS.acd_types.path).status == 200
        assert not any(each.done() for each in waiting)
        assert {each.result().status for each in waiting} == {200}


def wait_until(holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        threading.Event().wait(0.002)


# --- faults


@pytest.mark.parametrize("operation", DATA_ROUTES)
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Status(503), (503, {}, b"")),
        (Status(599), (599, {}, b"")),
        (Status(204), (204, {}, b"")),
        (
            Status(500, headers={"X-Why": "test"}, body=b"<p>", content_type="text/html"),
            (500, {"x-why": "test", "content-type": "text/html"}, b"<p>"),
        ),
        (RateLimit(7), (429, {"retry-after": "7"}, b"")),
        (RateLimit(A_DATE), (429, {"retry-after": A_DATE}, b"")),
        (Redirect("https://elsewhere.example/x"), (307, {"location": "https://elsewhere.example/x"}, b"")),
        (TooLong(100_000), (200, {"content-type": "application/json"}, b"[]".ljust(100_000))),
    ],
    ids=str,
)
def test_a_fault_instead_of_the_handling_is_answered_once_and_nothing_is_stored(
    simulator, client, operation, fault, expected
):
    path, document = DATA_ROUTES[operation]
    status, headers, body = expected
    simulator.fail(operation, fault)
    spoilt = client.post(path, document)
    assert (spoilt.status, spoilt.body) == (status, body)
    assert headers.items() <= spoilt.headers.items()
    assert stored(simulator) == []
    assert client.post(path, document).status == 200
    assert [request.status for request in simulator.received.requests] == [status, 200]


def test_a_status_that_has_no_body_promises_none(simulator, client):
    simulator.fail("heartbeat", Status(204))
    assert not {"content-length", "content-type", "transfer-encoding"} & beat(client).headers.keys()


def test_html_is_a_200_that_is_no_json(simulator, client):
    simulator.fail("acd_types", Html())
    reply = client.send("GET", PATHS.acd_types.path)
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.body.startswith(b"<!DOCTYPE html>")


def test_an_answer_carries_its_own_date_where_the_fault_sets_one(simulator, client):
    simulator.fail("heartbeat", Status(429, headers={"Date": A_DATE, "Retry-After": "3"}))
    assert beat(client).headers["date"] == A_DATE


def test_a_fault_meets_a_request_without_a_token_or_with_bad_data_as_well(simulator, anonymous):
    simulator.fail("historical_report", Status(503), times=3)
    short = f"POST {PATHS.historical_report.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
    assert anonymous.raw(short.encode()).startswith(b"HTTP/1.1 503 ")
    assert anonymous.post(PATHS.historical_report.path, b"{").status == 503
    assert anonymous.send("POST", PATHS.historical_report.path).status == 503
    assert anonymous.send("POST", PATHS.historical_report.path).status == 401


def test_faults_come_in_the_order_in_which_they_were_planted_each_so_many_times(simulator, client):
    simulator.fail("heartbeat", Status(503), times=2)
    simulator.fail("acd_types", Status(501))
    simulator.fail("*", Status(502))
    simulator.fail("heartbeat", Status(500))
    assert [beat(client).status for _ in range(5)] == [503, 503, 502, 500, 200]
    assert [client.send("GET", PATHS.acd_types.path).status for _ in range(2)] == [501, 200]


def test_a_fault_for_any_operation_meets_the_tokens_too_but_no_unknown_path(simulator, anonymous):
    simulator.fail("*", Status(503))
    assert anonymous.send("GET", "/nowhere").status == 404
    assert anonymous.post(PATHS.access_key_token.path, LOGIN).status == 503


def test_expire_token_makes_the_very_request_fail_as_unauthorized(simulator, client, anonymous):
    simulator.fail("historical_report", ExpireToken())
    assert client.post(PATHS.historical_report.path, HISTORICAL).status == 401
    assert client.post(PATHS.historical_report.path, HISTORICAL).status == 401
    assert log_in(simulator).post(PATHS.historical_report.path, HISTORICAL).status == 200


def report_request(client):
    body = json.dumps(HISTORICAL).encode()
    head = f"POST {PATHS.historical_report.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"Authorization: {client.headers['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def types_request(client):
    authorization = f"Authorization: {client.headers['Authorization']}"
    return f"GET {PATHS.acd_types.path} HTTP/1.1\r\nHost: x\r\n{authorization}\r\n\r\n".encode()


@pytest.mark.parametrize(("fault", "count"), [(CutBefore(), 0), (AnswerLost(), 1)], ids=str)
def test_a_cut_without_a_byte_comes_before_the_data_is_taken_or_after(simulator, client, fault, count):
    simulator.fail("historical_report", fault)
    assert client.raw(report_request(client), end=False) == b""
    assert len(simulator.received.historical_reports) == count
    assert [request.status for request in simulator.received.requests] == ["cut"]
    simulator.fail("historical_report", fault)
    with pytest.raises(http.client.RemoteDisconnected):
        client.post(PATHS.historical_report.path, HISTORICAL)


def test_cut_inside_gives_the_headers_and_half_of_the_body_they_promise(simulator, client):
    whole = client.send("GET", PATHS.acd_types.path).body
    simulator.fail("acd_types", CutInside())
    head, half = client.raw(types_request(client), end=False).split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: %d" % len(whole) in head
    assert half == whole[: len(whole) // 2]
    assert simulator.received.requests[-1].status == "cut"


def test_cut_inside_an_answer_without_a_body_is_seen_by_the_client_and_the_data_is_stored(simulator, client):
    simulator.fail("historical_report", CutInside())
    with pytest.raises(http.client.IncompleteRead):
        client.post(PATHS.historical_report.path, HISTORICAL)
    assert len(simulator.received.historical_reports) == 1


def test_a_delayed_answer_comes_late_while_its_data_is_there_at_once(simulator, client):
    simulator.fail("historical_report", Delay(0.2))
    with client.connect() as connection:
        started = time.monotonic()
        connection.sendall(report_request(client))
        wait_until(lambda: simulator.received.historical_reports)
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
        connection.settimeout(PATIENCE)
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        assert time.monotonic() - started >= 0.2


def arrivals(client, request):
    """(bytes that came, seconds until then) for each piece, until the server closes."""
    pieces, started = [], time.monotonic()
    with client.connect() as connection:
        connection.sendall(request)
        while piece := connection.recv(65536):
            pieces.append((piece, time.monotonic() - started))
    return pieces


def test_a_dripping_body_comes_byte_by_byte_after_its_headers(simulator, client):
    simulator.fail("acd_types", Drip(200))
    pieces = arrivals(client, types_request(client))
    received = b"".join(piece for piece, _ in pieces)
    head, body = received.split(b"\r\n\r\n")
    assert pieces[0][0].startswith(head)
    assert json.loads(body) == ["Generic_acdName", "Generic_LiveVox"]
    assert len(pieces) > len(body) // 8
    assert pieces[-1][1] >= len(body) / 200 * 0.9


def test_dripping_headers_come_in_pieces_too(simulator, client):
    simulator.fail("acd_types", Drip(500, headers=True))
    pieces = arrivals(client, types_request(client))
    assert len(pieces[0][0]) <= 10
    received = b"".join(piece for piece, _ in pieces)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b'["Generic_acdName", "Generic_LiveVox"]')
    assert pieces[-1][1] >= len(received) / 500 * 0.9


def test_of_an_answer_without_a_body_the_headers_drip(simulator, client):
    simulator.fail("historical_report", Drip(1000))
    pieces = arrivals(client, report_request(client))
    received = b"".join(piece for piece, _ in pieces)
    assert len(pieces[0][0]) <= 20
    assert received.endswith(b"Content-Length: 0\r\nConnection: close\r\n\r\n")
    assert len(simulator.received.historical_reports) == 1


@pytest.mark.parametrize(
    "build",
    [
        lambda: Status(199),
        lambda: Status(600),
        lambda: Status("503"),
        lambda: Status(204, body=b"x"),
        lambda: Status(200, body="text"),
        lambda: Status(200, headers={"A": "b\r\nC: d"}),
        lambda: Status(200, headers={"Content-Length": "7"}),
        lambda: Status(200, headers=[("a", "b")]),
        lambda: Status(200, content_type="\u20ac"),
        lambda: RateLimit(-1),
        lambda: RateLimit(1.5),
        lambda: RateLimit("\n"),
        lambda: Delay(-1),
        lambda: Delay(float("nan")),
        lambda: Delay(True),
        lambda: Drip(0),
        lambda: Drip(float("inf")),
        lambda: Drip(1, headers=1),
        lambda: Redirect("http://x\r\n"),
        lambda: TooLong(1),
        lambda: TooLong(2.5),
    ],
)
def test_a_fault_that_cannot_be_played_is_refused_with_a_sentence(build):
    with pytest.raises(ValueError, match=r"^\w+ is .+(must be|has none)"):
        build()


@pytest.mark.parametrize(
    ("operation", "times"), [("reports", 1), ("", 1), ("heartbeat", 0), ("heartbeat", True)]
)
def test_a_fault_for_no_operation_or_no_time_is_refused(simulator, operation, times):
    with pytest.raises(ValueError, match=r"^(operation|times) is .* must be"):
        simulator.fail(operation, Status(503), times=times)


def test_what_is_no_fault_is_refused_instead_of_doing_nothing(simulator):
    for slip in (CutBefore, 503):
        with pytest.raises(TypeError, match=r"is no fault; give one such as CutBefore\(\)"):
            simulator.fail("heartbeat", slip)


# --- read-back over HTTP


def test_all_that_was_received_is_read_back_as_json_and_reading_changes_nothing(simulator, anonymous):
    client = log_in(simulator)
    for path, document in DATA_ROUTES.values():
        client.post(path, document, X_Request_Id=f"id {path}")
    client.post(PATHS.heartbeat.path, b"\xff\xfe")
    first, second = (anonymous.send("GET", "/__simulator__/received") for _ in range(2))
    assert first.body == second.body
    read = first.json()
    assert read["agent_states"] == STATES["agentStateList"]
    assert read["agent_activity_reports"] == [ACTIVITY]
    assert read["historical_reports"] == [HISTORICAL]
    assert (read["heartbeats"], read["logins"], read["refreshes"]) == (1, 1, 0)
    login, *data, heartbeat = read["requests"]
    assert (login["operation"], login["status"], login["body"]) == ("access_key_token", 200, "")
    assert [json.loads(request["body"]) for request in data] == [STATES, ACTIVITY, HISTORICAL]
    assert [request["request_id"] for request in data] == [f"id {path}" for path, _ in DATA_ROUTES.values()]
    assert heartbeat["body"] == r"\xff\xfe"
    assert first.body == simulator.received.to_json()


def test_no_secret_is_read_back(simulator, anonymous):
    answer = anonymous.post(PATHS.access_key_token.path, LOGIN).json()
    refresh(simulator, answer["refresh_token"])
    refresh(simulator, "wrong-canary")
    anonymous.post("/wrong/path", LOGIN)
    client = PlainClient(simulator.base_url, {"Authorization": f"Bearer {answer['access_token']}"})
    beat(client)
    written = anonymous.send("GET", "/__simulator__/received").body.decode() + repr(simulator.received)
    for secret in (answer["access_token"], answer["refresh_token"], "simulator-secret", "wrong-canary"):
        assert secret not in written


def test_a_reset_over_http_forgets_data_and_faults_but_no_token(simulator, client, anonymous):
    client.post(PATHS.historical_report.path, HISTORICAL)
    simulator.fail("heartbeat", Status(503))
    assert anonymous.send("POST", "/__simulator__/reset").status == 200
    assert simulator.received == Received()
    assert beat(client).status == 200


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "status", "code": 503, "headers": {"X-A": "b"}, "body": "\u00e9"}, 503),
        ({"kind": "rate_limit", "retry_after": 3}, 429),
        ({"kind": "html"}, 200),
        ({"kind": "redirect", "location": "/x"}, 307),
        ({"kind": "too_long", "size": 10}, 200),
        ({"kind": "expire_token"}, 401),
        ({"kind": "delay", "seconds": 0}, 200),
        ({"kind": "drip", "bytes_per_second": 1e6, "headers": True}, 200),
        ({"kind": "cut_before"}, "cut"),
        ({"kind": "cut_inside"}, "cut"),
        ({"kind": "answer_lost"}, "cut"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_every_kind_of_fault_can_be_planted_over_http(simulator, client, anonymous, fault, status):
    planted = anonymous.post("/__simulator__/faults", {"operation": "acd_types", "times": 2, **fault})
    assert (planted.status, planted.body) == (200, b"")
    for _ in range(2):
        client.raw(types_request(client))
    assert [request.status for request in simulator.received.requests] == [status, status]


def test_a_fault_planted_over_http_meets_one_request_and_its_text_is_utf8(client, anonymous):
    anonymous.post(
        "/__simulator__/faults", {"operation": "*", "kind": "status", "code": 500, "body": "\u00e9"}
    )
    assert beat(client).body == "\u00e9".encode()
    assert beat(client).status == 200


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "a fault is a JSON object"),
        ({"operation": "heartbeat"}, "kind is None"),
        ({"operation": "heartbeat", "kind": ["status"]}, "kind is ['status']; it must be one of status, "),
        ({"operation": "heartbeat", "kind": "status"}, "status needs code"),
        ({"operation": "heartbeat", "kind": "html", "x": 1, "a": 2}, "html has no a, x; it has no fields"),
        ({"operation": "heartbeat", "kind": "delay", "second": 1}, "delay has no second; it has seconds"),
        ({"operation": "heartbeat", "kind": "status", "code": 1}, "code is 1; it must be an HTTP status"),
        ({"operation": "heartbeat", "kind": "status", "code": 500, "body": 7}, "body is 7; it must be text"),
        ({"operation": "beat", "kind": "html"}, "operation is 'beat'; it must be one of access_key_token, "),
        ({"operation": ["beat"], "kind": "html"}, "operation is ['beat']"),
        (
            {"operation": "heartbeat", "kind": "html", "times": 0},
            "times is 0; it must be a whole number from 1",
        ),
        ({"kind": "html"}, "operation is None"),
    ],
)
def test_a_fault_that_cannot_be_planted_is_refused_with_the_reason(
    simulator, client, anonymous, document, message
):
    reply = anonymous.post("/__simulator__/faults", document)
    assert (reply.status, reply.json()["error"]) == (400, "validation")
    assert message in reply.json()["message"]
    assert beat(client).status == 200


def test_the_simulators_own_routes_check_what_they_are_sent_and_are_not_logged(simulator, anonymous):
    simulator.fail("*", Status(503))
    planted = anonymous.post(
        "/__simulator__/faults", {"operation": "*", "kind": "html"}, Content_Type="text/plain"
    )
    broken = anonymous.post("/__simulator__/faults", b"{")
    short = anonymous.raw(b"POST /__simulator__/reset HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
    assert (planted.status, broken.status) == (415, 400)
    assert short.startswith(b"HTTP/1.1 400 ")
    assert simulator.received.requests == ()


# --- the context manager


def test_the_fixture_gives_each_test_a_running_simulator(cxone_simulator):
    assert cxone_simulator.received == Received()
    assert beat(log_in(cxone_simulator)).status == 200


def test_its_settings_are_ready_for_a_client_and_can_be_overridden():
    endpoints = Endpoints(heartbeat=Route("GET", "/beat"))
    with Simulator(
        endpoints=endpoints, access_key_id="id", access_key_secret="s", tenant_name="T"
    ) as simulator:
        config = simulator.config()
        assert isinstance(config, WfmConfig)
        assert config.base_url == simulator.base_url
        assert (config.tenant_name, config.endpoints) == ("T", endpoints)
        assert (config.access_key_id.reveal(), config.access_key_secret.reveal()) == ("id", "s")
        assert simulator.config(max_batch=7, tenant_name="U").max_batch == 7
        with pytest.raises(ConfigurationError, match="tenant_name"):
            simulator.config(tenant_name="")
        with pytest.raises(TypeError, match="no_such_setting"):
            simulator.config(no_such_setting=1)


def test_it_listens_on_loopback_only():
    with Simulator() as simulator:
        assert simulator.base_url.startswith("http://127.0.0.1:")
        assert simulator._running[0].socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "base"),
    [("localhost", "http://"), ("0.0.0.0", "http://127.0.0.1:"), ("127.0.0.2", "http://127.0.0.2:")],
)
def test_its_address_can_be_reached_whatever_the_host(host, base):
    with Simulator(host=host) as simulator:
        assert simulator.base_url.startswith(base)
        assert beat(log_in(simulator)).status == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_an_ipv6_address_is_bracketed():
    simulator = Simulator(host="::1")
    try:
        simulator.start()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with_brackets = simulator.base_url
    answered = beat(log_in(simulator)).status
    simulator.stop()
    assert with_brackets.startswith("http://[::1]:")
    assert answered == 200


def test_it_has_no_address_before_its_start_and_starts_once():
    simulator = Simulator()
    with pytest.raises(RuntimeError, match="with Simulator"):
        _ = simulator.base_url
    simulator.stop()
    with simulator, pytest.raises(RuntimeError, match="runs already"):
        simulator.start()


def test_a_stop_and_a_start_is_an_outage_after_which_all_is_as_before():
    with Simulator() as simulator:
        client = log_in(simulator)
        beat(client)
        simulator.stop()
        with pytest.raises(ConnectionRefusedError):
            beat(client)
        assert simulator.received.heartbeats == 1
        simulator.start()
        simulator.fail("heartbeat", Delay(0.01))
        assert beat(client).status == 200
        assert simulator.received.heartbeats == 2


def test_a_port_that_is_taken_is_an_os_error_that_leaves_nothing_behind(simulator):
    threads = threading.active_count()
    port = urlsplit(simulator.base_url).port
    with pytest.raises(OSError, match=str(port)):
        Simulator(port=port).start()
    gc.collect()  # a socket left open would be a ResourceWarning, and so an error
    assert threading.active_count() == threads


def test_stopping_ends_every_wait_thread_and_connection_within_a_second(caplog, monkeypatch):
    # Since Python 3.13 a file that cannot be closed when it is collected is told; here in every version.
    monkeypatch.setattr(_pyio, "_IOBASE_EMITS_UNRAISABLE", True, raising=False)
    before = set(threading.enumerate())
    simulator = Simulator()
    simulator.start()
    client = log_in(simulator)
    simulator.fail("heartbeat", Delay(1e300))  # longer than any lock can be waited for
    simulator.fail("acd_types", Drip(0.01))
    simulator.fail("historical_report", TooLong(20_000_000))
    beat_request = (
        types_request(client)
        .replace(b"GET", b"POST")
        .replace(PATHS.acd_types.path.encode(), PATHS.heartbeat.path.encode())
    )
    requests = [
        b"",  # nothing yet
        b"POST /half",  # half a request
        report_request(client)[:-5],  # half a body
        types_request(client),  # dripped
        report_request(client),  # an answer that is not read
        beat_request,  # delayed
    ]
    connections = [client.connect() for _ in requests]
    for connection, request in zip(connections, requests, strict=True):
        connection.sendall(request)
    wait_until(lambda: len(simulator.received.requests) == 4)
    started = time.monotonic()
    simulator.stop()
    assert time.monotonic() - started < 1
    assert set(threading.enumerate()) <= before
    for connection in connections:
        read_to_end(connection)
        connection.close()
    with pytest.raises(ConnectionRefusedError):
        beat(client)
    gc.collect()
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_a_connection_that_is_answered_while_it_stops_is_closed():
    with Simulator() as simulator:
        client, server = log_in(simulator), simulator._running[0]
        wait_until(lambda: not server._open)
        with client.connect() as connection:
            wait_until(lambda: server._open)
            server._stopping = True  # as if stop() had just begun
            connection.sendall(types_request(client))
            assert read_to_end(connection).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_connection_that_comes_while_it_stops_is_cut(monkeypatch):
    simulator = Simulator()
    simulator.start()
    server = simulator._running[0]
    connection_class = type(server).ConnectionClass
    accepted, release = threading.Event(), threading.Event()
    create = connection_class.__init__

    def accept_and_linger(connection, *arguments):
        accepted.set()
        release.wait(PATIENCE)
        create(connection, *arguments)

    monkeypatch.setattr(connection_class, "__init__", accept_and_linger)
    with PlainClient(simulator.base_url).connect() as late, PlainClient(simulator.base_url).connect():
        assert accepted.wait(PATIENCE)
        stopping = threading.Thread(target=simulator.stop)
        stopping.start()
        wait_until(lambda: server._stopping)
        started = time.monotonic()
        release.set()
        assert read_to_end(late) == b""
        stopping.join(PATIENCE)
        assert time.monotonic() - started < 1
    assert not stopping.is_alive()


def test_what_the_server_has_to_say_goes_to_the_logger_and_never_to_stderr(
    simulator, client, capfd, caplog, monkeypatch
):
    def breaks(*_):
        raise RuntimeError("a defect")

    with caplog.at_level(logging.DEBUG, "cxone_wfm.simulator"):
        monkeypatch.setattr(simulator._application, "_log", breaks)
        assert beat(client).status == 500
        monkeypatch.undo()
        wait_until(lambda: caplog.records)
    assert {record.name for record in caplog.records} == {"cxone_wfm.simulator"}
    assert "a defect" in caplog.text
    assert capfd.readouterr() == ("", "")


def test_a_stopped_simulator_is_not_kept_by_the_servers_register():
    with Simulator() as simulator:
        number = id(simulator._running[0])
        assert f"Cheroot HTTPServer {number}" not in logging.statistics


def test_without_cheroot_the_import_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cheroot", None)
    monkeypatch.delitem(sys.modules, "cxone_wfm.simulator.server")
    with pytest.raises(ImportError, match=r'pip install "cxone-wfm-sdk\[simulator\]"'):
        importlib.import_module("cxone_wfm.simulator.server")
