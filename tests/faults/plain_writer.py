"""A plain SQLite writer: what the power-loss simulator is calibrated on. Run under strace by `power`."""

import os
import sqlite3
import sys
from pathlib import Path

from faults.ledger import Receipt

NAME = "outbox.db"


def settings(connection: sqlite3.Connection, journal: str, synchronous: str) -> None:
    """One journal mode, one level of care."""
    connection.execute(f"PRAGMA journal_mode={journal}")
    connection.execute(f"PRAGMA synchronous={synchronous}")


def main(folder: str, work: str, transactions: str, journal: str, synchronous: str) -> None:
    """Insert rows, one transaction each, and write down each one that was committed."""
    connection = sqlite3.connect(Path(folder) / NAME, isolation_level=None)
    settings(connection, journal, synchronous)
    connection.execute("PRAGMA wal_autocheckpoint=40")
    connection.execute("CREATE TABLE event (number INTEGER PRIMARY KEY, payload TEXT)")
    connection.execute("CREATE TABLE counter (next INTEGER)")
    connection.execute("INSERT INTO counter VALUES (1)")
    done = os.open(Path(work) / "receipts", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in range(1, int(transactions) + 1):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO event VALUES (?, ?)", (number, "x" * (100 + number * 37 % 900)))
        connection.execute("UPDATE counter SET next = next + 1")
        connection.execute("COMMIT")
        os.write(done, Receipt("plain", number, "-", number, duplicate=False).line())


def events(folder: Path) -> set[tuple[str, int]]:
    """What is in the file now. Raises `sqlite3.DatabaseError` where it is corrupt."""
    connection = sqlite3.connect(folder / NAME, isolation_level=None)
    try:
        if (found := connection.execute("PRAGMA quick_check").fetchone()) != ("ok",):
            raise sqlite3.DatabaseError(str(found))
        if connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'event'").fetchone() == (0,):
            return set()
        return {("plain", number) for (number,) in connection.execute("SELECT number FROM event")}
    finally:
        connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
