"""The files of one recorded call: which audio goes where, and the JSON lines beside it."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from string import Formatter
from typing import BinaryIO, Final, TextIO

import attrs

from .call_events import AudioPlaced, CallEvent, CallStarted, Perspective, StreamId
from .messages import JsonValue, StreamPerspective, WebSocketHookInitializeMessage
from .mulaw import SAMPLE_RATE
from .wav import Encoding, WavWriter

__all__ = ["CallFiles", "Layout", "check_name", "new_file"]

_FIELDS: Final = frozenset({"bus_no", "contact_id", "number", "started"})
_LITERAL: Final = re.compile(r"[A-Za-z0-9._-]*", re.ASCII)
_MAX_LINES: Final = 1000  # that wait for the first audio
_MAX_TEXT: Final = 200  # characters of a text from CXone in the JSON lines


class Layout(Enum):
    """Which audio goes into one file."""

    STEREO = "stereo"
    """The contact left, the agent right, in ``NAME.wav``; a mixed stream in ``NAME-mix.wav``, mono."""
    MONO = "mono"
    """Each side in a file of its own: ``NAME-contact.wav``, ``NAME-agent.wav``, ``NAME-mix.wav``."""


def check_name(name: str) -> None:
    """Check a template for file names against what is allowed in it.

    Raises:
        ValueError: saying what is not.
    """
    for literal, field_name, spec, conversion in Formatter().parse(name):
        if not _LITERAL.fullmatch(literal):
            raise ValueError(f"the name may have letters, digits and '._-' only, not {literal!r}")
        if field_name is not None and (field_name not in _FIELDS or spec or conversion):
            known = ", ".join(f"{{{field}}}" for field in sorted(_FIELDS))
            raise ValueError(f"the name has the field {field_name!r}; there are {known}, as they are")
    if not name or name.startswith("."):
        raise ValueError("the name must not be empty or begin with a dot")


class CallFiles:
    """Writes the files of one call. No file is made before there is audio."""

    def __init__(
        self,
        directory: Path,
        layout: Layout,
        encoding: Encoding,
        name: str,
        *,
        max_silence: float,
        start: CallStarted,
        now: float,
    ) -> None:
        self._directory = directory
        self._layout = layout
        self._encoding = encoding
        self._max_silence = max_silence
        started = datetime.fromtimestamp(now, timezone.utc)
        call = start.call
        self._name = name.format(
            bus_no=call.bus_no,
            contact_id=call.contact_id,
            number=call.number,
            started=started.strftime("%Y%m%dT%H%M%SZ"),
        )
        self._base: Path | None = None  # None as long as there is no file
        self._at = start.at
        self._waiting: list[str] = []
        self._skipped = 0
        self._streams: dict[StreamId, int] = {}
        self._tracks: dict[Perspective, _Track] = {}
        self._files: dict[str, _WavFile] = {}
        self._line("Recording", start.at, {"started": started.isoformat(timespec="milliseconds")})

    def audio(self, event: AudioPlaced) -> int:
        """Write audio, and return how many samples that were.

        Raises:
            OSError: the disk did not take it, or the file has reached the limit of its format or that of
                the silence in it.
        """
        base = self._base or self._create(event.at)
        track = self._tracks.get(event.perspective) or self._make_track(base, event.perspective)
        track.file.silence += max(0, event.position - track.file.writer.samples)
        if track.file.silence > self._max_silence * SAMPLE_RATE:
            allowed = f"{self._max_silence:g} seconds of silence"
            raise OSError(errno.EFBIG, f"it has more than {allowed}; a larger max_silence takes more")
        if event.position != track.end:
            self._line("AudioBegins", event.at, self._facts(event) | {"position": event.position})
        track.end = event.position + len(event.payload)
        written = track.file.writer.write(track.channel, event.position, event.payload)
        if written < len(event.payload):
            raise OSError(errno.EFBIG, "the file has reached the limit of its format")
        return written

    def event(self, event: CallEvent) -> None:
        """Write what happened, as a line.

        Raises:
            OSError: the disk did not take it.
        """
        self._line(type(event).__name__, event.at, self._facts(event))

    def close(self) -> bool:
        """Finish the files, and tell whether there are any.

        Raises:
            OSError: the disk did not take it.
        """
        for file in self._files.values():
            file.writer.close()
            file.handle.close()
        return bool(self._files)

    def abandon(self) -> None:
        """Close the files as they are, whatever the disk says."""
        for file in self._files.values():
            with suppress(OSError):
                file.handle.close()

    def _create(self, at: float) -> Path:
        """Make the file of lines, whose name is not taken, and return its path without the ending."""
        names = (f"{self._name}-{count}" if count > 1 else self._name for count in itertools.count(1))
        base = next(path for path in map(self._directory.joinpath, names) if _take(path))
        self._base = base
        with _lines(base) as lines:
            lines.writelines(self._waiting)
        self._waiting.clear()
        if self._skipped:
            self._line("LinesSkipped", at, {"lines": self._skipped})
        return base

    def _line(self, name: str, at: float, facts: Mapping[str, JsonValue]) -> None:
        line = json.dumps({"at": round(at - self._at, 6), "event": name, **facts}) + "\n"
        if self._base is None:
            if len(self._waiting) < _MAX_LINES:
                self._waiting.append(line)
            else:
                self._skipped += 1
            return
        with _lines(self._base) as lines:
            lines.write(line)

    def _facts(self, event: CallEvent) -> dict[str, JsonValue]:
        """Return what an event says, without secrets, audio and the program's own stream ids."""
        facts: dict[str, JsonValue] = {}
        for name in (attribute.name for attribute in attrs.fields(type(event))):
            value = getattr(event, name)
            if name in ("stream_id", "by"):
                facts[name.removesuffix("_id")] = self._streams.setdefault(value, len(self._streams) + 1)
            elif name == "init":
                facts[name] = _describe(value)
            elif name in ("call", "continues"):
                facts[name] = None if value is None else attrs.asdict(value)
            elif name == "perspective":
                facts[name] = _text(value)
            elif name not in ("at", "payload"):
                facts[name] = value.value if isinstance(value, Enum) else value
        return facts

    def _make_track(self, base: Path, perspective: Perspective) -> _Track:
        side = _side(perspective)
        while any(track.side == side for track in self._tracks.values()):
            side += "-2"
        channel = _CHANNELS.get(side) if self._layout is Layout.STEREO else None
        suffix = f"-{side}" if channel is None else ""
        if suffix not in self._files:
            handle = new_file(base.with_name(f"{base.name}{suffix}.wav"))
            writer = WavWriter(handle, channels=1 if channel is None else 2, encoding=self._encoding)
            self._files[suffix] = _WavFile(handle, writer)
        track = _Track(side, self._files[suffix], channel or 0)
        self._tracks[perspective] = track
        return track


