"""F4, disk errors: each write, sync and truncation fails once, or from then on; and a disk that is full.

Whoever accepts an event must get a receipt that holds, or an error; what was refused must not turn up.
When the disk is well again everything is delivered, without a restart where the file system came back.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from faults.kill import Books, check, note
from faults.ledger import Delivery, Event, compare
from faults.nursery import Nursery
from faults.report import Count, Outcome, command, timed
from faults.server import Cxone
from faults.stock import stock_of
from faults.syscalls import points_of
from faults.tracing import MISSING, can_trace, count_calls, inject
from faults.worker import REPORTS, Job

COUNTS = {
    "points": Count(24, 200, "calls that fail"),
    "events": Count(24, 24, "events of one run"),
    "fills": Count(1, 3, "times that a disk is filled"),
}
CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink")
ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EROFS")
STREAMS = ("agent-1", "agent-2", "agent-3", f"{REPORTS}1")
DEFINITE = ("OutboxUnavailable", "OutboxFull", "OutboxLockedError")
"""After these the event was not accepted; only `EnqueueOutcomeUnknown` leaves it open."""


def read_refused(path: Path) -> dict[Event, str]:
    """What was refused, and the error's name."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {(stream, int(number)): error for stream, number, error in map(str.split, lines)}


def ghosts_of(
    refused: Mapping[Event, str], accepted: Collection[Event], deliveries: Iterable[Delivery]
) -> list[Event]:
    """What was refused for certain, and came nevertheless. What has a receipt may: it was offered again."""
    came = {delivery.event for delivery in deliveries}
    definite = [event for event, error in refused.items() if error in DEFINITE]
    return [event for event in definite if event in came and event not in accepted]


class Points:
    """One disturbed run after the other."""

    def __init__(self, outcome: Outcome, server: Cxone, nursery: Nursery, work: Path) -> None:
        self.outcome, self.server, self.nursery, self.work = outcome, server, nursery, work
        self.refused = 0
        self.failed_to_start = 0

    def once(self, number: int, job: Job, call: str, error: str, when: str) -> None:
        """Let it fail there, then let a process without faults finish."""
        folder = self.work / str(number)
        folder.mkdir()
        books = Books(folder / "receipts", list(STREAMS))
        job = attrs.evolve(
            job,
            store=str(folder / "outbox.db"),
            receipts=str(books.path),
            refused=str(folder / "refused"),
            patience=2.0,
            wait=0.2,
            close=0.2,
            seed=number,
        )
        self.server.next_life()
        self.server.log.clear()
        code = inject(self.nursery, job, (call, when), f"error={error}", timeout=30.0)
        self.outcome.expect(code != -9, f"{call} with {error} at {when}: it did not end in 30 s")
        self.failed_to_start += code > 0
        self.server.next_life()
        after = attrs.evolve(job, start=dict.fromkeys(STREAMS, 1000), count=4, patience=30.0)
        problem = self.nursery.finish(after)
        self.outcome.expect(not problem, f"{problem} (after {call} with {error} at {when})")
        books.update()
        self.outcome.corrupt += check(folder / "outbox.db") != "ok"
        deliveries = self.server.deliveries()
        before = self.outcome.good
        stock = stock_of(folder / "outbox.db")
        note(self.outcome, compare(books.accepted(), deliveries, stock.events), stock)
        refused = read_refused(folder / "refused")
        self.refused += len(refused)
        ghosts = ghosts_of(refused, books.accepted(), deliveries)
        self.outcome.expect(not ghosts, f"refused, and delivered: {ghosts[:3]}")
        if before and not self.outcome.good:
            self.outcome.problems.append(f"first at {call} with {error}, when={when}")


def fail_everywhere(counts: Mapping[str, int]) -> Outcome:
    """Each call with each error, once and for ever."""
    outcome = Outcome(fault="F4 disk errors")
    if not can_trace():
        outcome.done["skipped"] = MISSING
        return outcome
    with timed(outcome), tempfile.TemporaryDirectory() as name, Cxone() as server:
        work = Path(name)
        job = Job(
            store=str(work / "outbox.db"),
            url=server.url,
            receipts=str(work / "receipts"),
            start=dict.fromkeys(STREAMS, 1),
            count=counts["events"],
            most_at_once=3,
        )
        ways = [(error, for_ever) for for_ever in ("", "+") for error in ERRORS]
        with Nursery(work) as nursery:
            made = count_calls(nursery, job, CALLS, work / "log")
            points = Points(outcome, server, nursery, work)
            for number, (call, k) in enumerate(points_of(made, counts["points"])):
                error, for_ever = ways[number % len(ways)]
                points.once(number, job, call, error, f"{k}{for_ever}")
    outcome.done = {
        "points": counts["points"],
        "events refused": points.refused,
        "did not start": points.failed_to_start,
    }
    return outcome


@contextmanager
def small_disk(size: str) -> Iterator[Path | None]:
    """A file system in memory of that size; None where this user may not mount one."""
    with tempfile.TemporaryDirectory() as name:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", name]
        if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
            yield None
            return
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=True)


def full_disk() -> Outcome:
    """The disk fills up while events come, gets room again, and the same process goes on."""
    outcome = Outcome(fault="F4 full disk")
    with timed(outcome), small_disk("64m") as disk, tempfile.TemporaryDirectory() as name, Cxone() as server:
        if disk is None:
            outcome.done = {"skipped: no small file system may be mounted here": ""}
            return outcome
        work = Path(name)
        books = Books(work / "receipts", list(STREAMS))
        (disk / "box").mkdir(mode=0o700)
        filler = disk / "filler"
        job = Job(
            store=str(disk / "box" / "outbox.db"),
            url=server.url,
            receipts=str(books.path),
            refused=str(work / "refused"),
            start=dict.fromkeys(STREAMS, 1),
            count=6000,
            rate=1500,
            wait=0.2,
            ballast=8 * 1024 * 1024,
            patience=30.0,
        )
        with Nursery(work) as nursery:
            nursery.start(job)
            time.sleep(1.0)
            _fill(filler)
            time.sleep(1.5)
            filler.unlink()
            code = nursery.ended(60.0)
        outcome.expect(code == 0, f"the worker ended with {code}")
        books.update()
        refused = read_refused(work / "refused")
        stock = stock_of(disk / "box" / "outbox.db")
        note(outcome, compare(books.accepted(), server.deliveries(), stock.events), stock)
        outcome.done["refused"] = len(refused)
        outcome.expect(bool(refused), "nothing was refused: the disk was never full")
        ghosts = ghosts_of(refused, books.accepted(), server.deliveries())
        outcome.expect(not ghosts, f"refused, and delivered: {ghosts[:3]}")
    return outcome


def _fill(filler: Path) -> None:
    """Take all the room there is, and keep at it for a moment: the outbox may give its ballast away."""
    end = time.monotonic() + 0.5
    with filler.open("wb", buffering=0) as file:
        while time.monotonic() < end:
            with suppress(OSError):
                file.write(bytes(65536))
                continue
            time.sleep(0.02)


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """Both."""
    return [fail_everywhere(counts), *(full_disk() for _ in range(counts["fills"]))]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
