"""The client against the simulator, over real sockets: the main path, and every fault on its way."""

import base64
import io
import json
import logging
import os
import pickle
import queue
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from itertools import pairwise
from urllib.parse import quote, quote_plus

import attrs
import pytest
from support.page import AGENT_ACTIVITY_REPORT, AGENT_STATES, HISTORICAL_REPORT
from support.sockets import unused_port
from support.threads import PATIENCE, at_once

from cxone_wfm import (
    AgentActivityReport,
    AgentState,
    AgentStateList,
    APIError,
    CredentialsRejectedError,
    CXoneError,
    HeartbeatMonitor,
    HeartbeatStatus,
    HistoricalReport,
    NotSentError,
    OutcomeUnknownError,
    PayloadRejectedError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitedError,
    RedirectError,
    RetryPolicy,
    RouteError,
    ServerError,
    SuspectAnswerError,
    Timeouts,
    TokenRejectedError,
    TransportError,
    WfmClient,
)
from cxone_wfm.simulator import (
    AnswerLost,
    CutBefore,
    CutInside,
    Delay,
    Drip,
    ExpireToken,
    Html,
    InjectedFault,
    RateLimit,
    ReceivedRequest,
    Redirect,
    Simulator,
    Status,
    TooLong,
    state,
)
from cxone_wfm.testing import FakeClock

STATES = AgentStateList.from_json(AGENT_STATES).agent_state_list
ACTIVITY = AgentActivityReport.from_json(AGENT_ACTIVITY_REPORT)
HISTORICAL = HistoricalReport.from_json(HISTORICAL_REPORT)
NOON = datetime(2024, 4, 17, 12, 0, tzinfo=timezone.utc)


