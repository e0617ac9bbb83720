"""The decisions of a sender: what may be sent, and what the end of a try means."""

import math
from collections.abc import Callable

import attrs
import pytest
from support.outbox import AT

from cxone_wfm import (
    APIError,
    CertificateError,
    CredentialsRejectedError,
    NotSentError,
    OutcomeUnknownError,
    PayloadRejectedError,
    PermissionDeniedError,
    RateLimitedError,
    RedirectError,
    RouteError,
    ServerError,
    SuspectAnswerError,
    TokenRejectedError,
    TransportError,
)
from cxone_wfm.errors import PayloadTooLargeError
from cxone_wfm.outbox import dispatch
from cxone_wfm.outbox._breaker import FATES, PARKED_IN_A_ROW, PROBE_SECONDS, RECENT, REFUSED_IN_A_ROW
from cxone_wfm.outbox.dispatch import Dispatcher
from cxone_wfm.outbox.store import KINDS, Attempt, EventKind, Outcome, StoredEvent, Want
from cxone_wfm.testing import fake_config

CHANCE = 0.5
CONFIG = attrs.evolve(fake_config(), max_batch=100)


def dispatcher(workers: int = 4) -> Dispatcher:
    return Dispatcher(CONFIG, workers, lambda: CHANCE)


def attempt(
    events: int = 1, *, first: int = 1, tries: int = 1, crashes: int = 0, kind: EventKind = "agent_state"
) -> Attempt:
    stored = tuple(
        StoredEvent(
            position=number,
            event_id=f"id-{number}",
            kind=kind,
            stream=f"s{number}",
            seq=1,
            accepted_at=AT,
            payload=b"{}",
        )
        for number in range(first, first + events)
    )
    return Attempt(number=first, kind=kind, events=stored, tries=tries, unknown=False, crashes=crashes)


def api(kind: type[APIError], status: int = 400, **attributes: object) -> APIError:
    error = kind(f"HTTP {status}", status)
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def no_token(error: TransportError | APIError) -> TransportError | APIError:
    error.no_token = True
    return error


def judge(it: Dispatcher, what: Attempt, error: Exception | None, now: float = 0.0) -> Outcome:
    """Send the attempt, and let it end so."""
    it.breakers[what.kind].in_flight += 1
    outcome = it.judge(what, error, now, AT)
    assert (outcome.attempt, outcome.at) == (what, AT)
    return outcome


def kinds(it: Dispatcher, now: float = 0.0) -> set[EventKind]:
    """What may be sent, asked without taking a place."""
    wants = it.wants(now)
    it.gave(wants, None, now)
    return {want.kind for want in wants}


def state_want(it: Dispatcher, now: float = 0.0) -> Want:
    wants = it.wants(now)
    it.gave(wants, None, now)
    return next(want for want in wants if want.kind == "agent_state")


# --- what may be sent ---------------------------------------------------------------------------------


def test_states_go_in_batches_and_reports_alone_and_the_body_keeps_its_bound() -> None:
    wants = {want.kind: want for want in dispatcher().wants(0.0)}
    assert {kind: want.most for kind, want in wants.items()} == {
        "agent_state": 100,
        "agent_activity_report": 1,
        "historical_report": 1,
    }
    body = len(b'{"agentStateList":[]}') + wants["agent_state"].most_bytes + 99
    assert body == CONFIG.max_batch_bytes
    assert {want.seconds for want in wants.values()} == {CONFIG.timeouts.total}
    assert not any(want.fresh_first for want in wants.values())


def test_the_kinds_take_turns() -> None:
    it = dispatcher()
    firsts = []
    for _ in range(6):
        wants = it.wants(0.0)
        firsts.append(wants[0].kind)
        it.gave(wants, None, 0.0)
    assert set(firsts[:3]) == set(firsts[3:]) == set(KINDS)


def test_there_are_as_many_places_as_workers_for_each_kind() -> None:
    it = dispatcher(workers=2)
    for _ in range(2):
        it.gave(it.wants(0.0, hurry=True), attempt(), -1.0)
    assert kinds(it) == set(KINDS) - {"agent_state"}
    it.judge(attempt(), None, 0.0, AT)
    assert kinds(it) == set(KINDS)


