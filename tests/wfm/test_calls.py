"""The promises of `cxone_wfm._calls`: what goes out for one call, and what its answers mean."""

import gzip
import json
import logging
from collections.abc import Callable
from typing import get_args

import attrs
import pytest
from support.exchange import always, token_of

from cxone_wfm import (
    AccessToken,
    APIError,
    CertificateError,
    CredentialsRejectedError,
    Endpoints,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RedirectError,
    Request,
    Response,
    RetryPolicy,
    Route,
    Secret,
    ServerError,
    SuspectAnswerError,
    Timeouts,
    TokenRejectedError,
    TransportError,
    WfmClient,
    WfmConfig,
)
from cxone_wfm._calls import TOKEN_OPERATIONS, Calls, Operation
from cxone_wfm._retry import RetryQuota
from cxone_wfm.testing import Answer, FakeClock, FakeTransport, fake_config, reply

OPERATIONS: tuple[Operation, ...] = get_args(Operation)
DATA_OPERATIONS = [operation for operation in OPERATIONS if operation not in TOKEN_OPERATIONS]


class Tokens:
    """Gives out token-1 until that is invalidated, then token-2, and so on."""

    def __init__(self, error: Exception | None = None) -> None:
        self.number = 1
        self.error = error
        self.asked: list[float | None] = []
        self.renewable_at = 0.0

    def access_token(self, *, deadline: float | None = None) -> AccessToken:
        self.asked.append(deadline)
        if self.error is not None:
            raise self.error
        value = Secret(f"token-{self.number}")
        return AccessToken(
            value=value,
            generation=self.number,
            refresh_at=9e9,
            stale_at=9e9,
            expires_at=9e9,
            renewable_at=self.renewable_at,
        )

    def invalidate(self, token: AccessToken) -> None:
        if token.generation == self.number:
            self.number += 1


def calls(
    transport: FakeTransport,
    *,
    tokens: Tokens | None = None,
    config: WfmConfig | None = None,
    clock: FakeClock | None = None,
) -> Calls:
    return Calls(
        config or fake_config(),
        transport,
        clock or FakeClock(),
        RetryQuota(),
        tokens or Tokens(),
        lambda: 0.5,
    )


def failure_of(call: Callable[[], object]) -> TransportError | APIError:
    with pytest.raises((TransportError, APIError)) as caught:
        call()
    assert isinstance(caught.value, (TransportError, APIError))
    return caught.value


# --- what goes out ------------------------------------------------------------------------------------


def test_the_headers_of_a_call_with_a_body() -> None:
    transport = FakeTransport([reply(200)])
    calls(transport).make("heartbeat", b"{}")
    [request] = transport.requests
    assert {name: value for name, value in request.headers.items() if name != "X-Request-Id"} == {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "cxone-wfm-sdk",
        "Content-Type": "application/json",
    }
    assert request.body == b"{}"
    assert token_of(request) == "token-1"


def test_a_call_without_a_body_names_no_content_type() -> None:
    transport = FakeTransport([reply(200)])
    calls(transport).make("acd_types")
    assert "Content-Type" not in transport.requests[0].headers
    assert transport.requests[0].body is None


