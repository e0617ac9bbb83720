"""F3, power loss: every crash image that the log of a writer's system calls allows, opened and compared.

A writer runs once under strace. Its log is played back on a disk that forgets, and after each call
that changes the disk the power is cut in several ways. Each image is opened as after a restart: what
was acknowledged before the cut must be there, or must have been delivered before it.

The plain writers come first: with SQLite's careless settings the simulator must see losses, or it is blind.
"""

import hashlib
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import define, field, frozen

from faults import outbox_writer, plain_writer
from faults.disk_model import KINDS, TRACED, Call, Disk, Image, read_calls
from faults.ledger import Event
from faults.report import Count, Outcome, command, timed
from faults.tracing import MISSING, can_trace

COUNTS = {
    "images": Count(5_300, 26_500, "crash images in all, of both journal modes"),
    "transactions": Count(60, 200, "transactions of each writer"),
    "plain": Count(150, 150, "transactions of the plain writers; 0 leaves them out"),
    "seed": Count(1, 1, "of the random images"),
}
JOURNALS = ("wal", "truncate")
RANDOM_KINDS = ("prefix", "torn")


@frozen
class Writer:
    """A program to run under strace, and how to see what its store holds after a crash."""

    name: str
    module: str
    arguments: tuple[str, ...]
    events: Callable[[Path], set[Event]]
    ignored: tuple[str, ...] = ("-shm",)


@define
class Cuts:
    """What came of the images of one writer."""

    images: int = 0
    opened: int = 0
    """Different images among them: one that looks the same is opened once."""
    corrupt: int = 0
    losing: int = 0
    worst: int = 0
    first: str = ""
    acknowledged: int = 0
    kinds: dict[str, int] = field(factory=dict)
    """Kind of image -> how many of it lost something."""


def fast_folder() -> str | None:
    """A folder in memory where there is one: nothing here depends on the real disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def trace(writer: Writer, transactions: int, work: Path) -> Path:
    """Run the writer under strace and give the log."""
    log, folder = work / "log", work / "store"
    folder.mkdir(mode=0o700)
    tracer = ["strace", "-f", "-y", "-xx", "-qq", "--seccomp-bpf", "-s", "20000000"]
    tracer += ["-e", f"trace={TRACED}", "-e", "signal=none", "-o", str(log)]
    given = [str(folder), str(work), str(transactions), *writer.arguments]
    done = subprocess.run(
        [*tracer, sys.executable, "-m", writer.module, *given],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the writer {writer.name} failed: {done.stderr[-2000:]}")
    return log


def said(call: Call, work: Path) -> str:
    """Which of the writer's two notebooks a call wrote to: "receipts", "arrivals" or neither."""
    if call.name != "write":
        return ""
    return next((name for name in ("receipts", "arrivals") if _hex(work / name) in call.arguments[0]), "")


def _hex(path: Path) -> str:
    return "<" + "".join(f"\\x{byte:02x}" for byte in str(path).encode()) + ">"


def events_in(call: Call) -> set[Event]:
    """The events in the lines that a call wrote to a notebook."""
    text = bytes.fromhex(call.arguments[1].strip('"').replace("\\x", "")).decode()
    return {(stream, int(number)) for stream, number, *_ in map(str.split, text.splitlines())}


