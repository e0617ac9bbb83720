"""From a socket to the callbacks of its stream: directly, or by way of a thread that may block.

The server's thread only ever puts audio in, so a callback that blocks holds up nobody: not the
socket, not the other streams. Where the caller promises fast audio callbacks, they are called in the
server's thread itself, once ``on_start`` has returned and all audio that waited for it was handed over.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Full, Queue
from threading import Condition, Thread, current_thread
from typing import TypeAlias

from attrs import frozen

from ..call_events import CallEvent
from ..mulaw import SAMPLE_RATE
from .stream import Stream, StreamStats

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
    """Calls ``on_start``, ``on_audio`` and ``on_end`` of one stream: in this order, never two at once.

    ``audio()`` is called for every frame of every stream. With thousands of streams nothing of a stream
    is in the processor's cache when its next frame comes, so what counts there is how many objects are
    touched.
    """

    __slots__ = ("__weakref__", "_backlog", "_callbacks", "_on_audio", "_stats", "_thread", "stream")

    def __init__(self, stream: Stream, callbacks: Callbacks, *, buffer_seconds: float) -> None:
        self.stream = stream
        self._stats = stream.stats
        self._callbacks = callbacks
        self._on_audio = callbacks.on_audio or _nothing
        self._backlog: _Backlog | None = None
        """Where audio waits; None where it does not."""
        self._thread: Thread | None = None
        direct = callbacks.inline or callbacks.on_audio is None
        if callbacks.on_start is not None or not direct:
            self._backlog = _Backlog(buffer_seconds * SAMPLE_RATE, self._stats, passing=direct)
            self._start_thread(self._run, self._backlog)

    # --- in the server's thread ----------------------------------------------------------------

    def audio(self, payload: bytes) -> None:
        """Take a frame."""
        stats = self._stats
        position = stats.samples
        stats.samples = position + len(payload)
        stats.frames += 1
        backlog = self._backlog
        if backlog is None or not backlog.put(payload, position):
            self._hand_over(payload, position)

    def end(self) -> None:
        """No more audio comes: what waits is still handed over, then ``on_end`` is called."""
        thread_ends_it = self._backlog is not None and self._backlog.end()
        if not thread_ends_it and self._callbacks.on_end is not None:
            self._start_thread(self._call, "on_end", self._callbacks.on_end)

    # --- in any thread -------------------------------------------------------------------------

    def join(self, timeout: float) -> None:
        """Wait for the last callback to return, unless it is the one that asks."""
        if self._thread is not None and self._thread is not current_thread():
            self._thread.join(timeout)

    def _hand_over(self, payload: bytes, position: int) -> None:
        try:
            self._on_audio(self.stream, payload, position)
        except Exception as error:  # noqa: BLE001 - the callback is not ours
            self._report("on_audio", error)

    # --- in the stream's own thread ------------------------------------------------------------

    def _start_thread(self, target: Callable[..., None], *arguments: object) -> None:
        self._thread = Thread(target=target, args=arguments, name="cxone-assist-stream", daemon=True)
        self._thread.start()

    def _run(self, backlog: _Backlog) -> None:
        self._call("on_start", self._callbacks.on_start)
        while (frame := backlog.take()) is not None:
            self._hand_over(*frame)
        self._backlog = None
        if backlog.ended:
            self._call("on_end", self._callbacks.on_end)

    def _call(self, name: str, callback: OnStream | None) -> None:
        if callback is None:
            return
        try:
            callback(self.stream)
        except Exception as error:  # noqa: BLE001 - the callback is not ours
            self._report(name, error)

    def _report(self, name: str, error: Exception) -> None:
        self._stats.errors += 1
        if self._stats.errors == 1:
            _log.error(
                "%s raised on %r; the stream goes on, and more of its errors are only counted",
                name,
                self.stream,
                exc_info=error,
            )


class _Backlog:
    """Audio that waits for a thread. Beyond its capacity the oldest is dropped, and counted.

    It is over for good once ``take()`` has returned None: when the stream has ended and all was taken,
    or with ``passing`` as soon as nothing waits.
    """

    __slots__ = ("_capacity", "_changed", "_frames", "_over", "_passing", "_samples", "_stats", "ended")

    def __init__(self, capacity: float, stats: StreamStats, *, passing: bool) -> None:
        self._capacity = capacity
        self._stats = stats
        self._passing = passing
        self._frames: deque[tuple[bytes, int]] = deque()
        self._samples = 0
        self._over = False
        self._changed = Condition()
        self.ended = False

    def put(self, payload: bytes, position: int) -> bool:
        """Take a frame; False where it need not wait any more."""
        with self._changed:
            if self._over:
                return False
            self._frames.append((payload, position))
            self._samples += len(payload)
            while self._samples > self._capacity:
                self._drop_oldest()
            self._changed.notify()
            return True

    def _drop_oldest(self) -> None:
        dropped = len(self._frames.popleft()[0])
        self._samples -= dropped
        self._stats.dropped_frames += 1
        self._stats.dropped_samples += dropped

    def end(self) -> bool:
        """Tell the thread that no more audio comes; False where it waits for none any more."""
        with self._changed:
            if self._over:
                return False
            self.ended = True
            self._changed.notify()
            return True

    def take(self) -> tuple[bytes, int] | None:
        """Wait for the next frame and return it with its position; None where it is over."""
        with self._changed:
            while not self._frames:
                if self.ended or self._passing:
                    self._over = True
                    return None
                self._changed.wait()
            frame = self._frames.popleft()
            self._samples -= len(frame[0])
            return frame


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
        """Wait until every event was handed over, from a thread that is not the server's.

        A callback that asks waits for nothing: what is left comes once it has returned.
        """
        if self._thread is not None:
            self._ended = True
            with suppress(Full):  # then the thread has enough to wake up for
                self._events.put_nowait(None)
            if self._thread is not current_thread():
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
