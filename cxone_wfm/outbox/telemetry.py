"""What a metrics library is told of a sender, and OpenTelemetry by itself where its API is installed.

`Observer` is the hook for any library: an object with two methods. OpenTelemetry needs none: where the
package `opentelemetry-api` (1.30 or newer) can be imported, each request makes a span and metrics with the
names of its semantic conventions for messaging (still in development there), and with names that begin with
`cxone_wfm.outbox` where these know none. Without an SDK set up, that API does nothing. Nothing of this goes
to CXone: requests get no header more.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from attrs import frozen

from ..config import WfmConfig
from ..errors import APIError
from .health import SenderCounters
from .store import EventKind, Outcome

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Bounds of the histogram of durations, in seconds: those of the conventions."""
_PORTS = {"https": 443, "http": 80}
_NANOSECONDS = 1_000_000_000
_log = logging.getLogger(__name__)


@frozen(kw_only=True)
class TryResult:
    """One try of an attempt, and what came of it. Each of its events is delivered, parked, or tried again.

    `tries` counts the tries of these events, this one included. `bytes` is the size of their payloads.
    `seconds` is how long the request took; None where none was made, for the events were parked or split
    without one. `possibly_duplicated` of the `delivered` may have arrived before. `parked` counts the new
    dead letters by reason. `status` is the HTTP status of an answer that was no success; `error` what went
    wrong, None where CXone took them.
    """

    kind: EventKind
    event_ids: tuple[str, ...]
    bytes: int
    tries: int
    seconds: float | None
    delivered: int
    possibly_duplicated: int
    parked: Mapping[str, int]
    again: int
    status: int | None
    error: Exception | None

    @classmethod
    def of(cls, outcome: Outcome, error: Exception | None, seconds: float | None) -> "TryResult":
        """What this outcome says."""
        attempt = outcome.attempt
        delivered = len(outcome.delivered)
        return cls(
            kind=attempt.kind,
            event_ids=tuple(event.event_id for event in attempt.events),
            bytes=sum(len(event.payload) for event in attempt.events),
            tries=attempt.tries,
            seconds=seconds,
            delivered=delivered,
            possibly_duplicated=delivered if attempt.unknown else 0,
            parked=Counter(dead.reason for dead in outcome.dead),
            again=sum(len(again.event_ids) for again in outcome.again),
            status=error.status if isinstance(error, APIError) else None,
            error=error,
        )


class Observer(Protocol):
    """What a `DurableSender` tells, for a metrics library of your choice.

    It is called by the sender's threads, several at once, so it must be quick and thread-safe. What it raises
    is logged once and has no other effect.
    """

    def tried(self, result: TryResult, /) -> object:
        """A try has ended. It counts as done with the next commit; after a crash it may come again."""
        ...

    def counted(self, counters: SenderCounters, /) -> object:
        """The counters, about once a second."""
        ...


class Observers:
    """All who listen to one sender. No method raises."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._failing: set[int] = set()

    @classmethod
    def of(cls, config: WfmConfig, observer: Observer | None) -> "Observers":
        """The caller's, and OpenTelemetry where it is installed."""
        return cls([each for each in (observer, _open_telemetry(config)) if each is not None])

    def tried(self, outcome: Outcome, error: Exception | None, seconds: float | None) -> None:
        """Tell what came of a try."""
        if self._observers:
            result = TryResult.of(outcome, error, seconds)
            self._tell(lambda observer: observer.tried(result))

    def counted(self, counters: Callable[[], SenderCounters]) -> None:
        """Tell the counters. They are only asked for where somebody listens."""
        if self._observers:
            self._tell(lambda observer: observer.counted(counters()))

    def _tell(self, call: Callable[[Observer], object]) -> None:
        for place, observer in enumerate(self._observers):
            try:
                call(observer)
            except Exception:  # noqa: PERF203, BLE001 - whatever it is, delivery goes on
                if place not in self._failing:  # one line, not one for each request
                    self._failing.add(place)
                    _log.exception("an observer of the outbox failed; it goes on being told")


