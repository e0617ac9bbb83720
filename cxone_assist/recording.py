"""Records calls: WAV files, and beside them a file of JSON lines with what happened when.

A ``Recorder`` is fed the events of a ``CallAssembler(place_audio=True)``. Files are written by
one thread, which ``start()`` starts. Nothing is recorded unless a program makes a ``Recorder``.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Thread
from types import TracebackType

from attrs import define

from ._call_files import CallFiles, Layout, check_name
from .call_events import AudioPlaced, CallEnded, CallEvent, CallRefused, CallStarted
from .wav import Encoding

__all__ = ["Layout", "Recorder", "RecorderStats"]

_log = logging.getLogger(__name__)


@define
class RecorderStats:
    """What a recorder did so far. Read it; the writer counts."""

    calls: int = 0
    """Calls with audio whose recording is finished."""
    empty_calls: int = 0
    """Calls that ended without audio; they leave no file."""
    samples: int = 0
    """Of audio written, without the silence around it."""
    dropped_samples: int = 0
    """Of audio that found the queue full, or came after ``close()``."""
    failed_calls: int = 0
    """Calls whose recording stopped early: the disk did not take it, or a file reached a limit."""


class Recorder:
    """Writes calls to files, off the caller's thread. A context manager: ``start()`` and ``close()``.

    Args:
        directory: where the files go; it must exist.
        layout: which audio goes into one file.
        encoding: µ-law as it came, or 16-bit PCM for programs that read no µ-law.
        name: the name of a call's files without ending: letters, digits, ``-``, ``_``, ``.`` and
            the fields ``{bus_no}``, ``{contact_id}``, ``{number}`` and ``{started}``, the UTC time as
            ``20260131T235959Z``. Where a name is taken, ``-2`` and so on is added.
        max_silence: seconds of silence in a file, at most: a call whose sockets stay open may be silent for
            days, and what it then says would lie behind gigabytes. Beyond it the recording stops.
            Four hours, our choice: 230 MB of µ-law in stereo.
        max_queued: bytes of audio that wait for the disk, at most; beyond it audio is dropped.
        clock: tells the time in seconds since 1970.

    Raises:
        ValueError: the directory does not exist, or the name has something else in it.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        layout: Layout = Layout.STEREO,
        encoding: Encoding = Encoding.ULAW,
        name: str = "{bus_no}-{contact_id}-{started}",
        max_silence: float = 14400.0,
        max_queued: int = 64 << 20,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = Path(directory)
        if not self._directory.is_dir():
            raise ValueError(f"the directory of the recordings does not exist: {self._directory}")
        check_name(name)
        self._layout = layout
        self._encoding = encoding
        self._name = name
        self._max_silence = max_silence
        self._max_queued = max_queued
        self._clock = clock
        self._queue: deque[tuple[CallEvent, float]] = deque()
        self._queued = 0
        self._closing = False
        self._changed = Condition()
        self._thread: Thread | None = None
        self._files: dict[int, CallFiles | None] = {}  # None once a recording has failed
        self.stats = RecorderStats()

    def start(self) -> None:
        """Start the writer's thread.

        Raises:
            RuntimeError: it was started before.
        """
        if self._thread is not None:
            raise RuntimeError("this recorder was started before; make a new one")
        self._thread = Thread(target=self._run, name="cxone-assist-recorder", daemon=True)
        self._thread.start()

    def handle(self, event: CallEvent) -> None:
        """Take an event, from any thread. It never blocks, and never raises because of the disk."""
        size = len(event.payload) if isinstance(event, AudioPlaced) else 0
        now = self._clock() if isinstance(event, CallStarted) else 0.0
        with self._changed:
            if self._closing or (size and self._queued + size > self._max_queued):
                self.stats.dropped_samples += size
                return
            self._queued += size
            self._queue.append((event, now))
            self._changed.notify()

    def close(self, timeout: float | None = None) -> bool:
        """Write what is queued, finish every file and stop the thread; tell whether it did so in time.

        Without a time limit it waits for the disk for as long as it takes.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def __enter__(self) -> Recorder:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- in the writer's thread ----------------------------------------------------------------

    def _run(self) -> None:
        while (entry := self._next()) is not None:
            event, now = entry
            if not isinstance(event, CallRefused):
                self._attempt(event.call.number, event, now)
        for number in list(self._files):
            self._attempt(number, None, 0.0)

    def _next(self) -> tuple[CallEvent, float] | None:
        with self._changed:
            while not self._queue:
                if self._closing:
                    return None
                self._changed.wait()
            event, now = self._queue.popleft()
            if isinstance(event, AudioPlaced):
                self._queued -= len(event.payload)
            return event, now

    def _attempt(self, number: int, event: CallEvent | None, now: float) -> None:
        """Write an event of a call; None stands for the end of the recorder."""
        if isinstance(event, CallStarted):
            self._files[number] = CallFiles(
                self._directory,
                self._layout,
                self._encoding,
                self._name,
                max_silence=self._max_silence,
                start=event,
                now=now,
            )
        files = self._files.get(number)
        if files is not None:
            try:
                self._write(files, event)
            except OSError as error:
                self._files[number] = None
                files.abandon()
                self.stats.failed_calls += 1
                _log.error("the recording of call %d stops: %s", number, error)
        if event is None or isinstance(event, CallEnded):
            self._files.pop(number, None)

    def _write(self, files: CallFiles, event: CallEvent | None) -> None:
        if isinstance(event, AudioPlaced):
            self.stats.samples += files.audio(event)
        elif event is not None:
            files.event(event)
        if event is None or isinstance(event, CallEnded):
            if files.close():
                self.stats.calls += 1
            else:
                self.stats.empty_calls += 1
