"""The program under test: one process that accepts events and sends them, and does nothing to survive.

It runs as `python -m faults.worker`, with its job as JSON in the environment, or forked from a `Nursery`,
where a thousand of them cost no imports. It writes each receipt to a file the moment it has it; nothing
else of it is trusted.
"""

import ctypes
import json
import logging
import os
import random
import signal
import sys
import threading
import time
import traceback
from array import array
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import TracebackType

import attrs
from attrs import field, frozen

from cxone_wfm import (
    AgentState,
    HistoricalReport,
    HistoricalReportData,
    QueueReport,
    RetryPolicy,
    Timeouts,
    WfmClient,
    WfmConfig,
)
from cxone_wfm.errors import OutboxError
from cxone_wfm.outbox import DurableSender, Limits, Outbox
from faults import bugs
from faults.ledger import Event, Receipt

JOB = "FAULTS_JOB"
PR_SET_PTRACER = 0x59616D61
"""From Linux' `prctl.h`."""
EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)
REPORTS = "interval-"
"""How a stream of reports is named; every other is an agent."""


@frozen(kw_only=True)
class Job:
    """What a worker is to do. Times are in seconds."""

    store: str
    url: str
    receipts: str
    start: dict[str, int] = field(factory=dict)
    """Stream -> the number of its next event."""
    producers: int = 2
    """Threads that accept."""
    count: int = 0
    """Events to accept, over all streams."""
    most_at_once: int = 20
    """Every second call is an `enqueue_many` of up to so many."""
    repeats: float = 0.05
    """How often an event that has a receipt is given again."""
    rate: float = 0.0
    """Events a second; 0 is as fast as it goes."""
    send: bool = True
    then: str = "drain"
    """At the end: "drain", "close", or "wait" to be killed."""
    patience: float = 60.0
    read: float = 1.0
    total: float = 1.5
    first_wait: float = 0.05
    longest_wait: float = 0.5
    max_batch: int = 100
    result: str = ""
    """File for the counts at the end, JSON."""
    refused: str = ""
    """File for the events that were refused, and why; without it an error ends the worker."""
    times: str = ""
    """File for how long each call took: seconds, as doubles; 0 for those that were not made or failed."""
    close: float = 1.0
    """How long `close()` may wait for what is pending. Where `then` is "stop" it is called on SIGTERM."""
    wait: float = 5.0
    """How long `enqueue` may wait for room."""
    ballast: int = 128 * 1024
    """Bytes of the file that keeps room on a full disk."""
    key: str = "key"
    """How the access key's id and secret begin."""
    log: str = ""
    """File for all that is logged, by anybody, at any level."""
    stopped: bool = False
    """It stops before it does anything, for somebody to trace it."""
    seed: int = 0


def environment(job: Job, **more: str) -> dict[str, str]:
    """The environment in which `python -m faults.worker` does this job."""
    path = os.pathsep.join(each for each in sys.path if each)
    return {**os.environ, "PYTHONPATH": path, JOB: json.dumps(attrs.asdict(job)), **more}


def config(job: Job) -> WfmConfig:
    """Short times, so that a fault costs little."""
    return WfmConfig(
        base_url=job.url,
        tenant_name="harness",
        access_key_id=f"{job.key}-id",
        access_key_secret=f"{job.key}-secret",
        timeouts=Timeouts(connect=1.0, read=job.read, total=job.total),
        retry=RetryPolicy(first_wait=job.first_wait, longest_wait=job.longest_wait),
        max_batch=job.max_batch,
    )


def record(event: Event) -> AgentState | HistoricalReport:
    """The record of an event, the same every time. Its stream and number are in the payload."""
    stream, number = event
    if stream.startswith(REPORTS):
        begin = EPOCH + timedelta(minutes=15 * int(stream.removeprefix(REPORTS)))
        queue = QueueReport(queue_value="8057", contacts_received=number)
        return HistoricalReport(
            acd_type="Generic",
            start_date=begin,
            end_date=begin + timedelta(minutes=15),
            status_reason=f"{stream}#{number}",
            report_data=HistoricalReportData(queue_report=[queue]),
        )
    return AgentState(
        login_id=stream,
        acd_id="harness",
        event_code="READY",
        reason_code=str(number),
        event_utc_time=EPOCH + timedelta(seconds=3 * number),
    )


