"""What `Connector` promises: each thing at its time, nothing twice, nothing lost, no zeros for a failure."""

import _thread
import json
import logging
import os
import random
import threading
from collections import defaultdict
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import attrs
import pytest
from support.fake_acd import SETTINGS, START, FakeAcd, FakeConnectorClock
from support.threads import PATIENCE, Background, Gate

from cxone_wfm import (
    ConfigurationError,
    CredentialsRejectedError,
    NotSentError,
    OutcomeUnknownError,
    PayloadRejectedError,
    RateLimitedError,
    ServerError,
    WfmClient,
)
from cxone_wfm.connector import (
    AgentStatus,
    Connector,
    Contact,
    HealthStatus,
    NoDataError,
    Queue,
    Sender,
    client_sender,
    durable_sender,
)
from cxone_wfm.connector._states_job import MOST_PENDING
from cxone_wfm.connector.source import extract
from cxone_wfm.intervals import INTERVAL_LENGTH, Interval
from cxone_wfm.testing import FakeClock, FakeTransport, fake_config, reply

FIRST = Interval(start=START)
SLOW = attrs.evolve(SETTINGS, states_every=timedelta(minutes=1))


@pytest.fixture(autouse=True)
def no_disk(monkeypatch):
    """What the disk does is the business of test_progress.py; here nothing waits for it."""

    def rename(new, old):
        old.unlink(missing_ok=True)  # some file systems write a file out when it takes the place of another
        new.rename(old)

    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(Path, "replace", rename)


class Killed(BaseException):
    """The process ends here."""


class Taken:
    """What the other side confirmed. `fails` is asked first, and may raise."""

    def __init__(self, clock):
        self.clock = clock
        self.states = []
        self.reports = []
        self.beats = []
        self.fails = lambda what: None
        self.sender = Sender(
            send_states=self._states, send_report=self._report, beat=self._beat, beat_every=30.0
        )

    def _states(self, states):
        self.fails("states")
        self.states += states

    def _report(self, report):
        self.fails("report")
        self.reports.append(report)

    def _beat(self):
        self.fails("beat")
        self.beats.append(self.clock.now())

    def of(self, interval):
        return [report for report in self.reports if report.start_date == interval.start]

    @property
    def starts(self):
        return [report.start_date for report in self.reports]


class World:
    """An ACD, CXone, a clock, and the connector between them, which can be started anew."""

    def __init__(self, folder, settings=SLOW, **acd):
        self.clock = FakeConnectorClock()
        self.acd = FakeAcd(self.clock, **acd)
        self.taken = Taken(self.clock)
        self.settings = settings
        self.path = folder / "progress.json"
        self.never_stops = threading.Event()
        self.restart()

    def restart(self):
        self.connector = Connector(
            self.acd, self.taken.sender, self.settings, progress=self.path, clock=self.clock
        )

    def run(self, **length):
        end = self.clock.monotonic() + timedelta(**length).total_seconds()
        while (left := end - self.clock.monotonic()) > 0:
            self.clock.wait(self.never_stops, min(left, self.connector.step()))
        return self.connector.health()

    def truth(self, interval):
        """The report of an interval as the ACD has it now."""
        aggregator = self.settings.aggregator()
        extract(FakeAcd(self.clock), interval, aggregator)
        return aggregator.report(interval)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def failing(error, *names):
    def fails(what):
        if what in names:
            raise error

    return fails


# --- the schedule ------------------------------------------------------------------------------------


def test_a_report_goes_out_the_lag_after_each_quarter_from_the_one_of_the_first_start(tmp_path):
    world = World(tmp_path, contacts_per_interval=0)
    world.run(minutes=16, seconds=59)
    assert world.taken.starts == []
    world.run(seconds=2)
    assert world.taken.starts == [START]
    world.run(minutes=15)
    assert world.taken.starts == [START, START + INTERVAL_LENGTH]


def test_a_report_is_what_the_aggregator_makes_of_the_source(world):
    world.run(minutes=18)
    (report,) = world.taken.reports
    handled = [row.handled_time for row in report.report_data.agent_queue_report]
    assert sum(filter(None, handled)) > 0
    assert {row.login_time for row in report.report_data.agent_system_performance_report} == {900}
    assert [row.queue_value for row in report.report_data.queue_report] == ["1", "2", "3"]


def test_an_interval_is_looked_at_again_and_corrected_where_it_has_changed(world):
    world.run(minutes=80)
    revisions = world.taken.of(FIRST)
    assert revisions[-1] == world.truth(FIRST)
    assert world.acd.extracts.count(FIRST) == 2
    world.run(hours=3)
    assert world.acd.extracts.count(FIRST) == 2
    assert world.taken.of(FIRST) == revisions


def test_a_contact_that_the_acd_learns_of_late_is_corrected(tmp_path):
    world = World(tmp_path)
    late = next(iter(FakeAcd(world.clock).everything(FIRST, START + timedelta(hours=1)))).contact_id
    world.acd.knows_late[late] = START + timedelta(minutes=50)
    world.run(minutes=60)
    before = world.taken.of(FIRST)[-1]
    world.run(minutes=20)
    assert world.taken.of(FIRST)[-1] == world.truth(FIRST) != before


