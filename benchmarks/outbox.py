"""What durability costs: the outbox beside bare SQLite, beside the clients alone, and as its backlog grows.

The files are made in the folder of `--folder`: put it on the disk that you want to know about. A folder in
RAM (tmpfs) has no syncs; there the ratios are of the processor's time alone, and say nothing of durability.
"""

import itertools
import multiprocessing
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from cxone_wfm import AgentState, WfmClient
from cxone_wfm.outbox import DurableSender, Limits, Outbox
from cxone_wfm.outbox._connection import SETTINGS, journal_mode
from cxone_wfm.outbox.store import Outcome, Want
from cxone_wfm.simulator import Simulator

from .rows import Row, Size, lower_quartile
from .states import batches, config, states

COMPARED = ()
BATCH = 100
WORKERS = 4
EVENTS: dict[Size, int] = {"tiny": 40, "quick": 400, "full": 5000}
DRAINED: dict[Size, int] = {"tiny": 200, "quick": 5000, "full": 50_000}
BACKLOGS: dict[Size, tuple[int, ...]] = {
    "tiny": (400, 800),
    "quick": (10_000, 100_000),
    "full": (10_000, 100_000, 1_000_000),
}
STEPS = 30
TURNS = 4
PATIENCE = 600.0
LIMITS = Limits(max_items=10_000_000, max_bytes=8 * 1024**3, states_share=1.0, min_free_bytes=0)
WANT = Want(kind="agent_state", most=BATCH, most_bytes=10**6, seconds=1.0)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes by the clock."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def usual(works: Iterable[Callable[[], object]], items: int = 1) -> float:
    """What one of them takes for an item."""
    return lower_quartile([seconds(work) for work in works]) / items


# Accepting


