"""What `Outbox` promises beyond its store: room, patience, receipts that are right."""

import logging
import os
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from support.outbox import AT, SqlitePlace, dead, delivered, ids, report, state, take, want
from support.threads import Background, at_once

from cxone_wfm import (
    AgentState,
    ConfigurationError,
    ConflictingDuplicateError,
    EnqueueOutcomeUnknown,
    ForkedOutboxError,
    HistoricalReport,
    OutboxFull,
    OutboxUnavailable,
)
from cxone_wfm.outbox import Limits, Outbox, Receipt, StoredEvent
from cxone_wfm.outbox.identity import new_event
from cxone_wfm.outbox.limits import Need, level
from cxone_wfm.outbox.reading import owner_of, read_outbox
from cxone_wfm.outbox.sqlite import SqliteStore
from cxone_wfm.outbox.store import KINDS, NewEvent
from cxone_wfm.testing import FakeClock


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    place = SqlitePlace(tmp_path)
    store = place.open()
    yield store
    place.crash(store)


def outbox(store: SqliteStore, **settings) -> Outbox:
    return Outbox(store, wall=lambda: AT, **settings)


SIZE = len(state("a").to_json())


# --- opening ------------------------------------------------------------------------------------------


def test_a_path_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "outbox.db"
    limits = Limits(min_free_bytes=0, ballast_bytes=1234)
    with Outbox.open(str(path), limits=limits) as box:
        receipt = box.enqueue(state("a"))
    assert path.with_name("outbox.db.ballast").stat().st_size == 1234
    with Outbox.open(path, limits=limits) as box:
        found = box.find(receipt.event_id)
        assert isinstance(found, StoredEvent)
        assert found.payload == state("a").to_json()
        assert box.counts().accepted == 1


def test_a_postgresql_url_is_a_server(
    monkeypatch: pytest.MonkeyPatch, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    class PostgresStore:
        @staticmethod
        def open(url: str) -> SqliteStore:
            asked.append(url)
            return store

    module = types.ModuleType("cxone_wfm.outbox.postgres")
    monkeypatch.setattr(module, "PostgresStore", PostgresStore, raising=False)
    monkeypatch.setitem(sys.modules, "cxone_wfm.outbox.postgres", module)
    for url in ("postgresql://host/base", "postgres://host/base", "POSTGRESQL://host/Base"):
        assert Outbox.open(url).store is store
    assert asked == ["postgresql://host/base", "postgres://host/base", "postgresql://host/Base"]
    limits, told = Limits(max_items=1), []
    box = Outbox.open("postgresql://host/base", limits=limits, on_high_water=told.append)
    assert box.limits is limits
    box.enqueue(report())
    assert told == [1.0]
    assert "the outbox is 100 % full" in caplog.text


def test_what_a_file_is_opened_with_counts_and_else_the_defaults(tmp_path: Path) -> None:
    limits, told = Limits(max_items=1, min_free_bytes=0, ballast_bytes=0), []
    with Outbox.open(tmp_path / "a.db", limits=limits, on_high_water=told.append) as box:
        assert box.limits is limits
        box.enqueue(report())
    assert told == [1.0]
    with Outbox.open(tmp_path / "b.db") as box:
        assert box.limits == Limits()
    assert (tmp_path / "b.db.ballast").stat().st_size == Limits().ballast_bytes


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://u:SECRET@h/db", "sqlite:///SECRET.db", "file:///SECRET", "mysql://SECRET"]
)
@pytest.mark.parametrize("use", [Outbox.open, read_outbox, owner_of])
def test_a_url_of_another_kind_is_no_path_and_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, use: Callable[[str], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="a URL of an unknown kind") as caught:
        use(url)
    assert "SECRET" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    limits = Limits(min_free_bytes=0, ballast_bytes=0)
    for url in ("~/x.db", Path("~/x.db")):
        with Outbox.open(url, limits=limits) as box:
            box.enqueue(state("a"))
        assert box._folder == tmp_path / "home"
    with closing(read_outbox("~/x.db")) as reader:
        assert reader.counts().accepted == 1
    Outbox.open("~x.db", limits=limits).close()
    assert (tmp_path / "~x.db").is_file()


