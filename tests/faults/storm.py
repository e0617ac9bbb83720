"""F6, an HTTP storm: a third of the answers are wrong, in every way a server or a proxy can be wrong.

Lost, cut, garbled, dripping, huge, compressed to a bomb, from somebody else, elsewhere. All must be
delivered in order; no bearer may reach the other host; every request must end by its deadline.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import attrs

from faults.answers import FAULTS
from faults.kill import Books, note, streams
from faults.ledger import compare
from faults.nursery import Nursery
from faults.report import Count, Outcome, command, timed
from faults.server import Cxone, chance_of
from faults.stock import stock_of
from faults.waiting import overload, wait_for
from faults.worker import Job, memory_of

COUNTS = {
    "events": Count(3_000, 100_000, "events in all"),
    "percent_bad": Count(35, 35, "of the answers"),
    "agents": Count(400, 400, "agents"),
    "batch": Count(200, 200, "states in one request at most"),
    "patience": Count(120, 600, "seconds for all to be sent"),
    "redirects": Count(2, 2, "of a thousand answers point to another host"),
    "unavailable": Count(20, 20, "of a thousand answers are 503"),
    "answers_lost": Count(20, 20, "of a thousand answers are lost"),
    "seed": Count(1, 1, "of the faults"),
}
RARE = {
    "bomb": 0.002,
    "drip": 0.005,
    "drip_head": 0.005,
    "hang": 0.005,
    "hang_taken": 0.005,
}
"""What costs seconds each, or pauses a lane on purpose."""
NEVER = ("bad_request", "no_such_path", "refused_token", "forbidden")
"""What speaks of the event, the path or the key: other faults do those."""
DEADLINE = 1.5
TOLERANCE = 0.2
MEMORY = 150 * 1024 * 1024


def rates(counts: Mapping[str, int]) -> dict[str, float]:
    """Fault -> how often, of 1."""
    chosen = {
        "redirect": counts["redirects"] / 1000,
        "503": counts["unavailable"] / 1000,
        "answer_lost": counts["answers_lost"] / 1000,
        **RARE,
    }
    others = [name for name in FAULTS if name not in chosen and name not in NEVER]
    each = max(0.0, counts["percent_bad"] / 100 - sum(chosen.values())) / len(others)
    return {**dict.fromkeys(others, each), **chosen}


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """One storm."""
    outcome = Outcome(fault="F6 HTTP storm")
    shares = rates(counts)
    rule = chance_of(shares, counts["seed"])
    peak = 0
    with (
        timed(outcome),
        tempfile.TemporaryDirectory() as name,
        Cxone() as elsewhere,
        Cxone(rule, elsewhere=elsewhere.url) as server,
        Nursery(Path(name)) as nursery,
    ):
        books = Books(Path(name) / "receipts", streams(counts["agents"]))
        job = Job(
            store=str(Path(name) / "outbox.db"),
            url=server.url,
            receipts=str(books.path),
            count=counts["events"],
            total=DEADLINE,
            patience=counts["patience"],
            max_batch=counts["batch"],
        )
        pid = nursery.start(attrs.evolve(job, start=books.start()))
        ended: list[int | None] = []

        def over() -> bool:
            nonlocal peak
            peak = max(peak, memory_of(pid, "VmHWM"))
            ended.append(nursery.ended(0.05))
            return ended[-1] is not None

        wait_for(over, job.patience + 60)
        outcome.expect(ended[-1] == 0, f"the worker ended with {ended[-1]}")
        books.update()
        stock = stock_of(Path(job.store))
        note(outcome, compare(books.accepted(), server.deliveries(), stock.events), stock)
        longest = max((entry.went - entry.came for entry in server.data()), default=0.0)
        faults = server.faults()
        outcome.done |= {
            "requests": len(server.data()),
            "bad answers": faults.total(),
            "s longest request": round(longest, 2),
            "MiB at most": round(peak / 2**20),
        }
        missing = set(shares) - set(faults)
        outcome.expect(counts["events"] < 50_000 or not missing, f"never done: {sorted(missing)}")
        outcome.expect(not elsewhere.log, f"{len(elsewhere.log)} requests went to the other host")
        outcome.expect(longest <= DEADLINE + TOLERANCE * overload(), f"a request lasted {longest:.2f} s")
        outcome.expect(peak < MEMORY, f"{peak / 2**20:.0f} MiB of memory")
    return [outcome]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
