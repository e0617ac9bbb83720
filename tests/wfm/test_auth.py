"""The promises of `AuthClient`: what it sends to get a token, and what it makes of the answers."""

import json
import logging
import threading
from collections.abc import Callable

import attrs
import pytest
from support.exchange import always, document, granted, operation_of, operations, renewed, token_of
from support.threads import PATIENCE, WatchedCondition, at_once

from cxone_wfm import (
    AuthClient,
    CredentialsRejectedError,
    HeartbeatClient,
    NotSentError,
    OutcomeUnknownError,
    PayloadRejectedError,
    PermissionDeniedError,
    RateLimitedError,
    Request,
    Response,
    RouteError,
    Secret,
    ServerError,
    SuspectAnswerError,
    Timeouts,
    TokenRejectedError,
    WfmConfig,
)
from cxone_wfm._transport import HttpTransport
from cxone_wfm.testing import Answer, FakeClock, FakeTransport, fake_config, reply

LOGIN, REFRESH, BEAT = "access_key_token", "refresh_token", "heartbeat"


def client(
    *answers: Answer, clock: FakeClock | None = None, config: WfmConfig | None = None
) -> tuple[AuthClient, FakeTransport, FakeClock]:
    transport, clock = FakeTransport(answers), clock or FakeClock(now=0.0)
    return (
        AuthClient(config or fake_config(), transport=transport, clock=clock, chance=lambda: 0.5),
        transport,
        clock,
    )


def text(auth: AuthClient) -> str:
    return auth.access_token().value.reveal()


# --- the requests -------------------------------------------------------------------------------------


def test_the_nested_login_carries_the_tenant_and_the_key() -> None:
    auth, transport, _ = client(granted())
    auth.login()
    assert document(transport.requests[0]) == {
        "tenantName": "Tenant_Name",
        "accessKeyTokenRequest": {"accessKeyId": "key-id", "accessKeySecret": "key-secret"},
    }


def test_the_flat_login_carries_the_key_alone() -> None:
    auth, transport, _ = client(granted(), config=attrs.evolve(fake_config(), token_request="flat"))
    auth.login()
    assert document(transport.requests[0]) == {"accessKeyId": "key-id", "accessKeySecret": "key-secret"}


def test_the_refresh_carries_the_refresh_token_and_the_pages_switches() -> None:
    auth, transport, _ = client(granted(refresh="refresh-1"), renewed())
    auth.login()
    assert auth.refresh().value == Secret("access-2")
    assert operations(transport) == [LOGIN, REFRESH]
    assert document(transport.requests[1]) == {
        "token": "refresh-1",
        "updateCookie": True,
        "toggleEnabled": False,
    }
    assert transport.requests[1].token is None


def test_a_refresh_without_a_token_logs_in() -> None:
    auth, transport, _ = client(granted())
    auth.refresh()
    assert operations(transport) == [LOGIN]


def test_a_login_is_a_login_whatever_token_there_is() -> None:
    auth, transport, _ = client(granted(), granted("access-2"))
    auth.login()
    assert auth.login().value == Secret("access-2")
    assert operations(transport) == [LOGIN, LOGIN]


# --- the answers --------------------------------------------------------------------------------------

LOGIN_SHAPE = {"access_token": "a", "refresh_token": "r", "expires_in": 100, "token_type": "Bearer"}
REFRESH_SHAPE = {"token": "a", "refreshToken": "r", "tokenExpirationTimeSec": 100, "sessionId": "s"}


@pytest.mark.parametrize("shape", [LOGIN_SHAPE, REFRESH_SHAPE], ids=["login shape", "refresh shape"])
@pytest.mark.parametrize("operation", [LOGIN, REFRESH])
def test_both_operations_take_both_shapes(operation: str, shape: dict[str, object]) -> None:
    first = granted() if operation == REFRESH else reply(200, shape)
    auth, transport, _ = client(first, reply(200, shape))
    auth.login()
    token = auth.refresh() if operation == REFRESH else auth.access_token()
    assert operations(transport)[-1] == operation
    assert (token.value, token.refresh_token, token.expires_at) == (Secret("a"), Secret("r"), 100.0)