def test_a_closed_outbox_refuses_at_once(tmp_path: Path) -> None:
    box = Outbox.open(tmp_path / "outbox.db", limits=Limits(min_free_bytes=0, ballast_bytes=0))
    box.close()
    box.close()
    with pytest.raises(OutboxUnavailable, match="closed"):
        box.enqueue(state("a"), timeout=1000.0)


# --- receipts -----------------------------------------------------------------------------------------


def test_a_receipt_says_where_the_event_stands(store: SqliteStore) -> None:
    box = outbox(store)
    receipts = box.enqueue_many([state("a", 1), state("b", 1), state("a", 2)])
    assert [(each.stream, each.seq, each.duplicate) for each in receipts] == [
        ("state:ACD:a", 1, False),
        ("state:ACD:b", 1, False),
        ("state:ACD:a", 2, False),
    ]
    twin = box.enqueue(state("a", 2))
    assert twin == Receipt(event_id=receipts[2].event_id, stream="state:ACD:a", seq=2, duplicate=True)
    assert box.enqueue_many([]) == []


def test_a_key_of_ones_own_is_unique_over_all_records(store: SqliteStore) -> None:
    box = outbox(store)
    first = box.enqueue(state("a", 1), dedupe_key="mine")
    assert box.enqueue(state("a", 1), dedupe_key="mine").duplicate
    with pytest.raises(ConflictingDuplicateError) as caught:
        box.enqueue(report(), dedupe_key="mine")
    assert caught.value.event_id == first.event_id
    assert box.enqueue(state("a", 1)).duplicate is False


def test_a_corrected_report_is_a_new_event_of_its_interval(store: SqliteStore) -> None:
    box = outbox(store)
    receipts = [box.enqueue(report(active=active)) for active in (1, 1, 2)]
    assert [(each.seq, each.duplicate) for each in receipts] == [(1, False), (1, True), (2, False)]


def test_what_is_no_record_is_refused_with_everything_beside_it(store: SqliteStore) -> None:
    box = outbox(store)
    with pytest.raises(TypeError, match="not str"):
        box.enqueue_many([state("a"), "b"])  # type: ignore[list-item]
    assert box.counts().accepted == 0


def test_listeners_hear_of_what_is_new_only(store: SqliteStore) -> None:
    box = outbox(store)
    heard: list[set[str]] = []
    box.listen(lambda kinds: heard.append(set(kinds)))
    box.enqueue(state("a"))
    box.enqueue(state("a"))
    box.enqueue_many([state("a"), state("b"), report(0)])
    assert heard == [{"agent_state"}, {"agent_state", "historical_report"}]


# --- room ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (
            Limits(max_items=3, min_free_bytes=0),
            "events pending or dead: 4 with what was to be accepted, and at most 3",
        ),
        (Limits(max_bytes=3 * SIZE, min_free_bytes=0, states_share=1.0), "bytes pending or dead"),
        (Limits(max_items=6, states_share=0.5, min_free_bytes=0), "agent states pending: 4"),
        (Limits(max_bytes=6 * SIZE, states_share=0.5, min_free_bytes=0), "bytes of agent states"),
    ],
    ids=["items", "bytes", "items of states", "bytes of states"],
)
def test_the_bounds_are_exact(store: SqliteStore, limits: Limits, words: str) -> None:
    box = outbox(
        store,
        limits=limits
        if "states" in words
        else Limits(
            max_items=limits.max_items, max_bytes=limits.max_bytes, states_share=1.0, min_free_bytes=0
        ),
    )
    for number in range(3):
        box.enqueue(state("a", number), timeout=0.0)
    with pytest.raises(OutboxFull, match=words):
        box.enqueue(state("a", 3), timeout=0.0)
    assert box.counts().accepted == 3
    assert words.partition(":")[0] in str(box.why_full())
    store.advance([delivered(take(store))], [], 0.0)
    assert box.why_full() is None
    assert box.enqueue(state("a", 3), timeout=0.0).seq == 4


