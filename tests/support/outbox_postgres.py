"""A PostgreSQL outbox to test: the tables of the shared server, emptied for each test."""

from pathlib import Path
from typing import TYPE_CHECKING

from support.postgres import cluster

if TYPE_CHECKING:
    import psycopg

    from cxone_wfm.outbox.postgres import PostgresStore
    from cxone_wfm.outbox.store import Store

_EMPTY = """
TRUNCATE cxone_wfm_outbox.event, cxone_wfm_outbox.stream, cxone_wfm_outbox.attempt, cxone_wfm_outbox.ledger,
  cxone_wfm_outbox.dead, cxone_wfm_outbox.death, cxone_wfm_outbox.counter, cxone_wfm_outbox.member;
UPDATE cxone_wfm_outbox.lane SET owner = NULL, lease_until = '-infinity', quiet_until = '-infinity';
"""
_connections: list["psycopg.Connection"] = []


def admin() -> "psycopg.Connection":
    """A connection of the tests' own, each statement a transaction."""
    import psycopg

    url = cluster().url
    if not _connections or _connections[0].closed:
        _connections[:] = [psycopg.connect(url, autocommit=True)]
    return _connections[0]


class PostgresPlace:
    """The tables of the server that the tests share. The folder is not needed."""

    def __init__(self, folder: Path | None = None) -> None:
        self.url = cluster().url
        if admin().execute("SELECT to_regclass('cxone_wfm_outbox.version')").fetchone() != (None,):
            admin().execute(_EMPTY)

    @staticmethod
    def shared_url() -> str:
        """Of the shared server's database."""
        return cluster().url

    def open(self, **options: float) -> "PostgresStore":
        from cxone_wfm.outbox.postgres import PostgresStore

        return PostgresStore(self.url, **options)

    def crash(self, store: "Store") -> None:
        """The connections are gone without a word, and the leases have ended long ago."""
        cut(store)
        free_leases()


def cut(store: "Store") -> None:
    """Close the connections as the end of the process would. The store is of no use any more."""
    from cxone_wfm.outbox.postgres import PostgresStore

    assert isinstance(store, PostgresStore)
    store._front.close()
    store._sending._session.close()


def free_leases() -> None:
    """All leases have ended long ago."""
    admin().execute("UPDATE cxone_wfm_outbox.lane SET lease_until = '-infinity' WHERE owner IS NOT NULL")
    admin().execute("DELETE FROM cxone_wfm_outbox.member")