@pytest.mark.parametrize("extra", [{}, {"id_token": "i", "resource_server_base_uri": "x", "scope": ["a"]}])
@pytest.mark.parametrize("kind", [None, "bearer", "Bearer", "BEARER"])
def test_unknown_keys_and_any_spelling_of_bearer_are_fine(kind: str | None, extra: dict[str, object]) -> None:
    auth, _, _ = client(reply(200, {**LOGIN_SHAPE, **extra, "token_type": kind}))
    assert text(auth) == "a"


@pytest.mark.parametrize("refresh", [None, ""])
def test_no_refresh_token_means_that_the_next_one_comes_from_a_login(refresh: str | None) -> None:
    auth, transport, _ = client(granted(refresh=refresh), granted())
    assert auth.login().refresh_token is None
    auth.refresh()
    assert operations(transport) == [LOGIN, LOGIN]


BAD = {
    "empty": {"access_token": ""},
    "not ASCII": {"access_token": "tökén"},
    "line break": {"access_token": "a\r\nX-Evil: 1"},
    "blank": {"access_token": "a b"},
    "control": {"access_token": "a\x00b"},
    "tab": {"access_token": "a\tb"},
    "number": {"access_token": 7},
    "null": {"access_token": None},
    "other type": {"access_token": "a", "token_type": "mac"},
    "type of no text": {"access_token": "a", "token_type": 7},
    "missing": {"expires_in": 3600},
    "refresh token of no text": {"access_token": "a", "refresh_token": 7},
    "empty in the other shape": {"token": "", "tokenExpirationTimeSec": 3600},
    "list": [{"access_token": "a"}],
    "text": "a",
    "text of an answer": '{"token": "a"}',
    "no object": None,
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_an_answer_without_a_usable_token_is_suspect(body: object) -> None:
    answer = Response(status=200, body=json.dumps(body).encode())
    auth, transport, _ = client(reply(503), answer)
    with pytest.raises(SuspectAnswerError) as caught:
        auth.access_token()
    assert (caught.value.operation, caught.value.attempts) == (LOGIN, 2)
    assert caught.value.request_id == transport.requests[0].headers["X-Request-Id"]
    assert "the answer holds no usable Bearer token" in str(caught.value)
    assert len(transport.requests) == 2, "one that fails, and the one that is suspect, which is not repeated"


@pytest.mark.parametrize("body", [b"", b"<html></html>", b'{"access_token": "a", "expires_in": NaN}', b'{"a'])
def test_an_answer_that_is_no_json_is_suspect(body: bytes) -> None:
    auth, _, _ = client(*[Response(status=200, body=body)] * 3)
    with pytest.raises(SuspectAnswerError):
        auth.access_token()


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_a_refresh_that_brings_no_usable_token_is_followed_by_a_login(body: object) -> None:
    auth, transport, clock = client(granted(), reply(200, body), granted("access-3"))
    auth.login()
    clock.now = 3400.0
    assert text(auth) == "access-3"
    assert operations(transport) == [LOGIN, REFRESH, LOGIN]


@pytest.mark.parametrize(
    ("life", "kept"),
    [
        (0, 30),
        (-1, 30),
        (0.0, 30),
        (29, 30),
        (1e9, 86_400),
        (10**18, 86_400),
        (10**300, 86_400),
        ({"seconds": 3600}, 30),
        ([], 30),
        (False, 30),
        (True, 30),
        (None, 30),
        ("", 30),
        ("soon", 30),
        ("-5", 30),
        ("٣", 30),
        ("9" * 15, 86_400),
        ("9" * 16, 30),
        ("9" * 400, 30),
        ([3600], 30),
    ],
)
@pytest.mark.parametrize("answer", [granted, renewed])
def test_an_unusable_life_is_clamped_with_a_warning(
    answer: Callable[..., Response], life: object, kept: float, caplog: pytest.LogCaptureFixture
) -> None:
    auth, _, _ = client(answer(life=life))
    assert auth.access_token().expires_at == kept
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_missing_life_is_clamped_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    auth, _, _ = client(reply(200, {"access_token": "a"}))
    assert auth.access_token().expires_at == 30
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("life", [3600, 3600.5, "3600"])
def test_a_number_is_a_life_be_it_written_as_text(life: object, caplog: pytest.LogCaptureFixture) -> None:
    auth, _, _ = client(granted(life=life))
    assert auth.access_token().expires_at == float(str(life))
    assert not caplog.records


def test_the_life_counts_from_before_the_request_was_sent() -> None:
    clock = FakeClock(now=1000.0)

    def slow(_: Request) -> Response:
        clock.advance(20.0)
        return granted(life=3600)

    auth, _, _ = client(slow, slow, clock=clock)
    assert auth.login().expires_at == 4600.0
    assert auth.refresh().expires_at == 1020.0 + 3600.0


# --- failures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_login_is_told_and_not_repeated_for_30_seconds(status: int) -> None:
    auth, transport, clock = client(reply(status, {"message": "no"}, correlationid="c-1"))
    for _ in range(3):
        with pytest.raises(CredentialsRejectedError) as caught:
            auth.access_token()
        error = caught.value
        assert (error.status, error.correlation_id, error.server_message) == (status, "", "")
        assert (error.operation, error.attempts, error.detail) == (LOGIN, 1, f"HTTP {status}")
        assert error.request_id == transport.requests[0].headers["X-Request-Id"]
        assert error.__cause__ is error.__context__ is None
    clock.now = 30.0
    transport.add(granted())
    assert text(auth) == "access-1"


@pytest.mark.parametrize("ask", [AuthClient.login, AuthClient.refresh, AuthClient.access_token])
def test_where_nothing_gets_through_that_is_told_whatever_was_asked_for(
    ask: Callable[[AuthClient], object],
) -> None:
    auth, transport, _ = client(*[NotSentError("x")] * 3)
    with pytest.raises(NotSentError):
        ask(auth)
    assert len(transport.requests) == 3


def test_no_error_of_a_login_shows_an_earlier_token() -> None:
    auth, transport, _ = client(granted("a-b"))
    auth.login()
    transport.add(*[Response(status=200, headers={"content-type": "text/a-b"}, body=b"<html></html>")] * 3)
    with pytest.raises(SuspectAnswerError, match=r"content type text/\*\*\*"):
        auth.login()


def test_a_data_call_tells_the_refused_login_at_once() -> None:
    auth, transport, clock = client(reply(401))
    beat = HeartbeatClient(fake_config(), auth=auth)
    for _ in range(2):
        with pytest.raises(CredentialsRejectedError):
            beat.send()
    assert (operations(transport), clock.sleeps) == ([LOGIN], [])


@pytest.mark.parametrize(
    ("status", "kind"), [(404, RouteError), (500, ServerError), (429, RateLimitedError), (302, RouteError)]
)
def test_any_other_failure_of_a_login_is_told_as_what_it_is(status: int, kind: type[Exception]) -> None:
    auth, _, _ = client(*[reply(status)] * 3)
    with pytest.raises(kind):
        auth.login()


def test_a_login_is_tried_again_as_any_call() -> None:
    auth, transport, clock = client(reply(503), NotSentError("x"), granted())
    auth.login()
    assert operations(transport) == [LOGIN] * 3
    assert len(clock.sleeps) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 302, 418])
