"""The tables of an outbox in PostgreSQL, in a schema of their own, and how they are made."""

import psycopg

from ...errors import ConfigurationError
from ..store import LANES

SCHEMA_VERSION = 1
SCHEMA_LOCK = 0x43584F42
"""Of an advisory lock: who makes the tables holds it."""
ROOMS = 64
"""The counters lie in so many groups of rows. A process adds to the rows of one, so that few meet there."""
_NAME = "cxone_wfm_outbox"
_TABLES = """
CREATE TABLE event (
  position bigint PRIMARY KEY,      -- grows with the commits of a lane; between lanes it is only nearly so
  kind smallint NOT NULL,           -- place in KINDS
  lane smallint NOT NULL,
  event_id text NOT NULL,
  stream text NOT NULL,
  seq bigint NOT NULL,
  key bytea UNIQUE,                 -- NULL once the same content was accepted again
  digest bytea NOT NULL,
  accepted_at double precision NOT NULL,
  payload bytea NOT NULL
);
CREATE INDEX event_lane ON event (kind, lane, position);
CREATE INDEX event_stream ON event (stream, position);
CREATE SEQUENCE event_position;
CREATE TABLE stream (
  stream text PRIMARY KEY,
  last_seq bigint NOT NULL,
  last_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE attempt (              -- events that are being sent or wait to be tried again
  position bigint PRIMARY KEY,
  lane smallint NOT NULL,
  number bigint NOT NULL,           -- the same for the events of one request
  tries integer NOT NULL,
  unknown boolean NOT NULL,
  crashes integer NOT NULL,
  sending boolean NOT NULL
);
CREATE INDEX attempt_lane ON attempt (lane);
CREATE TABLE ledger (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key bytea NOT NULL UNIQUE,
  digest bytea NOT NULL,
  event_id text NOT NULL,
  stream text NOT NULL,
  seq bigint NOT NULL,
  delivered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ledger_stream ON ledger (stream);
CREATE TABLE dead (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind smallint NOT NULL,
  lane smallint NOT NULL,
  event_id text NOT NULL UNIQUE,
  stream text NOT NULL,
  seq bigint NOT NULL,
  key bytea UNIQUE,
  digest bytea NOT NULL,
  accepted_at double precision NOT NULL,
  payload bytea NOT NULL,
  reason text NOT NULL,
  status integer,
  detail text NOT NULL,
  tries integer NOT NULL,
  unknown boolean NOT NULL,         -- whether a try may have arrived
  died_at double precision NOT NULL
);
CREATE INDEX dead_stream ON dead (stream);
CREATE TABLE death (                -- what died or was forgotten lately, for those who wait for a flush
  lane smallint NOT NULL,
  position bigint NOT NULL,
  forgotten boolean NOT NULL,
  died_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX death_at ON death (died_at);
CREATE TABLE counter (
  room smallint NOT NULL,
  name text NOT NULL,
  value bigint NOT NULL,            -- of all rooms the sum counts
  PRIMARY KEY (room, name)
);
CREATE TABLE lane (
  lane smallint PRIMARY KEY,
  owner bigint,                     -- a number of `owner`; NULL where it was let go in order
  epoch bigint NOT NULL DEFAULT 0,  -- one more with each new owner
  lease_until timestamptz NOT NULL DEFAULT '-infinity',
  quiet_until timestamptz NOT NULL DEFAULT '-infinity',  -- until then a request of the last owner may be out
  request_seconds double precision NOT NULL DEFAULT 0
);
CREATE SEQUENCE owner;
CREATE TABLE member (               -- the processes that send, for fair shares
  owner bigint PRIMARY KEY,
  alive_until timestamptz NOT NULL
);
CREATE TABLE version (version integer NOT NULL);
"""


def prepare(connection: psycopg.Connection) -> None:
    """Make schema and tables where they are missing, and look whether they are ours.

    Raises `ConfigurationError` where they are another version's.
    """
    connection.execute("SELECT set_config('search_path', %s, false)", (_NAME,))
    if _version(connection) is None:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            if _version(connection) is None:  # nobody else was quicker
                _make(connection)
    version = _version(connection)
    if version != SCHEMA_VERSION:
        raise ConfigurationError(
            [f"the outbox in PostgreSQL is of version {version}; this library knows {SCHEMA_VERSION}"]
        )


def _version(connection: psycopg.Connection) -> int | None:
    # Not to_regclass(): after waiting for a lock it would still say what it said before.
    there = connection.execute(
        "SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname = %s AND relname = 'version'",
        (_NAME,),
    )
    if not there.rowcount:
        return None
    (version,) = connection.execute("SELECT max(version) FROM version").fetchone() or (0,)
    return int(version)


def _make(connection: psycopg.Connection) -> None:
    # CREATE SCHEMA IF NOT EXISTS asks for a right on the database even where the schema is there.
    if not connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (_NAME,)).rowcount:
        connection.execute("CREATE SCHEMA cxone_wfm_outbox")
    connection.execute(_TABLES)
    connection.execute("INSERT INTO lane (lane) SELECT generate_series(0, %s)", (LANES - 1,))
    connection.execute("INSERT INTO version VALUES (%s)", (SCHEMA_VERSION,))
