"""``cxone-assist serve``: an endpoint to develop with, which shows what arrives."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from attrs import define
from rich.live import Live

from ..auth import StaticTokens
from ..call_events import AudioPlaced, CallEvent
from ..capture import CaptureWriter
from ..messages import StreamPerspective
from ..mulaw import SAMPLE_RATE, peak
from ..recording import Recorder
from ..server import Authorize, Server, Stream, allow_all
from .output import Output
from .show import as_document, in_words

_REFRESH_SECONDS = 0.25
_DRAIN_SECONDS = 2.0
_COLUMNS = ("contact", "side", "seconds", "level", "frames", "state")
_METER = 20
_FULL_SCALE = 32124
_SILENT_SECONDS = 1.0


def serve(
    output: Output,
    *,
    host: str,
    port: int,
    tokens: Sequence[str],
    directory: Path | None,
    captures: Path | None,
) -> int:
    """Serve until Ctrl-C or SIGTERM. Gives the exit code."""
    authorize: Authorize = StaticTokens(*tokens) if tokens else allow_all
    live = output.console.is_terminal and not output.as_json
    with ExitStack() as stack:
        recorder = None if directory is None else stack.enter_context(Recorder(directory))

        def on_call(event: CallEvent) -> None:
            if recorder is not None:
                recorder.handle(event)
            if not isinstance(event, AudioPlaced):
                output.document(as_document(event))
                if not live:
                    output.line(f"{type(event).__name__:<16} {in_words(event)}")

        server = Server(
            authorize=authorize,
            on_start=None if captures is None else _Captures(captures).open,
            on_audio=_remember,
            on_call=on_call,
            on_end=_close_capture,
            place_audio=recorder is not None,
            inline=True,
            host=host,
            port=port,
        )
        try:
            server.start()
        except OSError as error:
            output.failure(f"{host}:{port} cannot be listened on: {error.strerror}")
            return 1
        stack.callback(server.close, _DRAIN_SECONDS)
        output.document({"url": server.url})
        output.line(f"Listening at {server.url}; Ctrl-C ends it.")
        if not tokens:
            output.failure("No --token is given: everybody who reaches the address may stream.")
        with _ended_by_signals():
            _watch(output, server, live=live)
    return 0


@define
class _Seen:
    """What the table wants to know of a stream."""

    heard: float = 0.0
    ulaw: bytes = b""
    capture: CaptureWriter | None = None
    file: BinaryIO | None = None


def _seen(stream: Stream) -> _Seen:
    if not isinstance(stream.data, _Seen):
        stream.data = _Seen()
    return stream.data


def _remember(stream: Stream, ulaw: bytes, _position: int) -> None:
    seen = _seen(stream)
    seen.heard, seen.ulaw = time.monotonic(), ulaw
    if seen.capture is not None:
        seen.capture.received(ulaw, seen.heard)


class _Captures:
    """Captures every stream into a file of its own; tokens and parameters are left out."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = count(1)

    def open(self, stream: Stream) -> None:
        side = stream.perspective.value if isinstance(stream.perspective, StreamPerspective) else "other"
        name = f"{stream.bus_no}-{stream.contact_id}-{side}-{os.getpid()}-{next(self._numbers)}.cxcap"
        seen, now = _seen(stream), time.monotonic()
        seen.file = (self._directory / name).open("xb")
        seen.capture = CaptureWriter(seen.file, now=now, started=time.time())
        seen.capture.received(stream.init.to_json(), now)


def _close_capture(stream: Stream) -> None:
    seen = _seen(stream)
    if seen.capture is not None and seen.file is not None:
        seen.capture.closed(None, "", time.monotonic())
        seen.file.close()


def _watch(output: Output, server: Server, *, live: bool) -> None:
    """Show the streams until the end is asked for."""
    try:
        if not live:
            while True:
                time.sleep(_REFRESH_SECONDS)
        with Live(console=output.console, auto_refresh=False) as screen:
            while True:
                screen.update(output.grid(_COLUMNS, map(_row, server.streams)), refresh=True)
                time.sleep(_REFRESH_SECONDS)
    except KeyboardInterrupt:
        return


def _row(stream: Stream) -> Sequence[str]:
    stats = stream.stats
    seen = _seen(stream)
    silent = time.monotonic() - seen.heard > _SILENT_SECONDS
    bar = 0 if silent else round(_METER * (peak(seen.ulaw) / _FULL_SCALE) ** 0.5)
    return (
        str(stream.contact_id),
        str(stream.perspective),
        f"{stats.samples / SAMPLE_RATE:.1f}",
        ("#" * bar).ljust(_METER, "."),
        str(stats.frames),
        "silent" if silent else "audio",
    )


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: this is a program, and its process is its own."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
