"""Whose the file is: a number that whoever opens it draws at random and writes into it.

The lock keeps others out. Where it does not, because it was taken away or the file has a second name, the
number does: it is looked at in each transaction, so a process writes nothing more once another has opened
the file.
"""

import secrets
import sqlite3


def draw() -> int:
    """A number that nobody else has."""
    return secrets.randbits(62)


def take_over(connection: sqlite3.Connection, number: int) -> None:
    """The file is this process's from now on."""
    connection.execute("INSERT OR REPLACE INTO counter VALUES ('opener', ?)", (number,))


def refuse_another(connection: sqlite3.Connection, number: int) -> None:
    """Raise `sqlite3.DatabaseError` where another process has opened the file since."""
    (found,) = connection.execute("SELECT value FROM counter WHERE name = 'opener'").fetchone()
    if found != number:
        raise sqlite3.DatabaseError(
            "another process has opened the file, so it is no longer this one's; close this outbox"
        )