class UnhurriedClock:
    """The machine's time, in which a sleep is over at once."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        return time.monotonic() + sum(self.sleeps)

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)


@attrs.frozen
class Call:
    """One operation of a client, and how often the simulator holds what it brings."""

    operation: str
    make: Callable[[WfmClient], object]
    held: Callable[[Simulator], int]


CALLS = {
    call.operation: call
    for call in (
        Call("heartbeat", lambda wfm: wfm.heartbeat.send(), lambda sim: sim.received.heartbeats),
        Call(
            "agent_states",
            lambda wfm: wfm.agent_states.send(STATES),
            lambda sim: len(sim.received.agent_states),
        ),
        Call(
            "agent_activity_report",
            lambda wfm: wfm.reports.send_agent_activity(ACTIVITY),
            lambda sim: len(sim.received.agent_activity_reports),
        ),
        Call(
            "historical_report",
            lambda wfm: wfm.reports.send_historical(HISTORICAL),
            lambda sim: len(sim.received.historical_reports),
        ),
        Call(
            "acd_types",
            lambda wfm: wfm.heartbeat.acd_types(),
            lambda sim: [(r.operation, r.status) for r in sim.received.requests].count(("acd_types", 200)),
        ),
    )
}
EVERY_CALL = pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))


@pytest.fixture(scope="module")
def one_simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(one_simulator: Simulator) -> Simulator:
    """A simulator that has received nothing."""
    one_simulator.reset()
    return one_simulator


@pytest.fixture
def clock() -> UnhurriedClock:
    return UnhurriedClock()


@pytest.fixture
def wfm(simulator: Simulator, clock: UnhurriedClock) -> Iterator[WfmClient]:
    with WfmClient(simulator.config(), clock=clock) as client:
        yield client


def requests_of(simulator: Simulator, operation: str) -> list[ReceivedRequest]:
    return [request for request in simulator.received.requests if request.operation == operation]


def statuses(simulator: Simulator, *, without_token: bool = False) -> list[tuple[str, object]]:
    token = ("access_key_token", "refresh_token") if without_token else ()
    return [(r.operation, r.status) for r in simulator.received.requests if r.operation not in token]


def test_the_main_path_with_the_pages_samples(simulator: Simulator, wfm: WfmClient) -> None:
    first = wfm.auth.login()
    second = wfm.auth.refresh()
    assert (first.generation, second.generation) == (1, 2)
    assert first.value != second.value
    assert wfm.heartbeat.acd_types().names == ("Generic_acdName", "Generic_LiveVox")
    wfm.heartbeat.send()
    assert wfm.agent_states.send(STATES).requests == 1
    wfm.reports.send_agent_activity(ACTIVITY)
    wfm.reports.send_historical(HISTORICAL)
    received = simulator.received
    assert [(r.operation, r.status) for r in received.requests] == [
        (operation, 200)
        for operation in (
            "access_key_token",
            "refresh_token",
            "acd_types",
            "heartbeat",
            "agent_states",
            "agent_activity_report",
            "historical_report",
        )
    ]
    assert received.heartbeats == 1
    assert AgentStateList(agent_state_list=received.agent_states).to_json() == compact(AGENT_STATES)
    assert [report.to_json() for report in received.agent_activity_reports] == [compact(ACTIVITY.to_json())]
    held = received.historical_reports[0].to_json()
    assert json.loads(held) == json.loads(HISTORICAL_REPORT)
    ids = [request.request_id for request in received.requests]
    assert len(set(ids)) == len(ids)
    assert all(ids)


def compact(text: str | bytes) -> bytes:
    return json.dumps(json.loads(text), separators=(",", ":")).encode()


# Faults that are ridden out


@attrs.frozen
class Trouble:
    """A fault that passes: how the simulator logs it, and how many copies it holds when all is over."""

    name: str
    fault: InjectedFault
    logged: object
    copies: int = 1


TROUBLES = (
    Trouble("500", Status(500), 500),
    Trouble("503", Status(503), 503),
    Trouble("408", Status(408), 408),
    Trouble("429", RateLimit(0), 429),
    Trouble("HTML", Html(), 200),
    Trouble("too long", TooLong(2 * 1024 * 1024), 200),
    Trouble("cut before", CutBefore(), "cut"),
    # Here the server took it before the answer broke, so it has it twice: the same bytes, the same id.
    Trouble("cut inside", CutInside(), "cut", copies=2),
    Trouble("answer lost", AnswerLost(), "cut", copies=2),
)


@EVERY_CALL
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_what_may_pass_is_tried_again_until_it_is_confirmed(
    call: Call, trouble: Trouble, simulator: Simulator, wfm: WfmClient
) -> None:
    simulator.fail(call.operation, trouble.fault)
    call.make(wfm)
    tried = requests_of(simulator, call.operation)
    assert [request.status for request in tried] == [trouble.logged, 200]
    assert len({request.request_id for request in tried}) == 1
    assert len({request.body for request in tried}) == 1
    assert simulator.received.logins == 1
    if call.operation != "acd_types":
        assert call.held(simulator) == trouble.copies


@pytest.mark.parametrize(
    "fault",
    [Status(500), RateLimit(0), Html(), TooLong(2 * 1024 * 1024), CutBefore(), CutInside(), AnswerLost()],
)
def test_a_login_that_may_work_later_is_tried_again(
    fault: InjectedFault, simulator: Simulator, wfm: WfmClient
) -> None:
    simulator.fail("access_key_token", fault)
    wfm.heartbeat.send()
    assert len(requests_of(simulator, "access_key_token")) == 2
    assert simulator.received.heartbeats == 1


@pytest.mark.parametrize(
    "fault", [Status(503), Status(400), Html(), CutBefore(), CutInside(), AnswerLost()], ids=repr
)
def test_where_a_refresh_fails_a_login_helps(
    fault: InjectedFault, simulator: Simulator, wfm: WfmClient
) -> None:
    wfm.heartbeat.send()
    simulator.expire_tokens()
    simulator.fail("refresh_token", fault)
    wfm.heartbeat.send()
    assert len(requests_of(simulator, "refresh_token")) == 1
    assert simulator.received.logins == 2
    assert simulator.received.heartbeats == 2


def test_a_slow_answer_in_time_is_an_answer(simulator: Simulator, wfm: WfmClient) -> None:
    simulator.fail("acd_types", Drip(400))
    simulator.fail("heartbeat", Delay(0.05))
    assert wfm.heartbeat.acd_types().names == ("Generic_acdName", "Generic_LiveVox")
    wfm.heartbeat.send()
    assert statuses(simulator, without_token=True) == [("acd_types", 200), ("heartbeat", 200)]


# Faults that stay


@EVERY_CALL
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, PayloadRejectedError),
        (409, PayloadRejectedError),
        (422, PayloadRejectedError),
        (413, PayloadTooLargeError),
        (403, PermissionDeniedError),
        (404, RouteError),
        (405, RouteError),
        (501, RouteError),
        (304, RedirectError),
        (418, APIError),
    ],
)
def test_what_will_not_pass_is_raised_at_once_as_its_class(
    call: Call, status: int, kind: type[APIError], simulator: Simulator, wfm: WfmClient
) -> None:
    simulator.fail(call.operation, Status(status))
    with pytest.raises(APIError) as caught:
        call.make(wfm)
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.operation, error.attempts) == (status, call.operation, 1)
    (request,) = requests_of(simulator, call.operation)
    assert error.request_id == request.request_id
    assert error.request_id in str(error)


@EVERY_CALL
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Status(503), ServerError),
        (RateLimit(0), RateLimitedError),
        (Html(), SuspectAnswerError),
        (TooLong(2 * 1024 * 1024), SuspectAnswerError),
        (CutBefore(), OutcomeUnknownError),
        (CutInside(), OutcomeUnknownError),
        (AnswerLost(), OutcomeUnknownError),
    ],
    ids=["503", "429", "HTML", "too long", "cut before", "cut inside", "answer lost"],
)
def test_what_lasts_is_raised_as_its_class_after_three_requests(
    call: Call, fault: InjectedFault, kind: type[CXoneError], simulator: Simulator, wfm: WfmClient
) -> None:
    simulator.fail(call.operation, fault, times=10)
    with pytest.raises(CXoneError) as caught:
        call.make(wfm)
    error = caught.value
    assert type(error) is kind
    assert isinstance(error, (TransportError, APIError))
    assert (error.operation, error.attempts) == (call.operation, 3)
    assert len(requests_of(simulator, call.operation)) == 3


def test_the_servers_own_words_are_in_the_error(simulator: Simulator, wfm: WfmClient) -> None:
    body = b'{"message": "queue 8057 is not mapped"}'
    simulator.fail("historical_report", Status(422, headers={"CorrelationId": "abc-1"}, body=body))
    with pytest.raises(PayloadRejectedError) as caught:
        wfm.reports.send_historical(HISTORICAL)
    assert caught.value.server_message == "queue 8057 is not mapped"
    assert caught.value.correlation_id == "abc-1"


@EVERY_CALL
def test_a_redirect_is_never_followed(call: Call, simulator: Simulator, wfm: WfmClient) -> None:
    with Simulator() as elsewhere:
        simulator.fail(call.operation, Redirect(f"{elsewhere.base_url}/asc-manager/v1/heartbeat"))
        with pytest.raises(RedirectError):
            call.make(wfm)
        assert elsewhere.received.requests == ()
    assert len(requests_of(simulator, call.operation)) == 1


@pytest.mark.parametrize("operation", ["access_key_token", "refresh_token"])
def test_a_redirect_of_a_token_request_is_never_followed(
    operation: str, simulator: Simulator, wfm: WfmClient
) -> None:
    wfm.auth.login()
    with Simulator() as elsewhere:
        simulator.fail("*", Redirect(f"{elsewhere.base_url}/authentication/v1/token/access-key"), times=2)
        with pytest.raises(RedirectError):
            _ = wfm.auth.login() if operation == "access_key_token" else wfm.auth.refresh()
        assert elsewhere.received.requests == ()


def test_nothing_listens(wfm: WfmClient, simulator: Simulator, clock: UnhurriedClock) -> None:
    nowhere = simulator.config(base_url=f"http://127.0.0.1:{unused_port()}")
    with WfmClient(nowhere, clock=clock) as client, pytest.raises(NotSentError) as caught:
        client.heartbeat.send()
    assert (caught.value.operation, caught.value.attempts) == ("access_key_token", 3)


# Time


@pytest.mark.parametrize("fault", [Delay(60), Drip(1), Drip(1, headers=True)], ids=repr)
def test_the_total_time_ends_what_never_comes_to_an_end(fault: InjectedFault, simulator: Simulator) -> None:
    config = simulator.config(timeouts=Timeouts(connect=5, read=5, total=0.4))
    with WfmClient(config) as client:
        client.auth.login()
        simulator.fail("acd_types", fault, times=3)
        began = time.monotonic()
        with pytest.raises(OutcomeUnknownError, match="total time"):
            client.heartbeat.acd_types()
        assert 0.3 < time.monotonic() - began < 3
    assert len(requests_of(simulator, "acd_types")) == 1


def test_a_read_that_takes_too_long_is_tried_again(simulator: Simulator) -> None:
    config = simulator.config(
        timeouts=Timeouts(connect=5, read=0.1, total=30), retry=RetryPolicy(first_wait=0.001)
    )
    with WfmClient(config) as client:
        client.auth.login()
        simulator.fail("heartbeat", Delay(60))
        client.heartbeat.send()
    assert len(requests_of(simulator, "heartbeat")) == 2


@EVERY_CALL
def test_a_429_is_waited_for_as_long_as_it_says(
    call: Call, simulator: Simulator, wfm: WfmClient, clock: UnhurriedClock
) -> None:
    simulator.fail(call.operation, RateLimit(7))
    call.make(wfm)
    (waited,) = clock.sleeps
    assert 7 <= waited <= 7.7


def test_a_429_with_a_date_counts_from_the_servers_own_date(
    simulator: Simulator, wfm: WfmClient, clock: UnhurriedClock
) -> None:
    until = datetime.now(timezone.utc) + timedelta(seconds=20)
    simulator.fail("heartbeat", RateLimit(format_datetime(until, usegmt=True)))
    wfm.heartbeat.send()
    (waited,) = clock.sleeps
    assert 15 <= waited <= 22


def test_a_429_beyond_the_total_time_is_raised_at_once_with_its_time(
    simulator: Simulator, wfm: WfmClient, clock: UnhurriedClock
) -> None:
    simulator.fail("heartbeat", RateLimit(500))
    with pytest.raises(RateLimitedError) as caught:
        wfm.heartbeat.send()
    assert (caught.value.retry_after, caught.value.attempts) == (500, 1)
    assert clock.sleeps == []


# Tokens


@EVERY_CALL
def test_a_token_that_expires_on_the_way_costs_one_refresh_and_one_replay(
    call: Call, simulator: Simulator, wfm: WfmClient, clock: UnhurriedClock
) -> None:
    simulator.fail(call.operation, ExpireToken())
    call.make(wfm)
    assert statuses(simulator) == [
        ("access_key_token", 200),
        (call.operation, 401),
        ("refresh_token", 200),
        (call.operation, 200),
    ]
    refused, taken = requests_of(simulator, call.operation)
    assert refused.request_id == taken.request_id
    assert refused.body == taken.body
    assert call.held(simulator) == 1
    assert clock.sleeps == []


def test_a_fresh_token_that_is_refused_too_is_an_error_and_no_loop(
    simulator: Simulator, wfm: WfmClient
) -> None:
    simulator.fail("heartbeat", ExpireToken(), times=2)
    with pytest.raises(TokenRejectedError) as caught:
        wfm.heartbeat.send()
    assert caught.value.attempts == 2
    assert (simulator.received.logins, simulator.received.refreshes) == (1, 1)


THREADS = 16
LIFE = 60


@pytest.fixture
def short_lived() -> Iterator[tuple[Simulator, FakeClock]]:
    """A simulator whose tokens live for a minute of the clock, which the client shares."""
    clock = FakeClock()
    with Simulator(token_life=LIFE, one_time_refresh=True, clock=clock.monotonic) as simulator:
        yield simulator, clock


def token_requests(simulator: Simulator) -> list[tuple[str, object]]:
    return [each for each in statuses(simulator) if each[0].endswith("_token")]


def test_many_threads_make_as_few_token_requests_as_one(short_lived: tuple[Simulator, FakeClock]) -> None:
    simulator, clock = short_lived
    with WfmClient(simulator.config(), clock=clock) as client:

        def beat(_: int) -> None:
            client.heartbeat.send()

        def all_beat() -> list[tuple[str, object]]:
            simulator.reset()
            assert at_once(THREADS, beat) == []
            assert simulator.received.heartbeats == THREADS
            assert len(requests_of(simulator, "heartbeat")) == THREADS
            return token_requests(simulator)

        login, refresh = ("access_key_token", 200), ("refresh_token", 200)
        assert all_beat() == [login]
        assert all_beat() == []
        clock.advance(LIFE - 10)  # it is good still, but old
        assert all_beat() == [refresh]
        clock.advance(LIFE + 1)  # it has expired
        assert all_beat() == [refresh]
        clock.advance(2 * LIFE + 1)  # the refresh token has, too
        assert all_beat() == [("refresh_token", 401), login]


def test_tokens_that_the_server_forgets_cost_many_threads_one_renewal(
    short_lived: tuple[Simulator, FakeClock],
) -> None:
    simulator, clock = short_lived
    with WfmClient(simulator.config(), clock=clock) as client:
        client.heartbeat.send()
        simulator.expire_tokens()
        assert at_once(THREADS, lambda _: client.reports.send_historical(HISTORICAL)) == []
    assert token_requests(simulator) == [("access_key_token", 200), ("refresh_token", 200)]
    assert len(simulator.received.historical_reports) == THREADS


def test_a_refresh_token_for_one_use_is_used_once(short_lived: tuple[Simulator, FakeClock]) -> None:
    simulator, clock = short_lived
    with WfmClient(simulator.config(), clock=clock) as client:
        client.heartbeat.send()
        for _ in range(3):
            clock.advance(LIFE + 1)
            client.heartbeat.send()
        clock.advance(LIFE + 1)
        simulator.fail("refresh_token", AnswerLost())  # spent, and nobody has the new one
        simulator.fail("access_key_token", Status(503), times=3)
        with pytest.raises(ServerError):
            client.heartbeat.send()
        client.heartbeat.send()
        clock.advance(LIFE + 1)
        client.heartbeat.send()
    refresh, login = ("refresh_token", 200), ("access_key_token", 200)
    assert token_requests(simulator) == [
        login,
        *[refresh] * 3,
        ("refresh_token", "cut"),
        *[("access_key_token", 503)] * 3,
        login,
        refresh,
    ]


def test_a_revoked_key_is_told_to_all_and_asked_for_once(short_lived: tuple[Simulator, FakeClock]) -> None:
    simulator, clock = short_lived
    simulator.revoke_key()
    with WfmClient(simulator.config(), clock=clock) as client:

        def beat(_: int) -> None:
            client.heartbeat.send()

        for _ in range(3):
            outcomes = at_once(THREADS, beat)
            assert [type(outcome) for outcome in outcomes] == [CredentialsRejectedError] * THREADS
        assert token_requests(simulator) == [("access_key_token", 401)]
        clock.advance(31)
        with pytest.raises(CredentialsRejectedError):
            client.heartbeat.send()
        assert len(token_requests(simulator)) == 2
        simulator.reset()
        clock.advance(301)
        client.heartbeat.send()
    assert simulator.received.heartbeats == 1
    assert requests_of(simulator, "heartbeat")[0].status == 200


# Many states


def states_of(agents: int, *, times: int = 1) -> list[AgentState]:
    return [
        AgentState(
            login_id=f"agent{number}",
            acd_id="My_ACD",
            event_code=f"STATE_{time_}",
            event_utc_time=NOON + timedelta(seconds=3 * time_),
        )
        for time_ in range(times)
        for number in range(agents)
    ]


def test_two_thousand_agents_arrive_in_order_in_requests_of_500(simulator: Simulator, wfm: WfmClient) -> None:
    states = states_of(2000)
    sent = wfm.agent_states.send(iter(states))
    assert (sent.states, sent.requests) == (2000, 4)
    assert list(simulator.received.agent_states) == states
    bodies = [json.loads(request.body) for request in requests_of(simulator, "agent_states")]
    assert [len(body["agentStateList"]) for body in bodies] == [500] * 4


def test_trouble_between_the_requests_keeps_the_order(simulator: Simulator, wfm: WfmClient) -> None:
    states = states_of(250, times=2)
    for fault in (Status(503), ExpireToken(), CutBefore(), RateLimit(1)):
        simulator.fail("agent_states", fault)
        simulator.fail("agent_states", Delay(0))  # the usual answer
    wfm.with_options(max_batch=100).agent_states.send(states)
    assert list(simulator.received.agent_states) == states
    tried = [request.status for request in requests_of(simulator, "agent_states")]
    assert tried == [503, 200, 401, 200, "cut", 200, 429, 200, 200]


def test_no_request_holds_two_states_of_one_agent(simulator: Simulator, wfm: WfmClient) -> None:
    states = states_of(3, times=4)
    assert wfm.agent_states.send(states).requests == 4
    assert list(simulator.received.agent_states) == states


def test_an_error_says_how_many_states_were_confirmed_before(simulator: Simulator, wfm: WfmClient) -> None:
    simulator.fail("agent_states", Delay(0), times=2)  # two usual answers
    simulator.fail("agent_states", Status(422))
    with pytest.raises(PayloadRejectedError) as caught:
        wfm.with_options(max_batch=10).agent_states.send(states_of(25))
    assert caught.value.delivered == 20
    assert len(simulator.received.agent_states) == 20


# The monitor


def test_the_monitor_says_when_the_server_goes_and_comes_back() -> None:
    changes: queue.Queue[bool | None] = queue.Queue()
    heard: list[bool | None] = []
    errors: list[Exception | None] = []

    def went_down(status: HeartbeatStatus) -> None:
        errors.append(status.last_error)
        changes.put(status.up)

    def said(
        up: bool,
    ) -> None:  # on a busy machine a beat may take too long, and the link is down for a while
        while not heard or heard[-1] is not up:
            heard.append(changes.get(timeout=PATIENCE))

    first = Simulator()
    first.start()
    config = first.config(timeouts=Timeouts(connect=1, read=1, total=1))
    port = int(first.base_url.rpartition(":")[2])
    with (
        WfmClient(config) as client,
        HeartbeatMonitor(
            client.heartbeat,
            interval=0.1,
            on_up=lambda status: changes.put(status.up),
            on_down=went_down,
        ) as monitor,
    ):
        said(True)
        first.stop()
        said(False)
        assert isinstance(errors[-1], CXoneError)
        with Simulator(port=port) as second:  # it knows none of the tokens of the first
            while not second.received.heartbeats:
                said(False)
                said(True)
            began = time.monotonic()
            monitor.stop()
            assert time.monotonic() - began < 1
            beats = second.received.heartbeats
            while not changes.empty():
                heard.append(changes.get())
            assert monitor.status().up is heard[-1]
            assert second.received.heartbeats == beats
    assert [now for before, now in pairwise(heard) if now is before] == []
    assert [t.name for t in threading.enumerate() if t.name == "cxone-wfm-heartbeat"] == []


# Processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_client_works_on_in_a_forked_child_and_in_its_parent(simulator: Simulator) -> None:
    with WfmClient(simulator.config()) as client:
        client.heartbeat.send()
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # a fork beside threads is what is tested here
            child = os.fork()
        if child == 0:
            try:
                client.heartbeat.send()
                client.reports.send_historical(HISTORICAL)
                os._exit(0)
            finally:
                os._exit(1)
        _, ended = os.waitpid(child, 0)
        client.heartbeat.send()
    assert os.waitstatus_to_exitcode(ended) == 0
    assert simulator.received.heartbeats == 3
    assert len(simulator.received.historical_reports) == 1
    assert simulator.received.logins == 2


# Secrets

KEY_ID = 'canary+key/id "4711"%'
KEY_SECRET = 'canary+secret/"0815"?&='


def forms_of(secret: str) -> set[str]:
    """The secret as it is, and as it would stand in URLs, JSON, headers and dumps; its beginning, too."""
    raw = secret.encode()
    encoded = {base64.b64encode(b" " * pad + raw)[4 * bool(pad) : -4].decode() for pad in range(3)}
    return {
        secret,
        secret[:10],
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        raw.hex(),
        raw.hex().upper(),
        base64.urlsafe_b64encode(raw).rstrip(b"=").decode(),
        *encoded,
    }


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """The error, its causes and its contexts, hidden ones too."""
    waiting: list[BaseException | None] = [error]
    seen: list[BaseException] = []
    while waiting:
        each = waiting.pop()
        if each is not None and each not in seen:
            seen.append(each)
            waiting += [each.__cause__, each.__context__]
            yield each


def told_by(error: BaseException) -> str:
    """Everything that a tool could show of an error, the locals of every frame included."""
    texts = []
    for each in chain_of(error):
        told = traceback.TracebackException.from_exception(each, capture_locals=True)
        texts += [*told.format(), repr(each), str(each), repr(each.args), repr(vars(each))]
        with suppress(TypeError):  # not everything can be pickled
            texts.append(pickle.dumps(each, protocol=0).decode("latin-1"))
    return "\n".join(texts)


@attrs.define
class Written:
    """All that was written anywhere. It shows nothing of itself, for it stands in the frames it collects."""

    texts: list[str] = attrs.field(factory=list, repr=False)
    errors: set[str] = attrs.field(factory=set)

    def outcome(self, call: Callable[[], object]) -> None:
        """Make the call, and keep what it gives or how it fails."""
        try:
            self.texts.append(repr(call()))
        except Exception as error:  # noqa: BLE001 - every error is looked at
            self.texts.append(told_by(error))
            self.errors.add(type(error).__name__)


@contextmanager
def everything_written() -> Iterator[Written]:
    """Collects, beside the outcomes, what every logger says at DEBUG, urllib3's among them."""
    written = Written()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(args)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield written
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        written.texts.append(stream.getvalue())