def cut_everywhere(writer: Writer, log: Path, images: int, seed: int) -> Cuts:
    """Play the log, cut the power after each change of the disk, and judge what is left."""
    work, chance, cuts = log.parent, random.Random(seed), Cuts()
    with log.open(encoding="ascii") as lines:
        calls = list(read_calls(lines))
    inside = _hex(work / "store").rstrip(">")
    changes = sum(inside in call.arguments[0] for call in calls if call.name != "openat")
    variants = max(1, -(-(images - 5 * changes) // (2 * max(1, changes))))
    share = images / (len(KINDS) * max(1, changes))  # of the moments, where there are more than enough
    kinds = [kind for kind in KINDS for _ in range(variants if kind in RANDOM_KINDS else 1)]
    disk = Disk(str(work / "store"), writer.ignored)
    noted: dict[str, set[Event]] = {"receipts": set(), "arrivals": set()}
    owed: set[Event] = set()
    seen: dict[bytes, set[Event] | str] = {}
    for call in calls:
        notebook = said(call, work)
        if notebook:  # an event may arrive before its receipt is written down
            noted[notebook] |= events_in(call)
            owed = noted["receipts"] - noted["arrivals"]
        elif disk.play(call) and chance.random() < share:
            for kind in kinds:
                cuts.images += 1
                image = disk.image(kind, chance)
                digest = digest_of(image)
                if digest not in seen:
                    cuts.opened += 1
                    seen[digest] = look(image, writer)
                _note(cuts, kind, owed, seen[digest], f"line {call.ended} ({call.name})")
    cuts.acknowledged = len(noted["receipts"])
    return cuts


def _note(cuts: Cuts, kind: str, owed: set[Event], found: set[Event] | str, where: str) -> None:
    if isinstance(found, str):
        cuts.corrupt += 1
        cuts.first = cuts.first or f"not to be opened ({found}): {kind}, {where}"
    elif missing := owed - found:
        cuts.losing += 1
        cuts.worst = max(cuts.worst, len(missing))
        cuts.kinds[kind] = cuts.kinds.get(kind, 0) + 1
        cuts.first = cuts.first or f"lost {sorted(missing)[:3]}: {kind}, {where}"


def digest_of(image: Image) -> bytes:
    """Tells images apart."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(image):
        digest.update(f"{name} {len(image[name])} ".encode())
        digest.update(image[name])
    return digest.digest()


def look(image: Image, writer: Writer) -> set[Event] | str:
    """Put the files down and open them as after a restart. What was said where that could not be done."""
    with tempfile.TemporaryDirectory(dir=fast_folder()) as name:
        folder = Path(name)
        for file, content in image.items():
            (folder / file).write_bytes(content)
        try:
            return writer.events(folder)
        except Exception as error:  # noqa: BLE001 - whatever it is, the store cannot be used
            return f"{type(error).__name__}: {error}"


def plain(journal: str, synchronous: str) -> Writer:
    """A plain writer with these settings."""
    return Writer(
        f"plain {journal}/{synchronous}", "faults.plain_writer", (journal, synchronous), plain_writer.events
    )


def outbox(journal: str) -> Writer:
    """The library's own store in this journal mode, accepting and sending."""

    def events(folder: Path) -> set[Event]:
        outbox_writer.use(journal)
        return outbox_writer.events(folder)

    return Writer(
        f"outbox {journal}", "faults.outbox_writer", (journal,), events, ("-shm", ".lock", ".ballast")
    )


def cut(writer: Writer, transactions: int, images: int, seed: int) -> tuple[Outcome, Cuts]:
    """One writer, from its run to its counts."""
    outcome = Outcome(fault=f"F3 power loss, {writer.name}")
    with timed(outcome), tempfile.TemporaryDirectory(dir=fast_folder()) as name:
        cuts = cut_everywhere(writer, trace(writer, transactions, Path(name)), images, seed)
    outcome.done = {
        "acknowledged": cuts.acknowledged,
        "images": cuts.images,
        "different": cuts.opened,
    }
    outcome.lost, outcome.corrupt = cuts.losing, cuts.corrupt
    if cuts.first:
        outcome.problems.append(f"{cuts.first}; at worst {cuts.worst} events; by kind {cuts.kinds}")
    return outcome, cuts


def blind(outcome: Outcome, cuts: Cuts) -> Outcome:
    """Turn a careless writer's outcome round: here losses are what must be seen."""
    seen = Outcome(fault=f"{outcome.fault}: must lose", seconds=outcome.seconds)
    seen.done = {**outcome.done, "losing images": cuts.losing, "corrupt images": cuts.corrupt}
    seen.expect(
        cuts.losing >= cuts.images // 20, f"only {cuts.losing} images lost something: the simulator is blind"
    )
    return seen


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """The careless settings, which must lose, then the store in both journal modes, which must not."""
    if not can_trace():
        return [Outcome(fault="F3 power loss", done={"skipped": MISSING})]
    images, seed = counts["images"] // 2, counts["seed"]
    found = [
        blind(*cut(plain(journal, "NORMAL"), counts["plain"], images // 2, seed))
        for journal in ("WAL", "TRUNCATE")
        if counts["plain"]
    ]
    return found + [cut(outbox(journal), counts["transactions"], images, seed)[0] for journal in JOURNALS]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
