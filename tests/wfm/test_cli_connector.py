"""The commands `cxone-wfm replay` and `cxone-wfm import`: dry first, then sent, and all faults in words."""

import json
import os
import re
import sys

import attrs
import pytest
from support.sockets import unused_port
from typer.testing import CliRunner

from cxone_wfm.cli.app import app
from cxone_wfm.intervals import Interval
from cxone_wfm.simulator import Simulator, Status

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
SPAN = ["--from", "2024-04-17T06:00Z", "--to", "2024-04-17T07:30Z"]
FAKE = ["--source", "an_acd:Acd", "--settings", "an_acd:SETTINGS"]
MODULE = """
from support.fake_acd import SETTINGS, FakeAcd, FakeConnectorClock

class Acd(FakeAcd):
    def __init__(self):
        clock = FakeConnectorClock()
        clock.advance(24 * 3600)
        super().__init__(clock)

ready_made = Acd()
seven = 7

class Stopped(Acd):
    def contacts(self, interval):
        if interval.start.minute == 15:
            raise KeyboardInterrupt
        return super().contacts(interval)

def broken():
    raise OSError("no route to the ACD")

class Cut(Acd):
    def agent_time(self, interval):
        if interval.start.minute == 15:
            raise OSError("cut")
        return super().agent_time(interval)
"""


@attrs.frozen
class Done:
    """How the command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


def run(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)), prog_name="cxone-wfm")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """The folder in which the command runs, with a module of the user's; no settings, no terminal."""
    told = ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    for name in [name for name in os.environ if name.startswith("CXONE_") or name in told]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "an_acd", raising=False)
    (tmp_path / "an_acd.py").write_text(MODULE)
    return tmp_path


@pytest.fixture(scope="module")
def one_simulator():
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(one_simulator, monkeypatch):
    one_simulator.reset()
    config = one_simulator.config()
    for name, value in {
        "BASE_URL": config.base_url,
        "TENANT": config.tenant_name,
        "ACCESS_KEY_ID": config.access_key_id.reveal(),
        "ACCESS_KEY_SECRET": config.access_key_secret.reveal(),
        "ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(f"CXONE_{name}", value)
    return one_simulator


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("replay", ["--from", "--to", "--source", "--settings", "--send", "--progress", "dry run", "Exits"]),
        ("import", ["--mapping", "--send", "--allow", "--media", "dry run", "lint", "Exits with 0"]),
    ],
)
def test_help_tells_all_that_a_command_takes(command, told):
    done = run(command, "--help")
    text = " ".join(done.out.split())
    assert [word for word in told if word not in text] == []
    assert "..." not in text.replace("{CSV}...", "").replace("CSV...", "")
    assert max(map(len, done.out.splitlines())) <= 80


# --- replay ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["Acd", "ready_made"])
def test_a_dry_run_shows_every_interval_and_how_to_send(source):
    done = run("replay", *SPAN, "--source", f"an_acd:{source}", "--settings", "an_acd:SETTINGS")
    assert (done.code, done.err) == (0, "")
    assert "A dry run, nothing was sent:" in done.out
    assert len(re.findall(r"2024-04-17T0\d:\d\dZ +\d+ +\d+ +3 +4 +not sent", done.out)) == 6
    assert "add --send" in done.out
    assert "\x1b" not in done.out


def test_it_sends_and_goes_on_where_it_was_stopped(simulator, folder):
    simulator.fail("historical_report", Status(503), times=1)
    done = run("replay", *SPAN, *FAKE, "--send", "--progress", "done.json")
    assert done.code == 1
    assert simulator.received.historical_reports == ()
    done = run("replay", *SPAN[:3], "2024-04-17T06:30Z", *FAKE, "--send", "--progress", "done.json")
    assert (done.code, done.err) == (0, "")
    assert "CXone confirmed 2 of 2 reports." in done.out
    simulator.fail("historical_report", Status(503), times=1)
    done = run("replay", *SPAN, *FAKE, "--send", "--progress", "done.json")
    assert done.code == 1
    assert "0 of 6 reports were sent. The same command goes on where it stopped." in done.err
    done = run("replay", *SPAN, *FAKE, "--send", "--progress", "done.json", "--json")
    assert [row["result"] for row in done.document["intervals"]] == ["sent before"] * 2 + ["sent"] * 4
    done = run("replay", *SPAN, *FAKE, "--send", "--progress", "done.json")
    assert "CXone confirmed 0 of 6 reports. 6 were sent before." in done.out
    starts = [report.start_date for report in simulator.received.historical_reports]
    first = Interval(start=starts[0])
    assert starts == [i.start for i in Interval.between(first.start, starts[-1])] + [starts[-1]]
    assert len(starts) == 6


