"""What the pages of the documentation take for granted, and what must have come out at their ends.

A function for each page: it prepares the reader's folder and names before `yield`, and looks after it.
"""

import json
import logging
import os
import shutil
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from support.snippets import ROOT, Reader

import cxone_assist
import cxone_wfm
from cxone_assist.server import Server
from cxone_assist.testing import init_message, tone
from cxone_assist.wav import Encoding, WavWriter
from cxone_wfm import AgentState, HistoricalReport, Interval, WfmClient
from cxone_wfm.connector import AgentStatus
from cxone_wfm.connector.presets import event_set
from cxone_wfm.outbox import DurableSender, Outbox
from cxone_wfm.outbox._place import server_of
from cxone_wfm.simulator import Simulator, Status

NOW = datetime(2024, 4, 17, 10, 20, tzinfo=timezone.utc)
STATE = AgentState(login_id="ann@shop.example", acd_id="My_ACD", event_code="READY", event_utc_time=NOW)
SAMPLES = Path(cxone_wfm.__file__).parent / "samples"
REPORT = HistoricalReport.from_json((SAMPLES / "historical.json").read_bytes())

PORT = "8080"
"""The port that the pages name. A free one takes its place."""

EVENT_ID = "59ba7258-4902-43c6-b31f-257a5afb5bfc"
"""The event that the pages name. A real one takes its place."""

Page = Callable[[Reader, Simulator], AbstractContextManager[None]]
PAGES: dict[str, Page] = {}


@contextmanager
def nothing(reader: Reader, simulator: Simulator) -> Iterator[None]:
    """A page that takes nothing for granted."""
    yield


def page(name: str) -> Callable[[Callable[[Reader, Simulator], Iterator[None]]], Page]:
    """The function prepares the page of this name."""

    def take(prepare: Callable[[Reader, Simulator], Iterator[None]]) -> Page:
        PAGES[name] = contextmanager(prepare)
        return PAGES[name]

    return take


@page("README.md")
def readme(reader: Reader, simulator: Simulator) -> Iterator[None]:
    shutil.copy(SAMPLES / "historical.json", "report.json")
    write_exports()
    reader.names["push_my_reports"] = lambda wfm: wfm.reports.send_historical(REPORT)
    write_my_acd()
    Path("recordings").mkdir()
    reader.until = lambda: simulator.received.agent_states and simulator.received.heartbeats
    yield
    assert len(simulator.received.historical_reports) >= 1


@page("docs/how-to/survive-outages.md")
def survive_outages(reader: Reader, simulator: Simulator) -> Iterator[None]:
    write_example_acd()
    reader.until = lambda: simulator.received.agent_states and simulator.received.heartbeats
    yield
    assert simulator.received.agent_states


@page("docs/how-to/connect-my-acd.md")
def connect_my_acd(reader: Reader, simulator: Simulator) -> Iterator[None]:
    reader.until = lambda: simulator.received.agent_states and simulator.received.heartbeats
    yield
    assert [state.event_code for state in simulator.received.agent_states] == ["READY"]
    assert simulator.received.heartbeats == 1


@page("docs/how-to/send-corrections.md")
def send_corrections(reader: Reader, simulator: Simulator) -> Iterator[None]:
    write_example_acd()
    yield
    assert len(simulator.received.historical_reports) == 2


@page("docs/how-to/deploy.md")
def deploy(reader: Reader, simulator: Simulator) -> Iterator[None]:
    Outbox.open("wfm-outbox.db").close()
    yield


@page("docs/tutorials/connector.md")
def connector(reader: Reader, simulator: Simulator) -> Iterator[None]:
    class Api:
        def agents(self) -> list[Any]:
            return [types.SimpleNamespace(login="ann", state="READY", since=None)]

        def contacts(self, start: datetime, end: datetime) -> list[Any]:
            return []

        agent_states = contacts

    write_example_acd()
    reader.names |= {"AgentStatus": AgentStatus, "connect": Api}
    reader.until = lambda: simulator.received.agent_states and simulator.received.heartbeats
    yield
    assert simulator.received.heartbeats == 1


@page("docs/how-to/connector-import.md")
def connector_import(reader: Reader, simulator: Simulator) -> Iterator[None]:
    write_exports()
    Path("yesterday.csv").write_text(Path("queues.csv").read_text().replace(",30\n", ",3000\n"))
    yield
    (report,) = simulator.received.historical_reports
    assert report.report_data.queue_report is not None


