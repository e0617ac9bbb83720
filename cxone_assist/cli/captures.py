"""The captures of ``cxone-assist serve``: a file for each stream, without tokens and parameters."""

from __future__ import annotations

import os
import time
from itertools import count
from pathlib import Path
from typing import BinaryIO

from .._call_files import new_file
from ..capture import CaptureWriter
from ..messages import StreamPerspective
from ..server import Stream

__all__ = ["Captures"]


class Captures:
    """Writes what comes on each stream; its methods are what the server calls."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = count(1)
        self._open: dict[Stream, tuple[CaptureWriter, BinaryIO]] = {}

    def start(self, stream: Stream) -> None:
        """Begin a file with the initialize message."""
        side = stream.perspective.value if isinstance(stream.perspective, StreamPerspective) else "other"
        name = f"{stream.bus_no}-{stream.contact_id}-{side}-{os.getpid()}-{next(self._numbers)}.cxcap"
        file = new_file(self._directory / name)
        now = time.monotonic()
        capture = CaptureWriter(file, now=now, started=time.time())
        capture.received(stream.init.text, now)
        self._open[stream] = capture, file

    def audio(self, stream: Stream, ulaw: bytes) -> None:
        """Write audio."""
        if stream in self._open:
            self._open[stream][0].received(ulaw, time.monotonic())

    def end(self, stream: Stream) -> None:
        """Finish the file."""
        if stream in self._open:
            capture, file = self._open.pop(stream)
            capture.closed(None, "", time.monotonic())
            file.close()
