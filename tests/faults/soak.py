"""F12, soak: 1,667 events a second, and a server that is down for a minute in the middle.

One process, as a connector would run it. What counts: how long `enqueue` takes, memory, open files,
the size of the store, and how soon the backlog is gone after the server is back.
"""

import sqlite3
import tempfile
import time
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import define, field

from cxone_wfm.outbox import _connection
from faults.kill import Books, note
from faults.ledger import compare
from faults.nursery import Nursery
from faults.report import Count, Outcome, command, timed
from faults.server import Cxone
from faults.stock import stock_of
from faults.worker import Job, memory_of

COUNTS = {
    "seconds": Count(15, 180, "length of the run"),
    "outage": Count(5, 60, "seconds for which the server is down"),
    "rate": Count(1_667, 1_667, "events a second"),
    "agents": Count(1_000, 5_000, "agents"),
    "threads": Count(8, 8, "threads that accept"),
}
P99_SECONDS = 0.010
GROWTH = 8 * 1024 * 1024
WAL = 64 * 1024 * 1024
DRAIN_SECONDS = 60.0


@define
class Watch:
    """Looks at the process again and again."""

    pid: int
    nursery: Nursery
    memory: list[int] = field(factory=list)
    """Bytes in use at each look."""
    files: list[int] = field(factory=list)
    """Open files at each look."""
    code: int | None = None

    def until(self, over: Callable[[], bool]) -> None:
        """Look until the condition holds, or the process ends."""
        folder = Path(f"/proc/{self.pid}")
        while self.code is None and not over():
            self.memory.append(memory_of(self.pid, "VmRSS"))
            self.files.append(len(list((folder / "fd").iterdir())))
            self.code = self.nursery.ended(0.2)


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """One run."""
    outcome = Outcome(fault="F12 soak")
    with (
        timed(outcome),
        tempfile.TemporaryDirectory() as name,
        Cxone() as server,
        Nursery(Path(name)) as nursery,
    ):
        _soak(counts, outcome, Path(name), server, nursery)
    return [outcome]


def bare_commit(folder: Path) -> float:
    """Seconds that a plain insert and commit takes here, the median: what the disk alone costs."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    for pragma in (
        f"journal_mode={_connection.journal_mode(sqlite3.sqlite_version_info)}",
        "synchronous=FULL",
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE bare (payload TEXT)")
    times = []
    for _ in range(200):
        began = time.perf_counter()
        connection.execute("INSERT INTO bare VALUES (?)", ("x" * 150,))
        times.append(time.perf_counter() - began)
    connection.close()
    return sorted(times)[100]


def _soak(counts: Mapping[str, int], outcome: Outcome, work: Path, server: Cxone, nursery: Nursery) -> None:
    books = Books(work / "receipts", [f"agent-{n}" for n in range(counts["agents"])])
    job = Job(
        store=str(work / "outbox.db"),
        url=server.url,
        receipts=str(books.path),
        start=books.start(),
        count=counts["rate"] * counts["seconds"],
        most_at_once=1,
        repeats=0.0,
        rate=counts["rate"],
        producers=counts["threads"],
        patience=DRAIN_SECONDS + 60,
        max_batch=500,
        times=str(work / "times"),
    )
    bare = bare_commit(work)
    watch = Watch(nursery.start(job), nursery)
    began = time.monotonic()
    down = began + (counts["seconds"] - counts["outage"]) / 2
    back = down + counts["outage"]

    def caught_up() -> bool:
        due = min(job.count, counts["rate"] * (time.monotonic() - began))
        return server.taken > due - counts["rate"]

    watch.until(lambda: time.monotonic() >= down)
    first = len(watch.memory) - 1
    server.rule = lambda _: "503"
    watch.until(lambda: time.monotonic() >= back)
    server.rule = lambda _: None
    watch.until(caught_up)
    caught = time.monotonic() - back
    watch.until(lambda: False)
    books.update()
    stock = stock_of(Path(job.store))
    note(outcome, compare(books.accepted(), server.deliveries(), stock.events), stock)
    times = sorted(each for each in array("d", (work / "times").read_bytes()) if each)
    p99, growth = times[len(times) * 99 // 100], max(watch.memory) - watch.memory[first]
    wal = max((path.stat().st_size for path in work.glob("outbox.db-wal")), default=0)
    outcome.done |= {
        "ms of a bare commit": round(bare * 1000, 2),
        "ms p50 of enqueue": round(times[len(times) // 2] * 1000, 2),
        "ms p99": round(p99 * 1000, 2),
        "MiB of growth": round(growth / 2**20, 1),
        "s to catch up": round(caught, 1),
    }
    outcome.expect(watch.code == 0, f"the worker ended with {watch.code}")
    outcome.expect(p99 < P99_SECONDS, f"one call in 100 took {p99 * 1000:.1f} ms or more")
    outcome.expect(growth < GROWTH, f"it grew by {growth / 2**20:.1f} MiB")
    outcome.expect(max(watch.files) <= watch.files[first] + 8, f"up to {max(watch.files)} open files")
    outcome.expect(caught < DRAIN_SECONDS, f"{caught:.0f} s after the outage it still lagged")
    outcome.expect(wal <= WAL, f"a WAL of {wal} bytes")


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