def test_a_late_contact_that_comes_with_another_interval_is_corrected_at_once(world):
    real = world.acd.contacts
    late = Contact(contact_id="late", queue="2", arrived=START, ended=START + timedelta(minutes=1))
    third = Interval(start=START + 2 * INTERVAL_LENGTH)
    world.acd.contacts = lambda interval: [*real(interval), *([late] if interval == third else [])]
    world.run(minutes=46)
    before = [row.abandoned_long for row in world.taken.of(FIRST)[-1].report_data.queue_report]
    world.run(minutes=2)
    after = [row.abandoned_long for row in world.taken.of(FIRST)[-1].report_data.queue_report]
    assert (before[1], after[1]) == (0, 1)
    assert world.acd.extracts.count(FIRST) == 1


def test_a_revision_that_is_out_of_date_before_it_went_out_is_not_sent(world):
    world.run(minutes=20)
    (first,) = world.taken.of(FIRST)
    job = world.connector._reports
    job._note(attrs.evolve(first, status_reason="another revision"))
    assert list(job.unsent) == [FIRST]
    job._note(first)
    assert list(job.unsent) == []


def test_a_contact_that_is_too_late_for_a_correction_is_told(world, caplog):
    world.run(hours=6)
    old, real = next(iter(FakeAcd(world.clock).everything(FIRST, world.clock.now()))), world.acd.contacts
    world.acd.contacts = lambda interval: [attrs.evolve(old, contact_id="very late"), *real(interval)]
    before = len(world.taken.of(FIRST))
    world.run(minutes=20)
    assert "1 contacts, such as very late, came too late for a correction" in caplog.text
    assert len(world.taken.of(FIRST)) == before


def test_what_is_kept_of_the_past_is_bounded(tmp_path):
    settings = attrs.evolve(
        SLOW,
        look_again_after=timedelta(minutes=10),
        correctable=timedelta(minutes=15),
        reach=timedelta(minutes=45),
    )
    world = World(tmp_path, settings, contacts_per_interval=0)
    world.run(hours=10)
    confirmed = json.loads(world.path.read_text())["confirmed"]
    assert len(confirmed) <= 22 < len(world.taken.starts) == len(set(world.taken.starts))
    assert max(confirmed) == max(world.taken.starts).isoformat()


def test_what_has_not_changed_is_not_sent_again(tmp_path):
    world = World(tmp_path, contacts_per_interval=0)
    world.run(hours=3)
    assert len(world.acd.extracts) > len(set(world.acd.extracts))
    assert len(world.taken.starts) == len(set(world.taken.starts)) == 11


def test_states_and_heartbeats_come_at_their_periods(tmp_path):
    world = World(tmp_path, attrs.evolve(SETTINGS, states_every=timedelta(seconds=7)))
    asked = []
    world.acd.fails = asked.append
    world.run(seconds=70)
    assert asked == ["agents"] * 10
    assert [(beat - START).total_seconds() for beat in world.taken.beats] == [0, 30, 60]
    assert len(world.taken.states) >= 4


def test_a_state_that_is_held_back_goes_out_when_it_has_lasted(tmp_path):
    world = World(tmp_path, attrs.evolve(SETTINGS, states_every=timedelta(seconds=60)))
    world.acd.agents = lambda now: [
        AgentStatus(login_id="ann", event_code="READY" if now < START + timedelta(seconds=60) else "BUSY")
    ]
    world.run(seconds=61)
    assert [state.event_code for state in world.taken.states] == ["READY"]
    world.run(seconds=3)
    assert [state.event_code for state in world.taken.states] == ["READY", "BUSY"]


def test_a_slow_source_is_not_asked_twice_in_a_row_to_make_up_for_lost_time(world):
    asked = []

    def slow(method):
        if method == "agents":
            asked.append(world.clock.monotonic())
            world.clock.advance(200)

    world.acd.fails = slow
    world.run(minutes=20)
    assert min(b - a for a, b in pairwise(asked)) >= 200
    assert len(asked) <= 7


# --- a source that fails -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["contacts", "agent_time"])
def test_a_failed_extract_is_no_report_and_is_tried_again(tmp_path, method, caplog):
    world = World(tmp_path, contacts_per_interval=0)
    world.acd.fails = failing(TimeoutError("no answer"), method)
    health = world.run(minutes=40)
    assert world.taken.reports == []
    assert health.status is HealthStatus.DEGRADED
    assert health.without_data == (FIRST, FIRST.next())
    assert health.source_failing_since == START + timedelta(minutes=17)
    assert f"{method}() of the source failed with TimeoutError: no answer" in health.causes[0]
    assert len(world.taken.beats) == 80
    assert world.taken.states
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1
    world.acd.fails = lambda what: None
    health = world.run(minutes=2)
    assert health.status is HealthStatus.OK
    assert health.causes == ()
    assert START + timedelta(minutes=41) < health.at <= START + timedelta(minutes=42)
    assert sorted(world.taken.starts) == [START, START + INTERVAL_LENGTH]


def test_failed_attempts_are_spaced_out_to_a_minute(world):
    world.acd.fails = failing(OSError(), "contacts")
    world.run(minutes=17, seconds=1)
    assert len(world.acd.extracts) == 1
    world.run(minutes=10)
    assert 12 <= len(world.acd.extracts) <= 16


def test_a_source_that_is_down_is_not_asked_for_every_interval_that_was_missed(world):
    world.run(minutes=20)
    world.clock.advance(20 * 3600)
    world.restart()
    world.acd.extracts.clear()
    world.acd.fails = failing(OSError("down"), "contacts")
    world.run(minutes=1)
    assert 4 <= len(world.acd.extracts) <= 6


