"""What a forked child starts over with.

A lock that another thread holds at the moment of the fork is never released in the child.
"""

import os
from typing import Protocol
from weakref import WeakSet


class StartsOver(Protocol):
    """Something with a lock in it."""

    def start_over(self) -> None:
        """Begin again with new locks, as if just made."""
        ...


_things: WeakSet[StartsOver] = WeakSet()


def start_over_in_child(thing: StartsOver) -> None:
    """From now on the thing is started over in every forked child, before any other code runs there."""
    _things.add(thing)


def _start_over() -> None:
    for thing in list(_things):
        thing.start_over()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_start_over)