_CHANNELS: Final = {"contact": 0, "agent": 1}
_SUFFIXES: Final = ("", "-contact", "-agent", "-mix", "-other")


@attrs.define
class _WavFile:
    handle: BinaryIO
    writer: WavWriter
    silence: int = 0
    """Samples that no audio came for, so far."""


@attrs.define
class _Track:
    side: str
    file: _WavFile
    channel: int
    end: int = -1
    """Samples of the call up to the end of its audio; before any there is none that fits."""


def _side(perspective: Perspective) -> str:
    """Return whose voice a perspective is. By the page TX is the contact's; TX_RELAY was observed."""
    if perspective is StreamPerspective.MIX:
        return "mix"
    text = str(perspective)
    return "contact" if text.startswith("TX") else "agent" if text.startswith("RX") else "other"


def _lines(base: Path) -> TextIO:
    return base.with_name(f"{base.name}.jsonl").open("a", encoding="ascii")


def _take(base: Path) -> bool:
    """Make the file of lines, and tell whether the name was free: a WAV may be there without its lines."""
    if any(base.with_name(f"{base.name}{suffix}.wav").exists() for suffix in _SUFFIXES):
        return False
    try:
        new_file(base.with_name(f"{base.name}.jsonl")).close()
    except FileExistsError:
        return False
    return True


def new_file(path: Path) -> BinaryIO:
    """Make a file that is its owner's alone.

    Raises:
        OSError: there is one, or the disk did not take it.
    """
    return open(path, "x+b", opener=lambda name, flags: os.open(name, flags, 0o600))


def _text(value: Enum | str | None) -> str | None:
    text = value.value if isinstance(value, Enum) else value
    return None if text is None else str(text)[:_MAX_TEXT]


def _describe(init: WebSocketHookInitializeMessage) -> dict[str, JsonValue]:
    """Return what an initialize message says that can be no secret."""
    info, source = init.execution_info, init.system_telemetry_data
    return {
        "contact_id": info.contact_id,
        "bus_no": info.bus_no,
        "request_id": info.request_id,
        "action_type": _text(info.action_type),
        "action_id": info.action_id,
        "script_name": _text(info.script_name),
        "consumer_process_name": _text(source.consumer_process_name),
        "consumer_process_version": _text(source.consumer_process_version),
        "stream_perspective": _text(init.stream_perspective),
        "dialect": init.dialect.value,
    }
