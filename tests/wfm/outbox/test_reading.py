"""Reading an outbox: right while another process writes, after a kill, and never in its way."""

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.outbox import AT, SqlitePlace, accept, dead, events, report, state, take

from cxone_wfm import ConfigurationError, OutboxLockedError, OutboxUnavailable
from cxone_wfm.outbox import _connection, reading
from cxone_wfm.outbox.identity import new_event
from cxone_wfm.outbox.reading import Owner, SqliteReader, owner_of, read_outbox
from cxone_wfm.outbox.sqlite import SqliteStore
from cxone_wfm.outbox.store import DeadLetter, StoredEvent

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an outbox in a file needs POSIX file locks")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "outbox.db")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    place = SqlitePlace(tmp_path)
    store = place.open()
    yield store
    place.crash(store)


def test_a_reader_sees_what_the_owner_has_committed_and_nothing_stops_the_owner(
    store: SqliteStore, path: str
) -> None:
    accept(store, events("abc"))
    reader = read_outbox(path)
    assert reader.counts() == store.counts()
    accept(store, [new_event(report())])
    assert reader.counts().pending["historical_report"].items == 1
    assert [event.stream[-1] for event in reader.pending(kind="agent_state", after=1, limit=1)] == ["b"]
    attempt = take(store, most=1)
    store.advance([dead(attempt)], [], 0.0)
    assert reader.dead_letters() == store.dead_letters()
    assert reader.dead_letters(after=1) == []
    reader.close()


def test_a_reader_cannot_write(store: SqliteStore, path: str) -> None:
    reader = SqliteReader(Path(path))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM event")
    reader.close()


@pytest.mark.parametrize("name", ["outbox 100%.db", "a?mode=rwc.db", "a#b.db"])
def test_a_path_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    SqliteStore(tmp_path / name, ballast_bytes=0).close()
    before = set(tmp_path.iterdir())
    reader = read_outbox(str(tmp_path / name))
    assert reader.counts().accepted == 0
    reader.close()
    assert set(tmp_path.iterdir()) == before


def test_events_are_found_in_windows_of_the_backlog(
    store: SqliteStore, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_ROWS_AT_ONCE", 2)
    states = [new_event(state("a", number)) for number in range(5)]
    reports = [new_event(report(quarter)) for quarter in range(3)]
    accept(store, [*states, *reports])
    store.advance([dead(take(store, most=1))], [], 0.0)
    reader = read_outbox(path)
    for event in [*states[1:], *reports]:
        found = reader.find(event.event_id)
        assert isinstance(found, StoredEvent)
        assert (found.event_id, found.payload, found.accepted_at) == (event.event_id, event.payload, AT)
    letter = reader.find(states[0].event_id)
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.event.payload) == ("refused", states[0].payload)
    assert reader.find("another-id") is None
    reader.close()


