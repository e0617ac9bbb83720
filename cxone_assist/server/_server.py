"""The server: one event loop in a thread of its own, so that programs and callbacks stay synchronous."""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
import ssl as ssl_module
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from threading import Lock, Thread, current_thread
from time import monotonic
from types import TracebackType
from typing import Protocol

from ..call_events import Signal
from ..errors import LocalProtocolError
from ._delivery import Callbacks, OnAudio, OnCall, OnStream
from ._hub import Hub
from .limits import Limits
from .stream import Authorize, Stream

__all__ = ["Server"]

_log = logging.getLogger("cxone_assist.server")

_LAST_PORT = 65535
LOOK_SECONDS = 0.5
"""Between two looks of a thread that waits and that Ctrl-C is to interrupt. A signal that comes just before
a wait interrupts it only when the wait ends: CPython looks for signals between its own instructions."""


class _Listen(Protocol):
    def __call__(
        self, hub: Hub, listening: socket.socket, ssl_context: ssl_module.SSLContext | None
    ) -> AbstractAsyncContextManager[None]: ...


def _library() -> tuple[str, _Listen]:
    """Return the fastest websocket library there is, by name and by its way in."""
    try:
        name = "picows"
        adapter = importlib.import_module("._picows", __package__)
    except ImportError:
        name = "websockets"
        adapter = importlib.import_module("._websockets", __package__)
    return name, adapter.listen


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
    except ImportError:
        loop = asyncio.new_event_loop()
    return loop


