"""What the SQLite file is set to, and what happens when the disk fails under it."""

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from support.outbox import (
    AT,
    SqlitePlace,
    accept,
    again,
    agents,
    dead,
    deliver_all,
    delivered,
    event,
    events,
    is_balanced,
    report,
    take,
    tally,
    want,
)
from support.outbox_disk import Disk
from support.threads import Background, Gate, at_once

from cxone_wfm import (
    ConfigurationError,
    ConflictingDuplicateError,
    EnqueueOutcomeUnknown,
    ForkedOutboxError,
    OutboxFull,
    OutboxLockedError,
    OutboxUnavailable,
)
from cxone_wfm.outbox import _connection, _database, _events, _owner
from cxone_wfm.outbox._connection import journal_mode
from cxone_wfm.outbox.identity import new_event
from cxone_wfm.outbox.sqlite import SqliteStore
from cxone_wfm.outbox.store import Attempt, Outcome

Connect = Callable[..., sqlite3.Connection]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def look(path: Path, question: str) -> object:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(question).fetchone()[0]
    finally:
        connection.close()


# --- what is in the file ------------------------------------------------------------------------------


def test_the_counters_of_a_file_have_the_names_that_other_programs_find_them_by(path: Path) -> None:
    store = SqliteStore(path, ballast_bytes=0)
    accept(store, events("ab"))
    store.advance([dead(take(store, most=1))], [], 0.0)
    store.advance([again(take(store), unknown=True)], [], 0.0)
    deliver_all(store)
    (letter,) = (each.event.event_id for _, each in store.dead_letters())
    store.purge([letter])
    store.close()
    connection = sqlite3.connect(path)
    found = dict(connection.execute("SELECT name, value FROM counter"))
    connection.close()
    expected = {"accepted": 2, "delivered": 1, "possibly duplicated": 1, "purged": 1, "parked refused": 1}
    expected |= {"position": 2, "attempt": 3, "tries": 3, "died": 1, "dead items": 0, "dead bytes": 0}
    expected |= {"items agent_state": 0, "bytes agent_state": 0}
    assert {name: found.get(name) for name in expected} == expected


# --- settings -----------------------------------------------------------------------------------------


def test_every_commit_is_synced_and_deleted_data_is_overwritten(path: Path) -> None:
    store = SqliteStore(path, ballast_bytes=0)

    def settings(connection: sqlite3.Connection) -> dict[str, object]:
        names = (
            "synchronous",
            "journal_mode",
            "secure_delete",
            "trusted_schema",
            "auto_vacuum",
            "busy_timeout",
        )
        return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}

    assert store._database.read(settings) == {
        "synchronous": 2,
        "journal_mode": journal_mode(sqlite3.sqlite_version_info),
        "secure_delete": 1,
        "trusted_schema": 0,
        "auto_vacuum": 2,
        "busy_timeout": 5000,
    }
    store.close()


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 40, 1), "truncate"),
        ((3, 44, 5), "truncate"),
        ((3, 44, 6), "wal"),
        ((3, 45, 0), "truncate"),
        ((3, 50, 6), "truncate"),
        ((3, 50, 7), "wal"),
        ((3, 51, 0), "truncate"),
        ((3, 51, 2), "truncate"),
        ((3, 51, 3), "wal"),
        ((4, 0, 0), "wal"),
    ],
)
def test_the_write_ahead_log_is_used_where_it_cannot_be_damaged(version: tuple[int, ...], mode: str) -> None:
    assert journal_mode(version) == mode


