"""Ctrl-C in the thread that commits for the others, at each line: nothing is lost, stuck or told twice."""

import linecache
import random
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from support.outbox import SqlitePlace, accept, delivered, events, ids, is_balanced, take, want
from support.outbox_disk import Disk
from support.threads import Background

from cxone_wfm import EnqueueOutcomeUnknown, OutboxUnavailable
from cxone_wfm.outbox import _connection
from cxone_wfm.outbox.sqlite import SqliteStore
from cxone_wfm.outbox.store import Attempt, Outcome

FILES = ("_database.py", "sqlite.py")
"""Where the interrupts come."""


def interrupted_at(lines: Collection[int], call: Callable[[], object]) -> int:
    """Call it, and interrupt it at these of the lines that it goes through. How many it went through."""
    seen = 0

    def trace(frame: FrameType, what: str, _: object) -> Any:
        nonlocal seen
        if not frame.f_code.co_filename.endswith(FILES):
            return None
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        # At the end of a `with` Python itself lets no signal in, and a trace function would.
        if what == "line" and not line.lstrip().startswith("with "):
            seen += 1
            if seen - 1 in lines:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except (KeyboardInterrupt, OutboxUnavailable):
        pass
    finally:
        sys.settrace(before)
    return seen


def play(
    store: SqliteStore, lines: Collection[int], disk: Disk, fails: str = "", *, done: bool = False
) -> int:
    """Accept, send and flush; the thread that commits for the sender too is interrupted at these lines."""
    before = store.counts()
    accept(store, events("aabb"))
    first, watch = take(store, most=1), store.watch()
    database = store._database
    with database._lock:
        sender = Background(lambda: send_all(store, first))
        while not database._waiting:
            pass
        if fails:
            disk.fail(fails, after=done)
        lines_seen = interrupted_at(lines, lambda: accept(store, events("c")))
        disk.fail("")
    sent = sender.outcome()
    assert isinstance(sent, list), sent
    sent += send_all(store, None)
    counts = store.counts()
    assert len(sent) == len(set(sent)), "an event was sent twice"
    assert len(sent) == counts.delivered - before.delivered == counts.accepted - before.accepted
    assert len(sent) in {4, 5}
    assert counts.possibly_duplicated == 0
    tally = watch.tally()
    assert (tally.delivered, tally.pending, tally.dead) == (4, 0, 0)
    watch.close()
    assert is_balanced(counts)
    return lines_seen


def send_all(store: SqliteStore, attempt: Attempt | None) -> list[str]:
    """What a sender does: record each outcome until that is done, and take the next. The ids that it sent."""
    sent: list[str] = []
    outcomes: list[Outcome] = []
    while True:
        if attempt is not None:
            sent += ids(attempt)
            outcomes = [delivered(attempt)]
        try:
            attempt = store.advance(outcomes, [want(most=1)], 0.0)
        except OutboxUnavailable:
            attempt = None
            continue
        if attempt is None:
            return sent
        outcomes = []


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setitem(_connection.SETTINGS, "synchronous", 0)
    return Disk(monkeypatch)


@pytest.fixture
def store(tmp_path: Path, disk: Disk) -> Iterator[SqliteStore]:
    store = SqlitePlace(tmp_path).open()
    store._database._lock = threading.RLock()  # so that the one who commits can be chosen
    yield store
    store.close()


def test_an_interrupt_at_any_line_of_a_shared_commit_loses_nothing_and_leaves_nothing_stuck(
    store: SqliteStore, disk: Disk
) -> None:
    number = lines = 0
    while number <= lines:
        lines = play(store, {number}, disk)
        number += 1
    assert lines > 50


@pytest.mark.parametrize("done", [False, True])
def test_so_does_one_while_a_commit_fails_and_a_second_one_while_that_is_put_right(
    store: SqliteStore, disk: Disk, done: bool
) -> None:
    lines = play(store, (), disk, "COMMIT", done=done)
    assert lines > 100
    chance = random.Random(done)
    for first in chance.sample(range(lines), 30):
        play(store, {first, first + chance.randrange(1, 60)}, disk, "COMMIT", done=done)


def test_who_lost_its_place_to_an_interrupt_is_told_that_it_cannot_be_known(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path)
    store = place.open()
    database = store._database
    database._lock = threading.RLock()
    with database._lock:
        waiting = Background(lambda: accept(store, events("a")))
        while not database._waiting:
            pass
        database._waiting.clear()
    assert isinstance(waiting.outcome(), EnqueueOutcomeUnknown)
    assert store.counts().accepted == 0
    place.crash(store)
