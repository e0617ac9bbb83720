"""What every part gives, and how it takes the time.

No use is made of pyperf here: it runs one way to the end before it begins the next, and on a machine that
others share the ratio of the two is then that of two loads.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Literal

from attrs import frozen

Size = Literal["tiny", "quick", "full"]
Way = Callable[[], object]

SHORTEST_TURN = 0.002
"""Seconds: below that, the clock and the loop would be part of the figure."""


@frozen(kw_only=True)
class Row:
    """What we take for something, and what another way takes for the same: less than 1 is better."""

    name: str
    ours: float
    """Seconds for one item."""
    item: str
    """What one is: a sample, a frame, a state."""
    against: str
    theirs: float
    spread: float = 0.0
    """Half of what the ratio varied from run to run, as a part of it."""

    @property
    def ratio(self) -> float:
        """Ours in terms of theirs."""
        return self.ours / self.theirs


def lower_quartile(times: list[float]) -> float:
    """What a wait takes when others on the machine do not make it longer; the very shortest would be luck."""
    return sorted(times)[len(times) // 4]


def found(package: str) -> bool:
    """Whether a package that is compared with is installed."""
    return find_spec(package) is not None


def in_turns(
    ways: Mapping[str, Way],
    *,
    items: int = 1,
    rounds: int,
    clock: Callable[[], float] = time.process_time,
    pick: Callable[[list[float]], float] = min,
) -> dict[str, float]:
    """Seconds that each way takes for an item, where one call of it does so many items.

    The ways take turns. Of the processor's time the least is taken, for what else the machine does makes it
    longer, never shorter. Where the network or a disk is waited for, `clock` is the wall's and `pick`
    the lower quartile.
    """
    loops = {name: _loops(way) for name, way in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            turns = range(loops[name])
            began = clock()
            for _ in turns:
                way()
            times[name].append((clock() - began) / loops[name] / items)
    return {name: pick(each) for name, each in times.items()}


def _loops(way: Way) -> int:
    """How many calls make a turn that is long enough, once a first one has prepared what it needs."""
    way()
    loops = 1
    while True:
        began = time.perf_counter()
        for _ in range(loops):
            way()
        if time.perf_counter() - began >= SHORTEST_TURN:
            return loops
        loops *= 4


def against(
    times: Mapping[str, float], ours: str, item: str, name: str = "", *, others: tuple[str, ...] = ()
) -> list[Row]:
    """A row for each other way, or for those that are named."""
    return [
        Row(name=name or ours, ours=times[ours], item=item, against=other, theirs=times[other])
        for other in (others or [each for each in times if each != ours])
        if other in times
    ]


def merged(runs: list[list[Row]]) -> list[Row]:
    """The rows of several runs as one: the run with the median ratio, and how far the others are from it."""
    rows = []
    for same in zip(*runs, strict=True):
        ratios = [row.ratio for row in same]
        middle = statistics.median_low(ratios)
        row = next(row for row in same if row.ratio == middle)
        rows.append(
            Row(
                name=row.name,
                ours=row.ours,
                item=row.item,
                against=row.against,
                theirs=row.theirs,
                spread=(max(ratios) - min(ratios)) / 2 / middle,
            )
        )
    return rows
