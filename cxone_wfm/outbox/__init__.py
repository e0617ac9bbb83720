"""Durable delivery: what `enqueue` has accepted is delivered, or found among the dead letters.

>>> from datetime import datetime, timezone
>>> from cxone_wfm import AgentState, WfmClient
>>> from cxone_wfm.outbox import DurableSender, Outbox
>>> with (                                                                     # doctest: +SKIP
...     WfmClient.from_env() as wfm,
...     Outbox.open("wfm-outbox.db") as outbox,
...     DurableSender(wfm, outbox) as sender,
... ):
...     now = datetime.now(timezone.utc)
...     state = AgentState(login_id="a@b.example", acd_id="Acd", event_code="READY", event_utc_time=now)
...     receipt = sender.enqueue(state)
...     result = sender.flush(timeout=10)
"""

from .health import FlushResult, SenderCounters, SenderHealth
from .limits import Limits
from .outbox import Outbox
from .sender import DurableSender
from .store import (
    Attempt,
    Counts,
    DeadLetter,
    EventKind,
    Receipt,
    Store,
    StoredEvent,
    Usage,
)
from .telemetry import Observer, TryResult

__all__ = [
    "Attempt",
    "Counts",
    "DeadLetter",
    "DurableSender",
    "EventKind",
    "FlushResult",
    "Limits",
    "Observer",
    "Outbox",
    "Receipt",
    "SenderCounters",
    "SenderHealth",
    "Store",
    "StoredEvent",
    "TryResult",
    "Usage",
]
