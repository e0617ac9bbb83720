"""F1, kill -9: a process that accepts and sends is killed again and again; nothing may be missing.

200 agents and some reports; the server answers 3 % with 503, takes 3 % and loses the answer, hangs in
2 %. After each SIGKILL a new process goes on from the receipts, as a user's program would: it gives
the first event without a receipt again. Every 50 kills SQLite checks the file, and at the end all is sent.
"""

import random
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import attrs
from attrs import define, field

from faults.ledger import Event, Receipt, Verdict, compare, read_receipts
from faults.nursery import Nursery
from faults.report import Count, Outcome, command, timed
from faults.server import Cxone, chance_of
from faults.stock import Stock, stock_of
from faults.waiting import wait_for
from faults.worker import REPORTS, Job

COUNTS = {
    "cycles": Count(40, 1_000, "SIGKILLs, and as many more as it takes for the events"),
    "events": Count(500, 150_000, "events that are accepted in all"),
    "at_once": Count(40, 40, "events in a call at most"),
    "agents": Count(200, 200, "agents"),
    "patience": Count(60, 300, "seconds for sending all that is left at the end"),
    "seed": Count(1, 1, "of lives and faults"),
}
RATES = {"503": 0.03, "answer_lost": 0.03, "hang": 0.01, "hang_taken": 0.01}
CALLS_PER_LIFE = 50
LONGEST_START, LONGEST_LIFE = 30.0, 0.25
AT_WORK = 0.8
"""So many are killed within `LONGEST_LIFE` seconds of their first receipt, the others of their start."""
CHECK_EVERY = 50
IN_FLIGHT = 16
"""Requests of one life that may be sent again after a kill though their answers had come: some are
answered, but not noted, at any moment. The sender has fewer workers than this."""


@define
class Books:
    """What the harness knows of the producer: its receipts, read as they come."""

    path: Path
    streams: list[str]
    receipts: list[Receipt] = field(factory=list)
    _read: int = 0
    _following: dict[str, int] = field(factory=dict)
    _ids: dict[Event, str] = field(factory=dict)
    changed: list[str] = field(factory=list)
    """Receipts that contradict earlier ones, a sentence each. An event's number is what its seq must be."""

    def update(self) -> None:
        """Read the new receipts."""
        new, self._read = read_receipts(self.path, self._read)
        for receipt in new:
            known = self._ids.setdefault(receipt.event, receipt.event_id)
            if known != receipt.event_id:
                self.changed.append(f"{receipt.event} was given a second id")
            if receipt.seq != receipt.number:
                self.changed.append(f"{receipt.event} was given the seq {receipt.seq}")
            self._following[receipt.stream] = max(self._following.get(receipt.stream, 1), receipt.number + 1)
        self.receipts += new

    def grew(self) -> bool:
        """There are receipts that were not read yet."""
        return self.path.exists() and self.path.stat().st_size > self._read

    def start(self) -> dict[str, int]:
        """Stream -> the first number without a receipt."""
        return {**dict.fromkeys(self.streams, 1), **self._following}

    def accepted(self) -> set[Event]:
        """All events that have a receipt."""
        return set(self._ids)


def streams(agents: int) -> list[str]:
    """The agents, and streams of reports: one for ten of them."""
    return [
        *(f"agent-{n}" for n in range(agents)),
        *(f"{REPORTS}{n}" for n in range(agents // 10)),
    ]


def check(store: Path) -> str:
    """What SQLite's own check says of the file: "ok". Nobody else may have it open."""
    with sqlite3.connect(store) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return str(found[0])


def note(outcome: Outcome, verdict: Verdict, stock: Stock) -> None:
    """Put a comparison, and what is still in the store when all should be gone, into an outcome."""
    outcome.done |= {
        "accepted": verdict.accepted,
        "delivered": verdict.delivered,
        "repeats": verdict.repeats,
    }
    outcome.expect(verdict.accepted > 0, "nothing was accepted")
    outcome.lost += len(verdict.lost)
    outcome.reordered += len(verdict.reordered)
    outcome.regressions += len(verdict.regressions)
    outcome.expect(not stock.pending, f"{len(stock.pending)} are pending still, such as {stock.pending[:3]}")
    outcome.expect(
        not stock.dead, f"{len(stock.dead)} good events are dead, such as {list(stock.dead.items())[:3]}"
    )
    if verdict.lost:
        outcome.problems.append(f"lost, for instance {verdict.lost[:3]}")
    if verdict.unexplained:
        count, some = len(verdict.unexplained), verdict.unexplained[:3]
        outcome.problems.append(f"{count} events sent again after a whole answer, such as {some}")
    most = max(verdict.repeated_by_kills.values(), default=0)
    outcome.expect(
        most <= IN_FLIGHT, f"{most} answered requests of one process were sent again after its kill"
    )


def kill_again_and_again(counts: Mapping[str, int], work: Path) -> Outcome:
    """The loop, to its comparison."""
    cycles, seed = counts["cycles"], counts["seed"]
    outcome, chance, rule = Outcome(fault="F1 kill -9"), random.Random(seed), chance_of(RATES, seed)
    books = Books(work / "receipts", streams(counts["agents"]))
    store, checks = work / "outbox.db", 0
    with timed(outcome), Cxone(rule) as server, Nursery(work) as nursery:
        job = Job(
            store=str(store),
            url=server.url,
            receipts=str(books.path),
            patience=counts["patience"],
            most_at_once=counts["at_once"],
        )
        kills = 0
        while kills < cycles or len(books.receipts) < counts["events"]:
            nursery.start(job_of(job, books, CALLS_PER_LIFE * counts["at_once"], "wait", seed + kills))
            if chance.random() < AT_WORK:
                wait_for(lambda: books.grew() or nursery.is_over(), LONGEST_START)
            if nursery.ended(chance.uniform(0.0, LONGEST_LIFE)) is not None:
                outcome.problems.append(f"a worker ended by itself: {nursery.last_words()}")
                break
            nursery.kill()
            server.next_life()
            books.update()
            kills += 1
            if kills % CHECK_EVERY == 0 and store.exists():
                checks += 1
                outcome.corrupt += check(store) != "ok"
        began = time.monotonic()
        problem = nursery.finish(job_of(job, books, 0, "drain", seed))
        outcome.expect(not problem, problem)
        outcome.done = {"kills": kills, "integrity checks": checks + 1}
        outcome.done["s to drain"] = round(time.monotonic() - began, 1)
        outcome.corrupt += check(store) != "ok"
        note(outcome, compare(books.accepted(), server.deliveries(), stock_of(store).events), stock_of(store))
    outcome.problems += books.changed[:3]
    return outcome


def job_of(job: Job, books: Books, count: int, then: str, seed: int) -> Job:
    """The job of one life."""
    return attrs.evolve(job, start=books.start(), count=count, then=then, seed=seed)


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """One loop."""
    with tempfile.TemporaryDirectory() as name:
        return [kill_again_and_again(counts, Path(name))]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