def test_an_interval_that_fails_does_not_hold_up_the_others(tmp_path):
    world = World(tmp_path, contacts_per_interval=0)

    def fails(what):
        if what == "contacts" and world.acd.extracts[-1] == FIRST:
            raise ValueError("this one is broken")

    world.acd.fails = fails
    health = world.run(hours=2)
    assert world.taken.starts.count(START) == 0
    assert set(world.taken.starts) == {START + n * INTERVAL_LENGTH for n in range(1, 7)}
    assert health.without_data == (FIRST,)


@pytest.mark.parametrize("method", ["contacts", "agent_time"])
def test_what_is_wrong_with_what_a_method_gave_is_told_of_that_method(world, method):
    setattr(world.acd, method, lambda interval: ["no record"])
    with pytest.raises(NoDataError, match=rf"{method}\(\) of the source failed with AttributeError"):
        extract(world.acd, FIRST, SLOW.aggregator())


def test_what_a_failed_extract_gave_before_it_failed_does_not_count(world):
    calls = []

    def fails(what):
        if what == "agent_time":
            calls.append(what)
            if len(calls) == 1:
                raise OSError("cut")

    world.acd.fails = fails
    world.run(minutes=18)
    assert world.taken.reports == [world.truth(FIRST)]


def test_an_interval_that_was_complete_has_no_data_when_its_next_extract_fails(world):
    aggregator = SETTINGS.aggregator()
    world.clock.advance(1200)
    extract(world.acd, FIRST, aggregator)
    world.acd.fails = failing(OSError("cut"), "agent_time")
    for attempt in (lambda: extract(world.acd, FIRST, aggregator), lambda: aggregator.report(FIRST)):
        with pytest.raises(NoDataError, match=r"agent_time\(\) of the source failed with OSError: cut"):
            attempt()


def test_what_a_source_raises_is_told_in_one_line_of_bounded_length(world):
    world.acd.fails = failing(OSError("no\nroute " + "x" * 5000), "agents")
    (cause,) = world.run(seconds=1).causes
    assert "OSError: no route xxx" in cause
    assert "..." in cause
    assert len(cause) < 1200
    world.acd.fails = failing(OSError(), "agents")
    (cause,) = world.run(minutes=1).causes
    assert "failed with OSError (since" in cause


def test_an_interval_that_fails_beyond_the_reach_is_given_up_aloud(tmp_path, caplog):
    settings = attrs.evolve(
        SLOW,
        look_again_after=timedelta(minutes=10),
        correctable=timedelta(minutes=15),
        reach=timedelta(minutes=45),
    )
    world = World(tmp_path, settings)
    world.acd.fails = failing(OSError("gone"), "contacts")
    health = world.run(minutes=70)
    assert f"{FIRST} is given up: it is beyond the reach of 0:45:00" in caplog.text
    assert FIRST not in health.without_data


def test_a_failed_look_at_the_agents_logs_nobody_off(world):
    world.run(minutes=1)
    known = len(world.taken.states)
    world.acd.fails = failing(ConnectionError("refused"), "agents")
    health = world.run(minutes=5)
    assert len(world.taken.states) == known
    assert "agents() of the source failed with ConnectionError: refused" in health.causes[0]
    assert health.last_agents == START


def test_nobody_where_somebody_was_known_is_a_failure_unless_the_settings_say_so(tmp_path):
    for empty_is_real in (False, True):
        folder = tmp_path / str(empty_is_real)
        folder.mkdir()
        world = World(folder, attrs.evolve(SLOW, empty_is_real=empty_is_real))
        world.run(minutes=1)
        world.acd.agents = lambda now: []
        health = world.run(minutes=5)
        gone = [state.login_id for state in world.taken.states if state.event_code == "LOGOFF"]
        assert len(gone) == (4 if empty_is_real else 0)
        assert (health.status is HealthStatus.OK) is empty_is_real


# --- a sender that fails -----------------------------------------------------------------------------


def test_reports_wait_for_the_sender_and_go_out_oldest_first(world):
    world.taken.fails = failing(ServerError("down", 503), "report")
    health = world.run(minutes=50)
    assert health.unsent_reports == 3
    assert health.status is HealthStatus.DEGRADED
    assert "reports cannot be sent" in health.causes[0]
    world.taken.fails = lambda what: None
    world.run(minutes=2)
    assert world.taken.starts == [START + n * INTERVAL_LENGTH for n in range(3)]


def test_of_an_interval_only_the_latest_revision_waits(world):
    world.taken.fails = failing(NotSentError("no network"), "report")
    world.run(minutes=80)
    world.taken.fails = lambda what: None
    world.run(minutes=2)
    assert world.taken.of(FIRST) == [world.truth(FIRST)]


def test_states_that_could_not_be_sent_go_first_and_in_order(world):
    world.run(minutes=1)
    world.taken.fails = failing(OutcomeUnknownError("lost"), "states")
    health = world.run(minutes=30)
    assert health.unsent_states > 4
    world.taken.fails = lambda what: None
    world.run(minutes=3)
    for agent in ("agent0", "agent1", "agent2", "agent3"):
        times = [s.event_utc_time for s in world.taken.states if s.login_id == agent]
        assert times == sorted(times)
    assert world.connector.health().unsent_states == 0


