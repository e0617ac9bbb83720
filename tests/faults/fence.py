"""A frozen owner: the process that owns the store stops in the middle, and another one wants to take over.

The second must be refused, with the first one's pid. When the first is woken, all goes on; when it is
killed, the second gets the store at once. Several processes that share the work need PostgreSQL.
"""

import os
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import attrs

from faults.kill import Books, note, streams
from faults.ledger import compare
from faults.nursery import Nursery
from faults.report import Count, Outcome, command, timed
from faults.server import Cxone, chance_of
from faults.stock import stock_of
from faults.waiting import wait_for
from faults.worker import Job

COUNTS = {
    "freezes": Count(4, 40, "times that the owner is frozen"),
    "patience": Count(60, 60, "seconds for what is pending at the end"),
}
REFUSAL = "OutboxLockedError"


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """Freeze, try to take over, wake or kill; at the end all must be there, in order."""
    outcome, refused = Outcome(fault="frozen owner"), 0
    rule = chance_of({"503": 0.03, "answer_lost": 0.03}, 1)
    with timed(outcome), tempfile.TemporaryDirectory() as name, Cxone(rule) as server:
        work = Path(name)
        (work / "second").mkdir()
        books = Books(work / "receipts", streams(20))
        job = Job(store=str(work / "outbox.db"), url=server.url, receipts=str(books.path), rate=1000)
        job = attrs.evolve(job, count=10**6, then="wait", patience=counts["patience"])
        with Nursery(work) as first, Nursery(work / "second") as second:
            for number in range(counts["freezes"]):
                books.update()
                owner = first.start(attrs.evolve(job, start=books.start(), seed=number))
                wait_for(lambda: books.grew() or first.is_over(), 5.0)
                os.kill(owner, signal.SIGSTOP)
                second.start(attrs.evolve(job, start={}, count=0, then="drain"))
                code = second.ended(10.0)
                said = second.errors.read_text(encoding="utf-8") if second.errors.exists() else ""
                named = code == 1 and REFUSAL in said and str(owner) in said
                refused += named
                outcome.expect(named, f"not fenced off: the second owner ended with {code}")
                os.kill(owner, signal.SIGCONT)
                time.sleep(0.05)
                first.kill()
                server.next_life()
            books.update()
            problem = second.finish(attrs.evolve(job, start=books.start(), count=0, then="drain"))
            outcome.expect(not problem, problem)
        stock = stock_of(work / "outbox.db")
        note(outcome, compare(books.accepted(), server.deliveries(), stock.events), stock)
    outcome.done |= {"freezes": counts["freezes"], "refused": refused}
    return [outcome]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