def test_both_journal_modes_work(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for mode in ("wal", "truncate", "wal"):
        monkeypatch.setattr(_connection, "journal_mode", lambda _, mode=mode: mode)
        store = SqliteStore(path, ballast_bytes=0)
        accept(store, events("ab"))
        store.upkeep(0.0, AT)
        assert agents(deliver_all(store)[-1]) == "ab"
        store.upkeep(0.0, AT)
        store.close()
    assert not path.with_name("outbox.db-wal").exists()


def test_a_setting_that_sqlite_does_not_take_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_connection, "journal_mode", lambda _: "nonsense")
    with pytest.raises(ConfigurationError, match="journal_mode=nonsense"):
        SqliteStore(path, ballast_bytes=0)
    monkeypatch.undo()
    SqliteStore(path, ballast_bytes=0).close()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("sqlite_version_info", (3, 30, 1), "SQLite 3.30.1; an outbox in a file needs 3.31 or later"),
        ("threadsafety", 0, "single thread"),
    ],
)
def test_an_sqlite_that_will_not_do_is_refused_before_anything_is_made(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object, words: str
) -> None:
    monkeypatch.setattr(sqlite3, name, value)
    with pytest.raises(ConfigurationError, match=words):
        SqliteStore(path, ballast_bytes=0)
    assert list(path.parent.iterdir()) == []
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 0))
    monkeypatch.setattr(sqlite3, "threadsafety", 1)
    SqliteStore(path, ballast_bytes=0).close()


def test_the_file_is_its_owners_alone_and_its_folder_is_synced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(_database, "sync_folder", synced.append)
    store = SqliteStore(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.with_name("outbox.db.ballast").stat().st_size == 8 * 1024 * 1024
    assert synced == [path.parent]
    store.close()


def test_the_file_says_what_it_is(path: Path) -> None:
    SqliteStore(path, ballast_bytes=0).close()
    assert (look(path, "PRAGMA application_id"), look(path, "PRAGMA user_version")) == (0x43584F42, 1)


@pytest.mark.parametrize(
    ("setting", "words"),
    [("application_id = 7", "no outbox"), ("user_version = 99", "version 99; this library knows 1")],
)
def test_another_kind_of_file_is_refused(path: Path, setting: str, words: str) -> None:
    SqliteStore(path, ballast_bytes=0).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA {setting}")
    connection.close()
    with pytest.raises(ConfigurationError, match=words):
        SqliteStore(path, ballast_bytes=0)
    assert not Path(f"{path}-journal").exists()


def test_what_is_no_sqlite_file_is_refused_and_the_lock_given_back(path: Path) -> None:
    path.write_bytes(b"something else entirely, and long enough to be looked at" * 100)
    for _ in range(2):
        with pytest.raises(OutboxUnavailable, match="not a database"):
            SqliteStore(path, ballast_bytes=0)


def test_a_file_that_cannot_be_made_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OutboxUnavailable, match="Permission denied"):
        SqliteStore(path, ballast_bytes=0)


def test_a_second_opener_is_told_who_has_it(path: Path) -> None:
    store = SqliteStore(path, ballast_bytes=0)
    with pytest.raises(OutboxLockedError) as caught:
        SqliteStore(path, ballast_bytes=0)
    assert caught.value.pid == os.getpid()
    store.close()


def test_without_its_lock_file_it_refuses_for_another_may_own_it(path: Path) -> None:
    first = SqliteStore(path, ballast_bytes=0)
    accept(first, events("ab"))
    attempt = take(first, most=1)
    path.with_name("outbox.db.lock").unlink()
    second = SqliteStore(path, ballast_bytes=0)
    for use in (
        lambda: accept(first, events("a")),
        lambda: first.advance([delivered(attempt)], [want()], 0.0),
        lambda: first.upkeep(0.0, AT),
        lambda: first.pending(kind="agent_state"),
    ):
        with pytest.raises(OutboxUnavailable, match=r"lock file of .* was taken away"):
            use()
    first.close()
    assert second.counts().accepted == 2
    assert "".join(map(agents, deliver_all(second))) == "ab"
    second.close()


def damage(path: Path) -> None:
    """Overwrite the index of keys, which nothing but a look at the whole file reads at once."""
    page = look(path, "SELECT rootpage FROM sqlite_master WHERE name = 'event_key'")
    assert isinstance(page, int)
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096 + 8)
        file.write(b"\xff" * 64)


def test_after_a_dirty_stop_the_file_is_looked_over(tmp_path: Path, path: Path) -> None:
    place = SqlitePlace(tmp_path)
    store = place.open()
    accept(store, events("ab"))
    place.crash(store)
    damage(path)
    with pytest.raises(OutboxUnavailable, match="damaged"):
        place.open()


def test_after_a_clean_stop_it_is_not(tmp_path: Path, path: Path) -> None:
    place = SqlitePlace(tmp_path)
    store = place.open()
    accept(store, events("ab"))
    store.close()
    assert look(path, "SELECT value FROM counter WHERE name = 'dirty'") == 0
    damage(path)
    place.crash(place.open())