def test_without_a_progress_file_it_says_how_to_go_on_by_hand(simulator):
    simulator.fail("historical_report", Status(200), times=3)
    simulator.fail("historical_report", Status(500), times=1)
    done = run("replay", *SPAN, *FAKE, "--send")
    assert done.code == 1
    assert "3 of 6 reports were sent. Give the intervals that are left with --from and --to." in done.err


def test_ctrl_c_says_how_far_it_came(simulator):
    done = run("replay", *SPAN, "--source", "an_acd:Stopped", *FAKE[2:], "--send", "--progress", "done.json")
    assert done.code == 1
    assert "Stopped.\n1 of 6 reports were sent. The same command goes on where it stopped." in done.err
    assert len(simulator.received.historical_reports) == 1


def test_an_interval_without_data_is_shown_and_is_no_success():
    done = run("replay", *SPAN, "--source", "an_acd:Cut", "--settings", "an_acd:SETTINGS", "--json")
    assert done.code == 1
    assert done.document["ok"] is False
    results = [(row["result"], row["no data"]) for row in done.document["intervals"]]
    assert results.count(("NO DATA", "agent_time() of the source failed with OSError: cut")) == 2
    assert results.count(("not sent", None)) == 4
    assert [row["handled"] for row in done.document["intervals"][:2]] == [3, None]
    done = run("replay", *SPAN, "--source", "an_acd:Cut", "--settings", "an_acd:SETTINGS")
    assert "No data: 2 of 6 intervals." in done.out
    assert "2024-04-17T06:15Z/PT15M: agent_time() of the source failed with OSError: cut" in done.out
    assert max(map(len, done.out.splitlines()[:8])) <= 80


def test_on_a_terminal_a_bar_shows_how_far_it_is(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    done = run("replay", *SPAN, *FAKE)
    assert done.code == 0
    assert "6/6" in ESCAPE.sub("", done.err)
    assert "╭" in done.out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--source", "an_acd", *FAKE[2:]], "--source is 'an_acd'; it must look like module:object"),
        (["--source", "no_such_module:x", *FAKE[2:]], "ModuleNotFoundError"),
        (["--source", "an_acd:nobody", *FAKE[2:]], "AttributeError"),
        (["--source", "an_acd:seven", *FAKE[2:]], "--source has no methods agents, contacts, agent_time"),
        (["--source", "an_acd:broken", *FAKE[2:]], "calling it failed: OSError: no route to the ACD"),
        ([*FAKE[:2], "--settings", "an_acd:seven"], "--settings is a int, and not a ConnectorSettings"),
        ([*FAKE, "--send"], "CXONE_BASE_URL is not set"),
        ([*FAKE, "--to", "9999-01-01T00:00Z"], "the last interval is not over yet"),
        ([*FAKE, "--progress", "an_acd.py"], "not the progress of a replay"),
    ],
)
def test_what_cannot_be_replayed_is_told(options, told):
    done = run("replay", *SPAN, *options)
    assert (done.code, done.out) == (1, "")
    assert told in done.err
    done = run("replay", *SPAN, *options, "--json")
    assert told in done.document["error"]
    assert done.err == ""


@pytest.mark.parametrize(
    "start",
    ["yesterday", "2024-04-17T06:01Z", "2024-04-17T06:00", "2024-04-17T07:30Z", "9999-12-31T24:00Z"],
)
def test_times_that_are_none_or_off_the_grid_are_a_usage_error(start):
    done = run("replay", *SPAN, *FAKE, "--from", start)
    assert done.code == 2
    assert "Invalid value for --" in done.err


# --- import ------------------------------------------------------------------------------------------

MAPPING = {
    "acd_type": "Generic_LiveVox",
    "rows": "queue_report",
    "interval": {"columns": "start"},
    "columns": {
        "queue_value": "queue",
        "handled_long": "handled",
        "handle_time": {"column": "talk", "unit": "s"},
        "hold_time": {"column": "hold", "unit": "s"},
    },
}
GOOD = "start,queue,handled,talk,hold\n2024-04-17T10:00Z,8057,2,300,20\n2024-04-17T10:15Z,8057,1,200,0\n"
WRONG = GOOD.replace("300,20", "300,400")


@pytest.fixture
def files(folder):
    def write(csv=GOOD, mapping=MAPPING):
        (folder / "q.csv").write_text(csv)
        (folder / "m.json").write_text(json.dumps(mapping))
        return ["q.csv", "--mapping", "m.json"]

    return write


def test_an_import_is_linted_and_nothing_leaves_without_send(files):
    done = run("import", *files())
    assert (done.code, done.err) == (0, "")
    assert "2 reports from 2024-04-17T10:00Z to 2024-04-17T10:30Z, no findings" in done.out
    assert "Nothing was sent. To send the reports, add --send." in done.out


