"""What the sender promises: everything once, in order, to the byte; ends that are never overstated."""

import logging
import os
import posix
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import attrs
import pytest
from support.exchange import always, document, granted, operation_of
from support.outbox import AT, SqlitePlace, again, delivered, event, report, state, take, want
from support.threads import PATIENCE, Background, Gate

from cxone_wfm import (
    AgentActivityReport,
    ConfigurationError,
    ForkedOutboxError,
    NotSentError,
    OutboxFull,
    OutboxUnavailable,
    OutcomeUnknownError,
    Request,
    Response,
    WfmClient,
)
from cxone_wfm.config import Timeouts
from cxone_wfm.outbox import DurableSender, FlushResult, Limits, Observer, Outbox, SenderCounters, TryResult
from cxone_wfm.outbox import sender as sender_module
from cxone_wfm.outbox.identity import new_event
from cxone_wfm.outbox.outbox import ENQUEUE_SECONDS
from cxone_wfm.outbox.sqlite import SqliteStore
from cxone_wfm.outbox.store import Attempt, Outcome, Tally, Want
from cxone_wfm.testing import FakeClock, fake_config, reply

Answer = Callable[[Request], Response]


class Cxone:
    """Answers requests with what it is told to, and keeps what it took."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or (lambda _: reply(200))
        self.requests: list[Request] = []
        self.taken: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Response:
        if operation_of(request) == "access_key_token":
            return granted()
        with self._lock:
            self.requests.append(request)
        response = self.answer(request)
        if response.status == 200:
            with self._lock:
                self.taken += events_of(request)
        return response


def events_of(request: Request) -> list[tuple[str, str]]:
    """Stream and moment of each event in a request."""
    body = document(request)
    states = body.get("agentStateList")
    if isinstance(states, list):
        return [(each["loginId"], each["eventUtcTime"]) for each in states]
    return [(operation_of(request), str(body["startDate"]))]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    place = SqlitePlace(tmp_path)
    store = place.open()
    yield store
    place.crash(store)


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries at once: what is tested here is not how long it waits."""
    monkeypatch.setattr("cxone_wfm.outbox._breaker.FIRST_WAIT", 0.001)
    monkeypatch.setattr(SqliteStore, "poll_seconds", 0.01)


def running(
    store: SqliteStore,
    cxone: Cxone,
    *,
    workers: int = 4,
    total: float = 45.0,
    observer: Observer | None = None,
    **settings,
) -> DurableSender:
    config = attrs.evolve(fake_config(), timeouts=Timeouts(total=total), **settings)
    wfm = WfmClient(config, transport=always(cxone, times=100_000))
    box = Outbox(store, limits=Limits(min_free_bytes=0), wall=lambda: AT)
    return DurableSender(wfm, box, workers=workers, observer=observer, chance=lambda: 0.5)


def drained(sender: DurableSender) -> tuple[int, int]:
    """Wait until nothing is pending; how many were delivered and how many died, ever."""
    result = sender.flush(PATIENCE)
    assert (result.pending, result.timed_out) == (0, False)
    counts = sender.outbox.counts()
    return counts.delivered, counts.dead.items


def leave_child(code: int) -> NoReturn:
    """End a forked child at once. Coverage's own `os._exit` would write what it measured with SQLite first,

    and that may hang: a thread of the parent's was perhaps in SQLite, with a lock of the whole process.
    """
    posix._exit(code)


def done(delivered: int, pending: int = 0, dead: int = 0) -> FlushResult:
    return FlushResult(delivered=delivered, pending=pending, dead=dead, timed_out=pending > 0)


# --- what goes out ------------------------------------------------------------------------------------


