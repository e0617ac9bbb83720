"""Build the sdist and the wheel twice, and fail unless the bytes are the same.

The second build starts from what the first one's sdist holds, in another folder, with other times and file
modes: so the sdist is also shown to hold all that the distributions are made of. The times inside are that
of the last commit, or SOURCE_DATE_EPOCH.

Usage: python .ci/build.py FOLDER
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONG_AGO = 315_619_200  # 1980-01-02: a zip archive holds no time before 1980


def time_of_last_commit() -> str | None:
    """Seconds since 1970, or None where this is no git repository: hatchling then takes a fixed time."""
    git = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def build(source: Path, folder: Path, umask: int) -> dict[str, bytes]:
    """Build in a folder; the files by name."""
    before = os.umask(umask)
    try:
        command = [sys.executable, "-m", "build", "--outdir", str(folder), str(source)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    finally:
        os.umask(before)
    return {path.name: path.read_bytes() for path in sorted(folder.glob("cxone_wfm_sdk-*"))}


def unpack(sdist: Path, folder: Path) -> Path:
    """Unpack an sdist with times and modes that no checkout has; the folder of its files."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    for path in source.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
        if path.is_file():
            path.chmod(0o700 if path.stat().st_mode & 0o100 else 0o600)
    return source


def main() -> int:
    """Build twice, compare, and leave the first build in the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", type=Path, help="where the files are left; it holds no others of this project"
    )
    folder = parser.parse_args().folder.resolve()
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or time_of_last_commit()
    if epoch:
        os.environ["SOURCE_DATE_EPOCH"] = epoch
    first = build(ROOT, folder, umask=0o022)
    if sorted(name.rpartition(".")[2] for name in first) != ["gz", "whl"]:
        print(f"{folder} should hold one sdist and one wheel now: {', '.join(first)}", file=sys.stderr)
        return 1
    (sdist,) = folder.glob("cxone_wfm_sdk-*.tar.gz")
    with tempfile.TemporaryDirectory() as elsewhere:
        source = unpack(sdist, Path(elsewhere, "somewhere", "else"))
        second = build(source, Path(elsewhere, "dist"), umask=0o077)
    for name, content in first.items():
        print(hashlib.sha256(content).hexdigest(), name)
    differing = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    if differing:
        print(f"not the same bytes when built again: {', '.join(differing)}", file=sys.stderr)
        return 1
    print("built twice: the same bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
