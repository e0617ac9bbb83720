"""A connector in front of an outbox: what it handed over once arrives, whatever happens in between."""

import threading
from datetime import timedelta
from pathlib import Path

import attrs
from support.fake_acd import SETTINGS, FakeAcd, FakeConnectorClock
from support.threads import PATIENCE

from cxone_wfm import AgentState, HistoricalReport, WfmClient
from cxone_wfm.connector import Connector, Sender, durable_sender
from cxone_wfm.outbox import DurableSender, Outbox
from cxone_wfm.simulator import Simulator, Status


def twenty_minutes(progress: Path, clock: FakeConnectorClock, sender: Sender) -> None:
    """The life of one connector, from where the one before ended."""
    settings = attrs.evolve(SETTINGS, states_every=timedelta(minutes=1))
    connector = Connector(FakeAcd(clock), sender, settings, progress=progress, clock=clock)
    end = clock.monotonic() + 20 * 60
    while (left := end - clock.monotonic()) > 0:
        clock.wait(threading.Event(), min(left, connector.step()))


def test_what_was_handed_over_in_an_outage_arrives_after_a_restart_as_if_nothing_had_been(tmp_path):
    states: list[AgentState] = []
    reports: list[HistoricalReport] = []
    at_once = Sender(send_states=states.extend, send_report=reports.append, beat=lambda: None)
    clock = FakeConnectorClock()
    for _ in range(2):
        twenty_minutes(tmp_path / "at-once.json", clock, at_once)

    clock = FakeConnectorClock()
    with Simulator() as simulator:
        for is_away in (True, False):
            if is_away:
                for operation in ("agent_states", "historical_report"):
                    simulator.fail(operation, Status(503), times=10_000)
            with (
                WfmClient(simulator.config()) as wfm,
                Outbox.open(str(tmp_path / "outbox.db")) as outbox,
                DurableSender(wfm, outbox) as sender,
            ):
                straight_beats = attrs.evolve(durable_sender(sender, wfm), beat=lambda: None)
                twenty_minutes(tmp_path / "durable.json", clock, straight_beats)
                if is_away:
                    assert sender.close(timeout=0).delivered == 0
                    simulator.reset()
                else:
                    assert sender.flush(timeout=PATIENCE).pending == 0
        received = simulator.received

    said_again = len(states) - len(set(states))
    assert said_again, "a connector says each agent's state again when it starts; the outbox knows it"
    for agent in {state.login_id for state in states}:
        assert [state for state in received.agent_states if state.login_id == agent] == [
            state for state in dict.fromkeys(states) if state.login_id == agent
        ]
    assert len({report.start_date for report in reports}) > 1
    for start in {report.start_date for report in reports}:
        assert [report for report in received.historical_reports if report.start_date == start] == [
            report for report in reports if report.start_date == start
        ]
