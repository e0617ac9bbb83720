"""Plays a planned call against an endpoint, as CXone would: real sockets, paced by absolute deadlines."""

from __future__ import annotations

import asyncio
import math
import ssl as ssl_module
from collections.abc import Callable, Sequence
from contextlib import suppress

from attrs import define, evolve, field
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from ..events import MessageReceived, StreamAccepted, StreamRefused
from ..messages import CXoneWebSocketMessage, StreamPerspective, WebSocketHookInitializeMessage
from ..mulaw import SILENCE
from ..protocol import INIT_TIMEOUT, PlatformConnection, State
from ._client import cut, dial
from .lockstep import Lockstep
from .schedule import Action, Kind

__all__ = ["CallReport", "play"]


_LATE_SECONDS = 0.02
"""A frame that leaves later than this is one frame behind."""


@define
class CallReport:
    """What happened while a call was played."""

    frames: int = 0
    samples: int = 0
    handshake_seconds: list[float] = field(factory=list)
    """From the initialize message to CONNECTED, for each socket that was accepted."""
    worst_lateness: float = 0.0
    """Seconds that a frame left after it was due: the simulator's own fault, or the machine's."""
    late_frames: int = 0
    """Frames more than 20 ms late. Where there are any, the call says little about the endpoint."""
    messages: list[CXoneWebSocketMessage] = field(factory=list)
    """What the endpoint sent, but CONNECTED."""
    warnings: list[str] = field(factory=list)
    """Where CONNECTED differs from the page's, in a way that is understood all the same."""
    unreachable: list[str] = field(factory=list)
    refused: list[str] = field(factory=list)
    violations: list[str] = field(factory=list)
    unmet: list[str] = field(factory=list)
    """Expectations of the scenario that did not come true, and streams that the endpoint closed."""
    sent: dict[StreamPerspective, list[tuple[int, bytearray]]] = field(factory=dict, repr=False)
    """For each perspective, the stretches of audio that were sent, with their positions in the call."""

    @property
    def ok(self) -> bool:
        """Whether all went as the scenario has it."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """0 all well; 1 an expectation was not met; 2 no CONNECTED; 3 the endpoint broke the protocol;
        5 it could not be reached."""
        if self.unreachable:
            return 5
        if self.refused:
            return 2
        if self.violations:
            return 3
        return 1 if self.unmet else 0

    def track(self, perspective: StreamPerspective) -> bytes:
        """Return one side of the call, µ-law: what was sent, at its place, and silence elsewhere."""
        track = bytearray()
        for position, ulaw in self.sent.get(perspective, ()):
            track = track.ljust(position, bytes([SILENCE])) + ulaw
        return bytes(track)


def play(
    url: str,
    actions: Sequence[Action],
    init: WebSocketHookInitializeMessage,
    *,
    rate: float = 1.0,
    ssl: ssl_module.SSLContext | None = None,
    on_action: Callable[[Action], object] | None = None,
    lockstep: Lockstep | None = None,
) -> CallReport:
    """Play a call, and return how it went.

    A handshake takes no time of the call: the clock of the call stops until CONNECTED is there.

    Args:
        url: of the endpoint, ``ws://`` or ``wss://``.
        actions: of ``plan()``.
        init: the initialize message; each socket sends it with its own perspective.
        rate: how many times faster than real; ``math.inf`` for as fast as possible.
        ssl: for ``wss``, in place of the default context.
        on_action: called with each action but audio, when it is done.
        lockstep: the clock of a server in this process, to go in step with it.
    """
    player = _Player(url, init, rate=rate, ssl=ssl, on_action=on_action, lockstep=lockstep)
    return asyncio.run(player.run(actions))


class _OutOfStepError(Exception):
    """The server did not take in what was sent."""


class _Leg:
    """One socket of the call."""

    def __init__(self, websocket: ClientConnection, init: WebSocketHookInitializeMessage) -> None:
        self.websocket = websocket
        self.platform = PlatformConnection()
        self.init_text = self.platform.connect(init)
        self.changed = asyncio.Event()
        self.refusal = "refused"
        self.messages = 0
        self.reader: asyncio.Task[None]


class _Player:
    def __init__(
        self,
        url: str,
        init: WebSocketHookInitializeMessage,
        *,
        rate: float,
        ssl: ssl_module.SSLContext | None,
        on_action: Callable[[Action], object] | None,
        lockstep: Lockstep | None,
    ) -> None:
        self._url = url
        self._init = init
        self._rate = rate
        self._ssl = ssl
        self._on_action = on_action
        self._lockstep = lockstep
        self._legs: dict[StreamPerspective, _Leg] = {}
        self._next: dict[StreamPerspective, int] = {}
        self._report = CallReport()

    async def run(self, actions: Sequence[Action]) -> CallReport:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            for action in actions:
                if action.kind is Kind.AUDIO and not self._legs and self._turned_away:
                    break
                due = started + action.at / self._rate
                delay = due - loop.time()
                if delay > 0:
                    await asyncio.sleep(delay)
                began = loop.time()
                await self._take(action, late=began - due)
                if action.kind is not Kind.AUDIO:
                    started += loop.time() - began
            for perspective in list(self._legs):
                await self._close(perspective)
        except _OutOfStepError:
            self._report.unmet.append("the server did not take in what was sent")
        finally:
            for leg in self._legs.values():
                cut(leg.websocket)
        return self._report

    @property
    def _turned_away(self) -> bool:
        return bool(self._report.unreachable or self._report.refused)

    async def _take(self, action: Action, *, late: float) -> None:
        if self._lockstep is not None:
            self._lockstep.move_to(action.at)
        if action.kind is Kind.AUDIO:
            self._note_lateness(late)
            await self._send_audio(action)
        else:
            await self._do(action)
            if self._on_action is not None:
                self._on_action(action)
        if self._lockstep is not None:
            samples, streams = self._report.samples, len(self._legs)
            if not await asyncio.to_thread(self._lockstep.wait, samples=samples, streams=streams):
                raise _OutOfStepError

    def _note_lateness(self, seconds: float) -> None:
        if self._rate == math.inf:  # nothing is ever due
            return
        self._report.worst_lateness = max(self._report.worst_lateness, seconds)
        self._report.late_frames += seconds > _LATE_SECONDS

    async def _send_audio(self, action: Action) -> None:
        leg = self._legs.get(action.perspective)
        if leg is None:
            return
        try:
            if leg.platform.state is State.STREAMING:  # else the reader has seen the end of it
                await leg.websocket.send(leg.platform.send_audio(action.payload))
        except ConnectionClosed:
            leg.platform.closed(leg.websocket.close_code)
        if leg.platform.state is not State.STREAMING:
            code = leg.websocket.close_code
            self._report.unmet.append(f"{action.perspective}: the endpoint closed the stream, with {code}")
            del self._legs[action.perspective]
            return
        self._report.frames += 1
        self._report.samples += len(action.payload)
        stretches = self._report.sent.setdefault(action.perspective, [])
        if self._next.get(action.perspective) == action.position:
            stretches[-1][1].extend(action.payload)
        else:
            stretches.append((action.position, bytearray(action.payload)))
        self._next[action.perspective] = action.position + len(action.payload)

    async def _do(self, action: Action) -> None:
        if action.kind is Kind.OPEN:
            await self._open(action.perspective)
            return
        leg = self._legs.get(action.perspective)
        if leg is None:
            return
        if action.kind is Kind.CLOSE:
            await self._close(action.perspective)
        elif action.kind is Kind.DROP:
            await self._drop(action.perspective)
        elif action.kind is Kind.EXPECT:
            await self._expect(leg, action)
        else:
            garbage: dict[str, str | bytes] = {"init": leg.init_text, "text": "hello", "empty": b""}
            await _say(leg, garbage[action.what])

    async def _open(self, perspective: StreamPerspective) -> None:
        loop = asyncio.get_running_loop()
        try:
            websocket = await dial(self._url, self._ssl)
        except (OSError, WebSocketException, asyncio.TimeoutError) as error:
            self._report.unreachable.append(f"{perspective}: {str(error) or type(error).__name__}")
            return
        self._next.pop(perspective, None)  # a new socket is a stretch of its own
        leg = _Leg(websocket, evolve(self._init, stream_perspective=perspective))
        self._legs[perspective] = leg
        began = loop.time()
        await _say(leg, leg.init_text)
        leg.reader = asyncio.create_task(self._read(perspective, leg))
        if await _until(leg, lambda: leg.platform.state is not State.AWAITING_REPLY):
            if leg.platform.state is State.STREAMING:
                self._report.handshake_seconds.append(loop.time() - began)
                return
            reason = leg.refusal
        else:
            reason = f"no answer within {INIT_TIMEOUT:g} seconds"
        self._report.refused.append(f"{perspective}: {reason}")
        await self._close(perspective)

    async def _read(self, perspective: StreamPerspective, leg: _Leg) -> None:
        """Take in what the endpoint sends, until the socket closes."""
        try:
            async for message in leg.websocket:
                event = leg.platform.receive(message)
                if isinstance(event, StreamAccepted):
                    self._report.warnings += [f"{perspective}: {warning}" for warning in event.warnings]
                elif isinstance(event, StreamRefused):
                    leg.refusal = f"ERROR: {event.message.message}"
                elif isinstance(event, MessageReceived):
                    leg.messages += 1
                    self._report.messages.append(event.message)
                else:
                    self._report.violations.append(f"{perspective}: {event.error}")
                leg.changed.set()
        except ConnectionClosed:
            pass  # cut, by one of the two sides
        if leg.platform.state is State.AWAITING_REPLY:
            leg.refusal = f"closed with {leg.websocket.close_code} instead of an answer"
        leg.platform.closed(leg.websocket.close_code)
        leg.changed.set()

    async def _expect(self, leg: _Leg, action: Action) -> None:
        come = {
            "CONNECTED": lambda: leg.platform.state is State.STREAMING,
            "MESSAGE": lambda: leg.messages > 0,
            "CLOSE": lambda: leg.platform.state is State.CLOSED,
        }[action.what]
        if not await _until(leg, come, action.seconds):
            self._report.unmet.append(
                f"{action.perspective}: no {action.what} within {action.seconds:g} seconds"
            )

    async def _close(self, perspective: StreamPerspective) -> None:
        leg = self._legs.pop(perspective)
        await leg.websocket.close()
        await leg.reader

    async def _drop(self, perspective: StreamPerspective) -> None:
        leg = self._legs.pop(perspective)
        cut(leg.websocket)
        await leg.reader


async def _say(leg: _Leg, message: str | bytes) -> None:
    """Send what the endpoint may be too impatient for: the reader sees that it closed the socket."""
    with suppress(ConnectionClosed):
        await leg.websocket.send(message)


async def _until(leg: _Leg, true: Callable[[], bool], seconds: float = INIT_TIMEOUT) -> bool:
    async def watch() -> None:
        while not true():
            leg.changed.clear()
            await leg.changed.wait()

    try:
        await asyncio.wait_for(watch(), seconds)
    except asyncio.TimeoutError:
        return False
    return True
