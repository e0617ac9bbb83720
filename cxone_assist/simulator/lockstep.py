"""The clock of a call that goes in step with a server in this process, however busy the machine is."""

from __future__ import annotations

from threading import Condition

from ..call_events import CallEvent, StreamAttached, StreamDetached
from ..server import Stream

__all__ = ["Lockstep"]


class Lockstep:
    """Stands still until the server has taken in all that was sent, then jumps to what comes next.

    So whatever the server sees has its exact time of the call, at any rate and on any machine, and
    holds have their length even where the call is played as fast as possible::

        clock = Lockstep()
        with Server(
            authorize=allow_all, on_audio=clock.on_audio, on_call=clock.on_call, clock=clock.now
        ) as server:
            report = play(server.url, actions, init, rate=math.inf, lockstep=clock)

    Where a program has callbacks of its own, it calls these two from them.

    Args:
        patience: real seconds that the server has, each time, to take in what was sent.
    """

    def __init__(self, *, patience: float = 10.0) -> None:
        self._patience = patience
        self._now = 0.0
        self._samples = 0
        self._streams = 0
        self._changed = Condition()

    def now(self) -> float:
        """Return the time of the call in seconds: the clock to give to the server."""
        return self._now

    # --- what the server tells -----------------------------------------------------------------

    def on_audio(self, _stream: Stream, ulaw: bytes, _position: int) -> None:
        """Take note of audio that the server has taken in."""
        with self._changed:
            self._samples += len(ulaw)
            self._changed.notify()

    def on_call(self, event: CallEvent) -> None:
        """Take note of streams that the server has seen open and close."""
        with self._changed:
            self._streams += isinstance(event, StreamAttached) - isinstance(event, StreamDetached)
            self._changed.notify()

    # --- what the player does ------------------------------------------------------------------

    def move_to(self, at: float) -> None:
        """Set the time of the call."""
        self._now = at

    def wait(self, *, samples: int, streams: int) -> bool:
        """Wait until so much audio was taken in and so many streams are open; False after ``patience``."""
        with self._changed:
            return self._changed.wait_for(
                lambda: (self._samples, self._streams) == (samples, streams), self._patience
            )
