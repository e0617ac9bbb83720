"""Whose the file is, where it may lie, and the room that is kept for emergencies."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cxone_wfm import ConfigurationError, OutboxLockedError
from cxone_wfm.outbox import _owner
from cxone_wfm.outbox._owner import Ballast, OwnerLock, prepare_folder, sync_folder
from cxone_wfm.outbox.sqlite import SqliteStore


def test_a_missing_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "new" / "newer" / "outbox.db")
    for made in (tmp_path / "new", tmp_path / "new" / "newer"):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_each_folder_that_is_made_is_found_again_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[Path, bool]] = []
    newer = tmp_path / "new" / "newer"
    monkeypatch.setattr(_owner, "sync_folder", lambda folder: synced.append((folder, newer.exists())))
    prepare_folder(newer / "outbox.db")
    assert synced == [(tmp_path, False), (tmp_path / "new", True)]
    prepare_folder(newer / "outbox.db")
    assert len(synced) == 2


def problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        prepare_folder(path)
    return caught.value.problems


def test_a_folder_that_everybody_may_write_into_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (problem,) = problems(tmp_path / "outbox.db")
    assert "everybody may write" in problem


@pytest.mark.parametrize("what", ["link", "folder"])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "outbox.db"
    if what == "link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.mkdir()
    (problem,) = problems(path)
    assert "plain file" in problem


def test_a_file_with_a_second_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.touch(mode=0o600)
    (tmp_path / "twin.db").hardlink_to(path)
    (problem,) = problems(path)
    assert "hard link" in problem


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_may_read_becomes_its_owners_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    path = tmp_path / "outbox.db"
    path.touch()
    path.chmod(mode)
    prepare_folder(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "now only its owner can" in caplog.text
    caplog.clear()
    prepare_folder(path)
    assert caplog.text == ""


def test_a_file_that_stays_open_to_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = tmp_path / "outbox.db"
    path.touch()
    path.chmod(0o644)
    monkeypatch.setattr(Path, "chmod", refuse)
    (problem,) = problems(path)
    assert "others may read or write" in problem


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (problem,) = problems(tmp_path / "file" / "outbox.db")
    assert "cannot be used" in problem


MOUNTS = "1 2 {}:{} / /somewhere rw,relatime shared:1 - {} source rw\n"


@pytest.mark.parametrize(
    ("kind", "refused"), [("nfs4", True), ("cifs", True), ("9p", True), ("fuse.sshfs", True), ("ext4", False)]
)
def test_file_systems_without_locks_to_rely_on_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, *, refused: bool
) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mounts"
    mounts.write_text(
        MOUNTS.format(0, 999, "nfs") + MOUNTS.format(os.major(device), os.minor(device), kind),
        encoding="utf-8",
    )
    monkeypatch.setattr(_owner, "_MOUNTS", mounts)
    if refused:
        (problem,) = problems(tmp_path / "outbox.db")
        assert f"is on {kind}" in problem
    else:
        prepare_folder(tmp_path / "outbox.db")


def test_where_mounts_are_not_told_the_folder_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_owner, "_MOUNTS", tmp_path / "none")
    prepare_folder(tmp_path / "outbox.db")
    (tmp_path / "empty").touch()
    monkeypatch.setattr(_owner, "_MOUNTS", tmp_path / "empty")
    prepare_folder(tmp_path / "outbox.db")


def test_the_lock_names_its_owner_and_keeps_others_out(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    lock = OwnerLock(path)
    text = json.loads((tmp_path / "outbox.db.lock").read_bytes())
    assert (text["pid"], text["host"]) == (os.getpid(), socket.gethostname())
    with pytest.raises(OutboxLockedError) as caught:
        OwnerLock(path)
    assert (caught.value.pid, caught.value.path) == (os.getpid(), str(path))
    assert "open in this process already" in str(caught.value)
    lock.release()
    OwnerLock(path).release()


def test_the_lock_of_another_process_is_seen_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    source = Path(_owner.__file__).parents[2]
    script = (
        f"import sys; sys.path.insert(0, {str(source)!r})\n"
        f"from pathlib import Path; from cxone_wfm.outbox._owner import OwnerLock\n"
        f"lock = OwnerLock(Path({str(path)!r})); print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OutboxLockedError) as caught:
            OwnerLock(path)
        assert caught.value.pid == other.pid
        other.kill()
        other.wait(20)
        OwnerLock(path).release()


def test_a_lock_file_that_is_removed_while_it_is_locked_is_locked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "outbox.db.lock"
    is_taken, locked = _owner._is_taken, []

    def removed_once(lock: Callable[[int], None], descriptor: int) -> bool:
        if not locked:
            file.unlink()  # by the one who had it before, or a cleaner of old files
        locked.append(os.fstat(descriptor).st_ino)
        return is_taken(lock, descriptor)

    monkeypatch.setattr(_owner, "_is_taken", removed_once)
    lock = OwnerLock(tmp_path / "outbox.db")
    assert (len(locked), locked[-1]) == (2, file.stat().st_ino)
    assert lock.is_in_place()
    with pytest.raises(OutboxLockedError):
        OwnerLock(tmp_path / "outbox.db")
    file.rename(tmp_path / "another name")
    assert not lock.is_in_place()
    file.touch()
    assert not lock.is_in_place()
    lock.release()


@pytest.mark.parametrize("text", ["", "not json", "{}", '{"pid": "x"}', "[]"])
def test_an_owner_that_cannot_be_read_is_another_process(tmp_path: Path, text: str) -> None:
    path = tmp_path / "outbox.db"
    lock = OwnerLock(path)
    (tmp_path / "outbox.db.lock").write_text(text, encoding="utf-8")
    with pytest.raises(OutboxLockedError, match="open in another process") as caught:
        OwnerLock(path)
    assert caught.value.pid is None
    lock.release()


def test_a_lock_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outbox.db.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(ConfigurationError, match="lock file"):
        OwnerLock(tmp_path / "outbox.db")
    assert not (tmp_path / "victim").exists()


def test_without_posix_locks_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.delattr(os, "major")  # Windows has not this either
    with pytest.raises(ConfigurationError, match="POSIX file locks"):
        OwnerLock(tmp_path / "outbox.db")
    with pytest.raises(ConfigurationError, match="POSIX file locks"):
        SqliteStore(tmp_path / "new" / "outbox.db")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_does_not_keep_the_owner_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    OwnerLock(tmp_path / "outbox.db").release()


def test_a_folder_can_be_synced(tmp_path: Path) -> None:
    synced: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", synced.append)
        sync_folder(tmp_path)
    assert len(synced) == 1


def test_the_ballast_takes_its_room_gives_it_back_and_takes_it_again(tmp_path: Path) -> None:
    file = tmp_path / "outbox.db.ballast"
    ballast = Ballast(tmp_path / "outbox.db", 200_000)
    assert (ballast.here, file.stat().st_size, stat.S_IMODE(file.stat().st_mode)) == (True, 200_000, 0o600)
    assert file.stat().st_blocks * 512 >= 200_000
    ballast.drop()
    assert (ballast.here, file.exists()) == (False, False)
    ballast.restore()
    assert (ballast.here, file.stat().st_size) == (True, 200_000)
    changed = file.stat().st_mtime_ns
    assert Ballast(tmp_path / "outbox.db", 200_000).here
    assert file.stat().st_mtime_ns == changed
    assert Ballast(tmp_path / "outbox.db", 100_000).here
    assert file.stat().st_size == 100_000


@pytest.mark.parametrize("how", ["error", "short"])
def test_without_room_there_is_no_ballast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    def full(_descriptor: int, _piece: bytes, _start: int) -> int:
        if how == "short":
            return 1
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        ballast = Ballast(tmp_path / "outbox.db", 200_000)
    assert (ballast.here, (tmp_path / "outbox.db.ballast").exists()) == (False, False)
    ballast.restore()
    assert ballast.here


def test_a_ballast_of_nothing_is_always_there(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "outbox.db", 0)
    assert ballast.here
    ballast.drop()
    ballast.restore()
    assert ballast.here
    assert list(tmp_path.iterdir()) == []
