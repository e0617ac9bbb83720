"""What a metrics library and OpenTelemetry are told of a sender; delivery never waits for them."""

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.outbox import AT, SqlitePlace, report, state
from support.threads import PATIENCE

import cxone_wfm
from cxone_wfm import NotSentError, ServerError, WfmClient
from cxone_wfm.config import WfmConfig
from cxone_wfm.outbox import DurableSender, Limits, Outbox
from cxone_wfm.outbox.health import SenderCounters
from cxone_wfm.outbox.store import Again, Attempt, Dead, EventKind, Outcome, StoredEvent, Usage
from cxone_wfm.outbox.telemetry import Observers, TryResult
from cxone_wfm.simulator import Simulator, Status
from cxone_wfm.testing import fake_config

CONFIG = fake_config(base_url="https://api.example:8443")
COUNTERS = SenderCounters(
    accepted=9,
    delivered=3,
    possibly_duplicated=1,
    purged=0,
    pending={
        "agent_state": Usage(items=4, bytes=400),
        "agent_activity_report": Usage(),
        "historical_report": Usage(),
    },
    dead=Usage(items=2, bytes=200),
    parked={"refused": 2},
    oldest_pending_seconds=12.5,
    requests=5,
    failures=1,
)


def attempt(count: int, *, kind: EventKind = "agent_state", unknown: bool = False) -> Attempt:
    """An attempt with so many events of 10 bytes each, tried for the second time."""
    events = tuple(
        StoredEvent(
            position=number,
            event_id=f"id-{number}",
            kind=kind,
            stream=f"state:ACD:{number}",
            seq=1,
            accepted_at=AT,
            payload=b"0123456789",
        )
        for number in range(count)
    )
    return Attempt(number=1, kind=kind, events=events, tries=2, unknown=unknown, crashes=0)


def all_delivered(of: Attempt) -> Outcome:
    return Outcome(attempt=of, delivered=tuple(event.event_id for event in of.events), at=AT)


def all_again(of: Attempt) -> Outcome:
    again = Again(event_ids=tuple(event.event_id for event in of.events), not_before=0.0)
    return Outcome(attempt=of, again=(again,), at=AT)


def all_dead(of: Attempt, reason: str) -> Outcome:
    return Outcome(
        attempt=of, dead=tuple(Dead(event_id=event.event_id, reason=reason) for event in of.events), at=AT
    )


class Recording:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.results: list[TryResult] = []
        self.counters: list[SenderCounters] = []

    def tried(self, result: TryResult) -> None:
        self.results.append(result)

    def counted(self, counters: SenderCounters) -> None:
        self.counters.append(counters)


# Any observer


def test_an_observer_is_told_what_came_of_a_try() -> None:
    of, error = attempt(4, unknown=True), ServerError("HTTP 503", 503)
    outcome = Outcome(
        attempt=of,
        delivered=("id-0",),
        dead=(Dead(event_id="id-1", reason="refused"), Dead(event_id="id-2", reason="refused")),
        again=(Again(event_ids=("id-3",), not_before=0.0),),
        at=AT,
    )
    recording = Recording()
    Observers([recording]).tried(outcome, error, 0.25)
    (result,) = recording.results
    assert attrs.asdict(result) == {
        "kind": "agent_state",
        "event_ids": ("id-0", "id-1", "id-2", "id-3"),
        "bytes": 40,
        "tries": 2,
        "seconds": 0.25,
        "delivered": 1,
        "possibly_duplicated": 1,
        "parked": {"refused": 2},
        "again": 1,
        "status": 503,
        "error": error,
    }


def test_what_cannot_have_arrived_before_is_no_possible_duplicate() -> None:
    result = TryResult.of(all_delivered(attempt(2)), None, 0.1)
    assert (result.delivered, result.possibly_duplicated, result.error, result.status) == (2, 0, None, None)


def test_an_error_without_an_answer_has_no_status() -> None:
    assert TryResult.of(all_again(attempt(1)), NotSentError("refused"), 0.1).status is None


def test_an_observer_is_told_the_counters() -> None:
    recording = Recording()
    Observers([recording]).counted(lambda: COUNTERS)
    assert recording.counters == [COUNTERS]


def test_counters_are_only_asked_for_where_somebody_listens() -> None:
    Observers([]).counted(lambda: pytest.fail("nobody listens"))
    Observers([]).tried(all_delivered(attempt(1)), None, 0.1)


def test_an_observer_that_fails_is_logged_once_and_the_others_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(Recording):
        def tried(self, result: TryResult) -> None:
            raise ZeroDivisionError

    recording = Recording()
    observers = Observers([Failing(), recording])
    for _ in range(3):
        observers.tried(all_delivered(attempt(1)), None, 0.1)
    assert len(recording.results) == 3
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("cxone_wfm.outbox.telemetry", logging.ERROR)


