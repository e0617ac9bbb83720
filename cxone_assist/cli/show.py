"""The events of a call in words."""

from __future__ import annotations

from ..call_events import (
    AudioLost,
    CallEnded,
    CallEvent,
    CallRefused,
    CallResumed,
    CallStarted,
    CallSuspended,
    SignalReceived,
    StreamDetached,
    StreamRecovered,
)
from ..mulaw import SAMPLE_RATE

__all__ = ["as_document", "in_words"]


def in_words(event: CallEvent) -> str:
    """Return what an event says, for people."""
    words: list[str] = []
    perspective = getattr(event, "perspective", None)
    if perspective is not None:
        words.append(str(perspective))
    if isinstance(event, CallStarted):
        words.append(f"contact {event.call.contact_id} of business unit {event.call.bus_no}")
    elif isinstance(event, (StreamDetached, AudioLost)):
        words.append(f"{event.samples / SAMPLE_RATE:.2f} s of audio")
    elif isinstance(event, StreamRecovered):
        words.append(f"after {event.silent_for:.2f} s")
    elif isinstance(event, CallSuspended):
        words.append("its sockets are open, but silent" if event.streams_open else "it has no socket")
    elif isinstance(event, CallResumed):
        words.append(f"after {event.gap:.2f} s")
    elif isinstance(event, CallEnded):
        words.append(f"{event.reason.value}, {event.samples / SAMPLE_RATE:.2f} s")
    elif isinstance(event, CallRefused):
        words.append(event.reason.value)
    elif isinstance(event, SignalReceived):
        words.append(event.signal.value)
    return ", ".join(words)


def as_document(event: CallEvent, *, start: float = 0.0) -> dict[str, object]:
    """Return an event for machines, without audio and secrets; ``at`` is in seconds since ``start``."""
    subject = event if isinstance(event, CallRefused) else event.call
    return {
        "event": type(event).__name__,
        "at": round(event.at - start, 3),
        "busNo": subject.bus_no,
        "contactId": subject.contact_id,
        "detail": in_words(event),
    }
