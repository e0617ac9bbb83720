"""Captures what came over one socket into a ``.cxcap`` file, and replays it.

The first line is a JSON object with ``cxcap``, the version 1, and ``started``. After it comes one
record for each message: microseconds since the record before (8 bytes), opcode (1 byte), length
(4 bytes), all big-endian, and the payload.
"""

from __future__ import annotations

import heapq
import json
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Final

from attrs import frozen

from . import _wire
from .call_events import CallEvent
from .calls import CallAssembler
from .errors import RemoteProtocolError
from .events import AudioReceived, StreamRequested
from .messages import JsonValue
from .protocol import AssistConnection

__all__ = ["Capture", "CaptureOpcode", "CaptureWriter", "CapturedMessage", "assemble", "replay"]

REDACTED: Final = "<redacted>"

_HARMLESS: Final = frozenset(
    key.lower()
    for key in (
        *("contactId", "busNo", "requestId", "actionType", "actionId", "scriptName"),
        *("consumerProcessHost", "consumerProcessName", "consumerProcessVersion"),
        *("inContactClusterAlias", "inContactScriptEngineHost", "streamPerspective"),
        *("minimumVersion", "maximumVersion", "format", "eof"),
    )
)

_HEAD: Final = struct.Struct(">QBI")
_VERSION: Final = 1
_MAX_HEADER: Final = 4096  # bytes of the first line
_LATEST: Final = 2.0**40  # seconds since 1970: far beyond every clock, and exact to a millisecond
_MICROSECONDS: Final = 1_000_000


_MAX_PAYLOAD: Final = 64 << 20
_MAX_PAUSE: Final = 366 * 86400 * _MICROSECONDS
"""Our choice, as the largest payload is: beyond both a file is damaged, and no message is that large."""


class CaptureOpcode(IntEnum):
    """What a record holds. All but the last are the websocket's own numbers."""

    TEXT = 1
    BINARY = 2
    CLOSE = 8
    """The close code in two bytes, then the reason; empty where the peer vanished."""
    SENT_TEXT = 0x81
    """A text that went to CXone."""


_OPCODES: Final = frozenset(CaptureOpcode)


@frozen
class CapturedMessage:
    """One message of a capture."""

    at: float
    """Seconds since the socket opened."""
    opcode: CaptureOpcode
    payload: bytes


class CaptureWriter:
    """Writes one socket's capture into a binary file that the caller opened and closes.

    A capture holds what was said on the telephone: treat the file as you treat a recording.

    Args:
        file: open for writing, in binary.
        now: when the socket opened, in seconds of the clock that every method is told.
        started: the same moment in seconds since 1970, to put several captures in relation.
        redact: keep the shape of what CXone says in text, but of its values only those that can be
            no secret: the ids, the perspective, what names a script, a program or a version.
    """

    def __init__(self, file: BinaryIO, *, now: float, started: float, redact: bool = True) -> None:
        self._file = file
        self._start = now
        self._written = 0  # microseconds since the start
        self._redact = redact
        header = json.dumps({"cxcap": _VERSION, "started": started, "redacted": redact})
        file.write(header.encode("ascii") + b"\n")

    def received(self, message: str | bytes, now: float) -> None:
        """Write a message from CXone.

        Raises:
            OSError: the file did not take it.
        """
        if isinstance(message, bytes):
            self._write(CaptureOpcode.BINARY, message, now)
            return
        text = _redact(message) if self._redact else message
        self._write(CaptureOpcode.TEXT, text.encode("utf-8", "replace"), now)

    def sent(self, text: str, now: float) -> None:
        """Write a text to CXone. Raises as ``received()``."""
        self._write(CaptureOpcode.SENT_TEXT, text.encode("utf-8", "replace"), now)

    def closed(self, code: int | None, reason: str, now: float) -> None:
        """Write the end of the socket. Raises as ``received()``."""
        payload = b"" if code is None else struct.pack(">H", code) + reason.encode()
        self._write(CaptureOpcode.CLOSE, payload, now)

    def _write(self, opcode: CaptureOpcode, payload: bytes, now: float) -> None:
        since_start = max(self._written, round((now - self._start) * _MICROSECONDS))
        self._file.write(_HEAD.pack(since_start - self._written, opcode, len(payload)) + payload)
        self._written = since_start


