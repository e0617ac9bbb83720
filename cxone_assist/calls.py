"""Joins streams into calls: one call has several sockets, one after another and side by side.

``CallAssembler`` is told what happens on the sockets, and returns what that means for the calls.
It touches no socket, clock or thread; time comes in as ``now``, in seconds of a clock that does
not go back. It may not be used from two threads at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from ._call_state import CallState, Key, OpenStream, Side, key_of
from ._deadlines import Deadlines
from ._timeline import StreamClock
from .call_events import (
    Call,
    CallEnded,
    CallEndReason,
    CallEvent,
    CallRefused,
    CallResumed,
    CallStarted,
    CallSuspended,
    PeerMissing,
    Perspective,
    Refusal,
    Signal,
    SignalReceived,
    StreamAttached,
    StreamDetached,
    StreamId,
    StreamRecovered,
    StreamStalled,
    StreamSuperseded,
)
from .errors import LocalProtocolError
from .messages import WebSocketHookInitializeMessage

__all__ = ["CallAssembler"]

MAX_PERSPECTIVES: Final = 4
"""Of one call: the page's three, and one to come."""


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
            the audio that is not placed yet: about a second of each stream, at most 31.

    Raises:
        ValueError: a number is not above zero.
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
        self._resume_window = resume_window
        self._pair_grace = inf if pair_grace is None else pair_grace
        if not (resume_window > 0 and self._pair_grace > 0 and stall_after > 0 and max_calls > 0):
            raise ValueError("resume_window, pair_grace, stall_after and max_calls must be above zero")
        self._stall_after = stall_after
        self._max_calls = max_calls
        self._place_audio = place_audio
        self._calls: dict[Key, CallState] = {}
        self._streams: dict[StreamId, OpenStream] = {}
        self._idle: dict[Key, CallState] = {}  # calls without a stream, the longest so first
        self._ended: dict[Key, Call] = {}
        self._deadlines: Deadlines[CallState] = Deadlines()
        self._number = 0
        self._draining = False

    @property
    def calls(self) -> int:
        """Calls that have not ended."""
        return len(self._calls)

    @property
    def streams(self) -> int:
        """Open streams of those calls."""
        return len(self._streams)

    # --- streams -------------------------------------------------------------------------------

    def refusal(self, init: WebSocketHookInitializeMessage) -> Refusal | None:
        """Tell why ``stream_started`` would not take a stream now, None where it would.

        Ask before CONNECTED is sent. A stream of a known call is taken while draining, too.
        """
        known = self._known(init)
        if known is None:
            if self._draining:
                return Refusal.DRAINING
            full = len(self._calls) >= self._max_calls and not self._idle
            return Refusal.TOO_MANY_CALLS if full else None
        if init.stream_perspective in known.sides or len(known.sides) < MAX_PERSPECTIVES:
            return None
        return Refusal.TOO_MANY_PERSPECTIVES

    def stream_started(
        self, stream_id: StreamId, init: WebSocketHookInitializeMessage, now: float
    ) -> Sequence[CallEvent]:
        """Tell that a stream was accepted.

        Raises:
            LocalProtocolError: ``stream_id`` names an open stream.
        """
        if stream_id in self._streams:
            raise LocalProtocolError(f"stream {stream_id!r} is open already; give each socket its own id")
        info = init.execution_info
        refusal = self.refusal(init)
        if refusal is not None:
            return [
                CallRefused(
                    at=now,
                    stream_id=stream_id,
                    bus_no=info.bus_no,
                    contact_id=info.contact_id,
                    reason=refusal,
                )
            ]
        events: list[CallEvent] = []
        known = self._known(init) or self._start_call(init, now, events)
        self._attach(known, stream_id, init.stream_perspective, now, events)
        return events

    def audio(self, stream_id: StreamId, payload: bytes, now: float) -> Sequence[CallEvent]:
        """Tell that audio came; mostly nothing is returned. Unknown and superseded streams are ignored.

        ``now`` is the time of arrival: take it when the message is read.
        """
        stream = self._streams.get(stream_id)
        if stream is None or not payload:
            return ()
        placements = stream.clock.audio(len(payload), now)
        silent_since, stream.last = stream.last, now
        if self._place_audio:
            stream.held += payload
            full = not placements and stream.clock.placed >= stream.due
        else:
            full = False
        if not (placements or full or stream.stalled):
            return ()
        events: list[CallEvent] = []
        if stream.stalled:
            self._recover(stream, silent_since, now, events)
        stream.place(placements, now, events)
        if full:
            stream.hand_over(stream.clock.placed, now, events)
        return events

    def stream_closed(self, stream_id: StreamId, now: float) -> Sequence[CallEvent]:
        """Tell that the socket of a stream is closed. Unknown and superseded streams are ignored."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return ()
        events: list[CallEvent] = []
        call = stream.call
        self._detach(stream, now, events)
        if call.streams:
            stream.side.missing_at = now + self._pair_grace
            self._arm(call)
            if not call.flows:
                self._suspend(call, max(other.last for other in call.streams), now, events)
        else:
            self._lose_last_stream(call, now, events)
        return events

    def signal(
        self, bus_no: int | None, contact_id: int | None, signal: Signal, now: float
    ) -> Sequence[CallEvent]:
        """Tell what was learnt by another way than the sockets; calls that are not known are ignored.

        It may come before or after what the sockets show. HOLD and RESUME are facts beside it, and
        suspend or resume nothing by themselves. END ends the call when its last stream closes, or
        where ``pair_grace`` seconds later none of them carries audio; a new stream revokes it.
        """
        call = None if bus_no is None or contact_id is None else self._calls.get((bus_no, contact_id))
        if call is None:
            return ()
        events: list[CallEvent] = [SignalReceived(call=call.call, at=now, signal=signal)]
        if signal is not Signal.END:
            call.held = signal is Signal.HOLD
        elif call.streams:
            call.end_at = now + min(self._pair_grace, self._resume_window)
            self._arm(call)
        else:
            self._end(call, CallEndReason.SIGNALLED, now, events)
        return events

    # --- time ----------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when ``tick()`` is wanted, None where nothing is awaited. A tick at it may tell nothing."""
        return self._deadlines.next()

    def tick(self, now: float) -> Sequence[CallEvent]:
        """Tell the time, at ``next_deadline()`` or whenever it suits: once a second is enough."""
        events: list[CallEvent] = []
        for call in self._deadlines.due(now):
            self._check(call, now, events)
        return events

    def drain(self) -> None:
        """Take no new calls from now on; streams of known calls are still taken."""
        self._draining = True

    def close(self, now: float) -> Sequence[CallEvent]:
        """End every call, and place what audio is held."""
        events: list[CallEvent] = []
        for call in list(self._calls.values()):
            self._end(call, CallEndReason.DRAINED, now, events)
        return events

    def _due(self, call: CallState) -> float:
        times = [side.missing_at for side in call.sides.values()]
        times += [stream.last + self._stall_after for stream in call.streams if not stream.stalled]
        if not call.streams:
            times.append(call.idle_since + self._window(call))
        elif not call.flows:
            times.append(call.end_at)
        return min(times)

    def _window(self, call: CallState) -> float:
        """Return how long a call without a socket is kept."""
        heard = call.clock.origin is not None
        return self._resume_window if heard else min(self._pair_grace, self._resume_window)

    def _arm(self, call: CallState) -> None:
        self._deadlines.set(call, self._due(call))

    def _check(self, call: CallState, now: float, events: list[CallEvent]) -> None:
        for side in call.sides.values():
            if side.missing_at <= now:
                side.missing_at, side.reported = inf, True
                events.append(PeerMissing(call=call.call, at=now, perspective=side.perspective))
        for stream in call.streams:
            if not stream.stalled and stream.last + self._stall_after <= now:
                self._stall(stream, now, events)
        if not call.streams:
            if call.idle_since + self._window(call) <= now:
                heard = call.clock.origin is not None
                reason = CallEndReason.NOT_RESUMED if heard else CallEndReason.NO_AUDIO
                self._end(call, reason, now, events)
                return
        elif not call.flows and call.end_at <= now:
            self._end(call, CallEndReason.SIGNALLED, now, events)
            return
        self._arm(call)

    # --- what happens to a call ----------------------------------------------------------------

    def _known(self, init: WebSocketHookInitializeMessage) -> CallState | None:
        key = key_of(init)
        return None if key is None else self._calls.get(key)

    def _start_call(
        self, init: WebSocketHookInitializeMessage, now: float, events: list[CallEvent]
    ) -> CallState:
        if len(self._calls) >= self._max_calls:
            self._end(next(iter(self._idle.values())), CallEndReason.EVICTED, now, events)
        self._number += 1
        info = init.execution_info
        key = key_of(init) or self._number  # a call that cannot be identified stands alone
        call = Call(number=self._number, bus_no=info.bus_no, contact_id=info.contact_id)
        continues = self._ended.pop(key, None)
        events.append(CallStarted(call=call, at=now, init=init, continues=continues))
        self._calls[key] = CallState(key, call, now, now)
        return self._calls[key]

    def _suspend(self, call: CallState, since: float, now: float, events: list[CallEvent]) -> None:
        if not call.suspended:
            call.suspended, call.quiet_since = True, since
            events.append(
                CallSuspended(call=call.call, at=now, streams_open=bool(call.streams), held=call.held)
            )

    def _resume(self, call: CallState, now: float, events: list[CallEvent]) -> None:
        if call.suspended:
            call.suspended = call.held = False
            events.append(CallResumed(call=call.call, at=now, gap=now - call.quiet_since))

    def _lose_last_stream(self, call: CallState, now: float, events: list[CallEvent]) -> None:
        call.idle_since = now
        self._suspend(call, now, now, events)
        if call.end_at < inf:
            self._end(call, CallEndReason.SIGNALLED, now, events)
        elif isinstance(call.key, int):
            self._end(call, CallEndReason.NOT_RESUMED, now, events)
        else:
            for side in call.sides.values():
                side.missing_at = inf
            self._idle[call.key] = call
            self._arm(call)

    def _end(self, call: CallState, reason: CallEndReason, now: float, events: list[CallEvent]) -> None:
        for stream in call.streams:
            self._detach(stream, now, events)
        samples = max(side.end for side in call.sides.values())
        events.append(CallEnded(call=call.call, at=now, reason=reason, samples=samples))
        del self._calls[call.key]
        self._idle.pop(call.key, None)
        self._deadlines.discard(call)
        if not isinstance(call.key, int):
            self._ended[call.key] = call.call
            if len(self._ended) > self._max_calls:
                del self._ended[next(iter(self._ended))]

    # --- what happens to a stream --------------------------------------------------------------

    def _attach(
        self,
        call: CallState,
        stream_id: StreamId,
        perspective: Perspective,
        now: float,
        events: list[CallEvent],
    ) -> None:
        first = not call.streams
        side = call.sides.setdefault(perspective, Side(perspective))
        if side.stream is not None:
            old = side.stream
            events.append(
                StreamSuperseded(
                    call=call.call, at=now, stream_id=old.id, perspective=perspective, by=stream_id
                )
            )
            self._detach(old, now, events)
        side.seen, side.missing_at = True, inf
        stream = OpenStream(stream_id, call, side, StreamClock(call.clock, earliest=side.end), now)
        side.stream = self._streams[stream_id] = stream
        call.end_at = inf
        self._idle.pop(call.key, None)
        events.append(StreamAttached(call=call.call, at=now, stream_id=stream_id, perspective=perspective))
        self._resume(call, now, events)
        if first:
            call.expect_others(perspective, now + self._pair_grace)
        self._arm(call)

    def _detach(self, stream: OpenStream, now: float, events: list[CallEvent]) -> None:
        stream.place(stream.clock.finish(), now, events)
        stream.hand_over(stream.clock.placed, now, events)
        side = stream.side
        side.end = max(side.end, stream.clock.placed + stream.offset)
        side.stream = None
        del self._streams[stream.id]
        events.append(
            StreamDetached(
                call=stream.call.call,
                at=now,
                stream_id=stream.id,
                perspective=side.perspective,
                samples=stream.clock.received,
                lost=stream.lost,
            )
        )

    def _stall(self, stream: OpenStream, now: float, events: list[CallEvent]) -> None:
        stream.stalled = True
        call = stream.call
        stream.place(stream.clock.begin(), now, events)
        stream.hand_over(stream.clock.placed, now, events)
        events.append(
            StreamStalled(call=call.call, at=now, stream_id=stream.id, perspective=stream.side.perspective)
        )
        if not call.flows:
            self._suspend(call, stream.last, now, events)

    def _recover(self, stream: OpenStream, silent_since: float, now: float, events: list[CallEvent]) -> None:
        stream.stalled = False
        events.append(
            StreamRecovered(
                call=stream.call.call,
                at=now,
                stream_id=stream.id,
                perspective=stream.side.perspective,
                silent_for=now - silent_since,
            )
        )
        self._resume(stream.call, now, events)
        self._arm(stream.call)
