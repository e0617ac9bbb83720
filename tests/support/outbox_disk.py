"""A disk that fails on demand, under every SQLite connection that is made meanwhile."""

import sqlite3

import pytest


class Disk:
    """Makes statements fail: the ones that begin so, so many times, before or after they were done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begins = ""
        self.times = 0
        self.error: BaseException = sqlite3.OperationalError("disk I/O error")
        self.after = False
        self.opened = 0
        disk, connect = self, sqlite3.connect

        class Failing(sqlite3.Connection):
            def execute(self, statement: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
                failing = bool(disk.begins) and statement.startswith(disk.begins) and disk.times > 0
                if failing:
                    disk.times -= 1
                    if not disk.after:
                        raise disk.error
                cursor = super().execute(statement, *values)  # type: ignore[arg-type]
                if failing:
                    raise disk.error
                return cursor

        def connect_failing(*arguments: object, **settings: object) -> sqlite3.Connection:
            self.opened += 1
            return connect(*arguments, factory=Failing, **settings)  # type: ignore[call-overload, no-any-return]

        monkeypatch.setattr(sqlite3, "connect", connect_failing)

    def fail(
        self, begins: str, times: int = 1, *, after: bool = False, error: BaseException | None = None
    ) -> None:
        self.begins, self.times, self.after = begins, times, after
        self.error = error or sqlite3.OperationalError("disk I/O error")