def test_a_refresh_that_is_refused_or_not_served_is_followed_by_one_login(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    auth, transport, clock = client(granted(), reply(status), granted("access-2"))
    auth.login()
    clock.now = 3400.0
    assert text(auth) == "access-2"
    assert operations(transport) == [LOGIN, REFRESH, LOGIN]
    assert f"(HTTP {status})" in caplog.text


def test_a_refresh_is_sent_once_whatever_comes_back() -> None:
    for answer in (reply(503), reply(429), OutcomeUnknownError("x"), NotSentError("x")):
        auth, transport, clock = client(granted(), answer, granted())
        auth.login()
        clock.now = 3600.0
        auth.access_token()
        assert operations(transport) == [LOGIN, REFRESH, LOGIN]


def test_a_refresh_that_fails_early_keeps_the_token_and_the_data_call_goes_out() -> None:
    auth, transport, clock = client(granted(), reply(503), reply(200), reply(200))
    auth.login()
    clock.now = 3400.0
    beat = HeartbeatClient(fake_config(), auth=auth)
    beat.send()
    beat.send()
    assert operations(transport) == [LOGIN, REFRESH, BEAT, BEAT]
    assert [token_of(request) for request in transport.requests[2:]] == ["access-1", "access-1"]


# --- deadlines ----------------------------------------------------------------------------------------


def test_without_a_deadline_the_total_time_counts() -> None:
    config = attrs.evolve(fake_config(), timeouts=Timeouts(total=12.0))
    auth, transport, _ = client(
        granted(), granted(), granted(), granted(), clock=FakeClock(now=100.0), config=config
    )
    auth.access_token()
    auth.login()
    auth.refresh()
    auth.login()
    assert {attempt.deadline for attempt in transport.attempts} == {112.0}


def test_a_data_calls_deadline_bounds_the_login_that_it_needs() -> None:
    auth, transport, _ = client(granted(), reply(200))
    HeartbeatClient(fake_config(), auth=auth).send(deadline=7.0)
    assert [attempt.deadline for attempt in transport.attempts] == [7.0, 7.0]
    auth, transport, clock = client(granted(), renewed())
    auth.access_token(deadline=9.0)
    clock.now = 3600.0
    auth.access_token(deadline=3609.0)
    assert [attempt.deadline for attempt in transport.attempts] == [9.0, 3609.0]


# --- many threads -------------------------------------------------------------------------------------


class Server:
    """Grants tokens with numbers, and takes none of the data operations' tokens but the newest."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.newest = 0
        self.renewals: list[str] = []

    def __call__(self, request: Request) -> Response:
        operation = operation_of(request)
        with self.lock:
            if operation in {LOGIN, REFRESH}:
                self.renewals.append(operation)
                self.newest += 1
                return granted(f"access-{self.newest}", f"refresh-{self.newest}")
            return reply(200 if token_of(request) == f"access-{self.newest}" else 401)


def test_64_threads_with_a_401_each_cause_one_refresh() -> None:
    server = Server()
    met = threading.Barrier(64)

    def answer(request: Request) -> Response:
        response = server(request)
        if response.status == 401:
            met.wait(PATIENCE)  # until all 64 have been refused with the same token
        return response

    auth = AuthClient(fake_config(), transport=always(answer), clock=FakeClock())
    auth.login()
    server.newest, server.renewals = 100, []  # access-1 counts for nothing any more
    beat = HeartbeatClient(fake_config(), auth=auth)
    assert at_once(64, lambda _: beat.send()) == []
    assert server.renewals == [REFRESH]


def test_64_data_calls_at_an_expiry_make_exactly_one_refresh() -> None:
    server, clock = Server(), FakeClock()
    condition = WatchedCondition(63)

    def answer(request: Request) -> Response:
        if operation_of(request) == REFRESH:
            assert condition.enough.wait(PATIENCE)
        return server(request)

    auth = AuthClient(fake_config(), transport=always(answer), clock=clock)
    auth.login()
    clock.advance(3600)
    auth._cache._changed = condition
    beat = HeartbeatClient(fake_config(), auth=auth)
    assert at_once(64, lambda _: beat.send()) == []
    assert server.renewals == [LOGIN, REFRESH]


def test_a_fresh_token_that_is_refused_too_is_an_error_and_one_more_is_asked_for_after_10_seconds() -> None:
    auth, transport, clock = client(granted(), reply(401), renewed(), reply(401))
    beat = HeartbeatClient(fake_config(), auth=auth)
    with pytest.raises(TokenRejectedError):
        beat.send()
    transport.add(*[reply(401)] * 5)
    clock.now = 9.9
    for _ in range(5):
        with pytest.raises(TokenRejectedError):
            beat.send()
    assert operations(transport) == [LOGIN, BEAT, REFRESH, BEAT, *[BEAT] * 5]
    clock.now = 10.0
    transport.add(reply(401), renewed("access-3", "refresh-3"), reply(200))
    beat.send()
    assert operations(transport)[-3:] == [BEAT, REFRESH, BEAT]


def test_a_storm_of_callers_without_a_token_makes_one_login_until_it_is_time_again() -> None:
    auth, transport, _ = client(reply(429, retry_after="30"))
    beat = HeartbeatClient(fake_config(), auth=auth)
    errors = at_once(16, lambda _: beat.send(deadline=20.0))
    assert {type(each) for each in errors} == {RateLimitedError}
    assert operations(transport) == [LOGIN]


def test_no_error_of_a_data_call_shows_a_token_of_another_generation() -> None:
    auth, transport, _ = client(granted(), renewed())
    auth.login()
    auth.refresh()
    transport.add(reply(400, {"message": "access-1 refresh-1 access-2 refresh-2"}))
    with pytest.raises(PayloadRejectedError) as caught:
        HeartbeatClient(fake_config(), auth=auth).send()
    assert caught.value.server_message == "*** *** *** ***"


def test_a_403_renews_nothing() -> None:
    auth, transport, _ = client(granted(), reply(403))
    with pytest.raises(PermissionDeniedError):
        HeartbeatClient(fake_config(), auth=auth).send()
    assert operations(transport) == [LOGIN, BEAT]


def test_an_older_token_is_not_invalidated_twice() -> None:
    auth, transport, _ = client(granted(), renewed())
    old = auth.login()
    auth.invalidate(old)
    assert text(auth) == "access-2"
    auth.invalidate(old)
    assert text(auth) == "access-2"
    assert operations(transport) == [LOGIN, REFRESH]


# --- sharing ------------------------------------------------------------------------------------------


def test_all_clients_of_one_auth_client_share_its_retry_quota() -> None:
    auth, transport, _ = client(granted())
    auth.login()
    transport.add(*[OutcomeUnknownError("x")] * 500)
    clients = [HeartbeatClient(fake_config(), auth=auth) for _ in range(5)]
    for beat in clients * 6:
        with pytest.raises(OutcomeUnknownError):
            beat.send()
    assert len(transport.requests) == 1 + 30 + 50, "30 calls, and 500 : 10 retries among them"


def test_closing_it_closes_the_transport() -> None:
    with client()[0] as auth:
        transport = auth._transport
        assert isinstance(transport, FakeTransport)
        assert not transport.closed
    assert transport.closed


def test_a_transport_that_counts_as_false_is_used_all_the_same() -> None:
    class Empty(FakeTransport):
        def __len__(self) -> int:
            return 0

    transport = Empty([granted()])
    AuthClient(fake_config(), transport=transport, clock=FakeClock()).login()
    assert len(transport.requests) == 1


def test_without_a_transport_it_makes_a_real_one_by_the_same_clock_and_sends_nothing() -> None:
    clock = FakeClock()
    with AuthClient(fake_config(), clock=clock) as auth:
        assert isinstance(auth._transport, HttpTransport)
        assert auth._transport._clock is clock


def test_without_a_clock_it_goes_by_the_systems() -> None:
    assert text(AuthClient(fake_config(), transport=FakeTransport([granted()]))) == "access-1"
