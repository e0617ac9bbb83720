"""What the PostgreSQL store promises beyond what all do: leases, fences, several processes, trouble."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from support.outbox import (
    AT,
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
    take,
    tally,
    want,
)
from support.outbox_postgres import PostgresPlace, admin, cut
from support.threads import Background, at_once

from cxone_wfm import (
    EnqueueOutcomeUnknown,
    OutboxUnavailable,
    ValidationError,
)
from cxone_wfm.outbox import Outbox
from cxone_wfm.outbox.identity import new_event
from cxone_wfm.outbox.store import LANES, Dead, Outcome, lane_of

psycopg = pytest.importorskip("psycopg")
postgres = pytest.importorskip("cxone_wfm.outbox.postgres")

PATIENCE = 10.0


class Clock:
    """A monotonic clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def place(tmp_path: Path) -> PostgresPlace:
    return PostgresPlace(tmp_path)


@pytest.fixture
def stores(place: PostgresPlace) -> Iterator[Callable[..., postgres.PostgresStore]]:
    """Opens stores on the same tables, as several processes would."""
    opened = []

    def open_one(**options: float) -> postgres.PostgresStore:
        opened.append(place.open(**options))
        return opened[-1]

    yield open_one
    for store in opened:
        assert is_balanced(store.counts())
        cut(store)


def lanes(store: postgres.PostgresStore) -> set[int]:
    return set(store._sending._leases.lanes)


def until(condition: Callable[[], object], step: Callable[[], object] = lambda: None) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came true"
        step()


def terminate(store: postgres.PostgresStore, which: str) -> None:
    """The server ends one of the store's connections."""
    session = store._front if which == "front" else store._sending._session
    pid = session._connection.info.backend_pid
    admin().execute("SELECT pg_terminate_backend(%s)", (pid,))
    until(lambda: not admin().execute("SELECT FROM pg_stat_activity WHERE pid = %s", (pid,)).rowcount)


def expire(store: postgres.PostgresStore, seconds: float = 0.0) -> None:
    """The store's leases ended so many seconds ago, by the server's clock."""
    admin().execute(
        "UPDATE cxone_wfm_outbox.lane SET lease_until = clock_timestamp() - make_interval(secs => %s)"
        " WHERE owner = %s",
        (seconds, store._sending._leases.owner),
    )
    admin().execute("DELETE FROM cxone_wfm_outbox.member WHERE owner = %s", (store._sending._leases.owner,))


# --- whose the lanes are ------------------------------------------------------------------------------


def test_a_process_that_only_accepts_or_looks_owns_no_lane(stores) -> None:
    accepting, sending = stores(), stores()
    accept(accepting, events("ab"))
    accepting.upkeep(0.0, AT)
    accepting.counts(), accepting.pending(kind="agent_state"), accepting.dead_letters()
    assert accepting.advance([], [], 0.0) is None
    assert lanes(accepting) == set()
    assert agents(take(sending)) == "ab"
    assert lanes(sending) == set(range(LANES))


def test_forgetting_goes_on_after_a_page_of_which_another_process_took_some(stores, monkeypatch) -> None:
    store, deleted = stores(), iter([2, 1, 2, 0])
    monkeypatch.setattr(store, "_change", lambda work: next(deleted))
    assert store._in_pages(lambda connection, most: (0, {})) == 5


def test_processes_share_the_lanes_fairly_and_none_is_owned_twice(stores) -> None:
    several = [stores() for _ in range(3)]
    for store in several:
        store.advance([], [want()], 0.0)
    assert [len(lanes(store)) for store in several] == [64, 0, 0]

    def all_upkeep() -> None:
        for store in several:
            store.upkeep(0.0, AT)

    until(lambda: sorted(len(lanes(store)) for store in several) == [20, 22, 22], all_upkeep)
    assert set.union(*map(lanes, several)) == set(range(LANES))
    several[0].close()
    until(lambda: sorted(len(lanes(store)) for store in several[1:]) == [32, 32], all_upkeep_of(several[1:]))


def all_upkeep_of(several) -> Callable[[], None]:
    return lambda: [store.upkeep(0.0, AT) for store in several] and None


