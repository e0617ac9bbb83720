"""``cxone-assist replay``: play captures again, to an endpoint or straight into calls and recordings."""

from __future__ import annotations

import asyncio
import signal
import ssl as ssl_module
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from ..call_events import AudioPlaced
from ..calls import CallAssembler
from ..capture import Capture, assemble
from ..capture import replay as replay_capture
from ..recording import Recorder
from ..simulator._client import dial
from .output import Output
from .show import as_document, in_words


def replay(
    output: Output,
    files: Sequence[Path],
    *,
    url: str | None,
    ssl: ssl_module.SSLContext | None,
    speed: float,
    directory: Path | None,
) -> int:
    """Play the captures.

    Gives the exit code: 0, 1 where a recording failed, 4 where a file is no capture, 5 where nobody answers.
    """
    try:
        captures = [_read_capture(file) for file in files]
    except (ValueError, OSError) as error:
        output.failure(str(error))
        return 4
    if url is None:
        return _assemble(output, captures, directory)
    try:
        for capture in captures:
            asyncio.run(_send_or_stop(capture, url, ssl, speed))
            output.line(f"{len(capture.records)} messages sent to {url}")
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except (OSError, WebSocketException, asyncio.TimeoutError) as error:
        output.failure(str(error) or type(error).__name__)
        return 5
    return 0


def _read_capture(file: Path) -> Capture:
    try:
        return Capture.read(file)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


class _InterruptedError(Exception):
    """Ends the thread that plays: nobody waits for it any more."""


async def _send_or_stop(capture: Capture, url: str, ssl: ssl_module.SSLContext | None, speed: float) -> None:
    sending = asyncio.ensure_future(_send(capture, url, ssl, speed))
    with suppress(NotImplementedError):  # on Windows
        # A Ctrl-C that raises may come just before the loop waits, and is seen when that is over.
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, sending.cancel)
    await sending


async def _send(capture: Capture, url: str, ssl: ssl_module.SSLContext | None, speed: float) -> None:
    loop = asyncio.get_running_loop()
    interrupted = Event()

    def sleep(seconds: float) -> None:
        if interrupted.wait(seconds):
            raise _InterruptedError

    async with dial(url, ssl) as websocket:

        def send(message: str | bytes) -> None:
            asyncio.run_coroutine_threadsafe(websocket.send(message), loop).result()

        reader = asyncio.create_task(_listen(websocket))
        try:
            await asyncio.to_thread(replay_capture, capture, send, sleep=sleep, speed=speed)
        finally:
            interrupted.set()  # or Ctrl-C would wait until a pause, such as a hold, is over
    await reader


async def _listen(websocket: ClientConnection) -> None:
    """Take what the endpoint says, so that it is never held up, and look at none of it."""
    with suppress(ConnectionClosed):
        async for _ in websocket:
            pass


def _assemble(output: Output, captures: Sequence[Capture], directory: Path | None) -> int:
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
    if recorder is not None and recorder.stats.failed_calls:
        output.failure("a recording stopped early; why is told above")
        return 1
    return 0