def test_all_requests_of_a_call_carry_one_id_and_one_body_and_calls_have_different_ones() -> None:
    transport = FakeTransport([reply(503), reply(401), NotSentError("x"), reply(200), reply(200)])
    made = calls(transport, config=attrs.evolve(fake_config(), retry=RetryPolicy(attempts=5)))
    made.make("heartbeat", b"one")
    made.make("heartbeat", b"two")
    ids = [request.headers["X-Request-Id"] for request in transport.requests]
    assert len(set(ids[:4])) == 1
    assert ids[4] != ids[0]
    assert [request.body for request in transport.requests] == [b"one"] * 4 + [b"two"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_goes_to_its_own_route(operation: Operation) -> None:
    endpoints = Endpoints(**{name: Route("PUT", f"/here/{name}?a=b") for name in OPERATIONS})
    config = attrs.evolve(
        fake_config("https://data.example/base/"), auth_url="https://auth.example", endpoints=endpoints
    )
    transport = FakeTransport([reply(200)])
    calls(transport, config=config).make(operation)
    base = "https://auth.example" if operation in TOKEN_OPERATIONS else "https://data.example/base"
    assert transport.requests[0].url == f"{base}/here/{operation}?a=b"
    assert transport.requests[0].method == "PUT"


def test_the_operations_are_the_fields_of_endpoints() -> None:
    assert {field.name for field in attrs.fields(Endpoints)} == set(OPERATIONS)


def test_the_timeouts_and_the_total_deadline_reach_every_request_and_the_token_source() -> None:
    transport, tokens, clock = (
        FakeTransport([reply(503), reply(401), reply(200)]),
        Tokens(),
        FakeClock(now=100),
    )
    config = attrs.evolve(fake_config(), timeouts=Timeouts(connect=1, read=2, total=30))
    calls(transport, tokens=tokens, config=config, clock=clock).make("heartbeat")
    limits = [(attempt.connect, attempt.read, attempt.deadline) for attempt in transport.attempts]
    assert limits == [(1, 2, 130)] * 3
    assert tokens.asked == [130] * 3


def test_a_deadline_of_the_callers_own_counts_instead_of_the_total() -> None:
    transport, tokens = FakeTransport([reply(200)]), Tokens()
    calls(transport, tokens=tokens, clock=FakeClock(now=100)).make("heartbeat", deadline=107.0)
    assert transport.attempts[0].deadline == 107.0
    assert tokens.asked == [107.0]


def test_token_operations_carry_no_token() -> None:
    transport = FakeTransport([reply(200)])
    Calls(fake_config(), transport, FakeClock(), RetryQuota(), None).make("access_key_token")
    assert transport.requests[0].token is None


# --- what is success ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b" \r\n", b"{}", b"[1]", b'"ok"', b"null", b'\xef\xbb\xbf{"bom": true}', '{"ü": "é"}'.encode()],
)
@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_2xx_with_nothing_or_with_json_is_success(status: int, body: bytes) -> None:
    transport = FakeTransport([Response(status=status, body=body)])
    assert calls(transport).make("heartbeat") == body


DEEP = b"[" * 65 + b"]" * 65
SUSPECT = {
    "html": Response(status=200, headers={"content-type": "text/html"}, body=b"<html>Log in</html>"),
    "text": Response(status=200, headers={"content-type": "application/json"}, body=b"OK"),
    "broken": Response(status=200, body=b'{"a": '),
    "not UTF-8": Response(status=200, body=b'"\xff"'),
    "UTF-16": Response(status=200, body='{"a": 1}'.encode("utf-16")),
    "not a number": Response(status=200, body=b'{"expires_in": NaN}'),
    "too deep": Response(status=200, body=DEEP),
    "far too deep": Response(status=200, body=b"[" * 200_000),
    "too many digits": Response(status=200, body=b"9" * 5000),
    "cut": Response(status=200, body=b"{}", cut=True),
    "said to be encoded": Response(status=200, headers={"content-encoding": "br"}, body=b"{}"),
    "gzip": Response(status=200, headers={"content-encoding": "gzip"}, body=gzip.compress(b"{}")),
}


@pytest.mark.parametrize("suspect", SUSPECT.values(), ids=SUSPECT)
def test_a_2xx_that_cxone_would_not_give_is_not_success_and_is_tried_again(suspect: Response) -> None:
    transport = FakeTransport([suspect, reply(200, {"fine": True})])
    assert json.loads(calls(transport).make("heartbeat")) == {"fine": True}
    error = failure_of(lambda: calls(always(lambda _: suspect)).make("heartbeat"))
    assert type(error) is SuspectAnswerError
    assert error.attempts == 3
    assert "HTTP 200" in str(error)


def test_an_encoding_named_identity_is_none() -> None:
    for name in ("identity", "Identity"):
        response = Response(status=200, headers={"content-encoding": name}, body=b"{}")
        assert calls(FakeTransport([response])).make("heartbeat") == b"{}"


def test_an_empty_body_is_success_whatever_encoding_is_named() -> None:
    response = Response(status=200, headers={"content-encoding": "gzip"})
    assert calls(FakeTransport([response])).make("heartbeat") == b""


# --- every status over a call -------------------------------------------------------------------------

NO_SUCCESS = [status for status in range(100, 600) if not 200 <= status < 300]


def test_every_status_is_tried_as_often_as_its_class_says() -> None:
    for status in NO_SUCCESS:
        transport = always(lambda _, status=status: reply(status))  # type: ignore[misc]
        error = failure_of(lambda transport=transport: calls(transport).make("heartbeat"))  # type: ignore[misc]
        assert isinstance(error, APIError)
        assert error.status == status
        expected = 3 if error.retryable else 2 if status == 401 else 1
        assert (len(transport.requests), error.attempts) == (expected, expected), status