def test_lanes_of_which_something_is_being_sent_are_not_let_go(stores) -> None:
    one, other = stores(), stores()
    accept(one, events("abcdefgh"))
    attempt = take(one)
    busy = {lane_of(each.stream) for each in attempt.events}
    other.advance([], [want()], 0.0)
    until(lambda: len(lanes(one)) == 32, lambda: (one.upkeep(0.0, AT), other.upkeep(0.0, AT)))
    assert busy <= lanes(one)
    one.advance([delivered(attempt)], [], 0.0)
    assert one.counts().delivered == 8


def test_a_set_that_waits_goes_on_with_the_new_owners_of_its_lanes(stores) -> None:
    one, other = stores(), stores()
    accept(one, [event(f"agent-{number}") for number in range(200)])
    attempt = take(one, most=200)
    one.advance([again(attempt, 1000.0, unknown=True)], [], 0.0)
    accept(one, [event(f"agent-{number}") for number in range(200)])
    other.advance([], [want()], 0.0)
    until(lambda: len(lanes(other)) == 32, lambda: (one.upkeep(0.0, AT), other.upkeep(0.0, AT)))
    found, mine = deliver_all(other, 2000.0), deliver_all(one, 2000.0)
    assert {lane_of(each.stream) for attempt in found for each in attempt.events} <= lanes(other)
    sent = [each for attempt in [*found, *mine] for each in attempt.events]
    assert len(sent) == 400
    for stream in {each.stream for each in sent}:
        assert [each.seq for each in sent if each.stream == stream] == [1, 2]
    first = found[0]
    assert (first.tries, first.unknown, first.crashes) == (2, True, 0)


def test_a_closed_store_gives_its_lanes_to_the_next_at_once(stores) -> None:
    one = stores()
    accept(one, events("ab"))
    take(one, most=1)
    one.close()
    other = stores()
    assert [agents(take(other)) for _ in range(2)] == ["a", "b"]


def test_after_a_crash_the_next_owner_waits_for_lease_and_request(stores) -> None:
    clock = Clock()
    one, other = stores(lease_seconds=30.0), stores(lease_seconds=30.0, monotonic=clock)
    accept(one, events("a"))
    first = one.advance([], [attrs.evolve(want(), seconds=9.0)], 0.0)
    assert other.advance([], [want()], 0.0) is None
    assert lanes(other) == set()
    expire(one, seconds=4.0)
    clock.now += 20.0
    assert other.advance([], [want()], 0.0) is None
    assert len(lanes(other)) == LANES
    clock.now += 4.0
    assert other.advance([], [want()], 0.0) is None
    clock.now += 1.1  # 9 s after the end of the lease
    second = other.advance([], [want()], 0.0)
    assert first is not None
    assert second is not None
    assert second.events == first.events
    assert (second.tries, second.unknown, second.crashes) == (2, True, 1)


def test_nothing_is_given_out_that_could_not_end_within_the_lease(stores) -> None:
    clock = Clock()
    store = stores(lease_seconds=30.0, monotonic=clock)
    accept(store, events("ab"))
    attempt = take(store, most=1)
    assert (agents(attempt), attempt.send_before) == ("a", 1024.0)  # 30 - 1 - 5 after it began
    store._sending._leases.due = lambda: False  # nobody renews
    accept(store, events("c"))
    clock.now += 20.9  # of 30, and 5 are left free at the end
    assert agents(store.advance([], [attrs.evolve(want(most=1), seconds=4.0)], 0.0)) == "b"
    clock.now += 0.2
    assert store.advance([], [attrs.evolve(want(), seconds=4.0)], 0.0) is None
    assert agents(store.advance([], [attrs.evolve(want(), seconds=3.8)], 0.0)) == "c"


