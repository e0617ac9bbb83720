"""The command `cxone-wfm`: what a person sees, what a machine reads, and the exit codes."""

import codecs
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
import pytest
from support.sockets import unused_port
from support.threads import PATIENCE, Background
from typer.testing import CliRunner

import cxone_wfm
from cxone_wfm import WfmConfig, cli
from cxone_wfm.cli import demo as demo_module
from cxone_wfm.cli import simulate as simulate_module
from cxone_wfm.cli.app import app
from cxone_wfm.cli.output import Output
from cxone_wfm.models import AgentState, AgentStateList
from cxone_wfm.samples import sample
from cxone_wfm.simulator import Html, Simulator, Status
from cxone_wfm.simulator.state import Data, NotAuthorizedError, State

PACKAGE_FOLDER = str(Path(cxone_wfm.__file__).parents[1])
START = f"import sys; sys.path.insert(0, {PACKAGE_FOLDER!r})\nfrom cxone_wfm.cli import main\nmain()"
ESCAPE_OR_BOX = re.compile("[\x1b\u2500-\u257f]")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
STATE = {
    "loginId": "ann@shop.example",
    "acdId": "My_ACD",
    "eventCode": "READY",
    "reasonCode": "",
    "eventUtcTime": "2024-04-17T10:00:00.000Z",
}


not_on_windows = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has neither such signals nor such terminals"
)


@attrs.frozen
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        """The one JSON document that was printed."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of CXone, and nothing that tells rich what the terminal is."""
    told = ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    for name in [name for name in os.environ if name.startswith("CXONE_") or name in told]:
        monkeypatch.delenv(name)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is wider than any line should be."""
    if sys.platform == "win32":
        pytest.skip("rich writes to a Windows console by other means than the standard output")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")


def use(settings: WfmConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the settings into the environment."""
    for name, value in {
        "CXONE_BASE_URL": settings.base_url,
        "CXONE_TENANT": settings.tenant_name,
        "CXONE_ACCESS_KEY_ID": settings.access_key_id.reveal(),
        "CXONE_ACCESS_KEY_SECRET": settings.access_key_secret.reveal(),
    }.items():
        monkeypatch.setenv(name, value)


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


def run(*arguments: str, stdin: bytes = b"") -> Done:
    """Run the command in this process."""
    result = CliRunner().invoke(app, list(arguments), input=stdin, prog_name="cxone-wfm")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def ask(base_url: str, method: str, path: str) -> tuple[int, bytes]:
    """Status and body of one answer, by no client of ours."""
    connection = http.client.HTTPConnection(base_url.removeprefix("http://"), timeout=PATIENCE)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def run_apart(
    *arguments: str, before: str = "", environment: Mapping[str, str] | None = None, stdin: bytes = b""
) -> Done:
    """Run the command in a process of its own. `before` is Python that runs first."""
    done = subprocess.run(
        [sys.executable, "-c", f"{before}\n{START}", *arguments],
        capture_output=True,
        env={**os.environ, **(environment or {})},
        input=stdin,
        timeout=PATIENCE,
        check=False,
    )
    out, err = (text.decode().replace("\r\n", "\n") for text in (done.stdout, done.stderr))
    return Done(done.returncode, out, err)


# Help


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            [],
            ["demo", "simulate", "check", "send", "lint", "replay", "import", "--version", "cxone-wfm demo"],
        ),
        (["demo"], ["--json", "sample data", "Exits with 0"]),
        (
            ["simulate"],
            [
                "--port",
                "--host",
                "127.0.0.1",
                "--token-life",
                "3600",
                "--one-time-refresh",
                "--json",
                "Ctrl-C",
            ],
        ),
        (
            ["check"],
            [
                "CXONE_BASE_URL",
                "CXONE_TENANT",
                "CXONE_ACCESS_KEY_ID",
                "CXONE_ACCESS_KEY_SECRET",
                "CXONE_ROUTE_",
            ],
        ),
        (["check"], ["--json", "Exits with 0", "step by step"]),
        (
            ["send"],
            ["historical", "activity", "states", "standard input", "--dry-run", "--json", "a line", "Exits"],
        ),
    ],
)
def test_help_tells_all_that_a_command_takes(command: list[str], told: list[str]) -> None:
    done = run(*command, "--help")
    assert (done.code, done.err) == (0, "")
    text = " ".join(done.out.split())
    assert [word for word in told if word not in text] == []
    assert not ESCAPE_OR_BOX.search(done.out)
    assert "..." not in text.replace("COMMAND [ARGS]...", "")
    assert max(map(len, done.out.splitlines())) <= 80