class Server:
    """Receives CXone's streams until it is closed. A context manager; it serves once it is entered.

    The initialize message is answered before any callback but ``authorize`` is called. ``on_start``,
    ``on_audio`` and ``on_end`` of a stream are called one after the other, in a thread of that stream:
    a callback may block without holding up its own socket or another stream. Audio waits for it, up to
    ``limits.buffer_seconds``; then the oldest is dropped, and counted in ``stream.stats``. An error
    in a callback is logged once for each stream, and counted; the stream goes on.

    Args:
        authorize: who may stream: ``StaticTokens``, a function of the initialize message and the
            ``Request`` of which only ``True`` lets pass, or ``allow_all``. It may block, for at most
            ``limits.authorize_seconds``.
        on_start: called with each ``Stream`` that was accepted.
        on_audio: called with the stream, a frame of µ-law audio, and the frame's position in samples
            since the start of the stream.
        on_call: called with each ``CallEvent``, whose ``stream_id`` is a ``Stream``, in one thread for all
            calls.
        on_end: called with the stream after its last audio. The call may go on: see ``on_call``.
        host: the address to listen on.
        port: the port, 0 for one that is free.
        ssl: for ``wss``; one with ``verify_mode=ssl.CERT_REQUIRED`` asks for the peer's certificate.
        limits: what the server takes on.
        inline: call ``on_call`` in the server's own thread, and ``on_audio`` once ``on_start`` has
            returned. A core takes several times as many streams, but then each must return within
            0.1 ms and never block.
        place_audio: tell the audio of both sides, aligned, in ``AudioPlaced`` events: what a
            ``Recorder`` wants.
        reuse_port: let several processes listen on the port (``SO_REUSEPORT``).
        clock: seconds that never go back. A call that is played faster than real needs one that is
            faster, too, for its holds to have their length.
    """

    def __init__(
        self,
        *,
        authorize: Authorize,
        on_start: OnStream | None = None,
        on_audio: OnAudio | None = None,
        on_call: OnCall | None = None,
        on_end: OnStream | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl: ssl_module.SSLContext | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        inline: bool = False,
        place_audio: bool = False,
        reuse_port: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._authorize = authorize
        self._callbacks = Callbacks(
            on_start=on_start,
            on_audio=on_audio,
            on_call=on_call,
            on_end=on_end,
            inline=inline,
            place_audio=place_audio,
        )
        self._address = (host, port)
        self._ssl = ssl
        self._limits = limits
        self._reuse_port = reuse_port
        self._clock = clock
        self._library, self._listen = _library()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hub: Hub | None = None
        self._thread: Thread | None = None
        self._stopped = False
        self._running = Lock()
        self._port: int | None = None

    @property
    def port(self) -> int:
        """The port that is listened on.

        Raises:
            LocalProtocolError: the server was not started.
        """
        if self._port is None:
            raise LocalProtocolError("the server was not started; use it in a with statement")
        return self._port

    @property
    def url(self) -> str:
        """The address to give to CXone, or to a simulator of it, on this machine."""
        scheme = "ws" if self._ssl is None else "wss"
        host = f"[{self._address[0]}]" if ":" in self._address[0] else self._address[0]
        return f"{scheme}://{host}:{self.port}/"

    @property
    def library(self) -> str:
        """The websocket library at work: ``picows``, or ``websockets`` where that is not installed."""
        return self._library

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that are open now."""
        hub = self._hub
        return () if hub is None else tuple(hub.streams)

    def start(self) -> None:
        """Serve, in a thread of its own.

        Raises:
            OSError: the address cannot be listened on.
            ValueError: there is no such port.
            LocalProtocolError: the server was started before.
        """
        if self._loop is not None:
            raise LocalProtocolError("a server starts once; make another one")
        listening = bind(*self._address, reuse_port=self._reuse_port)
        self._port = listening.getsockname()[1]
        loop = self._loop = _new_loop()
        hub = self._hub = Hub(
            loop,
            authorize=self._authorize,
            callbacks=self._callbacks,
            limits=self._limits,
            clock=self._clock,
        )
        listen, ssl = self._listen, self._ssl

        async def main() -> None:
            async with listen(hub, listening, ssl):
                ready.set_result(None)
                await hub.run()

        def run() -> None:
            try:
                loop.run_until_complete(main())
            except BaseException as error:
                if ready.done():
                    raise
                ready.set_exception(error)  # for the caller, who waits for it
            finally:
                loop.close()
                listening.close()
                self._stopped = True
                self._running.release()

        ready: Future[None] = Future()
        self._running.acquire()
        self._thread = Thread(target=run, name="cxone-assist-server", daemon=True)
        self._thread.start()
        ready.result()
        _log.info("listening on port %d with %s", self._port, self._library)

    def signal(self, bus_no: int | None, contact_id: int | None, signal: Signal) -> None:
        """Tell what a Studio script told of a call: hold, resume or end. See ``CallAssembler``."""
        hub = self._hub
        if hub is not None:
            hub.in_thread(lambda: hub.signal(bus_no, contact_id, signal))

    def close(self, drain_seconds: float = 0.0) -> None:
        """Stop serving; a second call does nothing.

        For ``drain_seconds``, or until no call is left, new calls are refused while the streams of
        calls that run go on, and those on hold may resume. Then the open streams are closed with
        1001, and the last callbacks are waited for, for ``limits.close_seconds``. A callback may call
        it, and is then not waited for.

        Raises:
            LocalProtocolError: an ``inline`` callback called it, in the thread that is to end.
        """
        hub, thread = self._hub, self._thread
        if hub is None or thread is None:
            return
        if thread is current_thread():
            raise LocalProtocolError("close() waits for the server's thread; call it from another one")
        hub.in_thread(lambda: hub.drain(drain_seconds))
        # Not by joining the thread: CPython up to 3.12 takes it for ended once Ctrl-C interrupted that. Nor
        # by an event, whose lock stays taken where Ctrl-C comes at the wrong moment.
        while not self._stopped:
            self._running.acquire(timeout=LOOK_SECONDS)
        thread.join()
        hub.join(self._limits.close_seconds)
        self._hub = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def bind(host: str, port: int, *, reuse_port: bool) -> socket.socket:
    """Return a socket that is bound, and does not listen yet.

    Raises:
        OSError: the address cannot be listened on.
        ValueError: there is no such port.
    """
    if not 0 <= port <= _LAST_PORT:  # the C library takes 70000 for 4464
        raise ValueError(f"a port is 0 to {_LAST_PORT}, and was {port}")
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