@page("docs/explanation/connector-states.md")
def connector_states(reader: Reader, simulator: Simulator) -> Iterator[None]:
    class AcdError(Exception):
        pass

    polls = iter([AcdError, [AgentStatus(login_id="ann", event_code="READY")]])

    def ask_the_acd() -> Any:
        found = next(polls, None)
        if found is AcdError:
            raise AcdError
        reader.names["running"] = False
        return found

    def wake_at_once(moment: datetime) -> None:
        reader.names["next_poll"] = NOW

    with WfmClient.from_env() as wfm:
        reader.names |= {"kept_from_the_last_run": [], "running": True, "AcdError": AcdError, "wfm": wfm}
        reader.names |= {"ask_the_acd": ask_the_acd, "sleep_until": wake_at_once}
        reader.names["next_poll"] = NOW
        yield
    assert [state.login_id for state in simulator.received.agent_states] == ["ann"]


@page("docs/explanation/connector-intervals.md")
def connector_intervals(reader: Reader, simulator: Simulator) -> Iterator[None]:
    class Acd:
        def contacts(self, interval: Interval) -> list[Any]:
            return []

        agent_time = contacts

    with WfmClient.from_env() as wfm:
        reader.names |= {"acd": Acd(), "AcdError": OSError, "wfm": wfm}
        yield
    assert len(simulator.received.historical_reports) == 1


@page("docs/reference/errors.md")
def errors(reader: Reader, simulator: Simulator) -> Iterator[None]:
    simulator.fail("agent_states", Status(503), times=9)
    with WfmClient(simulator.config(retry=cxone_wfm.RetryPolicy(attempts=1))) as wfm:
        reader.names |= vars(cxone_wfm) | {"wfm": wfm, "states": [STATE], "log": logging.getLogger("page")}
        yield
    assert reader.names["waiting"] == [STATE]


@page("docs/reference/lint.md")
def lint(reader: Reader, simulator: Simulator) -> Iterator[None]:
    reader.names |= {"report": REPORT, "now": NOW}
    for name in ("report.json", "2024-04-17/1.json"):
        Path(name).parent.mkdir(exist_ok=True)
        shutil.copy(SAMPLES / "historical.json", name)
    state = evolve(STATE, event_code=event_set("avaya_cms").login_code)
    Path("states.json").write_bytes(cxone_wfm.models.AgentStateList(agent_state_list=[state]).to_json())
    yield
    assert reader.names["findings"]
    assert json.loads(Path("lint.sarif").read_text("utf-8"))["version"] == "2.1.0"


@page("docs/explanation/outbox-postgres.md")
def outbox_postgres(reader: Reader, simulator: Simulator) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:  # tests/wfm/outbox have a server, where there is one
        patched.setattr(cxone_wfm.outbox.Outbox, "open", server_of)
        yield
    assert reader.names["outbox"]


@page("docs/explanation/outbox.md")
def outbox(reader: Reader, simulator: Simulator) -> Iterator[None]:
    class Told:
        def __init__(self, *_: object) -> None:
            self.heard: list[float] = []

        def labels(self, *_: str) -> "Told":
            return self

        inc = set = lambda self, value: self.heard.append(value)

    metrics = types.ModuleType("prometheus_client")
    metrics.Counter = metrics.Gauge = Told  # type: ignore[attr-defined]
    sys.modules["prometheus_client"] = metrics
    Path("states.json").write_bytes((SAMPLES / "states.json").read_bytes())
    reader.names |= {"state": STATE, "report": REPORT}
    reader.replaced[EVENT_ID] = dead_letter("wfm-outbox.db", simulator)
    reader.names["another_state"] = evolve(STATE, event_code="BREAK")
    yield
    assert sum(reader.names["DELIVERED"].heard) == 1
    assert reader.names["result"].pending == 0


@page("docs/how-to/simulator.md")
def simulator_page(reader: Reader, simulator: Simulator) -> Iterator[None]:
    reader.names["WfmClient"] = WfmClient
    with Simulator(port=int(reader.replaced[PORT])):
        yield


@page("docs/explanation/assist-calls.md")
def assist_calls(reader: Reader, simulator: Simulator) -> Iterator[None]:
    reader.names |= {"init": init_message(), "stream_id": 1, "payload": bytes(160), "now": 0.0}
    yield


