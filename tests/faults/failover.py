"""F11, fail-over: four processes share an outbox in PostgreSQL, and are struck again and again.

Each in turn: SIGKILL; `pg_terminate_backend` on its connections; SIGSTOP for longer than the lease; an
immediate restart of the server; connections cut at a COMMIT, before or after the server had it. Leases
last 2 s, requests at most 0.5 s. A trigger in the database writes down who owned each lane when: nobody
may take a lane whose lease goes on.
"""

import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
from attrs import define, field
from support.postgres import WHY_NOT, Cluster, programs

from cxone_wfm.outbox import store
from cxone_wfm.outbox.identity import EventRecord, new_event
from cxone_wfm.outbox.postgres import PostgresStore
from faults.failover_worker import LEASE_SECONDS
from faults.kill import Books
from faults.ledger import Delivery, Event, compare
from faults.proxy import GOOD, Proxy
from faults.report import Count, Outcome, command, timed
from faults.server import Cxone, events_of
from faults.waiting import wait_for
from faults.worker import Job, environment, record

COUNTS = {
    "count": Count(10, 100, "fail-overs"),
    "agents": Count(200, 200, "agents"),
    "seed": Count(1, 1, "of the order and the moments"),
}
PROCESSES = 4
LEASE, REQUEST = LEASE_SECONDS, 0.5
TAKEOVER = LEASE + REQUEST + 2.0
"""How soon everything has to be sent again after any of it."""
FROZEN = LEASE + 1.5
RATE = 80.0
"""Events a second of each process."""
START = 30.0
STRIKES = ("kill", "terminate", "freeze", "restart", "cut")
LANE: dict[str, int] = {}
"""Stream -> its lane."""

AUDIT = """
CREATE TABLE audit (at timestamptz, lane smallint, epoch bigint, owner bigint, name text, owner_before bigint,
  epoch_before bigint, lease_before timestamptz);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.audit VALUES (clock_timestamp(), NEW.lane, NEW.epoch, NEW.owner,
    current_setting('application_name'), OLD.owner, OLD.epoch, OLD.lease_until);
  RETURN NULL; END $$;
CREATE TRIGGER audit AFTER UPDATE OF owner ON cxone_wfm_outbox.lane FOR EACH ROW
  WHEN (NEW.owner IS DISTINCT FROM OLD.owner) EXECUTE FUNCTION audit();
"""
TWO_OWNERS = """
SELECT count(*) FROM audit WHERE owner IS NOT NULL
  AND (epoch <= epoch_before OR (owner_before IS NOT NULL AND lease_before > at))
"""


class CommitCutter(Proxy):
    """Cuts connections at a COMMIT, as often as it is told: before or after the server got it."""

    def __init__(self, target: int, seed: int) -> None:
        self.cuts = 0
        super().__init__(target, seed)

    def _piece(self, data: bytes, source: socket.socket, sink: socket.socket, is_answer: bool) -> bool:
        if is_answer or self.cuts == 0 or b"COMMIT" not in data:
            return super()._piece(data, source, sink, is_answer)
        self.cuts -= 1
        if self._chance.random() < 0.75:
            sink.sendall(data)
        with suppress(OSError):
            source.shutdown(socket.SHUT_RDWR)  # the answer has nowhere to go
        return False


@define
class Worker:
    """One of the processes."""

    number: int
    name: str
    books: Books
    process: "subprocess.Popen[bytes]"