def test_a_flood_of_states_leaves_room_for_reports(store: SqliteStore) -> None:
    box = outbox(store, limits=Limits(max_items=10))
    box.enqueue_many([state("a", number) for number in range(7)])
    with pytest.raises(OutboxFull, match="agent states"):
        box.enqueue(state("a", 7), timeout=0.0)
    for quarter in range(3):
        box.enqueue(report(quarter), timeout=0.0)
    with pytest.raises(OutboxFull, match="pending or dead"):
        box.enqueue(report(3), timeout=0.0)


def test_dead_letters_take_room_until_they_are_purged(store: SqliteStore) -> None:
    box = outbox(store, limits=Limits(max_items=2, states_share=1.0))
    box.enqueue_many([state("a"), state("b")])
    attempt = take(store)
    store.advance([dead(attempt)], [], 0.0)
    with pytest.raises(OutboxFull):
        box.enqueue(state("c"), timeout=0.0)
    assert box.purge(ids(attempt)[:1]) == 1
    assert box.why_full() is None
    box.enqueue(state("c"), timeout=0.0)


def test_all_or_none_where_there_is_room_for_some(store: SqliteStore) -> None:
    box = outbox(store, limits=Limits(max_items=3, states_share=1.0))
    with pytest.raises(OutboxFull):
        box.enqueue_many([state("a", number) for number in range(4)], timeout=0.0)
    assert box.counts().accepted == 0


class Disk(NamedTuple):
    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    ("disk", "least", "full"),
    [
        (Disk(10**9, 0, 256 * 1024**2), None, False),
        (Disk(10**9, 0, 256 * 1024**2 - 1), None, True),
        (Disk(10**12, 0, 2 * 10**10), None, False),
        (Disk(10**12, 0, 2 * 10**10 - 1), None, True),
        (Disk(10**12, 0, 0), 0, False),
        (Disk(10**12, 0, 6), 7, True),
    ],
)
def test_the_disk_is_not_filled(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, disk: Disk, least: int | None, *, full: bool
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: disk)
    box = outbox(store, limits=Limits(min_free_bytes=least), folder=Path("/"))
    if full:
        with pytest.raises(OutboxFull, match="bytes free"):
            box.enqueue(state("a"), timeout=0.0)
        assert "bytes free" in str(box.why_full())
    else:
        box.enqueue(state("a"), timeout=0.0)
        assert box.why_full() is None


@pytest.mark.parametrize("refused", [state("a", 9, reason="long"), report()], ids=["state", "report"])
def test_it_is_full_for_what_was_refused_until_something_is_accepted(
    store: SqliteStore, refused: AgentState | HistoricalReport
) -> None:
    bytes_kept = SIZE + len(refused.to_json()) - 1
    share = 0.5 if isinstance(refused, AgentState) else 1.0
    limits = Limits(max_bytes=int(bytes_kept / share), states_share=share, min_free_bytes=0)
    box = outbox(store, limits=limits)
    box.enqueue(state("a"))
    assert box.why_full() is None
    with pytest.raises(OutboxFull):
        box.enqueue_many([refused, state("b")], timeout=0.0)
    assert "bytes" in str(box.why_full())
    box.forget("state:ACD:a")
    assert box.why_full() is None
    with pytest.raises(OutboxFull):
        box.enqueue_many([state("a", number) for number in range(100)], timeout=0.0)
    assert box.why_full() is None


def test_one_state_always_has_room() -> None:
    limits = Limits(max_items=1, max_bytes=1)
    assert (limits.max_states, limits.max_states_bytes) == (1, 1)