def test_after_an_outage_every_agents_state_is_sent_once_more(world):
    world.run(minutes=1)
    world.taken.fails = failing(NotSentError("down"), "states")
    world.run(minutes=10)
    world.taken.fails = lambda what: None
    world.taken.states.clear()
    world.run(minutes=3)
    assert len(world.taken.states) > 4
    assert {s.login_id for s in world.taken.states[-4:]} == {f"agent{n}" for n in range(4)}


def test_what_was_delivered_before_the_error_is_not_sent_again(world):
    error = NotSentError("cut")
    error.delivered = 3
    world.clock.advance(720)
    world.taken.fails = failing(error, "states")
    assert world.run(milliseconds=1).unsent_states == 1


@pytest.mark.parametrize("seconds", [600.0, 600])
def test_a_server_that_asks_for_time_gets_it(world, seconds):
    asked = []

    def fails(what):
        if what == "states":
            asked.append(world.clock.monotonic())
            error = RateLimitedError("slow down", 429)
            error.retry_after = seconds
            raise error

    world.taken.fails = fails
    world.run(minutes=11)
    assert asked[1] - asked[0] >= 600


def test_a_key_that_is_refused_blocks(world):
    world.taken.fails = failing(CredentialsRejectedError("no", 401), "beat")
    health = world.run(minutes=1)
    assert CredentialsRejectedError.advice in health.causes[0]
    assert health.status is HealthStatus.BLOCKED
    assert "the heartbeat fails" in health.causes[0]
    assert health.last_heartbeat is None
    world.taken.fails = lambda what: None
    health = world.run(minutes=1)
    assert (health.status, health.last_heartbeat) == (HealthStatus.OK, START + timedelta(seconds=90))


def test_a_refused_report_is_put_aside_until_it_has_changed(world):
    refused = []

    def fails(what):
        if what == "report" and not world.taken.reports and not refused:
            refused.append(what)
            raise PayloadRejectedError("bad", 400)

    world.taken.fails = fails
    health = world.run(minutes=30)
    assert refused == ["report"]
    assert world.taken.reports == []
    assert f"the report of {FIRST} was refused" in health.causes[0]
    assert health.status is HealthStatus.DEGRADED
    world.taken.fails = lambda what: None
    health = world.run(minutes=60)
    assert world.taken.of(FIRST) == [world.truth(FIRST)]
    assert health.status is HealthStatus.OK


def test_a_refused_report_that_never_changes_is_sent_once_and_forgotten_in_the_end(tmp_path):
    settings = attrs.evolve(
        SLOW,
        look_again_after=timedelta(minutes=10),
        correctable=timedelta(minutes=15),
        reach=timedelta(minutes=45),
    )
    world = World(tmp_path, settings, contacts_per_interval=0)
    tried = []

    def fails(what):
        if what == "report" and len(tried) < 1:
            tried.append(what)
            raise PayloadRejectedError("bad", 400)

    world.taken.fails = fails
    assert world.run(minutes=40).status is HealthStatus.DEGRADED
    assert world.taken.of(FIRST) == []
    assert world.run(minutes=40).status is HealthStatus.OK


def test_a_refused_state_is_left_out_and_the_others_go_on(world, caplog):
    calls = []

    def send(states):
        calls.append(len(states))
        if any(state.login_id == "agent2" for state in states):
            raise PayloadRejectedError("bad", 400)
        world.taken.states.extend(states)

    world.taken.sender = attrs.evolve(world.taken.sender, send_states=send)
    world.restart()
    assert world.run(seconds=10).unsent_states == 0
    assert {state.login_id for state in world.taken.states} == {"agent0", "agent1", "agent3"}
    assert "of agent2 is left out" in caplog.text
    assert calls == [4, 2, 2, 1, 1]
    world.connector._states.feed.reconnected()
    world.run(minutes=1)
    assert calls[5] == 4


def test_unsent_states_are_bounded_by_the_last_of_each_agent(world, monkeypatch, caplog):
    monkeypatch.setattr("cxone_wfm.connector._states_job.MOST_PENDING", 6)
    world.taken.fails = failing(NotSentError("down"), "states")
    assert world.run(hours=1).unsent_states <= 6 < MOST_PENDING
    assert "the last of each agent is kept" in caplog.text
    assert len(caplog.records) < 40
    newest = {s["loginId"] for s in json.loads(world.path.read_text())["pending"]["agentStateList"]}
    assert newest == {f"agent{n}" for n in range(4)}


def test_many_agents_are_no_trouble_while_sending_works(world, monkeypatch, caplog):
    monkeypatch.setattr("cxone_wfm.connector._states_job.MOST_PENDING", 3)
    world.restart()
    world.run(seconds=5)
    assert len(world.taken.states) == 4
    world.acd._agents = [f"newcomer{number}" for number in range(4)]
    world.run(minutes=2)
    logins = [state.login_id for state in world.taken.states if state.event_code == "LOGON"]
    assert sorted(logins) == world.acd._agents
    assert "the last of each agent is kept" not in caplog.text
    world.taken.fails = failing(NotSentError("down"), "states")
    assert world.run(hours=1).unsent_states >= 4
    assert "the last of each agent is kept" in caplog.text


# --- restarts ----------------------------------------------------------------------------------------


