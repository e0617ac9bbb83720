"""What a ``CallAssembler`` remembers of a call, of each of its sides and of each open stream."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final, TypeAlias

from attrs import define, field

from ._timeline import CallClock, Placement, StreamClock
from .call_events import AudioLost, AudioPlaced, Call, CallEvent, Perspective, StreamId
from .messages import StreamPerspective, WebSocketHookInitializeMessage
from .mulaw import SAMPLE_RATE

__all__ = ["CHUNK", "CallState", "Key", "OpenStream", "Side", "key_of"]

CHUNK: Final = SAMPLE_RATE
"""Samples after which placed audio is handed over: a second."""

_SPREAD: Final = 1733
"""By how many samples one call is handed over before the next. Where many streams begin at once, as after a
restart, all would else be handed over in the same hundredth of each second."""

Key: TypeAlias = tuple[int, int] | int
"""Business unit and contact, or the number of a call that cannot be identified."""

_PEER: Final = {
    StreamPerspective.TX: StreamPerspective.RX,
    StreamPerspective.RX: StreamPerspective.TX,
}


def key_of(init: WebSocketHookInitializeMessage) -> tuple[int, int] | None:
    """Return what identifies a call, None where nothing does."""
    info = init.execution_info
    return None if info.bus_no is None or info.contact_id is None else (info.bus_no, info.contact_id)


@define(eq=False)
class Side:
    """One perspective of a call, over all streams that carry it one after another."""

    perspective: Perspective
    stream: OpenStream | None = None
    missing_at: float = inf
    """When the lack of a stream is reported."""
    seen: bool = False
    reported: bool = False
    end: int = 0
    """Samples of the call up to the end of this side's audio."""


@define(eq=False)
class CallState:
    """A call that has not ended."""

    key: Key
    call: Call
    quiet_since: float
    """When audio stopped, where the call is suspended."""
    idle_since: float
    """When the last stream closed, where none is open."""
    sides: dict[Perspective, Side] = field(factory=dict)
    clock: CallClock = field(factory=CallClock)
    suspended: bool = False
    held: bool = False
    end_at: float = inf
    """From when a signalled end holds although streams are open."""

    @property
    def streams(self) -> list[OpenStream]:
        """The open ones."""
        return [side.stream for side in self.sides.values() if side.stream is not None]

    @property
    def flows(self) -> bool:
        """Whether any of them carries audio."""
        return any(not stream.stalled for stream in self.streams)

    def expect_others(self, perspective: Perspective, until: float) -> None:
        """Await a stream on each side that had one, and the other side's first, but that only once."""
        if isinstance(perspective, StreamPerspective) and perspective in _PEER:
            peer = _PEER[perspective]
            self.sides.setdefault(peer, Side(peer))
        for side in self.sides.values():
            if side.stream is None and (side.seen or not side.reported):
                side.missing_at = until


@define(eq=False)
class OpenStream:
    """A stream, and the audio of it that is not handed over yet."""

    id: StreamId
    call: CallState
    side: Side
    clock: StreamClock
    last: float
    """When audio came last, or the stream opened."""
    stalled: bool = False
    lost: int = 0
    held: bytearray = field(factory=bytearray)
    held_from: int = 0
    """Samples of the stream before the held audio."""
    offset: int = 0
    """What to add to that to have its position in the call."""
    due: int = field(init=False)
    """Samples of the stream, once placed, with which the held audio is handed over."""

    def __attrs_post_init__(self) -> None:
        self.due = _next_due(self.call, 0)

    def place(self, placements: Sequence[Placement], now: float, events: list[CallEvent]) -> None:
        """Take note of audio that does not lie right behind the audio before it."""
        for placement in placements:
            self.hand_over(placement.start, now, events)
            self.offset = placement.position - placement.start
            if placement.lost:
                self.lost += placement.lost
                events.append(
                    AudioLost(
                        call=self.call.call,
                        at=now,
                        stream_id=self.id,
                        perspective=self.side.perspective,
                        position=placement.position - placement.lost,
                        samples=placement.lost,
                    )
                )
        if placements:  # two seconds may have waited for their place: not all streams' at once
            self.due = _next_due(self.call, self.clock.placed)

    def hand_over(self, until: int, now: float, events: list[CallEvent]) -> None:
        """Hand over the held audio up to a position in the stream."""
        size = min(until - self.held_from, len(self.held))
        if size > 0:
            events.append(
                AudioPlaced(
                    call=self.call.call,
                    at=now,
                    stream_id=self.id,
                    perspective=self.side.perspective,
                    position=self.held_from + self.offset,
                    payload=bytes(self.held[:size]),
                )
            )
            del self.held[:size]
            self.held_from = until
            self.due = _next_due(self.call, until)


def _next_due(call: CallState, placed: int) -> int:
    """Return the next moment of each second that is this call's, in samples of its stream."""
    return placed + CHUNK - (placed + call.call.number * _SPREAD) % CHUNK
