"""Records calls: WAV files, and beside each a file of JSON lines with what happened when.

A ``Recorder`` is fed the events of a ``CallAssembler(place_audio=True)``. Files are written by
one thread, which ``start()`` starts. Nothing is recorded unless a program makes a ``Recorder``.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from types import TracebackType

from attrs import define

from .call_events import CallEvent
from .wav import Encoding

__all__ = ["Layout", "Recorder", "RecorderStats"]


class Layout(Enum):
    """Which audio goes into one file."""

    STEREO = "stereo"
    """The contact left, the agent right, in ``NAME.wav``; a mixed stream in ``NAME-mix.wav``, mono."""
    MONO = "mono"
    """Each side in a file of its own: ``NAME-contact.wav``, ``NAME-agent.wav``, ``NAME-mix.wav``."""


@define
class RecorderStats:
    """What a recorder did so far. Read it; the writer counts."""

    calls: int = 0
    """Calls with audio whose recording is finished."""
    empty_calls: int = 0
    """Calls that ended without audio; they leave no file."""
    bytes_written: int = 0
    """Of audio, silence included."""
    dropped_events: int = 0
    """Events that found the queue full, or came after ``close()``."""
    failed_calls: int = 0
    """Calls whose recording stopped early: the disk was full, or the file limit was reached."""


class Recorder:
    """Writes calls to files, off the caller's thread.

    Args:
        directory: where the files go; it must exist.
        layout: which audio goes into one file.
        encoding: µ-law as it came, or 16-bit PCM for programs that read no µ-law.
        name: the name of a call's files without ending: letters, digits, ``-``, ``_``, ``.`` and
            the fields ``{bus_no}``, ``{contact_id}``, ``{number}`` and ``{started}``, the UTC time as
            ``20260131T235959Z``. Where a name is taken, ``-2`` and so on is added.
        max_queued: bytes of audio that wait for the disk, at most; beyond it events are dropped.

    Raises:
        ValueError: the directory does not exist, or the name has something else in it.
    """

    stats: RecorderStats

    def __init__(
        self,
        directory: str | Path,
        *,
        layout: Layout = Layout.STEREO,
        encoding: Encoding = Encoding.ULAW,
        name: str = "{bus_no}-{contact_id}-{started}",
        max_queued: int = 64 << 20,
    ) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Start the writer's thread."""
        raise NotImplementedError

    def handle(self, event: CallEvent) -> None:
        """Take an event, from any thread; it never blocks and never raises because of the disk."""
        raise NotImplementedError

    def close(self, timeout: float | None = None) -> bool:
        """Write what is queued, finish every file, stop the thread; tell whether that was done in time."""
        raise NotImplementedError

    def __enter__(self) -> Recorder:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError
