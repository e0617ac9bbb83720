"""`replay`: a dry run first; it goes on where it was stopped, and never makes up zeros."""

import json

import attrs
import pytest
from support.fake_acd import SETTINGS, START, FakeAcd, FakeConnectorClock

from cxone_wfm import ConfigurationError, ServerError
from cxone_wfm.connector import replay
from cxone_wfm.intervals import INTERVAL_LENGTH, Interval

INTERVALS = [Interval(start=START + n * INTERVAL_LENGTH) for n in range(6)]


@pytest.fixture
def acd():
    clock = FakeConnectorClock()
    clock.advance(24 * 3600)
    return FakeAcd(clock)


def test_a_dry_run_shows_the_reports_and_sends_and_writes_nothing(acd, tmp_path):
    steps = list(replay(acd, SETTINGS, reversed(INTERVALS), progress=tmp_path / "p"))
    assert [step.interval for step in steps] == INTERVALS
    assert all(step.report.report_data.queue_report for step in steps)
    assert not any(step.sent for step in steps)
    assert list(tmp_path.iterdir()) == []


def test_it_sends_what_the_dry_run_showed(acd):
    sent = []
    shown = [step.report for step in replay(acd, SETTINGS, INTERVALS)]
    steps = list(replay(acd, SETTINGS, INTERVALS, send_report=sent.append))
    assert sent == shown
    assert all(step.sent for step in steps)


def test_it_goes_on_where_it_was_stopped(acd, tmp_path):
    sent = []

    def send(report):
        if len(sent) == 2 and len(acd.extracts) == 3:
            raise ServerError("down", 503)
        sent.append(report)

    with pytest.raises(ServerError):
        list(replay(acd, SETTINGS, INTERVALS, send_report=send, progress=tmp_path / "p"))
    acd.extracts.clear()
    steps = list(replay(acd, SETTINGS, INTERVALS, send_report=send, progress=tmp_path / "p"))
    assert acd.extracts == INTERVALS[2:]
    assert [step.sent for step in steps] == [False, False, True, True, True, True]
    assert [step.report is None for step in steps] == [True, True, False, False, False, False]
    assert [report.start_date for report in sent] == [interval.start for interval in INTERVALS]


def test_the_progress_stays_in_its_file_when_the_program_changes_its_folder(acd, tmp_path, monkeypatch):
    (tmp_path / "later").mkdir()
    monkeypatch.chdir(tmp_path)
    steps = replay(acd, SETTINGS, INTERVALS, send_report=lambda report: None, progress="p")
    next(steps)
    monkeypatch.chdir(tmp_path / "later")
    list(steps)
    assert list((tmp_path / "later").iterdir()) == []


def test_an_interval_without_data_is_told_and_the_next_time_it_is_tried_again(acd, tmp_path):
    sent = []

    def fails(what):
        if acd.extracts[-1] == INTERVALS[1]:
            raise OSError("cut")

    acd.fails = fails
    steps = list(replay(acd, SETTINGS, INTERVALS, send_report=sent.append, progress=tmp_path / "p"))
    assert [step.no_data is not None for step in steps] == [False, True, False, False, False, False]
    assert steps[1].no_data == "contacts() of the source failed with OSError: cut"
    assert len(sent) == 5
    acd.fails = lambda what: None
    list(replay(acd, SETTINGS, INTERVALS, send_report=sent.append, progress=tmp_path / "p"))
    assert sent[-1].start_date == INTERVALS[1].start
    assert len(sent) == 6


def test_a_file_of_a_connector_or_of_another_acd_is_refused(acd, tmp_path):
    path = tmp_path / "p"
    list(replay(acd, SETTINGS, INTERVALS, send_report=lambda report: None, progress=path))
    with pytest.raises(ConfigurationError, match="acd_id"):
        replay(acd, attrs.evolve(SETTINGS, acd_id="Other"), INTERVALS, progress=path)
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"what": "progress of a cxone_wfm connector"}))
    with pytest.raises(ConfigurationError, match="not the progress of a replay"):
        replay(acd, SETTINGS, INTERVALS, progress=path)


def test_a_file_that_cannot_be_written_is_told_before_anything_is_sent(acd, tmp_path):
    sent = []
    with pytest.raises(ConfigurationError, match="cannot be written"):
        replay(acd, SETTINGS, INTERVALS, send_report=sent.append, progress=tmp_path / "none" / "p")
    assert sent == acd.extracts == []


def test_no_intervals_are_no_work(acd, tmp_path):
    assert list(replay(acd, SETTINGS, [], send_report=print, progress=tmp_path / "p")) == []
