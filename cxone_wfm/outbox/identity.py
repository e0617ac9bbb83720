"""What identifies a record: its stream, its key, its bytes. Pure.

- An agent's state belongs to the stream of the agent, `state:{acd_id}:{login_id}`. It is the same event as
  another when agent, moment, event code and reason code are the same: so a program that starts over may
  enqueue the last hour's states again.
- A report belongs to the stream of its interval, `interval:{kind}:{acd_type}:{start}`. It is the same event
  as the last one accepted for this interval when its content is the same, to the byte. Otherwise it is a
  correction, and goes out after it. The vendor does not say what `reportVersion` means: it is content.
- Where the caller gives a key of its own, that alone decides. With other data it is refused.

All of this is our choice: the vendor names no identity of a state or a report.
"""

import os
from datetime import datetime, timedelta, timezone
from hashlib import blake2b

from ..errors import Fault, ValidationError
from ..models.agent_activity import AgentActivityReport
from ..models.agent_state import AgentState, AgentStateList
from ..models.historical import HistoricalReport
from .store import EventKind, NewEvent

EventRecord = AgentState | AgentActivityReport | HistoricalReport
"""What an outbox takes."""

LONGEST_PAYLOAD = 64 * 1024 * 1024
"""Bytes (our choice: what the library itself reads as one document)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)
_YEAR_ONE = 2**62
_OF_THE_CALLER = bytes(8)
_REPORTS: dict[type, EventKind] = {
    AgentActivityReport: "agent_activity_report",
    HistoricalReport: "historical_report",
}


def new_event(record: EventRecord, dedupe_key: str | None = None) -> NewEvent:
    """The event of a record.

    Raises `TypeError` where it is no record that can be delivered later, and `ValidationError` where it
    is longer than `LONGEST_PAYLOAD`.
    """
    if isinstance(record, AgentState):
        payload = record.to_json()
        acd = record.acd_id.replace("%", "%25").replace(":", "%3A")
        stream = f"state:{acd}:{record.login_id}"
        moment = record.event_utc_time
        content = False
        key = f"{stream}\0{record.event_code}\0{record.reason_code}".encode()
        kind: EventKind = "agent_state"
    elif isinstance(record, (HistoricalReport, AgentActivityReport)):
        payload = record.to_json()
        kind = _REPORTS[type(record)]
        moment = record.start_date
        stream = f"interval:{kind}:{record.acd_type}:{moment.isoformat(timespec='milliseconds')[:-6]}Z"
        content = True
        key = b"%s\0%s" % (stream.encode(), payload)
    else:
        raise TypeError(_refusal(record))
    if len(payload) > LONGEST_PAYLOAD:
        fault = Fault("$", f"a document of {len(payload)} bytes", f"at most {LONGEST_PAYLOAD} bytes")
        raise ValidationError(type(record).__name__, [fault])
    if dedupe_key is None:
        place = ((moment - _EPOCH) // _MILLISECOND + _YEAR_ONE).to_bytes(8, "big")
    else:
        place, content, key = _OF_THE_CALLER, False, dedupe_key.encode("utf-8", "surrogatepass")
    return NewEvent(
        event_id=_random_uuid(),
        kind=kind,
        stream=stream,
        key=place + blake2b(key, digest_size=16).digest(),
        key_is_content=content,
        digest=blake2b(payload, digest_size=16).digest(),
        payload=payload,
    )


def _random_uuid() -> str:
    """As `str(uuid.uuid4())`, in less than half of its time, which was a third of this module's."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _refusal(record: object) -> str:
    name = type(record).__name__
    if name.startswith("Heartbeat"):
        return (
            "a heartbeat says 'alive now': it is not queued, for later it would be a lie; use wfm.heartbeat"
        )
    if isinstance(record, AgentStateList):
        return "enqueue the states of an AgentStateList one by one, or enqueue_many(states.agent_state_list)"
    return f"an outbox takes AgentState, AgentActivityReport and HistoricalReport, not {name}"