def test_after_a_restart_what_was_missed_is_made_up_for_and_nothing_is_sent_twice(tmp_path):
    world = World(tmp_path, contacts_per_interval=0)
    world.run(hours=1)
    world.restart()
    world.run(minutes=1)
    assert len(world.taken.starts) == len(set(world.taken.starts)) == 3
    world.clock.advance(3 * 3600)
    world.restart()
    world.run(minutes=5)
    assert world.taken.starts == [START + n * INTERVAL_LENGTH for n in range(len(world.taken.starts))]
    assert len(world.taken.starts) == 16


def test_who_logged_off_while_the_connector_was_down_is_logged_off(world):
    world.run(minutes=1)
    world.clock.advance(3600)
    world.acd._agents = ["agent0"]
    world.restart()
    world.run(minutes=1)
    gone = {state.login_id for state in world.taken.states if state.event_code == "LOGOFF"}
    assert gone == {"agent1", "agent2", "agent3"}


def test_states_that_were_not_sent_survive_a_restart(world):
    world.taken.fails = failing(NotSentError("down"), "states")
    unsent = world.run(minutes=20).unsent_states
    world.taken.fails = lambda what: None
    world.restart()
    world.run(seconds=5)
    assert len(world.taken.states) >= unsent + 4


def test_a_contact_that_comes_late_after_a_restart_still_corrects_an_earlier_interval(tmp_path):
    world = World(tmp_path)
    late = next(iter(FakeAcd(world.clock).everything(FIRST, START + timedelta(hours=1)))).contact_id
    world.acd.knows_late[late] = START + timedelta(hours=2)
    world.run(minutes=90)
    before = world.taken.of(FIRST)
    world.clock.advance(3600)
    world.restart()
    world.run(minutes=5)
    assert world.taken.of(FIRST) == [*before, world.truth(FIRST)]


def test_what_another_intervals_extract_brought_is_not_taken_back_by_a_restart(world):
    real = world.acd.contacts
    late = Contact(contact_id="late", queue="2", arrived=START, ended=START + timedelta(minutes=1))
    third = Interval(start=START + 2 * INTERVAL_LENGTH)
    world.acd.contacts = lambda interval: [*real(interval), *([late] if interval == third else [])]
    world.run(minutes=50)
    before = world.taken.of(FIRST)
    world.restart()
    world.run(minutes=5)
    assert world.acd.extracts.count(FIRST) == 2
    assert world.taken.of(FIRST) == before


def test_while_much_is_made_up_for_the_first_report_does_not_wait_for_the_last_extract(world):
    world.run(minutes=20)
    world.clock.advance(10 * 3600)
    world.restart()
    world.acd.extracts.clear()
    extracted_by_then = []
    world.taken.fails = lambda what: (
        extracted_by_then.append(len(world.acd.extracts)) if what == "report" else None
    )
    world.run(minutes=1)
    assert len(extracted_by_then) == len(world.acd.extracts) == 40
    assert extracted_by_then[0] == 1


def test_a_correction_that_waits_for_extracts_keeps_nobody_busy(tmp_path):
    world = World(tmp_path, contacts_per_interval=0)
    world.run(minutes=50)
    world.restart()
    late = Contact(contact_id="late", queue="2", arrived=START, ended=START + timedelta(minutes=1))

    def contacts(interval):
        if interval != FIRST:
            raise OSError("down")
        return [late]

    world.acd.contacts = contacts
    while FIRST not in world.connector._reports.unsent:
        world.connector.step()
    assert world.connector.step() > 0.5
    assert len(world.taken.of(FIRST)) == 1
    world.run(minutes=1)
    assert len(world.taken.of(FIRST)) == 2


def test_a_correction_waits_for_no_interval_that_fails(world):
    late = next(iter(FakeAcd(world.clock).everything(FIRST, START + timedelta(hours=1)))).contact_id
    world.acd.knows_late[late] = START + timedelta(minutes=50)
    second = FIRST.next()

    def fails(what):
        if what == "contacts" and world.acd.extracts[-1] == second:
            raise OSError("broken")

    world.acd.fails = fails
    world.run(minutes=60)
    before = world.taken.of(FIRST)[-1]
    world.run(minutes=20)
    assert world.connector.health().without_data == (second,)
    assert world.taken.of(FIRST)[-1] == world.truth(FIRST) != before


def test_a_lost_answer_is_asked_for_again_after_a_restart(tmp_path):
    world = World(tmp_path)
    world.run(minutes=20)
    assert len(world.taken.of(FIRST)) == 1
    world.acd.knows_late = {"none": START}
    world.taken.fails = failing(OutcomeUnknownError("lost"), "report")
    world.run(minutes=60)  # the second look has changed the first interval
    assert FIRST.start.isoformat() not in json.loads(world.path.read_text())["confirmed"]


def test_what_is_beyond_the_reach_is_told_and_not_made_up_for(world, caplog):
    world.run(minutes=20)
    world.clock.advance(5 * 24 * 3600)
    world.restart()
    assert "from 2024-04-17T06:15Z/PT15M to 2024-04-21T06:15Z/PT15M were missed" in caplog.text
    world.run(minutes=5)
    assert min(start for start in world.taken.starts if start != START) >= world.clock.now() - timedelta(
        days=1
    )
    assert len(world.taken.starts) == 1 + 95