@pytest.mark.parametrize("status", range(300, 400))
def test_a_redirect_is_neither_followed_nor_success_nor_tried_again(status: int) -> None:
    transport = FakeTransport([reply(status, {"ok": True}, location="https://elsewhere.example/")])
    error = failure_of(lambda: calls(transport).make("heartbeat"))
    assert type(error) is RedirectError
    assert [request.url for request in transport.requests] == [
        "https://cxone.example/asc-manager/v1/heartbeat"
    ]


@pytest.mark.parametrize("kind", [NotSentError, OutcomeUnknownError])
def test_a_failed_exchange_is_tried_again(kind: type[TransportError]) -> None:
    transport = FakeTransport([kind("x"), kind("x"), reply(200)])
    assert calls(transport).make("heartbeat") == b""
    assert len(transport.requests) == 3


def test_a_refused_certificate_is_not_tried_again() -> None:
    error = failure_of(lambda: calls(FakeTransport([CertificateError("x")])).make("heartbeat"))
    assert error.attempts == 1


def test_the_number_of_attempts_can_be_set_for_one_call() -> None:
    error = failure_of(lambda: calls(FakeTransport([reply(503)])).make("heartbeat", attempts=1))
    assert error.attempts == 1


def test_retry_after_is_waited_for_and_told() -> None:
    clock = FakeClock()
    transport = FakeTransport([reply(429, retry_after="4"), reply(503, retry_after="2"), reply(200)])
    calls(transport, clock=clock).make("heartbeat")
    assert clock.sleeps == [4 * 1.05, 2 * 1.05]
    error = failure_of(lambda: calls(FakeTransport([reply(429, retry_after="120")])).make("heartbeat"))
    assert isinstance(error, RateLimitedError)
    assert (error.retry_after, error.attempts) == (120.0, 1), "a wait beyond the total time is not begun"
    error = failure_of(lambda: calls(always(lambda _: reply(500))).make("heartbeat"))
    assert isinstance(error, ServerError)
    assert error.retry_after is None


# --- 401 ----------------------------------------------------------------------------------------------


def test_a_refused_token_is_renewed_and_the_request_replayed_once() -> None:
    transport = FakeTransport([reply(401), reply(200, {"done": 1})])
    assert json.loads(calls(transport).make("heartbeat", b"body")) == {"done": 1}
    first, second = transport.requests
    assert (token_of(first), token_of(second)) == ("token-1", "token-2")
    assert first.headers == second.headers
    assert first.body == second.body == b"body"


def test_a_second_refusal_is_an_error_and_no_loop() -> None:
    transport = FakeTransport([reply(401), reply(401)])
    error = failure_of(lambda: calls(transport).make("heartbeat"))
    assert type(error) is TokenRejectedError
    assert error.attempts == 2


def test_there_is_one_replay_over_all_retries_of_a_call() -> None:
    transport, tokens = FakeTransport([reply(401), reply(503), reply(401)]), Tokens()
    error = failure_of(lambda: calls(transport, tokens=tokens).make("heartbeat"))
    assert type(error) is TokenRejectedError
    assert (error.attempts, tokens.number) == (3, 2)


def test_the_next_call_may_replay_again() -> None:
    transport = FakeTransport([reply(401), reply(200), reply(401), reply(200)])
    made = calls(transport)
    made.make("heartbeat")
    made.make("heartbeat")
    assert [token_of(request) for request in transport.requests] == [
        "token-1",
        "token-2",
        "token-2",
        "token-3",
    ]


def test_403_asks_for_no_new_token() -> None:
    tokens = Tokens()
    failure_of(lambda: calls(FakeTransport([reply(403)]), tokens=tokens).make("heartbeat"))
    assert tokens.number == 1


def test_a_token_that_is_not_renewable_yet_is_refused_at_once() -> None:
    tokens, clock = Tokens(), FakeClock(now=100.0)
    tokens.renewable_at = 100.5
    error = failure_of(
        lambda: calls(FakeTransport([reply(401)]), tokens=tokens, clock=clock).make("heartbeat")
    )
    assert type(error) is TokenRejectedError
    assert (error.attempts, tokens.number) == (1, 1)
    clock.now = 100.5
    calls(FakeTransport([reply(401), reply(200)]), tokens=tokens, clock=clock).make("heartbeat")
    assert tokens.number == 2