def test_states_that_come_soon_after_a_small_request_go_out_together_or_when_somebody_waits(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxone_wfm.outbox.dispatch.GATHER_SECONDS", 3600.0)
    reported = threading.Event()

    def answer(request: Request) -> Response:
        if operation_of(request) == "historical_report":
            reported.set()
        return reply(200)

    cxone = Cxone(answer)
    with running(store, cxone) as sender:
        sender.enqueue(state("a"))
        assert drained(sender) == (1, 0)
        for agent in "bcd":
            sender.enqueue(state(agent))
        sender.enqueue(report(0))
        assert reported.wait(PATIENCE)
        assert [operation_of(request) for request in cxone.requests] == ["agent_states", "historical_report"]
        assert drained(sender) == (5, 0)
    assert sorted(len(events_of(request)) for request in cxone.requests) == [1, 1, 3]


def test_what_was_enqueued_arrives_and_flush_says_so(store: SqliteStore) -> None:
    cxone = Cxone()
    with running(store, cxone) as sender:
        sender.enqueue_many([state(agent, number) for number in range(5) for agent in "abc"])
        sender.enqueue(report())
        sender.enqueue(
            AgentActivityReport(
                acd_type="x", start_date=report().start_date, end_date=report().end_date, report_data=[]
            )
        )
        result = sender.flush(PATIENCE)
        assert result.pending == 0
        assert not result.timed_out
        counters = sender.counters()
    assert (counters.accepted, counters.delivered, counters.possibly_duplicated) == (17, 17, 0)
    assert len(cxone.taken) == len(set(cxone.taken)) == 17
    assert {operation_of(each) for each in cxone.requests} == {
        "agent_states",
        "agent_activity_report",
        "historical_report",
    }


def test_the_states_of_an_agent_go_one_after_the_other(store: SqliteStore) -> None:
    cxone = Cxone()
    with running(store, cxone) as sender:
        sender.enqueue_many([state(agent, number) for number in range(20) for agent in "abc"])
        assert not sender.flush(PATIENCE).timed_out
    for agent in "abc":
        moments = [moment for name, moment in cxone.taken if name == agent]
        assert moments == sorted(moments)
        assert len(moments) == 20
    for request in cxone.requests:
        names = [name for name, _ in events_of(request)]
        assert len(names) == len(set(names))


def test_the_body_is_what_was_accepted_to_the_byte(store: SqliteStore) -> None:
    cxone = Cxone()
    states = [state("a", reason="é"), state("b", 1)]
    store_receipts = []
    sender = running(store, cxone)
    store_receipts += sender.enqueue_many(states)
    store_receipts.append(sender.enqueue(report(active=3)))
    with sender:
        sender.flush(PATIENCE)
    bodies = {operation_of(each): each.body for each in cxone.requests}
    assert bodies == {
        "agent_states": b'{"agentStateList":[' + states[0].to_json() + b"," + states[1].to_json() + b"]}",
        "historical_report": report(active=3).to_json(),
    }
    ids = {operation_of(each): each.headers["X-Request-Id"] for each in cxone.requests}
    assert ids["historical_report"] == store_receipts[2].event_id
    assert ids["agent_states"] not in {each.event_id for each in store_receipts}


def test_batches_keep_both_bounds(store: SqliteStore) -> None:
    cxone = Cxone()
    sender = running(store, cxone, workers=1, max_batch=7, max_batch_bytes=600)
    sender.enqueue_many([state(f"agent-{number}", number) for number in range(50)])
    with sender:
        assert drained(sender) == (50, 0)
    assert max(len(events_of(each)) for each in cxone.requests) <= 7
    assert max(len(each.body or b"") for each in cxone.requests) <= 600


def test_each_retry_is_the_same_request_with_the_same_id(store: SqliteStore) -> None:
    answers = iter([reply(503), OutcomeUnknownError("cut"), NotSentError("refused"), reply(500)])

    def answer(_: Request) -> Response:
        found = next(answers, reply(200))
        if isinstance(found, Exception):
            raise found
        return found

    cxone = Cxone(answer)
    sender = running(store, cxone, workers=1)
    sender.enqueue_many([state("a"), state("b"), state("a", 1)])
    with sender:
        assert drained(sender) == (3, 0)
        counters = sender.counters()
    first = cxone.requests[:5]
    assert len({each.body for each in first}) == len({each.headers["X-Request-Id"] for each in first}) == 1
    assert len({each.headers["X-Request-Id"] for each in cxone.requests}) == 2
    assert (counters.delivered, counters.possibly_duplicated) == (3, 2)
    assert (counters.requests, counters.failures) == (6, 4)


def test_a_set_has_a_request_id_of_its_own_that_never_changes(store: SqliteStore) -> None:
    store.accept([event("a"), event("b"), event("c")], AT)
    attempt = take(store, most=2)
    known = uuid.UUID("6f8c7a1e-3a0b-5b0e-9a56-2c1d3b7e4f90")
    names = ",".join(each.event_id for each in attempt.events)
    assert sender_module._request_id(attempt) == str(uuid.uuid5(known, names))
    (alone,) = (one := take(store)).events
    assert sender_module._request_id(one) == alone.event_id


def test_each_request_is_one_attempt_of_the_client(store: SqliteStore) -> None:
    cxone = Cxone(lambda _: reply(503) if len(cxone.requests) < 4 else reply(200))
    sender = running(store, cxone, workers=1)
    sender.enqueue(state("a"))
    with sender:
        sender.flush(PATIENCE)
        assert sender.counters().requests == len(cxone.requests) == 4


def test_workers_send_at_the_same_time_and_never_one_stream_twice(store: SqliteStore) -> None:
    arrived = threading.Barrier(3)

    def answer(_: Request) -> Response:
        arrived.wait(PATIENCE)
        return reply(200)

    cxone = Cxone(answer)
    sender = running(store, cxone, workers=3, max_batch=1)
    sender.enqueue_many([state(agent, number) for number in range(2) for agent in "abc"])
    with sender:
        assert drained(sender) == (6, 0)
    assert {name for name, _ in cxone.taken[:3]} == set("abc")


def test_one_bad_state_is_parked_and_its_agent_goes_on(store: SqliteStore) -> None:
    cxone = Cxone(
        lambda request: (
            reply(422, {"message": "no such event"})
            if ("bad", "2026-11-21T12:00:07.000Z") in events_of(request)
            else reply(200)
        )
    )
    sender = running(store, cxone)
    sender.enqueue_many(
        [state(f"agent-{number}") for number in range(30)] + [state("bad", 7), state("bad", 8)]
    )
    with sender:
        assert drained(sender) == (31, 1)
        assert dict(sender.counters().parked) == {"refused": 1}
        (letter,) = sender.outbox.dead_letters()
        assert (letter.event.stream, letter.status, "no such event" in letter.detail) == (
            "state:ACD:bad",
            422,
            True,
        )
        assert sender.health().status == "degraded"
        assert sender.health().causes == ("1 dead letters wait to be requeued or purged",)
        cxone.answer = lambda _: reply(200)
        assert sender.outbox.requeue([letter.event.event_id]) == 1
        assert drained(sender) == (32, 0)
        assert sender.health().status == "ok"


def test_what_was_pending_before_the_start_is_sent(store: SqliteStore, tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path)
    sender = running(store, Cxone())
    sender.enqueue_many([state("a", number) for number in range(3)])
    take(store)
    place.crash(store)
    store = place.open()
    cxone = Cxone()
    with running(store, cxone) as sender:
        assert drained(sender) == (3, 0)
        assert sender.counters().possibly_duplicated == 1
    place.crash(store)


def test_a_set_that_crashed_three_times_is_not_sent_as_it_was(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxone_wfm.outbox._sets.SUSPECT_SECONDS", 0.05)
    place = SqlitePlace(tmp_path)
    running(store, Cxone()).enqueue_many([state("a"), state("b")])
    for _ in range(3):
        take(store)
        place.crash(store)
        store = place.open()
    cxone = Cxone()
    with running(store, cxone) as sender:
        assert drained(sender) == (2, 0)
    assert [len(events_of(each)) for each in cxone.requests] == [1, 1]
    place.crash(store)


def test_what_may_be_anothers_by_now_is_not_sent_but_given_back(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cxone, given = Cxone(), []
    advance = store.advance

    def frozen_once(outcomes: list[Outcome], wants: list[Want], now: float) -> Attempt | None:
        attempt = advance(outcomes, wants, now)
        if attempt is not None:
            given.append(attempt.tries)
            if len(given) == 1:
                return attrs.evolve(attempt, send_before=now)
        return attempt

    monkeypatch.setattr(store, "advance", frozen_once)
    with running(store, cxone, workers=1) as sender:
        sender.enqueue(state("a"))
        assert drained(sender) == (1, 0)
        assert sender.counters().possibly_duplicated == 0
    assert (given, len(cxone.requests)) == ([1, 2], 1)


def test_an_unforeseen_error_does_not_end_a_worker(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(_: Request) -> Response:
        if len(cxone.requests) == 1:
            raise RuntimeError("a bug")
        return reply(200)

    cxone = Cxone(answer)
    with running(store, cxone, workers=1) as sender:
        sender.enqueue(state("a"))
        assert drained(sender) == (1, 0)
    assert "unforeseen" in caplog.text


# --- flush and close ----------------------------------------------------------------------------------


def test_what_cannot_be_judged_is_tried_again_by_the_same_worker(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxone_wfm.outbox.sender._STORE_PAUSE", 0.01)
    sender = running(store, Cxone(), workers=1)
    judge, times = sender._dispatcher.judge, iter([RuntimeError("a mistake")])

    def mistaken(*arguments: object) -> Outcome:
        for error in times:
            judge(*arguments)
            raise error
        return judge(*arguments)

    monkeypatch.setattr(sender._dispatcher, "judge", mistaken)
    with sender:
        sender.enqueue(state("a"))
        assert drained(sender) == (1, 0)
    assert store.counts().possibly_duplicated == 1


def test_flush_never_says_more_than_is_true(store: SqliteStore) -> None:
    gate = Gate()

    def answer(request: Request) -> Response:
        if ("b", "2026-11-21T12:00:00.000Z") in events_of(request):
            gate()
        return reply(200)

    with running(store, Cxone(answer), max_batch=1) as sender:
        sender.enqueue_many([state("a"), state("b")])
        gate.wait_until_reached()
        while sender.counters().delivered < 1:
            pass
        sender.enqueue(state("b", 1))
        result = sender.flush(0.05)
        assert (result.pending, result.timed_out) == (2, True)
        assert result.delivered == result.dead == 0
        gate.open()
        assert sender.flush(PATIENCE).pending == 0


def test_flush_ends_under_a_constant_load(store: SqliteStore) -> None:
    with running(store, Cxone()) as sender:
        ended = threading.Event()

        def load() -> None:
            number = 0
            while not ended.is_set():
                sender.enqueue(state("a", number))
                number += 1

        loading = Background(load)
        while sender.counters().accepted < 5:
            pass
        assert not sender.flush(PATIENCE).timed_out
        ended.set()
        loading.outcome()


def test_flush_without_anything_is_done(store: SqliteStore) -> None:
    with running(store, Cxone()) as sender:
        assert sender.flush(0.0) == done(0)


def test_close_sends_what_is_pending_and_ends_all_threads(store: SqliteStore) -> None:
    before = threading.active_count()
    sender = running(store, Cxone())
    sender.start()
    assert threading.active_count() == before + 5
    sender.enqueue_many([state("a", number) for number in range(5)])
    result = sender.close(PATIENCE)
    assert result.pending == 0
    assert threading.active_count() == before
    assert sender.close() == done(0)
    assert store.counts().delivered == 5


def test_close_lets_the_request_on_its_way_end_and_records_it(store: SqliteStore) -> None:
    gate = Gate()

    def answer(_: Request) -> Response:
        gate()
        return reply(200)

    cxone = Cxone(answer)
    sender = running(store, cxone, workers=1)
    sender.start()
    sender.enqueue_many([state("a"), state("a", 1)])
    gate.wait_until_reached()
    closing = Background(lambda: sender.close(0.0))
    while sender._state != "stopping":
        pass
    gate.open()
    assert closing.outcome() == done(1, pending=1)
    assert store.counts().delivered == 1
    assert len(cxone.requests) == 1


def test_close_does_not_wait_longer_than_it_says(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "_GRACE", 0.05)
    gate = Gate()

    def answer(_: Request) -> Response:
        gate()
        return reply(200)

    sender = running(store, Cxone(answer), workers=1, total=0.1)
    sender.start()
    sender.enqueue(state("a"))
    gate.wait_until_reached()
    assert sender.close(0.05) == done(0, pending=1)
    store.close()
    gate.open()
    sender._threads[0].join(PATIENCE)
    assert not sender._threads[0].is_alive()


def test_after_close_nothing_is_accepted_through_it(store: SqliteStore) -> None:
    sender = running(store, Cxone())
    with sender:
        pass
    for call in (lambda: sender.enqueue(state("a")), lambda: sender.enqueue_many([state("a")])):
        with pytest.raises(OutboxUnavailable, match="sender is closed"):
            call()
    assert sender.outbox.enqueue(state("a")).seq == 1
    with pytest.raises(RuntimeError, match="make a new one"):
        sender.start()
    assert sender.flush(0.0) == done(0, pending=1)
    assert sender.health().status == "blocked"


def test_a_sender_that_never_began_closes_and_leaves_everything(store: SqliteStore) -> None:
    sender = running(store, Cxone())
    sender.enqueue(state("a"))
    assert sender.close() == done(0, pending=1)


def test_two_closers_both_learn_the_end(store: SqliteStore) -> None:
    sender = running(store, Cxone())
    sender.start()
    sender.enqueue_many([state("a", number) for number in range(10)])
    closers = [Background(lambda: sender.close(PATIENCE)) for _ in range(2)]
    results = [each.outcome() for each in closers]
    assert all(isinstance(each, FlushResult) and each.pending == 0 for each in results)


def test_closing_the_outbox_first_still_ends_the_threads(store: SqliteStore) -> None:
    before = threading.active_count()
    sender = running(store, Cxone())
    sender.start()
    store.close()
    with pytest.raises(OutboxUnavailable, match="closed"):
        sender.close()
    assert threading.active_count() == before


def test_a_store_that_is_away_at_the_end_does_not_hide_the_callers_own_error(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    before = threading.active_count()

    def use() -> None:
        with running(store, Cxone()):
            store.close()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        use()
    assert threading.active_count() == before
    assert "what is pending is not known" in caplog.text
    with pytest.raises(OutboxUnavailable), running(store, Cxone()):
        pass
    assert threading.active_count() == before


def test_flush_keeps_no_worker_waiting_while_it_looks_how_it_stands(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    cxone = Cxone()
    real = store.watch

    def slow() -> SimpleNamespace:
        watch = real()
        tally = watch.tally

        def slow_tally() -> Tally:
            found = tally()
            gate()
            return found

        return SimpleNamespace(tally=slow_tally, close=watch.close)

    monkeypatch.setattr(store, "watch", slow)
    sender = running(store, cxone)
    sender.enqueue(state("a"))
    flushing = Background(lambda: sender.flush(PATIENCE))
    gate.wait_until_reached()
    with sender:
        sender.enqueue_many([state("a", number) for number in range(1, 5)])
        while store.counts().delivered < 5:
            pass
        assert sender.health().status == "ok"
        gate.open()
        assert flushing.outcome() == done(1)


# --- trouble ------------------------------------------------------------------------------------------


class Troubled(SqliteStore):
    """Cannot record anything for a while."""

    trouble: Exception | None = None
    told = 0

    def advance(self, outcomes: list[Outcome], wants: list[Want], now: float) -> Attempt | None:  # type: ignore[override]
        if self.trouble is not None:
            self.told += 1
            raise self.trouble
        return super().advance(outcomes, wants, now)

    def upkeep(self, now: float, wall: float) -> None:
        if self.trouble is not None:
            raise self.trouble
        super().upkeep(now, wall)


@pytest.mark.parametrize("trouble", [OutboxUnavailable("the disk is gone"), ZeroDivisionError()], ids=repr)
def test_a_store_that_fails_is_told_and_its_outcomes_are_kept_until_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    monkeypatch.setattr(sender_module, "_STORE_PAUSE", 0.01)
    monkeypatch.setattr(sender_module, "UPKEEP_SECONDS", 0.01)
    store = Troubled(tmp_path / "x.db", ballast_bytes=0)

    def answer(_: Request) -> Response:
        if len(cxone.requests) == 1:
            store.trouble = trouble
        return reply(200)

    cxone = Cxone(answer)
    with running(store, cxone, workers=2) as sender:
        sender.enqueue(state("a"))
        while store.told < 5:
            pass
        words = ("the outbox: ", "upkeep of the outbox fails: ")
        health = sender.health()
        while sum(cause.startswith(words) for cause in health.causes) < len(words):
            health = sender.health()
        assert health.status == "blocked"
        store.trouble = None
        assert drained(sender) == (1, 0)
        assert sender.counters().possibly_duplicated == 0
        while sender.health().status != "ok":
            pass
    assert len(cxone.requests) == 1
    store.close()


def test_close_gives_up_recording_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "_STORE_PAUSE", 0.01)
    monkeypatch.setattr(sender_module, "_GRACE", 0.05)
    store = Troubled(tmp_path / "x.db", ballast_bytes=0)

    def answer(_: Request) -> Response:
        store.trouble = OutboxUnavailable("the disk is gone")
        return reply(200)

    sender = running(store, Cxone(answer), workers=1, total=0.1)
    sender.start()
    sender.enqueue(state("a"))
    while store.told < 2:
        pass
    assert sender.close(0.0) == done(0, pending=1)
    sender._threads[0].join(PATIENCE)
    assert not sender._threads[0].is_alive()
    store.trouble = None
    store.close()
    store = Troubled(tmp_path / "x.db", ballast_bytes=0)
    assert take(store).unknown
    store.close()


def test_what_a_sender_could_not_record_the_next_one_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "_STORE_PAUSE", 0.01)
    monkeypatch.setattr(sender_module, "_GRACE", 0.05)
    store = Troubled(tmp_path / "x.db", ballast_bytes=0)

    def answer(_: Request) -> Response:
        if len(cxone.requests) == 1:
            store.trouble = OutboxUnavailable("the disk is gone")
        return reply(200)

    cxone = Cxone(answer)
    first = running(store, cxone, workers=1, total=0.1)
    first.start()
    first.enqueue_many([state("a", 1), state("a", 2)])
    while store.told < 2:
        pass
    assert first.close(0.0) == done(0, pending=2)
    first._threads[0].join(PATIENCE)
    store.trouble = None
    wfm = WfmClient(fake_config(), transport=always(cxone, times=100))
    with DurableSender(wfm, first.outbox, workers=1) as second:
        assert drained(second) == (2, 0)
        assert second.counters().possibly_duplicated == 0
    assert len(cxone.taken) == len(set(cxone.taken)) == len(cxone.requests) == 2
    store.close()


def test_health_names_what_is_wrong_and_who_must_act(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    answers = {"agent_states": reply(404), "historical_report": reply(503)}
    cxone = Cxone(lambda request: answers[operation_of(request)])
    with running(store, cxone) as sender:
        assert sender.health().status == "ok"
        sender.enqueue_many([report(quarter) for quarter in range(8)])
        while not any("historical_report" in cause for cause in sender.health().causes):
            pass
        assert sender.health().status == "degraded"
        sender.enqueue(state("a"))
        while sender.health().status != "blocked":
            pass
        (cause,) = (each for each in sender.health().causes if each.startswith("agent_state: "))
        assert "HTTP 404" in cause
        assert "Endpoints" in cause
        sender.close(0.0)
    text = caplog.text
    assert "agent_state: " in text
    assert [
        record.levelno for record in caplog.records if "agent_state: sending stopped" in record.message
    ] == [logging.WARNING]


def test_a_full_outbox_is_told(store: SqliteStore) -> None:
    sender = running(store, Cxone())
    sender.outbox.limits = Limits(max_items=1, states_share=1.0, min_free_bytes=0)
    sender.outbox.limits = Limits(max_items=1, min_free_bytes=0)
    store.accept([event("a"), event("b")], AT)
    assert any("nothing more is accepted" in cause for cause in sender.health().causes)
    sender._state = "running"
    assert sender.health().status == "blocked"


def test_upkeep_that_fails_is_told_and_does_not_stop_the_sending(store: SqliteStore) -> None:
    sender = running(store, Cxone())
    sender._state, sender._upkeep_trouble = "running", "the disk is gone"
    health = sender.health()
    assert (health.status, health.causes) == ("degraded", ("upkeep of the outbox fails: the disk is gone",))


def test_what_is_enqueued_through_it_has_its_key_and_its_patience(store: SqliteStore) -> None:
    sender = running(store, Cxone())
    first = sender.enqueue(state("a"), dedupe_key="mine")
    again_ = sender.enqueue(state("a"), dedupe_key="mine")
    assert (again_.event_id, again_.duplicate) == (first.event_id, True)
    sender.outbox.limits = Limits(max_items=1, states_share=1.0, min_free_bytes=0)
    for enqueue in (
        lambda: sender.enqueue(state("b"), timeout=0.0),
        lambda: sender.enqueue_many([state("b")], timeout=0.0),
    ):
        began = sender._clock.monotonic()
        with pytest.raises(OutboxFull):
            enqueue()
        assert sender._clock.monotonic() - began < ENQUEUE_SECONDS / 2


def test_counters_are_those_of_the_store_and_of_the_requests(store: SqliteStore) -> None:
    cxone = Cxone(lambda request: reply(422 if "bad" in str(request.body) else 200))
    sender = running(store, cxone)
    sender.enqueue_many([state("bad"), state("bad", 1)])
    with sender:
        assert drained(sender) == (0, 2)
        sender.outbox.purge([next(iter(sender.outbox.dead_letters())).event.event_id])
    sender.outbox.enqueue(state("c"))
    counters, counts = sender.counters(), store.counts()
    assert (counters.pending, counters.dead, counters.parked) == (counts.pending, counts.dead, counts.parked)
    assert (counters.purged, counters.dead.items, counters.pending["agent_state"].items) == (1, 1, 1)
    assert (counters.requests, counters.failures) == (2, 2)


def test_counters_tell_the_age_of_the_oldest(store: SqliteStore) -> None:
    sender = running(store, Cxone())
    assert sender.counters().oldest_pending_seconds is None
    store.accept([new_event(report(1))], AT + 5.0)
    assert sender.counters().oldest_pending_seconds == 0.0, "a clock that was set back"
    store.accept([event("a")], AT - 90.0)
    sender.enqueue(report())
    assert sender.counters().oldest_pending_seconds == 90.0
    store.accept([event("b")], AT + 1000.0)
    store.advance([], [want()], 0.0)
    assert sender.counters().oldest_pending_seconds == 90.0


@pytest.mark.parametrize("workers", [0, -1, 1.5, True])
def test_workers_must_make_sense(store: SqliteStore, workers: int) -> None:
    with pytest.raises(ConfigurationError, match="workers"):
        running(store, Cxone(), workers=workers)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_has_no_sender(store: SqliteStore) -> None:
    with running(store, Cxone()) as sender:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            said = []
            for use in (
                lambda: sender.enqueue(state("a")),
                lambda: sender.flush(0.0),
                sender.close,
                sender.start,
            ):
                with pytest.raises(ForkedOutboxError):
                    use()
                said.append("refused")
            os.write(writing, ",".join(said).encode())
            leave_child(0)
        os.waitpid(child, 0)
        os.close(writing)
        assert os.read(reading, 100) == b"refused,refused,refused,refused"
        os.close(reading)
        sender.enqueue(state("a"))
        assert drained(sender) == (1, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_that_leaves_the_block_ends_as_it_meant_to(store: SqliteStore) -> None:
    child = None
    sender = running(store, Cxone())
    try:
        with sender.outbox, sender:
            child = os.fork()
            if child == 0:
                sys.exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            sender.enqueue(state("a"))
            assert drained(sender) == (1, 0)
    finally:
        if child == 0:
            leave_child(7 if isinstance(sys.exc_info()[1], SystemExit) else 1)


def test_nothing_is_started_by_making_one(store: SqliteStore) -> None:
    before = threading.active_count()
    running(store, Cxone())
    assert threading.active_count() == before


def test_starting_over_refuses_everything(store: SqliteStore) -> None:
    sender = running(store, Cxone())
    sender.start_over()
    sender.outbox.start_over()
    for use in (lambda: sender.enqueue(state("a")), lambda: sender.outbox.enqueue(state("a")), sender.close):
        with pytest.raises(ForkedOutboxError):
            use()
    sender.__exit__(None, None, None)  # the end of a block is no use of it


def test_an_observer_is_told_of_every_try_and_of_the_counters(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "UPKEEP_SECONDS", 0.01)
    told: list[object] = []
    seconds: list[float | None] = []

    class Observer:
        def tried(self, result: TryResult) -> None:
            told.append((result.delivered, result.again, result.status))
            seconds.append(result.seconds)

        def counted(self, counters: SenderCounters) -> None:
            told.append(counters.accepted)

    answers = iter([reply(503)])
    sender = running(store, Cxone(lambda _: next(answers, reply(200))), workers=1, observer=Observer())
    sender.enqueue(state("a"))
    with sender:
        assert drained(sender) == (1, 0)
        while 1 not in told:
            pass
    assert [each for each in told if each != 1] == [(0, 1, 503), (1, 0, None)]
    assert all(each is not None and 0.0 <= each < PATIENCE for each in seconds)


def test_an_outage_and_its_end_are_logged_once_each(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    cxone = Cxone(lambda _: reply(503) if len(cxone.requests) <= 8 else reply(200))
    sender = running(store, cxone, workers=1)
    sender.enqueue_many([state("a"), state("b")])
    with sender:
        assert drained(sender) == (2, 0)
    lines = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert [line.partition(" (")[0] for line in lines] == [
        "agent_state: sending stopped for now: agent_states: HTTP 503",
        "agent_state: sending goes on",
    ]  # fmt: skip


def test_each_try_that_fails_is_a_line_for_those_who_look(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answers = iter([reply(503)])
    with running(store, Cxone(lambda _: next(answers, reply(200))), workers=1) as sender:
        sender.enqueue(state("a"))
        assert drained(sender) == (1, 0)
    lines = [each.message for each in caplog.records if each.name.endswith("outbox.sender")]
    assert [line.partition(" (")[0] for line in lines if "try" in line] == [
        "try 1 of 1 events failed: agent_states: HTTP 503"
    ]


# --- what it passes on, names, counts and says --------------------------------------------------------


class Waited(threading.Condition):
    """Says that somebody waits in it: with the lock held, so nobody can notify before."""

    def __init__(self, lock: threading.RLock) -> None:
        super().__init__(lock)
        self.begun = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.begun.set()
        return super().wait(timeout)


class Told:
    """An observer that keeps what it is told of tries."""

    def __init__(self) -> None:
        self.results: list[TryResult] = []

    def tried(self, result: TryResult) -> None:
        self.results.append(result)

    def counted(self, counters: SenderCounters) -> None:
        raise AssertionError("nobody counted")


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The lines of the sender's own log: level and words."""
    return [(each.levelname, each.message) for each in caplog.records if each.name == sender_module.__name__]


def held(sender: DurableSender, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Let the sender have a clock that stands still."""
    clock = FakeClock()
    monkeypatch.setattr(sender, "_clock", clock)
    return clock


def test_what_it_accepts_is_handed_to_the_outbox_with_all_that_the_caller_said(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, record, calls = running(store, Cxone()), state("a"), []

    def kept(*arguments: object, **names: object) -> object:
        calls.append((arguments, names))
        return calls[-1]

    monkeypatch.setattr(sender.outbox, "enqueue", kept)
    monkeypatch.setattr(sender.outbox, "enqueue_many", kept)
    gave = [
        sender.enqueue(record, dedupe_key="mine", timeout=1.5),
        sender.enqueue(record),
        sender.enqueue_many([record], timeout=2.5),
        sender.enqueue_many([record]),
    ]
    assert gave == calls == [
        ((record,), {"dedupe_key": "mine", "timeout": 1.5}),
        ((record,), {"dedupe_key": None, "timeout": ENQUEUE_SECONDS}),
        (([record],), {"timeout": 2.5}),
        (([record],), {"timeout": ENQUEUE_SECONDS}),
    ]  # fmt: skip


def test_its_threads_are_named_and_hold_up_no_process_that_ends(store: SqliteStore) -> None:
    before = set(threading.enumerate())
    with running(store, Cxone(), workers=2):
        threads = set(threading.enumerate()) - before
    assert {(thread.name, thread.daemon) for thread in threads} == {
        ("cxone-wfm-outbox-0", True),
        ("cxone-wfm-outbox-1", True),
        ("cxone-wfm-outbox-upkeep", True),
    }


def test_a_second_start_says_what_to_do(store: SqliteStore) -> None:
    with running(store, Cxone(), workers=1) as sender, pytest.raises(RuntimeError) as refused:
        sender.start()
    assert str(refused.value) == "this sender was started already; make a new one"


@pytest.mark.parametrize(("state_then", "timeout"), [("closing", PATIENCE), ("stopping", 0.0)])
def test_while_it_closes_nothing_more_is_accepted_through_it(
    store: SqliteStore, state_then: str, timeout: float
) -> None:
    gate = Gate()

    def answer(_: Request) -> Response:
        gate()
        return reply(200)

    sender = running(store, Cxone(answer), workers=1)
    sender.enqueue(state("a"))
    sender.start()
    gate.wait_until_reached()
    closing = Background(lambda: sender.close(timeout))
    while sender._state != state_then:
        pass
    for call in (lambda: sender.enqueue(state("b")), lambda: sender.enqueue_many([state("b")])):
        with pytest.raises(OutboxUnavailable) as refused:
            call()
        assert refused.value.reason == "this sender is closed"
    gate.open()
    assert closing.outcome() == done(1)


def test_a_flush_looks_at_each_poll_and_not_once_more_when_its_time_is_over(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteStore, "poll_seconds", 2.0)
    sender = running(store, Cxone())
    clock, pauses = held(sender, monkeypatch), []

    def wait_for(has_news: Callable[[], bool], seconds: float) -> None:
        assert len(pauses) < 3, "the time is over"
        assert not has_news()
        pauses.append(seconds)
        clock.advance(seconds)

    monkeypatch.setattr(sender, "_work_done", SimpleNamespace(wait_for=wait_for))
    sender.enqueue(state("a"))
    assert sender.flush(5.0) == done(0, pending=1)
    assert pauses == [2.0, 2.0, 1.0]


def test_an_outcome_is_news_once_and_a_close_for_good(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = running(store, Cxone())
    held(sender, monkeypatch)
    turns: list[bool] = []

    def wait_for(has_news: Callable[[], bool], _: float) -> None:
        assert len(turns) < 3, "it is closed"
        assert not has_news()
        if len(turns) < 2:
            sender._recorded += 1
        else:
            sender._state = "closed"
        turns.append(has_news())

    monkeypatch.setattr(sender, "_work_done", SimpleNamespace(wait_for=wait_for))
    sender.enqueue(state("a"))
    assert sender.flush(1.0) == done(0, pending=1)
    assert turns == [True] * 3


@pytest.mark.parametrize("way", ["flush", "close"])
def test_who_waits_for_the_last_outcome_wakes_up_with_it_and_not_at_the_next_poll(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(SqliteStore, "poll_seconds", 3600.0)
    gate = Gate()

    def answer(_: Request) -> Response:
        gate()
        return reply(200)

    sender = running(store, Cxone(answer), workers=1)
    waited = Waited(sender._lock)
    monkeypatch.setattr(sender, "_work_done", waited)
    sender.enqueue(state("a"))
    with sender:
        gate.wait_until_reached()
        waiting = Background(lambda: getattr(sender, way)(2 * PATIENCE))
        assert waited.begun.wait(PATIENCE)
        gate.open()
        assert waiting.outcome() == done(1)


def test_who_waits_while_another_closes_is_let_go_at_once(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteStore, "poll_seconds", 3600.0)
    sender = running(store, Cxone())
    waited = Waited(sender._lock)
    monkeypatch.setattr(sender, "_work_done", waited)
    sender.enqueue(state("a"))
    flushing = Background(lambda: sender.flush(2 * PATIENCE))
    assert waited.begun.wait(PATIENCE)
    sender.close()
    assert flushing.outcome() == done(0, pending=1)


def test_a_block_that_ends_with_the_store_away_says_why_in_one_line(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    sender = running(store, Cxone(), workers=1)
    store.close()
    with pytest.raises(OutboxUnavailable) as unavailable:
        sender.__exit__(None, None, None)
    error = KeyError("mine")
    sender.__exit__(KeyError, error, None)
    assert said(caplog) == [
        ("WARNING", f"the sender is closed; what is pending is not known: {unavailable.value}")
    ]


def test_health_has_a_whole_sentence_for_each_trouble(store: SqliteStore) -> None:
    sender = running(store, Cxone())
    sender.outbox.limits = Limits(max_items=1, min_free_bytes=0)
    store.accept([event("a"), event("b")], AT)
    sender._dispatcher.breakers["agent_state"].open(0.0, "HTTP 404", 60.0)
    sender._store_trouble, sender._upkeep_trouble = "it is read-only", "the disk is gone"
    assert sender.health().causes == (
        "agent_state: HTTP 404",
        "the outbox: it is read-only",
        "upkeep of the outbox fails: the disk is gone",
        f"nothing more is accepted: {sender.outbox.why_full()}",
        "the sender does not run: it is new",
    )


def test_trouble_of_the_upkeep_is_told_each_time_and_taken_back_when_it_works(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sender = running(store, Cxone())
    clock, found, pauses, moments = held(sender, monkeypatch), [], [], []
    troubles: list[Exception | None] = [OSError("the disk is gone"), ZeroDivisionError(), None]

    def upkeep(now: float, wall: float) -> None:
        moments.append((now, wall))
        if (trouble := troubles.pop(0)) is not None:
            raise trouble

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        found.append(sender.health().causes)
        return not troubles

    monkeypatch.setattr(store, "upkeep", upkeep)
    monkeypatch.setattr(sender, "_stopped", SimpleNamespace(wait=wait))
    sender._state = "running"
    sender._upkeep()
    assert found == [
        (),
        ("upkeep of the outbox fails: the disk is gone",),
        ("upkeep of the outbox fails: ZeroDivisionError",),
        (),
    ]
    assert said(caplog) == [
        ("WARNING", "upkeep of the outbox failed; it is tried again: the disk is gone"),
        ("WARNING", "upkeep of the outbox failed; it is tried again: ZeroDivisionError"),
    ]
    assert pauses == [sender_module.UPKEEP_SECONDS] * 4
    assert moments == [(clock.now, AT)] * 3


def test_the_oldest_is_the_one_accepted_first_even_where_the_clock_was_set_back_since(
    store: SqliteStore,
) -> None:
    sender = running(store, Cxone())
    store.accept([event("a")], AT - 10.0)
    store.accept([event("b")], AT - 90.0)
    assert sender.counters().oldest_pending_seconds == 10.0


def test_a_request_is_counted_measured_and_judged_by_the_clocks(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answers, told = iter([reply(404), reply(200)]), Told()

    def answer(_: Request) -> Response:
        clock.advance(0.25)
        return next(answers)

    sender = running(store, Cxone(answer), observer=told)
    clock = held(sender, monkeypatch)
    store.accept([event("a"), event("b")], AT - 5.0)
    attempt = take(store)
    failed = sender._outcome(attempt)
    cause = sender._dispatcher.breakers["agent_state"].cause
    assert "HTTP 404" in cause
    assert (failed.at, len(failed.again), failed.unknown) == (AT, 1, False)
    clock.advance(60.0)
    assert sender._outcome(attempt) == delivered(attempt)
    assert [result.seconds for result in told.results] == [0.25, 0.25]
    assert [str(result.error) for result in told.results] == [cause, "None"]
    counters = sender.counters()
    assert (counters.requests, counters.failures) == (2, 1)
    assert said(caplog) == [
        ("INFO", f"try 1 of 2 events failed: {cause}"),
        ("WARNING", f"agent_state: sending stopped for now: {cause}"),
        ("WARNING", "agent_state: sending goes on"),
    ]


def test_what_must_not_be_sent_is_told_without_a_duration_and_is_no_request(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    sender = running(store, Cxone(), observer=told)
    clock = held(sender, monkeypatch)
    store.accept([event("a")], AT - 5.0)
    attempt = attrs.evolve(take(store), send_before=clock.now)
    assert sender._outcome(attempt) == again(attempt, clock.now)
    assert [(result.seconds, result.error) for result in told.results] == [(None, None)]
    counters = sender.counters()
    assert (counters.requests, counters.failures) == (0, 0)


def test_a_request_that_fails_unforeseen_is_logged_with_its_error_and_counts_as_a_failure(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(_: Request) -> Response:
        raise RuntimeError("a bug")

    told = Told()
    sender = running(store, Cxone(answer), observer=told)
    store.accept([event("a")], AT - 5.0)
    outcome = sender._outcome(take(store))
    assert (outcome.at, len(outcome.again), outcome.unknown) == (AT, 1, True)
    assert said(caplog) == [
        ("ERROR", "a request of the outbox failed in an unforeseen way; it is tried again")
    ]
    assert "RuntimeError: a bug" in caplog.text
    assert [str(result.error) for result in told.results] == ["a bug"]
    counters = sender.counters()
    assert (counters.requests, counters.failures) == (1, 1)


def test_what_cannot_be_judged_is_tried_again_as_it_is_after_a_pause_and_may_have_arrived(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def mistaken(*_: object) -> NoReturn:
        raise RuntimeError("a mistake")

    sender = running(store, Cxone())
    clock = held(sender, monkeypatch)
    monkeypatch.setattr(sender._dispatcher, "judge", mistaken)
    store.accept([event("a"), event("b")], AT - 5.0)
    attempt = take(store)
    assert sender._outcome(attempt) == again(attempt, clock.now + sender_module._STORE_PAUSE, unknown=True)
    assert said(caplog) == [("ERROR", "what came of a request could not be judged; it is tried again")]
    assert "RuntimeError: a mistake" in caplog.text