def test_a_lease_is_renewed_when_a_quarter_of_it_is_over_also_without_upkeep(stores) -> None:
    clock = Clock()
    store = stores(lease_seconds=30.0, monotonic=clock)
    store.advance([], [want()], 0.0)
    query = "SELECT DISTINCT lease_until FROM cxone_wfm_outbox.lane"
    (first,) = admin().execute(query).fetchone()
    clock.now += 7.4
    store.advance([], [want()], 0.0)
    assert admin().execute(query).fetchone() == (first,)
    clock.now += 0.2
    store.advance([], [want()], 0.0)
    assert admin().execute(query).fetchone()[0] > first


def test_long_requests_get_long_leases(stores) -> None:
    store = stores()
    accept(store, events("a"))
    assert store.advance([], [attrs.evolve(want(), seconds=45.0)], 0.0) is not None
    left = "SELECT extract(epoch FROM min(lease_until) - clock_timestamp()) FROM cxone_wfm_outbox.lane"
    assert 95 < admin().execute(left).fetchone()[0] <= 100


def test_an_attempt_whose_commit_outlasted_the_lease_is_not_sent(stores) -> None:
    clock = Clock()
    store = stores(lease_seconds=30.0, monotonic=clock)
    accept(store, events("a"))
    sending = store._sending
    commit = sending._commit

    def slow(*values):
        found = commit(*values)
        clock.now += 25.0
        return found

    sending._commit = slow
    assert store.advance([], [attrs.evolve(want(), seconds=4.0)], 0.0) is None
    sending._commit = commit
    assert agents(store.advance([], [want()], 0.0)) == "a"


def test_lanes_that_a_frozen_process_holds_locked_do_not_stop_those_who_take_the_others(stores) -> None:
    frozen, other = stores(), stores()
    frozen.advance([], [want()], 0.0)
    expire(frozen, seconds=100.0)
    with psycopg.connect(PostgresPlace.shared_url()) as holder:
        holder.execute("SELECT FROM cxone_wfm_outbox.lane WHERE lane < 10 FOR NO KEY UPDATE")
        other.advance([], [want()], 0.0)
        assert lanes(other) == set(range(10, LANES))
    until(lambda: len(lanes(other)) == LANES, all_upkeep_of([other]))


# --- the fence ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["delivered", "dead", "again"])
def test_what_a_frozen_owner_says_after_it_lost_its_lanes_is_ignored(stores, what: str) -> None:
    frozen, other = stores(), stores()
    accept(frozen, events("ab"))
    old = take(frozen)
    expire(frozen, seconds=100.0)
    new = take(other)
    assert new.events == old.events
    outcome = {"delivered": delivered, "dead": dead, "again": again}[what](old)
    assert frozen.advance([outcome], [want()], 0.0) is None
    assert (frozen.counts().delivered, frozen.counts().dead.items) == (0, 0)
    assert lanes(frozen) == set()
    other.advance([delivered(new)], [], 0.0)
    assert other.counts().delivered == 2


def test_who_gets_a_lane_back_knows_nothing_of_what_was_before(stores) -> None:
    clock = Clock()
    one, other = stores(monotonic=clock), stores()
    accept(one, events("aab"))
    old = take(one)
    expire(one, seconds=100.0)
    new = take(other)
    other.advance([delivered(new)], [], 0.0)
    other.close()
    clock.now += 1000.0
    assert [each.seq for each in one.advance([delivered(old)], [want()], 0.0).events] == [2]
    assert len(lanes(one)) == LANES
    delivered_in_all = "SELECT sum(value) FROM cxone_wfm_outbox.counter WHERE name = 'delivered'"
    assert admin().execute(delivered_in_all).fetchone() == (2,)


def test_an_owner_that_lost_some_lanes_records_what_happened_in_the_others(stores) -> None:
    one, other = stores(), stores()
    accept(one, events("abcdefgh"))
    old = take(one)
    lost = {lane_of(each.stream) for each in old.events[:3]}
    other.advance([], [want()], 0.0)
    admin().execute(
        "UPDATE cxone_wfm_outbox.lane SET owner = %s, epoch = epoch + 1 WHERE lane = ANY(%s)",
        (other._sending._leases.owner, list(lost)),
    )
    a, b, c, d, e, f, *rest = ids(old)
    letters = tuple(Dead(event_id=each, reason="refused") for each in (b, e))
    left = Outcome(attempt=old, delivered=(a, d, *rest), dead=letters, again=again(old).again, at=AT)
    left = attrs.evolve(left, again=tuple(attrs.evolve(left.again[0], event_ids=(each,)) for each in (c, f)))
    next_one = one.advance([left], [want()], 0.0)
    lost_ids = {each.event_id for each in old.events if lane_of(each.stream) in lost}
    assert next_one is not None
    assert set(ids(next_one)) == {f} - lost_ids
    assert one.counts().delivered == len({a, d, *rest} - lost_ids)
    assert one.counts().dead.items == len({b, e} - lost_ids)
    other._sending._stale = True
    other._sending._leases._renewed = float("-inf")
    assert set(ids(take(other))) == lost_ids