def test_a_folder_that_is_gone_is_told_and_waited_for(store: SqliteStore, tmp_path: Path) -> None:
    folder = tmp_path / "away"
    box = outbox(store, limits=Limits(min_free_bytes=0), folder=folder)
    assert "cannot be looked at: No such file" in str(box.why_full())
    with pytest.raises(OutboxUnavailable, match="cannot be looked at"):
        box.enqueue(state("a"), timeout=0.0)
    waiting = Background(lambda: box.enqueue(state("a"), timeout=1000.0))
    folder.mkdir()
    receipt = waiting.outcome()
    assert isinstance(receipt, Receipt)
    assert box.why_full() is None


def test_it_waits_for_room_and_gives_up_in_time(store: SqliteStore) -> None:
    box = outbox(store, limits=Limits(max_items=1, states_share=1.0))
    box.enqueue(state("a"))
    waiting = Background(lambda: box.enqueue(state("b"), timeout=1000.0))
    attempt = take(store)
    store.advance([delivered(attempt)], [], 0.0)
    box.made_room()
    receipt = waiting.outcome()
    assert isinstance(receipt, Receipt)
    clock = FakeClock()
    box = outbox(store, limits=Limits(max_items=1, states_share=1.0), clock=clock)
    waiting = Background(lambda: box.enqueue(state("c"), timeout=5.0))
    while waiting._thread.is_alive():
        clock.advance(1.0)
        box.made_room()
    assert isinstance(waiting.outcome(), OutboxFull)


def test_many_threads_do_not_pass_the_bound_together(store: SqliteStore) -> None:
    box = outbox(store, limits=Limits(max_items=10, states_share=1.0))

    def work(number: int) -> int:
        done = 0
        for each in range(5):
            try:
                box.enqueue(state("a", 100 * number + each), timeout=0.0)
            except OutboxFull:
                continue
            done += 1
        return done

    assert sum(done for done in at_once(8, work) if isinstance(done, int)) == 10
    assert box.counts().accepted == 10