def test_but_it_is_replayed_where_another_thread_has_a_newer_one() -> None:
    tokens = Tokens()
    tokens.renewable_at = 9e9

    def renewed_meanwhile(_: Request) -> Response:
        tokens.number = 7
        return reply(401)

    transport = FakeTransport([renewed_meanwhile, reply(200)])
    calls(transport, tokens=tokens).make("heartbeat")
    assert [token_of(request) for request in transport.requests] == ["token-1", "token-7"]


# --- errors of the token source -----------------------------------------------------------------------


@pytest.mark.parametrize("signed", [True, False])
def test_what_the_token_source_raises_is_not_tried_again(signed: bool) -> None:
    raised = ServerError("HTTP 503", 503)
    if signed:
        raised.operation, raised.request_id, raised.attempts = "access_key_token", "its-own", 3
    transport, tokens, clock = FakeTransport(), Tokens(raised), FakeClock()
    error = failure_of(lambda: calls(transport, tokens=tokens, clock=clock).make("heartbeat"))
    assert error is raised
    assert (len(tokens.asked), clock.sleeps, transport.requests) == (1, [], [])
    if signed:
        assert (error.operation, error.request_id, error.attempts) == ("access_key_token", "its-own", 3)
    else:
        assert (error.operation, error.attempts) == ("heartbeat", 0)
        assert error.request_id
    assert error.__cause__ is error.__context__ is None


def test_any_other_exception_of_the_token_source_comes_out_as_it_is() -> None:
    raised = KeyError("of the caller's own")
    with pytest.raises(KeyError) as caught:
        calls(FakeTransport(), tokens=Tokens(raised)).make("heartbeat")
    assert caught.value is raised


def test_a_login_that_is_refused_during_the_replay_is_told_as_that() -> None:
    tokens = Tokens()

    def refuse(_: Request) -> Response:
        tokens.error = CredentialsRejectedError("HTTP 403", 403)
        return reply(401)

    error = failure_of(lambda: calls(FakeTransport([refuse]), tokens=tokens).make("heartbeat"))
    assert type(error) is CredentialsRejectedError


@pytest.mark.parametrize(
    ("before", "no_token"),
    [
        ([], True),
        ([reply(401)], True),
        ([reply(503)], False),
        ([OutcomeUnknownError("x")], False),
        ([reply(503), reply(401)], False),
    ],
    ids=["nothing sent", "refused with 401", "503", "outcome unknown", "503 and 401"],
)
def test_without_a_token_it_says_so_where_the_data_cannot_have_been_taken(
    before: list[Answer], no_token: bool
) -> None:
    class Drying(Tokens):
        def access_token(self, *, deadline: float | None = None) -> AccessToken:
            if len(self.asked) == len(before):
                self.error = OutcomeUnknownError("the login's answer was lost")
                self.error.operation = "access_key_token"
            return super().access_token(deadline=deadline)

    error = failure_of(lambda: calls(FakeTransport(before), tokens=Drying()).make("historical_report", b"{}"))
    assert type(error) is OutcomeUnknownError
    assert (error.operation, error.no_token) == ("access_key_token", no_token)
    assert ("may have taken it" in str(error)) != no_token


# --- what an error tells ------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", DATA_OPERATIONS)
def test_an_error_names_the_operation_the_request_id_and_the_attempts(operation: Operation) -> None:
    for answer in (reply(503), NotSentError("no connection"), SUSPECT["html"]):
        transport = FakeTransport([answer, answer, answer])
        error = failure_of(lambda transport=transport: calls(transport).make(operation))  # type: ignore[misc]
        [request_id] = {request.headers["X-Request-Id"] for request in transport.requests}
        assert (error.operation, error.request_id, error.attempts) == (operation, request_id, 3)
        assert operation in str(error)
        assert request_id in str(error)
        assert "attempts 3" in str(error)


@pytest.mark.parametrize("header", ["correlationid", "x-correlation-id", "x-request-id", "x-amzn-requestid"])
def test_an_error_carries_the_servers_id_of_the_request(header: str) -> None:
    error = failure_of(lambda: calls(FakeTransport([reply(400, **{header: "abc-1"})])).make("heartbeat"))
    assert isinstance(error, APIError)
    assert error.correlation_id == "abc-1"
    assert "abc-1" in str(error)


