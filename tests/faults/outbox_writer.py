"""An outbox that accepts and sends, in one process without a network: what `power` cuts the power of.

Half of the events are accepted while others are sent. The transport writes down what it took; now and
then it fails before or after that.
"""

import json
import os
import sys
import threading
from pathlib import Path

from cxone_wfm import OutcomeUnknownError, Request, Response, WfmClient
from cxone_wfm.outbox import DurableSender, Limits, Outbox, _connection
from faults import bugs
from faults.ledger import Event, Receipt
from faults.server import events_of
from faults.stock import stock_of
from faults.worker import REPORTS, Job, config, record

NAME = "outbox.db"
STREAMS = [*(f"agent-{n}" for n in range(8)), f"{REPORTS}1"]
LIMITS = Limits(min_free_bytes=0, ballast_bytes=0)
PATIENCE = 60.0


class Notebook:
    """A transport that takes everything, and writes down which events those were."""

    def __init__(self, arrivals: Path) -> None:
        self._file = os.open(arrivals, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()
        self._requests = 0

    def send(self, request: Request, *, connect: float, read: float, deadline: float) -> Response:
        """Every seventh request is refused, every eleventh is taken and its answer lost."""
        if "token" in request.url:
            return Response(status=200, body=json.dumps({"access_token": "t", "expires_in": 3600}).encode())
        with self._lock:
            self._requests += 1
            number = self._requests
        if number % 7 == 3:
            return Response(status=503)
        lines = [f"{stream} {number}\n" for stream, number in events_of(request.body or b"{}")]
        os.write(self._file, "".join(lines).encode())
        if number % 11 == 5:
            raise OutcomeUnknownError("the answer was lost")
        return Response(status=200)

    def close(self) -> None:
        """The file stays open as long as the process lives."""


def use(journal: str) -> None:
    """Make the store use this journal mode, whatever this SQLite's version allows."""
    _connection.journal_mode = lambda _: journal


def main(folder: str, work: str, transactions: str, journal: str) -> None:
    """Accept events one by one in two threads and send them meanwhile."""
    bugs.install()
    use(journal)
    job = Job(store="", url="https://cxone.example", receipts="", max_batch=5)
    with (
        WfmClient(config(job), transport=Notebook(Path(work) / "arrivals")) as wfm,
        Outbox.open(Path(folder) / NAME, limits=LIMITS) as outbox,
        DurableSender(wfm, outbox) as sender,
    ):
        done = os.open(Path(work) / "receipts", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

        def accept(streams: list[str]) -> None:
            for number in range(1, int(transactions) // len(STREAMS) + 1):
                for stream in streams:
                    receipt = sender.enqueue(record((stream, number)))
                    line = Receipt(stream, number, receipt.event_id, receipt.seq, receipt.duplicate).line()
                    os.write(done, line)

        threads = [threading.Thread(target=accept, args=(STREAMS[n::2],)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sender.flush(timeout=PATIENCE)


def events(folder: Path) -> set[Event]:
    """What the store holds when it is opened again, as the library opens it."""
    Outbox.open(folder / NAME, limits=LIMITS).close()
    return stock_of(folder / NAME).events


if __name__ == "__main__":
    main(*sys.argv[1:])
