"""Which servers, URLs and tables the PostgreSQL store takes, and what its errors say."""

import logging
import os
import traceback
import warnings
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from support.outbox import AT, accept, agents, events, take, want
from support.outbox_postgres import PostgresPlace, admin, cut
from support.postgres import cluster
from support.threads import at_once

from cxone_wfm import ConfigurationError, ForkedOutboxError, OutboxUnavailable
from cxone_wfm.outbox import Outbox
from cxone_wfm.outbox.store import LANES
from cxone_wfm.secrets import Secret

psycopg = pytest.importorskip("psycopg")
postgres = pytest.importorskip("cxone_wfm.outbox.postgres")
session = postgres._session
QUOTED = "canary%20p%40ss%2Fw%3Ard%25"


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of an empty database."""
    admin().execute("CREATE DATABASE scratch")
    yield scratch()
    admin().execute("DROP DATABASE scratch WITH (FORCE)")
    admin().execute("DROP ROLE IF EXISTS connector")


def scratch(user: str = "postgres") -> str:
    return f"postgresql://{user}@127.0.0.1:{cluster().port}/scratch"


# --- tables -------------------------------------------------------------------------------------------


def test_processes_that_start_at_once_make_the_tables_once(database: str) -> None:
    stores = at_once(4, lambda _: postgres.PostgresStore(scratch()))
    assert [each for each in stores if isinstance(each, BaseException)] == []
    accept(stores[0], events("ab"))
    assert agents(take(stores[1])) == "ab"
    assert len(stores[1]._sending._leases.lanes) == LANES
    for store in stores:
        cut(store)


def test_a_role_that_owns_the_schema_needs_no_other_right(database: str) -> None:
    admin().execute("CREATE ROLE connector LOGIN")
    with psycopg.connect(scratch(), autocommit=True) as owner:
        owner.execute("REVOKE ALL ON DATABASE scratch FROM PUBLIC")
        owner.execute("GRANT CONNECT ON DATABASE scratch TO connector")
        owner.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        with pytest.raises(OutboxUnavailable, match="InsufficientPrivilege"):
            postgres.PostgresStore(scratch("connector"))
        owner.execute("CREATE SCHEMA cxone_wfm_outbox AUTHORIZATION connector")
    with Outbox.open(scratch("connector")) as outbox:
        accept(outbox.store, events("a"))
        assert agents(take(outbox.store)) == "a"


def test_tables_of_another_version_are_refused(database: str) -> None:
    cut(postgres.PostgresStore(scratch()))
    with psycopg.connect(scratch(), autocommit=True) as owner:
        owner.execute("SET search_path = cxone_wfm_outbox")
        owner.execute("UPDATE version SET version = 7")
    with pytest.raises(ConfigurationError, match="is of version 7; this library knows 1"):
        postgres.PostgresStore(scratch())


def test_a_database_that_cannot_keep_every_character_is_refused(database: str) -> None:
    admin().execute("DROP DATABASE scratch")
    admin().execute("CREATE DATABASE scratch ENCODING 'SQL_ASCII' TEMPLATE template0")
    with pytest.raises(ConfigurationError, match="encoding is SQL_ASCII, and it must be UTF8"):
        postgres.PostgresStore(scratch())


# --- the server ---------------------------------------------------------------------------------------


def test_what_the_session_relies_on_is_set_whatever_the_role_says(database: str) -> None:
    admin().execute("CREATE ROLE connector LOGIN SUPERUSER")
    for setting in ("synchronous_commit = off", "default_transaction_isolation = 'serializable'"):
        admin().execute(f"ALTER ROLE connector SET {setting}")
    store = postgres.PostgresStore(scratch("connector"))
    found = {}

    def look(connection) -> None:
        for name in (*session._SETTINGS, "synchronous_commit", "transaction_isolation", "search_path"):
            found[name] = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()[0]

    store._front.transaction(look)
    assert found == {
        "plan_cache_mode": "force_custom_plan",
        "enable_seqscan": "off",
        "jit": "off",
        "lock_timeout": "3s",
        "statement_timeout": "15s",
        "synchronous_commit": "on",
        "transaction_isolation": "read committed",
        "search_path": "cxone_wfm_outbox",
    }
    parameters = store._front._connection.info.get_parameters()
    assert (parameters["keepalives_idle"], parameters["tcp_user_timeout"]) == ("5", "5000")
    cut(store)


def test_stronger_promises_of_the_server_are_left_as_they_are(database: str) -> None:
    store = postgres.PostgresStore(scratch() + "?options=-csynchronous_commit%3Dremote_apply")
    look = "SELECT current_setting('synchronous_commit')"
    assert store._front.read(lambda connection: connection.execute(look).fetchone()) == ("remote_apply",)
    cut(store)


class FakeServer:
    """Answers the first question about settings."""

    def __init__(self, version: int, *answer: str) -> None:
        self.info = SimpleNamespace(server_version=version)
        self._answer = answer

    def execute(self, *_: object) -> "FakeServer":
        return self

    def fetchone(self) -> tuple[str, ...]:
        return self._answer


def test_a_server_that_may_lose_what_it_confirmed_is_refused_with_all_reasons() -> None:
    front = session.Session(Secret("postgresql://nowhere"))
    with pytest.raises(ConfigurationError) as caught:
        front._look_over(FakeServer(120022, "off", "UTF8", "local"))
    assert caught.value.problems == (
        "PostgreSQL: the server is older than PostgreSQL 13",
        "PostgreSQL: the server has fsync=off: it may lose what it confirmed",
        "PostgreSQL: synchronous_commit cannot be switched on",
    )


# --- URLs and errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{QUOTED}%@127.0.0.1/db",
        f"postgresql://user:{QUOTED}@127.0.0.1/db?wrong={QUOTED}",
        f"postgresql://user:{QUOTED}@[127.0.0.1/db",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Outbox.open(url)
    assert "percent-encoded" in str(caught.value)
    assert_silent(caught.value)


def test_where_no_server_is_the_error_says_so_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(OutboxUnavailable, match="cannot be reached") as caught:
        Outbox.open(f"postgresql://user:{QUOTED}@127.0.0.1:1/db")
    assert_silent(caught.value)
    assert "canary" not in caplog.text


def test_the_store_shows_its_password_nowhere() -> None:
    url = cluster().url.replace("postgres@", f"postgres:{QUOTED}@")
    store = postgres.PostgresStore(url)
    for thing in (store, store._front, store._sending._session):
        assert "canary" not in repr(thing)
        assert "canary" not in repr(vars(thing))
    cut(store)


def assert_silent(error: BaseException) -> None:
    text = "".join(traceback.TracebackException.from_exception(error).format())
    assert "canary" not in text
    assert "canary" not in repr(error)


def test_counts_are_the_last_known_where_the_server_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    store = PostgresPlace().open(monotonic=lambda: now[0])
    accept(store, events("ab"))
    now[0] = 5.0
    store._front._abandon()
    monkeypatch.setattr(store._front, "_conninfo", Secret("host=127.0.0.1 port=1"))
    assert store.counts().accepted == 2
    cut(store)


def test_who_always_meets_another_transaction_gives_up() -> None:
    store = PostgresPlace().open()
    tries = []

    def work(connection) -> None:
        tries.append(1)
        raise psycopg.errors.DeadlockDetected

    with pytest.raises(OutboxUnavailable, match="DeadlockDetected"):
        store._front.transaction(work, again=3)
    assert len(tries) == 3
    assert store.counts().accepted == 0
    cut(store)


# --- fork ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_is_refused_and_leaves_the_parents_connection_alone() -> None:
    store = PostgresPlace().open()
    accept(store, events("a"))
    attempt = take(store)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there are threads of the tests' own
        child = os.fork()
    if child == 0:
        refused = 0
        for use in (
            lambda: accept(store, events("b")),
            lambda: store.advance([], [want()], 0.0),
            lambda: store.upkeep(0.0, AT),
            store.watch,
        ):
            try:
                use()
            except ForkedOutboxError:  # noqa: PERF203 - four times
                refused += 1
        store.counts()
        store.close()
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
    pids = [each._connection.info.backend_pid for each in (store._front, store._sending._session)]
    accept(store, events("b"))
    assert agents(take(store)) == "b"
    assert attempt.number
    assert [each._connection.info.backend_pid for each in (store._front, store._sending._session)] == pids
    cut(store)