@pytest.mark.parametrize("key", ["error_description", "errorDescription", "message", "error"])
def test_an_error_carries_the_servers_own_words_from_json(key: str) -> None:
    error = failure_of(lambda: calls(FakeTransport([reply(400, {key: "No such ACD"})])).make("heartbeat"))
    assert isinstance(error, APIError)
    assert error.server_message == "No such ACD"
    assert "No such ACD" in str(error)


def test_the_header_icstatusdescription_comes_before_the_body() -> None:
    answer = reply(400, {"message": "body"}, icStatusDescription="header")
    error = failure_of(lambda: calls(FakeTransport([answer])).make("heartbeat"))
    assert isinstance(error, APIError)
    assert error.server_message == "header"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>secret page</html>",
        b'["message"]',
        b'{"message": 7, "error": {"a": 1}}',
        b'{"error": ""}',
    ],
)
def test_what_is_no_message_is_left_out(body: bytes) -> None:
    error = failure_of(lambda: calls(FakeTransport([Response(status=400, body=body)])).make("heartbeat"))
    assert isinstance(error, APIError)
    assert error.server_message == ""


def test_the_servers_words_hold_no_secret_and_no_control_character_and_are_short() -> None:
    said = "key-id key-secret token-1\r\nINFO forged\x1b[31m\u202e\u2028" + "x" * 1000
    answer = reply(400, {"message": said}, correlationid="token-1\tkey-secret")
    error = failure_of(lambda: calls(FakeTransport([answer])).make("heartbeat"))
    assert isinstance(error, APIError)
    assert error.server_message.startswith("*** *** ***  INFO forged [31m  xxx")
    assert len(error.server_message) == 300
    assert error.correlation_id == "*** ***"


def test_the_servers_words_hold_no_other_token_that_is_known_even_where_one_begins_another() -> None:
    said = "token-1 token-10 refresh-0"
    answer = reply(400, {"message": said}, correlationid=said)
    known = [Secret("token-1"), Secret("token-10"), Secret("refresh-0")]
    made = attrs.evolve(calls(FakeTransport([answer])), known=lambda: known)
    error = failure_of(lambda: made.make("heartbeat"))
    assert isinstance(error, APIError)
    assert error.server_message == error.correlation_id == "*** *** ***"


def test_a_suspect_answers_content_type_is_cleaned_as_well() -> None:
    answer = Response(status=200, headers={"content-type": "text/token-1\x1b" + "x" * 1000}, body=b"<html>")
    error = failure_of(lambda: calls(always(lambda _: answer)).make("heartbeat"))
    assert "token-1" not in str(error)
    assert "\x1b" not in str(error)
    assert len(error.detail) <= 300


@pytest.mark.parametrize("operation", TOKEN_OPERATIONS)
def test_errors_of_token_operations_never_carry_the_answer(operation: Operation) -> None:
    answer = reply(
        400, {"message": "your key is key-secret"}, icStatusDescription="said", correlationid="abc"
    )
    without = Calls(fake_config(), FakeTransport([answer]), FakeClock(), RetryQuota(), None)
    error = failure_of(lambda: without.make(operation, b"{}"))
    assert isinstance(error, APIError)
    assert (error.server_message, error.correlation_id) == ("", "")


# --- what is logged -----------------------------------------------------------------------------------


def test_each_request_is_one_debug_line_with_its_outcome(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="cxone_wfm")
    clock = FakeClock()

    def slow(_: Request) -> Response:
        clock.advance(1.25)
        return reply(200)

    transport = FakeTransport([NotSentError("x"), slow])
    calls(transport, clock=clock).make("heartbeat")
    request_id = transport.requests[0].headers["X-Request-Id"]
    url = "https://cxone.example/asc-manager/v1/heartbeat"
    assert [record.getMessage() for record in caplog.records] == [
        f"heartbeat: POST {url} -> failed in 0 ms (request id {request_id})",
        f"heartbeat: POST {url} -> 200 in 1250 ms (request id {request_id})",
    ]


def test_a_changed_base_url_takes_the_key_along_to_the_new_host_only():
    config = attrs.evolve(fake_config("https://old.example"), base_url="https://new.example")
    transport = FakeTransport([reply(200, {"access_token": "t", "expires_in": 3600}), reply(200)])
    WfmClient(config, transport=transport, clock=FakeClock()).heartbeat.send()
    assert {request.url.split("/")[2] for request in transport.requests} == {"new.example"}