class Producer:
    """Accepts events of some streams in one thread, and writes down their receipts."""

    def __init__(self, job: Job, outbox: Outbox | DurableSender, streams: Iterable[str], seed: int) -> None:
        self._job, self._outbox = job, outbox
        self._next = {stream: job.start[stream] for stream in streams}
        self._chance = random.Random(seed)
        self._file = os.open(job.receipts, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._before = b"\n"  # a process that was killed may have left half a line
        self._last: dict[str, int] = {}
        # Seconds that each call took: all the room is taken at once, for the memory is watched.
        self.times = array("d", bytes(8 * (1 + job.count // job.producers if job.times else 0)))
        self._calls = 0

    def run(self, count: int, stop: threading.Event) -> None:
        """Accept so many events, or until it is told to stop."""
        began, done = time.monotonic(), 0
        while done < count and not stop.is_set():
            if self._job.rate:  # of which each producer has its part
                due = began + self._job.producers * done / self._job.rate
                time.sleep(max(0.0, due - time.monotonic()))
            size = min(count - done, self._chance.choice((1, self._job.most_at_once)))
            self._accept(self._pick(size))
            done += size

    def _pick(self, size: int) -> list[Event]:
        """New events, and now and then one that was accepted; of each stream of reports one at most."""
        streams, events = list(self._next), list[Event]()
        used: set[str] = set()
        for _ in range(size):
            stream = self._chance.choice(streams)
            if stream in used and stream.startswith(REPORTS):
                continue
            used.add(stream)
            if stream in self._last and self._chance.random() < self._job.repeats:
                events.append((stream, self._last[stream]))
            else:
                events.append((stream, self._next[stream]))
                self._next[stream] += 1
                self._last.pop(stream, None)  # a report is repeated only while it is the newest
        return events

    def _accept(self, events: list[Event]) -> None:
        records = [record(event) for event in events]
        began = time.perf_counter()
        try:
            receipts = (
                [self._outbox.enqueue(records[0], timeout=self._job.wait)]
                if len(events) == 1
                else self._outbox.enqueue_many(records, timeout=self._job.wait)
            )
        except OutboxError as error:
            self._refuse(events, error)
            return
        if self._job.times:
            self.times[self._calls] = time.perf_counter() - began
            self._calls += 1
        lines = [
            Receipt(*event, receipt.event_id, receipt.seq, receipt.duplicate).line()
            for event, receipt in zip(events, receipts, strict=True)
        ]
        os.write(self._file, self._before + b"".join(lines))
        self._before = b""
        self._last |= dict(events)

    def _refuse(self, events: list[Event], error: OutboxError) -> None:
        """Write down what was not accepted. The numbers are not used again."""
        if not self._job.refused:
            raise error
        with Path(self._job.refused).open("a", encoding="utf-8") as file:
            file.writelines(f"{stream} {number} {type(error).__name__}\n" for stream, number in events)


def _get_ready(job: Job) -> None:
    """All that the harness adds to a user's program."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # it waits until somebody waits for it
    if job.stopped:
        _let_anybody_trace()
        signal.raise_signal(signal.SIGSTOP)
    bugs.install()
    if job.log:
        log_everything(Path(job.log))


def run(job: Job) -> int:
    """Do the job, as a user's program would."""
    _get_ready(job)
    stop = threading.Event()
    with (
        WfmClient(config(job)) as wfm,
        Outbox.open(job.store, limits=Limits(min_free_bytes=0, ballast_bytes=job.ballast)) as outbox,
        DurableSender(wfm, outbox) as sender,
    ):
        streams = list(job.start)
        shares = [streams[n :: job.producers] for n in range(job.producers)]
        producers = [
            Producer(job, sender, share, job.producers * job.seed + n)
            for n, share in enumerate(shares)
            if share
        ]
        threads = [
            threading.Thread(
                target=producer.run, args=(job.count // max(1, len(producers)), stop), daemon=True
            )
            for producer in producers
        ]
        for thread in threads:
            thread.start()
        if job.then == "stop":
            signal.sigwait({signal.SIGTERM})
            stop.set()
        else:
            for thread in threads:
                thread.join()
        if job.then == "wait":
            signal.pause()
        if job.then == "drain":
            sender.flush(timeout=job.patience)
        began = time.monotonic()
        sender.close(timeout=job.close)
        took = time.monotonic() - began
        for thread in threads:
            thread.join()
        write(job.result, {"closed_in": took, "counts": counts_of(outbox)})
    if job.times:
        with Path(job.times).open("wb") as file:
            for producer in producers:
                producer.times.tofile(file)
    return 0


def _let_anybody_trace() -> None:
    """Linux may let a process be traced by its ancestors only (Yama)."""
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)


def process_status(pid: int, name: str) -> str:
    """A line of what the system tells of a process, such as "VmRSS"; empty where there is none."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:")), "")


def memory_of(pid: int, name: str) -> int:
    """Bytes of memory of a process: "VmRSS" now, "VmHWM" at most; 0 where the system does not tell."""
    return 1024 * int(process_status(pid, name).removesuffix("kB") or 0)


def counts_of(outbox: Outbox) -> dict[str, int]:
    """How the store says it stands."""
    counts = outbox.counts()
    return {
        "accepted": counts.accepted,
        "delivered": counts.delivered,
        "pending": sum(usage.items for usage in counts.pending.values()),
        "dead": counts.dead.items,
    }


def write(path: str, document: object) -> None:
    """Put JSON into a file, if there is to be one."""
    if path:
        Path(path).write_text(json.dumps(document), encoding="utf-8")


class WithLocals(logging.Formatter):
    """Shows the locals of tracebacks, as error trackers do."""

    def formatException(self, ei: "tuple[type[BaseException], BaseException, TracebackType | None]") -> str:  # noqa: N802 - as in logging
        """The traceback and the locals of each of its frames."""
        return "".join(traceback.TracebackException(*ei, capture_locals=True).format())


def log_everything(path: Path) -> None:
    """Log all that anybody says, at any level."""
    handler = logging.FileHandler(path)
    handler.setFormatter(WithLocals("%(levelname)s %(name)s %(message)s %(args)r"))
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])


if __name__ == "__main__":
    raise SystemExit(run(Job(**json.loads(os.environ[JOB]))))