def test_an_event_that_leaves_while_it_is_looked_for_is_not_found(
    store: SqliteStore, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (event,) = events("a")
    accept(store, [event])
    reader = read_outbox(path)
    with monkeypatch.context() as patched:
        patched.setattr(reading._events, "events", lambda *_: ())
        assert reader.find(event.event_id) is None
    store.advance([dead(take(store))], [], 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(reading._events, "dead_letters", lambda *_: [])
        assert reader.find(event.event_id) is None
    reader.close()


# What is no outbox


def test_where_nothing_is_that_is_told_and_nothing_is_made(path: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no outbox"):
        read_outbox(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no database at all, but some text" * 10])
def test_another_file_is_refused(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    with pytest.raises(ConfigurationError, match="is no outbox"):
        read_outbox(path)
    assert Path(path).read_bytes() == content


@pytest.mark.parametrize("name", ["application_id", "user_version"])
def test_another_version_or_database_is_refused(path: str, name: str) -> None:
    SqliteStore(path, ballast_bytes=0).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA {name}=7")
    connection.close()
    with pytest.raises(ConfigurationError, match="none of this version"):
        read_outbox(path)


def test_damage_is_told_when_it_is_met(store: SqliteStore, path: str) -> None:
    reader = SqliteReader(Path(path))
    reader._connection.execute("PRAGMA writable_schema=1")
    reader._connection.close()
    with pytest.raises(OutboxUnavailable, match="closed database"):
        reader.counts()


# After a kill


def killed(tmp_path: Path) -> str:
    """The files as they are left by a process that was killed in the middle of a large write."""
    original = tmp_path / "original.db"
    store = SqliteStore(original, ballast_bytes=0)
    accept(store, events("abc"))
    store.close()
    connection = sqlite3.connect(original, isolation_level=None)
    connection.execute("PRAGMA journal_mode=truncate")
    connection.execute("PRAGMA cache_size=5")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM counter")
    for number in range(100):
        connection.execute("INSERT INTO counter VALUES (?, 0)", (f"{number}" * 500,))
    for suffix in ("", "-journal"):
        shutil.copy(f"{original}{suffix}", tmp_path / f"killed.db{suffix}")
    connection.execute("ROLLBACK")
    connection.close()
    return str(tmp_path / "killed.db")


def test_what_a_killed_process_had_half_written_is_taken_back(tmp_path: Path) -> None:
    path = killed(tmp_path)
    assert Path(f"{path}-journal").stat().st_size > 0
    reader = read_outbox(path)
    assert reader.counts().accepted == 3
    assert len(reader.pending(kind="agent_state")) == 3
    assert Path(f"{path}.lock").exists()
    assert owner_of(path) is None
    reader.close()


def test_what_is_half_written_is_left_alone_where_somebody_owns_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = killed(tmp_path)
    before = Path(path).read_bytes()

    def locked(_: Path) -> None:
        raise OutboxLockedError(path, 4711)

    monkeypatch.setattr(reading, "OwnerLock", locked)
    with pytest.raises(OutboxUnavailable):
        read_outbox(path)
    assert Path(path).read_bytes() == before


def test_what_cannot_be_taken_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = killed(tmp_path)
    monkeypatch.setattr(SqliteReader, "_take_back", lambda _: None)
    with pytest.raises(OutboxUnavailable, match=r"killed\.db"):
        read_outbox(path)


# Whose it is


def test_the_owner_is_named_while_it_has_the_file_open(store: SqliteStore, path: str) -> None:
    owner = owner_of(path)
    assert owner is not None
    assert owner.pid == os.getpid()
    assert owner.host
    assert owner.since is not None
    store.close()
    assert owner_of(path) is None


def test_who_looks_is_not_taken_for_the_owner_and_keeps_nothing(path: str) -> None:
    import fcntl

    SqliteStore(path, ballast_bytes=0).close()
    with Path(f"{path}.lock").open(encoding="utf-8") as another:
        fcntl.flock(another, fcntl.LOCK_SH)
        assert owner_of(path) is None
    SqliteStore(path, ballast_bytes=0).close()


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", '{"pid": "x", "host": "h", "since": 1}', "[" * 4000),
        '{"pid": Infinity, "host": "h", "since": 1}',
        '{"pid": 1, "host": "h", "since": %s}' % ("9" * 400),
    ],
)
def test_an_owner_whose_lock_file_does_not_tell_is_an_owner(store: SqliteStore, path: str, text: str) -> None:
    Path(f"{path}.lock").write_text(text, encoding="utf-8")
    assert owner_of(path) == Owner(None, None, None)


def test_without_a_lock_file_there_is_no_owner(path: str) -> None:
    assert owner_of(path) is None


# PostgreSQL


def test_an_outbox_in_postgresql_is_read_by_its_store_and_has_no_single_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    fake = SimpleNamespace(PostgresStore=SimpleNamespace(open=lambda url: opened.append(url) or "the store"))
    monkeypatch.setitem(sys.modules, "cxone_wfm.outbox.postgres", fake)
    for url in ("postgresql://db.example/wfm", "postgres://db.example/wfm"):
        assert read_outbox(url) == "the store"
        assert owner_of(url) is None
    assert opened == ["postgresql://db.example/wfm", "postgres://db.example/wfm"]


def test_the_settings_that_the_reader_checks_are_the_files(path: str) -> None:
    SqliteStore(path, ballast_bytes=0).close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA application_id").fetchone() == (_connection.APPLICATION_ID,)
    connection.close()