def test_an_import_is_sent(files, simulator):
    done = run("import", *files(), "--send")
    assert (done.code, done.err) == (0, "")
    assert "CXone confirmed all 2 reports" in done.out
    times = [
        report.report_data.queue_report[0].handle_time for report in simulator.received.historical_reports
    ]
    assert times == [300, 200]


def test_errors_of_the_lint_stop_it_until_they_are_allowed_by_name(files, simulator):
    done = run("import", *files(WRONG), "--send")
    assert done.code == 1
    assert "q.csv line 2, column hold: error WFM204: " in done.out
    assert "Nothing was sent, for the lint found errors: 1 of WFM204." in done.err
    assert "add --allow WFM204." in done.err
    assert simulator.received.requests == ()
    assert run("import", *files(WRONG), "--send", "--allow", "WFM101").code == 1
    assert simulator.received.requests == ()
    done = run("import", *files(WRONG), "--send", "--allow", "WFM204")
    assert done.code == 0
    unknown = run("import", *files(WRONG), "--send", "--allow", "wfm204")
    assert (unknown.code, "wfm204: there is no such rule" in unknown.err) == (2, True)
    assert "error WFM204" in done.out
    assert len(simulator.received.historical_reports) == 2


def test_findings_that_are_no_errors_are_shown_and_stop_nothing(files, simulator):
    done = run("import", *files(), "--send", "--media", "immediate-response")
    assert done.code == 1, "the medium needs `active`"
    mapping = MAPPING | {"constants": {"active": 0}}
    done = run("import", *files(mapping=mapping), "--send", "--media", "immediate-response", "--json")
    assert done.code == 0
    document = done.document
    assert (document["ok"], document["error"], document["reports"], document["sent"]) == (True, None, 2, 2)
    assert {finding["severity"] for finding in document["findings"]} == {"note"}
    assert document["findings"][0]["place"] == "the report from 2024-04-17T10:00Z"


def test_on_a_terminal_the_findings_stand_in_a_table(files, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    lines = GOOD.splitlines()
    many = [lines[1].replace("8057", f"{number}").replace("300,20", "300,400") for number in range(12)]
    done = run("import", *files("\n".join([lines[0], *many])))
    shown = ESCAPE.sub("", done.out)
    assert "╭" in shown
    assert "q.csv line 2, column" in shown
    assert shown.count("WFM204") == 11
    assert "... and 2 more of WFM204; --json has them all" in shown
    assert max(map(len, shown.splitlines()[:40])) <= 100


def test_what_belongs_to_no_line_is_told_by_its_interval(files):
    done = run("import", *files(GOOD.replace("10:15Z", "10:30Z")))
    assert "the report from 2024-04-17T10:30Z: warning WFM702" in done.out


def test_a_failure_on_the_way_says_how_far_it_came(files, simulator):
    simulator.fail("historical_report", Status(200), times=1)
    simulator.fail("historical_report", Status(500), times=1)
    done = run("import", *files(), "--send")
    assert done.code == 1
    assert "1 of 2 reports were sent; those from 2024-04-17T10:15Z on were not." in done.err


def test_without_settings_nothing_is_sent_and_it_is_told(files, monkeypatch):
    monkeypatch.setenv("CXONE_BASE_URL", f"http://127.0.0.1:{unused_port()}")
    done = run("import", *files(), "--send")
    assert done.code == 1
    assert "the environment variable CXONE_TENANT is not set" in " ".join(done.err.split())


def test_all_faults_of_all_files_are_told_at_once_and_exit_with_2(files, folder):
    arguments = files(GOOD.replace("8057", "").replace("300", "x"))
    (folder / "bad.json").write_text(json.dumps(MAPPING | {"rows": "x", "acd_type": 7}))
    done = run(
        "import", *arguments, "none.csv", "--mapping", "m.json", "b.csv", "--mapping", "bad.json", "--json"
    )
    assert done.code == 2
    assert [fault.partition(":")[0] for fault in done.document["faults"]] == [
        "q.csv line 2, column queue",
        "q.csv line 2, column talk",
        "q.csv line 3, column queue",
        "none.csv cannot be read",
        "bad.json",
        "bad.json",
    ]
    many = "start,queue,handled,talk,hold\n" + "2024-04-17T10:00Z,8057,x,1,1\n" * 60
    done = run("import", *files(many))
    assert done.code == 2
    assert "... and 10 more faults; --json has them all" in done.err


def test_files_that_do_not_go_together_exit_with_2(files, folder):
    arguments = files()
    (folder / "o.json").write_text(json.dumps(MAPPING | {"acd_type": "Other"}))
    done = run("import", *arguments, "q.csv", "--mapping", "o.json")
    assert done.code == 2
    assert "found Generic_LiveVox, Other, expected the same in all mappings" in done.err


def test_each_file_needs_its_mapping(files):
    done = run("import", "q.csv", *files())
    assert done.code == 2
    assert "there are 2 CSV files and 1 mappings" in done.err
