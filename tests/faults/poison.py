"""F14, poison: bad events in a batch of 500 good ones, and a server that refuses everything.

Exactly the bad ones may end in the dead letters, found by halving the batch: for one, at most
2*ceil(log2 n)+1 requests. Where everything is refused the fuse must trip before the backlog is dead.
"""

import math
import random
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from cxone_wfm import WfmClient
from cxone_wfm.outbox import DurableSender, Limits, Outbox
from faults.ledger import Event
from faults.report import Count, Outcome, command, timed
from faults.server import Cxone, Request
from faults.stock import stock_of
from faults.waiting import wait_for
from faults.worker import Job, config, record

COUNTS = {
    "rounds": Count(6, 20, "batches with 1, 2, 3... bad events"),
    "batch": Count(500, 500, "events of a batch"),
    "seed": Count(1, 1, "of which are bad"),
}
FUSE = 20
"""So many dead letters in a row are enough to stop."""
PATIENCE = 30.0


def send_all(folder: Path, server: Cxone, events: list[Event], over: Callable[[DurableSender], bool]) -> None:
    """Accept them as one batch, then send, until it is over."""
    job = Job(store=str(folder / "outbox.db"), url=server.url, receipts="", max_batch=len(events))
    limits = Limits(min_free_bytes=0, ballast_bytes=0)
    with WfmClient(config(job)) as wfm, Outbox.open(job.store, limits=limits) as outbox:
        outbox.enqueue_many([record(event) for event in events])
        with DurableSender(wfm, outbox) as sender:
            wait_for(lambda: over(sender), PATIENCE)
            sender.close(timeout=0)


def all_settled(sender: DurableSender) -> bool:
    """Nothing is pending."""
    return sender.flush(timeout=PATIENCE).pending == 0


def bad_ones(counts: Mapping[str, int]) -> Outcome:
    """A few of a batch are refused with 400, and with them each request that holds one."""
    outcome, chance = Outcome(fault="F14 poison"), random.Random(counts["seed"])
    size, parked, most = counts["batch"], 0, 0
    with timed(outcome), tempfile.TemporaryDirectory() as name:
        for number in range(1, counts["rounds"] + 1):
            events = [(f"agent-{n}", 1) for n in range(size)]
            bad = set(chance.sample(events, number))

            def rule(request: Request, bad: set[Event] = bad) -> int | None:
                return 400 if bad & set(request.events) else None

            folder = Path(name) / str(number)
            folder.mkdir(mode=0o700)
            with Cxone(rule) as server:
                send_all(folder, server, events, all_settled)
                requests = len(server.data())
                delivered = {delivery.event for delivery in server.deliveries()}
            stock = stock_of(folder / "outbox.db")
            parked, most = parked + len(stock.dead), max(most, requests)
            outcome.lost += len(set(events) - delivered - stock.events)
            outcome.expect(
                set(stock.dead) == bad, f"{number} were bad, {len(set(stock.dead) - bad)} others died"
            )
            limit = number * (2 * math.ceil(math.log2(size)) + 1)
            outcome.expect(
                requests <= limit, f"{requests} requests for {number} bad of {size}, at most {limit}"
            )
    outcome.done = {"rounds": counts["rounds"], "parked": parked, "requests at most": most}
    return outcome


def everything(counts: Mapping[str, int]) -> Outcome:
    """The server refuses all: a wrong tenant, say. The fuse must trip, and the rest must be kept."""
    outcome, size = Outcome(fault="F14 everything is refused"), counts["batch"]
    events = [(f"agent-{n}", 1) for n in range(size)]
    with (
        timed(outcome),
        tempfile.TemporaryDirectory() as name,
        Cxone(lambda request: 400 if request.events else None) as server,
    ):
        healths: list[str] = []

        def blocked(sender: DurableSender) -> bool:
            healths.append(sender.health().status)
            return healths[-1] == "blocked"

        send_all(Path(name), server, events, blocked)
        stock = stock_of(Path(name) / "outbox.db")
        outcome.done = {"events": size, "parked": len(stock.dead), "requests": len(server.data())}
        outcome.lost = len(set(events) - stock.events)
        outcome.expect(len(stock.dead) <= FUSE + 1, f"{len(stock.dead)} died before the fuse tripped")
        outcome.expect(healths[-1] == "blocked", f"the health is {healths[-1]}")
    return outcome


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """Both."""
    return [bad_ones(counts), everything(counts)]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