@frozen
class Capture:
    """A capture that was read."""

    started: float
    """When the socket opened, in seconds since 1970."""
    records: tuple[CapturedMessage, ...]
    truncated: bool = False
    """True where the file ends within a record, as after a crash; what is before it was read."""

    @classmethod
    def read(cls, source: BinaryIO | str | PathLike[str]) -> Capture:
        """Read a capture from a file or the path of one.

        Raises:
            ValueError: it is no capture, or has a record that none has: of an unknown kind, of more than
                64 MiB, or a year after the one before.
            OSError: the file cannot be read.
        """
        if isinstance(source, (str, PathLike)):
            with Path(source).open("rb") as file:
                return cls.read(file)
        started = _read_header(source.readline(_MAX_HEADER))
        records: list[CapturedMessage] = []
        elapsed = 0
        while head := source.read(_HEAD.size):
            if len(head) < _HEAD.size:
                return cls(started, tuple(records), truncated=True)
            delta, opcode, size = _HEAD.unpack(head)
            if opcode not in _OPCODES or size > _MAX_PAYLOAD or delta > _MAX_PAUSE:
                raise ValueError(
                    f"the capture is damaged, or of another version: record {len(records) + 1} has opcode"
                    f" {opcode} and {size} bytes, {delta / _MICROSECONDS:g} s after the one before"
                )
            payload = source.read(size)
            if len(payload) < size:
                return cls(started, tuple(records), truncated=True)
            elapsed += delta
            records.append(CapturedMessage(elapsed / _MICROSECONDS, CaptureOpcode(opcode), payload))
        return cls(started, tuple(records))


def replay(
    capture: Capture,
    send: Callable[[str | bytes], object],
    *,
    sleep: Callable[[float], object],
    speed: float = 1.0,
) -> None:
    """Hand over what CXone sent, message by message, with the pauses between them.

    Args:
        capture: of one socket.
        send: takes a message: a websocket's ``send``, or a connection's ``receive``.
        sleep: waits for some seconds, like ``time.sleep``.
        speed: how many times faster than it came.

    Raises:
        ValueError: the speed is not above zero.
    """
    if not speed > 0:
        raise ValueError("the speed must be above zero")
    before = 0.0
    for record in capture.records:
        if record.opcode in (CaptureOpcode.TEXT, CaptureOpcode.BINARY):
            if record.at > before:
                sleep((record.at - before) / speed)
            before = record.at
            send(_message(record))


def assemble(captures: Iterable[Capture], assembler: CallAssembler) -> Iterator[CallEvent]:
    """Play captures into an assembler in the order in which things happened, and yield its events.

    Every initialize message is accepted. Time is that of the captures, in seconds since the first
    of them; nothing waits, and the outcome is the same every time. A capture that has no end
    ends with its last record. The assembler is not closed.
    """
    captures = list(captures)
    origin = min((capture.started for capture in captures), default=0.0)
    sockets = [_play(capture, number, origin) for number, capture in enumerate(captures)]
    connections = [AssistConnection(init_timeout=None, max_message=_MAX_PAYLOAD) for _ in captures]
    for now, number, record in heapq.merge(*sockets, key=lambda step: step[0]):
        while (deadline := assembler.next_deadline()) is not None and deadline <= now:
            yield from assembler.tick(deadline)
        if record.opcode is CaptureOpcode.CLOSE:
            yield from assembler.stream_closed(number, now)
            continue
        connection = connections[number]
        event = connection.receive(_message(record))
        if isinstance(event, StreamRequested):
            connection.accept()
            yield from assembler.stream_started(number, event.init, now)
        elif isinstance(event, AudioReceived):
            yield from assembler.audio(number, event.payload, now)


def _play(capture: Capture, number: int, origin: float) -> Iterator[tuple[float, int, CapturedMessage]]:
    start = capture.started - origin
    last = 0.0
    for record in capture.records:
        last = record.at
        if record.opcode is not CaptureOpcode.SENT_TEXT:
            yield start + last, number, record
    yield start + last, number, CapturedMessage(last, CaptureOpcode.CLOSE, b"")  # a second close is ignored


def _message(record: CapturedMessage) -> str | bytes:
    if record.opcode is CaptureOpcode.BINARY:
        return record.payload
    return record.payload.decode("utf-8", "replace")


def _read_header(line: bytes) -> float:
    try:
        header = json.loads(line)
        version, started = header["cxcap"], float(header["started"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        version, started = None, math.nan
    if not abs(started) < _LATEST:
        raise ValueError("the file is no capture: its first line is not the header of one")
    if version != _VERSION:
        raise ValueError(f"the capture has version {version!r}; this reads version {_VERSION}")
    return started


# --- what is kept out of a capture ---------------------------------------------------------------


def _redact(text: str) -> str:
    """Return a text of the same shape: where it is JSON, with all values but the known harmless ones gone."""
    try:
        document = _wire.load(text)
    except RemoteProtocolError:
        document = text
    return _wire.dump(_mask(document))


def _mask(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return value and REDACTED
    if isinstance(value, Mapping):
        return {key: item if _is_harmless(key, item) else _mask(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_mask(item) for item in value]
    return value if value is None or isinstance(value, bool) else 0


def _is_harmless(key: str, value: JsonValue) -> bool:
    return key.lower() in _HARMLESS and isinstance(value, (str, int, float))