def test_counters_that_cannot_be_had_do_not_stop_anything(caplog: pytest.LogCaptureFixture) -> None:
    def closed() -> SenderCounters:
        raise cxone_wfm.OutboxUnavailable("it is closed")

    Observers([Recording()]).counted(closed)
    assert "it is closed" in caplog.text


def test_a_sender_tells_its_observer_every_try_and_its_counters(tmp_path: Path) -> None:
    class Waiting(Recording):
        told = threading.Event()

        def counted(self, counters: SenderCounters) -> None:
            super().counted(counters)
            self.told.set()

    waiting = Waiting()
    with Simulator() as simulator, WfmClient(simulator.config()) as wfm:
        simulator.fail("agent_states", Status(503))
        simulator.fail("historical_report", Status(422))
        outbox = Outbox(SqlitePlace(tmp_path).open(), limits=Limits(min_free_bytes=0))
        with outbox, DurableSender(wfm, outbox, observer=waiting) as sender:
            sender.enqueue_many([state("a"), state("b"), report(0), report(1)])
            assert not sender.flush(PATIENCE).timed_out
            assert waiting.told.wait(PATIENCE)
            counters = sender.counters()
    results = waiting.results
    assert sum(result.delivered for result in results) == counters.delivered == 3
    assert [dict(result.parked) for result in results if result.parked] == [{"refused": 1}]
    assert sum(result.again for result in results) == 2
    assert {result.status for result in results} == {None, 422, 503}
    assert len(results) == counters.requests
    assert all(result.seconds is not None and result.seconds > 0 for result in results)
    assert counters.accepted == waiting.counters[-1].accepted == 4


# OpenTelemetry


@attrs.frozen
class Telemetry:
    """What an SDK would export."""

    observers: Observers
    reader: InMemoryMetricReader
    spans: InMemorySpanExporter

    def metric(self, name: str) -> list[tuple[Mapping[str, object], object]]:
        """The points of one metric: attributes, and the value or (count, sum) of a histogram."""
        data = self.reader.get_metrics_data()
        if data is None:
            return []
        return [
            (
                dict(point.attributes or {}),
                (point.count, point.sum) if isinstance(point, HistogramDataPoint) else point.value,
            )
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            if (scope.scope.name, scope.scope.version) == ("cxone_wfm.outbox", cxone_wfm.__version__)
            for each in scope.metrics
            if each.name == name
            for point in each.data.data_points
        ]

    def span(self) -> ReadableSpan:
        """The one span that there is."""
        (span,) = self.spans.get_finished_spans()
        return span


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Telemetry]:
    """Observers of a sender in a process with an SDK set up. Nothing of the process's is changed."""
    reader, spans = InMemoryMetricReader(), InMemorySpanExporter()
    meters, tracers = MeterProvider([reader], shutdown_on_exit=False), TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(metrics, "get_meter", meters.get_meter)
    monkeypatch.setattr(trace, "get_tracer", tracers.get_tracer)
    yield Telemetry(Observers.of(CONFIG, None), reader, spans)
    meters.shutdown()
    tracers.shutdown()


COMMON = {
    "messaging.system": "cxone_wfm",
    "server.address": "api.example",
    "server.port": 8443,
    "cxone_wfm.tenant": CONFIG.tenant_name,
}
STATES = {**COMMON, "messaging.destination.name": "agent_state"}


def test_a_request_makes_a_span_and_metrics_with_the_names_of_the_conventions(telemetry: Telemetry) -> None:
    telemetry.observers.tried(all_delivered(attempt(3, unknown=True)), None, 0.25)
    sent = {**STATES, "messaging.operation.name": "send"}
    assert telemetry.metric("messaging.client.sent.messages") == [(sent, 3)]
    timed = {**sent, "messaging.operation.type": "send"}
    assert telemetry.metric("messaging.client.operation.duration") == [(timed, (1, 0.25))]
    assert telemetry.metric("cxone_wfm.outbox.delivered") == [(STATES, 3)]
    assert telemetry.metric("cxone_wfm.outbox.possibly_duplicated") == [(STATES, 3)]
    assert telemetry.metric("cxone_wfm.outbox.parked") == []
    span = telemetry.span()
    assert (span.name, span.kind, span.status.status_code) == (
        "send agent_state",
        trace.SpanKind.CLIENT,
        trace.StatusCode.UNSET,
    )
    assert span.attributes == {
        **timed,
        "messaging.batch.message_count": 3,
        "messaging.message.body.size": 30,
    }
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == 250_000_000


def test_a_list_with_one_state_has_a_count_and_that_states_id(telemetry: Telemetry) -> None:
    telemetry.observers.tried(all_delivered(attempt(1)), None, 0.25)
    attributes = telemetry.span().attributes
    assert attributes is not None
    assert (attributes["messaging.batch.message_count"], attributes["messaging.message.id"]) == (1, "id-0")