def test_who_loses_lanes_again_and_again_says_so(stores, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stores()
    accept(store, events("a"))

    def lost(*_) -> None:
        raise postgres._leases.LeaseLost

    monkeypatch.setattr(store._sending._leases, "fence", lost)
    with pytest.raises(OutboxUnavailable, match="from owner to owner"):
        store.advance([], [want()], 0.0)
    monkeypatch.undo()
    assert agents(take(store)) == "a"


def test_a_renewal_that_fails_is_made_up_for(stores) -> None:
    clock = Clock()
    store = stores(monotonic=clock)
    accept(store, events("ab"))
    first = take(store, most=1)
    terminate(store, "sending")
    clock.now += 10.0
    with pytest.raises(OutboxUnavailable):
        store.upkeep(0.0, AT)
    store.upkeep(0.0, AT)
    assert agents(store.advance([delivered(first)], [want()], 0.0)) == "b"


def test_an_owner_that_slept_and_lost_nothing_goes_on(stores) -> None:
    clock = Clock()
    store = stores(monotonic=clock)
    accept(store, events("ab"))
    attempt = take(store, most=1)
    expire(store, seconds=100.0)
    clock.now += 1000.0
    assert agents(store.advance([delivered(attempt)], [want()], 0.0)) == "b"
    assert store.counts().delivered == 1


# --- several processes --------------------------------------------------------------------------------


def test_what_another_process_accepted_is_seen_by_polling(stores) -> None:
    clock = Clock()
    accepting, sending = stores(), stores(monotonic=clock)
    sending.advance([], [want()], 0.0)
    accept(accepting, events("ab"))
    assert sending.advance([], [want()], 0.0) is None
    clock.now += sending.poll_seconds
    assert agents(take(sending)) == "ab"


def test_processes_that_accept_at_once_number_a_stream_without_a_gap(stores) -> None:
    several = [stores() for _ in range(4)]

    def work(number: int) -> list[int]:
        return [accept(several[number], events("ab" if number % 2 else "ba"))[0].seq for _ in range(25)]

    at_once(4, work)
    assert several[0].counts().accepted <= 200
    sender = stores()
    sent = [each for attempt in deliver_all(sender) for each in attempt.events]
    for name in "ab":
        rows = [each for each in sent if each.stream[-1] == name]
        assert [each.seq for each in rows] == list(range(1, 101))
        assert sorted(each.position for each in rows) == [each.position for each in rows]


def test_an_event_that_was_committed_late_is_not_passed_over(stores) -> None:
    accepting, sending = stores(), stores()
    early, late = events("ab")
    assert lane_of(early.stream) != lane_of(late.stream)
    holder = psycopg.connect(PostgresPlace.shared_url(), autocommit=False)
    holder.execute("SELECT nextval('cxone_wfm_outbox.event_position')")  # a smaller position, in another lane
    accept(accepting, [late])
    assert agents(take(sending)) == "b"
    position = admin().execute("SELECT min(position) - 1 FROM cxone_wfm_outbox.event").fetchone()[0]
    accept(accepting, [early])
    admin().execute(
        "UPDATE cxone_wfm_outbox.event SET position = %s WHERE event_id = %s", (position, early.event_id)
    )
    holder.close()
    sending._sending.wake()
    assert agents(take(sending)) == "a"


def test_the_same_key_from_two_processes_at_once_is_accepted_once(stores) -> None:
    several = [stores() for _ in range(2)]
    first = event("a", key="mine")
    twins = [first, first._replace(event_id="twin", stream="state:ACD:other")]
    outcomes = at_once(2, lambda number: accept(several[number], [twins[number]])[0])
    assert sorted(receipt.duplicate for receipt in outcomes) == [False, True]
    assert len({receipt.event_id for receipt in outcomes}) == 1


def test_forgetting_in_another_process_is_minded_by_the_owner(stores) -> None:
    owner, other = stores(), stores()
    new = events("aab")
    accept(owner, new)
    first = take(owner, most=1)
    assert other.forget(new[0].stream) == 1
    assert other.forget(new[2].stream) == 1
    assert owner.advance([delivered(first)], [want()], 0.0) is None
    accept(other, events("b"))
    owner._sending.wake()
    assert agents(take(owner)) == "b"


def test_counts_of_other_processes_are_seen_within_a_second(stores) -> None:
    clock = Clock()
    one, other = stores(monotonic=clock), stores()
    accept(other, events("abc"))
    assert one.counts().accepted == 0
    clock.now += 1.1
    assert one.counts().accepted == 3


def test_a_watch_counts_what_other_processes_deliver(stores) -> None:
    one, other = stores(), stores()
    accept(one, events("abca"))
    watch = one.watch()
    accept(other, events("d"))
    attempt = take(other, most=3)
    letters = (Dead(event_id=ids(attempt)[0], reason="refused"),)
    other.advance([Outcome(attempt=attempt, delivered=ids(attempt)[1:], dead=letters, at=AT)], [], 0.0)
    assert watch.tally() == tally(2, 1, 1)
    terminate(one, "front")
    assert watch.tally() == tally(2, 1, 1)


def test_a_slow_tally_is_not_asked_for_often(stores) -> None:
    clock = Clock()
    store = stores(monotonic=clock)
    accept(store, events("ab"))
    watch = store.watch()
    read = store._front.read

    def slow(work):
        clock.now += 0.3
        return read(work)

    store._front.read = slow
    watch.tally()
    deliver_all(store)
    assert watch.tally() == tally(0, 2, 0)
    clock.now += 6.1
    assert watch.tally() == tally(2, 0, 0)


# --- trouble ------------------------------------------------------------------------------------------


def test_a_connection_that_broke_is_made_anew(stores) -> None:
    store = stores()
    accept(store, events("ab"))
    first = take(store, most=1)
    for which in ("front", "sending"):
        terminate(store, which)
    with pytest.raises(OutboxUnavailable, match=r"SQLSTATE 57P01|cannot be reached"):
        accept(store, events("c"))
    with pytest.raises(OutboxUnavailable):
        store.advance([delivered(first)], [want()], 0.0)
    assert accept(store, events("c"))[0].seq == 1
    assert agents(store.advance([delivered(first)], [want()], 0.0)) == "bc"
    assert store.counts().delivered == 1


class Breaking:
    """A connection that breaks at a statement: before the server has it, or after."""

    def __init__(self, connection, statement: str, *, arrives: bool) -> None:
        self._connection, self._statement, self._arrives = connection, statement, arrives

    def execute(self, query, *values, **options):
        if query.startswith(self._statement):
            if self._arrives:
                self._connection.execute(query, *values, **options)
            self._connection.close()
        return self._connection.execute(query, *values, **options)

    def close(self) -> None:
        self._connection.close()


def break_at_commit(session, *, arrives: bool) -> None:
    session._connection = Breaking(session._connection, "COMMIT", arrives=arrives)


@pytest.mark.parametrize("arrives", [True, False])
def test_a_commit_of_which_nobody_knows_is_settled_by_the_events(stores, arrives: bool) -> None:
    store = stores()
    one, other = report(active=1), report(active=2)
    new = [event("a"), *(new_event(each) for each in (one, other, one)), event("a")]
    store.counts()
    break_at_commit(store._front, arrives=arrives)
    receipts = accept(store, new)
    assert [each.event_id for each in receipts] == [each.event_id for each in new]
    assert [(each.seq, each.duplicate) for each in receipts] == [
        (1, False),
        (1, False),
        (2, False),
        (3, False),
        (2, False),
    ]
    rows = admin().execute("SELECT event_id FROM cxone_wfm_outbox.event ORDER BY position").fetchall()
    assert [event_id for (event_id,) in rows] == [each.event_id for each in new]
    assert store.counts().accepted == 5


def test_a_commit_that_cannot_be_settled_is_told_and_the_same_call_again_is_right(
    stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stores()
    new = event("a")
    break_at_commit(store._front, arrives=True)
    conninfo = store._front._conninfo
    store._front._conninfo = type(conninfo)("host=127.0.0.1 port=1")
    with pytest.raises(EnqueueOutcomeUnknown):
        accept(store, [new])
    store._front._conninfo = conninfo
    outbox = Outbox(store)
    (receipt,) = outbox._accept([new], 0.0)
    assert (receipt.seq, receipt.duplicate) == (1, False)
    assert store.pending(kind="agent_state")[0].event_id == new.event_id


@pytest.mark.parametrize("arrives", [True, False])
def test_an_outcome_of_whose_commit_nobody_knows_is_recorded_once(stores, arrives: bool) -> None:
    store = stores()
    accept(store, events("ab"))
    first, going_on = take(store, most=1), take(store, most=1)
    accept(store, events("a"))
    break_at_commit(store._sending._session, arrives=arrives)
    with pytest.raises(OutboxUnavailable):
        store.advance([delivered(first)], [want()], 0.0)
    second = store.advance([delivered(first)], [want()], 0.0)
    assert second is not None
    assert (agents(second), second.unknown, second.crashes) == ("a", False, 0)
    store.advance([delivered(second), delivered(going_on)], [], 0.0)
    admin_counts = dict(
        admin().execute("SELECT name, sum(value) FROM cxone_wfm_outbox.counter GROUP BY 1").fetchall()
    )
    assert admin_counts["delivered"] == 3
    assert store.pending(kind="agent_state") == []


def test_where_a_lock_is_held_too_long_nothing_is_accepted_and_nothing_is_stuck(
    stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres._session._SETTINGS, "lock_timeout", "50")
    store = stores()
    new = event("a")
    with psycopg.connect(PostgresPlace.shared_url()) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s, %s)", (0x43584F43, lane_of(new.stream)))
        with pytest.raises(OutboxUnavailable, match="LockNotAvailable"):
            accept(store, [new])
    assert accept(store, [new])[0].duplicate is False


def test_callers_who_wait_are_accepted_in_one_transaction_and_a_conflict_is_its_callers_alone(stores) -> None:
    store = stores()
    known = event("k", key="mine")
    accept(store, [known])
    calls = [events("ab"), [event("c"), event("k", key="mine")], events("ba")]
    store._front.lock.acquire()
    waiting = []
    for number, call in enumerate(calls):
        waiting.append(Background(lambda call=call: accept(store, call)))
        until(lambda number=number: len(store._acceptor._waiting) == number + 1)
    store._front.lock.release()
    outcomes = [each.outcome() for each in waiting]
    assert [type(each).__name__ for each in outcomes] == ["list", "ConflictingDuplicateError", "list"]
    assert [each.seq for each in (*outcomes[0], *outcomes[2])] == [1, 1, 2, 2]
    transactions = admin().execute(
        "SELECT count(DISTINCT xmin::text) FROM cxone_wfm_outbox.event WHERE event_id <> %s",
        (known.event_id,),
    )
    assert transactions.fetchone() == (1,)


def test_an_interrupt_leaves_nobody_waiting(stores) -> None:
    store = stores()
    write = store._acceptor._write

    def interrupted(*_):
        raise KeyboardInterrupt

    store._acceptor._write = interrupted
    with pytest.raises(KeyboardInterrupt):
        accept(store, events("a"))
    store._acceptor._write = write
    assert accept(store, events("a"))[0].seq == 1
    with store._front.lock:
        lost = Background(lambda: accept(store, events("a")))
        until(lambda: store._acceptor._waiting)
        store._acceptor._waiting.clear()  # the interrupt came when another had just taken it up
    assert isinstance(lost.outcome(), EnqueueOutcomeUnknown)


def test_texts_that_postgresql_cannot_keep_do_not_stop_a_burial(stores) -> None:
    store = stores()
    accept(store, events("a"))
    attempt = take(store)
    letter = Dead(event_id=ids(attempt)[0], reason="refused", status=None, detail="a\0b\ud800c")
    store.advance([Outcome(attempt=attempt, dead=(letter,), at=AT)], [], 0.0)
    ((_, found),) = store.dead_letters()
    assert (found.detail, found.status) == ("a\ufffdb?c", None)


def test_a_name_that_postgresql_cannot_keep_is_refused_at_once_and_for_its_caller_alone(stores) -> None:
    store = stores()
    with pytest.raises(ValidationError, match="NUL"):
        accept(store, [event("a"), event("b\0c")])
    assert accept(store, events("a"))[0].seq == 1


def test_closing_without_a_server_is_quiet(stores, caplog: pytest.LogCaptureFixture) -> None:
    store = stores()
    store.advance([], [want()], 0.0)
    terminate(store, "sending")
    store.close()
    assert "wait for their leases" in caplog.text
    store.close()


def test_of_what_ended_nothing_is_kept_but_its_key_or_its_letter(stores) -> None:
    store = stores()
    accept(store, events("abc"))
    store.advance([again(take(store, most=2)), dead(take(store, most=1))], [], 0.0)
    deliver_all(store)
    for table in ("attempt", "event"):
        assert admin().execute(f"SELECT count(*) FROM cxone_wfm_outbox.{table}").fetchone() == (0,)


# --- keys ---------------------------------------------------------------------------------------------


def test_keys_and_streams_of_what_was_delivered_are_forgotten_in_time(stores) -> None:
    clock = Clock()
    store = stores(monotonic=clock, ledger_seconds=3600.0)
    new = events("ab")
    accept(store, new)
    store.advance([delivered(take(store, most=1))], [], 0.0)
    upkeep(store, clock)
    assert accept(store, [new[0]])[0].duplicate is True
    for table, column in (("ledger", "delivered_at"), ("stream", "last_at"), ("death", "died_at")):
        admin().execute(f"UPDATE cxone_wfm_outbox.{table} SET {column} = {column} - interval '2 hours'")
    upkeep(store, clock)
    assert [each.seq for each in accept(store, [new[0], *events("b")])] == [1, 2]


def test_a_stream_is_remembered_as_long_as_a_key_of_it(stores) -> None:
    clock = Clock()
    store = stores(monotonic=clock, ledger_seconds=3600.0)
    accept(store, events("ab"))
    store.advance([delivered(take(store, most=1))], [], 0.0)
    store.advance([dead(take(store, most=1))], [], 0.0)
    admin().execute("UPDATE cxone_wfm_outbox.stream SET last_at = last_at - interval '2 hours'")
    upkeep(store, clock)
    assert [each.seq for each in accept(store, events("ab"))] == [2, 2]


def test_no_more_keys_are_remembered_than_wanted(stores) -> None:
    clock = Clock()
    store = stores(monotonic=clock, ledger_rows=3)
    new = events("abcde")
    accept(store, new)
    deliver_all(store)
    upkeep(store, clock)
    assert [each.duplicate for each in accept(store, new)] == [False, False, True, True, True]


def test_one_process_at_a_time_forgets(stores) -> None:
    clock = Clock()
    store = stores(monotonic=clock, ledger_rows=0)
    accept(store, events("a"))
    deliver_all(store)
    with psycopg.connect(PostgresPlace.shared_url()) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", (0x43584F44,))
        upkeep(store, clock)
        assert admin().execute("SELECT count(*) FROM cxone_wfm_outbox.ledger").fetchone() == (1,)
    upkeep(store, clock)
    assert admin().execute("SELECT count(*) FROM cxone_wfm_outbox.ledger").fetchone() == (0,)


def upkeep(store: postgres.PostgresStore, clock: Clock) -> None:
    clock.now += 11.0
    store.upkeep(0.0, AT)