def test_after_a_small_request_states_are_gathered_and_reports_go_on() -> None:
    it = dispatcher()
    it.gave(it.wants(10.0), attempt(dispatch.FEW - 1), 10.0)
    assert it.gathers(10.0) == pytest.approx(dispatch.GATHER_SECONDS)
    assert kinds(it, 10.0) == set(KINDS) - {"agent_state"}
    assert [it.may_send(kind, 10.0) for kind in KINDS] == [False, True, True]
    assert {want.kind for want in it.wants(10.0, hurry=True)} == set(KINDS)
    assert it.gathers(10.0 + dispatch.GATHER_SECONDS) == 0
    assert kinds(it, 10.0 + dispatch.GATHER_SECONDS) == set(KINDS)
    assert it.may_send("agent_state", 10.0 + dispatch.GATHER_SECONDS)


@pytest.mark.parametrize(
    ("most", "given"),
    [
        (100, attempt(dispatch.FEW)),
        (20, attempt(20)),
        (100, attempt(tries=2)),
        (100, attempt(kind="historical_report")),
    ],
)
def test_after_a_request_that_had_no_room_for_more_states_nothing_is_gathered(
    most: int, given: Attempt
) -> None:
    it = dispatcher()
    it._most["agent_state"] = most
    it.gave(it.wants(10.0), given, 10.0)
    assert it.gathers(10.0) == 0


@pytest.mark.parametrize(("size", "gathers"), [(300, True), (450, False)])
def test_a_request_that_its_bytes_made_small_is_none_that_gathers(size: int, gathers: bool) -> None:
    it = Dispatcher(attrs.evolve(CONFIG, max_batch_bytes=8192), 4, lambda: CHANCE)
    given = attempt(10)
    given = attrs.evolve(
        given, events=tuple(attrs.evolve(each, payload=b"x" * size) for each in given.events)
    )
    it.gave(it.wants(10.0), given, 10.0)
    assert (it.gathers(10.0) > 0) is gathers


def test_who_found_no_place_is_told_of_a_free_one() -> None:
    it = dispatcher(workers=1)
    first = it.wants(0.0)
    assert it.wants(0.0) == []
    assert it.gave(first, None, 0.0) is True
    assert it.gave(it.wants(0.0), None, 0.0) is False


def test_a_place_that_is_taken_still_or_a_kind_that_rests_wakes_nobody() -> None:
    it = dispatcher(workers=1)
    it.gave(it.wants(0.0), attempt(), 0.0)  # on its way
    assert it.gave(it.wants(1.0), None, 1.0) is False  # others would look for states in vain, as this one did
    it, now = opened()
    assert "agent_state" not in kinds(it, now - 0.001)
    assert it.gave(it.wants(now - 0.001), None, now) is False
    assert not it.may_send("agent_state", now - 0.001)
    assert it.may_send("agent_state", now)


@pytest.mark.parametrize("turns", range(3))
def test_one_kind_that_found_no_place_is_enough_whichever_comes_first(turns: int) -> None:
    it = dispatcher(workers=1)
    for _ in range(turns):
        it.gave(it.wants(0.0), None, 0.0)
    it.gave(it.wants(0.0), attempt(), 0.0)
    it.gave(it.wants(0.0, hurry=True), None, 0.0)
    it.judge(attempt(), None, 0.0, AT)
    assert it.gave(it.wants(0.0, hurry=True), None, 0.0) is True


def test_a_set_that_is_given_out_again_waits_no_more() -> None:
    it = dispatcher(workers=9)
    fail(it, 3, lambda: NotSentError("x"))
    waiting = []
    for tries in (1, 2, 3, 2, 2):
        it.gave(it.wants(0.0), attempt(tries=tries), 0.0)
        waiting.append(it._waiting["agent_state"])
    assert waiting == [3, 2, 1, 0, 0]


# --- what an end means --------------------------------------------------------------------------------


def test_success_delivers_all() -> None:
    outcome = judge(dispatcher(), attempt(3), None)
    assert outcome == Outcome(attempt=attempt(3), delivered=("id-1", "id-2", "id-3"), at=AT)


UNKNOWN = [OutcomeUnknownError("x"), SuspectAnswerError("x"), api(ServerError, 500), api(ServerError, 502),
           api(ServerError, 504), api(ServerError, 503), api(ServerError, 408),
           RuntimeError("a bug")]  # fmt: skip
