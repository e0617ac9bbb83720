"""F8, clock jumps: the wall clock goes ahead, back, to 1970 and to 2038, and steps every second.

The worker runs with `libfaketime` (from PyPI) preloaded, which moves its wall clock and leaves its
monotonic clock alone, as a real step does. After each scenario the worker is killed, and started again
with the new time. Nothing may be lost, wait, or spin.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import attrs
from attrs import define

from faults.kill import Books, note, streams
from faults.ledger import Event, compare
from faults.report import Count, Outcome, command, timed
from faults.server import Cxone, chance_of
from faults.stock import stock_of
from faults.waiting import overload, wait_for
from faults.worker import Job, environment

COUNTS = {
    "scenarios": Count(12, 12, "jumps of the clock, out of 12"),
    "pause": Count(10, 10, "seconds that an event may wait after a jump and a short outage"),
    "ms_each": Count(900, 3_000, "milliseconds of a scenario"),
}
SCENARIOS = (
    ("-2 h", ("-7200s",)),
    ("no jump", ("+0",)),
    ("+1 h", ("+3600s",)),
    ("+1 day", ("+86400s",)),
    ("-1 day", ("-86400s",)),
    ("1970", ("@1970-01-01 00:00:05",)),
    ("2038-01-19", ("@2038-01-19 03:14:05",)),
    ("past 2038", ("@2038-01-19 03:14:09",)),
    ("steps back", ("+0", "-60s", "-120s", "-180s")),
    ("steps ahead", ("+0", "+60s", "+120s", "+180s")),
    ("to and fro", ("+3600s", "-3600s", "+7200s", "-7200s")),
    ("the end of an hour", ("@2026-10-25 00:59:59", "@2026-10-25 01:00:00")),
)
RATE = 10.0
OUTAGE = 0.4
"""Seconds of 503 before each jump, so that something is waiting for its time when it comes."""
LAST_SECONDS = 30.0
MOST_CPU = 0.5
"""Of one core, above what the worker takes without a jump: libfaketime itself takes some 0.3 of it. A loop
that does not wait takes all."""


def library() -> Path | None:
    """The library to preload, where it is installed."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        return None
    return next(Path(found.origin).parent.rglob("libfaketime.so.1"), None)


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@define
class Lives:
    """Workers with a clock that the harness moves."""

    job: Job
    books: Books
    clock: Path
    preload: Path
    errors: Path

    def move(self, to: str) -> None:
        """Set the wall clock, as libfaketime writes it."""
        self.clock.write_text(to + "\n", encoding="ascii")

    def start(self, seed: int) -> subprocess.Popen[bytes]:
        """A new worker, which goes on from the receipts."""
        self.books.update()
        job = attrs.evolve(self.job, start=self.books.start(), seed=seed)
        preloaded = environment(
            job,
            LD_PRELOAD=str(self.preload),
            FAKETIME_TIMESTAMP_FILE=str(self.clock),
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )
        with self.errors.open("ab") as errors:
            return subprocess.Popen([sys.executable, "-m", "faults.worker"], env=preloaded, stderr=errors)


def jump(
    steps: tuple[str, ...], lives: Lives, server: Cxone, seconds: tuple[float, float]
) -> tuple[float, float]:
    """One scenario in one life, which began with the time of the last scenario.

    `seconds`: how long an event may wait, and how long the scenario lasts.

    Gives how long what was waiting at the jump waited on, or the longest pause between arrivals, in
    seconds, and the share of a core that it used.
    """
    worker = lives.start(server.life)
    most, lasts = seconds
    try:
        wait_for(lambda: any(entry.request.life == server.life for entry in server.data()), 10.0)
        began, before, rule = time.monotonic(), cpu_of(worker.pid), server.rule
        server.rule = lambda _: "503"
        time.sleep(OUTAGE)
        lives.move(steps[0])
        server.rule, healed = rule, time.monotonic()
        lives.books.update()
        owed = lives.books.accepted()
        longest = wait_for(lambda: owed <= _taken(server), most + 1)
        for step in steps[1:]:
            lives.move(step)
            time.sleep(lasts / (len(steps) - 1))
        arrivals = [*(e.came for e in server.data() if e.came >= healed), time.monotonic()]
        longest = max(longest, *(b - a for a, b in pairwise(arrivals)), 0.0)
        return longest, (cpu_of(worker.pid) - before) / (time.monotonic() - began)
    finally:
        worker.kill()
        worker.wait()
        server.next_life()


def _taken(server: Cxone) -> set[Event]:
    return {delivery.event for delivery in server.deliveries()}


def _ends_well(worker: subprocess.Popen[bytes]) -> bool:
    try:
        return worker.wait(LAST_SECONDS) == 0
    except subprocess.TimeoutExpired:
        worker.kill()
        return False


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """All scenarios, one after the other, in one store."""
    outcome, preload = Outcome(fault="F8 clock jumps"), library()
    if preload is None:
        outcome.done = {"skipped: libfaketime is not installed (pip install libfaketime, Linux only)": ""}
        return [outcome]
    rule = chance_of({"503": 0.03, "answer_lost": 0.03}, 1)
    with timed(outcome), tempfile.TemporaryDirectory() as name, Cxone(rule) as server:
        work = Path(name)
        books = Books(work / "receipts", streams(20))
        job = Job(
            store=str(work / "outbox.db"),
            url=server.url,
            receipts=str(books.path),
            count=10**6,
            patience=20.0,
            most_at_once=1,
            rate=RATE,
        )
        lives = Lives(job, books, work / "clock", preload, work / "stderr")
        lives.move("+0")
        slowest, cpu = 0.0, {}
        for scenario, steps in SCENARIOS[: counts["scenarios"]]:
            most = counts["pause"] * overload()
            pause, cpu[scenario] = jump(steps, lives, server, (most, counts["ms_each"] / 1000))
            slowest = max(slowest, pause)
            outcome.expect(pause <= most, f"{scenario}: an event waited for {pause:.1f} s")
        quiet = cpu.get("no jump", 0.0)
        for scenario, share in cpu.items():
            outcome.expect(share - quiet <= MOST_CPU, f"{scenario}: {share:.0%} of a core, else {quiet:.0%}")
        lives.job = attrs.evolve(job, count=0)
        outcome.expect(_ends_well(lives.start(0)), "the last worker failed, or did not end")
        books.update()
        stock = stock_of(Path(job.store))
        note(outcome, compare(books.accepted(), server.deliveries(), stock.events), stock)
        outcome.problems += books.changed[:3]
    outcome.done |= {"scenarios": counts["scenarios"], "s longest pause": round(slowest, 2)}
    return [outcome]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