def test_with_a_progress_file_of_another_acd_nothing_begins(world):
    other = attrs.evolve(SETTINGS, acd_type="Other", acd_id="Another")
    with pytest.raises(ConfigurationError) as caught:
        Connector(world.acd, world.taken.sender, other, progress=world.path, clock=world.clock)
    assert len(caught.value.problems) == 2
    assert "is of the acd_type Generic_Fake, and the settings say Other" in str(caught.value)


def test_the_progress_stays_in_its_file_when_the_program_changes_its_folder(tmp_path, monkeypatch):
    (tmp_path / "first").mkdir()
    (tmp_path / "later").mkdir()
    monkeypatch.chdir(tmp_path / "first")
    clock = FakeConnectorClock()
    connector = Connector(FakeAcd(clock), Taken(clock).sender, SLOW, progress="p", clock=clock)
    before = Path("p").read_bytes()
    monkeypatch.chdir(tmp_path / "later")
    clock.advance(60)
    connector.step()
    assert list(Path().iterdir()) == []
    assert (tmp_path / "first" / "p").read_bytes() != before


def test_a_progress_file_that_cannot_be_written_is_told_at_the_start(tmp_path, world):
    with pytest.raises(ConfigurationError, match="cannot be written"):
        Connector(
            world.acd, world.taken.sender, SETTINGS, progress=tmp_path / "none" / "file", clock=world.clock
        )


def test_a_full_disk_degrades_and_the_data_goes_on(world, monkeypatch):
    def full(path, progress):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("cxone_wfm.connector.runner.save", full)
        health = world.run(minutes=20)
        assert health.status is HealthStatus.DEGRADED
        assert "cannot be written, a restart will send twice: OSError" in health.causes[0]
        assert world.taken.starts == [START]
    assert world.run(minutes=2).status is HealthStatus.OK
    world.restart()
    world.run(minutes=1)
    assert world.taken.starts == [START]


# --- clocks that are set -----------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-3, -0.3, 0.3, 3, 30])
def test_a_clock_that_is_set_and_set_back_neither_repeats_nor_skips(tmp_path, hours):
    world = World(tmp_path, contacts_per_interval=0)
    world.run(hours=4)
    jump = timedelta(hours=hours)
    world.clock.time_of_day += jump
    world.run(minutes=10)
    beats, states = len(world.taken.beats), len(world.taken.states)
    world.run(minutes=10)
    assert len(world.taken.beats) - beats == 20
    assert len(world.taken.states) - states < 30
    world.clock.time_of_day -= jump
    world.run(hours=4)
    real = {START + n * INTERVAL_LENGTH for n in range(30)}
    assert real <= set(world.taken.starts)
    for start in real:
        revisions = world.taken.of(Interval(start=start))
        assert [b for a, b in pairwise(revisions) if a == b] == []
        # The last one is of the whole interval, also where the clock said too soon that it was over.
        logins = revisions[-1].report_data.agent_system_performance_report
        assert {row.login_time for row in logins} == {900}


def test_what_a_clock_ahead_extracted_too_soon_is_extracted_again_even_when_that_fails_for_hours(tmp_path):
    world = World(tmp_path, contacts_per_interval=0)
    right = FakeConnectorClock()
    world.acd._clock = right  # the ACD's own clock, which nobody sets
    world.clock.time_of_day += timedelta(hours=3)
    world.run(minutes=1)
    world.clock.time_of_day -= timedelta(hours=3)
    right.now = world.clock.now
    world.acd.fails = failing(OSError("down"), "contacts")
    world.run(hours=4)
    world.acd.fails = lambda what: None
    world.run(minutes=5)
    revisions = world.taken.of(Interval(start=START + timedelta(hours=1)))
    assert revisions[0].report_data.agent_system_performance_report is None
    assert {row.login_time for row in revisions[-1].report_data.agent_system_performance_report} == {900}
    assert len(revisions) == 2


# --- a whole day -------------------------------------------------------------------------------------


class BadLuck:
    """Everything fails now and then for a moment, sometimes for up to two hours; or the process is killed."""

    def __init__(self, clock, seed):
        self._clock, self._luck = clock, random.Random(seed)
        self._bad_until = defaultdict(lambda: START)

    def __call__(self, what):
        luck, now = self._luck, self._clock.now()
        if luck.random() < 0.005:
            raise Killed
        if luck.random() < 0.002:
            self._bad_until[what] = now + timedelta(minutes=luck.randrange(120))
        if now < self._bad_until[what] or luck.random() < 0.05:
            raise luck.choice([ServerError("500", 500), OutcomeUnknownError("lost"), NotSentError("refused")])


def live_through(world, end):
    """Run until then, starting anew some minutes after each time the process was killed. How often it was."""
    killed = 0
    while world.clock.now() < end:
        try:
            world.run(seconds=(end - world.clock.now()).total_seconds())
        except Killed:  # noqa: PERF203 - it is the point
            killed += 1
            world.clock.advance(300 * killed % 1200)
            world.restart()
    return killed


