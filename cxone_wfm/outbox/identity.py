"""What identifies a record: its stream, its key, its bytes. Pure.

- An agent's state belongs to the stream of the agent, `state:{acd_id}:{login_id}`. It is the same event as
  another when agent, moment, event code and reason code are the same: so a program that starts over may
  enqueue the last hour's states again. A state says nothing else, so this is what its bytes are.
- A report belongs to the stream of its interval, `interval:{kind}:{acd_type}:{start}`. It is the same event
  as the last one accepted for this interval when its content is the same, to the byte. Otherwise it is a
  correction, and goes out after it. The vendor does not say what `reportVersion` means: it is content.
- Where the caller gives a key of its own, that alone decides. With other data it is refused.

All of this is our choice: the vendor names no identity of a state or a report.
"""

import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from hashlib import blake2b as _hash

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
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_REPORTS: dict[type, EventKind] = {
    AgentActivityReport: "agent_activity_report",
    HistoricalReport: "historical_report",
}


def new_events(records: Iterable[EventRecord]) -> list[NewEvent]:
    """The events of records, in their order.

    Raises `TypeError` where one is no record that can be delivered later, and `ValidationError` where one
    is longer than `LONGEST_PAYLOAD`.
    """
    records = list(records)
    return [_event(record, event_id) for record, event_id in zip(records, _uuids(len(records)), strict=True)]


def new_event(record: EventRecord, dedupe_key: str | None = None) -> NewEvent:
    """The event of a record, maybe under a key of the caller's. Raises what `new_events` raises."""
    (event_id,) = _uuids(1)
    event = _event(record, event_id)
    if dedupe_key is None:
        return event
    if not isinstance(dedupe_key, str):
        raise TypeError(f"dedupe_key must be a text, not {type(dedupe_key).__name__}")
    key = _OF_THE_CALLER + _hash(dedupe_key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return event._replace(key=key, key_is_content=False)


def _event(record: EventRecord, event_id: str) -> NewEvent:
    if isinstance(record, AgentState):
        kind: EventKind = "agent_state"
        moment = record.event_utc_time
        acd = record.acd_id
        if "%" in acd or ":" in acd:
            acd = acd.replace("%", "%25").replace(":", "%3A")
        stream = f"state:{acd}:{record.login_id}"
    elif isinstance(record, (HistoricalReport, AgentActivityReport)):
        kind = _REPORTS[type(record)]
        moment = record.start_date
        stream = f"interval:{kind}:{record.acd_type}:{moment.isoformat(timespec='milliseconds')[:-6]}Z"
    else:
        raise TypeError(_refusal(record))
    payload = record.to_json()
    if len(payload) > LONGEST_PAYLOAD:
        fault = Fault("$", f"a document of {len(payload)} bytes", f"at most {LONGEST_PAYLOAD} bytes")
        raise ValidationError(type(record).__name__, [fault])
    digest = _hash(payload, digest_size=16).digest()
    place = (moment - _EPOCH) // _MILLISECOND + _YEAR_ONE
    # In the order of the fields: to name them would cost as much as the hash.
    key = place.to_bytes(8, "big") + digest
    return NewEvent(event_id, kind, stream, key, kind != "agent_state", digest, payload)


def _uuids(count: int) -> Iterator[str]:
    """As so many `str(uuid.uuid4())`, in a fifth of their time."""
    digits = os.urandom(16 * count).hex()
    for start in range(0, 32 * count, 32):
        each = digits[start : start + 32]
        variant = _VARIANTS[each[16]]
        yield f"{each[:8]}-{each[8:12]}-4{each[13:16]}-{variant}{each[17:20]}-{each[20:]}"


def _refusal(record: object) -> str:
    name = type(record).__name__
    if name.startswith("Heartbeat"):
        return (
            "a heartbeat says 'alive now': it is not queued, for later it would be a lie; use wfm.heartbeat"
        )
    if isinstance(record, AgentStateList):
        return "enqueue the states of an AgentStateList one by one, or enqueue_many(states.agent_state_list)"
    return f"an outbox takes AgentState, AgentActivityReport and HistoricalReport, not {name}"
