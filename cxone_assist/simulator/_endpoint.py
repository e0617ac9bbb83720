"""What the checks talk to: an endpoint whose every fault is told in words for the person who wrote it."""

from __future__ import annotations

import asyncio
import json
import ssl as ssl_module
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ..events import PlatformEvent, StreamAccepted, StreamRefused
from ..messages import JsonValue, WebSocketHookInitializeMessage
from ..protocol import PlatformConnection
from ._client import cut, dial

__all__ = ["CheckFailed", "Endpoint", "Peer"]

PATIENCE = 1.0
"""Seconds for an answer: audio of a live call waits for it."""
QUIET = 0.15
"""Seconds in which something must not happen."""


class CheckFailed(Exception):  # noqa: N818 - the outcome of a case, caught by the one who runs it
    """What was found, in words for the person who wrote the endpoint."""


class Peer:
    """One socket to the endpoint."""

    def __init__(self, websocket: ClientConnection, init: WebSocketHookInitializeMessage) -> None:
        self.websocket = websocket
        self.platform = PlatformConnection()
        self._init_text = self.platform.connect(init)

    def init_text(self, keys: Mapping[str, JsonValue] | None = None) -> str:
        """Return the initialize text, with top-level keys replaced or added."""
        document: dict[str, JsonValue] = json.loads(self._init_text)
        return json.dumps(document | dict(keys or {}))

    async def send(self, message: str | bytes) -> None:
        """Send a message.

        Raises:
            CheckFailed: the endpoint has closed the socket.
        """
        try:
            await self.websocket.send(message)
        except ConnectionClosed:
            raise CheckFailed(f"it closed the socket, with {self.websocket.close_code}") from None

    async def event(self, seconds: float = PATIENCE) -> PlatformEvent | None:
        """Return what the endpoint says next, None where it says nothing in time.

        Raises:
            CheckFailed: the endpoint has closed the socket.
        """
        try:
            message = await asyncio.wait_for(self.websocket.recv(), seconds)
        except asyncio.TimeoutError:
            return None
        except ConnectionClosed:
            raise CheckFailed(f"it closed the socket, with {self.websocket.close_code}") from None
        return self.platform.receive(message)

    async def accepted(self, keys: Mapping[str, JsonValue] | None = None) -> StreamAccepted:
        """Send the initialize message, and return CONNECTED.

        Raises:
            CheckFailed: something else came, or nothing.
        """
        await self.send(self.init_text(keys))
        return await self.answer()

    async def answer(self) -> StreamAccepted:
        """Return CONNECTED.

        Raises:
            CheckFailed: something else came, or nothing.
        """
        event = await self.event(PATIENCE)
        if isinstance(event, StreamAccepted):
            return event
        if event is None:
            raise CheckFailed(f"no answer within {PATIENCE:g} second to the initialize message")
        if isinstance(event, StreamRefused):
            raise CheckFailed(f"it refused with ERROR: {event.message.message}")
        raise CheckFailed(f"the answer is not CONNECTED: {getattr(event, 'error', event)}")

    async def alive(self) -> None:
        """See that the socket is open, by a ping.

        Raises:
            CheckFailed: it is closed, or the ping was not answered.
        """
        try:
            pong = await self.websocket.ping()
            await asyncio.wait_for(pong, PATIENCE)
        except ConnectionClosed:
            raise CheckFailed(f"it closed the socket, with {self.websocket.close_code}") from None
        except asyncio.TimeoutError:
            raise CheckFailed(f"a ping was not answered within {PATIENCE:g} second") from None

    def cut(self) -> None:
        """Cut the connection without a word."""
        cut(self.websocket)


class Endpoint:
    """The endpoint under check."""

    def __init__(
        self,
        url: str,
        init: WebSocketHookInitializeMessage,
        silence: float,
        ssl: ssl_module.SSLContext | None,
    ) -> None:
        self._url = url
        self.init = init
        self.silence = silence
        self._ssl = ssl

    @asynccontextmanager
    async def open(self, init: WebSocketHookInitializeMessage | None = None) -> AsyncIterator[Peer]:
        """Open a socket; it is closed at the end."""
        async with dial(self._url, self._ssl) as websocket:
            yield Peer(websocket, init or self.init)
