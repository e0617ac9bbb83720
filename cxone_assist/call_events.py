"""What a ``CallAssembler`` tells: what happened to a call, as opposed to one of its sockets.

Every event has the ``call`` it is about and ``at``, the time that the caller passed in, in
seconds. A ``position`` is in samples, 8,000 a second: of the call where nothing else is said.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum
from typing import TypeAlias

from attrs import field, frozen

from .messages import StreamPerspective, WebSocketHookInitializeMessage

__all__ = [
    "AudioLost",
    "AudioPlaced",
    "Call",
    "CallEndReason",
    "CallEnded",
    "CallEvent",
    "CallRefused",
    "CallResumed",
    "CallStarted",
    "CallSuspended",
    "PeerMissing",
    "Perspective",
    "Refusal",
    "Signal",
    "SignalReceived",
    "StreamAttached",
    "StreamDetached",
    "StreamId",
    "StreamRecovered",
    "StreamStalled",
    "StreamSuperseded",
]

StreamId: TypeAlias = Hashable
"""Whatever the caller calls a socket by; no two open ones may share it."""

Perspective: TypeAlias = StreamPerspective | str | None
"""As the initialize message has it: the text that came, where it is none of the known ones."""


class Signal(Enum):
    """What a Studio script can tell of a call by a way of its own; no socket carries it."""

    HOLD = "HOLD"
    RESUME = "RESUME"
    END = "END"


class CallEndReason(Enum):
    """Why a call is taken to have ended."""

    SIGNALLED = "SIGNALLED"
    """``Signal.END`` came."""
    NOT_RESUMED = "NOT_RESUMED"
    """It had no socket for as long as ``resume_window``."""
    NO_AUDIO = "NO_AUDIO"
    """It lost its sockets before any audio came, and had none for as long as ``pair_grace``."""
    EVICTED = "EVICTED"
    """It had no socket for longest, and a new call needed its place among ``max_calls``."""
    DRAINED = "DRAINED"
    """``close()`` ended everything."""


class Refusal(Enum):
    """Why a stream is not taken."""

    DRAINING = "no new calls are taken any more"
    TOO_MANY_CALLS = "as many calls as allowed have open streams"
    TOO_MANY_PERSPECTIVES = "the call has as many perspectives as allowed"


@frozen(kw_only=True)
class Call:
    """Which call: a number of our own, and what CXone knows it by."""

    number: int
    """Counts the calls of one assembler from 1."""
    bus_no: int | None
    """The business unit. Where this or the contact is None, a call cannot have a second stream."""
    contact_id: int | None
    """Unique within the business unit only (vendor page)."""


@frozen(kw_only=True)
class CallStarted:
    """The first stream of a call opened."""

    call: Call
    at: float
    init: WebSocketHookInitializeMessage
    continues: Call | None = None
    """The call of the same contact that was taken to have ended, where it is still remembered."""


@frozen(kw_only=True)
class StreamAttached:
    """A stream of the call opened: the first, the other side, after a hold, or after a failure."""

    call: Call
    at: float
    stream_id: StreamId
    perspective: Perspective


@frozen(kw_only=True)
class StreamDetached:
    """A stream of the call closed. That is not the end of the call."""

    call: Call
    at: float
    stream_id: StreamId
    perspective: Perspective
    samples: int
    """Of audio that the stream carried."""
    lost: int
    """Samples that were found missing in it."""


@frozen(kw_only=True)
class StreamSuperseded:
    """A newer stream has the same perspective. Close the older one, with 1000; its audio is ignored."""

    call: Call
    at: float
    stream_id: StreamId
    """The older one."""
    perspective: Perspective
    by: StreamId


@frozen(kw_only=True)
class StreamStalled:
    """An open stream carries nothing: a hold that keeps the socket, or a failure. Do not close it."""

    call: Call
    at: float
    stream_id: StreamId
    perspective: Perspective


@frozen(kw_only=True)
class StreamRecovered:
    """Audio flows again. Only an ``AudioLost`` later on tells that any of it is missing."""

    call: Call
    at: float
    stream_id: StreamId
    perspective: Perspective
    silent_for: float
    """Seconds since the audio before."""


@frozen(kw_only=True)
class AudioLost:
    """CXone left out audio of an open stream: it was lost, or never sent, as in a hold."""

    call: Call
    at: float
    stream_id: StreamId
    perspective: Perspective
    position: int
    """Where the missing audio begins."""
    samples: int


@frozen(kw_only=True)
class AudioPlaced:
    """Audio of one side, and where in the call it belongs. Only with ``place_audio=True``.

    One side's come in order and do not overlap; what lies between them is silence. The two
    sides are aligned with each other by ``position``, not by when their events come.
    """

    call: Call
    at: float
    stream_id: StreamId
    perspective: Perspective
    position: int
    payload: bytes = field(repr=lambda payload: f"<{len(payload)} bytes>")
    """µ-law; one byte is one sample."""


@frozen(kw_only=True)
class CallSuspended:
    """No stream of the call carries audio any more: a hold, a failure or the end; unknown which."""

    call: Call
    at: float
    streams_open: bool
    """True where sockets are open, but silent."""
    held: bool
    """True where ``Signal.HOLD`` said so before."""


@frozen(kw_only=True)
class CallResumed:
    """A stream opened or carries audio again."""

    call: Call
    at: float
    gap: float
    """Seconds since the call was suspended."""


@frozen(kw_only=True)
class PeerMissing:
    """A side of the call has had no stream for ``pair_grace`` seconds, while another has one.

    At the start of a call this hints at the set-up: *Participants* of the Custom Agent Assist
    Endpoints app may name one side only.
    """

    call: Call
    at: float
    perspective: Perspective


@frozen(kw_only=True)
class SignalReceived:
    """``signal()`` was told about a known call."""

    call: Call
    at: float
    signal: Signal


@frozen(kw_only=True)
class CallEnded:
    """Nothing more of this call comes."""

    call: Call
    at: float
    reason: CallEndReason
    samples: int
    """The length of the call's audio, gaps between its streams included."""


@frozen(kw_only=True)
class CallRefused:
    """A stream was not taken: close it, with 1013 ("try again later"). Its audio is ignored."""

    at: float
    stream_id: StreamId
    bus_no: int | None
    contact_id: int | None
    reason: Refusal


CallEvent: TypeAlias = (
    CallStarted | StreamAttached | StreamDetached | StreamSuperseded | StreamStalled | StreamRecovered
    | AudioLost | AudioPlaced | CallSuspended | CallResumed | PeerMissing | SignalReceived | CallEnded
    | CallRefused
)  # fmt: skip