@pytest.mark.parametrize("seed", range(2))
def test_a_day_of_failures_and_restarts_ends_as_if_nothing_had_been(tmp_path, seed):
    world = World(tmp_path, attrs.evolve(SLOW, states_every=timedelta(minutes=3)))
    world.acd.fails = world.taken.fails = BadLuck(world.clock, seed)
    assert live_through(world, START + timedelta(hours=24)) > 10
    world.acd.fails = world.taken.fails = lambda what: None
    world.restart()
    world.run(hours=6)
    for number in range(24 * 4):
        interval = Interval(start=START + number * INTERVAL_LENGTH)
        revisions, truth = world.taken.of(interval), world.truth(interval)
        assert revisions[-1] == truth, interval
        assert [b for a, b in pairwise(revisions) if a == b] == []
        for revision in revisions:  # what ended was known at the first look already: never zeros in its place
            assert _handled(revision) == _handled(truth)
            assert len(revision.report_data.agent_system_performance_report) == 4
    for agent in (f"agent{n}" for n in range(4)):
        times = [state.event_utc_time for state in world.taken.states if state.login_id == agent]
        assert times == sorted(times)
        assert times[-1] > world.clock.now() - timedelta(minutes=25)


def _handled(report):
    return [
        (row.queue_value, row.handled_short, row.handled_long, row.right_party_contacts, row.handle_time)
        for row in report.report_data.queue_report
    ]


# --- run and stop ------------------------------------------------------------------------------------


def test_run_works_until_it_is_told_to_stop_and_can_be_run_again(tmp_path):
    clock = FakeConnectorClock()
    taken, stop = Taken(clock), threading.Event()

    class StopsAfterAnHour(FakeConnectorClock):
        def wait(self, stop, seconds):
            super().wait(stop, seconds)
            if self.now() > START + timedelta(hours=1):
                stop.set()

    clock.wait = StopsAfterAnHour.wait.__get__(clock := StopsAfterAnHour())
    taken.clock = clock
    connector = Connector(FakeAcd(clock), taken.sender, SLOW, progress=tmp_path / "p", clock=clock)
    connector.run(stop)
    assert set(taken.starts) == {START + n * INTERVAL_LENGTH for n in range(3)}
    connector.run(stop)
    assert connector.health().status is HealthStatus.OK
    assert [t for t in threading.enumerate() if t.name == "cxone-wfm-connector"] == []


def test_a_stop_in_the_middle_of_a_call_gives_the_call_up_and_nothing_follows(tmp_path):
    clock, gate, stop = FakeConnectorClock(), Gate(), threading.Event()
    taken = Taken(clock)
    taken.fails = lambda what: gate() if what == "states" else None
    connector = Connector(FakeAcd(clock), taken.sender, SLOW, progress=tmp_path / "p", clock=clock)
    running = Background(lambda: connector.run(stop))
    gate.wait_until_reached()
    before = (tmp_path / "p").read_bytes()
    stop.set()
    assert running.outcome() is None
    gate.open()
    for thread in threading.enumerate():
        if thread.name == "cxone-wfm-connector":
            thread.join(10)
    assert (tmp_path / "p").read_bytes() == before
    assert len(taken.beats) == 1
    assert taken.reports == []
    for again in (lambda: connector.run(threading.Event()), connector.step):
        with pytest.raises(RuntimeError, match="make a new one"):
            again()


def test_what_was_seen_before_the_stop_is_in_the_file(tmp_path):
    clock, stop = FakeConnectorClock(START + timedelta(minutes=12)), threading.Event()
    taken, acd = Taken(clock), FakeAcd(clock)
    acd.fails = lambda what: stop.set()
    Connector(acd, taken.sender, SLOW, progress=tmp_path / "p", clock=clock).run(stop)
    assert taken.states == []
    assert len(json.loads((tmp_path / "p").read_text())["pending"]["agentStateList"]) == 4


def test_a_mistake_in_the_connector_itself_ends_run_and_is_seen(tmp_path):
    clock = FakeConnectorClock()
    clock.wait = lambda stop, seconds: 1 / 0
    connector = Connector(FakeAcd(clock), Taken(clock).sender, SLOW, progress=tmp_path / "p", clock=clock)
    with pytest.raises(ZeroDivisionError):
        connector.run(threading.Event())


def test_ctrl_c_without_a_handler_ends_the_work_as_well(tmp_path):
    class CtrlC(threading.Event):
        def is_set(self):
            if threading.current_thread().name != "cxone-wfm-connector":
                raise KeyboardInterrupt
            return super().is_set()

    clock = FakeConnectorClock()
    connector = Connector(FakeAcd(clock), Taken(clock).sender, SLOW, progress=tmp_path / "p", clock=clock)
    with pytest.raises(KeyboardInterrupt):
        connector.run(CtrlC())
    assert [t for t in threading.enumerate() if t.name == "cxone-wfm-connector"] == []


def already_set():
    event = threading.Event()
    event.set()
    return event


def run_until_ctrl_c(connector, is_time):
    """Run the connector in this thread, the main one, and interrupt it when it is time."""

    def interrupt():
        is_time()
        _thread.interrupt_main()

    interrupting = Background(interrupt)
    with pytest.raises(KeyboardInterrupt):
        connector.run(threading.Event())
    assert interrupting.outcome() is None


def test_ctrl_c_in_the_middle_of_a_call_gives_the_call_up_and_nothing_follows(tmp_path):
    clock, gate = FakeConnectorClock(), Gate()
    taken = Taken(clock)
    taken.fails = lambda what: gate() if what == "states" else None
    connector = Connector(FakeAcd(clock), taken.sender, SLOW, progress=tmp_path / "p", clock=clock)
    before = (tmp_path / "p").read_bytes()
    run_until_ctrl_c(connector, gate.wait_until_reached)
    with pytest.raises(RuntimeError, match="make a new one"):
        connector.run(already_set())
    gate.open()
    for thread in threading.enumerate():
        if thread.name == "cxone-wfm-connector":
            thread.join(10)
    assert (tmp_path / "p").read_bytes() == before
    assert taken.reports == []