def test_an_attempt_whose_events_are_missing_is_damage(tmp_path: Path, path: Path) -> None:
    place = SqlitePlace(tmp_path)
    store = place.open()
    accept(store, events("a"))
    take(store)
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM event")
    connection.commit()
    connection.close()
    with pytest.raises(OutboxUnavailable, match="event 1 of an attempt is missing"):
        place.open()


# --- failures -----------------------------------------------------------------------------------------


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def store(disk: Disk, tmp_path: Path):
    place = SqlitePlace(tmp_path)
    store = place.open()
    yield store
    assert is_balanced(store.counts())
    place.crash(store)


@pytest.mark.parametrize("where", ["BEGIN", "SELECT stream", "COMMIT"])
def test_a_write_that_fails_is_not_accepted_and_the_file_is_opened_anew(
    store: SqliteStore, disk: Disk, where: str
) -> None:
    first = events("ab")
    disk.fail(where)
    with pytest.raises(OutboxUnavailable, match="disk I/O error") as caught:
        accept(store, first)
    assert not isinstance(caught.value, EnqueueOutcomeUnknown)
    assert disk.opened == 2
    assert store.counts().accepted == 0
    assert [each.duplicate for each in accept(store, first)] == [False, False]
    assert disk.opened == 2


def test_a_commit_that_failed_and_was_done_is_accepted(store: SqliteStore, disk: Disk) -> None:
    disk.fail("COMMIT", after=True)
    receipts = accept(store, events("ab"))
    assert [(each.seq, each.duplicate) for each in receipts] == [(1, False), (1, False)]
    assert disk.opened == 2
    assert agents(take(store)) == "ab"


@pytest.mark.parametrize("done", [False, True])
def test_a_failed_commit_is_told_from_one_that_was_done_while_a_set_waits_to_be_tried_again(
    store: SqliteStore, disk: Disk, done: bool
) -> None:
    accept(store, events("a"))
    store.advance([again(take(store), 1e9)], [], 0.0)  # opening the file anew gives such a set a new number
    disk.fail("COMMIT", after=done)
    if done:
        assert [each.duplicate for each in accept(store, events("b"))] == [False]
    else:
        with pytest.raises(OutboxUnavailable):
            accept(store, events("b"))
    assert len(store.pending(kind="agent_state")) == store.counts().accepted == (2 if done else 1)


def test_a_commit_whose_end_cannot_be_seen_is_unknown_until_it_is_asked_again(
    store: SqliteStore, disk: Disk
) -> None:
    new = event("a")
    disk.fail("COMMIT", times=1, after=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_connection, "SETTINGS", {"cache_size": "nonsense"})  # the file cannot be opened again
        with pytest.raises(EnqueueOutcomeUnknown):
            accept(store, [new])
        with pytest.raises(OutboxUnavailable, match="cannot be opened again"):
            accept(store, [event("b")])
    (receipt,) = accept(store, [new])
    assert (receipt.event_id, receipt.seq, receipt.duplicate) == (new.event_id, 1, True)


@pytest.mark.parametrize("was_done", [False, True])
def test_a_watch_is_told_of_a_delivery_whose_commit_could_not_be_seen(
    store: SqliteStore, disk: Disk, was_done: bool
) -> None:
    accept(store, events("ab"))
    attempt, watch = take(store, most=1), store.watch()
    disk.fail("COMMIT", after=was_done)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_connection, "SETTINGS", {"cache_size": "nonsense"})  # the file cannot be opened again
        with pytest.raises(EnqueueOutcomeUnknown):
            store.advance([delivered(attempt)], [], 0.0)
        with pytest.raises(OutboxUnavailable):
            store.advance([delivered(attempt)], [], 0.0)
        assert watch.tally() == tally(0, 2, 0)
        assert store.counts().delivered == 0
    store.upkeep(0.0, AT)
    assert watch.tally() == (tally(1, 1, 0) if was_done else tally(0, 2, 0))
    store.advance([delivered(attempt)], [], 0.0)
    assert watch.tally() == tally(1, 1, 0)
    assert store.counts().delivered == 1
    assert agents(deliver_all(store)[0]) == "b"
    assert watch.tally() == tally(2, 0, 0)


