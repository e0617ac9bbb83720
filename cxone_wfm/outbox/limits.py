"""How much an outbox keeps, and what is left of it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from ..errors import ConfigurationError, OutboxUnavailable
from .store import Counts, EventKind, NewEvent

_LEAST_FREE_BYTES, _LEAST_FREE_SHARE = 256 * 1024**2, 0.02
_STATE: EventKind = "agent_state"


@frozen(kw_only=True)
class Limits:
    """How much an outbox keeps before it lets `enqueue` wait (our choice).

    `max_items` and `max_bytes` bound what is pending and dead: events, and bytes of their payloads; the
    file is about twice as large. Agent states may use `states_share` of both, so that a flood of them leaves
    room for reports. `min_free_bytes`: of the file's disk; None is 256 MiB or 2 % of it, whichever is more.
    `ballast_bytes`: the file beside it that keeps room to drain a full disk.

    Raises `ConfigurationError` where a bound makes no sense.
    """

    max_items: int = 5_000_000
    max_bytes: int = 1024**3
    states_share: float = 0.7
    min_free_bytes: int | None = None
    ballast_bytes: int = 8 * 1024**2

    def __attrs_post_init__(self) -> None:
        least = {"max_items": 1, "max_bytes": 1, "ballast_bytes": 0}
        if self.min_free_bytes is not None:
            least["min_free_bytes"] = 0
        problems = [
            f"{name} is {value!r}; it must be a whole number of at least {bound}"
            for name, bound in least.items()
            if type(value := getattr(self, name)) is not int or value < bound
        ]
        if not 0 < self.states_share <= 1:
            problems.append(f"states_share is {self.states_share!r}; it must be above 0 and at most 1")
        if problems:
            raise ConfigurationError(problems)

    @property
    def max_states(self) -> int:
        """How many agent states may be pending: at least one."""
        return max(1, int(self.max_items * self.states_share))

    @property
    def max_states_bytes(self) -> int:
        """How many bytes of agent states may be pending."""
        return max(1, int(self.max_bytes * self.states_share))


@frozen
class Need:
    """What events take: agent states, and everything."""

    states: int = 0
    states_bytes: int = 0
    all: int = 0
    all_bytes: int = 0

    @classmethod
    def of(cls, events: Sequence[NewEvent]) -> "Need":
        """What these events would take."""
        sizes = [len(event.payload) for event in events]
        states = [size for event, size in zip(events, sizes, strict=True) if event.kind == _STATE]
        return cls(len(states), sum(states), len(sizes), sum(sizes))

    @classmethod
    def of_the_largest(cls, events: Sequence[NewEvent]) -> "Need":
        """What the largest of these events would take alone, with room for some state beside it."""
        largest = max(events, key=lambda event: len(event.payload))
        size = len(largest.payload)
        return cls(1, size if largest.kind == _STATE else 1, 1, size)

    def __add__(self, other: "Need") -> "Need":
        return Need(
            self.states + other.states,
            self.states_bytes + other.states_bytes,
            self.all + other.all,
            self.all_bytes + other.all_bytes,
        )

    def __neg__(self) -> "Need":
        return Need(-self.states, -self.states_bytes, -self.all, -self.all_bytes)


def used(counts: Counts) -> Need:
    """What is taken: pending and dead."""
    states, pending = counts.pending[_STATE], counts.pending.values()
    return Need(
        states.items,
        states.bytes,
        counts.dead.items + sum(usage.items for usage in pending),
        counts.dead.bytes + sum(usage.bytes for usage in pending),
    )


def bound_met(total: Need, limits: Limits, folder: Path | None, *, states: bool) -> str | None:
    """Which bound would be broken, in words; with `states`, of those for agent states too.

    `folder` is where the file lies, None where there is none.

    Dead letters of states count among everything only: they must not stop the states that follow.

    Raises `OutboxUnavailable` where the disk cannot be looked at.
    """
    bounds = [
        (total.all, limits.max_items, "events pending or dead"),
        (total.all_bytes, limits.max_bytes, "bytes pending or dead"),
    ]
    if states:
        bounds += [
            (total.states, limits.max_states, "agent states pending"),
            (total.states_bytes, limits.max_states_bytes, "bytes of agent states pending"),
        ]
    for value, bound, what in bounds:
        if value > bound:
            return f"{what}: {value} with what was to be accepted, and at most {bound} are kept"
    if folder is not None:
        try:
            disk = shutil.disk_usage(folder)
        except OSError as error:
            raise OutboxUnavailable(f"the folder {folder} cannot be looked at: {error.strerror}") from None
        least = limits.min_free_bytes
        if least is None:
            least = int(max(_LEAST_FREE_BYTES, _LEAST_FREE_SHARE * disk.total))
        if disk.free < least:
            return f"the disk has {disk.free} bytes free, and {least} are to stay free"
    return None


def level(total: Need, limits: Limits) -> float:
    """The share of the tightest bound that is used: 1.0 is full."""
    return max(
        total.all / limits.max_items,
        total.all_bytes / limits.max_bytes,
        total.states / limits.max_states,
        total.states_bytes / limits.max_states_bytes,
    )
