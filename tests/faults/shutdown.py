"""F13, shutdown at random instants: close() while events come, with a server that answers, hangs or is down.

It must return within its time-out and one request's deadline. Then pending + delivered + dead must be
what was accepted: by the store's own count, and by the server's log against the receipts.
"""

import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from faults.kill import Books, check, streams
from faults.ledger import compare
from faults.nursery import Nursery
from faults.report import Count, Outcome, command, timed
from faults.server import Cxone
from faults.stock import stock_of
from faults.waiting import overload
from faults.worker import Job

COUNTS = {
    "instants": Count(24, 200, "moments at which it is closed"),
    "seed": Count(1, 1, "of the moments"),
}
SERVERS = ("answers", "hangs", "is down")
CLOSE_SECONDS = 0.3
DEADLINE = 0.6
TOLERANCE = 0.5
"""Seconds that a busy machine may take on top."""


def once(number: int, seconds: float, outcome: Outcome, server: Cxone, nursery: Nursery) -> float:
    """One start, one close. Gives how long the closing took, in seconds."""
    folder, how = nursery.folder / str(number), SERVERS[number % len(SERVERS)]
    folder.mkdir()
    server.next_life()
    server.log.clear()
    server.rule = (lambda _: "hang_taken") if how == "hangs" else (lambda _: None)
    books = Books(folder / "receipts", streams(20))
    job = Job(
        store=str(folder / "outbox.db"),
        url="http://127.0.0.1:9" if how == "is down" else server.url,
        receipts=str(books.path),
        refused=str(folder / "refused"),
        start=books.start(),
        count=10**6,
        rate=2000,
        then="stop",
        close=CLOSE_SECONDS,
        read=0.5,
        total=DEADLINE,
        result=str(folder / "result"),
        seed=number,
    )
    pid = nursery.start(job)
    time.sleep(seconds)
    os.kill(pid, signal.SIGTERM)
    code = nursery.ended(20.0)
    if code is None:
        nursery.kill()
    if code != 0 or not Path(job.result).exists():
        said = nursery.errors.read_text(encoding="utf-8")[-300:]
        outcome.problems.append(f"server {how}: the worker ended with {code}: {said}")
        return 0.0
    result = json.loads(Path(job.result).read_text(encoding="utf-8"))
    books.update()
    stock = stock_of(folder / "outbox.db")
    accepted, taken = books.accepted(), {delivery.event for delivery in server.deliveries()}
    verdict = compare(accepted, server.deliveries(), stock.events)
    outcome.lost += len(verdict.lost)
    outcome.regressions += len(verdict.regressions)
    outcome.corrupt += check(folder / "outbox.db") != "ok"
    outcome.done["accepted"] = int(str(outcome.done.get("accepted", 0))) + len(accepted)
    counts = result["counts"]
    total = counts["pending"] + counts["delivered"] + counts["dead"]
    outcome.expect(total == counts["accepted"], f"server {how}: the store counts {counts}")
    outcome.expect(
        counts["pending"] == len(stock.pending),
        f"{counts['pending']} pending told, {len(stock.pending)} there",
    )
    gone = len(accepted | taken | stock.events) - len(stock.events)
    outcome.expect(counts["delivered"] == gone, f"{counts['delivered']} told as delivered, {gone} are gone")
    took = float(result["closed_in"])
    outcome.expect(
        took <= CLOSE_SECONDS + DEADLINE + TOLERANCE * overload(), f"server {how}: close() took {took:.2f} s"
    )
    return took


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """All instants."""
    outcome, chance, slowest = Outcome(fault="F13 shutdown"), random.Random(counts["seed"]), 0.0
    with (
        timed(outcome),
        tempfile.TemporaryDirectory() as name,
        Cxone() as server,
        Nursery(Path(name)) as nursery,
    ):
        for number in range(counts["instants"]):
            slowest = max(slowest, once(number, chance.uniform(0.02, 0.3), outcome, server, nursery))
    outcome.done |= {"instants": counts["instants"], "s longest close": round(slowest, 2)}
    return [outcome]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