def test_without_a_command_the_help_is_shown_and_it_is_no_success() -> None:
    done = run()
    assert done.code == 2
    assert "Commands:" in done.out + done.err


def test_the_version_is_the_packages() -> None:
    done = run("--version")
    assert (done.code, done.out) == (0, f"cxone-wfm-sdk {cxone_wfm.__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["send"],
        ["send", "queues", "-"],
        ["simulate", "--port", "65536"],
        ["simulate", "--port", "-1"],
        ["simulate", "--token-life", "0"],
    ],
)
def test_what_the_command_does_not_take_is_a_usage_error(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert "Error" in done.err
    assert not ESCAPE_OR_BOX.search(done.err)
    assert done.out == ""


# Extras


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_its_extra_the_command_says_in_one_line_what_to_install(missing: str) -> None:
    done = run_apart("demo", before=f"import sys; sys.modules[{missing!r}] = None")
    assert done.code == 1
    assert done.out == ""
    assert done.err == 'cxone-wfm needs its extra: python -m pip install "cxone-wfm-sdk[cli]"\n'


def test_main_says_it_in_this_process_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit, match=r"pip install \"cxone-wfm-sdk\[cli\]\""):
        cli.main()


@pytest.mark.parametrize("command", ["demo", "simulate"])
def test_without_the_simulators_extra_the_command_says_in_one_line_what_to_install(command: str) -> None:
    done = run_apart(command, before="import sys; sys.modules['cheroot'] = None")
    assert done.code == 1
    assert done.out == ""
    assert 'pip install "cxone-wfm-sdk[simulator]"' in done.err
    assert done.err.count("\n") == 1


def test_without_the_simulators_extra_the_other_commands_work(simulator: Simulator) -> None:
    done = run_apart("check", before="import sys; sys.modules['cheroot'] = None")
    assert (done.code, done.err) == (0, "")
    assert simulator.received.heartbeats == 1


def test_a_missing_simulator_is_told_in_this_process_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cxone_wfm.cli.demo", None)
    done = run("demo")
    assert done.code == 1
    assert "cxone_wfm.cli.demo" in done.err


def test_main_runs_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["whatever", "--help"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("Usage: cxone-wfm ")


def test_main_runs_where_the_standard_output_is_no_text_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class Written:
        text = ""

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            pass

    written = Written()
    monkeypatch.setattr(sys, "stdout", written)
    monkeypatch.setattr(sys, "argv", ["whatever", "--version"])
    with pytest.raises(SystemExit):
        cli.main()
    assert written.text == f"cxone-wfm-sdk {cxone_wfm.__version__}\n"


# Demo


def test_demo_shows_in_plain_lines_that_all_has_arrived() -> None:
    done = run("demo")
    assert (done.code, done.err) == (0, "")
    assert not ESCAPE_OR_BOX.search(done.out)
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines if re.search(r"\d ms", line)] == ["ok"] * 8
    for told in ("after a 503", "503, 200", "Generic_LiveVox", "$.reportData.queueReport[0].queueValue"):
        assert told in done.out
    table = [line.split() for line in lines if line.rstrip().endswith("equal")]
    assert table == [
        ["agent", "states", "1", "1", "equal"],
        ["agent", "activity", "reports", "1", "1", "equal"],
        ["historical", "reports", "1", "1", "equal"],
        ["heartbeats", "1", "1", "equal"],
    ]
    assert lines[-1] == "All that was sent has arrived, unchanged."


def assert_fits_a_terminal(out: str) -> None:
    assert "\x1b[" in out
    assert [line for line in ESCAPE.sub("", out).splitlines() if len(line) > 100] == []


