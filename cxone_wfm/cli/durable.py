"""Delivering by an outbox: `cxone-wfm outbox drain` and `cxone-wfm send --outbox`."""

import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from types import FrameType, TracebackType

import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..client import WfmClient
from ..errors import CXoneError
from ..outbox import DurableSender, Outbox, Receipt
from ..outbox.identity import EventRecord
from ..outbox.store import KINDS, Tally
from .outbox import must_exist
from .output import Output

PENDING, DEAD = 3, 4
"""Exit codes: something is still pending; nothing is, but something died."""
_LOOK_EVERY = 0.1
_PAGE = 500
_LONGEST_CAUSE = 60


class Stop:
    """Waits for SIGINT or SIGTERM, in a `with` block. The first asks to stop, the second ends the process."""

    def __init__(self, output: Output) -> None:
        self.asked = False
        self._output = output

    def __enter__(self) -> "Stop":
        self._before = {
            number: signal.signal(number, self._tell) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _tell(self, _: int, __: FrameType | None) -> None:
        if self.asked:
            self._output.console.show_cursor()  # the progress bar has hidden it
            os._exit(1)  # what was accepted is on the disk, and a kill does not take it away
        self.asked = True


def drain(output: Output, url: str, timeout: float | None) -> int:
    """Send what is pending until nothing is, or the time is over. Gives the exit code."""
    try:
        must_exist(url)
        with Stop(output) as stop, WfmClient.from_env() as wfm, Outbox.open(url) as outbox:
            tally, causes = _deliver(output, DurableSender(wfm, outbox), stop, timeout)
    except (CXoneError, ImportError) as error:  # PostgreSQL needs its extra
        return output.failed(str(error))
    return _tell(output, {}, tally, causes)


def send(output: Output, url: str, records: Sequence[EventRecord], timeout: float) -> int:
    """Accept the records, then send what is pending for at most so many seconds. Gives the exit code.

    What it tells is of these records, not of what the outbox held before. Raises a `CXoneError` where
    nothing was accepted.
    """
    with Stop(output) as stop, WfmClient.from_env() as wfm, Outbox.open(url) as outbox:
        receipts = outbox.enqueue_many(records)
        _, causes = _deliver(output, DurableSender(wfm, outbox), stop, timeout)
        tally = _fates(outbox, receipts)
    known = sum(receipt.duplicate for receipt in receipts)
    return _tell(output, {"accepted": len(receipts) - known, "known_before": known}, tally, causes)


def _deliver(
    output: Output, sender: DurableSender, stop: Stop, timeout: float | None
) -> tuple[Tally, tuple[str, ...]]:
    """Send until what is pending now is delivered or dead. What came of it, and what stood in the way."""
    deadline = float("inf") if timeout is None else time.monotonic() + timeout
    causes: tuple[str, ...] = ()
    with (
        closing(sender.outbox.store.watch()) as watch,
        _progress(output) as progress,
        sender,
    ):
        task = progress.add_task("sending", total=watch.tally().pending)
        while (tally := watch.tally()).pending and not stop.asked and time.monotonic() < deadline:
            causes = sender.health().causes
            progress.update(
                task,
                completed=tally.delivered + tally.dead,
                description=causes[0][:_LONGEST_CAUSE] if causes else "sending",
            )
            sender.flush(min(_LOOK_EVERY, max(0.0, deadline - time.monotonic())))
        if stop.asked:
            output.line("Stopping: what is on its way may end. Once more, and it ends at once.")
        _close(sender)
        return watch.tally(), causes


def _close(sender: DurableSender) -> None:
    """Send no more. Waits in short pieces: a signal that comes just before a long wait would wait with it."""
    with ThreadPoolExecutor(1) as helper:
        closing_it = helper.submit(sender.close, timeout=0)
        while not closing_it.done():
            wait([closing_it], _LOOK_EVERY)
        closing_it.result()


def _progress(output: Output) -> Progress:
    """A bar on a terminal, nothing elsewhere: not even the empty line that older releases of rich print."""
    shown = output.console.is_terminal and not output.as_json
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=output.console if shown else Console(quiet=True),
        disable=not shown,
        transient=True,
    )


def _fates(outbox: Outbox, receipts: Sequence[Receipt]) -> Tally:
    """What has become of these events. What is neither pending nor dead was delivered.

    The events are looked at, not the counters: a shared store's counters may be a second old.
    """
    ours = {receipt.event_id for receipt in receipts}
    pending: set[str] = set()
    for kind in KINDS:
        after = 0
        while page := outbox.store.pending(kind=kind, after=after, limit=_PAGE):
            after = page[-1].position
            pending |= ours & {event.event_id for event in page}
    dead = {letter.event.event_id for letter in outbox.dead_letters()} & ours
    waiting = len(pending - dead)
    return Tally(delivered=len(ours) - waiting - len(dead), pending=waiting, dead=len(dead))


def _tell(output: Output, facts: dict[str, int], tally: Tally, causes: tuple[str, ...]) -> int:
    code = PENDING if tally.pending else DEAD if tally.dead else 0
    facts |= attrs.asdict(tally)
    output.document({"ok": code == 0, **facts, "causes": list(causes if tally.pending else ())})
    output.line(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in facts.items()))
    if tally.pending:
        output.failure("\n".join(["What is pending stays in the outbox; drain it, or send again.", *causes]))
    if tally.dead:
        output.failure("See the dead letters with `cxone-wfm outbox list PATH dead`.")
    return code
