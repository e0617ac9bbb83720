"""Whose the outbox is: the place it lies at, the lock that names its owner, the room kept for emergencies."""

import contextlib
import json
import logging
import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import ConfigurationError, OutboxLockedError

_REMOTE = ("9p", "afs", "ceph", "cifs", "fuse", "glusterfs", "lustre", "ncpfs", "nfs", "smb")
"""How the names of file systems begin on which locks or fsync cannot be relied on."""
_MOUNTS = Path("/proc/self/mountinfo")
_LONGEST_LOCK_TEXT = 4096
_TRIES, _PAUSE = 6, 0.05
"""A quarter of a second: a process that takes over may begin before the last one has quite ended."""
_log = logging.getLogger(__name__)


def prepare_folder(path: Path) -> None:
    """Make the folder where it is missing (only its owner may enter it), and look whether it will do.

    A file that is there already is made its owner's alone: it holds personal data. Raises
    `ConfigurationError` where that cannot be, where the file is a link or no file, where everybody may write
    into the folder, or where it lies on a file system of the network or in user space.
    """
    _try_to_lock()  # before anything is made that cannot be used
    folder = path.parent
    try:
        _make_folder(folder)
        mode = folder.stat().st_mode
    except OSError as error:
        raise ConfigurationError([f"the outbox's folder {folder} cannot be used: {error.strerror}"]) from None
    problems = []
    if mode & stat.S_IWOTH:
        problems.append(f"everybody may write into the outbox's folder {folder}; use one of your own")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        problems.append(f"the outbox {path} must be a plain file, not a link or anything else")
    elif path.exists():
        problems += _make_private(path)
    kind = _file_system(folder)
    if kind.startswith(_REMOTE):
        problems.append(
            f"the outbox's folder {folder} is on {kind}, where locks and fsync cannot be relied on; use a"
            " local disk, or PostgreSQL"
        )
    if problems:
        raise ConfigurationError(problems)


def _make_folder(folder: Path) -> None:
    """Make it and what is missing above it, each for its owner alone and found again after a power cut."""
    for each in reversed([each for each in (folder, *folder.parents) if not each.is_dir()]):
        each.mkdir(mode=0o700, exist_ok=True)
        sync_folder(each.parent)


def _make_private(path: Path) -> list[str]:
    """Let only its owner read and write the file. Gives the problems with it."""
    found = path.stat()
    if found.st_nlink > 1:
        return [f"the outbox {path} has a second name (a hard link), by which another process could open it"]
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        try:
            path.chmod(0o600)
        except OSError as error:
            return [
                f"others may read or write the outbox {path}, and that cannot be changed: {error.strerror}"
            ]
        _log.warning("others could read or write the outbox %s; now only its owner can", path)
    return []


def _file_system(folder: Path) -> str:
    """The name of the folder's file system, where this machine tells (Linux); else an empty text."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if fields[2] == number and " - " in line:
            return line.partition(" - ")[2].split(" ")[0]
    return ""


def sync_folder(folder: Path) -> None:
    """Put the folder's entries on stable storage, so that a new file in it is found after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class OwnerLock:
    """A lock file that says who owns the outbox: process, machine, since when."""

    def __init__(self, path: Path) -> None:
        """Take it. Raises `OutboxLockedError` where another process has it, or this one a second time."""
        try_to_lock = _try_to_lock()
        self._name = f"{path}.lock"
        self._descriptor = _open_lock(self._name)
        tries, pause = 1, threading.Event()
        while not (_is_taken(try_to_lock, self._descriptor) and self.is_in_place()):
            owner = _read_owner(self._descriptor)
            os.close(self._descriptor)
            if tries == _TRIES:
                raise OutboxLockedError(str(path), owner)
            tries += 1
            pause.wait(_PAUSE)
            self._descriptor = _open_lock(self._name)
        text = {"pid": os.getpid(), "host": socket.gethostname(), "since": int(time.time())}
        # Only words for people: a disk that is too full for them is no reason not to open and drain.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(text).encode(), 0)

    def is_in_place(self) -> bool:
        """Whether the lock file is still the locked one: if not, another process may own the outbox."""
        try:
            found = Path(self._name).lstat()
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(self._descriptor))

    def release(self) -> None:
        """Give it up. The file stays: taking it away would let two owners lock two files of one name."""
        os.close(self._descriptor)

    def abandon(self) -> None:
        """In a forked child: the lock is the parent's, and ends with the parent, not with this process."""
        os.close(self._descriptor)


def _open_lock(name: str) -> int:
    try:
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError([f"the lock file {name} cannot be opened: {error.strerror}"]) from None


def _try_to_lock() -> Callable[[int], None]:
    """What locks a file or raises an `OSError` at once. `ConfigurationError` where nothing does."""
    try:
        import fcntl  # here, for Windows has none  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            ["an outbox in a file needs POSIX file locks, which this platform has not; use PostgreSQL"]
        ) from None
    return lambda descriptor: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_taken(lock: Callable[[int], None], descriptor: int) -> bool:
    try:
        lock(descriptor)
    except OSError:
        return False
    return True


def _read_owner(descriptor: int) -> int | None:
    try:
        owner = json.loads(os.pread(descriptor, _LONGEST_LOCK_TEXT, 0))
        return int(owner["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Ballast:
    """A file of a given size beside the outbox. Without its room a full disk would also stop the draining."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = Path(f"{path}.ballast")
        self._size = size
        self.here = False
        self.restore()

    def restore(self) -> None:
        """Make the file, where there is room for it."""
        if self.here or self._size == 0:
            self.here = True
            return
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(descriptor).st_size != self._size:
                    _fill(descriptor, self._size)
            finally:
                os.close(descriptor)
        except OSError as error:
            self.drop()
            _log.warning("no room for the outbox's ballast file %s: %s", self._path, error.strerror)
        else:
            self.here = True

    def drop(self) -> None:
        """Give its room to the file system."""
        self.here = False
        with contextlib.suppress(OSError):
            self._path.unlink()


def _fill(descriptor: int, size: int) -> None:
    os.ftruncate(descriptor, 0)
    piece = bytes(64 * 1024)
    for start in range(0, size, len(piece)):
        written = os.pwrite(descriptor, piece[: size - start], start)
        if written < min(len(piece), size - start):
            raise OSError(28, "the disk is full")
