"""F5, partitions: the network breaks in seven ways, again and again, and heals.

A TCP proxy on loopback stands between the sender and the server: `faults.proxy` names the ways. After each
healing something must arrive within 5 seconds; at the end all must, in order, and no thread be left over.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import attrs

from faults.kill import Books, note, streams
from faults.ledger import Delivery, compare
from faults.nursery import Nursery
from faults.proxy import GOOD, MODES, Proxy
from faults.report import Count, Outcome, command, timed
from faults.server import Cxone, Entry
from faults.stock import stock_of
from faults.waiting import wait_for
from faults.worker import Job

COUNTS = {
    "toggles": Count(1, 20, "times that each of the seven ways is switched on"),
    "events": Count(2_000, 20_000, "events in all"),
    "ms_bad": Count(400, 600, "milliseconds of each break"),
}
MOST_SECONDS_TO_RECOVER = 5.0
_LAG = 2.0
"""Seconds around a break in which an answer may have been lost on its way."""


def threads_of(pid: int) -> int:
    """How many threads a process has; 0 where it is gone or this system does not tell."""
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return 0


def seen_through(proxy: Proxy, entries: list[Entry]) -> list[Delivery]:
    """The deliveries, with `told` only where the network was good when the answer left."""
    windows = [(start - _LAG, end + _LAG) for start, end in proxy.windows]
    return [
        Delivery(
            event,
            entry.told and entry.in_time and not any(start <= entry.went <= end for start, end in windows),
            entry.request.life,
            entry.request.number,
        )
        for entry in entries
        if entry.taken
        for event in entry.request.events
    ]


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """All ways, in turn."""
    outcome = Outcome(fault="F5 partitions")
    bad, slowest, most_threads = counts["ms_bad"] / 1000, 0.0, 0
    with (
        timed(outcome),
        tempfile.TemporaryDirectory() as name,
        Cxone() as server,
        Proxy(server.port) as proxy,
        Nursery(Path(name)) as nursery,
    ):
        work = Path(name)
        books = Books(work / "receipts", streams(200))
        toggles = counts["toggles"] * len(MODES)
        job = Job(store=str(work / "outbox.db"), url=proxy.url, receipts=str(books.path), patience=90.0)
        job = attrs.evolve(job, start=books.start(), count=counts["events"])
        pid = nursery.start(attrs.evolve(job, rate=counts["events"] / (toggles * (bad + 0.6))))
        wait_for(lambda: bool(server.data()), 10.0)
        before = threads_of(pid)
        for toggle in range(toggles):
            mode = MODES[toggle % len(MODES)]
            proxy.switch(mode)
            time.sleep(bad)
            most_threads = max(most_threads, threads_of(pid))
            proxy.switch(GOOD)
            arrived = len(server.data())
            took = wait_for(lambda arrived=arrived: len(server.data()) > arrived, 2 * MOST_SECONDS_TO_RECOVER)
            outcome.expect(took < MOST_SECONDS_TO_RECOVER, f"{took:.1f} s from healing to a request ({mode})")
            slowest = max(slowest, took)
        code = nursery.ended(job.patience + 30)
        outcome.expect(code == 0, f"the worker ended with {code}")
        books.update()
        stock = stock_of(work / "outbox.db")
        note(outcome, compare(books.accepted(), seen_through(proxy, server.data()), stock.events), stock)
    outcome.done |= {"breaks": toggles, "s slowest recovery": round(slowest, 2)}
    outcome.expect(most_threads <= before + 2, f"{before} threads before, {most_threads} in the breaks")
    return [outcome]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
