"""What every store promises, whatever it is made of: the same tests for all."""

from collections.abc import Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import attrs
import pytest
from support.outbox import (
    AT,
    PLACES,
    Place,
    accept,
    again,
    agents,
    dead,
    deliver_all,
    delivered,
    event,
    events,
    ids,
    is_balanced,
    report,
    state,
    take,
    tally,
    want,
)
from support.threads import at_once

from cxone_wfm import ConflictingDuplicateError, OutboxUnavailable
from cxone_wfm.outbox.identity import new_event
from cxone_wfm.outbox.store import (
    SUSPECT_CRASHES,
    SUSPECT_SECONDS,
    Again,
    Dead,
    DeadLetter,
    Outcome,
    Receipt,
    Store,
    StoredEvent,
    Usage,
    lane_of,
)


@pytest.fixture(params=list(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return PLACES[request.param](tmp_path)


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    store = place.open()
    yield store
    assert is_balanced(store.counts())
    place.crash(store)


def small_pages(monkeypatch: pytest.MonkeyPatch, size: int = 3) -> None:
    """Both stores read, keep and delete so few rows at once that what a test holds is much."""
    names = ["_events._PAGE", "_events.AT_ONCE", "_window.DEEP", "_window.CHUNK", "_window.ENOUGH"]
    if find_spec("psycopg"):
        names += ["postgres.store._PAGE", "postgres._backlog.DEEP", "postgres._backlog.CHUNK"]
    for name in names:
        monkeypatch.setattr(f"cxone_wfm.outbox.{name}", size)


# --- accepting ----------------------------------------------------------------------------------------


def test_numbers_of_a_stream_are_dense_and_receipts_come_in_the_order_of_the_events(store: Store) -> None:
    first, second = events("abca"), events("ba")
    receipts = accept(store, first) + accept(store, second)
    assert [(each.stream[-1], each.seq) for each in receipts] == [
        ("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2), ("a", 3)
    ]  # fmt: skip
    assert [each.event_id for each in receipts] == [each.event_id for each in first + second]
    assert not any(each.duplicate for each in receipts)


def test_what_was_accepted_is_given_out_to_the_byte(store: Store) -> None:
    new = event("a")
    accept(store, [new])
    (stored,) = take(store).events
    assert (stored.event_id, stored.kind, stored.stream, stored.seq, stored.accepted_at, stored.payload) == (
        new.event_id, new.kind, new.stream, 1, AT, new.payload
    )  # fmt: skip


def test_numbers_go_on_after_everything_was_delivered_and_after_a_new_start(place: Place) -> None:
    store = place.open()
    accept(store, events("aa"))
    deliver_all(store)
    store.close()
    store = place.open()
    assert accept(store, events("a"))[0].seq == 3
    place.crash(store)


@pytest.mark.parametrize("then", ["pending", "sending", "delivered", "dead", "restarted"])
def test_the_same_event_again_gets_the_first_ones_receipt(place: Place, then: str) -> None:
    store = place.open()
    first = event("a", key="mine")
    (receipt,) = accept(store, [first])
    if then not in {"pending", "restarted"}:
        attempt = take(store)
        outcomes = {"delivered": [delivered(attempt)], "dead": [dead(attempt)]}.get(then, [])
        store.advance(outcomes, [], 0.0)
    if then == "restarted":
        store.close()
        store = place.open()
    twin = first._replace(event_id="another")
    assert accept(store, [event("b"), twin])[1] == attrs.evolve(receipt, duplicate=True)
    assert store.counts().accepted == 2
    place.crash(store)


def test_a_new_event_beside_a_known_one_gets_the_receipt_that_it_would_get_alone(store: Store) -> None:
    known, new = events("ab")
    accept(store, [known])
    assert [
        (each.event_id, each.stream, each.seq, each.duplicate) for each in accept(store, [known, new])
    ] == [
        (known.event_id, known.stream, 1, True),
        (new.event_id, new.stream, 1, False),
    ]


def test_the_same_event_twice_in_one_call_is_accepted_once(store: Store) -> None:
    first = event("a")
    receipts = accept(store, [first, first._replace(event_id="another"), event("a")])
    assert [(each.event_id == first.event_id, each.seq, each.duplicate) for each in receipts] == [
        (True, 1, False),
        (True, 1, True),
        (False, 2, False),
    ]


@pytest.mark.parametrize("when", ["before", "in the same call", "delivered"])
def test_other_data_under_a_known_key_is_refused_with_everything_beside_it(store: Store, when: str) -> None:
    first = event("a", key="mine")
    before = [] if when == "in the same call" else [first]
    accept(store, before)
    if when == "delivered":
        deliver_all(store)
    counts = store.counts()
    call = [event("b"), *([first] if not before else []), event("a", key="mine")]
    with pytest.raises(ConflictingDuplicateError) as caught:
        accept(store, call)
    assert (caught.value.index, caught.value.event_id) == (len(call) - 1, first.event_id)
    assert store.counts() == counts
    assert [each.seq for each in accept(store, events("ab"))] == [1 + bool(before), 1]


def test_a_report_is_a_repetition_of_the_last_of_its_interval_only(store: Store) -> None:
    one, other = report(active=1), report(active=2)
    seqs = [accept(store, [new_event(each)])[0].seq for each in (one, one, other, other, one, one, other)]
    assert seqs == [1, 1, 2, 2, 3, 3, 4]
    assert [each.seq for each in accept(store, [new_event(each) for each in (one, other, other, one)])] == [
        5, 6, 6, 7
    ]  # fmt: skip
    attempts = deliver_all(store)
    assert [each.events[0].seq for each in attempts] == [1, 2, 3, 4, 5, 6, 7]
    assert [accept(store, [new_event(each)])[0].seq for each in (one, other, one)] == [7, 8, 9]


def test_a_dead_report_that_was_accepted_again_after_a_correction_lives_in_its_new_event(
    store: Store,
) -> None:
    one, other = report(active=1), report(active=2)
    accept(store, [new_event(one)])
    attempt = store.advance([], [want("historical_report")], 0.0)
    assert attempt is not None
    store.advance([dead(attempt)], [], 0.0)
    assert [accept(store, [new_event(each)])[0].seq for each in (one, other, one)] == [1, 2, 3]
    assert store.requeue(ids(attempt), AT) == 1
    assert [each.events[0].seq for each in deliver_all(store)] == [2, 3, 4]


def test_a_report_that_is_offered_again_after_its_correction_is_known_by_its_id(store: Store) -> None:
    one, other = new_event(report(active=1)), new_event(report(active=2))
    assert [accept(store, [each])[0].seq for each in (one, other)] == [1, 2]
    (receipt,) = accept(store, [one])  # its commit was done, and its caller did not hear of it
    assert (receipt.event_id, receipt.seq, receipt.duplicate) == (one.event_id, 1, True)
    assert [each.events[0].seq for each in deliver_all(store)] == [1, 2]


def test_nothing_is_nothing(store: Store) -> None:
    assert accept(store, []) == []
    assert store.advance([], [], 0.0) is None
    assert store.advance([], [want()], 0.0) is None


def test_many_threads_get_dense_numbers_and_lose_nothing(store: Store) -> None:
    def work(_: int) -> list[Receipt]:
        return [receipt for _ in range(10) for receipt in accept(store, events("ab"))]

    outcomes = at_once(8, work)
    receipts = [each for outcome in outcomes if isinstance(outcome, list) for each in outcome]
    for stream in ("a", "b"):
        assert sorted(each.seq for each in receipts if each.stream[-1] == stream) == list(range(1, 81))
    sent = [each.event_id for attempt in deliver_all(store) for each in attempt.events]
    assert sorted(sent) == sorted(each.event_id for each in receipts)


# --- giving out ---------------------------------------------------------------------------------------


def test_an_attempt_has_one_event_of_each_stream_in_the_order_of_acceptance(store: Store) -> None:
    accept(store, events("abacab"))
    first = take(store)
    assert agents(first) == "abc"
    assert store.advance([], [want()], 0.0) is None
    assert [agents(each) for each in [first, *deliver_all_after(store, delivered(first))]] == [
        "abc",
        "ab",
        "a",
    ]


def deliver_all_after(store: Store, outcome: Outcome) -> list:
    attempt = store.advance([outcome], [want()], 0.0)
    assert attempt is not None
    store.advance([delivered(attempt)], [], 0.0)
    return [attempt, *deliver_all(store)]


def test_an_attempt_of_more_events_than_are_read_at_once_has_them_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pages(monkeypatch, 2)
    accept(store, events("abcde"))
    assert agents(take(store)) == "abcde"


def test_several_attempts_share_no_stream(store: Store) -> None:
    accept(store, events("abcabcd"))
    given = [take(store, most=2), take(store, most=1), take(store, most=9)]
    assert [agents(each) for each in given] == ["ab", "c", "d"]
    assert store.advance([], [want()], 0.0) is None
    assert agents(store.advance([delivered(given[0])], [want()], 0.0)) == "ab"
    assert agents(store.advance([delivered(given[1])], [want()], 0.0)) == "c"


def test_bytes_bound_an_attempt_but_one_event_always_goes(store: Store) -> None:
    new = events("abc")
    accept(store, new)
    size = len(new[0].payload) + len(new[1].payload)
    wants = [attrs.evolve(want(), most_bytes=size)]
    assert agents(store.advance([], wants, 0.0)) == "ab"
    accept(store, events("de"))
    assert agents(store.advance([], [attrs.evolve(want(), most_bytes=1)], 0.0)) == "c"
    assert agents(store.advance([], [attrs.evolve(want(), most_bytes=-5)], 0.0)) == "d"


def test_the_first_want_that_can_be_met_decides(store: Store) -> None:
    accept(store, [new_event(state("a")), new_event(report())])
    reports, states, activities = want("historical_report"), want(), want("agent_activity_report")
    kinds = [
        found.kind if (found := store.advance([], [activities, reports, states], 0.0)) else None
        for _ in range(3)
    ]
    assert kinds == ["historical_report", "agent_state", None]


def test_reports_of_different_intervals_do_not_wait_for_each_other(store: Store) -> None:
    accept(store, [new_event(report(quarter)) for quarter in range(3)])
    wants = [want("historical_report", most=1)]
    given = [store.advance([], wants, 0.0) for _ in range(3)]
    assert all(given)
    accept(store, [new_event(report(0, active=7))])
    assert store.advance([], wants, 0.0) is None


def test_a_stuck_stream_with_a_long_queue_does_not_stop_the_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pages(monkeypatch, 8)
    accept(store, events("a"))
    stuck = take(store)
    store.advance([again(stuck, not_before=100.0)], [], 0.0)
    accept(store, events("a" * 50 + "b"))
    assert agents(take(store)) == "b"
    sent = [each for attempt in deliver_all(store, now=100.0) for each in attempt.events]
    assert [each.seq for each in sent if each.stream[-1] == "a"] == list(range(1, 52))


# --- trying again -------------------------------------------------------------------------------------


def test_a_failed_set_is_given_again_as_it_was_when_its_time_has_come(store: Store) -> None:
    accept(store, events("abab"))
    first = take(store)
    assert (first.tries, first.unknown, first.crashes) == (1, False, 0)
    assert store.advance([again(first, 5.0)], [want()], 4.9) is None
    second = take(store, now=5.0)
    assert (second.events, second.tries, second.unknown) == (first.events, 2, False)
    third = store.advance([again(second, unknown=True)], [want()], 5.0)
    fourth = store.advance([again(third)], [want()], 5.0) if third else None
    assert third is not None
    assert fourth is not None
    assert (third.tries, third.unknown, fourth.tries, fourth.unknown) == (3, True, 4, True)
    assert len({each.number for each in (first, second, third, fourth)}) == 4


def test_its_streams_wait_for_it_and_others_do_not(store: Store) -> None:
    accept(store, events("aabb"))
    first = take(store, most=1)
    store.advance([again(first, 5.0)], [], 0.0)
    assert agents(take(store)) == "b"
    assert store.advance([], [want()], 0.0) is None
    assert [each.seq for each in take(store, now=5.0).events] == [1]


def test_a_set_may_be_split_buried_and_delivered_at_once(store: Store) -> None:
    accept(store, events("abcd"))
    attempt = take(store)
    a, b, c, d = ids(attempt)
    outcome = Outcome(
        attempt=attempt,
        delivered=(b,),
        dead=(Dead(event_id=c, reason="refused"),),
        again=(Again(event_ids=(d,), not_before=0.0), Again(event_ids=(a,), not_before=1.0)),
        at=AT,
    )
    accept(store, events("abcd"))
    assert agents(store.advance([outcome], [want(fresh_first=True)], 0.0)) == "bc"
    assert agents(take(store)) == "d"
    assert store.advance([], [want()], 0.0) is None
    assert agents(take(store, now=1.0)) == "a"


def test_of_sets_that_are_due_the_least_tried_goes_first_then_the_oldest(store: Store) -> None:
    accept(store, events("abc"))
    for most, tries in ((1, 2), (1, 1), (1, 1)):
        attempt = store.advance([], [want(most=most, fresh_first=True)], 0.0)
        assert attempt is not None
        for _ in range(tries - 1):
            attempt = store.advance([again(attempt)], [want()], 0.0)
            assert attempt is not None
        store.advance([again(attempt, 1.0)], [], 0.0)
    assert [agents(take(store, now=1.0)) for _ in range(3)] == ["b", "c", "a"]


def test_fresh_events_come_after_sets_that_are_due_unless_they_are_wanted_first(store: Store) -> None:
    accept(store, events("ab"))
    store.advance([again(take(store))], [], 0.0)
    accept(store, events("cd"))
    assert agents(store.advance([], [want(most=1, fresh_first=True)], 0.0)) == "c"
    assert agents(store.advance([], [want(most=1)], 0.0)) == "ab"
    assert agents(store.advance([], [want(most=1)], 0.0)) == "d"


def test_an_outcome_counts_once(store: Store) -> None:
    accept(store, events("ab"))
    first = take(store)
    second = store.advance([again(first)], [want()], 0.0)
    assert second is not None
    for late in (delivered(first), dead(first), again(first, 9.0)):
        assert store.advance([late, late], [want()], 0.0) is None
    counts = store.counts()
    assert (counts.delivered, counts.dead.items, counts.pending["agent_state"].items) == (0, 0, 2)
    store.advance([delivered(second), delivered(second)], [], 0.0)
    assert store.counts().delivered == 2


def test_a_delivery_after_an_unknown_try_is_counted_as_possibly_a_duplicate(store: Store) -> None:
    accept(store, events("ab"))
    sure, unsure = take(store, most=1), take(store, most=1)
    second = store.advance([delivered(sure), again(unsure, unknown=True)], [want()], 0.0)
    assert second is not None
    store.advance([delivered(second)], [], 0.0)
    assert (store.counts().delivered, store.counts().possibly_duplicated) == (2, 1)


# --- crashes and restarts -----------------------------------------------------------------------------


def test_after_a_crash_what_was_being_sent_is_sent_again_first_and_known_as_unsure(place: Place) -> None:
    store = place.open()
    accept(store, events("abcab"))
    sending = take(store, most=2)
    for number in (1, 2):
        place.crash(store)
        store = place.open()
        attempt = take(store)
        assert attempt.events == sending.events
        assert (attempt.tries, attempt.unknown, attempt.crashes) == (number + 1, True, number)
    attempt = store.advance([again(attempt)], [want()], 0.0) or attempt
    assert (attempt.tries, attempt.crashes) == (4, 0)
    assert agents(take(store)) == "c"
    place.crash(store)


def test_a_suspect_is_sent_alone_and_only_then_blamed(place: Place) -> None:
    store = place.open()
    accept(store, events("abc"))
    one = [want(most=1)]
    for number in range(SUSPECT_CRASHES):
        given = [store.advance([], one, 0.0) for _ in range(2)]
        assert [each.crashes if each else None for each in given] == [number, number]
        place.crash(store)
        store = place.open()
    third = store.advance([], one, 100.0)
    assert third is not None
    assert agents(third) == "c"
    assert store.advance([delivered(third)], one, 99.9 + SUSPECT_SECONDS) is None
    first = store.advance([], one, 100.0 + SUSPECT_SECONDS)
    assert store.advance([], one, 100.0 + SUSPECT_SECONDS) is None
    assert (agents(first), first.crashes if first else 0) == ("a", SUSPECT_CRASHES)
    place.crash(store)
    store = place.open()
    assert store.advance([], one, 0.0) is None
    second = store.advance([], one, SUSPECT_SECONDS)
    assert second is not None
    assert (agents(second), second.crashes) == ("b", SUSPECT_CRASHES)
    first = store.advance([delivered(second)], one, SUSPECT_SECONDS)
    assert (agents(first), first.crashes if first else 0) == ("a", SUSPECT_CRASHES + 1)
    place.crash(store)


def test_a_suspect_waits_until_nothing_else_is_being_sent(place: Place) -> None:
    store = place.open()
    accept(store, [*events("a"), new_event(report())])
    for _ in range(SUSPECT_CRASHES):
        take(store)
        place.crash(store)
        store = place.open()
    other = store.advance([], [want("historical_report")], 0.0)
    assert other is not None
    assert store.advance([], [want("agent_activity_report"), want()], SUSPECT_SECONDS) is None
    assert agents(store.advance([delivered(other)], [want()], SUSPECT_SECONDS)) == "a"
    accept(store, events("b"))
    assert store.advance([], [want()], SUSPECT_SECONDS) is None
    place.crash(store)


def test_a_process_that_ends_in_order_did_not_die_of_a_suspect(place: Place) -> None:
    store = place.open()
    accept(store, events("a"))
    for _ in range(SUSPECT_CRASHES):
        take(store)
        place.crash(store)
        store = place.open()
    assert store.advance([], [want()], 0.0) is None  # it waits, and the process ends before it was sent
    store.close()
    store = place.open()
    attempt = take(store)
    assert (agents(attempt), attempt.unknown, attempt.crashes) == ("a", True, 0)
    place.crash(store)


def test_a_process_that_only_accepts_says_nothing_of_what_kills(place: Place) -> None:
    store = place.open()
    accept(store, events("a"))
    take(store)
    place.crash(store)
    store = place.open()
    accept(store, events("a"))
    store.close()
    store = place.open()
    assert take(store).crashes == 1
    place.crash(store)


def test_what_waited_at_a_crash_is_tried_at_once_and_did_not_crash(place: Place) -> None:
    store = place.open()
    accept(store, events("ab"))
    store.advance([again(take(store), 1000.0)], [], 0.0)
    place.crash(store)
    store = place.open()
    attempt = take(store)
    assert (agents(attempt), attempt.tries, attempt.unknown, attempt.crashes) == ("ab", 2, False, 0)
    place.crash(store)


def test_closing_in_the_middle_of_a_request_makes_it_unsure_but_is_no_crash(place: Place) -> None:
    store = place.open()
    accept(store, events("a"))
    take(store)
    store.close()
    store.close()
    store = place.open()
    attempt = take(store)
    assert (attempt.tries, attempt.unknown, attempt.crashes) == (2, True, 0)
    place.crash(store)


def test_the_outcome_of_a_try_before_the_restart_is_ignored(place: Place) -> None:
    store = place.open()
    accept(store, events("a"))
    old = take(store)
    store.close()
    store = place.open()
    store.advance([delivered(old)], [], 0.0)
    assert store.counts().delivered == 0
    new = take(store)
    store.advance([dead(old)], [], 0.0)
    store.advance([delivered(new)], [], 0.0)
    assert (store.counts().delivered, store.counts().dead.items) == (1, 0)
    place.crash(store)


def test_everything_is_as_it_was_after_a_crash(place: Place) -> None:
    store = place.open()
    accept(store, [*events("abcde"), new_event(report()), new_event(report(1))])
    store.advance([delivered(take(store, most=1)), dead(take(store, most=1))], [], 0.0)
    before = (store.counts(), store.dead_letters(), store.pending(kind="agent_state"))
    place.crash(store)
    store = place.open()
    assert (store.counts(), store.dead_letters(), store.pending(kind="agent_state")) == before
    assert agents(deliver_all(store)[0]) == "cde"
    place.crash(store)


def test_a_closed_store_refuses(place: Place) -> None:
    store = place.open()
    store.close()
    for use in (
        lambda: accept(store, events("a")),
        lambda: store.advance([], [want()], 0.0),
        lambda: store.pending(kind="agent_state"),
        store.watch,
    ):
        with pytest.raises(OutboxUnavailable, match="closed"):
            use()


# --- dead letters -------------------------------------------------------------------------------------


def test_a_dead_letter_says_what_it_was_and_why_it_died(store: Store) -> None:
    accept(store, events("ab"))
    attempt = take(store, most=1)
    second = store.advance([again(attempt)], [want()], 0.0)
    assert second is not None
    store.advance([dead(second, "too_large")], [], 0.0)
    ((number, letter),) = store.dead_letters()
    (original,) = attempt.events
    assert attrs.evolve(letter.event, position=original.position) == original
    assert (letter.reason, letter.status, letter.detail, letter.tries, letter.died_at) == (
        "too_large", 422, "no", 2, AT
    )  # fmt: skip
    assert letter.possibly_arrived is False
    counts = store.counts()
    assert (counts.dead.items, counts.dead.bytes) == (1, len(original.payload))
    assert dict(counts.parked) == {"too_large": 1}
    assert store.dead_letters(after=number) == []


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_a_dead_letter_says_whether_one_of_its_tries_may_have_arrived(
    store: Store, earlier: bool, last: bool
) -> None:
    accept(store, events("a"))
    second = store.advance([again(take(store), unknown=earlier)], [want()], 0.0)
    assert second is not None
    store.advance([attrs.evolve(dead(second), unknown=last)], [], 0.0)
    ((_, letter),) = store.dead_letters()
    assert letter.possibly_arrived is (earlier or last)
    assert store.find(letter.event.event_id) == letter


def test_the_stream_of_a_dead_event_goes_on(store: Store) -> None:
    accept(store, events("aa"))
    attempt = store.advance([dead(take(store))], [want()], 0.0)
    assert attempt is not None
    assert [each.seq for each in attempt.events] == [2]


def test_a_requeued_letter_comes_at_the_end_of_its_stream_under_its_own_id(store: Store) -> None:
    accept(store, events("ab"))
    attempt = take(store)
    store.advance([dead(attempt)], [], 0.0)
    accept(store, events("a"))
    a, b = ids(attempt)
    assert store.requeue([a, "nobody", a], AT + 9) == 1
    sent = [each for one in deliver_all(store) for each in one.events]
    assert [(each.seq, each.event_id == a) for each in sent] == [(2, False), (3, True)]
    assert sent[1].accepted_at == AT + 9
    counts = store.counts()
    assert (counts.accepted, counts.delivered, counts.dead.items, dict(counts.parked)) == (
        3,
        2,
        1,
        {"refused": 2},
    )
    assert [letter.event.event_id for _, letter in store.dead_letters()] == [b]


def test_a_requeued_letter_starts_anew(store: Store) -> None:
    accept(store, events("a"))
    attempt = take(store)
    store.advance([again(attempt, unknown=True)], [], 0.0)
    store.advance([dead(take(store))], [], 0.0)
    store.requeue(ids(attempt), AT)
    new = take(store)
    assert (new.tries, new.unknown) == (1, False)
    store.advance([dead(new)], [], 0.0)
    assert [letter.event.event_id for _, letter in store.dead_letters()] == list(ids(attempt))


def test_purged_letters_are_gone_and_counted(store: Store) -> None:
    new = events("abc")
    accept(store, new)
    store.advance([dead(take(store))], [], 0.0)
    assert store.purge([new[0].event_id, "nobody", new[2].event_id, new[0].event_id]) == 2
    assert [letter.event.event_id for _, letter in store.dead_letters()] == [new[1].event_id]
    counts = store.counts()
    assert (counts.purged, counts.dead.items, counts.dead.bytes) == (2, 1, len(new[1].payload))
    assert accept(store, [new[0]])[0].duplicate is False


def test_events_are_found_by_their_ids(store: Store) -> None:
    new = events("abc")
    accept(store, new)
    store.advance([dead(take(store, most=1)), delivered(take(store, most=1))], [], 0.0)
    found = [store.find(each.event_id) for each in new]
    assert isinstance(found[0], DeadLetter)
    assert found[0].event.payload == new[0].payload
    assert found[1] is None
    assert isinstance(found[2], StoredEvent)
    assert (found[2].payload, found[2].seq) == (new[2].payload, 1)


def test_lists_are_read_in_pages(store: Store) -> None:
    new = events("abcdefg")
    accept(store, new)
    seen, after = [], 0
    while page := store.pending(kind="agent_state", after=after, limit=3):
        assert len(page) <= 3
        seen += page
        after = page[-1].position
    assert [each.event_id for each in seen] == [each.event_id for each in new]
    assert store.pending(kind="historical_report") == []
    store.advance([dead(take(store))], [], 0.0)
    letters = store.dead_letters(limit=4)
    letters += store.dead_letters(after=letters[-1][0], limit=4)
    assert [letter.event.event_id for _, letter in letters] == [each.event_id for each in new]


def test_forgetting_a_stream_takes_what_is_not_on_its_way(store: Store) -> None:
    new = events("aaab")
    accept(store, new)
    attempt = take(store)
    stream = new[0].stream
    watch = store.watch()
    assert store.forget(stream) == 2
    assert watch.tally() == tally(0, 2, 0)  # what is forgotten leaves the watch
    store.advance([dead(attempt)], [], 0.0)
    assert watch.tally() == tally(0, 0, 2)
    assert store.forget(stream) == 1
    assert watch.tally() == tally(0, 0, 2)
    assert store.forget(stream) == 0
    assert [letter.event.stream for _, letter in store.dead_letters()] == [new[3].stream]
    assert store.counts().purged == 3
    assert store.pending(kind="agent_state") == []
    accept(store, [new[0]])
    assert agents(take(store)) == "a"
    watch.close()


def test_a_stream_is_forgotten_in_pages_however_much_there_is_of_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pages(monkeypatch)
    accept(store, events("ab" * 12))
    for _ in range(3):
        store.advance([delivered(take(store))], [], 0.0)
        store.advance([dead(take(store))], [], 0.0)
    watch = store.watch()
    stream = store.pending(kind="agent_state")[0].stream
    assert store.forget(stream) == 6 + 3
    assert watch.tally() == tally(0, 6, 0)
    accept(store, events("a"))
    assert [(each.stream[-1], each.seq) for each in store.pending(kind="agent_state")] == [
        *(("b", number) for number in range(7, 13)),
        ("a", 1),
    ]
    sent = [each for attempt in deliver_all(store) for each in attempt.events]
    assert [each.seq for each in sent if each.stream == stream] == [1]
    assert [each.seq for each in sent if each.stream != stream] == [7, 8, 9, 10, 11, 12]
    assert store.forget(stream) == 0


@pytest.mark.parametrize("how", ["sent", "cut", "waiting"])
def test_forgetting_leaves_the_other_streams_and_what_is_on_its_way_as_they_were(
    store: Store, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    small_pages(monkeypatch)
    new = events("abaababaaa")
    accept(store, new)
    if how == "cut":
        store.advance([delivered(take(store))], [], 0.0)  # reads on, and keeps only a part of the long stream
    attempt = take(store)
    if how == "waiting":
        store.advance([again(attempt, 5.0)], [], 0.0)
    left = 7 if how != "cut" else 6
    assert store.forget(new[0].stream) == left - 1
    seq = accept(store, events("a"))[0].seq
    assert seq == 8
    if how == "waiting":
        attempt = take(store, now=5.0)
    sent = [agents(each) for each in deliver_all_after(store, delivered(attempt))]
    assert "".join(sent).count("a") == 1
    assert is_balanced(store.counts())


def test_forgetting_a_stream_takes_the_keys_of_what_was_delivered(store: Store) -> None:
    new = event("a")
    accept(store, [new])
    deliver_all(store)
    assert store.forget(new.stream) == 0
    assert accept(store, [new])[0].duplicate is False


def test_a_forgotten_stream_begins_anew_once_nothing_of_it_is_on_its_way(store: Store) -> None:
    accept(store, events("aa"))
    attempt = take(store)
    stream = attempt.events[0].stream
    store.forget(stream)
    assert accept(store, events("a"))[0].seq == 3
    deliver = [delivered(attempt)]
    assert store.advance(deliver, [], 0.0) is None
    store.forget(stream)
    assert accept(store, events("a"))[0].seq == 1


# --- counts and watches -------------------------------------------------------------------------------


def test_the_bytes_of_what_is_pending_and_dead_are_right_whatever_becomes_of_it(store: Store) -> None:
    assert store.counts().dead == Usage(items=0, bytes=0)
    new = events("abcd")
    sizes = dict(zip("abcd", (len(each.payload) for each in new), strict=True))

    def stand() -> tuple[Usage, Usage]:
        counts = store.counts()
        return counts.pending["agent_state"], counts.dead

    def of(names: str) -> Usage:
        return Usage(items=len(names), bytes=sum(sizes[name] for name in names))

    accept(store, new)
    store.advance([dead(take(store, most=3))], [], 0.0)
    assert stand() == (of("d"), of("abc"))
    assert store.requeue(["nobody", new[0].event_id], AT) == 1
    assert stand() == (of("ad"), of("bc"))
    assert store.purge(["nobody", new[1].event_id]) == 1
    assert stand() == (of("ad"), of("c"))
    assert store.forget(new[3].stream) == 1
    assert stand() == (of("a"), of("c"))
    assert store.forget(new[2].stream) == 1
    assert stand() == (of("a"), of(""))


def test_counts_hold_every_kind_with_its_bytes(store: Store) -> None:
    new = [*events("ab"), new_event(report())]
    accept(store, new)
    pending = store.counts().pending
    assert {kind: (usage.items, usage.bytes) for kind, usage in pending.items()} == {
        "agent_state": (2, len(new[0].payload) + len(new[1].payload)),
        "agent_activity_report": (0, 0),
        "historical_report": (1, len(new[2].payload)),
    }
    deliver_all(store)
    assert {(usage.items, usage.bytes) for usage in store.counts().pending.values()} == {(0, 0)}


def test_a_watch_follows_what_was_pending_when_it_began(store: Store) -> None:
    accept(store, events("abca"))
    before = take(store, most=1)
    watch = store.watch()
    accept(store, events("dab"))
    seen = [watch.tally()]
    store.advance([delivered(before)], [], 0.0)
    seen.append(watch.tally())
    doomed = take(store, most=1)
    store.advance([dead(doomed)], [], 0.0)
    seen.append(watch.tally())
    store.requeue(ids(doomed), AT)
    deliver_all(store)
    seen.append(watch.tally())
    watch.close()
    assert seen == [tally(0, 4, 0), tally(1, 3, 0), tally(1, 2, 1), tally(3, 0, 1)]


def test_a_closed_watch_follows_no_longer_and_two_do_not_mix(store: Store) -> None:
    accept(store, events("a"))
    one = store.watch()
    accept(store, events("b"))
    other = store.watch()
    one.close()
    deliver_all(store)
    assert (one.tally().pending, other.tally()) == (1, tally(2, 0, 0))


def test_upkeep_changes_nothing_that_can_be_seen(store: Store) -> None:
    accept(store, events("aabb"))
    store.advance([delivered(take(store))], [], 0.0)
    before = store.counts()
    store.upkeep(0.0, AT)
    store.upkeep(10.0, AT + 10.0)
    assert store.counts() == before
    assert agents(take(store)) == "ab"


def test_lanes_are_spread_and_never_change() -> None:
    assert [lane_of(f"state:ACD:agent-{number}") for number in range(4)] == [42, 60, 6, 16]
    assert len({lane_of(f"state:ACD:agent-{number}") for number in range(1000)}) == 64


def test_a_backlog_drains_in_the_order_of_each_stream(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    small_pages(monkeypatch, 60)
    names = "abcdefghijklmnopqrst"
    order = [names[(number * 7 + number // 13) % 20] for number in range(900)]
    for start in range(0, 900, 300):
        accept(store, events(order[start : start + 300]))
    attempts = deliver_all(store)
    sent = list(chain.from_iterable(each.events for each in attempts))
    assert len(sent) == 900
    for name in names:
        seqs = [each.seq for each in sent if each.stream[-1] == name]
        assert seqs == list(range(1, len(seqs) + 1))
