"""PostgresStore: events in a PostgreSQL database that several processes share. Needs the extra `postgres`.

Every process may accept. Those that send share the 64 lanes: see `_leases`. What one process does about its
lanes is in `_sending`, acceptance in `_accept`, and the tables in `_schema`.
"""

try:
    import psycopg  # noqa: F401
except ImportError as error:
    raise ImportError(
        'an outbox in PostgreSQL needs psycopg: pip install "cxone-wfm-sdk[postgres]"'
    ) from error

from .store import PostgresStore

__all__ = ["PostgresStore"]