KNOWN = [
    NotSentError("x"),
    CertificateError("x"),
    api(ServerError, 425),
    api(RateLimitedError, 429),
    api(RouteError, 404),
    api(RedirectError, 302),
    api(PermissionDeniedError, 403),
    api(TokenRejectedError, 401),
    api(CredentialsRejectedError, 401),
    api(APIError, 418),
    no_token(OutcomeUnknownError("x")),
    no_token(api(ServerError, 500)),
    no_token(api(PayloadRejectedError, 400)),
]


@pytest.mark.parametrize("error", UNKNOWN + KNOWN, ids=repr)
def test_whatever_is_not_the_datas_fault_is_tried_again_whole(error: Exception) -> None:
    outcome = judge(dispatcher(), attempt(3), error)
    assert (outcome.delivered, outcome.dead) == ((), ())
    assert [each.event_ids for each in outcome.again] == [("id-1", "id-2", "id-3")]
    assert outcome.unknown == (error in UNKNOWN)


def test_the_wait_grows_with_the_failures_of_a_set_here_up_to_some_seconds() -> None:
    it = dispatcher()
    waits = [
        judge(it, attempt(tries=50), NotSentError("x"), now=7.0).again[0].not_before - 7.0 for _ in range(6)
    ]
    assert waits == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    judge(it, attempt(), None)
    assert judge(it, attempt(tries=50), NotSentError("x")).again[0].not_before == 0.5


def test_a_server_that_asks_for_time_gets_it_and_a_bit_more() -> None:
    it = dispatcher()
    outcome = judge(it, attempt(), api(ServerError, 503, retry_after=20.0), now=100.0)
    assert outcome.again[0].not_before == pytest.approx(121.0)
    assert "agent_state" not in kinds(it, 120.9)
    assert "historical_report" in kinds(it, 100.0)
    assert "agent_state" in kinds(it, 121.0)


# --- the breaker --------------------------------------------------------------------------------------


def fail(it: Dispatcher, times: int, error: Callable[[], Exception], now: float = 0.0) -> None:
    for number in range(times):
        judge(it, attempt(first=number + 1), error(), now)


def test_five_failures_in_a_row_open_it_for_a_time_that_grows() -> None:
    it = dispatcher()
    fail(it, 4, lambda: NotSentError("x"))
    assert "agent_state" in kinds(it)
    fail(it, 1, lambda: NotSentError("x"))
    assert kinds(it) == set(KINDS) - {"agent_state"}
    breaker, waits = it.breakers["agent_state"], []
    fail(it, 3, lambda: NotSentError("x"))  # these were on their way
    assert breaker.open_until == CHANCE
    for _ in range(8):
        opened = breaker.open_until
        fail(it, 1, lambda: NotSentError("x"), now=opened)
        waits.append((breaker.open_until - opened) / CHANCE)
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert breaker.blocked is False
    judge(it, attempt(), None, breaker.open_until)
    now = breaker.open_until
    fail(it, 5, lambda: NotSentError("x"), now)
    assert breaker.open_until == now + CHANCE


def test_after_a_success_the_failures_in_a_row_begin_anew() -> None:
    it = dispatcher()
    for _ in range(2):
        fail(it, 4, lambda: NotSentError("x"))
        judge(it, attempt(), None)
    assert "agent_state" in kinds(it)


def test_most_of_the_last_twenty_is_told_when_there_are_twenty() -> None:
    it = dispatcher()
    for number in range(1, RECENT + 1):
        assert it.breakers["agent_state"].cause == "", number
        judge(it, attempt(first=number), None if number % 3 == 0 else NotSentError("x"))
    assert it.breakers["agent_state"].cause


def test_a_time_that_a_late_answer_asks_for_counts_while_it_is_open() -> None:
    it, now = opened()
    judge(it, attempt(), api(ServerError, 503, retry_after=20.0), now - 0.4)
    assert it.breakers["agent_state"].open_until == pytest.approx(now - 0.4 + 21.0)


