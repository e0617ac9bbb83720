"""``cxone-assist serve``: an endpoint to develop with, which shows what arrives."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType

from attrs import frozen
from rich.live import Live

from ..auth import StaticTokens
from ..call_events import AudioPlaced, CallEvent
from ..messages import WebSocketHookInitializeMessage
from ..recording import Recorder
from ..server import Authorize, Request, Server, Stream, allow_all
from .board import Board
from .captures import Captures
from .output import Output
from .show import as_document, in_words

_REFRESH_SECONDS = 0.25
_INTERRUPTED = 130  # what a shell calls the end by Ctrl-C


def serve(
    output: Output,
    *,
    host: str,
    port: int,
    tokens: Sequence[str],
    directory: Path | None,
    captures: Path | None,
) -> int:
    """Serve until Ctrl-C or SIGTERM. Gives the exit code: 130 where a second one cut the end short."""
    board = Board()
    screen = _Screen(output, board)
    capture = None if captures is None else Captures(captures)
    with ExitStack() as stack:
        recorder = None if directory is None else stack.enter_context(Recorder(directory))

        def on_audio(stream: Stream, ulaw: bytes, _position: int) -> None:
            board.hear(stream, ulaw)
            if capture is not None:
                capture.audio(stream, ulaw)

        def on_call(event: CallEvent) -> None:
            if recorder is not None:
                recorder.handle(event)
            if not isinstance(event, AudioPlaced):
                screen.tell(event)

        server = Server(
            authorize=_authorize(tokens, screen.tell),
            on_start=None if capture is None else capture.start,
            on_audio=on_audio,
            on_call=on_call,
            on_end=None if capture is None else capture.end,
            place_audio=recorder is not None,
            inline=True,
            host=host,
            port=port,
        )
        try:
            with _ended_by_signals(screen.end):
                try:
                    server.start()
                except OSError as error:
                    output.failure(f"{host}:{port} cannot be listened on: {error.strerror}")
                    return 1
                output.document({"url": server.url})
                output.line(f"Listening at {server.url}; Ctrl-C ends it.")
                if not tokens:
                    output.failure("No --token is given: everybody who reaches the address may stream.")
                screen.show()
            output.line("Closing the streams; Ctrl-C again ends it at once.")
            server.close()
            screen.end()
            screen.show()
        except KeyboardInterrupt:
            return _INTERRUPTED
    return 0


@frozen
class _TurnedAway:
    """A stream whose token was wrong: what somebody who waits for a stream in vain wants to know."""

    contact_id: int | None
    address: str


def _authorize(tokens: Sequence[str], tell: Callable[[_TurnedAway], object]) -> Authorize:
    if not tokens:
        return allow_all
    known = StaticTokens(*tokens)

    def authorize(init: WebSocketHookInitializeMessage, request: Request) -> bool:
        allowed = known(init)
        if not allowed:
            tell(_TurnedAway(init.execution_info.contact_id, request.address))
        return allowed

    return authorize


class _Screen:
    """Shows what it is told, by any thread, and on a terminal the table below it."""

    def __init__(self, output: Output, board: Board) -> None:
        self._output = output
        self._board = board
        self._started = time.monotonic()
        self._told: SimpleQueue[CallEvent | _TurnedAway | None] = SimpleQueue()

    def tell(self, what: CallEvent | _TurnedAway) -> None:
        """Show an event soon."""
        self._told.put(what)

    def end(self) -> None:
        """End ``show()``, once everything was shown; a signal handler may call it."""
        self._told.put(None)

    def show(self) -> None:
        """Show what is told until the end is asked for."""
        output = self._output
        with ExitStack() as stack:
            live = None
            if output.console.is_terminal and not output.as_json:
                live = stack.enter_context(Live(console=output.console, auto_refresh=False))
            while self._show_events():
                if live is not None:
                    live.update(self._board.table(output), refresh=True)

    def _show_events(self) -> bool:
        """Show what is told in the next quarter of a second; False where the end was asked for."""
        until = time.monotonic() + _REFRESH_SECONDS
        with suppress(Empty):
            while (told := self._told.get(timeout=max(0.0, until - time.monotonic()))) is not None:
                self._show(told)
            return False
        return True

    def _show(self, told: CallEvent | _TurnedAway) -> None:
        output = self._output
        at = time.strftime("%H:%M:%S")
        if isinstance(told, _TurnedAway):
            output.line(
                f"{at}  {told.contact_id}  TurnedAway      from {told.address}: its token is none of ours"
            )
            output.document({"event": "TurnedAway", "contactId": told.contact_id, "address": told.address})
            return
        self._board.handle(told)
        document = as_document(told, start=self._started)
        output.line(f"{at}  {document['contactId']}  {document['event']:<14}  {in_words(told)}")
        output.document(document)


@contextmanager
def _ended_by_signals(end: Callable[[], object]) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM call ``end``, and the next do what they did before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(_number: int, _frame: FrameType | None) -> None:
        restore()
        end()

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()
