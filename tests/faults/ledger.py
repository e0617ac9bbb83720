"""What was accepted against what arrived: the comparison that every fault ends with. No I/O.

Every event of the harness is known by its stream (an agent) and its number in it, 1, 2, 3...
Both travel inside the payload, so the comparison needs no id of the library's.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

import attrs
from attrs import define, field, frozen

Event = tuple[str, int]
"""The stream and the number in it."""


@frozen
class Receipt:
    """One line of the file to which a producer writes each receipt when it has it."""

    stream: str
    number: int
    event_id: str
    seq: int
    duplicate: bool

    @property
    def event(self) -> Event:
        """The event that was accepted."""
        return self.stream, self.number

    def line(self) -> bytes:
        """The receipt as a line."""
        return f"{self.stream} {self.number} {self.event_id} {self.seq} {int(self.duplicate)}\n".encode()


def read_receipts(path: Path, start: int = 0) -> tuple[list[Receipt], int]:
    """The whole lines from a byte on, and the byte behind them.

    A killed writer may leave half a line; the next one begins with an empty line. Half a line is no receipt.
    """
    if not path.exists():
        return [], start
    with path.open("rb") as file:
        file.seek(start)
        whole, newline, _ = file.read().rpartition(b"\n")
    found = []
    for line in whole.decode().split("\n") if newline else []:
        fields = line.split(" ")
        if len(fields) == len(attrs.fields(Receipt)):
            stream, number, event_id, seq, duplicate = fields
            found.append(Receipt(stream, int(number), event_id, int(seq), duplicate == "1"))
    return found, start + len(whole) + len(newline)


@frozen
class Delivery:
    """One event that the server took. `told`: the whole answer said so. `life`: of which sender process."""

    event: Event
    told: bool
    life: int
    request: int


@define
class Verdict:
    """What the comparison found."""

    accepted: int = 0
    delivered: int = 0
    """Different events that the server took."""
    lost: list[Event] = field(factory=list)
    reordered: list[Event] = field(factory=list)
    regressions: list[Event] = field(factory=list)
    repeats: int = 0
    """Deliveries of what the server had already."""
    unexplained: list[Event] = field(factory=list)
    """Repeats though the answer had come whole, within the life of one process."""
    repeated_by_kills: dict[int, int] = field(factory=dict)
    """Life of a killed process -> how many of its answered requests were sent again."""


def compare(
    accepted: Iterable[Event], deliveries: Iterable[Delivery], kept: Collection[Event] = frozenset()
) -> Verdict:
    """Judge a run. `kept` is what is still in the store, pending or dead.

    A repeat is explained where the answer to the delivery before it was lost or spoilt, or where
    the process was another by then: it may have been killed before it could note the answer.
    """
    verdict = Verdict()
    newest: dict[str, int] = {}
    last: dict[Event, Delivery] = {}
    sent_again: dict[int, set[int]] = {}
    for delivery in deliveries:
        stream, number = delivery.event
        before = last.get(delivery.event)
        if number < newest.get(stream, 0):
            verdict.regressions.append(delivery.event)
            if before is None:
                verdict.reordered.append(delivery.event)
        newest[stream] = max(number, newest.get(stream, 0))
        if before is not None:
            verdict.repeats += 1
            if before.told and before.life == delivery.life:
                verdict.unexplained.append(delivery.event)
            elif before.told:
                sent_again.setdefault(before.life, set()).add(before.request)
        last[delivery.event] = delivery
    receipts = set(accepted)
    verdict.accepted, verdict.delivered = len(receipts), len(last)
    verdict.lost = sorted(receipts - set(last) - set(kept))
    verdict.repeated_by_kills = {life: len(requests) for life, requests in sent_again.items()}
    return verdict