@define
class Run:
    """Four processes, their CXone and their database."""

    server: Cxone
    cluster: Cluster
    proxy: CommitCutter
    work: Path
    agents: int
    chance: random.Random
    workers: list[Worker] = field(factory=list)
    started: int = 0
    takeovers: list[float] = field(factory=list)
    slow: list[str] = field(factory=list)
    frozen: set[int] = field(factory=set)
    """Lives in which a process was frozen."""

    def ask(self, query: str, *values: object) -> list[tuple]:
        """Ask the database, past the proxy."""
        with psycopg.connect(self.cluster.url, autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def start(self, books: Books, number: int, then: str = "stop") -> Worker:
        """Start a process that goes on with its streams."""
        self.started += 1
        name = f"worker-{self.started}"
        books.update()
        job = Job(
            store=f"postgresql://postgres@127.0.0.1:{self.proxy.port}/postgres?application_name={name}",
            url=self.server.url,
            receipts=str(books.path),
            start=books.start(),
            count=10**9 if then == "stop" else 0,
            most_at_once=10,
            rate=RATE,
            then=then,
            read=REQUEST,
            total=REQUEST,
            refused="yes",
            result=str(self.work / name) if then == "stop" else "",
            seed=self.started,
        )
        with (self.work / "stderr").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "faults.failover_worker"], env=environment(job), stderr=errors
            )
        return Worker(number, name, books, process)

    def start_all(self) -> None:
        """Four processes, each with streams of its own to accept for. Wait until each has sent something."""
        for number in range(PROCESSES):
            streams = [f"agent-{n}" for n in range(number, self.agents, PROCESSES)]
            self.workers.append(self.start(Books(self.work / f"receipts-{number}", streams), number))
        for worker in self.workers:
            self.until_it_works(worker)

    def until_it_works(self, worker: Worker) -> None:
        """Wait until it has accepted something and has lanes."""
        if wait_for(lambda: worker.books.grew() and bool(self.lanes(worker)), START) >= START:
            raise RuntimeError((self.work / "stderr").read_text(encoding="utf-8")[-3000:])

    def lanes(self, worker: Worker) -> set[int]:
        """The lanes that it has."""
        found = self.ask(
            "SELECT lane FROM cxone_wfm_outbox.lane WHERE owner IN (SELECT owner FROM audit WHERE name = %s)",
            worker.name,
        )
        return {row[0] for row in found}

    def until_sent(self, lanes: set[int], what: str, bound: float) -> None:
        """Wait until something was sent in each of these lanes, and note how long that took."""
        first = len(self.server.log)

        def all_again() -> bool:
            new = [entry for entry in list(self.server.log)[first:] if entry.taken]
            return lanes <= {LANE[stream] for entry in new for stream, _ in entry.request.events}

        took = wait_for(all_again, 3 * bound)
        self.takeovers.append(took)
        if took > bound:
            self.slow.append(f"{took:.1f} s after {what}, and at most {bound:.1f} were promised")

    # The strikes

    def strike(self, kind: str) -> None:
        """Do one of them to a process by chance, and wait until all lanes are served again."""
        worker = self.chance.choice(self.workers)
        time.sleep(self.chance.uniform(0.0, 0.3))  # at any moment of its work
        others = {
            LANE[stream] for each in self.workers if each is not worker for stream in each.books.streams
        }
        getattr(self, kind)(worker, self.lanes(worker) & others)
        self.server.life += 1

    def kill(self, worker: Worker, lanes: set[int]) -> None:
        """SIGKILL. Another process takes its place, and its lanes go to whoever comes first."""
        worker.process.kill()
        worker.process.wait()
        new = self.start(worker.books, worker.number)
        self.workers[worker.number] = new
        self.until_sent(lanes, "a SIGKILL", TAKEOVER)
        self.until_it_works(new)

    def freeze(self, worker: Worker, lanes: set[int]) -> None:
        """SIGSTOP for longer than the lease: it wakes up when its lanes are another's."""
        self.frozen.add(self.server.life)
        worker.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        self.until_sent(lanes, "a SIGSTOP", TAKEOVER)
        time.sleep(max(0.0, FROZEN - (time.monotonic() - began)))
        worker.process.send_signal(signal.SIGCONT)
        self.until_it_works(worker)

    def terminate(self, worker: Worker, lanes: set[int]) -> None:
        """The server ends its connections."""
        self.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", worker.name
        )
        self.until_sent(lanes, "pg_terminate_backend", TAKEOVER)

    def restart(self, worker: Worker, lanes: set[int]) -> None:
        """The server loses all that is not on the disk, and starts again."""
        self.proxy.switch("refuse")
        self.cluster.stop()
        self.cluster.start()
        self.proxy.switch(GOOD)
        self.until_sent(set(range(64)), "a restart of the server", TAKEOVER)

    def cut(self, worker: Worker, lanes: set[int]) -> None:
        """The answers to the next COMMITs get lost, whoever sends them, or the COMMITs themselves."""
        self.proxy.cuts = 3
        wait_for(lambda: self.proxy.cuts == 0, TAKEOVER)
        self.until_sent(set(range(64)), "a COMMIT that was cut", TAKEOVER)

    # The end

    def stop_all(self) -> None:
        """Let all of them end in order, and the last one deliver what is left."""
        for worker in self.workers:
            worker.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            if worker.process.wait(START):
                raise RuntimeError((self.work / "stderr").read_text(encoding="utf-8")[-3000:])
            worker.books.update()
        last = self.start(Books(self.work / "receipts-last", []), PROCESSES, "drain")
        if last.process.wait(2 * START):
            raise RuntimeError((self.work / "stderr").read_text(encoding="utf-8")[-3000:])

    def kept(self) -> set[Event]:
        """What is in the tables still."""
        rows = self.ask(
            "SELECT payload FROM cxone_wfm_outbox.event UNION ALL SELECT payload FROM cxone_wfm_outbox.dead"
        )
        return {event for (payload,) in rows for event in events_of(payload)}