def test_demo_on_a_terminal_draws_a_table_and_stays_within_100_columns(terminal: None) -> None:
    done = run("demo")
    assert done.code == 0
    assert_fits_a_terminal(done.out)
    plain = ESCAPE.sub("", done.out)
    assert "│ heartbeats             │    1 │    1 │ equal   │" in plain
    assert "$.endDate: found 2024-04-17T10:00:00.000Z" in plain


@not_on_windows
def test_demo_in_a_process_of_its_own_on_a_real_terminal() -> None:
    import pty

    controller, device = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", START, "demo"],
        stdin=device,
        stdout=device,
        stderr=device,
        env={**os.environ, "COLUMNS": "90", "TERM": "xterm"},
    ) as process:
        os.close(device)
        out = b""
        try:
            while piece := os.read(controller, 65536):
                out += piece
        except OSError:  # on Linux the end of what came is an error
            pass
        os.close(controller)
        assert process.wait(PATIENCE) == 0
    lines = ESCAPE.sub("", out.decode()).splitlines()
    assert "│ heartbeats             │    1 │    1 │ equal   │" in lines
    assert max(map(len, lines)) <= 90


def test_demo_for_machines_is_one_json_document() -> None:
    done = run("demo", "--json")
    assert (done.code, done.err) == (0, "")
    document = done.document
    assert document["ok"] is True
    assert document["compared"] == [
        {"data": data, "sent": 1, "held": 1, "content": "equal"}
        for data in ("agent states", "agent activity reports", "historical reports", "heartbeats")
    ]
    steps = document["steps"]
    assert isinstance(steps, list)
    assert [set(step) for step in steps] == [{"step", "ok", "milliseconds", "result"}] * 8
    assert all(step["ok"] for step in steps)


def lose_it(_: State, __: Data) -> None:
    pass


def change_it(state: State, data: Data) -> None:
    if isinstance(data, AgentStateList):
        changed = [attrs.evolve(each, event_code="OTHER") for each in data.agent_state_list]
        data = AgentStateList(agent_state_list=changed)
    STORE(state, data)


STORE = State.store


@pytest.mark.parametrize(("store", "held"), [(lose_it, 0), (change_it, 1)])
def test_demo_fails_where_the_server_loses_or_changes_something(
    store: Callable[[State, Data], None], held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(State, "store", store)
    done = run("demo", "--json")
    assert done.code == 1
    assert done.document["ok"] is False
    compared = done.document["compared"]
    assert isinstance(compared, list)
    assert compared[0] == {"data": "agent states", "sent": 1, "held": held, "content": "DIFFERENT"}


def test_demo_fails_where_a_heartbeat_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(State, "count_heartbeat", lambda _: None)
    done = run("demo")
    assert done.code == 1
    assert re.search(r"heartbeats +1 +0  DIFFERENT", done.out)
    assert done.out.endswith("Something is not as it should be.\n")


def test_demo_fails_where_a_step_fails_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NotAuthorizedError("no")

    monkeypatch.setattr(State, "log_in", refuse)
    done = run("demo")
    assert done.code == 1
    assert "FAILED log in" in done.out
    assert "Traceback" not in done.out + done.err


def test_demo_fails_where_the_503_did_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Simulator, "fail", lambda *_: None)
    done = run("demo")
    assert done.code == 1
    assert "FAILED historical report" in done.out
    assert "were [200]" in done.out


def test_demo_fails_where_a_wrong_report_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_module, "_WRONG_REPORT", json.loads(sample("historical")))
    done = run("demo")
    assert done.code == 1
    assert "a wrong report was taken" in done.out


# Check


def steps_of(done: Done) -> list[tuple[str, str]]:
    return re.findall(r"^(ok|FAILED) +(configuration|token|ACD types|heartbeat)\b", done.out, re.MULTILINE)