@pytest.mark.parametrize("was_done", [False, True])
def test_an_opening_that_fails_halfway_does_not_hide_what_was_done_before(
    store: SqliteStore, disk: Disk, was_done: bool
) -> None:
    accept(store, events("ab"))
    store.advance([again(take(store, most=1), 1e9)], [], 0.0)  # opening the file writes such a set anew
    attempt, watch = take(store, most=1), store.watch()
    disk.fail("COMMIT", after=was_done)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_connection, "SETTINGS", {"cache_size": "nonsense"})  # the file cannot be opened again
        with pytest.raises(EnqueueOutcomeUnknown):
            store.advance([delivered(attempt)], [], 0.0)
    disk.fail("COMMIT", after=True)  # of the opening
    with pytest.raises(OutboxUnavailable, match="cannot be opened again"):
        store.upkeep(0.0, AT)
    for _ in range(2):
        store.advance([delivered(attempt)], [], 0.0)
        assert watch.tally() == tally(1, 1, 0)


@pytest.mark.parametrize("after", [False, True])
def test_an_outcome_that_failed_to_be_recorded_is_recorded_the_next_time(
    store: SqliteStore, disk: Disk, *, after: bool
) -> None:
    accept(store, events("ab"))
    watch = store.watch()
    attempt = take(store)
    disk.fail("COMMIT", after=after)
    with pytest.raises(OutboxUnavailable):
        store.advance([delivered(attempt)], [want()], 0.0)
    store.advance([delivered(attempt)], [], 0.0)
    assert store.counts().delivered == 2
    assert store.counts().possibly_duplicated == 0
    assert watch.tally() == tally(2, 0, 0)
    assert deliver_all(store) == []


@pytest.mark.parametrize("after", [False, True])
def test_an_attempt_that_failed_to_be_stored_is_given_again_as_never_sent(
    store: SqliteStore, disk: Disk, *, after: bool
) -> None:
    accept(store, events("aab"))
    disk.fail("COMMIT", after=after)
    with pytest.raises(OutboxUnavailable):
        take(store)
    attempt = take(store)
    assert (agents(attempt), [each.seq for each in attempt.events]) == ("ab", [1, 1])
    assert (attempt.unknown, attempt.crashes) == (False, 0)
    assert store.advance([], [want()], 0.0) is None


def test_requests_on_their_way_survive_that_the_file_is_opened_anew(store: SqliteStore, disk: Disk) -> None:
    accept(store, events("aab"))
    attempt = take(store)
    disk.fail("COMMIT")
    with pytest.raises(OutboxUnavailable):
        accept(store, events("c"))
    assert store.advance([], [want()], 0.0) is None
    assert agents(store.advance([delivered(attempt)], [want()], 0.0)) == "a"
    assert store.counts().delivered == 2


def test_sets_that_wait_are_kept_beside_requests_on_their_way(store: SqliteStore, disk: Disk) -> None:
    accept(store, events("abc"))
    on_its_way = take(store, most=1)
    store.advance([again(take(store, most=1), 5.0)], [], 0.0)
    disk.fail("COMMIT")
    with pytest.raises(OutboxUnavailable):
        accept(store, events("d"))
    assert agents(store.advance([delivered(on_its_way)], [want()], 5.0)) == "b"
    assert agents(store.advance([], [want()], 5.0)) == "c"


def test_more_events_in_a_call_than_are_looked_up_at_once_are_known_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxone_wfm.outbox._accept._AT_ONCE", 2)
    store = SqlitePlace(tmp_path).open()
    first = events("abcde")
    accept(store, first)
    assert [each.seq for each in accept(store, events("abcde"))] == [2] * 5
    assert [each.duplicate for each in accept(store, first)] == [True] * 5
    store.close()