def test_durations_fall_into_the_classes_of_the_conventions(telemetry: Telemetry) -> None:
    telemetry.observers.tried(all_delivered(attempt(1)), None, 0.25)
    data = telemetry.reader.get_metrics_data()
    assert data is not None
    (bounds,) = [
        point.explicit_bounds
        for each in data.resource_metrics[0].scope_metrics[0].metrics
        for point in each.data.data_points
        if isinstance(point, HistogramDataPoint)
    ]
    assert bounds == (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


def test_a_failed_request_has_the_errors_class_its_status_and_its_words(telemetry: Telemetry) -> None:
    telemetry.observers.tried(
        all_again(attempt(1, kind="historical_report")), ServerError("HTTP 503", 503), 1.0
    )
    ((attributes, _),) = telemetry.metric("messaging.client.operation.duration")
    assert attributes["error.type"] == "ServerError"
    assert attributes["messaging.destination.name"] == "historical_report"
    span = telemetry.span()
    assert span.status.status_code is trace.StatusCode.ERROR
    assert "HTTP 503" in str(span.status.description)
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 503
    assert span.attributes["messaging.message.id"] == "id-0"
    assert "messaging.batch.message_count" not in span.attributes
    assert telemetry.metric("cxone_wfm.outbox.delivered") == []


def test_what_is_parked_without_a_request_is_counted_by_reason_and_makes_no_span(
    telemetry: Telemetry,
) -> None:
    telemetry.observers.tried(all_dead(attempt(2), "crashes"), None, None)
    assert telemetry.metric("cxone_wfm.outbox.parked") == [({**STATES, "cxone_wfm.reason": "crashes"}, 2)]
    assert telemetry.metric("messaging.client.sent.messages") == []
    assert telemetry.spans.get_finished_spans() == ()


def test_the_outbox_is_told_as_it_stands(telemetry: Telemetry) -> None:
    telemetry.observers.counted(lambda: COUNTERS)
    assert (STATES, 4) in telemetry.metric("cxone_wfm.outbox.pending")
    telemetry.observers.counted(lambda: COUNTERS)
    sizes = telemetry.metric("cxone_wfm.outbox.pending.size")
    assert ({**COMMON, "messaging.destination.name": "historical_report"}, 0) in sizes
    telemetry.observers.counted(lambda: COUNTERS)
    assert telemetry.metric("cxone_wfm.outbox.dead") == [(COMMON, 2)]
    empty = attrs.evolve(COUNTERS, oldest_pending_seconds=None)
    for counters, age in ((COUNTERS, 12.5), (empty, 0.0)):
        telemetry.observers.counted(lambda counters=counters: counters)
        assert telemetry.metric("cxone_wfm.outbox.oldest_pending.age") == [(COMMON, age)]


def test_the_caller_and_opentelemetry_are_both_told(telemetry: Telemetry) -> None:
    recording = Recording()
    Observers.of(CONFIG, recording).tried(all_delivered(attempt(1)), None, 0.1)
    assert len(recording.results) == 1
    assert telemetry.spans.get_finished_spans() != ()


@pytest.mark.parametrize(
    ("base_url", "port"), [("https://api.example", 443), ("http://127.0.0.1", 80), ("http://[::1]:81", 81)]
)
def test_the_port_is_the_schemes_where_the_address_names_none(
    telemetry: Telemetry, base_url: str, port: int
) -> None:
    config: WfmConfig = fake_config(base_url=base_url)
    Observers.of(config, None).tried(all_delivered(attempt(1)), None, 0.1)
    ((attributes, _),) = telemetry.metric("cxone_wfm.outbox.delivered")
    assert attributes["server.port"] == port


def test_without_an_sdk_the_api_takes_everything_and_does_nothing() -> None:
    observers = Observers.of(CONFIG, None)
    observers.tried(all_again(attempt(1)), NotSentError("refused"), 0.1)
    observers.counted(lambda: COUNTERS)


def test_without_the_api_nothing_is_told_and_nothing_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    Observers.of(CONFIG, None).counted(lambda: pytest.fail("nobody listens"))
    assert caplog.records == []


def test_an_api_that_is_too_old_is_named_and_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(metrics, "get_meter", lambda *_: SimpleNamespace())
    Observers.of(CONFIG, None).counted(lambda: pytest.fail("nobody listens"))
    assert "opentelemetry-api 1.30 or newer is needed" in caplog.text


def test_importing_the_outbox_does_not_import_opentelemetry() -> None:
    folder = str(Path(cxone_wfm.__file__).parents[1])
    program = (
        f"import sys; sys.path.insert(0, {folder!r}); import cxone_wfm.outbox, cxone_wfm.outbox.telemetry;"
        " sys.exit('opentelemetry' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
