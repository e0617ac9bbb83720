"""`cxone-wfm outbox` and `cxone-wfm send --outbox`: what is shown, what is changed, and the exit codes."""

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.command import run, start, use
from support.outbox import report, state
from support.threads import PATIENCE, Background

from cxone_wfm import AgentState
from cxone_wfm.cli import app, durable
from cxone_wfm.cli import outbox as outbox_commands
from cxone_wfm.cli.output import Output
from cxone_wfm.outbox import DurableSender, Limits, Outbox, SenderHealth, _connection
from cxone_wfm.outbox import outbox as outbox_module
from cxone_wfm.outbox.reading import SqliteReader
from cxone_wfm.outbox.sqlite import SqliteStore
from cxone_wfm.outbox.store import Dead, Outcome, Want
from cxone_wfm.samples import sample
from cxone_wfm.simulator import Delay, Simulator, Status

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an outbox in a file needs POSIX file locks")
REFUSED = Status(422, body=b'{"message": "no such agent"}')
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
SMALL = Limits(min_free_bytes=0, ballast_bytes=0)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of CXone, and nothing that tells rich what the terminal is."""
    told = ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    for name in [name for name in os.environ if name.startswith("CXONE_") or name in told]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outboxes without ballast, and nothing is synced to the disk: that is tested elsewhere, and slow."""
    monkeypatch.setattr(outbox_module, "Limits", lambda: SMALL)
    monkeypatch.setitem(_connection.SETTINGS, "synchronous", 0)


