"""Many threads at once, and a condition that tells when they all wait."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 20.0
"""Seconds after which a test that hangs is given up; no test waits that long when all is well."""

Result = TypeVar("Result")


def at_once(count: int, work: Callable[[int], Result]) -> list[Result | BaseException]:
    """Run `work(0)`, `work(1)`, ... in threads that start together; what each gave or raised, in order."""
    outcomes: list[Result | BaseException | None] = [None] * count
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait(PATIENCE)
        try:
            outcomes[number] = work(number)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return [outcome for outcome in outcomes if outcome is not None]


class Background:
    """One piece of work in a thread of its own."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._outcome: list[object] = []
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome.append(self._work())
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self._outcome.append(error)

    def outcome(self) -> object:
        """What it gave or raised, when it has ended."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the thread hangs"
        return self._outcome[0]


class WatchedCondition(threading.Condition):
    """Sets `enough` when the given number of threads wait in it.

    `wait` is entered with the lock held, so nobody can notify before the last of them really waits.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self._missing = number
        self.enough = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self._missing -= 1
        if self._missing == 0:
            self.enough.set()
        return super().wait(timeout)


class Gate:
    """A call that says it has come, and goes on when it is let through."""

    def __init__(self) -> None:
        self._came = threading.Event()
        self._open = threading.Event()

    def __call__(self) -> None:
        self._came.set()
        assert self._open.wait(PATIENCE), "nobody opened the gate"

    def wait_until_reached(self) -> None:
        assert self._came.wait(PATIENCE), "nobody came to the gate"

    def open(self) -> None:
        self._open.set()
