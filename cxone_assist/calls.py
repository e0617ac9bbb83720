"""Joins streams into calls: one call has several sockets, one after another and side by side.

``CallAssembler`` is told what happens on the sockets, and returns what that means for the calls.
It touches no socket, clock or thread; time comes in as ``now``, in seconds of a clock that does
not go back. It may not be used from two threads at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from .call_events import CallEvent, Refusal, Signal, StreamId
from .messages import WebSocketHookInitializeMessage

__all__ = ["CallAssembler"]


class CallAssembler:
    """Joins streams into calls by business unit and contact.

    All numbers are our choice; the vendor states none.

    Args:
        resume_window: seconds that a call without a socket is kept, for a hold or a failure.
        pair_grace: seconds until a side without a stream is reported as missing, and until a
            call that lost its sockets before any audio came is dropped. None for never, and for
            ``resume_window``: right where one side only is set up to be streamed.
        stall_after: seconds without audio on an open stream until it is reported as stalled.
        max_calls: calls that are kept. Beyond it the one without a socket for longest ends;
            where every call has one, a new call is refused.
        place_audio: return the audio in ``AudioPlaced`` events, aligned. It costs the memory of
            the audio that is not placed yet: about a second of each stream, at most 30.
    """

    def __init__(
        self,
        *,
        resume_window: float = 900.0,
        pair_grace: float | None = 30.0,
        stall_after: float = 2.0,
        max_calls: int = 10000,
        place_audio: bool = False,
    ) -> None:
        raise NotImplementedError

    def refusal(self, init: WebSocketHookInitializeMessage) -> Refusal | None:
        """Tell why ``stream_started`` would not take a stream now, None where it would.

        Ask before CONNECTED is sent. A stream of a known call is taken while draining, too.
        """
        raise NotImplementedError

    def stream_started(
        self, stream_id: StreamId, init: WebSocketHookInitializeMessage, now: float
    ) -> Sequence[CallEvent]:
        """Tell that a stream was accepted.

        Raises:
            LocalProtocolError: ``stream_id`` names an open stream.
        """
        raise NotImplementedError

    def audio(self, stream_id: StreamId, payload: bytes, now: float) -> Sequence[CallEvent]:
        """Tell that audio came; mostly nothing is returned. Unknown and superseded streams are ignored.

        ``now`` is the time of arrival: take it when the message is read.
        """
        raise NotImplementedError

    def stream_closed(self, stream_id: StreamId, now: float) -> Sequence[CallEvent]:
        """Tell that the socket of a stream is closed. Unknown and superseded streams are ignored."""
        raise NotImplementedError

    def signal(
        self, bus_no: int | None, contact_id: int | None, signal: Signal, now: float
    ) -> Sequence[CallEvent]:
        """Tell what was learnt by another way than the sockets; calls that are not known are ignored.

        It may come before or after what the sockets show. HOLD and RESUME are facts beside it, and
        suspend or resume nothing by themselves. END ends the call when its last stream closes, and
        at the latest after ``pair_grace`` seconds.
        """
        raise NotImplementedError

    def next_deadline(self) -> float | None:
        """Return when ``tick()`` is wanted, None where nothing is awaited. A tick at it may tell nothing."""
        raise NotImplementedError

    def tick(self, now: float) -> Sequence[CallEvent]:
        """Tell the time, at ``next_deadline()`` or whenever it suits: once a second is enough."""
        raise NotImplementedError

    def drain(self) -> None:
        """Take no new calls from now on; streams of known calls are still taken."""
        raise NotImplementedError

    def close(self, now: float) -> Sequence[CallEvent]:
        """End every call, and place what audio is held."""
        raise NotImplementedError

    @property
    def calls(self) -> int:
        """Calls that have not ended."""
        raise NotImplementedError

    @property
    def streams(self) -> int:
        """Open streams of those calls."""
        raise NotImplementedError