def test_a_full_disk_sets_the_ballast_free_and_refuses_until_it_is_back(
    disk: Disk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(path, ballast_bytes=1000)
    accept(store, events("a"))
    with monkeypatch.context() as patch:
        patch.setattr("cxone_wfm.outbox._owner._fill", no_room)
        disk.fail("BEGIN", error=sqlite3.OperationalError("database or disk is full"))
        with pytest.raises(OutboxFull):
            store.advance([], [want()], 0.0)
        assert not path.with_name("outbox.db.ballast").exists()
        with pytest.raises(OutboxFull, match="is full"):
            accept(store, events("b"))
        store.upkeep(0.0, AT)
        assert [agents(each) for each in deliver_all(store)] == ["a"]
    accept(store, events("b"))
    assert path.with_name("outbox.db.ballast").exists()
    store.close()


def test_an_outbox_on_a_full_disk_is_opened_with_the_ballasts_room(disk: Disk, path: Path) -> None:
    store = SqliteStore(path, ballast_bytes=1000)
    accept(store, events("a"))
    store.close()
    disk.fail("BEGIN", error=sqlite3.OperationalError("database or disk is full"))
    store = SqliteStore(path, ballast_bytes=1000)
    assert not path.with_name("outbox.db.ballast").exists()
    assert [agents(each) for each in deliver_all(store)] == ["a"]
    store.close()
    disk.fail("BEGIN", times=2, error=sqlite3.OperationalError("database or disk is full"))
    with pytest.raises(OutboxUnavailable, match="disk is full"):
        SqliteStore(path, ballast_bytes=1000)


@pytest.mark.parametrize("then", ["gone", "another"])
def test_a_file_that_was_taken_away_is_not_made_anew(tmp_path: Path, path: Path, then: str) -> None:
    place = SqlitePlace(tmp_path)
    store = place.open()
    accept(store, events("a"))
    aside = path.rename(path.with_name("aside"))
    if then == "another":
        path.write_bytes(b"")
    for refused in (lambda: store.upkeep(0.0, AT), lambda: accept(store, events("b"))):
        with pytest.raises(OutboxUnavailable, match="No such file" if then == "gone" else "another file"):
            refused()
    aside.replace(path)
    assert [each.seq for each in accept(store, events("a"))] == [2]
    store.close()


def no_room(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_told_as_such(store: SqliteStore, disk: Disk) -> None:
    disk.fail("COMMIT", error=sqlite3.OperationalError("database or disk is full"))
    with pytest.raises(OutboxFull, match="disk is full"):
        accept(store, events("a"))


def test_a_failing_read_opens_the_file_anew(store: SqliteStore, disk: Disk) -> None:
    accept(store, events("a"))
    disk.fail("SELECT kind")
    with pytest.raises(OutboxUnavailable, match="disk I/O error"):
        store.pending(kind="agent_state")
    assert len(store.pending(kind="agent_state")) == 1
    assert disk.opened == 2


def test_an_interrupt_in_a_commit_leaves_everything_in_order(store: SqliteStore, disk: Disk) -> None:
    disk.fail("COMMIT", error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        accept(store, events("a"))
    assert accept(store, events("a"))[0].seq == 1
    disk.fail("COMMIT", after=True, error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        accept(store, events("a"))
    assert accept(store, events("a"))[0].seq == 3


def test_a_handle_that_does_not_close_is_let_go(
    store: SqliteStore, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = store._database
    real = database._connection

    class Stubborn:
        def execute(self, *_: object) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        def close(self) -> None:
            raise sqlite3.OperationalError("unable to close")

    monkeypatch.setattr(database, "_connection", Stubborn())
    with pytest.raises(OutboxUnavailable):
        accept(store, events("a"))
    assert real is not None
    real.close()
    assert accept(store, events("a"))[0].seq == 1


def test_a_close_that_fails_gives_the_lock_back(disk: Disk, tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path)
    store = place.open()
    accept(store, events("a"))
    disk.fail("COMMIT")
    store.close()
    store = place.open()
    assert agents(take(store)) == "a"
    place.crash(store)


# --- another owner ------------------------------------------------------------------------------------


def opened_by_another(path: Path) -> SqliteStore:
    """What the lock is there to prevent: the file is opened a second time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_database, "OwnerLock", lambda _: _owner.OwnerLock(path.with_name("another")))
        return SqliteStore(path, ballast_bytes=0)


@pytest.mark.parametrize(
    "use",
    [
        lambda store, _: accept(store, events("c")),
        lambda store, _: take(store),
        lambda store, attempt: store.advance([delivered(attempt)], [], 0.0),
        lambda store, _: store.advance([], [want("historical_report")], 0.0),
        lambda store, _: store.upkeep(0.0, AT),
    ],
    ids=["accept", "give out", "record", "idle", "upkeep"],
)
def test_who_is_no_longer_the_owner_writes_nothing_whatever_became_of_the_lock(
    path: Path, use: Callable[[SqliteStore, Attempt], object]
) -> None:
    first = SqliteStore(path, ballast_bytes=0)
    accept(first, events("ab"))
    attempt = take(first, most=1)
    second = opened_by_another(path)
    for _ in range(2):
        with pytest.raises(OutboxUnavailable, match="another process has opened the file"):
            use(first, attempt)
    with pytest.raises(OutboxUnavailable, match="cannot be opened again"):
        first.advance([], [want()], 0.0)  # an idle sender hears of it, so that its health says so
    first.close()
    assert second.counts().accepted == 2
    again_ = take(second, most=1)
    assert (again_.events, again_.unknown) == (attempt.events, True)
    second.close()


def test_others_accept_between_the_pages_of_what_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_events, "_PAGE", 4)
    place = SqlitePlace(tmp_path)
    store = place.open()
    new = events("ab" * 10)
    accept(store, new)
    write, meanwhile = store._database.write, []

    def write_after_another(work: Callable[[sqlite3.Connection], object], **options: bool) -> object:
        if not meanwhile:
            meanwhile.append(event("a"))
            accept(store, meanwhile)
        return write(work, **options)

    monkeypatch.setattr(store._database, "write", write_after_another)
    assert store.forget(new[0].stream) == 10
    left = [each.event_id for each in store.pending(kind="agent_state") if each.stream == new[0].stream]
    assert left == [meanwhile[0].event_id]
    assert accept(store, events("a"))[0].seq == 12
    place.crash(store)


# --- group commit -------------------------------------------------------------------------------------


def test_who_waits_for_a_commit_shares_the_next_one(store: SqliteStore, disk: Disk) -> None:
    gate, database = Gate(), store._database
    commits: list[str] = []
    connection = database._connection
    assert connection is not None
    connection.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)
    first = Background(lambda: database.write(lambda _: gate()))
    gate.wait_until_reached()
    others = [Background(lambda: accept(store, events("a"))) for _ in range(10)]
    while len(database._waiting) < 10:
        pass
    gate.open()
    first.outcome()
    seqs = [outcome[0].seq for each in others if isinstance(outcome := each.outcome(), list)]
    assert sorted(seqs) == list(range(1, 11))
    assert len(commits) == 2


def test_a_refusal_in_a_shared_commit_is_its_callers_alone(store: SqliteStore) -> None:
    def work(number: int) -> object:
        return accept(store, [event("a", key="same" if number % 2 else f"own-{number}")])

    outcomes = at_once(8, work)
    refused = [each for each in outcomes if isinstance(each, Exception)]
    assert len(refused) == 3
    assert store.counts().accepted == 5


def test_a_failure_in_a_shared_commit_is_everybodys(store: SqliteStore, disk: Disk) -> None:
    gate, database = Gate(), store._database
    first = Background(lambda: database.write(lambda _: gate()))
    gate.wait_until_reached()
    others = [Background(lambda: accept(store, events("a"))) for _ in range(5)]
    while len(database._waiting) < 5:
        pass
    disk.fail("SELECT stream")
    gate.open()
    first.outcome()
    assert all(isinstance(each.outcome(), OutboxUnavailable) for each in others)
    assert store.counts().accepted == 0


def test_an_unforeseen_error_is_raised_to_the_caller_whose_it_is(store: SqliteStore) -> None:
    gate, database = Gate(), store._database
    first = Background(lambda: database.write(lambda _: gate()))
    gate.wait_until_reached()
    waiting: list[Background] = []
    for use in (lambda: accept(store, events("a")), lambda: database.write(lambda _: bytes(-1))):
        waiting.append(Background(use))
        while len(database._waiting) < len(waiting):
            pass
    gate.open()
    first.outcome()
    accepted, failed = (each.outcome() for each in waiting)
    assert isinstance(accepted, OutboxUnavailable)
    assert isinstance(failed, ValueError)
    assert store.counts().accepted == 0
    assert accept(store, events("a"))[0].seq == 1


# --- fork ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_refuses_and_leaves_the_parents_file_alone(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path)
    store = place.open()
    accept(store, events("a"))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = []
        for use in (lambda: accept(store, events("b")), lambda: store.pending(kind="agent_state")):
            with pytest.raises(ForkedOutboxError):
                use()
            said.append("refused")
        store.close()  # does nothing here
        os.write(writing, ",".join(said).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"refused,refused"
    os.close(reading)
    os.close(writing)
    with pytest.raises(OutboxLockedError):
        place.open()
    assert accept(store, events("a"))[0].seq == 2
    store.close()
    place.crash(place.open())


# --- keeping it small ---------------------------------------------------------------------------------


def rows(store: SqliteStore, table: str) -> int:
    found = store._database.read(
        lambda connection: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    )
    assert isinstance(found, int)
    return found


def test_keys_of_delivered_events_are_forgotten_after_their_time(tmp_path: Path) -> None:
    store = SqlitePlace(tmp_path).open()
    new = event("a")
    accept(store, [new])
    deliver_all(store)
    for wall in (AT + 100 * 365 * 86400, 0.0, AT):  # a wall clock may jump
        store.upkeep(0.0, wall)
    store.upkeep(7 * 86400, AT)
    assert accept(store, [new])[0].duplicate
    store.close()
    store = SqlitePlace(tmp_path).open()
    store.upkeep(1000.0, AT)
    store.upkeep(1059.0, AT)
    assert rows(store, "ledger") == 1
    store.upkeep(1060.0, AT)
    assert rows(store, "ledger") == 0
    assert accept(store, [new])[0].duplicate is False
    store.close()


def test_the_ledger_is_bounded_and_forgets_the_oldest(path: Path) -> None:
    store = SqliteStore(path, ballast_bytes=0, ledger_rows=3)
    new = events("abcde")
    for each in new:
        accept(store, [each])
        deliver_all(store)
    assert rows(store, "ledger") == 3
    assert [each.duplicate for each in accept(store, new)] == [False, False, True, True, True]
    store.close()


def test_streams_are_forgotten_when_nothing_of_them_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxone_wfm.outbox.sqlite._FORGOTTEN_AT_ONCE", 2)
    store = SqlitePlace(tmp_path).open()
    accept(store, events("abc"))
    store.advance([delivered(take(store, most=2))], [], 0.0)
    accept(store, events("d"))
    for _ in range(4):
        store.upkeep(0.0, AT)
    assert rows(store, "stream") == 4
    for _ in range(4):
        store.upkeep(8 * 86400, AT)
    assert rows(store, "stream") == 2
    assert [each.seq for each in accept(store, events("acd"))] == [1, 2, 2]
    deliver_all(store)
    for _ in range(4):
        store.upkeep(16 * 86400, AT)
    assert rows(store, "stream") == 0
    store.close()


def test_streams_that_stay_do_not_keep_upkeep_from_those_behind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxone_wfm.outbox.sqlite._FORGOTTEN_AT_ONCE", 2)
    store = SqlitePlace(tmp_path).open()
    accept(store, events("abcde"))
    store.advance([dead(take(store, most=2))], [], 0.0)
    deliver_all(store)
    store.upkeep(0.0, AT)
    for _ in range(6):
        store.upkeep(8 * 86400, AT)
    assert rows(store, "stream") == 2
    store.close()


@pytest.mark.parametrize("ends", [delivered, dead])
def test_a_stream_is_remembered_as_long_as_a_key_of_it(
    tmp_path: Path, ends: Callable[[Attempt], Outcome]
) -> None:
    store = SqlitePlace(tmp_path).open()
    (first,) = accept(store, [new := new_event(report())])
    store.upkeep(0.0, AT)
    store.upkeep(6.5 * 86400, AT)  # an outage
    attempt = store.advance([], [want("historical_report")], 0.0)
    assert attempt is not None
    store.advance([ends(attempt)], [], 0.0)
    store.upkeep(13 * 86400, AT)
    assert accept(store, [new._replace(event_id="another")]) == [attrs.evolve(first, duplicate=True)]
    store.close()


def test_nothing_of_a_forgotten_agent_is_left_in_the_file(path: Path) -> None:
    store = SqliteStore(path, ballast_bytes=0)
    accept(store, events(["jane.doe", "b"]))
    store.close()
    assert b"jane.doe" in path.read_bytes()
    store = SqliteStore(path, ballast_bytes=0)
    assert store.forget("state:ACD:jane.doe") == 1
    store.close()
    assert b"jane.doe" not in path.read_bytes()


def test_the_file_shrinks_when_it_is_drained(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxone_wfm.outbox._events._FREE_PAGES_KEPT", 50)
    store = SqlitePlace(tmp_path).open()
    for _ in range(3):
        accept(store, events("abcdefghij" * 100))
    before = path.stat().st_size
    while deliver_all(store):
        pass
    for day in range(20):
        store.upkeep(day * 86400, AT)
    store.close()
    assert path.stat().st_size < before * 0.9


def test_starting_over_refuses_everything_and_touches_nothing(tmp_path: Path) -> None:
    # The same in one process, where the tests can look: what is left of the parent's is not used again.
    place = SqlitePlace(tmp_path)
    store = place.open()
    database = store._database
    parents, lock = database._connection, os.dup(database._owner._descriptor)
    database.start_over()
    for use in (lambda: accept(store, events("b")), lambda: store.pending(kind="agent_state")):
        with pytest.raises(ForkedOutboxError):
            use()
    store.close()
    assert parents is not None
    assert parents.execute("SELECT 1").fetchone() == (1,)
    parents.close()
    os.close(lock)
    store = place.open()
    store.close()
    store._database.start_over()


def test_a_refusal_stays_a_refusal_where_the_shared_commit_fails(
    store: SqliteStore, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(store, [event("a", key="same")])
    gate, database, committed = Gate(), store._database, store.committed
    going = Background(lambda: database.write(lambda _: gate()))
    gate.wait_until_reached()
    refused = Background(lambda: accept(store, [event("a", key="same")]))
    failed = Background(lambda: accept(store, events("b")))
    while len(database._waiting) < 2:
        pass

    def fail_the_next(*, done: bool) -> None:
        monkeypatch.delattr(store, "committed")
        disk.fail("COMMIT")
        committed(done=done)

    monkeypatch.setattr(store, "committed", fail_the_next, raising=False)
    gate.open()
    going.outcome()
    assert isinstance(refused.outcome(), ConflictingDuplicateError)
    assert isinstance(failed.outcome(), OutboxUnavailable)


def test_an_interrupt_after_the_commit_is_nobody_elses(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = store.watch()
    gate, database = Gate(), store._database
    going = Background(lambda: database.write(lambda _: gate()))
    gate.wait_until_reached()
    others = [Background(lambda: accept(store, events("a"))) for _ in range(2)]
    while len(database._waiting) < 2:
        pass
    committed = store.committed
    calls: list[bool] = []

    def interrupted(*, done: bool) -> None:
        calls.append(done)
        committed(done=done)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(store, "committed", interrupted)
    gate.open()
    going.outcome()
    outcomes = [each.outcome() for each in others]
    (receipts,) = [each for each in outcomes if isinstance(each, list)]
    assert [receipt.duplicate for receipt in receipts] == [False]
    assert watch.tally() == tally(0, 0, 0)
    assert {type(each) for each in outcomes} == {list, KeyboardInterrupt}
    assert accept(store, events("a"))[0].seq == 3


def test_a_store_that_cannot_be_opened_again_can_be_closed(tmp_path: Path, disk: Disk) -> None:
    place = SqlitePlace(tmp_path)
    store = place.open()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_connection, "SETTINGS", {"cache_size": "nonsense"})
        disk.fail("BEGIN")
        with pytest.raises(OutboxUnavailable):
            accept(store, events("a"))
        store.close()
    place.crash(place.open())


@pytest.mark.parametrize("change", ["positions = 'x'", "kind = 99"])
def test_an_attempt_that_cannot_be_read_is_damage(tmp_path: Path, path: Path, change: str) -> None:
    place = SqlitePlace(tmp_path)
    store = place.open()
    accept(store, events("a"))
    take(store)
    store.close()
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE attempt SET {change}")
    connection.commit()
    connection.close()
    with pytest.raises(OutboxUnavailable, match="attempt 1 cannot be read"):
        place.open()