def found_in(text: str, secrets: Iterable[str]) -> list[str]:
    return [form for secret in secrets for form in forms_of(secret) if form in text]


TOKENS: list[str] = []
EVERY_FAULT: tuple[InjectedFault, ...] = (
    Status(401),
    Status(403),
    Status(404),
    Status(422),
    Status(500),
    RateLimit(0),
    RateLimit(999),
    Html(),
    Redirect("https://elsewhere.example/"),
    TooLong(2 * 1024 * 1024),
    CutBefore(),
    CutInside(),
    AnswerLost(),
    ExpireToken(),
)


def walk(simulator: Simulator, clock: UnhurriedClock, written: Written) -> None:
    """The main path, then every fault on every call, then what users do wrong."""
    with WfmClient(simulator.config(), clock=clock) as wfm:
        written.outcome(lambda: (wfm, vars(wfm), wfm.config, vars(wfm.auth), vars(wfm.auth._cache)))
        written.outcome(wfm.auth.login)
        written.outcome(wfm.auth.refresh)
        for call in CALLS.values():
            written.outcome(lambda call=call: call.make(wfm))  # type: ignore[misc]
        token_calls = {"access_key_token": wfm.auth.login, "refresh_token": wfm.auth.refresh}
        for operation in (*CALLS, *token_calls):
            for fault in (*EVERY_FAULT, None):
                simulator.reset()
                simulator.fail(operation, fault or echo(wfm), times=3)
                written.outcome(
                    token_calls.get(operation) or (lambda name=operation: CALLS[name].make(wfm))  # type: ignore[misc]
                )
        simulator.reset()
        simulator.revoke_key()
        written.outcome(wfm.auth.login)
        simulator.reset()
        written.outcome(wfm.auth.login)
        written.outcome(lambda: beat_with_a_callback_that_raises(wfm))
        written.outcome(lambda: wfm.reports.send_historical(STATES))  # type: ignore[arg-type]
        written.outcome(lambda: wfm.agent_states.send([1]))  # type: ignore[list-item]
        written.outcome(lambda: attrs.evolve(wfm.config, base_url="http://elsewhere.example", max_batch=0))
        written.outcome(lambda: pickle.dumps(wfm.config))
    written.outcome(wfm.heartbeat.send)