@page("docs/explanation/assist-protocol.md")
def assist_protocol(reader: Reader, simulator: Simulator) -> Iterator[None]:
    heard: list[bytes] = []
    websocket = Socket()
    reader.names |= {"TOKEN": "example", "time": time, "websocket": websocket}
    reader.names["listen"] = lambda payload, position: heard.append(payload)
    yield
    on_message = reader.names["on_message"]
    on_message(init_message(authentication_token="example").to_json())
    on_message(bytes(160))
    assert [json.loads(text)["command"] for text in websocket.sent] == ["CONNECTED"]
    assert (heard, websocket.code) == ([bytes(160)], None)


@page("docs/how-to/assist-recording.md")
def assist_recording(reader: Reader, simulator: Simulator) -> Iterator[None]:
    Path("calls").mkdir()
    init, websocket = init_message(), Socket()
    reader.names |= {
        "time": types.SimpleNamespace(monotonic=time.monotonic, time=time.time, sleep=lambda _: None)
    }
    reader.names |= {"init": init, "stream_id": 1, "payload": tone(0.02), "now": 0.0, "websocket": websocket}
    reader.names |= {"message": init.to_json(), "text": "CONNECTED", "paths": ["one.cxcap"]}
    yield
    assert websocket.sent


@page("docs/how-to/assist-server.md")
def assist_server(reader: Reader, simulator: Simulator) -> Iterator[None]:
    served = []

    def serve(**options: Any) -> None:
        with Server(port=0, **options) as server:
            served.append(server.port)

    reader.names |= {"signal": signal, "serve": serve, "tokens": cxone_assist.StaticTokens("example")}
    reader.names |= {"on_audio": lambda stream, ulaw, position: None, "Recorder": cxone_assist.Recorder}
    Path("recordings").mkdir()
    yield
    assert len(served) == 2


@page("docs/how-to/assist-examples.md")
def assist_examples(reader: Reader, simulator: Simulator) -> Iterator[None]:
    Path("examples").symlink_to(ROOT / "examples")
    with Path("call.wav").open("w+b") as file:
        wav = WavWriter(file, channels=2, encoding=Encoding.ULAW)
        for channel in (0, 1):
            wav.write(channel, 0, tone(0.2))
        wav.close()
    os.environ["CXONE_ASSIST_PORT"] = reader.replaced[PORT]
    yield


def dead_letter(path: str, simulator: Simulator) -> str:
    """Leave an event in this outbox that CXone has refused, and return its id."""
    simulator.fail("agent_states", Status(400))
    refused = evolve(STATE, login_id="bob@shop.example")
    with WfmClient.from_env() as wfm, Outbox.open(path) as outbox, DurableSender(wfm, outbox) as sender:
        receipt = sender.enqueue(refused)
        assert sender.flush(timeout=10).dead == 1
    return receipt.event_id


class Socket:
    """A websocket that only remembers."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.code: int | None = None

    def send(self, message: Any) -> None:
        self.sent.append(message)

    def close(self, code: int) -> None:
        self.code = code


def write_example_acd() -> None:
    """The module `my_acd` in the folder, with the ACD of an example."""
    example = (ROOT / "examples/polling_connector.py").read_text("utf-8")
    Path("my_acd.py").write_text(f"{example}\n\nMyAcd = MadeUpAcd\n", "utf-8")


def write_my_acd() -> None:
    """The module `my_acd` in the folder, of an ACD that is made up."""
    Path("my_acd.py").write_text(
        "from support.fake_acd import SETTINGS, FakeAcd, FakeConnectorClock\n"
        "class MyAcd(FakeAcd):\n"
        "    def __init__(self):\n"
        "        clock = FakeConnectorClock()\n"
        "        clock.advance(24 * 3600)\n"
        "        super().__init__(clock)\n"
    )


def write_exports() -> None:
    """Exports of an ACD and what their columns mean."""
    start = {"columns": "start", "format": "%Y-%m-%d %H:%M", "zone": "UTC"}
    for name, rows, key, value in (
        ("queues", "queue_report", "queue_value", "8057"),
        ("agents", "agent_queue_report", "agent_value", "4711"),
    ):
        columns = {key: "id", "hold_time": {"column": "Hold", "unit": "s"}}
        columns |= (
            {"handled_long": "calls", "handle_time": {"column": "talk", "unit": "s"}}
            if name == "queues"
            else {"queue_value": "queue", "handled": "calls", "handled_time": {"column": "talk", "unit": "s"}}
        )
        mapping = {"acd_type": "Generic_acdName", "rows": rows, "interval": start, "columns": columns}
        Path(f"{name}.json").write_text(json.dumps(mapping))
        Path(f"{name}.csv").write_text(
            f"start,id,queue,calls,talk,Hold\n2024-04-17 10:00,{value},8057,3,450,30\n"
        )
