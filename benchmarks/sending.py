"""States and reports over HTTP, built and sent one after the other, beside requests and httpx with dicts.

The peer is a bare server on this machine, so a figure is what the client itself costs. The other clients
check nothing, and have no attempts, no deadline and no request id. With the outbox, a state is on the disk
before it is sent, and when it was sent that is noted there.
"""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import requests

from cxone_wfm import WfmClient
from cxone_wfm.outbox import DurableSender, Limits, Outbox

from . import records
from .loopback import loopback
from .rows import Row, Size, Way, against, found, in_turns, lower_quartile
from .states import batches, config, state_list, states

COMPARED = ("httpx",)
REQUESTS: dict[Size, int] = {"tiny": 2, "quick": 20, "full": 100}
ROUNDS: dict[Size, int] = {"tiny": 1, "quick": 11, "full": 25}
BATCH = 100
REPORT_ROWS: dict[Size, int] = {"tiny": 10, "quick": 1000, "full": 5000}
HEADERS = {"Authorization": "Bearer t"}
PATIENCE = 60.0
LIMITS = Limits(max_items=10_000_000, max_bytes=8 * 1024**3, states_share=1.0, min_free_bytes=0)


class Peers:
    """Our client, our client behind an outbox, and the others, all with a connection that is open."""

    def __init__(self, stack: ExitStack, url: str, batch: int) -> None:
        self.url = url
        self.wfm = stack.enter_context(WfmClient(config(url, batch)))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self.outbox = stack.enter_context(Outbox.open(folder / "outbox.db", limits=LIMITS))
        self.sender = stack.enter_context(DurableSender(self.wfm, self.outbox, workers=1))
        self.others = {"requests": stack.enter_context(requests.Session())}
        if found("httpx"):
            import httpx  # noqa: PLC0415 - it may not be there

            self.others["httpx"] = stack.enter_context(httpx.Client())

    def flush(self) -> None:
        """Wait until all that was accepted is delivered."""
        assert self.sender.flush(PATIENCE).pending == 0

    def post(self, client: requests.Session, path: str, document: object) -> None:
        """Send JSON as a program of one's own would."""
        client.post(self.url + path, json=document, headers=HEADERS).raise_for_status()


def of_states(url: str, batch: int, count: int, rounds: int) -> list[Row]:
    """So many requests of `batch` states."""
    total = batch * count
    with ExitStack() as stack:
        peers = Peers(stack, url, batch)

        def by_outbox() -> None:
            for part in batches(total, batch):
                peers.outbox.enqueue_many(part)
            peers.flush()

        ways: dict[str, Way] = {
            "client": lambda: [peers.wfm.agent_states.send(states(batch)) for _ in range(count)],
            "outbox": by_outbox,
        }
        for name, client in peers.others.items():
            ways[name] = lambda client=client: [
                peers.post(client, "/states", state_list(batch)) for _ in range(count)
            ]
        return rows_of(ways, total, rounds, "state", f"states, {batch} a request")


def of_reports(url: str, row_count: int, rounds: int) -> list[Row]:
    """Reports, one a request."""
    with ExitStack() as stack:
        peers = Peers(stack, url, BATCH)

        def by_outbox() -> None:
            peers.outbox.enqueue(records.records(row_count))
            peers.flush()

        ways: dict[str, Way] = {
            "client": lambda: peers.wfm.reports.send_historical(records.records(row_count)),
            "outbox": by_outbox,
        }
        for name, client in peers.others.items():
            ways[name] = lambda client=client: peers.post(client, "/report", records.dicts(row_count))
        return rows_of(ways, 1, rounds, "report", f"reports of {row_count:,} rows")


def rows_of(ways: dict[str, Way], items: int, rounds: int, item: str, name: str) -> list[Row]:
    """Our client and the outbox, each beside the others; and the outbox beside our client."""
    times = in_turns(ways, items=items, rounds=rounds, clock=time.perf_counter, pick=lower_quartile)
    others = tuple(each for each in times if each in {"requests", "httpx"})
    rows = against(times, "client", item, name, others=others)
    return rows + against(times, "outbox", item, f"{name}, by the outbox", others=(*others, "client"))


def measure(size: Size) -> list[Row]:
    """States one a request and a hundred a request, and reports."""
    with loopback() as url:
        return [
            *of_states(url, 1, REQUESTS[size], ROUNDS[size]),
            *of_states(url, BATCH, REQUESTS[size] // 2, ROUNDS[size]),
            *of_reports(url, REPORT_ROWS[size], ROUNDS[size]),
        ]