def test_check_goes_from_the_configuration_to_a_heartbeat(simulator: Simulator) -> None:
    done = run("check")
    assert (done.code, done.err) == (0, "")
    assert steps_of(done) == [("ok", name) for name in ("configuration", "token", "ACD types", "heartbeat")]
    for told in (simulator.base_url, "Simulator_Tenant", "3600 s, can be refreshed", "Generic_LiveVox"):
        assert told in done.out
    assert not ESCAPE_OR_BOX.search(done.out)
    assert len(done.out.splitlines()) == 4
    assert simulator.received.heartbeats == 1


def test_check_for_machines_is_one_json_document(simulator: Simulator) -> None:
    document = run("check", "--json").document
    assert document["ok"] is True
    steps = document["steps"]
    assert isinstance(steps, list)
    assert [(step["step"], step["ok"]) for step in steps] == [
        (name, True) for name in ("configuration", "token", "ACD types", "heartbeat")
    ]


def test_check_names_every_variable_that_is_missing_and_goes_no_further() -> None:
    done = run("check")
    assert done.code == 1
    assert steps_of(done) == [("FAILED", "configuration")]
    for name in ("CXONE_BASE_URL", "CXONE_TENANT", "CXONE_ACCESS_KEY_ID", "CXONE_ACCESS_KEY_SECRET"):
        assert f"the environment variable {name} is not set" in done.out


