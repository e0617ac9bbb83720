"""What durability costs: the outbox beside bare SQLite, and beside the clients without it, as ratios.

    python benchmarks/outbox.py                                      (some 20 seconds)
    python benchmarks/outbox.py --backlogs 10000 100000 1000000 --drain 100000 --singles 5000

Put `--folder` on the disk that you want to know about: the default is the current directory. What is compared
runs in turns, in the same process and on the same disk, for a busy machine is slow in both. A folder in RAM
(tmpfs) has no syncs: there the ratios compare CPU alone, and say nothing of durable commits.
"""

import argparse
import itertools
import multiprocessing
import os
import shutil
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from cxone_wfm import AgentState, WfmClient, WfmConfig
from cxone_wfm.outbox import DurableSender, Limits, Outbox
from cxone_wfm.outbox._connection import SETTINGS, journal_mode
from cxone_wfm.outbox.store import Outcome, Want
from cxone_wfm.simulator import Simulator

AGENTS = 5000
BATCH = 100
WORKERS = 4
NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
LIMITS = Limits(max_items=10_000_000, max_bytes=8 * 1024**3, states_share=1.0, min_free_bytes=0)
WANT = Want(kind="agent_state", most=BATCH, most_bytes=10**6, seconds=1.0)
numbers = itertools.count()


def states(count: int) -> list[AgentState]:
    """So many new states, each agent's in turn."""
    return [
        AgentState(
            login_id=f"agent{number % AGENTS}@shop.example",
            acd_id="My_ACD",
            event_code="READY",
            reason_code="",
            event_utc_time=NOON + timedelta(milliseconds=number),
        )
        for number in itertools.islice(numbers, count)
    ]


def batches(count: int) -> Iterator[list[AgentState]]:
    """The same in lists of 100."""
    return (states(min(BATCH, count - start)) for start in range(0, count, BATCH))


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cost(works: Iterable[Callable[[], object]], events: int) -> str:
    """Microseconds an event: of the clock, the first quartile, and of this thread's CPU, the median."""
    wall, cpu = [], []
    for work in works:
        before = time.thread_time()
        wall.append(seconds(work))
        cpu.append(time.thread_time() - before)
    clock = statistics.quantiles(wall)[0]  # others on the machine make some of them longer, never shorter
    return f"{clock * 1e6 / events:>7.1f} ({statistics.median(cpu) * 1e6 / events:.1f})"


def verdict(value: float, goal: float) -> str:
    """Whether a goal that is a least value is met."""
    return f"goal at least {goal:,g}: {'met' if value >= goal else 'MISSED'}"


# Accepting


