"""When to look at what next: the earliest of many deadlines, each of which may change at any time."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from itertools import count
from math import inf
from typing import Final, Generic, TypeVar

__all__ = ["Deadlines"]

Item = TypeVar("Item", bound=Hashable)

_SPARE: Final = 64  # outdated entries that are not worth a sweep


class Deadlines(Generic[Item]):
    """At most one deadline for each item.

    A deadline that moves to a later time costs nothing: ``due()`` returns the item at the earlier
    time too, and who asked for it sets it anew.
    """

    __slots__ = ("_heap", "_order", "_times")

    def __init__(self) -> None:
        self._times: dict[Item, float] = {}
        self._heap: list[tuple[float, int, Item]] = []
        self._order = count()

    def set(self, item: Item, time: float) -> None:
        """Have the item returned at ``time``, or before; infinity is never."""
        if time >= self._times.get(item, inf):
            return
        self._times[item] = time
        heapq.heappush(self._heap, (time, next(self._order), item))
        if len(self._heap) > 2 * len(self._times) + _SPARE:
            self._heap = [entry for entry in self._heap if self._times.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def discard(self, item: Item) -> None:
        """Forget the item's deadline, where it has one."""
        self._times.pop(item, None)

    def next(self) -> float | None:
        """Return the earliest deadline, None where there is none."""
        heap = self._heap
        while heap and self._times.get(heap[0][2]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now: float) -> list[Item]:
        """Return, and forget the deadlines of, the items whose time has come, the earliest first."""
        items = []
        while (time := self.next()) is not None and time <= now:
            item = heapq.heappop(self._heap)[2]
            del self._times[item]
            items.append(item)
        return items
