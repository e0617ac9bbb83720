"""A PostgreSQL server of the tests' own, in a temporary folder, on a free port of loopback."""

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

_SHARED_MEMORY = Path("/dev/shm")
_USERS = ("postgres", "nobody")
_WAIT_SECONDS = 30
WHY_NOT = "PostgreSQL's server is not installed (on Debian: apt-get install postgresql)"


@cache
def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, None where they are not installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if there := shutil.which("initdb"):
        found.append(Path(there).resolve().parent)
    return max(found, key=lambda path: path.parent.name, default=None)


class Cluster:
    """A server. `settings` go into its configuration. Use it in a `with` block.

    It keeps its files in memory where the machine has a place for that: what it promises of the disk is
    PostgreSQL's own business, and fsync stays on, since the library asks for it.
    """

    def __init__(self, **settings: str) -> None:
        folder = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() and os.access(_SHARED_MEMORY, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="outbox-postgres-", dir=folder))
        self.data = self.folder / "data"
        self._user: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            user = next(pwd.getpwnam(name) for name in _USERS if _exists(name))
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._user = [
                "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"
            ]  # fmt: skip
        self._run(
            "initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "-N"
        )
        self.port = _free_port()
        settings = {"listen_addresses": "'127.0.0.1'", "unix_socket_directories": "''"} | settings
        settings |= {"port": str(self.port), "shared_buffers": "32MB", "max_connections": "60"}
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())

    def __enter__(self) -> "Cluster":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """Of the database `postgres`, as its superuser."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._run("pg_ctl", "start", "-w", "-t", _WAIT_SECONDS, "-D", self.data, "-l", self.folder / "log")

    def stop(self) -> None:
        """Stop as if the power was cut: nothing is written any more."""
        self._run("pg_ctl", "stop", "-m", "immediate", "-w", "-t", _WAIT_SECONDS, "-D", self.data)

    def _run(self, program: str, *arguments: object) -> None:
        folder = programs()
        assert folder is not None, WHY_NOT
        done = subprocess.run(
            [*self._user, str(folder / program), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # not a pipe: the server would inherit it, and hold it open
            stderr=subprocess.DEVNULL,
            cwd="/",
            timeout=2 * _WAIT_SECONDS,
            check=False,
        )
        if done.returncode:
            log = self.folder / "log"
            said = log.read_text(encoding="utf-8")[-2000:] if log.exists() else ""
            raise RuntimeError(f"{program} failed with {done.returncode}: {said}")


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


_running: list[Cluster] = []


def cluster() -> Cluster:
    """The one that all tests of this process share. Skips the test where there is none to be had."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if programs() is None:
        pytest.skip(WHY_NOT)
    if not _running:
        made = Cluster()
        made.start()
        _running.append(made)
        atexit.register(made.__exit__)
    return _running[0]