def judge(run: Run, outcome: Outcome) -> None:
    """Compare what was accepted with what arrived."""
    accepted = set().union(*(worker.books.accepted() for worker in run.workers))
    deliveries = run.server.deliveries()
    verdict = compare(accepted, deliveries, run.kept())
    repeats = repeats_by_life(deliveries)
    outcome.done |= {
        "accepted": verdict.accepted,
        "delivered": verdict.delivered,
        "repeats": verdict.repeats,
        "at most of a stream in a fail-over": max(repeats.values(), default=0),
        "s longest take-over": round(max(run.takeovers, default=0.0), 1),
        "s median": round(sorted(run.takeovers)[len(run.takeovers) // 2], 1) if run.takeovers else 0,
    }
    outcome.lost, outcome.reordered = len(verdict.lost), len(verdict.reordered)
    old = [repeat for repeat in old_states(deliveries) if repeat[1] not in run.frozen]
    outcome.regressions = len(old)
    outcome.done["old states after a freeze"] = len(verdict.regressions) - len(old)
    outcome.problems += run.slow
    outcome.expect(not run.kept(), f"{len(run.kept())} are in the tables still")
    ((owners,),) = run.ask(TWO_OWNERS)
    outcome.done["two owners"] = owners
    outcome.expect(owners == 0, f"{owners} lanes were taken while their lease went on")
    most = max(repeats.values(), default=0)
    outcome.expect(most <= 1, f"{most} events of one stream were repeated in one fail-over")
    for worker in run.workers:
        outcome.problems += worker.books.changed[:3]


def repeats_by_life(deliveries: list[Delivery]) -> Counter[tuple[str, int]]:
    """Stream and life -> how many of its events came again."""
    seen: set[Event] = set()
    found: Counter[tuple[str, int]] = Counter()
    for delivery in deliveries:
        found[delivery.event[0], delivery.life] += delivery.event in seen
        seen.add(delivery.event)
    return found


def old_states(deliveries: list[Delivery]) -> list[tuple[Event, int]]:
    """Events that came after a later one of their stream, and in which life."""
    newest: dict[str, int] = {}
    found = []
    for delivery in deliveries:
        stream, number = delivery.event
        if number < newest.get(stream, 0):
            found.append((delivery.event, delivery.life))
        newest[stream] = max(number, newest.get(stream, 0))
    return found


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """Strike as often as is wanted, then compare."""
    outcome = Outcome(fault="F11 fail-over")
    if programs() is None:
        outcome.done["skipped"] = WHY_NOT
        return [outcome]
    LANE.update({f"agent-{n}": lane_of(record((f"agent-{n}", 1))) for n in range(counts["agents"])})
    with ExitStack() as stack:
        stack.enter_context(timed(outcome))
        cluster = stack.enter_context(Cluster())
        PostgresStore(cluster.url).close()
        server = stack.enter_context(Cxone())
        proxy = stack.enter_context(CommitCutter(cluster.port, counts["seed"]))
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        run_ = Run(server, cluster, proxy, work, counts["agents"], random.Random(counts["seed"]))
        stack.callback(lambda: [each.process.kill() for each in run_.workers])
        run_.ask(AUDIT)
        run_.start_all()
        done: Counter[str] = Counter()
        for number in range(counts["count"]):
            kind = STRIKES[number % len(STRIKES)]
            run_.strike(kind)
            done[kind] += 1
        run_.stop_all()
        outcome.done = dict(done)
        judge(run_, outcome)
    return [outcome]


def lane_of(state: EventRecord) -> int:
    """The lane of a record's stream."""
    return store.lane_of(new_event(state).stream)


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
