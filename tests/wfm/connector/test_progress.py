"""The progress file: whole or not at all, and never taken for what it is not."""

import json
import os
from pathlib import Path

import attrs
import pytest
from support.fake_acd import START

from cxone_wfm import AgentState, ConfigurationError
from cxone_wfm.connector._progress import Progress, load, save
from cxone_wfm.intervals import Interval

FIRST = Interval(start=START)
STATES = tuple(
    AgentState(login_id=f"zoë{n}", acd_id="Fake", event_code="READY", event_utc_time=START) for n in range(3)
)
PROGRESS = Progress(
    acd_type="Generic_Fäke",
    acd_id="Fake",
    first=FIRST,
    confirmed={FIRST: "a" * 64, FIRST.next(): "b" * 64},
    last_sent=STATES[:2],
    pending=STATES[2:],
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "progress.json"


@pytest.mark.parametrize("owner", ["connector", "replay"])
def test_what_was_saved_is_loaded(path, owner):
    progress = attrs.evolve(PROGRESS, owner=owner)
    assert load(path, owner) is None
    save(path, progress)
    assert load(path, owner) == progress
    assert json.loads(path.read_bytes())["version"] == 1
    assert list(path.parent.iterdir()) == [path]


def test_the_new_file_is_on_the_disk_before_it_takes_the_place_of_the_old_one(path, monkeypatch):
    done = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(handle):
        done.append(("fsync", os.fstat(handle).st_size > 0))
        real_fsync(handle)

    def replace(new, old):
        done.append(("replace", new.name))
        return real_replace(new, old)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    save(path, PROGRESS)
    assert done[:2] == [("fsync", True), ("replace", "progress.json.new")]


def test_a_crash_while_writing_leaves_the_old_file(path, monkeypatch):
    save(path, PROGRESS)

    def crash(handle):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", crash)
        with pytest.raises(OSError, match="Input/output"):
            save(path, attrs.evolve(PROGRESS, confirmed={}))
    assert load(path, "connector") == PROGRESS
    save(path, attrs.evolve(PROGRESS, confirmed={}))
    assert load(path, "connector") == attrs.evolve(PROGRESS, confirmed={})


def test_a_system_that_opens_no_folders_will_do(path, monkeypatch):
    real_open = os.open

    def no_folders(name, *rest, **named):
        if Path(name) == path.parent:
            raise PermissionError(13, "Permission denied")
        return real_open(name, *rest, **named)

    monkeypatch.setattr(os, "open", no_folders)
    save(path, PROGRESS)
    assert load(path, "connector") == PROGRESS


def document(**changes):
    return {
        "what": "progress of a cxone_wfm connector",
        "version": 1,
        "acdType": "T",
        "acdId": "Fake",
        "first": "2024-04-17T06:00:00+00:00",
        "confirmed": {},
        "lastSent": {"agentStateList": []},
        "pending": {"agentStateList": []},
    } | changes


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 4096,
        b"[]",
        b'{"what": "somebody else\'s"}',
        *(
            json.dumps(document(**changes)).encode()
            for changes in (
                {"what": "progress of a cxone_wfm replay"},
                {"version": 2},
                {"acdType": 7},
                {"first": "soon"},
                {"first": "2024-04-17T06:01:00+00:00"},
                {"confirmed": None},
                {"confirmed": {"2024-04-17T06:00:00+00:00": None}},
                {"lastSent": [{}]},
                {"pending": {"agentStateList": [{}]}},
            )
        ),
        json.dumps({k: v for k, v in document().items() if k != "pending"}).encode(),
    ],
)
def test_a_file_that_is_damaged_or_of_something_else_is_refused_and_left_alone(path, content):
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load(path, "connector")
    assert f"{path} is not the progress of a connector, or is damaged" in str(caught.value)
    assert "move the file away" in str(caught.value)
    assert path.read_bytes() == content


def test_the_good_document_of_the_test_above_is_good(path):
    path.write_text(json.dumps(document()))
    assert load(path, "connector") is not None


def test_a_cut_file_is_refused(path):
    save(path, PROGRESS)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ConfigurationError):
            load(path, "connector")


def test_a_file_that_cannot_be_read_is_told(path):
    path.mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(path, "connector")
