"""The sets of events that are being sent or wait to be tried again, in the memory of who sends them."""

from collections.abc import Collection, Iterator, Sequence

from attrs import define, field

from ..store import SUSPECT_CRASHES, SUSPECT_SECONDS, EventKind, Want
from ._backlog import Row


@define
class EventSet:
    """The events of an attempt, between and during its tries. `number` changes with each try."""

    number: int
    kind: EventKind
    rows: list[Row]
    tries: int = 0
    unknown: bool = False
    crashes: int = 0
    not_before: float = 0.0
    sending: bool = False

    @property
    def is_suspect(self) -> bool:
        """Whether it may be the reason why processes ended: it is sent alone."""
        return self.crashes >= SUSPECT_CRASHES


@define
class Sets:
    """All of them, by number."""

    _sets: dict[int, EventSet] = field(factory=dict)
    _first_asked: float | None = None

    def __iter__(self) -> Iterator[EventSet]:
        return iter(self._sets.values())

    def add(self, new: EventSet) -> EventSet:
        """Keep one more."""
        self._sets[new.number] = new
        return new

    def take(self, number: int) -> EventSet | None:
        """Take out the set that is being sent under this number; None where none is."""
        mine = self._sets.get(number)
        return self._sets.pop(number) if mine is not None and mine.sending else None

    def drop(self, lanes: Collection[int]) -> None:
        """Forget what is in these lanes."""
        for each in list(self):
            each.rows = [row for row in each.rows if row.lane not in lanes]
            if not each.rows:
                del self._sets[each.number]

    def clear(self) -> None:
        """Forget all of them."""
        self._sets.clear()

    def busy_lanes(self) -> set[int]:
        """The lanes of which something is being sent."""
        return {row.lane for each in self if each.sending for row in each.rows}

    def due(self, kind: EventKind, now: float) -> EventSet | None:
        """The set to be tried next: suspects first, then the one with the fewest tries."""
        if self._first_asked is None:
            self._first_asked = now
        sure = now - self._first_asked >= SUSPECT_SECONDS
        ready = (
            each
            for each in self
            if each.kind == kind
            and not each.sending
            and each.not_before <= now
            and (sure or not each.is_suspect)
        )
        return min(ready, key=lambda each: (not each.is_suspect, each.tries, each.number), default=None)

    def must_wait(self, wants: Sequence[Want], now: float) -> bool:
        """Whether nothing may be given now: a suspect is being sent, or is due and others are being sent."""
        sending = [each for each in self if each.sending]
        due = [self.due(want.kind, now) for want in wants]
        if any(each.is_suspect for each in sending):
            return True
        return bool(sending) and any(each is not None and each.is_suspect for each in due)