def test_ctrl_c_while_nothing_is_due_ends_the_thread_and_it_can_be_run_again(tmp_path):
    class Idle(FakeConnectorClock):
        waits = threading.Event()

        def wait(self, stop, seconds):
            self.waits.set()
            assert stop.wait(PATIENCE)

    clock = Idle()
    connector = Connector(FakeAcd(clock), Taken(clock).sender, SLOW, progress=tmp_path / "p", clock=clock)
    run_until_ctrl_c(connector, lambda: clock.waits.wait(PATIENCE))
    assert [t for t in threading.enumerate() if t.name == "cxone-wfm-connector"] == []
    connector.run(already_set())


def test_with_the_machines_clock_it_works_as_well(tmp_path):
    seen, stop = threading.Event(), threading.Event()
    sender = Sender(send_states=lambda s: seen.set(), send_report=print, beat=lambda: None)
    acd = FakeAcd(FakeConnectorClock())
    settings = attrs.evolve(SLOW, states_every=timedelta(milliseconds=1))
    acd.agents = lambda now: [AgentStatus(login_id="ann", event_code="READY")]
    connector = Connector(acd, sender, settings, progress=tmp_path / "p")
    running = Background(lambda: connector.run(stop))
    assert seen.wait(20)
    stop.set()
    assert running.outcome() is None


# --- senders -----------------------------------------------------------------------------------------


def test_the_clients_are_a_sender_and_each_call_is_tried_once(tmp_path):
    token = reply(200, {"access_token": "t", "expires_in": 3600})
    transport = FakeTransport([token, reply(200), reply(200), reply(200), reply(503), reply(503)])
    world = World(tmp_path)
    with WfmClient(fake_config(), transport=transport, clock=FakeClock()) as wfm:
        sender = client_sender(wfm)
        sender.beat()
        sender.send_report(world.truth(FIRST))
        world.run(minutes=1)
        sender.send_states(world.taken.states[:1])
        for call in (sender.beat, lambda: sender.send_report(world.truth(FIRST))):
            with pytest.raises(ServerError):
                call()
    assert sender.beat_every == wfm.config.heartbeat_interval
    paths = [request.url.rpartition("/")[2] for request in transport.requests[1:]]
    assert paths == ["heartbeat", "historical-report", "agent-states", "heartbeat", "historical-report"]


def test_a_beat_has_no_more_time_than_until_the_next(tmp_path):
    token = reply(200, {"access_token": "t", "expires_in": 3600})
    transport = FakeTransport([token, reply(200)])
    with WfmClient(fake_config(), transport=transport, clock=FakeClock(1000)) as wfm:
        client_sender(wfm.with_options(heartbeat_interval=4)).beat()
    assert transport.attempts[-1].deadline == 1004


def test_a_durable_queue_is_a_sender_and_heartbeats_go_straight(tmp_path):
    class Queued:
        def __init__(self):
            self.records = []

        def enqueue(self, record):
            self.records.append(record)

        def enqueue_many(self, records):
            self.records += records

    transport = FakeTransport([reply(200, {"access_token": "t", "expires_in": 3600}), reply(200)])
    queue, world = Queued(), World(tmp_path)
    with WfmClient(fake_config(), transport=transport, clock=FakeClock()) as wfm:
        world.taken.sender = durable_sender(queue, wfm)
        world.taken.sender.beat()
    world.taken.sender = attrs.evolve(world.taken.sender, beat=lambda: None)
    world.restart()
    world.run(minutes=18)
    assert [type(record).__name__ for record in queue.records[:4]] == ["AgentState"] * 4
    assert type(queue.records[-1]).__name__ == "HistoricalReport" or world.truth(FIRST) in queue.records


# --- settings ----------------------------------------------------------------------------------------


def test_settings_that_cannot_work_are_all_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        attrs.evolve(
            SETTINGS,
            states_every=timedelta(0),
            report_lag=timedelta(hours=2),
            look_again_after=timedelta(hours=1),
            correctable=timedelta(minutes=30),
            reach=timedelta(minutes=40),
        )
    assert len(caught.value.problems) == 4
    with pytest.raises(ConfigurationError) as caught:
        attrs.evolve(SETTINGS, reach=timedelta(days=400), report_lag=120)
    assert len(caught.value.problems) == 2
    with pytest.raises(ConfigurationError, match="twice"):
        attrs.evolve(SETTINGS, queues=[Queue(value="1"), Queue(value="1")])
    with pytest.raises(ConfigurationError, match="queues: '8057' is no Queue"):
        attrs.evolve(SETTINGS, queues=["8057"])
    with pytest.raises(ConfigurationError, match="minimum_dwell must be a timedelta"):
        attrs.evolve(SETTINGS, minimum_dwell=3)
    with pytest.raises(ConfigurationError, match="login_code"):
        attrs.evolve(SETTINGS, logoff_code="LOGON")
    with pytest.raises(ConfigurationError, match="beat_every"):
        Sender(send_states=print, send_report=print, beat=print, beat_every=0)