def test_success_between_failures_keeps_it_closed_until_most_fail() -> None:
    it = dispatcher()
    for _ in range(RECENT // 4):
        fail(it, 2, lambda: NotSentError("x"))
        judge(it, attempt(), None)
        fail(it, 1, lambda: NotSentError("x"))
    assert "agent_state" not in kinds(it)
    it = dispatcher()
    for _ in range(RECENT):
        fail(it, 1, lambda: NotSentError("x"))
        judge(it, attempt(), None)
    assert "agent_state" in kinds(it)


def opened() -> tuple[Dispatcher, float]:
    it = dispatcher()
    fail(it, 5, lambda: api(ServerError, 503))
    return it, it.breakers["agent_state"].open_until


def test_an_open_one_lets_one_small_fresh_request_through() -> None:
    it, now = opened()
    assert "agent_state" not in kinds(it, now - 0.001)
    assert "HTTP 503" in it.breakers["agent_state"].cause
    want = state_want(it, now)
    assert (want.most, want.fresh_first) == (1, True)
    it.gave(it.wants(now), attempt(), now)
    assert "agent_state" not in kinds(it, now)


def test_with_many_sets_waiting_it_tries_them_and_not_more_events() -> None:
    it, now = opened()
    for number in range(dispatch.MOST_WAITING - 5):
        assert state_want(it, now + 100.0 * number).fresh_first
        fail(it, 1, lambda: api(ServerError, 503), now + 100.0 * number)
    assert not state_want(it, now + 10_000.0).fresh_first
    it.gave(it.wants(now + 10_000.0), attempt(tries=2), now + 10_000.0)
    it.judge(attempt(), None, now + 10_000.0, AT)
    assert not state_want(it, now + 10_000.0).fresh_first


def test_a_probe_that_succeeds_closes_it_and_traffic_grows_again() -> None:
    it, now = opened()
    limits = []
    for _ in range(4):
        judge(it, attempt(), None, now)
        limits.append(it.breakers["agent_state"].limit)
    assert limits == [1, 2, 4, 4]
    want = state_want(it, now)
    assert (want.most, want.fresh_first) == (100, False)


def test_what_was_on_its_way_before_it_opened_does_not_close_it() -> None:
    it, now = opened()
    judge(it, attempt(), None, now - 0.001)
    assert "agent_state" not in kinds(it, now - 0.001)
    assert it.breakers["agent_state"].cause


def test_a_refusal_shows_that_the_route_works() -> None:
    it, now = opened()
    judge(it, attempt(), api(PayloadRejectedError, 422), now)
    assert it.breakers["agent_state"].cause == ""


@pytest.mark.parametrize(
    "error",
    [
        CertificateError("x"),
        api(RouteError, 404),
        api(PermissionDeniedError, 403),
        api(TokenRejectedError, 401),
        api(APIError, 402),
        no_token(api(PayloadRejectedError, 400)),
        no_token(api(CredentialsRejectedError, 401)),
    ],
    ids=repr,
)
def test_wrong_settings_block_the_kind_for_a_minute_each_time(error: Exception) -> None:
    it = dispatcher()
    judge(it, attempt(), error, 10.0)
    breaker = it.breakers["agent_state"]
    assert (breaker.blocked, breaker.open_until) == (True, 10.0 + PROBE_SECONDS)
    assert kinds(it, 10.0) == set(KINDS) - {"agent_state"}
    judge(it, attempt(), None, 10.0 + PROBE_SECONDS)
    assert (breaker.blocked, breaker.cause) == (False, "")


def test_a_redirect_blocks_at_the_third() -> None:
    it = dispatcher()
    blocked = []
    for _ in range(3):
        judge(it, attempt(), api(RedirectError, 302))
        blocked.append(it.breakers["agent_state"].blocked)
    assert blocked == [False, False, True]


def test_too_many_requests_make_every_kind_rest() -> None:
    it = dispatcher()
    outcome = judge(it, attempt(), api(RateLimitedError, 429, retry_after=10.0), 5.0)
    assert outcome.again[0].not_before == pytest.approx(15.5)
    assert kinds(it, 15.4) == set()
    assert kinds(it, 15.5) == set(KINDS)
    it = dispatcher()
    judge(it, attempt(), api(RateLimitedError, 429))
    assert kinds(it, 0.99) == set()
    assert kinds(it, 1.0) == set(KINDS)


def test_a_rest_does_not_hide_that_a_kind_is_blocked() -> None:
    it = dispatcher()
    judge(it, attempt(), api(RouteError, 404))
    judge(it, attempt(kind="historical_report"), api(RateLimitedError, 429))
    assert it.breakers["agent_state"].blocked
    assert "404" in it.breakers["agent_state"].cause


# --- bad data -----------------------------------------------------------------------------------------


def send_all(
    it: Dispatcher, events: int, answer: Callable[[tuple[str, ...]], Exception | None]
) -> tuple[list[Outcome], int]:
    """Send one set and all that comes of it; the outcomes, and how many requests it took."""
    waiting, outcomes = [attempt(events)], []
    while waiting and len(outcomes) < 5000:
        what = waiting.pop(0)
        outcome = judge(it, what, answer(tuple(each.event_id for each in what.events)), 0.0)
        outcomes.append(outcome)
        by_id = {each.event_id: each for each in what.events}
        waiting += [
            attrs.evolve(
                what, events=tuple(by_id[event_id] for event_id in each.event_ids), tries=what.tries + 1
            )
            for each in outcome.again
            if each.not_before == 0.0
        ]
    return outcomes, len(outcomes)


def refusing(bad: set[str]) -> Callable[[tuple[str, ...]], Exception | None]:
    return lambda ids: api(PayloadRejectedError, 400) if bad & set(ids) else None


@pytest.mark.parametrize("size", [1, 2, 3, 100, 499, 500])
@pytest.mark.parametrize("where", ["first", "last", "middle"])
def test_one_bad_event_is_found_with_few_requests_and_parked_alone(size: int, where: str) -> None:
    bad = f"id-{ {'first': 1, 'last': size, 'middle': (size + 1) // 2}[where] }"
    outcomes, requests = send_all(dispatcher(), size, refusing({bad}))
    assert [dead.event_id for each in outcomes for dead in each.dead] == [bad]
    assert sum(len(each.delivered) for each in outcomes) == size - 1
    assert requests <= 2 * math.ceil(math.log2(size)) + 1 if size > 1 else requests == 1
    assert {each.unknown for each in outcomes} == {False}


@pytest.mark.parametrize("count", range(1, 21))
def test_up_to_twenty_bad_events_are_parked_exactly(count: int) -> None:
    bad = {f"id-{number * 23 + 7}" for number in range(count)}
    outcomes, _ = send_all(dispatcher(), 500, refusing(bad))
    assert {dead.event_id for each in outcomes for dead in each.dead} == bad
    assert sum(len(each.delivered) for each in outcomes) == 500 - count


def test_a_dead_letter_says_what_the_server_said() -> None:
    error = PayloadRejectedError("HTTP 422", 422, "queueValue is unknown " * 500)
    (dead,) = judge(dispatcher(), attempt(), error).dead
    assert (dead.reason, dead.status) == ("refused", 422)
    assert "queueValue is unknown" in dead.detail
    assert len(dead.detail.encode()) <= 2048


def test_where_everything_is_refused_the_fuse_blows_and_nothing_more_is_parked() -> None:
    it = dispatcher()
    outcomes = [judge(it, attempt(first=number), api(PayloadRejectedError, 400)) for number in range(1, 61)]
    assert sum(len(each.dead) for each in outcomes) == PARKED_IN_A_ROW
    breaker = it.breakers["agent_state"]
    assert (breaker.blocked, breaker.systemic, breaker.open_until) == (True, True, PROBE_SECONDS)
    assert "refused" in breaker.cause
    assert {each.again[0].not_before for each in outcomes[PARKED_IN_A_ROW:]} == {PROBE_SECONDS}
    assert kinds(it) == set(KINDS) - {"agent_state"}


@pytest.mark.parametrize("parked", [0, PARKED_IN_A_ROW])
def test_fifty_refused_requests_in_a_row_are_looked_into_and_no_more(parked: int) -> None:
    it = dispatcher()
    error = api(PayloadRejectedError, 400)
    for number in range(parked):
        assert judge(it, attempt(first=number + 1), error).dead
    for number in range(parked, REFUSED_IN_A_ROW):
        assert len(judge(it, attempt(2, first=2 * number + 1), error).again) == 2
    assert len(judge(it, attempt(2, first=999), error).again) == 1
    assert it.breakers["agent_state"].systemic


def test_where_every_set_is_refused_the_fuse_blows_before_anything_is_parked() -> None:
    it = dispatcher()
    outcomes, requests = send_all(it, 500, refusing({f"id-{number}" for number in range(1, 501)}))
    assert requests <= 120
    assert [dead for each in outcomes for dead in each.dead] == []
    assert it.breakers["agent_state"].systemic
    outcome = judge(it, attempt(2), api(PayloadRejectedError, 400), PROBE_SECONDS)
    assert [each.event_ids for each in outcome.again] == [("id-1", "id-2")]


def test_twenty_bad_events_side_by_side_do_not_blow_it() -> None:
    for first in (1, 3, 100, 480):
        bad = {f"id-{number}" for number in range(first, first + 20)}
        outcomes, _ = send_all(dispatcher(), 500, refusing(bad))
        assert {dead.event_id for each in outcomes for dead in each.dead} == bad


def test_where_most_of_the_last_hundred_are_refused_the_fuse_blows_too() -> None:
    it = dispatcher()
    parked = 0
    for number in range(FATES):
        if number % 5 < 2:
            judge(it, attempt(first=number), None)
        else:
            parked += len(judge(it, attempt(first=number), api(PayloadRejectedError, 400)).dead)
    assert it.breakers["agent_state"].systemic
    assert parked == FATES * 3 // 5 - 1


def test_half_refused_is_not_most() -> None:
    it = dispatcher()
    for number in range(3 * FATES):
        judge(it, attempt(first=number), api(PayloadRejectedError, 400) if number % 2 else None)
    assert not it.breakers["agent_state"].systemic


def test_a_blown_fuse_closes_when_a_probe_is_taken_and_not_before() -> None:
    it = dispatcher()
    for number in range(PARKED_IN_A_ROW + 1):
        judge(it, attempt(first=number), api(PayloadRejectedError, 400))
    breaker = it.breakers["agent_state"]
    judge(it, attempt(), None, PROBE_SECONDS - 1)
    assert breaker.systemic
    probe = judge(it, attempt(first=99), api(PayloadRejectedError, 400), PROBE_SECONDS)
    assert (probe.dead, breaker.open_until) == ((), 2 * PROBE_SECONDS)
    judge(it, attempt(), None, 2 * PROBE_SECONDS)
    assert (breaker.systemic, breaker.cause, breaker.blocked) == (False, "", False)
    assert judge(it, attempt(first=99), api(PayloadRejectedError, 400), 2 * PROBE_SECONDS).dead


def test_what_is_too_large_is_halved_and_smaller_sets_follow() -> None:
    it = dispatcher()
    outcome = judge(it, attempt(9), api(PayloadTooLargeError, 413), 7.0)
    assert [len(each.event_ids) for each in outcome.again] == [4, 5]
    assert {each.not_before for each in outcome.again} == {7.0}
    assert outcome.unknown is False
    assert state_want(it).most == 4
    judge(it, attempt(40), api(PayloadTooLargeError, 413))
    assert state_want(it).most == 4
    judge(it, attempt(2), api(PayloadTooLargeError, 413))
    assert state_want(it).most == 1
    (dead,) = judge(it, attempt(), api(PayloadTooLargeError, 413)).dead
    assert (dead.reason, dead.status) == ("too_large", 413)


# --- an event that breaks the server ------------------------------------------------------------------


def test_a_set_that_keeps_failing_while_others_succeed_is_split() -> None:
    it = dispatcher()
    error = api(ServerError, 500)
    for tries in (1, 2, 3, 4):
        assert len(judge(it, attempt(4, tries=tries), error).again) == 1
    judge(it, attempt(first=50), None, 100.0)
    outcome = judge(it, attempt(4, tries=5), error, 100.0)
    assert [each.event_ids for each in outcome.again] == [("id-1", "id-2"), ("id-3", "id-4")]
    assert {each.not_before for each in outcome.again} == {104.0}
    assert outcome.unknown
    judge(it, attempt(first=50), None, 200.0)
    assert len(judge(it, attempt(4, first=70, tries=5), NotSentError("x"), 200.0).again) == 1


@pytest.mark.parametrize(
    ("events", "tries", "parts"),
    [(1, dispatch.SPLIT_TRIES, 1), (2, dispatch.SPLIT_TRIES, 2), (2, dispatch.SPLIT_TRIES - 1, 1)],
)
def test_what_can_be_split_is_split_at_the_third_try(events: int, tries: int, parts: int) -> None:
    it = dispatcher()
    judge(it, attempt(events), api(ServerError, 425))
    judge(it, attempt(first=50), None)
    outcome = judge(it, attempt(events, tries=tries), api(ServerError, 425))
    assert [each.event_ids for each in outcome.again] == (
        [("id-1",), ("id-2",)] if parts == 2 else [tuple(f"id-{n}" for n in range(1, events + 1))]
    )
    assert outcome.unknown is False, "a server that answers 425 has not looked at it"


@pytest.mark.parametrize(
    ("missing", "parked"),
    [("nothing", True), ("tries", False), ("time", False), ("successes", False), ("alone", False)],
)
def test_it_is_parked_when_tries_time_and_successes_of_others_are_enough(missing: str, parked: bool) -> None:
    it = dispatcher()
    error = OutcomeUnknownError("x")
    for number in range(dispatch.POISON_SUCCESSES):  # before the first failure: they say nothing
        judge(it, attempt(first=number + 900), None, 1000.0)
    judge(it, attempt(), error, 1000.0)
    for number in range(dispatch.POISON_SUCCESSES - (missing == "successes")):
        judge(it, attempt(first=number + 100), None, 2000.0)
    now = 1000.0 + dispatch.POISON_SECONDS - (missing == "time")
    tries = dispatch.POISON_TRIES - (missing == "tries")
    outcome = judge(it, attempt(1 + (missing == "alone"), tries=tries), error, now)
    assert [(dead.event_id, dead.reason) for dead in outcome.dead] == [("id-1", "suspected_poison")] * parked


@pytest.mark.parametrize(
    ("error", "status", "unknown"),
    [
        (OutcomeUnknownError("lost"), None, True),
        (api(ServerError, 500), 500, True),
        (api(ServerError, 425), 425, False),
    ],
    ids=repr,
)
def test_its_letter_says_what_came_of_it_last(error: Exception, status: int | None, unknown: bool) -> None:
    it = dispatcher()
    judge(it, attempt(), error)
    for number in range(dispatch.POISON_SUCCESSES):
        judge(it, attempt(first=number + 100), None)
    outcome = judge(it, attempt(tries=dispatch.POISON_TRIES), error, dispatch.POISON_SECONDS)
    (dead,) = outcome.dead
    assert (dead.status, dead.detail, outcome.unknown) == (status, str(error), unknown)


def test_success_forgets_the_trouble() -> None:
    it = dispatcher()
    judge(it, attempt(), OutcomeUnknownError("x"))
    judge(it, attempt(), None)
    assert it._troubles == {}
    judge(it, attempt(), OutcomeUnknownError("x"))
    judge(it, attempt(), api(PayloadRejectedError, 400))
    assert it._troubles == {}


# --- crashes ------------------------------------------------------------------------------------------


def test_what_comes_too_late_to_be_sent_waits_to_be_given_out_anew() -> None:
    it = dispatcher(1)
    late = attrs.evolve(attempt(2), send_before=5.0)
    assert it.before(late, 4.9, AT) is None
    (want, *_) = [each for each in it.wants(0.0) if each.kind == "agent_state"]
    it.gave([want], late, 0.0)
    outcome = it.before(late, 5.0, AT)
    assert outcome is not None
    assert [(each.event_ids, each.not_before) for each in outcome.again] == [(("id-1", "id-2"), 5.0)]
    assert outcome.at == AT
    assert (outcome.delivered, outcome.dead, outcome.unknown) == ((), (), False)
    assert it.breakers["agent_state"].in_flight == 0


def test_what_was_being_sent_before_three_crashes_is_sent_alone_and_then_parked() -> None:
    it = dispatcher()
    assert it.before(attempt(3, crashes=2), 1.0, AT) is None
    assert it.before(attempt(crashes=5), 1.0, AT) is None
    it.breakers["agent_state"].in_flight = 3
    pair = it.before(attempt(2, crashes=3), 1.0, AT)
    assert pair is not None
    assert [each.event_ids for each in pair.again] == [("id-1",), ("id-2",)]
    outcome = it.before(attempt(3, crashes=3), 1.0, AT)
    assert outcome is not None
    assert outcome.at == AT
    assert [each.event_ids for each in outcome.again] == [("id-1",), ("id-2",), ("id-3",)]
    assert {each.not_before for each in outcome.again} == {1.0}
    outcome = it.before(attempt(crashes=6), 1.0, AT)
    assert outcome is not None
    assert (outcome.attempt, outcome.at) == (attempt(crashes=6), AT)
    assert [(dead.event_id, dead.reason) for dead in outcome.dead] == [("id-1", "crashes")]
    assert outcome.dead[0].detail == "the process ended 6 times in a row while it sent this alone"
    assert it.breakers["agent_state"].in_flight == 0