def echo(wfm: WfmClient) -> Status:
    """A server that repeats in its error what it was sent."""
    token = wfm.auth.access_token().value.reveal()
    body = {"message": f"the token {token} of the key {KEY_ID} with {KEY_SECRET} is not good"}
    return Status(400, body=json.dumps(body).encode())


def beat_with_a_callback_that_raises(wfm: WfmClient) -> HeartbeatStatus:
    called = threading.Event()

    def fail(status: HeartbeatStatus) -> None:
        called.set()
        raise ValueError(status)

    with HeartbeatMonitor(wfm.heartbeat, on_up=fail) as monitor:
        assert called.wait(PATIENCE)
        return monitor.status()


def test_no_secret_is_written_anywhere(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], clock: UnhurriedClock
) -> None:
    make = state._new_token

    def remembered() -> str:
        TOKENS.append(make())
        return TOKENS[-1]

    TOKENS.clear()
    monkeypatch.setattr(state, "_new_token", remembered)
    with (
        Simulator(access_key_id=KEY_ID, access_key_secret=KEY_SECRET) as simulator,
        everything_written() as written,
    ):
        walk(simulator, clock, written)
    text = "\n".join([*written.texts, *capfd.readouterr()])
    assert found_in(text, [KEY_ID, KEY_SECRET, *TOKENS]) == []

    # And it was looked at: tokens there were, errors of all kinds, and what the loggers said.
    assert len(TOKENS) > 20
    assert {
        "ServerError",
        "CredentialsRejectedError",
        "OutcomeUnknownError",
        "RuntimeError",
        "TypeError",
    } <= (written.errors)
    for told in (
        "urllib3.connectionpool DEBUG",
        "cxone_wfm._calls DEBUG",
        "of the key *** with ***",
        "Secret(***",
    ):
        assert told in text


@pytest.mark.parametrize(
    "leak",
    [
        f"{{'key': {KEY_SECRET!r}}}",
        f"https://host.example/?key={quote(KEY_SECRET, safe='')}",
        f"https://host.example/?key={quote_plus(KEY_SECRET)}",
        json.dumps({"accessKeySecret": KEY_SECRET}),
        json.dumps(json.dumps({"accessKeySecret": KEY_SECRET})),
        "Basic " + base64.b64encode(f"user:{KEY_SECRET}".encode()).decode(),
        "Basic " + base64.b64encode(f"users:{KEY_SECRET}".encode()).decode(),
        "Basic " + base64.urlsafe_b64encode(f"user1:{KEY_SECRET}".encode()).decode(),
        KEY_SECRET.encode().hex(" ").replace(" ", "").upper(),
        f"key={KEY_SECRET[:12]}...",
    ],
)
def test_that_search_would_find_a_secret_in_any_of_its_forms(leak: str) -> None:
    assert found_in(leak, [KEY_SECRET])
    assert not found_in("nothing of the kind", [KEY_SECRET])