@pytest.fixture(scope="module")
def one_simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(one_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """A local CXone WFM that has received nothing, with its settings in the environment."""
    one_simulator.reset()
    use(one_simulator.config(), monkeypatch)
    return one_simulator


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where an outbox may be; none is there yet."""
    tmp_path.chmod(0o700)
    return str(tmp_path / "outbox.db")


def filled(path: str, *agents: str, reports: int = 0) -> list[str]:
    """Make an outbox with a state of each agent and so many reports. Gives the ids of the events."""
    records = [*(state(agent, number) for number, agent in enumerate(agents)), *map(report, range(reports))]
    with Outbox.open(path) as outbox:
        return [receipt.event_id for receipt in outbox.enqueue_many(records)]


@contextmanager
def owned_by_process(pid: int, path: str) -> Iterator[None]:
    """Meanwhile another process has the outbox open, as far as its lock file tells."""
    with Outbox.open(path):
        Path(f"{path}.lock").write_text(json.dumps({"pid": pid, "host": "a", "since": 1}), encoding="utf-8")
        yield


def with_dead(path: str, simulator: Simulator, states: int = 1, reports: int = 0) -> list[str]:
    """Make an outbox with so many dead letters and nothing else. Gives their ids in the order of death."""
    filled(path, *(f"agent{number}" for number in range(states)), reports=reports)
    simulator.fail("agent_states", REFUSED, times=2 * states + 1)
    simulator.fail("historical_report", Status(413), times=reports + 1)
    assert run("outbox", "drain", path).code == 4
    simulator.reset()
    return [event["event_id"] for event in dead(path)]


def dead(path: str, *options: str) -> list[dict[str, object]]:
    """The dead letters that the command lists."""
    return listed("dead", path, *options)[0]


def listed(fate: str, path: str, *options: str) -> tuple[list[dict[str, object]], dict[str, object] | None]:
    """The events that the command lists, and the options of the next page."""
    document = run("outbox", "list", path, fate, "--json", *options).document
    events, rest = document["events"], document["next"]
    assert isinstance(events, list)
    assert rest is None or isinstance(rest, dict)
    return events, rest


def counts(path: str) -> dict[str, int]:
    """How many events are pending and dead."""
    document = run("outbox", "status", path, "--json").document
    pending, dead_ones = document["pending"], document["dead"]
    assert isinstance(pending, dict)
    assert isinstance(dead_ones, dict)
    return {"pending": sum(each["items"] for each in pending.values()), "dead": dead_ones["items"]}


# Help and usage


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ([], ["status", "list", "show", "export", "requeue", "purge", "drain", "Exit codes", "PGPASSWORD"]),
        (["status"], ["--json", "OUTBOX"]),
        (["list"], ["pending", "dead", "--kind", "--reason", "--after", "--limit", "--json"]),
        (["show"], ["EVENT_ID", "--json"]),
        (["export"], ["pending", "dead", "personal data", "to the byte"]),
        (["requeue"], ["--reason", "ends of their streams", "--json"]),
        (["purge"], ["--all-dead", "--yes", "export them first", "--json"]),
        (["drain"], ["--timeout", "Ctrl-C", "SIGTERM", "with 3", "with 4", "with 1", "--json"]),
    ],
)
def test_help_tells_all_that_a_command_takes(command: list[str], told: list[str]) -> None:
    done = run("outbox", *command, "--help")
    assert (done.code, done.err) == (0, "")
    text = " ".join(done.out.split())
    assert [word for word in told if word not in text] == []
    assert [line for line in done.out.splitlines()[1:] if line.endswith("...")] == []
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments",
    [
        ["outbox", "list", "o.db", "delivered"],
        ["outbox", "list", "o.db", "pending", "--reason", "refused"],
        ["outbox", "list", "o.db", "--limit", "0"],
        ["outbox", "requeue", "o.db"],
        ["outbox", "requeue", "o.db", "an-id", "--reason", "refused"],
        ["outbox", "purge", "o.db"],
        ["outbox", "purge", "o.db", "--yes"],
        ["outbox", "purge", "o.db", "--all-dead"],
        ["outbox", "purge", "o.db", "an-id", "--all-dead", "--yes"],
        ["outbox", "drain", "o.db", "--timeout", "-1"],
        ["send", "states", "-", "--outbox", "o.db", "--dry-run"],
    ],
)
def test_what_a_command_does_not_take_is_a_usage_error(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Error" in done.err


DOCUMENTATION = (Path(__file__).parents[2] / "docs" / "explanation" / "outbox.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", re.findall(r"^\$ cxone-wfm (.*)$", DOCUMENTATION, re.MULTILINE))
def test_every_command_in_the_documentation_is_understood(line: str, path: str) -> None:
    words = line.partition(" > ")[0].replace("wfm-outbox.db", path).replace("states.json", f"{path}.json")
    done = run(*words.split())
    assert done.code == 1
    assert done.err.startswith(("there is no outbox", f"{path}.json cannot be read"))


def test_the_documentation_shows_every_command() -> None:
    shown = set(re.findall(r"^\$ cxone-wfm outbox (\w+)", DOCUMENTATION, re.MULTILINE))
    assert len(shown) == len(app.outboxes.registered_commands)


# What there is none of


COMMANDS = [
    ["status"],
    ["list"],
    ["show", "an-id"],
    ["export"],
    ["requeue", "an-id"],
    ["purge", "an-id"],
    ["drain"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_path_where_no_outbox_is_is_told_and_none_is_made(command: list[str], path: str) -> None:
    name, *rest = command
    done = run("outbox", name, path, *rest)
    assert (done.code, done.out, done.err) == (1, "", f"there is no outbox {path}\n")
    assert not Path(path).exists()


@pytest.mark.parametrize("command", [each for each in COMMANDS if each != ["export"]], ids=" ".join)
def test_machines_are_told_of_a_failure_in_json(command: list[str], path: str) -> None:
    name, *rest = command
    done = run("outbox", name, path, *rest, "--json")
    assert done.code == 1
    assert done.document == {"ok": False, "error": f"there is no outbox {path}"}


@pytest.mark.parametrize("command", [["requeue", "an-id"], ["purge", "an-id"], ["drain"]], ids=" ".join)
def test_what_changes_something_names_the_process_that_has_the_file_open(
    command: list[str], path: str, simulator: Simulator
) -> None:
    name, *rest = command
    with owned_by_process(4711, path):
        done = run("outbox", name, path, *rest)
    assert (done.code, done.out) == (1, "")
    assert "process 4711" in done.err


@pytest.mark.parametrize(
    "command",
    [
        ["outbox", "status"],
        ["outbox", "purge", "--all-dead", "--yes"],
        ["outbox", "drain"],
        ["send", "states", "-", "--outbox"],
    ],
    ids=" ".join,
)
def test_without_the_extra_of_postgresql_a_command_says_in_one_line_what_to_install(
    command: list[str], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "cxone_wfm.outbox.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    done = run(*command, "postgresql://user:canary@db.example/wfm", stdin=sample("states"))
    assert (done.code, done.out) == (1, "")
    assert 'pip install "cxone-wfm-sdk[postgres]"' in done.err
    assert done.err.count("\n") == 1


# Looking


def test_status_looks_while_another_process_works_with_the_outbox(path: str) -> None:
    with Outbox.open(path) as outbox:
        outbox.enqueue_many([state("ann"), state("bob"), report()])
        done = run("outbox", "status", path)
        outbox.enqueue(state("cid"))
        assert counts(path)["pending"] == 4
    assert (done.code, done.err) == (0, "")
    first, *lines = done.out.splitlines()
    assert first.startswith(f"Process {os.getpid()} on ")
    assert " has it open since 20" in first
    table = {line.split()[0]: line.split()[1:] for line in lines if "_" in line}
    assert table == {
        "agent_state": ["2", "1", "0", "s"],
        "agent_activity_report": ["0", "0"],
        "historical_report": ["1", "1", "0", "s"],
    }
    assert "No dead letters." in lines
    assert lines[-1] == "Since it was made: accepted 3, delivered 0 (possibly twice 0), purged 0"


def test_status_for_machines_has_everything(
    path: str, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_dead(path, simulator, states=2, reports=1)
    with Outbox.open(path) as outbox:
        outbox.wall = lambda: time.time() - 90_000
        outbox.enqueue(state("zoe"))
        document = run("outbox", "status", path, "--json").document
    owner = document.pop("owner")
    assert isinstance(owner, dict)
    assert owner["pid"] == os.getpid()
    assert set(owner) == {"pid", "host", "since"}
    pending = document.pop("pending")
    assert isinstance(pending, dict)
    assert {kind: usage["items"] for kind, usage in pending.items()} == {
        "agent_state": 1,
        "agent_activity_report": 0,
        "historical_report": 0,
    }
    assert 90_000 <= pending["agent_state"]["oldest_seconds"] < 90_000 + PATIENCE
    assert pending["historical_report"] == {"items": 0, "bytes": 0, "oldest_seconds": None}
    dead_ones = document.pop("dead")
    assert isinstance(dead_ones, dict)
    assert dead_ones["bytes"] > 200
    assert (dead_ones["items"], dead_ones["reasons"]) == (3, {"refused": 2, "too_large": 1})
    assert document == {
        "ok": True, "accepted": 4, "delivered": 0, "possibly_duplicated": 0, "purged": 0
    }  # fmt: skip


def test_status_shows_dead_letters_by_reason_and_that_nobody_has_it_open(
    path: str, simulator: Simulator
) -> None:
    with_dead(path, simulator, states=2, reports=1)
    lines = run("outbox", "status", path).out.splitlines()
    assert lines[0] == "No process has it open."
    rows = [line.split() for line in lines]
    assert ["refused", "2"] in rows
    assert ["too_large", "1"] in rows


def test_status_says_where_the_lock_file_does_not_tell(path: str) -> None:
    with Outbox.open(path):
        Path(f"{path}.lock").write_text("", encoding="utf-8")
        done = run("outbox", "status", path)
    assert done.out.startswith("A process has it open; its lock file does not tell which.\n")


def test_status_of_an_outbox_in_postgresql_says_that_several_may_share_it(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, "ann")
    monkeypatch.setattr(outbox_commands, "read_outbox", lambda _: SqliteReader(Path(path)))
    done = run("outbox", "status", "postgresql://user:canary@db.example/wfm")
    assert done.out.startswith("An outbox in PostgreSQL, which several processes may share.\n")
    assert "canary" not in done.out


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""),
        (-5.0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 0 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d 0 h"),
        (200_000, "2 d 7 h"),
    ],
)
def test_an_age_has_two_units_at_most(seconds: float | None, shown: str) -> None:
    assert outbox_commands._span(seconds) == shown


def test_pending_events_are_listed_in_pages_of_one_kind(path: str) -> None:
    ids = filled(path, "a", "b", "c", "d", "e", reports=1)
    first, rest = listed("pending", path, "--limit", "3")
    assert [event["event_id"] for event in first] == ids[:3]
    assert rest == {"kind": "agent_state", "after": 3}
    second, rest = listed("pending", path, "--limit", "3", "--kind", "agent_state", "--after", "3")
    assert [event["event_id"] for event in second] == ids[3:5]
    assert rest is None
    reports, _ = listed("pending", path, "--kind", "historical_report")
    assert [event["event_id"] for event in reports] == ids[5:]


def test_without_a_kind_the_first_that_there_is_is_listed(path: str) -> None:
    ids = filled(path, reports=2)
    assert [event["event_id"] for event in listed("pending", path)[0]] == ids


def test_nothing_pending_is_an_empty_page(path: str) -> None:
    filled(path)
    assert listed("pending", path) == ([], None)
    assert run("outbox", "list", path).out == ""


def test_a_listed_event_is_one_line_and_the_next_page_is_named(path: str) -> None:
    ids = filled(path, "ann", "bob")
    done = run("outbox", "list", path, "--limit", "1")
    line, more = done.out.splitlines()
    assert line.split() == ["1", ids[0], "0", "s", "state:ACD:ann", "#1"]
    assert more == "There are more: --kind agent_state --after 1"


def test_dead_letters_are_listed_by_reason_and_kind_in_pages(path: str, simulator: Simulator) -> None:
    with_dead(path, simulator, states=3, reports=2)
    refused = dead(path, "--reason", "refused")
    assert [(each["reason"], each["status"], each["kind"]) for each in refused] == [
        ("refused", 422, "agent_state")
    ] * 3
    reports = dead(path, "--kind", "historical_report")
    assert [each["reason"] for each in reports] == ["too_large"] * 2
    page, rest = listed("dead", path, "--limit", "2", "--reason", "refused", "--kind", "agent_state")
    assert page == refused[:2]
    assert rest is not None
    assert (rest["kind"], rest["reason"]) == ("agent_state", "refused")
    assert dead(path, "--reason", "refused", "--after", str(rest["after"])) == refused[2:]
    line = run("outbox", "list", path, "dead", "--reason", "refused", "--limit", "1").out.splitlines()[0]
    # Halves of a list go out side by side, so which of them dies first is not said.
    assert line.endswith(f"{refused[0]['stream']} #1  refused 422")


def test_a_pending_event_is_shown_with_its_payload(path: str) -> None:
    (event_id,) = filled(path, "ann")
    done = run("outbox", "show", path, event_id)
    assert (done.code, done.err) == (0, "")
    facts, _, payload = done.out.partition("{")
    assert ["state", "pending"] in [line.split() for line in facts.splitlines()]
    assert ["stream", "state:ACD:ann"] in [line.split() for line in facts.splitlines()]
    assert json.loads("{" + payload)["loginId"] == "ann"
    assert payload.startswith('\n  "loginId"')


def test_a_dead_letter_is_shown_with_what_the_server_said(path: str, simulator: Simulator) -> None:
    (event_id,) = with_dead(path, simulator)
    event = run("outbox", "show", path, event_id, "--json").document["event"]
    assert isinstance(event, dict)
    assert (event["state"], event["reason"], event["status"], event["tries"]) == ("dead", "refused", 422, 1)
    assert event["possibly_arrived"] is False
    assert "no such agent" in event["detail"]
    assert event["payload"]["loginId"] == "agent0"
    assert event["died_at"] >= event["accepted_at"]


def test_a_dead_letter_that_may_have_arrived_says_so(path: str) -> None:
    (event_id,) = filled(path, "ann")
    want = Want(kind="agent_state", most=1, most_bytes=1, seconds=1.0)
    store = SqliteStore(path, ballast_bytes=0)
    attempt = store.advance([], [want], 0.0)
    assert attempt is not None
    conflict = Dead(event_id=event_id, reason="refused", status=409)
    store.advance([Outcome(attempt=attempt, dead=(conflict,), unknown=True, at=0.0)], [], 0.0)
    store.close()
    (line,) = run("outbox", "list", path, "dead").out.splitlines()
    assert line.endswith("state:ACD:ann #1  refused 409  possibly arrived")
    assert "possibly_arrived True" in run("outbox", "show", path, event_id).out
    assert json.loads(run("outbox", "export", path, "dead").out)["possibly_arrived"] is True


def test_an_event_that_is_neither_is_told(path: str) -> None:
    filled(path, "ann")
    done = run("outbox", "show", path, "another-id")
    assert (done.code, done.out) == (1, "")
    assert "No event another-id is pending or dead" in done.err


def test_an_export_has_one_line_for_each_event_with_its_payload_to_the_byte(path: str) -> None:
    ann = AgentState.from_json({**json.loads(state("ann").to_json()), "loginId": "\u5f20\u4f1f \U0001f600"})
    with Outbox.open(path) as outbox:
        outbox.enqueue_many([ann, report()])
    done = run("outbox", "export", path, "pending")
    first, second = done.out.splitlines()
    assert first.endswith(f'"payload": {ann.to_json().decode()}}}')
    assert json.loads(first)["state"] == "pending"
    assert json.loads(second)["payload"] == json.loads(report().to_json())


def test_an_export_goes_through_all_pages(
    path: str, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_commands, "_PAGE", 2)
    ids = with_dead(path, simulator, states=5)
    exported = [json.loads(line) for line in run("outbox", "export", path).out.splitlines()]
    assert [each["event_id"] for each in exported] == ids
    assert {each["reason"] for each in exported} == {"refused"}
    waiting = filled(path, "x", "y", "z", reports=1)
    exported = [json.loads(line) for line in run("outbox", "export", path, "pending").out.splitlines()]
    assert [each["event_id"] for each in exported] == waiting


def test_an_export_to_a_terminal_does_not_steer_it(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, "ann \x9b31m")
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = run("outbox", "export", path, "pending").out
    assert "ann \\x9b31m" in out
    assert "\x9b" not in out


# Deciding


def test_dead_letters_are_requeued_by_id_and_go_out(path: str, simulator: Simulator) -> None:
    with_dead(path, simulator, states=3)
    ids = {str(each["stream"]): str(each["event_id"]) for each in dead(path)}
    first, second, third = (ids[f"state:ACD:agent{number}"] for number in range(3))
    done = run("outbox", "requeue", path, third, first, third)
    assert (done.code, done.out, done.err) == (0, "requeued 2\n", "")
    assert counts(path) == {"pending": 2, "dead": 1}
    assert run("outbox", "drain", path).code == 0
    assert sorted(each.login_id for each in simulator.received.agent_states) == ["agent0", "agent2"]
    assert [each["event_id"] for each in dead(path)] == [second]


def test_all_dead_letters_of_a_reason_are_requeued(
    path: str, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_commands, "_PAGE", 2)
    with_dead(path, simulator, states=3, reports=1)
    assert run("outbox", "requeue", path, "--reason", "refused", "--json").document == {
        "ok": True, "requeued": 3
    }  # fmt: skip
    assert counts(path) == {"pending": 3, "dead": 1}
    assert run("outbox", "requeue", path, "--reason", "no such reason").out == "requeued 0\n"


def test_dead_letters_are_purged_by_id_or_all(path: str, simulator: Simulator) -> None:
    first, *_ = with_dead(path, simulator, states=3)
    assert run("outbox", "purge", path, first).out == "purged 1\n"
    assert counts(path)["dead"] == 2
    done = run("outbox", "purge", path, "--all-dead", "--yes", "--json")
    assert done.document == {"ok": True, "purged": 2}
    assert counts(path) == {"pending": 0, "dead": 0}


@pytest.mark.parametrize("command", ["requeue", "purge"])
def test_with_an_id_that_is_no_dead_letters_nothing_is_done(
    command: str, path: str, simulator: Simulator
) -> None:
    (event_id,) = with_dead(path, simulator)
    done = run("outbox", command, path, event_id, "another-id")
    assert (done.code, done.out) == (1, "")
    assert done.err == "No dead letter has the id another-id. Nothing was done.\n"
    assert counts(path) == {"pending": 0, "dead": 1}


# Draining


def test_drain_sends_what_is_pending_until_nothing_is(path: str, simulator: Simulator) -> None:
    filled(path, "a", "b", "a", reports=2)
    done = run("outbox", "drain", path)
    assert (done.code, done.out, done.err) == (0, "delivered 5, pending 0, dead 0\n", "")
    assert len(simulator.received.agent_states) == 3
    assert len(simulator.received.historical_reports) == 2
    assert run("outbox", "drain", path, "--json").document == {
        "ok": True, "delivered": 0, "pending": 0, "dead": 0, "causes": []
    }  # fmt: skip


def test_drain_that_ends_with_dead_letters_says_where_they_are(path: str, simulator: Simulator) -> None:
    filled(path, "a", reports=1)
    simulator.fail("historical_report", Status(400))
    done = run("outbox", "drain", path)
    assert (done.code, done.out) == (4, "delivered 1, pending 0, dead 1\n")
    assert "cxone-wfm outbox list PATH dead" in done.err


def test_drain_whose_time_is_over_says_what_is_pending_and_what_stands_in_the_way(
    path: str, simulator: Simulator
) -> None:
    filled(path, reports=2)
    simulator.fail("historical_report", Status(404), times=10)
    done = run("outbox", "drain", path, "--timeout", "0.6")
    assert (done.code, done.out) == (3, "delivered 0, pending 2, dead 0\n")
    assert "stays in the outbox" in done.err
    assert "HTTP 404" in done.err
    document = run("outbox", "drain", path, "--timeout", "0.5", "--json").document
    causes = document.pop("causes")
    assert isinstance(causes, list)
    assert "HTTP 404" in causes[0]
    assert document == {"ok": False, "delivered": 0, "pending": 2, "dead": 0}


def test_drain_with_something_pending_and_something_dead_says_pending(
    path: str, simulator: Simulator
) -> None:
    filled(path, "a", reports=1)
    simulator.fail("agent_states", REFUSED)
    simulator.fail("historical_report", Status(404), times=10)
    done = run("outbox", "drain", path, "--timeout", "1")
    assert (done.code, done.out) == (3, "delivered 0, pending 1, dead 1\n")
    assert "stays in the outbox" in done.err
    assert "outbox list PATH dead" in done.err


def test_drain_without_settings_says_which_are_missing(path: str) -> None:
    filled(path, "a")
    done = run("outbox", "drain", path)
    assert (done.code, done.out) == (1, "")
    assert "CXONE_BASE_URL" in done.err
    assert counts(path)["pending"] == 1


def test_drain_puts_the_handlers_of_signals_back(path: str, simulator: Simulator) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    filled(path, "a")
    run("outbox", "drain", path)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_a_drain_in_order_and_keeps_the_rest(
    number: signal.Signals, path: str, simulator: Simulator
) -> None:
    filled(path, "a", *("b" for _ in range(30)))
    simulator.fail("agent_states", Delay(0.2), times=50)

    def meanwhile() -> None:
        came_within_patience(lambda: any(r.operation == "agent_states" for r in simulator.received.requests))
        signal.pthread_kill(threading.main_thread().ident or 0, number)

    other = Background(meanwhile)
    done = run("outbox", "drain", path)
    assert other.outcome() is None
    assert done.code == 3
    assert done.out.startswith("Stopping: ")
    assert "stays in the outbox" in done.err
    (numbers,) = re.findall(r"delivered (\d+), pending (\d+), dead 0", done.out)
    assert sum(map(int, numbers)) == 31
    assert counts(path)["pending"] == int(numbers[1]) > 0
    assert len(simulator.received.agent_states) == int(numbers[0]) < 15


def came_within_patience(there: Callable[[], bool]) -> None:
    """Wait for what another process or thread does."""
    end = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_second_signal_ends_the_process_at_once(path: str, simulator: Simulator) -> None:
    filled(path, reports=1)
    simulator.fail("historical_report", Delay(3 * PATIENCE))
    with start("outbox", "drain", path) as process:
        try:
            came_within_patience(lambda: len(simulator.received.historical_reports) == 1)
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            assert str(Background(process.stdout.readline).outcome()).startswith("Stopping: ")
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 1
        finally:
            process.kill()
    simulator.reset()
    assert run("outbox", "drain", path).out == "delivered 1, pending 0, dead 0\n"
    assert run("outbox", "status", path, "--json").document["possibly_duplicated"] == 1


def test_the_second_signal_shows_the_cursor_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    codes: list[int] = []
    monkeypatch.setattr(durable.os, "_exit", codes.append)
    with durable.Stop(Output.make(as_json=False)) as stop:
        signal.raise_signal(signal.SIGTERM)
        assert (stop.asked, codes) == (True, [])
        signal.raise_signal(signal.SIGINT)
    assert codes == [1]
    assert "\x1b[?25h" in capsys.readouterr().out


def test_on_a_terminal_a_bar_shows_how_far_it_is_and_what_stands_in_the_way(
    path: str, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    filled(path, "a", "b")
    cause = "agent_state: [red]CXone asks to send less" + "!" * 60
    monkeypatch.setattr(DurableSender, "health", lambda _: SenderHealth(status="degraded", causes=(cause,)))
    simulator.fail("agent_states", Delay(0.5))
    done = run("outbox", "drain", path)
    shown = ESCAPE.sub("", done.out)
    assert "sending" in shown
    assert "0/2" in shown
    assert cause[:60] in shown
    assert cause[:61] not in shown
    assert shown.endswith("delivered 2, pending 0, dead 0\n")


def test_on_a_terminal_a_bar_without_trouble_says_that_it_sends(
    path: str, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    filled(path, "a")
    shown = ESCAPE.sub("", run("outbox", "drain", path).out)
    assert "sending" in shown
    assert "\x1b" not in run("outbox", "drain", path, "--json").out


# Sending by way of an outbox


@pytest.mark.parametrize(("kind", "count"), [("historical", 1), ("activity", 1), ("states", 1)])
def test_what_a_file_holds_is_accepted_and_then_sent(
    kind: str, count: int, path: str, simulator: Simulator
) -> None:
    done = run("send", kind, "-", "--outbox", path, stdin=sample(kind))
    assert (done.code, done.err) == (0, "")
    assert done.out == f"accepted {count}, known before 0, delivered {count}, pending 0, dead 0\n"
    received = simulator.received
    held = (received.historical_reports, received.agent_activity_reports, received.agent_states)
    assert sum(map(len, held)) == count


def test_what_was_sent_before_is_known_and_not_sent_again(path: str, simulator: Simulator) -> None:
    run("send", "states", "-", "--outbox", path, stdin=sample("states"))
    done = run("send", "states", "-", "--outbox", path, "--json", stdin=sample("states"))
    assert done.document == {
        "ok": True, "accepted": 0, "known_before": 1, "delivered": 1, "pending": 0, "dead": 0, "causes": []
    }  # fmt: skip
    assert len(simulator.received.agent_states) == 1


def test_what_cannot_be_sent_now_is_kept_and_told_as_pending(path: str, simulator: Simulator) -> None:
    simulator.fail("historical_report", Status(503), times=50)
    done = run("send", "historical", "-", "--outbox", path, "--timeout", "0.5", stdin=sample("historical"))
    assert (done.code, done.out) == (
        3, "accepted 1, known before 0, delivered 0, pending 1, dead 0\n"
    )  # fmt: skip
    assert "stays in the outbox" in done.err
    simulator.reset()
    assert run("outbox", "drain", path).out == "delivered 1, pending 0, dead 0\n"


def test_what_died_is_told_and_what_is_dead_already_is_told_again(path: str, simulator: Simulator) -> None:
    simulator.fail("agent_states", REFUSED)
    for accepted, known in ((1, 0), (0, 1)):
        done = run("send", "states", "-", "--outbox", path, stdin=sample("states"))
        told = f"accepted {accepted}, known before {known}, delivered 0, pending 0, dead 1\n"
        assert (done.code, done.out) == (4, told)


def test_what_is_told_is_of_the_file_and_not_of_what_the_outbox_held_before(
    path: str, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_PAGE", 2)
    with_dead(path, simulator, states=3)
    filled(path, "a", "b", "c", reports=5)
    simulator.fail("historical_report", Status(404), times=50)
    states = json.dumps({"agentStateList": [json.loads(state("zoe").to_json())]}).encode()
    done = run("send", "states", "-", "--outbox", path, "--timeout", "1", stdin=states)
    assert (done.code, done.out) == (
        0, "accepted 1, known before 0, delivered 1, pending 0, dead 0\n"
    )  # fmt: skip
    done = run("send", "historical", "-", "--outbox", path, "--timeout", "0", stdin=sample("historical"))
    assert (done.code, done.out) == (
        3, "accepted 1, known before 0, delivered 0, pending 1, dead 0\n"
    )  # fmt: skip


def test_an_outbox_that_another_process_has_open_takes_nothing(path: str, simulator: Simulator) -> None:
    with owned_by_process(4711, path):
        done = run("send", "states", "-", "--outbox", path, stdin=sample("states"))
    assert (done.code, done.out) == (1, "")
    assert "process 4711" in done.err
    assert counts(path)["pending"] == 0


# Secrets


@pytest.mark.parametrize("command", [*COMMANDS, ["status", "--json"], ["drain", "--json"]], ids=" ".join)
def test_no_secret_is_shown_or_kept(command: list[str], path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key, secret = "canary-key-4711", "canary-secret-0815"
    name, *rest = command
    with Simulator(access_key_id=key, access_key_secret=secret) as simulator:
        use(simulator.config(), monkeypatch)
        simulator.fail("agent_states", REFUSED)
        (event_id,) = filled(path, "a")
        run("outbox", "drain", path)
        done = run("outbox", name, path, *(event_id if each == "an-id" else each for each in rest))
        tokens = [*simulator._state._access_tokens, *simulator._state._refresh_tokens]
    assert done.code == 0
    assert tokens
    kept = b"".join(each.read_bytes() for each in Path(path).parent.iterdir())
    shown = done.out + done.err
    assert [text for text in [key, secret, "canary", *tokens] if text in shown or text.encode() in kept] == []
