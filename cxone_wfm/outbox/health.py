"""How a sender is: in one word, in sentences, in numbers."""

from collections.abc import Mapping
from typing import Literal

from attrs import frozen

from .store import EventKind, Usage


@frozen(kw_only=True)
class SenderHealth:
    """`status` is "ok", "degraded" or "blocked".

    Degraded: it mends by itself, or waits for you without stopping anything. Blocked: some kind of event is
    not delivered, or none is accepted, until what the sentences in `causes` name is corrected: by somebody,
    or by itself, as where the disk failed for a second. Nothing is lost meanwhile.
    """

    status: Literal["ok", "degraded", "blocked"]
    causes: tuple[str, ...] = ()


@frozen(kw_only=True)
class SenderCounters:
    """What went in and out: `accepted == delivered + purged + dead + ` the items in `pending`, always.

    `accepted`, `delivered`, `possibly_duplicated`, `purged` and `parked` (by reason) count since the outbox
    was made; `requests` and `failures` since the sender was. `possibly_duplicated` are deliveries of
    events of which an earlier request may have arrived. `oldest_pending_seconds` is the age of the
    longest pending event by this machine's clock, None where nothing is pending.
    """

    accepted: int
    delivered: int
    possibly_duplicated: int
    purged: int
    pending: Mapping[EventKind, Usage]
    dead: Usage
    parked: Mapping[str, int]
    oldest_pending_seconds: float | None
    requests: int
    failures: int


@frozen(kw_only=True)
class FlushResult:
    """What became of the events that were pending when `flush()` or `close()` was called.

    `dead` are those that became dead letters, `pending` those that are neither delivered nor dead yet. Those
    of a stream that was forgotten meanwhile are in none of the three. `timed_out`: the time was over before
    nothing was pending.
    """

    delivered: int
    pending: int
    dead: int
    timed_out: bool
