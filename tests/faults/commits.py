"""F18, commits that fail: done, or not done, or not to be seen for a while because the file cannot be opened.

One store and no threads: everything that a store does is done at random, a quarter of it under a COMMIT that
fails, with sets that wait to be tried again. Nothing may be lost, go out of order or be given out twice, and
the counters and the watches must be right to the end.
"""

import contextlib
import logging
import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest.mock import patch

from cxone_wfm.errors import OutboxUnavailable
from cxone_wfm.outbox import _connection
from cxone_wfm.outbox.identity import new_event
from cxone_wfm.outbox.sqlite import SqliteStore
from cxone_wfm.outbox.store import Again, Attempt, Dead, DeadLetter, Outcome, Want, Watch
from faults import report
from faults.power import fast_folder
from faults.report import Count, command, timed
from faults.worker import record

COUNTS = {
    "stores": Count(40, 1500, "stores, each for itself"),
    "steps": Count(120, 120, "steps in each"),
    "seed": Count(1, 1, "of the first"),
}
AGENTS = "abcd"
FAILING, BLIND = 0.25, 0.3
"""Shares: of the steps whose COMMIT fails, and of these with a file that cannot be opened at once."""
IDLE = 40
"""After so many looks in vain everything has gone out."""


class Disk:
    """Makes the next COMMIT fail, done or not, and the next openings of the file."""

    def __init__(self) -> None:
        self.commit: str | None = None
        self.openings = 0

    def well(self) -> None:
        """Nothing fails."""
        self.commit, self.openings = None, 0

    def connect(self, *arguments: object, **settings: object) -> sqlite3.Connection:
        """In place of `sqlite3.connect`."""
        disk = self

        class Failing(sqlite3.Connection):
            def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
                if statement != "COMMIT" or disk.commit is None:
                    return super().execute(statement, *values)  # type: ignore[arg-type]
                super().execute("COMMIT" if disk.commit == "done" else "ROLLBACK")
                disk.commit = None
                raise sqlite3.OperationalError("disk I/O error")

        if self.openings:
            self.openings -= 1
            raise sqlite3.OperationalError("unable to open database file")
        return _connect(*arguments, factory=Failing, **settings)  # type: ignore[call-overload, no-any-return]


_connect = sqlite3.connect


class Life:
    """One store, what it was told, and what came of it."""

    def __init__(self, path: Path, chance: random.Random, outcome: report.Outcome) -> None:
        self.chance, self.outcome, self.disk = chance, outcome, Disk()
        self.now, self.made, self.failures = 0.0, 0, 0
        self.accepted: set[str] = set()
        self.delivered: set[str] = set()
        self.purged: set[str] = set()
        self.dead: set[str] = set()
        self.going: list[Attempt] = []
        self.unrecorded: list[Outcome] = []
        self.newest: dict[str, int] = {}
        self.watches: list[Watch] = []
        with self.patched():
            self.store = SqliteStore(path, ballast_bytes=0)

    def patched(self) -> contextlib.AbstractContextManager[object]:
        """While the disk may fail."""
        return patch.object(sqlite3, "connect", self.disk.connect)

    def step(self) -> None:
        """Do something, maybe under a failing COMMIT."""
        self.now += self.chance.random()
        if self.chance.random() < FAILING:
            self.failures += 1
            self.disk.commit = self.chance.choice(["done", "not done"])
            if self.chance.random() < BLIND:
                self.disk.openings = self.chance.choice([1, 1, 2])
        what = self.chance.choices(
            (self.accept, self.advance, self.requeue, self.purge, self.upkeep, self.follow),
            (35, 50, 5, 3, 4, 3),
        )[0]
        with contextlib.suppress(OutboxUnavailable):
            what()
        self.disk.well()
        for watch in self.watches:
            self.outcome.expect(watch.tally().pending >= 0, "a watch counts below zero")

    def accept(self) -> None:
        """Like a program that tries until it has its receipts."""
        new = []
        for _ in range(self.chance.choice([1, 1, 3])):
            self.made += 1
            new.append(new_event(record((self.chance.choice(AGENTS), self.made))))
        while True:
            try:
                receipts = self.store.accept(new, self.now)
                break
            except OutboxUnavailable:
                continue
        for event, receipt in zip(new, receipts, strict=True):
            self.outcome.expect(event.event_id == receipt.event_id, "a new event came back as another")
            self.accepted.add(event.event_id)

    def advance(self) -> None:
        """Like a worker: with the outcomes that were not recorded, as long as they are not."""
        if not self.unrecorded and self.going and self.chance.random() < 0.8:
            self.unrecorded = [self.ended(self.going.pop(self.chance.randrange(len(self.going))))]
        most = self.chance.choice([1, 2, 4])
        self.record_and_take([want(most)] if len(self.going) < 3 else [])

    def record_and_take(self, wants: list[Want]) -> bool:
        """One call of `advance`; whether it gave something."""
        attempt = self.store.advance(self.unrecorded, wants, self.now)
        for each in self.unrecorded:
            self.delivered.update(each.delivered)
            self.dead.update(letter.event_id for letter in each.dead)
        self.unrecorded = []
        if attempt is None:
            return False
        busy = {event.stream for each in self.going for event in each.events}
        for event in attempt.events:
            self.outcome.reordered += event.stream in busy or event.seq < self.newest.get(event.stream, 0)
            self.outcome.expect(event.event_id not in self.delivered, "a delivered event was given again")
            self.newest[event.stream] = event.seq
        self.going.append(attempt)
        return True

    def ended(self, attempt: Attempt) -> Outcome:
        """What came of it: all delivered, all to be tried again, or some of each."""
        ends: dict[str, list[str]] = {"delivered": [], "again": [], "dead": []}
        whole = self.chance.choices(("delivered", "again", ""), (5, 3, 2))[0]
        for event in attempt.events:
            ends[whole or self.chance.choice(list(ends))].append(event.event_id)
        cut = self.chance.randrange(len(ends["again"]) + 1)
        parts = [part for part in (ends["again"][:cut], ends["again"][cut:]) if part]
        return Outcome(
            attempt=attempt,
            delivered=tuple(ends["delivered"]),
            dead=tuple(Dead(event_id=each, reason="refused") for each in ends["dead"]),
            again=tuple(
                Again(event_ids=tuple(part), not_before=self.now + 3 * self.chance.random()) for part in parts
            ),
            at=self.now,
        )

    def requeue(self) -> None:
        """Put a dead letter back."""
        self.with_a_letter(lambda each: self.store.requeue([each], self.now))

    def purge(self) -> None:
        """Delete a dead letter."""
        self.with_a_letter(lambda each: self.store.purge([each]))

    def with_a_letter(self, do: Callable[[str], object]) -> None:
        """Do it to one, and look what came of it, whether it was known or not."""
        if not self.dead:
            return
        each = self.chance.choice(sorted(self.dead))
        try:
            do(each)
        except OutboxUnavailable:
            self.disk.well()
        found = self.store.find(each)
        if found is None:
            self.purged.add(each)
        if not isinstance(found, DeadLetter):
            self.dead.discard(each)

    def upkeep(self) -> None:
        """What a sender does each second."""
        self.store.upkeep(self.now, self.now)

    def follow(self) -> None:
        """Begin a watch, as a flush does."""
        self.watches.append(self.store.watch())

    def finish(self) -> None:
        """Deliver what is left, and look whether all is there."""
        idle = 0
        while idle < IDLE:
            self.now += 1.0
            if self.going and not self.unrecorded:
                first = self.going.pop(0)
                ids = tuple(event.event_id for event in first.events)
                self.unrecorded = [Outcome(attempt=first, delivered=ids, at=self.now)]
            idle = 0 if self.record_and_take([want(4)]) else idle + 1
        expect, counts = self.outcome.expect, self.store.counts()
        dead = {letter.event.event_id for _, letter in self.store.dead_letters(limit=10_000)}
        self.outcome.lost += len(self.accepted - self.delivered - dead - self.purged)
        expect(not self.store.pending(kind="agent_state"), "events are left that are never given out")
        expect(counts.accepted == len(self.accepted), "the counter of accepted events is wrong")
        settled = counts.delivered + counts.purged + counts.dead.items
        expect(counts.accepted == settled, "the counters do not add up")
        waiting = any(watch.tally().pending for watch in self.watches)
        expect(not waiting, "a watch waits for what is delivered")
        self.store.close()


def want(most: int) -> Want:
    """So many states."""
    return Want(kind="agent_state", most=most, most_bytes=1 << 20, seconds=1.0)


def run(counts: Mapping[str, int]) -> list[report.Outcome]:
    """Each store for itself."""
    outcome, failures = report.Outcome(fault="F18 commits that fail"), 0
    logging.getLogger("cxone_wfm").setLevel(logging.CRITICAL)  # each failure is a warning
    unsynced = patch.dict(_connection.SETTINGS, synchronous=0)  # a process that goes on needs no sync
    with timed(outcome), tempfile.TemporaryDirectory(dir=fast_folder()) as name, unsynced:
        for number in range(counts["stores"]):
            path = Path(name) / f"{number}.db"
            life = Life(path, random.Random(counts["seed"] + number), outcome)
            with life.patched():
                for _ in range(counts["steps"]):
                    life.step()
                life.finish()
            failures += life.failures
            for each in Path(name).iterdir():
                each.unlink()
    found = Counter(outcome.problems)
    outcome.problems = [f"{times} times: {problem}" for problem, times in found.items()]
    outcome.done = {"stores": counts["stores"], "failing commits": failures}
    return [outcome]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