class _OpenTelemetry:
    """Spans, and instruments of the process's meter, without callbacks that would outlive the sender."""

    def __init__(self, config: WfmConfig) -> None:
        from opentelemetry import metrics, trace  # here, for it may be missing  # noqa: PLC0415

        from .. import __version__  # here, for the package is being imported still  # noqa: PLC0415

        server = urlsplit(config.base_url)
        self._common: dict[str, str | int] = {
            "messaging.system": "cxone_wfm",
            "server.address": server.hostname or "",
            "server.port": server.port or _PORTS[server.scheme],
            "cxone_wfm.tenant": config.tenant_name,
        }
        self._trace = trace
        self._tracer = trace.get_tracer("cxone_wfm.outbox", __version__)
        meter = metrics.get_meter("cxone_wfm.outbox", __version__)
        self._duration = meter.create_histogram(
            "messaging.client.operation.duration",
            "s",
            "Duration of the requests with which events were sent.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        own = "cxone_wfm.outbox"
        self._sent = meter.create_counter(
            "messaging.client.sent.messages", "{message}", "Events that were in requests, each as often."
        )
        self._delivered = meter.create_counter(f"{own}.delivered", "{event}", "Events that CXone confirmed.")
        self._doubled = meter.create_counter(
            f"{own}.possibly_duplicated", "{event}", "Delivered events that may have arrived before."
        )
        self._parked = meter.create_counter(f"{own}.parked", "{event}", "Events that became dead letters.")
        self._pending = meter.create_gauge(f"{own}.pending", "{event}", "Events that wait for delivery.")
        self._pending_bytes = meter.create_gauge(f"{own}.pending.size", "By", "Size of their payloads.")
        self._dead = meter.create_gauge(f"{own}.dead", "{event}", "Dead letters that are kept.")
        self._oldest = meter.create_gauge(
            f"{own}.oldest_pending.age", "s", "Age of the event that waits longest; 0 where none does."
        )

    def tried(self, result: TryResult) -> None:
        """One span and its metrics; counters of what became of the events."""
        common = self._common | {"messaging.destination.name": result.kind}
        if result.seconds is not None:
            self._requested(result, result.seconds, common)
        if result.delivered:
            self._delivered.add(result.delivered, common)
        if result.possibly_duplicated:
            self._doubled.add(result.possibly_duplicated, common)
        for reason, count in result.parked.items():
            self._parked.add(count, common | {"cxone_wfm.reason": reason})

    def _requested(self, result: TryResult, seconds: float, common: Mapping[str, str | int]) -> None:
        end = time.time_ns()
        attributes = {**common, "messaging.operation.name": "send"}
        if result.error is not None:
            attributes["error.type"] = type(result.error).__name__
        self._sent.add(len(result.event_ids), attributes)
        attributes["messaging.operation.type"] = "send"
        self._duration.record(seconds, attributes)
        details: dict[str, str | int] = {"messaging.message.body.size": result.bytes}
        if result.kind == "agent_state":
            details["messaging.batch.message_count"] = len(result.event_ids)
        if len(result.event_ids) == 1:
            details["messaging.message.id"] = result.event_ids[0]
        if result.status is not None:
            details["http.response.status_code"] = result.status
        span = self._tracer.start_span(
            f"send {result.kind}",
            kind=self._trace.SpanKind.CLIENT,
            attributes=attributes | details,
            start_time=end - int(seconds * _NANOSECONDS),
        )
        if result.error is not None:
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, str(result.error)))
        span.end(end)

    def counted(self, counters: SenderCounters) -> None:
        """How the outbox stands. Where several processes share it, each of them says the same."""
        for kind, usage in counters.pending.items():
            attributes = self._common | {"messaging.destination.name": kind}
            self._pending.set(usage.items, attributes)
            self._pending_bytes.set(usage.bytes, attributes)
        self._dead.set(counters.dead.items, self._common)
        self._oldest.set(counters.oldest_pending_seconds or 0.0, self._common)


def _open_telemetry(config: WfmConfig) -> Observer | None:
    """An observer that tells OpenTelemetry; None where its API is missing or too old."""
    try:
        return _OpenTelemetry(config)
    except ImportError:
        return None
    except (AttributeError, TypeError) as error:
        _log.warning("OpenTelemetry is not told: opentelemetry-api 1.30 or newer is needed (%s)", error)
        return None
