"""From a socket to the callbacks of its stream: a bounded buffer, and a thread that empties it.

The server's thread only ever puts audio in, so a callback that blocks holds up nobody: not the
socket, not the other streams. Where the caller promises fast audio callbacks, they are called in the
server's thread itself once ``on_start`` has returned and the buffer is empty.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Full, Queue
from threading import Condition, Thread
from typing import TypeAlias

from attrs import frozen

from ..call_events import CallEvent
from ..mulaw import SAMPLE_RATE
from .stream import Stream

__all__ = ["CallDelivery", "Callbacks", "Delivery"]

OnStream: TypeAlias = Callable[[Stream], object]
OnCall: TypeAlias = Callable[[CallEvent], object]
OnAudio: TypeAlias = Callable[[Stream, bytes, int], object]

_log = logging.getLogger("cxone_assist.server")


@frozen(kw_only=True)
class Callbacks:
    """What the program wants to be called with, and from where."""

    on_start: OnStream | None = None
    on_audio: OnAudio | None = None
    on_call: OnCall | None = None
    on_end: OnStream | None = None
    inline: bool = False
    place_audio: bool = False


def _nothing(stream: Stream, payload: bytes, position: int) -> None:
    """What is called with audio where the program wants none."""


class Delivery:
    """Calls ``on_start``, ``on_audio`` and ``on_end`` of one stream: in this order, never two at once."""

    __slots__ = (
        "__weakref__",
        "_buffer",
        "_callbacks",
        "_capacity",
        "_changed",
        "_ended",
        "_held",
        "_inline",
        "_on_audio",
        "_stream",
        "_thread",
        "_waits",
        "audio",
    )

    def __init__(self, stream: Stream, callbacks: Callbacks, *, buffer_seconds: float) -> None:
        self._stream = stream
        self._callbacks = callbacks
        self._on_audio = callbacks.on_audio or _nothing
        self._capacity = round(buffer_seconds * SAMPLE_RATE)
        self._buffer: deque[tuple[bytes, int]] = deque()
        self._held = 0
        self._changed = Condition()
        self._ended = False
        self._thread: Thread | None = None
        self._inline = callbacks.inline or callbacks.on_audio is None
        self._waits = callbacks.on_start is not None or not self._inline
        self.audio: Callable[[bytes, int], None] = self._keep if self._waits else self._hand_over
        """Takes a frame and its position, in the server's thread."""
        if self._waits:
            self._start_thread(self._run)

    def end(self) -> None:
        """No more audio comes: what is in the buffer is still handed over, then ``on_end`` is called."""
        with self._changed:
            self._ended = True
            self._changed.notify()
            running = self._waits
        if not running and self._callbacks.on_end is not None:
            self._start_thread(self._finish)

    def join(self, timeout: float) -> None:
        """Wait for the last callback to return."""
        if self._thread is not None:
            self._thread.join(timeout)

    # --- in the server's thread ----------------------------------------------------------------

    def _hand_over(self, payload: bytes, position: int) -> None:
        try:
            self._on_audio(self._stream, payload, position)
        except Exception as error:  # noqa: BLE001 - the callback is not ours
            self._report("on_audio", error)

    def _keep(self, payload: bytes, position: int) -> None:
        with self._changed:
            waits = self._waits
            if waits:
                self._buffer.append((payload, position))
                self._held += len(payload)
                while self._held > self._capacity:
                    self._drop_oldest()
                self._changed.notify()
        if not waits:
            self._hand_over(payload, position)

    def _drop_oldest(self) -> None:
        dropped = len(self._buffer.popleft()[0])
        self._held -= dropped
        self._stream.stats.dropped_frames += 1
        self._stream.stats.dropped_samples += dropped

    # --- in the stream's own thread ------------------------------------------------------------

    def _start_thread(self, target: Callable[[], None]) -> None:
        self._thread = Thread(target=target, name="cxone-assist-stream", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._call("on_start", self._callbacks.on_start)
        while (frame := self._next()) is not None:
            self._hand_over(*frame)
        if self._waits:
            self._finish()

    def _next(self) -> tuple[bytes, int] | None:
        """Return the next frame; None where there is none any more, or where audio no longer waits here."""
        with self._changed:
            while not self._buffer:
                if self._inline and not self._ended:
                    self._waits = False
                    self.audio = self._hand_over
                    return None
                if self._ended:
                    return None
                self._changed.wait()
            payload, position = self._buffer.popleft()
            self._held -= len(payload)
            return payload, position

    def _finish(self) -> None:
        self._call("on_end", self._callbacks.on_end)

    def _call(self, name: str, callback: OnStream | None) -> None:
        if callback is None:
            return
        try:
            callback(self._stream)
        except Exception as error:  # noqa: BLE001 - the callback is not ours
            self._report(name, error)

    def _report(self, name: str, error: Exception) -> None:
        self._stream.stats.errors += 1
        if self._stream.stats.errors == 1:
            _log.error(
                "%s raised on %r; the stream goes on, and more of its errors are only counted",
                name,
                self._stream,
                exc_info=error,
            )


_MOST_CALL_EVENTS = 100_000


class CallDelivery:
    """Calls ``on_call`` with one event after the other, in a thread of its own where it may block."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._on_call = callbacks.on_call
        self._events: Queue[CallEvent | None] = Queue(_MOST_CALL_EVENTS)
        self._thread: Thread | None = None
        self._ended = False
        self.errors = 0
        self.dropped = 0
        if callbacks.on_call is not None and not callbacks.inline:
            self._thread = Thread(target=self._run, name="cxone-assist-calls", daemon=True)
            self._thread.start()

    def tell(self, event: CallEvent) -> None:
        """Take an event, in the server's thread."""
        if self._thread is None:
            self._hand_over(event)
            return
        try:
            self._events.put_nowait(event)
        except Full:
            self.dropped += 1
            if self.dropped == 1:
                _log.error("on_call is too slow; its queue is full, and events are dropped and counted")

    def join(self, timeout: float) -> None:
        """Wait until every event was handed over, from a thread that is not the server's."""
        if self._thread is not None:
            self._ended = True
            with suppress(Full):  # then the thread has enough to wake up for
                self._events.put_nowait(None)
            self._thread.join(timeout)

    def _run(self) -> None:
        while not (self._ended and self._events.empty()):
            event = self._events.get()
            if event is not None:
                self._hand_over(event)

    def _hand_over(self, event: CallEvent) -> None:
        if self._on_call is None:
            return
        try:
            self._on_call(event)
        except Exception as error:  # noqa: BLE001 - the callback is not ours
            self.errors += 1
            if self.errors == 1:
                _log.error("on_call raised; more of its errors are only counted", exc_info=error)