def bare(path: Path) -> sqlite3.Connection:
    """A table of payloads in a file with the outbox's settings."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=0)
    connection.execute(f"PRAGMA journal_mode={journal_mode(sqlite3.sqlite_version_info)}")
    for name, value in SETTINGS.items():
        connection.execute(f"PRAGMA {name}={value}")
    connection.execute("CREATE TABLE event (position INTEGER PRIMARY KEY, payload BLOB NOT NULL)")
    return connection


def singles(folder: Path, count: int) -> None:
    """One event, one commit: the outbox and a bare INSERT in turns."""
    connection = bare(folder / "bare.db")
    ours, theirs = [], []
    with Outbox.open(folder / "single.db", limits=LIMITS) as outbox:
        for _ in range(10):
            records = states(count // 10)
            payloads = [record.to_json() for record in records]
            ours.append(seconds(lambda records=records: [outbox.enqueue(record) for record in records]))
            theirs.append(
                seconds(
                    lambda payloads=payloads: [
                        connection.execute("INSERT INTO event (payload) VALUES (?)", (payload,))
                        for payload in payloads
                    ]
                )
            )
    connection.close()
    each, other = (count // 10 / statistics.median(times) for times in (ours, theirs))
    print(f"  enqueue                {each:>10,.0f} /s    bare INSERT + commit {other:,.0f} /s")
    print(f"  ratio                  {each / other:>10.2f}       {verdict(each / other, 0.5)}")


def many(folder: Path, count: int) -> None:
    """A hundred events, one commit: the outbox and bare INSERTs in turns."""
    connection = bare(folder / "bare-many.db")

    def insert(payloads: list[bytes]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO event (payload) VALUES (?)", [(each,) for each in payloads])
        connection.execute("COMMIT")

    ours, theirs = [], []
    with Outbox.open(folder / "many.db", limits=LIMITS) as outbox:
        for part in batches(count):
            ours.append(seconds(lambda part=part: outbox.enqueue_many(part)))
            payloads = [record.to_json() for record in part]
            theirs.append(seconds(lambda payloads=payloads: insert(payloads)))
    connection.close()
    each, other = (BATCH / statistics.median(times) for times in (ours, theirs))
    print(f"  enqueue_many of 100    {each:>10,.0f} /s    {verdict(each, 50_000)}")
    print(f"  ratio                  {each / other:>10.2f}       bare INSERTs, one commit: {other:,.0f} /s")


# A backlog


def open_and_die(path: Path) -> None:
    """Leave the outbox as a kill would."""
    Outbox.open(path, limits=LIMITS)
    os._exit(0)


def backlog(folder: Path, size: int) -> None:
    """Opening, accepting and delivering with so many events pending."""
    path = folder / f"backlog-{size}.db"
    with Outbox.open(path, limits=LIMITS) as outbox:
        for part in batches(size):
            outbox.enqueue_many(part)
    clean = seconds(lambda: Outbox.open(path, limits=LIMITS).close())
    child = multiprocessing.get_context("spawn").Process(target=open_and_die, args=(path,))
    child.start()
    child.join()
    opened: list[Outbox] = []
    dirty = seconds(lambda: opened.append(Outbox.open(path, limits=LIMITS)))
    with opened[0] as outbox:
        hundreds = cost([partial(outbox.enqueue_many, part) for part in batches(50 * BATCH)], BATCH)
        one = cost([partial(outbox.enqueue, record) for record in states(200)], 1)
        delivered = cost(deliveries(outbox, 50), BATCH)
    goal = "" if size < 10**6 else f"   opening in less than 1 s: {'met' if clean < 1 else 'MISSED'}"
    print(
        f"  {size:>9,} {clean * 1000:>8.0f} ms {dirty * 1000:>8.0f} ms"
        f" {hundreds:>17} {one:>17} {delivered:>17}{goal}"
    )
    path.unlink()


def deliveries(outbox: Outbox, count: int) -> Iterator[Callable[[], object]]:
    """So many steps from one attempt to the next, each delivered, with nothing sent."""
    given = [outbox.store.advance([], [WANT], 0.0)]

    def step() -> None:
        attempt = given[0]
        assert attempt is not None
        done = Outcome(attempt=attempt, delivered=tuple(event.event_id for event in attempt.events), at=0.0)
        given[0] = outbox.store.advance([done], [WANT], 0.0)

    return itertools.repeat(step, count)


# Draining


def serve(pipe: Connection) -> None:
    """A simulator in a process of its own, until told to end."""
    with Simulator() as simulator:
        pipe.send(simulator.base_url)
        while pipe.recv():
            pipe.send(len(simulator.received.agent_states))
            simulator.reset()


def config(base_url: str) -> WfmConfig:
    """Settings for it, with batches of 100."""
    return WfmConfig(
        base_url=base_url,
        access_key_id="simulator-key",
        access_key_secret="simulator-secret",
        tenant_name="Simulator_Tenant",
        max_batch=BATCH,
    )


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


def drain(folder: Path, count: int) -> None:
    """A backlog through the sender, and the same number of states through the clients, in turns."""
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    server = context.Process(target=serve, args=(other,), daemon=True)
    server.start()
    ours, theirs = [], []
    with WfmClient(config(pipe.recv())) as wfm:
        wfm.heartbeat.send()
        for turn in range(3):
            parts = list(batches(count // 3))
            theirs.append(sum(map(len, parts)) / seconds(lambda parts=parts: without_outbox(wfm, parts)))
            pipe.send("count")
            assert pipe.recv() == sum(map(len, parts))
            with Outbox.open(folder / f"drain-{turn}.db", limits=LIMITS) as outbox:
                for part in batches(count // 3):
                    outbox.enqueue_many(part)
                with DurableSender(wfm, outbox, workers=WORKERS) as sender:
                    ours.append(count // 3 / seconds(lambda sender=sender: sender.flush(600)))
            pipe.send("count")
            assert pipe.recv() == count // 3
        pipe.send("")
    server.join()
    each, clients = statistics.median(ours), statistics.median(theirs)
    print(f"  drained                {each:>10,.0f} /s    clients without an outbox {clients:,.0f} /s")
    print(f"  ratio                  {each / clients:>10.2f}       {verdict(each / clients, 0.7)}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where the files are made")
    parser.add_argument("--singles", type=int, default=1000, help="events that are accepted one by one")
    parser.add_argument("--many", type=int, default=20_000, help="events that are accepted in hundreds")
    parser.add_argument("--backlogs", type=int, nargs="*", default=[10_000, 100_000], help="sizes")
    parser.add_argument("--drain", type=int, default=15_000, help="events that are sent each way")
    sizes = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="outbox-", dir=sizes.folder))
    try:
        mode = journal_mode(sqlite3.sqlite_version_info)
        print(f"SQLite {sqlite3.sqlite_version}, journal mode {mode}, synchronous=FULL, {sizes.folder}")
        print("\nAccepting:")
        singles(folder, sizes.singles)
        many(folder, sizes.many)
        print("\nA backlog; microseconds an event by the clock, and (CPU):")
        print("    pending     opening after a kill  enqueue_many 100           enqueue       deliver 100")
        for size in sizes.backlogs:
            backlog(folder, size)
        print(f"\nDraining, batches of {BATCH}, {WORKERS} requests at once, simulator in another process:")
        drain(folder, sizes.drain)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
