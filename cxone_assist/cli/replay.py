"""``cxone-assist replay``: play captures again, to an endpoint or straight into calls and recordings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from ..call_events import AudioPlaced
from ..calls import CallAssembler
from ..capture import Capture, assemble
from ..capture import replay as replay_capture
from ..recording import Recorder
from .output import Output
from .show import as_document, in_words


def replay(
    output: Output, files: Sequence[Path], *, url: str | None, speed: float, directory: Path | None
) -> int:
    """Play the captures. Gives the exit code: 0, 4 where a file is no capture, 5 where nobody answers."""
    try:
        captures = [Capture.read(file) for file in files]
    except (ValueError, OSError) as error:
        output.failure(str(error))
        return 4
    if url is None:
        _assemble(output, captures, directory)
        return 0
    try:
        for capture in captures:
            _send(capture, url, speed)
            output.line(f"{len(capture.records)} messages sent to {url}")
    except (OSError, WebSocketException) as error:
        output.failure(str(error) or type(error).__name__)
        return 5
    return 0


def _send(capture: Capture, url: str, speed: float) -> None:
    with connect(url, compression=None, proxy=None, ping_interval=None, max_queue=None) as websocket:
        # What the endpoint says is read, so that it is never held up, and not looked at.
        Thread(target=lambda: [None for _ in websocket], daemon=True).start()
        replay_capture(capture, websocket.send, sleep=time.sleep, speed=speed)


def _assemble(output: Output, captures: Sequence[Capture], directory: Path | None) -> None:
    with ExitStack() as stack:
        recorder = None if directory is None else stack.enter_context(Recorder(directory))
        start: float | None = None
        for event in assemble(captures, CallAssembler(place_audio=recorder is not None)):
            start = event.at if start is None else start
            if recorder is not None:
                recorder.handle(event)
            if not isinstance(event, AudioPlaced):
                output.line(f"{event.at - start:8.2f} s  {type(event).__name__:<16} {in_words(event)}")
                output.document(as_document(event, start=start))