def bare(path: Path) -> sqlite3.Connection:
    """A table of payloads in a file with the outbox's settings."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=0)
    connection.execute(f"PRAGMA journal_mode={journal_mode(sqlite3.sqlite_version_info)}")
    for name, value in SETTINGS.items():
        connection.execute(f"PRAGMA {name}={value}")
    connection.execute("CREATE TABLE event (position INTEGER PRIMARY KEY, payload BLOB NOT NULL)")
    return connection


def accepting(folder: Path, events: int, batch: int) -> Row:
    """So many events a commit: the outbox and bare INSERTs in turns."""
    connection = bare(folder / f"bare-{batch}.db")

    def insert(payloads: list[bytes]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO event (payload) VALUES (?)", [(each,) for each in payloads])
        connection.execute("COMMIT")

    def enqueue(records: list[AgentState]) -> None:
        if batch == 1:
            outbox.enqueue(records[0])
        else:
            outbox.enqueue_many(records)

    ours, theirs = [], []
    with Outbox.open(folder / f"accept-{batch}.db", limits=LIMITS) as outbox:
        for part in batches(events * batch, batch):
            ours.append(seconds(partial(enqueue, part)))
            theirs.append(seconds(partial(insert, [record.to_json() for record in part])))
    connection.close()
    return Row(
        name=f"accepted, {batch} a commit",
        ours=lower_quartile(ours) / batch,
        item="event",
        against="bare INSERT",
        theirs=lower_quartile(theirs) / batch,
    )


# Draining


def serve(pipe: Connection) -> None:
    """A simulator in a process of its own, until told to end."""
    with Simulator() as simulator:
        pipe.send(simulator.base_url)
        while pipe.recv():
            pipe.send(len(simulator.received.agent_states))
            simulator.reset()


@contextmanager
def simulator() -> Iterator[tuple[str, Callable[[], int]]]:
    """Its address, and what counts the states that it has had since the last count."""
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    server = context.Process(target=serve, args=(other,), daemon=True)
    server.start()

    def count() -> int:
        pipe.send("count")
        return int(pipe.recv())

    try:
        yield str(pipe.recv()), count
    finally:
        pipe.send("")
        server.join()


def without_outbox(wfm: WfmClient, parts: Iterable[list[AgentState]]) -> None:
    """The clients alone, in as many threads as the sender has."""
    left = iter(parts)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                part = next(left, None)
            if part is None:
                return
            wfm.agent_states.send(part)

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def flush(sender: DurableSender) -> None:
    """Wait until all is delivered."""
    assert sender.flush(PATIENCE).pending == 0


def draining(folder: Path, count: int) -> Row:
    """A backlog through the sender, and as many states through the clients, in turns, to the simulator."""
    ours, theirs = [], []
    with simulator() as (url, received), WfmClient(config(url, BATCH)) as wfm:
        wfm.heartbeat.send()
        for turn in range(TURNS):
            parts = list(batches(count, BATCH))
            theirs.append(seconds(partial(without_outbox, wfm, parts)) / count)
            assert received() == count
            with Outbox.open(folder / f"drain-{turn}.db", limits=LIMITS) as outbox:
                for part in batches(count, BATCH):
                    outbox.enqueue_many(part)
                with DurableSender(wfm, outbox, workers=WORKERS) as sender:
                    ours.append(seconds(partial(flush, sender)) / count)
            assert received() == count
    return Row(
        name=f"delivered, {WORKERS} at once, {BATCH} a request",
        ours=lower_quartile(ours),
        item="event",
        against="clients without it",
        theirs=lower_quartile(theirs),
    )


# A backlog


def open_and_die(path: Path) -> None:
    """Leave the outbox as a kill would."""
    Outbox.open(path, limits=LIMITS)
    os._exit(0)


def backlog(folder: Path, size: int) -> dict[str, float]:
    """Seconds for opening, accepting and delivering with so many events pending."""
    path = folder / f"backlog-{size}.db"
    with Outbox.open(path, limits=LIMITS) as outbox:
        for part in batches(size, BATCH):
            outbox.enqueue_many(part)
    clean = usual([lambda: Outbox.open(path, limits=LIMITS).close()] * 3)
    child = multiprocessing.get_context("spawn").Process(target=open_and_die, args=(path,))
    child.start()
    child.join()
    opened: list[Outbox] = []
    killed = seconds(lambda: opened.append(Outbox.open(path, limits=LIMITS)))
    with opened[0] as outbox:
        found = {
            "opened": clean,
            "opened after a kill": killed,
            "accepted in hundreds": usual(
                [partial(outbox.enqueue_many, part) for part in batches(STEPS * BATCH, BATCH)], BATCH
            ),
            "accepted one by one": usual([partial(outbox.enqueue, record) for record in states(STEPS)]),
            "noted as delivered": usual(deliveries(outbox, size // BATCH - 1), BATCH),
        }
    path.unlink()
    return found


def deliveries(outbox: Outbox, most: int) -> Iterator[Callable[[], object]]:
    """Steps from one attempt to the next, each delivered, with nothing sent."""
    given = [outbox.store.advance([], [WANT], 0.0)]

    def step() -> None:
        attempt = given[0]
        assert attempt is not None
        done = Outcome(attempt=attempt, delivered=tuple(event.event_id for event in attempt.events), at=0.0)
        given[0] = outbox.store.advance([done], [WANT], 0.0)

    return itertools.repeat(step, min(STEPS, most))


def growing(folder: Path, sizes: tuple[int, ...]) -> list[Row]:
    """Each step with more and more pending, beside the smallest backlog."""
    first, *more = [(size, backlog(folder, size)) for size in sizes]
    return [
        Row(
            name=f"{what}, {size:,} pending",
            ours=taken,
            item="opening" if what.startswith("opened") else "event",
            against=f"{first[0]:,} pending",
            theirs=first[1][what],
        )
        for size, times in more
        for what, taken in times.items()
    ]


def measure(size: Size) -> list[Row]:
    """Accepting, draining, and what grows."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        return [
            accepting(folder, EVENTS[size], 1),
            accepting(folder, EVENTS[size], BATCH),
            draining(folder, DRAINED[size]),
            *growing(folder, BACKLOGS[size]),
        ]