def test_high_water_is_told_once_until_it_falls(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    told: list[float] = []
    box = outbox(store, limits=Limits(max_items=10, states_share=1.0), on_high_water=told.append)
    for number in range(10):
        box.enqueue(state("a", number))
    assert told == [0.8]
    assert "80 % full" in caplog.text
    while attempt := store.advance([], [want()], 0.0):
        store.advance([delivered(attempt)], [], 0.0)
    box.enqueue(state("a", 10))
    box.enqueue_many([state("b", number) for number in range(8)])
    assert told == [0.8, 0.9]
    quiet = outbox(store, limits=Limits(max_items=10, states_share=1.0))
    quiet.enqueue(state("c"))


def test_what_was_accepted_has_its_receipt_whatever_the_high_water_callback_does(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(share: float) -> None:
        raise ValueError(share)

    box = outbox(store, limits=Limits(max_items=1, states_share=1.0), on_high_water=fail)
    assert box.enqueue(state("a")).seq == 1
    assert "on_high_water failed" in caplog.text


@pytest.mark.parametrize(
    "settings",
    [
        {"max_items": 0},
        {"max_bytes": 1.5},
        {"ballast_bytes": -1},
        {"min_free_bytes": -1},
        {"states_share": 0.0},
        {"states_share": 1.1},
        {"max_items": None},
    ],
    ids=repr,
)
def test_bounds_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Limits(**settings)  # type: ignore[arg-type]
    (problem,) = caught.value.problems
    assert next(iter(settings)) in problem


# --- a store that fails -------------------------------------------------------------------------------


class Flaky(SqliteStore):
    """Raises these before, or instead of, or after it accepts."""

    def __init__(self, path: Path, errors: list[Exception | None], *, after: bool = False) -> None:
        super().__init__(path, ballast_bytes=0)
        self._errors = errors
        self._after = after

    def accept(self, events: Sequence[NewEvent], accepted_at: float) -> list[Receipt]:
        error = self._errors.pop(0) if self._errors else None
        if error is not None and not self._after:
            raise error
        receipts = super().accept(events, accepted_at)
        if error is not None:
            raise error
        return receipts


def test_a_passing_failure_is_waited_out(tmp_path: Path) -> None:
    store = Flaky(tmp_path / "x.db", [OutboxUnavailable("x"), OutboxFull("y"), OutboxUnavailable("x")])
    box = outbox(store)
    assert box.enqueue(state("a")).duplicate is False
    box.close()


def test_a_try_that_seemed_to_fail_and_was_done_is_no_duplicate(tmp_path: Path) -> None:
    store = Flaky(tmp_path / "x.db", [None, EnqueueOutcomeUnknown("x")], after=True)
    box = outbox(store)
    box.enqueue(state("a"))
    receipts = box.enqueue_many([state("a"), state("b")])
    assert [each.duplicate for each in receipts] == [True, False]
    assert box.counts().accepted == 2
    box.close()


@pytest.mark.parametrize(
    ("errors", "raised"),
    [
        ([OutboxUnavailable("x")] * 99, OutboxUnavailable),
        ([OutboxFull("x")] * 99, OutboxFull),
        ([EnqueueOutcomeUnknown("x"), *[OutboxUnavailable("y")] * 99], EnqueueOutcomeUnknown),
        ([EnqueueOutcomeUnknown("x"), *[OutboxFull("y")] * 99], EnqueueOutcomeUnknown),
    ],
)
def test_a_lasting_failure_is_told_after_the_time_and_never_as_less_than_it_is(
    tmp_path: Path, errors: list[Exception | None], raised: type[Exception]
) -> None:
    store = Flaky(tmp_path / "x.db", list(errors))
    box = outbox(store)
    with pytest.raises(raised) as caught:
        box.enqueue(state("a"), timeout=0.1)
    assert type(caught.value) is raised
    assert caught.value.reason == errors[-1].args[0]
    assert box.why_full() == f"the last try failed: {errors[-1].args[0]}"
    store._errors.clear()
    box.enqueue(state("a"))
    assert box.why_full() is None
    box.close()


# --- dead letters -------------------------------------------------------------------------------------


def test_dead_letters_are_read_to_the_end(store: SqliteStore) -> None:
    box = outbox(store)
    box.enqueue_many([state(f"agent-{number}") for number in range(250)])
    attempt = store.advance([], [want(most=250)], 0.0)
    assert attempt is not None
    store.advance([dead(attempt)], [], 0.0)
    assert [letter.event.event_id for letter in box.dead_letters()] == list(ids(attempt))


def test_requeueing_wakes_the_sender_and_warns(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    box = outbox(store)
    heard: list[set[str]] = []
    box.enqueue(state("a"))
    attempt = take(store)
    store.advance([dead(attempt)], [], 0.0)
    box.listen(lambda kinds: heard.append(set(kinds)))
    assert box.requeue(["nobody"]) == 0
    assert (heard, caplog.text) == ([], "")
    assert box.requeue(ids(attempt)) == 1
    assert heard == [set(KINDS)]
    assert caplog.records[0].levelno == logging.WARNING
    assert "1 dead letters were put at the ends of their streams" in caplog.text
    assert take(store).events[0].accepted_at == AT


def test_forgetting_makes_room(store: SqliteStore) -> None:
    box = outbox(store, limits=Limits(max_items=2, states_share=1.0))
    box.enqueue_many([state("a", 1), state("a", 2)])
    assert box.forget("state:ACD:a") == 2
    box.enqueue(state("b"), timeout=0.0)


def test_to_forget_a_stream_is_to_forget_that_stream(store: SqliteStore) -> None:
    box = outbox(store)
    box.enqueue_many([state("a"), state("b"), state("b", 1)])
    assert box.forget("state:ACD:b") == 2
    assert [each.stream for each in store.pending(kind="agent_state")] == ["state:ACD:a"]


def test_what_senders_could_not_record_is_kept_until_one_takes_it(store: SqliteStore) -> None:
    box = outbox(store)
    box.enqueue_many([state("a"), state("b")])
    first, second = delivered(take(store, most=1)), dead(take(store, most=1))
    box.keep_unrecorded([first])
    box.keep_unrecorded([second])
    assert box.take_unrecorded() == [first, second]
    assert box.take_unrecorded() == []


# --- bounds -------------------------------------------------------------------------------------------


def test_what_others_are_just_accepting_takes_room_too(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = outbox(store, limits=Limits(max_items=2, states_share=1.0))
    accept, others, refused = store.accept, [state("b"), state("c")], []

    def slow(events: Sequence[NewEvent], at: float) -> list[Receipt]:
        try:
            if others:
                box.enqueue(others.pop(0), timeout=0.0)
        except OutboxFull as error:
            refused.append(error)
        return accept(events, at)

    monkeypatch.setattr(store, "accept", slow)
    box.enqueue(state("a"))
    assert (store.counts().accepted, len(refused)) == (2, 1)


def test_states_beyond_their_share_do_not_stop_a_report(store: SqliteStore) -> None:
    box = outbox(store, limits=Limits(max_items=10, states_share=0.1))
    first = box.enqueue(state("a")).event_id
    store.advance([dead(take(store))], [], 0.0)
    box.enqueue(state("b"))
    assert box.requeue([first]) == 1
    assert box.enqueue(report()).seq == 1
    with pytest.raises(OutboxFull, match="agent states pending"):
        box.enqueue(state("c"), timeout=0.0)


def test_without_time_to_wait_it_is_refused_at_the_first_try(store: SqliteStore) -> None:
    box = outbox(store, clock=FakeClock(), limits=Limits(max_items=1, states_share=1.0))
    box.enqueue(state("a"))
    with pytest.raises(OutboxFull):
        box.enqueue(state("b"), timeout=0.0)


def test_the_clock_that_is_given_counts(store: SqliteStore) -> None:
    clock = FakeClock()
    assert outbox(store, clock=clock).clock is clock


@pytest.mark.parametrize(
    "total",
    [Need(all=5), Need(all_bytes=500), Need(states=2), Need(states_bytes=200)],
    ids=["events", "bytes", "states", "bytes of states"],
)
def test_the_level_is_that_of_the_tightest_bound(total: Need) -> None:
    limits = Limits(max_items=10, max_bytes=1000, states_share=0.4)
    assert level(Need(all=1, all_bytes=1), limits) == 0.1
    assert level(total, limits) == 0.5


def test_the_largest_event_leaves_room_for_a_state_beside_it() -> None:
    small = new_event(state("a"))._replace(event_id="f")
    large = new_event(report())._replace(event_id="0")
    assert Need.of_the_largest([small, large]) == Need(1, 1, 1, len(large.payload))
    assert Need.of_the_largest([small]) == Need(1, SIZE, 1, SIZE)


# --- fork ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_is_refused_at_once_whatever_the_parent_was_doing(store: SqliteStore) -> None:
    box = outbox(store, limits=Limits(min_free_bytes=0))
    reading, writing = os.pipe()
    with box._changed, store._database._lock:
        child = os.fork()
        if child == 0:
            try:
                box.enqueue(state("a"))
            except ForkedOutboxError as error:
                os.write(writing, str(error).encode())
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    assert b"opened before the fork" in os.read(reading, 1000)
    os.close(reading)
    assert box.enqueue(state("a")).seq == 1


def test_after_a_fork_everything_is_refused(store: SqliteStore) -> None:
    box = outbox(store)
    box.start_over()
    for use in (box.counts, lambda: box.enqueue(state("a"))):
        with pytest.raises(ForkedOutboxError):
            use()
    box.made_room()
