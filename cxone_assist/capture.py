"""Captures what came over one socket into a ``.cxcap`` file, and replays it.

The first line is a JSON header; after it comes one record for each message: microseconds since the
record before (8 bytes), opcode (1 byte), length (4 bytes), all big-endian, and the payload.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from .call_events import CallEvent
from .calls import CallAssembler

__all__ = ["Capture", "CaptureWriter", "Opcode", "Record", "assemble", "replay"]


class Opcode(IntEnum):
    """What a record holds; the first two and CLOSE are the websocket's own numbers."""

    TEXT = 1
    BINARY = 2
    CLOSE = 8
    """The close code in two bytes, then the reason; empty where the peer vanished."""
    SENT_TEXT = 0x81
    """A text that went to CXone."""


@frozen
class Record:
    """One message of a capture."""

    at: float
    """Seconds since the socket opened."""
    opcode: Opcode
    payload: bytes


class CaptureWriter:
    """Writes one socket's capture into a binary file that the caller opened and closes.

    Args:
        file: open for writing, in binary.
        now: when the socket opened, in seconds of the clock that every method is told.
        started: the same moment in seconds since 1970, to put several captures in relation.
        redact: replace the token, and the values in ``appParams`` and ``appConfig``.
    """

    def __init__(self, file: BinaryIO, *, now: float, started: float, redact: bool = True) -> None:
        raise NotImplementedError

    def received(self, message: str | bytes, now: float) -> None:
        """Write a message from CXone."""
        raise NotImplementedError

    def sent(self, text: str, now: float) -> None:
        """Write a text to CXone."""
        raise NotImplementedError

    def closed(self, code: int | None, reason: str, now: float) -> None:
        """Write the end of the socket."""
        raise NotImplementedError


@frozen
class Capture:
    """A capture that was read."""

    started: float
    """When the socket opened, in seconds since 1970."""
    records: tuple[Record, ...]
    truncated: bool
    """True where the file ends within a record, as after a crash."""

    @classmethod
    def read(cls, file: BinaryIO | str | Path) -> Capture:
        """Read a capture.

        Raises:
            ValueError: the file is no capture.
        """
        raise NotImplementedError


def replay(
    capture: Capture,
    send: Callable[[str | bytes], object],
    *,
    sleep: Callable[[float], object],
    speed: float = 1.0,
) -> None:
    """Hand over what CXone sent, paced as it came: ``sleep`` is ``time.sleep`` or a test's own."""
    raise NotImplementedError


def assemble(captures: Iterable[Capture], assembler: CallAssembler) -> Iterator[CallEvent]:
    """Play captures into an assembler in the order in which things happened, and yield its events.

    Time is that of the captures: nothing waits, and the outcome is the same every time.
    """
    raise NotImplementedError
