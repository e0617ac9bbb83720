"""A connection to an outbox in SQLite: what it is set to, and whether the file is one of ours."""

import sqlite3
from pathlib import Path

from ..errors import ConfigurationError

APPLICATION_ID = 0x43584F42
SCHEMA_VERSION = 1
SETTINGS = {
    "synchronous": 2,
    "wal_autocheckpoint": 1000,
    "journal_size_limit": 64 * 1024 * 1024,
    "busy_timeout": 5000,
    "foreign_keys": 1,
    "secure_delete": 1,
    "trusted_schema": 0,
    "fullfsync": 1,
    "checkpoint_fullfsync": 1,
    "cache_size": -2048,
}
"""What is set on each connection, and read back. Two are for macOS, where fsync alone is not enough."""
_AUTO_VACUUM_INCREMENTAL = 2
_OLDEST = (3, 31, 0)
"""The first SQLite that has all of these settings."""


def journal_mode(version: tuple[int, ...]) -> str:
    """WAL where this SQLite is free of the WAL-reset bug, else TRUNCATE.

    The bug is in 3.7.0 to 3.51.2, but for two branches that got the correction later. Both modes
    keep what was committed through a power cut with synchronous=FULL; SQLite's own default, DELETE, does not.
    """
    repaired = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "wal" if repaired else "truncate"


def refuse_unfit_sqlite(version: tuple[int, ...], threadsafety: int) -> None:
    """Raise `ConfigurationError` where this SQLite is too old, or made for a single thread."""
    problems = []
    if version < _OLDEST:
        problems.append(
            f"this Python brings SQLite {'.'.join(map(str, version))}; an outbox in a file needs 3.31 or"
            " later: use another Python, or PostgreSQL"
        )
    if not threadsafety:
        problems.append(
            "this Python's SQLite was made for a single thread; use another Python, or PostgreSQL"
        )
    if problems:
        raise ConfigurationError(problems)


def connect(path: Path) -> sqlite3.Connection:
    """Connect, set everything and read it back. Raises `ConfigurationError` where a setting is not taken."""
    # No statement cache: with one, Python 3.12 and later gave wrong results in rare cases.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=0)
    try:
        connection.execute(f"PRAGMA auto_vacuum={_AUTO_VACUUM_INCREMENTAL}")
        mode = journal_mode(sqlite3.sqlite_version_info)
        found: dict[str, object] = {
            "journal_mode": connection.execute(f"PRAGMA journal_mode={mode}").fetchone()[0]
        }
        wanted: dict[str, object] = {"journal_mode": mode}
        for name, value in SETTINGS.items():
            connection.execute(f"PRAGMA {name}={value}")
            found[name] = connection.execute(f"PRAGMA {name}").fetchone()[0]
            wanted[name] = value
        _refuse_other_settings(found, wanted)
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_other_settings(found: dict[str, object], wanted: dict[str, object]) -> None:
    if found != wanted:
        raise ConfigurationError(
            [
                f"this SQLite does not take the setting {name}={value}"
                for name, value in wanted.items()
                if found[name] != value
            ]
        )


def make_it_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Mark an empty file as an outbox. Raises `ConfigurationError` where it is something else."""
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if empty and (application, version) == (0, 0):
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    elif application != APPLICATION_ID:
        raise ConfigurationError([f"{path} is an SQLite file, but no outbox"])
    elif version != SCHEMA_VERSION:
        raise ConfigurationError(
            [f"{path} is an outbox of version {version}; this library knows {SCHEMA_VERSION}"]
        )