def test_check_with_a_wrong_key_says_to_check_the_key(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXONE_ACCESS_KEY_SECRET", "wrong")
    done = run("check")
    assert done.code == 1
    assert steps_of(done) == [("ok", "configuration"), ("FAILED", "token")]
    assert "Check access_key_id, access_key_secret" in done.out
    assert len(simulator.received.requests) == 1


def test_check_with_a_wrong_path_says_where_to_set_it(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXONE_ROUTE_ACD_TYPES", "GET /somewhere/else")
    done = run("check")
    assert done.code == 1
    assert steps_of(done) == [("ok", "configuration"), ("ok", "token"), ("FAILED", "ACD types")]
    assert "CXONE_ROUTE_" in done.out
    assert "404" in done.out
    assert simulator.received.heartbeats == 0


def test_check_where_nothing_listens_says_to_check_the_address(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXONE_BASE_URL", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("CXONE_ATTEMPTS", "1")
    done = run("check")
    assert done.code == 1
    assert steps_of(done) == [("ok", "configuration"), ("FAILED", "token")]
    assert "the connection was refused" in done.out
    assert "Check base_url" in done.out


def test_check_that_is_answered_with_html_says_who_may_have_answered(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXONE_ATTEMPTS", "1")
    simulator.fail("acd_types", Html())
    done = run("check")
    assert done.code == 1
    assert steps_of(done) == [("ok", "configuration"), ("ok", "token"), ("FAILED", "ACD types")]
    assert "a login page" in done.out
    assert "Check base_url" in done.out


def test_check_tells_of_a_token_without_refresh_and_of_no_acd_types(monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator(acd_types=()) as simulator:
        use(simulator.config(), monkeypatch)
        simulator.fail("access_key_token", Status(200, body=b'{"access_token": "t", "expires_in": 60}'))
        done = run("check")
    assert done.code == 0
    assert "good for 60 s, cannot be refreshed" in done.out
    assert "CXone names none" in done.out


def test_a_failed_check_on_a_terminal_stays_within_100_columns(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, terminal: None
) -> None:
    monkeypatch.setenv("CXONE_ACCESS_KEY_ID", "wrong")
    done = run("check")
    assert done.code == 1
    assert_fits_a_terminal(done.out)
    assert "create a new key if need be." in " ".join(ESCAPE.sub("", done.out).split())


# Send

KINDS = ("historical", "activity", "states")


def arrived(simulator: Simulator) -> dict[str, list[object]]:
    received = simulator.received
    records = {
        "historical": received.historical_reports,
        "activity": received.agent_activity_reports,
        "states": received.agent_states,
    }
    return {kind: [json.loads(each.to_json()) for each in found] for kind, found in records.items()}


def page(kind: str) -> list[object]:
    document = json.loads((Path(cxone_wfm.__file__).parent / "samples" / f"{kind}.json").read_bytes())
    return list(document["agentStateList"]) if kind == "states" else [document]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_what_a_file_or_the_standard_input_holds_is_sent(
    kind: str, way: str, simulator: Simulator, tmp_path: Path
) -> None:
    data = (Path(cxone_wfm.__file__).parent / "samples" / f"{kind}.json").read_bytes()
    (tmp_path / "data.json").write_bytes(data)
    done = run("send", kind, *([str(tmp_path / "data.json")] if way == "file" else ["-"]), stdin=data)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("CXone confirmed ")
    assert arrived(simulator) == {each: page(kind) if each == kind else [] for each in KINDS}


def lines_of(*states: Mapping[str, object], end: bytes = b"\n") -> bytes:
    return b"".join(json.dumps(state).encode() + end for state in states)


TWO = [STATE, {**STATE, "loginId": "bob@shop.example", "reasonCode": "agentStateList"}]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(lines_of(*TWO), id="one a line"),
        pytest.param(lines_of(*TWO, end=b"\r\n"), id="CRLF"),
        pytest.param(b"\n \n" + lines_of(*TWO, end=b"\n\n\t\n"), id="blank lines"),
        pytest.param(lines_of(*TWO).strip(), id="no last line end"),
        pytest.param(codecs.BOM_UTF8 + lines_of(*TWO), id="a byte order mark"),
        pytest.param(json.dumps({"agentStateList": TWO}).encode(), id="the page's list on one line"),
        pytest.param(json.dumps({"agentStateList": TWO}, indent=2).encode(), id="the page's list"),
        pytest.param(
            codecs.BOM_UTF8 + json.dumps({"agentStateList": TWO}).encode(), id="the list after a mark"
        ),
    ],
)
def test_states_are_taken_as_the_pages_list_and_one_a_line(text: bytes, simulator: Simulator) -> None:
    done = run("send", "states", "-", stdin=text)
    assert (done.code, done.err) == (0, "")
    assert done.out == "CXone confirmed 2 agent states (requests: 1)\n"
    assert arrived(simulator)["states"] == TWO


def test_a_single_state_is_enough(simulator: Simulator) -> None:
    done = run("send", "states", "-", "--json", stdin=lines_of(STATE))
    assert done.document == {"ok": True, "sent": "1 agent state", "requests": 1}
    assert arrived(simulator)["states"] == [STATE]


@pytest.mark.parametrize("text", [b"", b"\n\r\n  \n", b'{"agentStateList": []}'])
def test_an_input_without_states_sends_nothing_and_says_so(text: bytes, simulator: Simulator) -> None:
    done = run("send", "states", "-", stdin=text)
    assert (done.code, done.err) == (0, "")
    assert done.out == "There is nothing to send: the input holds no agent states.\n"
    assert simulator.received.requests == ()


def test_faults_in_lines_are_all_told_with_their_line_and_nothing_is_sent(simulator: Simulator) -> None:
    text = (
        lines_of(STATE)
        + b"\r\n{broken}\n"
        + lines_of({**STATE, "loginId": "", "colour": 1})
        + lines_of({**STATE, "eventUtcTime": "yesterday"})
    )
    done = run("send", "states", "-", stdin=text)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("AgentState was refused: 4 faults\n")
    for told in ("line 3: $: ", "line 4: $.loginId: ", "line 4: $.colour: ", "line 5: $.eventUtcTime: "):
        assert told in done.err
    assert simulator.received.requests == ()


def test_a_first_line_that_is_broken_is_told_as_a_line(simulator: Simulator) -> None:
    done = run("send", "states", "-", stdin=b'{"loginId": }\n' + lines_of(STATE))
    assert done.code == 1
    assert "line 1: $: found text that is not JSON" in done.err


@pytest.mark.parametrize(
    "text", [b"hello", b"[]", b'{"agentStateList": [1,\n2', b"\xff", b'{"agentStateList": [}', b"{"]
)
def test_what_is_neither_list_nor_lines_is_refused_as_a_list(text: bytes, simulator: Simulator) -> None:
    done = run("send", "states", "-", stdin=text)
    assert (done.code, done.out) == (1, "")
    assert "AgentStateList was refused: 1 fault" in done.err
    assert simulator.received.requests == ()


def test_refused_data_is_told_with_every_fault(simulator: Simulator) -> None:
    wrong = json.loads(sample("historical"))
    wrong["reportData"]["queueReport"][1]["handleTime"] = -1
    wrong["reportData"]["agentQueueReport"][0]["handled"] = "1"
    wrong["colour"] = "red"
    text = json.dumps(wrong).encode()
    done = run("send", "historical", "-", stdin=text)
    assert (done.code, done.out) == (1, "")
    paths = {"$.reportData.queueReport[1].handleTime", "$.reportData.agentQueueReport[0].handled", "$.colour"}
    assert [path for path in paths if path not in done.err] == []

    machine = run("send", "historical", "-", "--json", stdin=text)
    assert (machine.code, machine.err) == (1, "")
    assert machine.document["ok"] is False
    faults = machine.document["faults"]
    assert isinstance(faults, list)
    assert {fault["path"] for fault in faults} == paths
    assert all(set(fault) == {"path", "found", "expected"} for fault in faults)
    assert simulator.received.requests == ()


def test_faults_on_a_terminal_are_folded(terminal: None) -> None:
    done = run("send", "activity", "-", "--dry-run", stdin=sample("historical"))
    assert done.code == 1
    lines = done.err.splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("  $.status: ") for line in lines)


def test_a_refusal_of_the_server_is_told(simulator: Simulator) -> None:
    simulator.fail("historical_report", Status(422, body=b'{"message": "no such queue"}'))
    done = run("send", "historical", "-", stdin=sample("historical"))
    assert (done.code, done.out) == (1, "")
    assert "historical_report: HTTP 422" in done.err
    assert "no such queue" in done.err
    machine = run("send", "historical", "-", "--json", stdin=b"{}")
    assert machine.document["ok"] is False


def test_settings_that_are_missing_are_told() -> None:
    done = run("send", "states", "-", stdin=sample("states"))
    assert (done.code, done.out) == (1, "")
    assert "CXONE_BASE_URL" in done.err
    document = run("send", "states", "-", "--json", stdin=sample("states")).document
    assert (document["ok"], document["faults"]) == (False, [])


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_file_that_cannot_be_read_is_told(options: list[str], tmp_path: Path) -> None:
    done = run("send", "states", str(tmp_path / "absent.json"), *options)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"{tmp_path / 'absent.json'} cannot be read: No such file or directory\n"
    document = run("send", "states", str(tmp_path), "--json", *options).document
    assert document["ok"] is False


@pytest.mark.parametrize("kind", KINDS)
def test_a_dry_run_shows_the_request_and_sends_nothing(kind: str, simulator: Simulator) -> None:
    data = (Path(cxone_wfm.__file__).parent / "samples" / f"{kind}.json").read_bytes()
    done = run("send", kind, "-", "--dry-run", stdin=data)
    assert (done.code, done.err) == (0, "")
    first, _, body = done.out.partition("\n")
    assert re.fullmatch(r"request 1 of 1, \d+ bytes:", first)
    assert json.loads(body) == json.loads(data)
    machine = run("send", kind, "-", "--dry-run", "--json", stdin=data)
    assert machine.document == {"ok": True, "would_send": [json.loads(data)]}
    assert simulator.received.requests == ()


def test_a_dry_run_needs_no_settings_and_cuts_as_a_real_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [{**STATE, "loginId": f"agent{number}"} for number in range(4)]
    repeated = [*states, states[0]]
    requests = run("send", "states", "-", "--dry-run", "--json", stdin=lines_of(*repeated)).document
    assert requests["would_send"] == [{"agentStateList": states}, {"agentStateList": states[:1]}]

    with Simulator() as simulator:
        use(simulator.config(), monkeypatch)
        monkeypatch.setenv("CXONE_MAX_BATCH", "3")
        monkeypatch.setenv("CXONE_LISTS_APPLIED_IN_ORDER", "true")
        dry = run("send", "states", "-", "--dry-run", "--json", stdin=lines_of(*repeated)).document
        real = run("send", "states", "-", "--json", stdin=lines_of(*repeated)).document
        bodies = [json.loads(r.body) for r in simulator.received.requests if r.operation == "agent_states"]
    assert dry["would_send"] == bodies
    assert real == {"ok": True, "sent": "5 agent states", "requests": len(bodies)}
    assert [len(body["agentStateList"]) for body in bodies] == [3, 2]


def test_a_dry_run_of_nothing_says_so() -> None:
    done = run("send", "states", "-", "--dry-run")
    assert (done.code, done.out) == (0, "There is nothing to send: the input holds no agent states.\n")


def test_a_dry_run_shows_names_as_they_are_and_escapes_what_steers_a_terminal() -> None:
    steering = {**STATE, "loginId": "张伟", "reasonCode": "[red]:smile:\x9b31m \u202e"}
    done = run("send", "states", "-", "--dry-run", stdin=lines_of(steering))
    assert '"张伟"' in done.out
    assert '"[red]:smile:\\x9b31m \\u202e"' in done.out


def test_an_output_that_cannot_hold_a_name_escapes_it() -> None:
    data = lines_of({**STATE, "loginId": "张伟"})
    done = run_apart(
        "send", "states", "-", "--dry-run", environment={"PYTHONIOENCODING": "ascii"}, stdin=data
    )
    assert (done.code, done.err) == (0, "")
    assert '"\\u5f20\\u4f1f"' in done.out


# Simulate


@pytest.fixture
def signals_kept() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@attrs.define
class Serving:
    """`cxone-wfm simulate` in a process of its own."""

    process: subprocess.Popen[str]
    settings: dict[str, str]

    def next_line(self) -> str:
        assert self.process.stdout is not None
        return str(Background(self.process.stdout.readline).outcome())

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@pytest.fixture
def start_simulate() -> Iterator[Callable[..., Serving]]:
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> Serving:
        process = subprocess.Popen(
            [sys.executable, "-c", START, "simulate", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        serving = Serving(process, {})
        if "--json" in arguments:
            serving.settings = json.loads(serving.next_line())["settings"]
            return serving
        while "Ctrl-C" not in (line := serving.next_line()):
            assert process.poll() is None
            if line.startswith("  export "):
                name, _, value = line.removeprefix("  export ").strip().partition("=")
                serving.settings[name] = value
        assert serving.next_line() == "\n"
        return serving

    yield start
    for process in running:
        process.kill()
        process.communicate()


@not_on_windows
def test_simulate_prints_settings_that_work_and_shows_each_request(
    start_simulate: Callable[..., Serving], monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = start_simulate()
    for name, value in serving.settings.items():
        monkeypatch.setenv(name, value)
    assert run("check").code == 0
    shown = [serving.next_line().split() for _ in range(3)]
    assert shown == [
        ["200", "access_key_token", "POST", "/authentication/v1/token/access-key"],
        ["200", "acd_types", "GET", "/asc-manager/v1/acd-types"],
        ["200", "heartbeat", "POST", "/asc-manager/v1/heartbeat"],
    ]
    base_url = serving.settings["CXONE_BASE_URL"]
    assert ask(base_url, "POST", "/__simulator__/reset") == (200, b"")
    for path in ("/one", "/two", "/three"):
        assert ask(base_url, "GET", path)[0] == 404
    after_reset = [serving.next_line().split() for _ in range(3)]
    assert after_reset == [["404", "(unknown)", "GET", path] for path in ("/one", "/two", "/three")]
    assert serving.end(signal.SIGINT) == 0
    assert serving.process.communicate() == ("", "")


@not_on_windows
def test_simulate_for_machines_prints_its_settings_as_json_and_ends_on_sigterm(
    start_simulate: Callable[..., Serving],
) -> None:
    serving = start_simulate("--json")
    _, received = ask(serving.settings["CXONE_BASE_URL"], "GET", "/__simulator__/received")
    assert json.loads(received)["heartbeats"] == 0
    assert serving.end(signal.SIGTERM) == 0
    assert serving.process.communicate() == ("", "")


def test_a_port_that_is_taken_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_apart("simulate", "--port", str(port))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Cannot listen at 127.0.0.1, port {port}: ")
    assert "--port" in done.err
    assert done.err.count("\n") == 1


@not_on_windows
def test_simulate_in_this_process(monkeypatch: pytest.MonkeyPatch, signals_kept: None) -> None:
    started: list[Simulator] = []
    running = threading.Event()

    class Watched(Simulator):
        def start(self) -> None:
            super().start()
            started.append(self)
            running.set()

    def meanwhile() -> None:
        assert running.wait(PATIENCE)
        ask(started[0].base_url, "GET", "/just/before/the/end")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    monkeypatch.setattr(simulate_module, "Simulator", Watched)
    monkeypatch.setattr(simulate_module, "_LOOK_EVERY", PATIENCE)
    other = Background(meanwhile)
    done = run("simulate", "--one-time-refresh", "--token-life", "60")
    assert other.outcome() is None
    assert (done.code, done.err) == (0, "")
    assert f"export CXONE_BASE_URL={started[0].base_url}\n" in done.out
    assert done.out.endswith("404  (unknown)              GET /just/before/the/end\n")


def test_an_address_that_cannot_be_had_is_told_in_this_process_too(signals_kept: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("simulate", "--port", str(port), "--json")
    assert (done.code, done.err) == (1, "")
    assert done.document["ok"] is False


# Output


def test_a_table_and_a_failure_are_not_shown_to_machines(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output.make(as_json=True)
    output.table("title", ("a",), [("b",)])
    output.failure("no")
    output.step("name", "result", 0.1)
    output.line("line")
    output.document([1])
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("[1]\n", "")


def test_text_with_marks_of_the_layout_language_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output.make(as_json=False)
    output.table("a [b] table", ("[bold]",), [("[red]:smile:",)])
    output.failure("[red] :smile: \x1b[31m")
    output.step("[name]", "[/] :smile:", 0.1)
    captured = capsys.readouterr()
    step = f"ok     {'[name]':<30}   100 ms  [/] :smile:"
    assert captured.out == f"a [b] table\n[bold]      \n[red]:smile:\n{step}\n"
    assert captured.err == "[red] :smile: \\x1b[31m\n"


# Secrets


@pytest.mark.parametrize("command", [["check"], ["check", "--json"], ["send", "states", "-"]])
@pytest.mark.parametrize("good", [True, False])
def test_no_secret_is_shown(command: list[str], good: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    key, secret = "canary-key-4711", "canary-secret-0815"
    with Simulator(access_key_id=key, access_key_secret=secret if good else "other") as simulator:
        config = simulator.config(access_key_secret=secret)
        use(config, monkeypatch)
        monkeypatch.setenv("CXONE_PROXY", "")
        done = run(*command, stdin=json.dumps({"agentStateList": [STATE]}).encode())
        tokens = [*simulator._state._access_tokens, *simulator._state._refresh_tokens]
    assert done.code == (0 if good else 1)
    assert bool(tokens) is good
    shown = done.out + done.err
    assert [text for text in [key, secret, "canary", *tokens] if text in shown] == []


def test_settings_that_are_refused_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXONE_BASE_URL", "https://user:canary-1@host.example?canary-2")
    monkeypatch.setenv("CXONE_TENANT", "t")
    monkeypatch.setenv("CXONE_ACCESS_KEY_ID", " canary-3 ")
    monkeypatch.setenv("CXONE_ACCESS_KEY_SECRET", "canary-4\n")
    monkeypatch.setenv("CXONE_PROXY", "socks://user:canary-5@host.example")
    done = run("check")
    assert done.code == 1
    assert steps_of(done) == [("FAILED", "configuration")]
    assert "canary" not in done.out + done.err


# The samples


def test_the_samples_are_what_the_records_take() -> None:
    states = AgentStateList.from_json(sample("states")).agent_state_list
    assert isinstance(states[0], AgentState)
    assert page("states") == [json.loads(state.to_json()) for state in states]
