"""What a user's editor sees of both packages: read by mypy and pyright, never run.

`assert_type` says what a name is. A line that must be an error is marked with mypy's code of the error: both
complain of a mark that is not needed, so each of them is a promise as well.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Literal

from typing_extensions import assert_never, assert_type

from cxone_assist import (
    AssistConnection,
    AssistEvent,
    AudioPlaced,
    AudioReceived,
    AuthenticationFailed,
    Call,
    CallAssembler,
    CallEnded,
    CallEndReason,
    CallEvent,
    Capture,
    CXoneWebSocketMessage,
    Dialect,
    JsonValue,
    MessageReceived,
    PlatformConnection,
    PlatformEvent,
    ProtocolViolation,
    Recorder,
    RecorderStats,
    RemoteProtocolError,
    StaticTokens,
    StreamAccepted,
    StreamClosed,
    StreamId,
    StreamPerspective,
    StreamRefused,
    StreamRequested,
    TextReceived,
    WavAudio,
    WebSocketHookInitializeMessage,
    assemble,
    build_connected,
    mulaw,
    read_wav,
)
from cxone_assist.server import Request, Server, Stream, StreamStats, allow_all
from cxone_assist.testing import connected_pair
from cxone_wfm import (
    AccessToken,
    AcdTypes,
    AgentActivity,
    AgentActivityData,
    AgentActivityReport,
    AgentQueueReport,
    AgentState,
    AgentStateClient,
    AgentSystemPerformanceReport,
    AuthClient,
    ConfigurationError,
    Endpoints,
    Fault,
    HeartbeatClient,
    HeartbeatMonitor,
    HeartbeatStatus,
    HistoricalReport,
    HistoricalReportData,
    Interval,
    QueueReport,
    RateLimitedError,
    ReportClient,
    RetryPolicy,
    Route,
    Secret,
    SentStates,
    Timeouts,
    ValidationError,
    WfmClient,
    WfmConfig,
)
from cxone_wfm.connector import (
    AcdSource,
    AgentStatus,
    AgentTime,
    AgentTimeState,
    Connector,
    ConnectorHealth,
    ConnectorSettings,
    Contact,
    Finding,
    HealthStatus,
    IntervalAggregator,
    Media,
    Queue,
    Replayed,
    Sender,
    Severity,
    StateFeed,
    client_sender,
    lint,
    replay,
)
from cxone_wfm.connector.csv_import import CsvMapping, CsvTable, ImportedReport, import_tables, read_table
from cxone_wfm.connector.presets import event_set, historical_mapping
from cxone_wfm.outbox import (
    Counts,
    DeadLetter,
    DurableSender,
    EventKind,
    FlushResult,
    Outbox,
    Receipt,
    SenderCounters,
    SenderHealth,
    StoredEvent,
    TryResult,
    Usage,
)
from cxone_wfm.outbox import Limits as OutboxLimits
from cxone_wfm.simulator import Received, Simulator, Status
from cxone_wfm.testing import FakeClock, FakeTransport


def settings() -> None:
    config = WfmConfig(
        base_url="https://host.example",
        tenant_name="Tenant",
        access_key_id="id",
        access_key_secret=Secret("secret"),
        token_request="flat",
        endpoints=Endpoints(heartbeat=Route("POST", "/beat")),
        timeouts=Timeouts(total=10),
        retry=RetryPolicy(attempts=2, first_wait=1),
        proxy="http://proxy.example:3128",
    )
    assert_type(config.access_key_id, Secret)
    assert_type(config.proxy, Secret | None)
    assert_type(config.timeouts.total, float)
    assert_type(WfmConfig.from_env(), WfmConfig)
    assert_type(WfmConfig.from_env({"CXONE_TENANT": "Tenant"}), WfmConfig)
    config.tenant_name = "other"  # type: ignore[misc]
    WfmConfig(base_url="https://host.example")  # type: ignore[call-arg]
    WfmConfig("https://host.example", "Tenant", "id", "secret")  # type: ignore[call-arg]
    WfmConfig(
        base_url="https://host.example",
        tenant_name="Tenant",
        access_key_id="id",
        access_key_secret=b"secret",  # type: ignore[arg-type]
        token_request="bare",  # type: ignore[arg-type]
        max_batch=1.5,  # type: ignore[arg-type]
    )


def clients(config: WfmConfig) -> None:
    with WfmClient.from_env() as wfm:
        assert_type(wfm, WfmClient)
        assert_type(wfm.auth, AuthClient)
        assert_type(wfm.reports, ReportClient)
        assert_type(wfm.agent_states, AgentStateClient)
        assert_type(wfm.heartbeat, HeartbeatClient)
        assert_type(wfm.with_options(timeouts=Timeouts(total=5), max_batch=10), WfmClient)
        assert_type(wfm.auth.login(), AccessToken)
        assert_type(wfm.auth.access_token().value, Secret)
        assert_type(wfm.heartbeat.acd_types(), AcdTypes)
        assert_type(wfm.heartbeat.acd_types().names, tuple[str, ...])
        wfm.with_options(tenant_name="other")  # type: ignore[call-arg]
    with AuthClient(config) as auth:
        ReportClient(config, auth=auth)
        AgentStateClient(config, auth=auth)
        HeartbeatClient(config, auth=auth)
        ReportClient(config)  # type: ignore[call-arg]
    WfmClient(config, transport=FakeTransport(), clock=FakeClock())
    WfmClient("https://host.example")  # type: ignore[arg-type]


def states(wfm: WfmClient, now: datetime) -> None:
    state = AgentState(login_id="a@b.example", acd_id="My_ACD", event_code="READY", event_utc_time=now)
    assert_type(state.reason_code, str)
    assert_type(state.event_utc_time, datetime)
    assert_type(AgentState.from_json(b"{}"), AgentState)
    assert_type(AgentState.from_json({"loginId": "a@b.example"}), AgentState)
    assert_type(state.to_json(), bytes)

    def produced() -> Iterator[AgentState]:
        yield state

    assert_type(wfm.agent_states.send([state]), SentStates)
    wfm.agent_states.send((state,))
    wfm.agent_states.send(produced())
    wfm.agent_states.send(state)  # type: ignore[arg-type]
    wfm.agent_states.send([state.to_json()])  # type: ignore[list-item]
    state.event_code = "BUSY"  # type: ignore[misc]
    AgentState(login_id=7, acd_id="x", event_code="x", event_utc_time=now)  # type: ignore[arg-type]
    AgentState(login_id="a", acd_id="x", event_code="x", event_utc_time="2024-04-17")  # type: ignore[arg-type]
    AgentState(login_id="a", acd_id="x", event_code="x")  # type: ignore[call-arg]
    AgentState("a", "x", "x", "", now)  # type: ignore[call-arg]


def activity(wfm: WfmClient, now: datetime) -> None:
    activities = [
        AgentActivity(state="TALKING", start_time=now, duration=139090),
        AgentActivity(state="TALKING", start_time=now, duration=timedelta(minutes=2)),
    ]
    AgentActivity(state="TALKING", start_time=now, duration=1.5)  # type: ignore[arg-type]
    assert_type(activities[0].duration, int)
    agents = [AgentActivityData(agent_value="967385", agent_activity=activities)]
    report = AgentActivityReport(
        acd_type="Generic_LiveVox",
        start_date=now,
        end_date=now + timedelta(minutes=15),
        report_data=agents,
    )
    assert_type(report.report_data, tuple[AgentActivityData, ...])
    assert_type(report.report_data[0].agent_activity, tuple[AgentActivity, ...])
    assert_type(report.report_data[0].agent_id, str | None)
    wfm.reports.send_agent_activity(report)
    wfm.reports.send_historical(report)  # type: ignore[arg-type]
    wfm.reports.send_agent_activity(report.to_json())  # type: ignore[arg-type]


def historical(wfm: WfmClient, now: datetime) -> None:
    queue = QueueReport(queue_value="8057", handle_time=276, work_time=3.5, contacts_received=1)
    assert_type(queue.handle_time, float | None)
    assert_type(queue.contacts_received, int | None)
    assert_type(queue.is_outbound, bool | None)
    QueueReport()  # type: ignore[call-arg]
    QueueReport(queue_value=8057)  # type: ignore[arg-type]
    QueueReport(queue_value="8057", handle_time="276")  # type: ignore[arg-type]
    QueueReport(queue_value="8057", contacts_received=1.5)  # type: ignore[arg-type]
    QueueReport(queue_value="8057", handled_time=276)  # type: ignore[call-arg]
    data = HistoricalReportData(
        queue_report=[queue],
        agent_queue_report=(AgentQueueReport(queue_value="8057", agent_value="967385", handled_time=276),),
        agent_system_performance_report=(
            AgentSystemPerformanceReport(agent_value=agent, login_time=900) for agent in ("1", "2")
        ),
    )
    assert_type(data.queue_report, tuple[QueueReport, ...] | None)
    HistoricalReportData(queue_report=None)
    HistoricalReportData(queue_report=queue)  # type: ignore[arg-type]
    HistoricalReportData(agent_queue_report=[queue])  # type: ignore[list-item]
    report = HistoricalReport(
        acd_type="Generic_LiveVox", start_date=now, end_date=now + timedelta(minutes=15), report_data=data
    )
    assert_type(report.report_data, HistoricalReportData)
    assert_type(HistoricalReport.from_json("{}"), HistoricalReport)
    HistoricalReport.from_json(None)  # type: ignore[arg-type]
    wfm.reports.send_historical(report)


def heartbeats(wfm: WfmClient) -> None:
    def note(status: HeartbeatStatus) -> None:
        assert_type(status.up, bool | None)
        assert_type(status.since, float | None)
        assert_type(status.last_error, Exception | None)

    with HeartbeatMonitor(wfm.heartbeat, interval=5, on_up=note, on_down=lambda _: None) as monitor:
        assert_type(monitor, HeartbeatMonitor)
        assert_type(monitor.status(), HeartbeatStatus)
    HeartbeatMonitor(wfm.heartbeat, on_up=lambda: None)  # type: ignore[arg-type, misc]
    HeartbeatMonitor(wfm)  # type: ignore[arg-type]


def intervals(day: date, zone: tzinfo, now: datetime) -> None:
    assert_type(Interval.of_local_day(day, zone), tuple[Interval, ...])
    assert_type(Interval.containing(now).end, datetime)
    assert_type(Interval.between(now, now), Iterator[Interval])
    Interval.of_local_day(day, "Europe/Berlin")  # type: ignore[arg-type]


def state_feed(now: datetime) -> None:
    status = AgentStatus(login_id="ann", event_code="READY", since=now)
    assert_type(status.reason_code, str | None)
    AgentStatus(login_id="ann", event_code="READY", since="10:00")  # type: ignore[arg-type]
    AgentStatus(login_id="ann")  # type: ignore[call-arg]
    feed = StateFeed(acd_id="My_ACD", login_code="LOGIN", logoff_code="LOGOFF", rank=["IN CALL"])
    assert_type(feed.snapshot(now, [status]), list[AgentState])
    assert_type(feed.change(now, status, status), list[AgentState])
    assert_type(feed.due(now), list[AgentState])
    assert_type(feed.next_due(), datetime | None)
    assert_type(feed.last_sent(), tuple[AgentState, ...])
    feed.change(now, [status])  # type: ignore[arg-type]
    feed.snapshot([status])  # type: ignore[call-arg, arg-type]
    StateFeed(acd_id="My_ACD")  # type: ignore[call-arg]


def aggregation(now: datetime, interval: Interval) -> None:
    contact = Contact(contact_id="1", queue="8057", arrived=now, talk_time=timedelta(seconds=5))
    assert_type(contact.ended, datetime | None)
    assert_type(contact.handle_time, timedelta)
    Contact(contact_id="1", queue="8057", arrived=now, talk_time=5)  # type: ignore[arg-type]
    span = AgentTime(agent="ann", start=now, end=now, state=AgentTimeState.READY)
    AgentTime(agent="ann", start=now, end=now, state="ready")  # type: ignore[arg-type]
    aggregator = IntervalAggregator(acd_type="Generic", queues=[Queue(value="8057")])
    assert_type(aggregator.add_contacts([contact]), list[Contact])
    assert_type(aggregator.add_agent_time([span]), list[AgentTime])
    assert_type(aggregator.report(interval), HistoricalReport)
    assert_type(aggregator.corrections(), list[HistoricalReport])
    aggregator.complete(now)  # type: ignore[arg-type]


def linting(report: HistoricalReport, states: list[AgentState], now: datetime) -> None:
    found = lint(report, states, media={"8057": Media.DEFERRABLE}, now=now, events=event_set("avaya_cms"))
    assert_type(found, list[Finding])
    assert_type(found[0].severity, Severity)
    assert_type(found[0].figures, Mapping[str, bool | int | float | str])
    lint(report, media="deferrable")  # type: ignore[arg-type]
    lint(report.to_json())  # type: ignore[arg-type]
    event_set("nortel")  # type: ignore[arg-type]
    historical_mapping("nortel")  # type: ignore[arg-type]
    assert_type(historical_mapping("five9").queue_report({}, queue_value="1"), QueueReport)


class MyAcd:
    def agents(self, now: datetime) -> Iterable[AgentStatus]:
        return []

    def contacts(self, interval: Interval) -> list[Contact]:
        return []

    def agent_time(self, interval: Interval) -> Iterator[AgentTime]:
        yield from ()


class NoAcd:
    def agents(self, now: datetime) -> list[str]:
        return []


def connector(wfm: WfmClient, settings: ConnectorSettings, intervals: list[Interval]) -> None:
    source: AcdSource = MyAcd()
    assert_type(client_sender(wfm), Sender)
    connector = Connector(source, client_sender(wfm), settings, progress="progress.json")
    connector.run(threading.Event())
    assert_type(connector.step(), float)
    assert_type(connector.health(), ConnectorHealth)
    assert_type(connector.health().status, HealthStatus)
    assert_type(replay(source, settings, intervals), Iterator[Replayed])
    replay(source, settings, intervals, send_report=wfm.reports.send_historical)
    Connector(NoAcd(), client_sender(wfm), settings, progress="p")  # type: ignore[arg-type]
    Connector(source, client_sender(wfm), settings)  # type: ignore[call-arg]
    replay(source, settings, intervals, send_report=wfm.agent_states.send)  # type: ignore[arg-type]


def csv_import(mapping: CsvMapping) -> None:
    assert_type(CsvMapping.from_json("{}"), CsvMapping)
    assert_type(read_table(b"", mapping, "queues.csv"), CsvTable)
    imported = import_tables([read_table(b"", mapping, "queues.csv")])
    assert_type(imported, list[ImportedReport])
    assert_type(imported[0].report, HistoricalReport)
    assert_type(imported[0].place("$.startDate"), str | None)
    read_table("text", mapping, "queues.csv")  # type: ignore[arg-type]


def errors(wrong: ValidationError, limited: RateLimitedError, settings: ConfigurationError) -> None:
    assert_type(wrong.faults, tuple[Fault, ...])
    assert_type(wrong.faults[0].path, str)
    assert_type(limited.status, int)
    assert_type(limited.retry_after, float | None)
    assert_type(limited.request_id, str)
    assert_type(settings.problems, tuple[str, ...])


def simulator() -> None:
    with Simulator(token_life=60, acd_types=["Generic"]) as simulator:
        assert_type(simulator, Simulator)
        assert_type(simulator.config(max_batch=10), WfmConfig)
        assert_type(simulator.received, Received)
        assert_type(simulator.received.agent_states, tuple[AgentState, ...])
        simulator.fail("heartbeat", Status(503), times=2)
        simulator.fail("heartbeat", 503)  # type: ignore[arg-type]


class MyMetrics:
    def tried(self, result: TryResult, /) -> None:
        assert_type(result.kind, Literal["agent_state", "agent_activity_report", "historical_report"])
        assert_type(result.error, Exception | None)

    def counted(self, counters: SenderCounters, /) -> None:
        assert_type(counters.pending, Mapping[EventKind, Usage])
        assert_type(counters.oldest_pending_seconds, float | None)


def outbox(
    wfm: WfmClient, state: AgentState, report: HistoricalReport, activity: AgentActivityReport
) -> None:
    with Outbox.open(Path("wfm.db"), limits=OutboxLimits(max_items=10)) as outbox:
        assert_type(outbox, Outbox)
        with DurableSender(wfm, outbox, workers=2, observer=MyMetrics()) as sender:
            assert_type(sender, DurableSender)
            assert_type(sender.enqueue(state), Receipt)
            assert_type(sender.enqueue(report, dedupe_key="mine").seq, int)
            assert_type(sender.enqueue_many([state, report, activity]), list[Receipt])
            assert_type(sender.flush(timeout=10), FlushResult)
            assert_type(sender.health(), SenderHealth)
            assert_type(sender.health().status, Literal["ok", "degraded", "blocked"])
            sender.flush()  # type: ignore[call-arg]
            sender.enqueue(state.to_json())  # type: ignore[arg-type]
            sender.enqueue_many(state)  # type: ignore[arg-type]
        assert_type(outbox.counts(), Counts)
        assert_type(outbox.find("id"), StoredEvent | DeadLetter | None)
        assert_type(outbox.dead_letters(), Iterator[DeadLetter])
        assert_type(outbox.requeue(letter.event.event_id for letter in outbox.dead_letters()), int)
        outbox.forget(["state:My_ACD:ann"])  # type: ignore[arg-type]
    DurableSender(wfm, "wfm.db")  # type: ignore[arg-type]
    DurableSender(wfm, outbox, observer=MyAcd())  # type: ignore[arg-type]


def assist_connection(message: str | bytes, reply: str) -> None:
    assist = AssistConnection(authenticate=StaticTokens("token"), refusal_close_code=1008, init_timeout=None)
    event = assist.receive(message)
    assert_type(event, AssistEvent)
    match event:
        case StreamRequested():
            assert_type(event.init, WebSocketHookInitializeMessage)
            assert_type(event.dialect, Dialect)
            assert_type(assist.accept(), str)
        case AudioReceived():
            assert_type(event.payload, bytes)
            assert_type(event.position, int)
        case TextReceived():
            assert_type(event.data, JsonValue)
        case AuthenticationFailed():
            assert_type(event.error, Exception | None)
        case ProtocolViolation():
            assert_type(event.error, RemoteProtocolError)
        case _:
            assert_never(event)  # every event is named above
    assert_type(assist.send_message("TRANSCRIPT", "beep", parameters={"final": [1, None]}), str)
    assert_type(assist.closed(1000), StreamClosed)
    assist.receive(memoryview(b""))
    assist.receive(None)  # type: ignore[arg-type]
    assist.send_message("TRANSCRIPT", "beep", parameters={"at": datetime.now()})  # type: ignore[dict-item]  # noqa: DTZ005
    AssistConnection(refusal_close_code=1000)  # type: ignore[arg-type]
    AssistConnection(authenticate=lambda: True)  # type: ignore[arg-type, misc]


def platform_connection(init: WebSocketHookInitializeMessage, reply: str) -> None:
    platform = PlatformConnection(reply_timeout=5)
    assert_type(platform.connect(init), str)
    assert_type(platform.send_audio(bytearray(160)), bytes)
    event = platform.receive(reply)
    assert_type(event, PlatformEvent)
    match event:
        case StreamAccepted() | StreamRefused() | MessageReceived():
            assert_type(event.message, CXoneWebSocketMessage)
        case ProtocolViolation():
            assert_type(event.reply, str | None)
        case _:
            assert_never(event)  # every event is named above
    platform.send_audio("audio")  # type: ignore[arg-type]
    platform.connect("{}")  # type: ignore[arg-type]
    assert_type(connected_pair(), tuple[PlatformConnection, AssistConnection])


def assist_messages(init: WebSocketHookInitializeMessage) -> None:
    assert_type(WebSocketHookInitializeMessage.from_json(b"{}"), WebSocketHookInitializeMessage)
    assert_type(init.execution_info.contact_id, int | None)
    assert_type(init.stream_perspective, StreamPerspective | str | None)
    assert_type(init.app_params, Mapping[str, JsonValue] | str | None)
    assert_type(build_connected(init, agreed_capabilities=["UTTERANCE_DETECT"]), str)
    init.format = "STEREO"  # type: ignore[misc]
    WebSocketHookInitializeMessage(format=8000)  # type: ignore[arg-type]
    WebSocketHookInitializeMessage.from_json({})  # type: ignore[arg-type]


def codec(pcm: bytes) -> None:
    assert_type(mulaw.encode(pcm), bytes)
    assert_type(mulaw.decode(memoryview(pcm)), bytes)
    assert_type(mulaw.deinterleave(pcm), tuple[bytes, bytes])
    assert_type(mulaw.level(pcm), float)
    mulaw.decode("text")  # type: ignore[arg-type]
    mulaw.decode([1, 2])  # type: ignore[arg-type]
    mulaw.decode_into(pcm, pcm)  # type: ignore[arg-type]


def calls(init: WebSocketHookInitializeMessage, stream_id: StreamId, capture: Capture, folder: Path) -> None:
    assembler = CallAssembler(resume_window=60, place_audio=True)
    assert_type(assembler.next_deadline(), float | None)
    for event in assembler.audio(stream_id, b"", 1.0):
        if isinstance(event, AudioPlaced):
            assert_type(event.call, Call)
            assert_type(event.position, int)
        elif isinstance(event, CallEnded):
            assert_type(event.reason, CallEndReason)
    assert_type(assemble([capture], assembler), Iterator[CallEvent])
    with Recorder(folder) as recorder:
        assert_type(recorder.stats, RecorderStats)
        recorder.handle(init)  # type: ignore[arg-type]
    assert_type(read_wav(folder / "a.wav"), WavAudio)
    assembler.tick()  # type: ignore[call-arg]


def assist_server(folder: Path) -> None:
    def starts(stream: Stream) -> None:
        assert_type(stream.contact_id, int | None)
        assert_type(stream.stats, StreamStats)
        stream.send_message("TRANSCRIPT", "hello")

    def hears(stream: Stream, payload: bytes, position: int) -> None:
        stream.close(1000, f"{len(payload)} bytes at {position}")

    def may_come(init: WebSocketHookInitializeMessage, request: Request) -> bool:
        return request.path == init.authentication_token

    with Recorder(folder) as recorder, Server(authorize=may_come, on_call=recorder.handle) as server:
        assert_type(server, Server)
        assert_type(server.url, str)
        assert_type(server.streams, tuple[Stream, ...])
    Server(authorize=StaticTokens("token"), on_start=starts, on_audio=hears, on_end=starts)
    Server(authorize=allow_all, on_audio=starts)  # type: ignore[arg-type]
    Server(authorize="token")  # type: ignore[arg-type]
    Server()  # type: ignore[call-arg]
