"""F2, a crash at each system call: the k-th write, sync, truncation, send or receive is the last.

A fixed run of few events is killed by strace at one point after the other. After each, a new process
must find all, go on at once, and bring the run to its end.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import attrs

from faults.kill import Books, check, note
from faults.ledger import compare
from faults.nursery import Nursery
from faults.report import Count, Outcome, command, timed
from faults.server import Cxone
from faults.stock import stock_of
from faults.tracing import MISSING, can_trace, count_calls, inject
from faults.waiting import overload
from faults.worker import REPORTS, Job

COUNTS = {
    "points": Count(40, 520, "calls at which it is killed"),
    "events": Count(12, 12, "events of one run"),
}
CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "sendto", "recvfrom")
RECOVERY_SECONDS = 3.0
"""On a quiet machine it takes a tenth of that."""
STREAMS = ("agent-1", "agent-2", "agent-3", f"{REPORTS}1")


def points_of(made: Mapping[str, int], wanted: int) -> list[tuple[str, int]]:
    """So many points, spread evenly over all calls; where there are fewer, from the first again."""
    every = [(call, k) for call, count in made.items() for k in range(1, count + 1)]
    if wanted >= len(every):
        return [every[n % len(every)] for n in range(wanted)]
    return [
        every[(2 * n + 1) * len(every) // (2 * wanted)] for n in range(wanted)
    ]  # the first are of the opening


class Runs:
    """One killed run after the other, each in a store of its own."""

    def __init__(self, outcome: Outcome, server: Cxone, nursery: Nursery, work: Path) -> None:
        self.outcome, self.server, self.nursery, self.work = outcome, server, nursery, work
        self.killed = 0
        self.accepted = 0
        self.slowest = 0.0
        self.repeats = 0

    def once(self, call: str, k: int, job: Job, number: int) -> None:
        """Kill it there, let a new process finish, and compare."""
        folder = self.work / str(number)
        folder.mkdir()
        books = Books(folder / "receipts", list(STREAMS))
        job = attrs.evolve(job, store=str(folder / "outbox.db"), receipts=str(books.path), seed=number)
        self.server.next_life()
        self.server.log.clear()
        self.killed += inject(self.nursery, job, (call, str(k)), "signal=KILL") != 0
        self.server.next_life()
        books.update()
        begin = books.start()
        left = max(0, job.count - len(books.accepted()))
        began = time.monotonic()
        problem = self.nursery.finish(attrs.evolve(job, start=begin, count=left))
        self.outcome.expect(not problem, f"{problem} (after {call} number {k})")
        self.slowest = max(self.slowest, time.monotonic() - began)
        books.update()
        self.outcome.corrupt += check(folder / "outbox.db") != "ok"
        stock = stock_of(folder / "outbox.db")
        verdict = compare(books.accepted(), self.server.deliveries(), stock.events)
        before = self.outcome.good
        note(self.outcome, verdict, stock)
        self.outcome.problems += books.changed[:1]
        if before and not self.outcome.good:
            self.outcome.problems.append(f"first at {call} number {k}")
        self.accepted += verdict.accepted
        self.repeats += verdict.repeats


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """All points."""
    outcome = Outcome(fault="F2 crash at each call")
    if not can_trace():
        outcome.done["skipped"] = MISSING
        return [outcome]
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
        with Nursery(work) as nursery:
            made = count_calls(nursery, job, CALLS, work / "log")
            runs = Runs(outcome, server, nursery, work)
            for number, (call, k) in enumerate(points_of(made, counts["points"])):
                runs.once(call, k, job, number)
    outcome.done = {
        "points": counts["points"],
        "killed": runs.killed,
        "accepted": runs.accepted,
        "repeats": runs.repeats,
        "s slowest recovery": round(runs.slowest, 2),
    }
    outcome.expect(runs.killed >= counts["points"] // 4, f"only {runs.killed} runs were really killed")
    outcome.expect(runs.slowest < RECOVERY_SECONDS * overload(), f"a recovery took {runs.slowest:.2f} s")
    return [outcome]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
