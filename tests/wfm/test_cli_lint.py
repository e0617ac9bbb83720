"""The command `cxone-wfm lint`: what a person sees, what a machine reads, and the exit codes."""

import io
import json
import os
import re
from pathlib import Path
from typing import get_args
from urllib.parse import unquote_to_bytes

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import cxone_wfm
from cxone_wfm.cli._positions import Position, positions
from cxone_wfm.cli.app import app
from cxone_wfm.cli.lint import FailOn, Preset
from cxone_wfm.connector.linting import RULES, Severity
from cxone_wfm.connector.presets import EventSetName
from cxone_wfm.samples import sample

BOX = re.compile("[\x1b\u2500-\u257f]")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
WRONG = {
    "acdType": "Generic",
    "startDate": "2024-04-17T10:00:00.000Z",
    "endDate": "2024-04-17T10:15:00.000Z",
    "reportData": {
        "queueReport": [{"queueValue": "8057", "backlog": 3, "backlogNotExpired": 1, "backlogExpired": 1}]
    },
}
RIGHT = {**WRONG, "reportData": {"queueReport": [{"queueValue": "8057", "contactsReceived": 2}]}}
STATES = [
    {"loginId": "ann", "acdId": "x", "eventCode": code, "eventUtcTime": f"2024-04-17T10:00:{second:02}Z"}
    for code, second in [("20", 0), ("30", 10), ("40", 11)]
]


@attrs.frozen
class Done:
    """How the command ended."""

    code: int
    out: str
    err: str


def run(*arguments, stdin=b""):
    result = CliRunner().invoke(app, ["lint", *map(str, arguments)], input=stdin, prog_name="cxone-wfm")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def write(name, document, indent=None):
    text = document if isinstance(document, str) else json.dumps(document, indent=indent)
    Path(name).write_text(text, encoding="utf-8")
    return name


def findings_of(*arguments, **options):
    done = run(*arguments, "--format", "json", **options)
    assert done.err == ""
    return json.loads(done.out)["findings"]


# What a person sees


def test_findings_are_one_line_each_where_no_terminal_is_and_point_into_the_file():
    done = run(write("wrong.json", WRONG, indent=2))
    assert done.err == ""
    assert done.out == (
        "wrong.json:9:20: $.reportData.queueReport[0].backlog: error WFM209: The backlog is 3, and its parts"
        " come to 2. Send backlog = backlogNotExpired + backlogExpired.\n1 error in 1 file\n"
    )
    assert Path("wrong.json").read_text("utf-8").splitlines()[8][19:] == "3,"


def test_what_is_right_is_said_to_be():
    assert run(write("right.json", RIGHT)) == Done(0, "nothing found in 1 file\n", "")


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "90")


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_a_table_for_each_file_that_fits_it():
    write("right.json", {"agentStateList": STATES[:1]})
    done = run(write("one.json", WRONG), "right.json", write("two.json", WRONG))
    plain = ESCAPE.sub("", done.out)
    assert plain.count("╭") == 2
    assert "right.json" not in plain
    assert max(map(len, plain.splitlines())) == 90
    assert "\x1b[1;31merror\x1b[0m" in done.out
    assert [word for word in ("one.json", "WFM209", "line 1", "come to 2.") if word not in plain] == []
    assert plain.endswith("2 errors, 1 warning in 3 files\n")


@pytest.mark.usefixtures("terminal")
def test_a_terminal_is_not_flooded_by_one_rule():
    row = WRONG["reportData"]["queueReport"][0]
    rows = [{**row, "queueValue": str(number)} for number in range(25)]
    done = run(write("many.json", {**WRONG, "reportData": {"queueReport": rows}}))
    assert ESCAPE.sub("", done.out).count("WFM209") == 11
    assert "... and 15 more of WFM209; --format json has them all" in done.out
    assert done.out.endswith("25 errors in 1 file\n")


@pytest.mark.usefixtures("terminal")
def test_what_a_file_holds_cannot_steer_the_terminal():
    row = {**WRONG["reportData"]["queueReport"][0], "queueValue": " \x1b]0;evil\x07"}
    done = run(write("evil.json", {**WRONG, "reportData": {"queueReport": [row, row]}}))
    assert not set(ESCAPE.sub("", done.out)) & {"\x1b", "\x07"}


# What a machine reads


def test_json_has_all_of_a_finding():
    (one,) = findings_of(write("wrong.json", WRONG))
    assert one == {
        "file": "wrong.json",
        "line": 1,
        "column": json.dumps(WRONG).index(": 3,") + 3,
        "rule": "WFM209",
        "severity": "error",
        "path": "$.reportData.queueReport[0].backlog",
        "figures": {"backlog": 3, "backlogNotExpired": 1, "backlogExpired": 1},
        "problem": "The backlog is 3, and its parts come to 2.",
        "advice": "Send backlog = backlogNotExpired + backlogExpired.",
    }


@pytest.mark.parametrize("fail_on", ["error", "never"])
def test_json_is_ok_where_the_command_ends_with_0(fail_on):
    done = run(write("wrong.json", WRONG), "--format", "json", "--fail-on", fail_on)
    assert json.loads(done.out)["ok"] is (done.code == 0) is (fail_on == "never")


def test_json_tells_what_could_not_be_judged_and_judges_the_rest():
    broken = write("broken.json", {**WRONG, "acdType": 7})
    done = run("nowhere.json", broken, write("wrong.json", WRONG), "--format", "json")
    document = json.loads(done.out)
    assert (done.code, done.err, document["ok"]) == (2, "", False)
    assert [each["rule"] for each in document["findings"]] == ["WFM209"]
    assert [(each["file"], len(each["faults"])) for each in document["unreadable"]] == [
        ("nowhere.json", 0),
        ("broken.json", 1),
    ]
    assert document["unreadable"][1]["faults"][0]["path"] == "$.acdType"


def read_sarif(text):
    """The one run, after a look at what the standard demands."""
    log = json.loads(text)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("/sarif-schema-2.1.0.json")
    (one,) = log["runs"]
    driver, (invocation,) = one["tool"]["driver"], one["invocations"]
    assert driver["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", driver["semanticVersion"])  # 3.19.12
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
    for rule in driver["rules"]:
        assert all(rule[name]["text"] for name in ("shortDescription", "fullDescription", "help"))
        assert rule["defaultConfiguration"]["level"] in {"none", "note", "warning", "error"}  # 3.50.3
        assert rule["helpUri"].startswith("https://")
    assert type(invocation["executionSuccessful"]) is bool
    for each in [*one["results"], *invocation["toolExecutionNotifications"]]:
        assert each["message"]["text"]
        assert each["level"] in {"note", "warning", "error"}
        for location in each["locations"]:
            for place in [location["physicalLocation"]] if "physicalLocation" in location else []:
                assert not re.search(r"[\s\\]", place["artifactLocation"]["uri"])
                assert all(number >= 1 for number in place.get("region", {}).values())  # 3.30.5
    for result in one["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]  # 3.27.6
        assert result["level"] == driver["rules"][result["ruleIndex"]]["defaultConfiguration"]["level"]
    assert one["columnKind"] == "unicodeCodePoints"  # 3.14.26: without it columns are UTF-16 units
    return one


def test_sarif_has_what_the_standard_demands_and_all_rules():
    write("a file.json", WRONG, indent=1)
    done = run("a file.json", "--format", "sarif")
    one = read_sarif(done.out)
    assert (done.code, done.err) == (1, "")
    assert [rule["id"] for rule in one["tool"]["driver"]["rules"]] == [rule.id for rule in RULES]
    assert one["tool"]["driver"]["semanticVersion"] == cxone_wfm.__version__
    (result,) = one["results"]
    assert result["ruleId"] == "WFM209"
    (location,) = result["locations"]
    assert location["logicalLocations"] == [{"fullyQualifiedName": "$.reportData.queueReport[0].backlog"}]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20file.json"},
        "region": {"startLine": 9, "startColumn": 16},
    }
    assert result["properties"]["figures"]["backlog"] == 3


@pytest.mark.skipif(os.name == "nt", reason="there every name is text")
def test_sarif_names_a_file_whose_name_is_no_text():
    name = os.fsdecode(b"a\xff.json")
    log = read_sarif(run(name, "--format", "sarif").out)
    (told,) = log["invocations"][0]["toolExecutionNotifications"]
    address = told["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote_to_bytes(address) == os.fsencode(name)


def test_sarif_names_a_file_by_its_address_and_the_standard_input_not_at_all(tmp_path):
    done = run(write(str(tmp_path / "wrong.json"), WRONG), "--format", "sarif")
    (result,) = read_sarif(done.out)["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == (tmp_path / "wrong.json").as_uri()
    done = run("-", "--format", "sarif", stdin=json.dumps(WRONG).encode())
    (result,) = read_sarif(done.out)["results"]
    assert list(result["locations"][0]) == ["logicalLocations"]


def test_sarif_tells_that_a_file_could_not_be_judged():
    done = run("nowhere.json", "--format", "sarif")
    one = read_sarif(done.out)
    (invocation,) = one["invocations"]
    (notification,) = invocation["toolExecutionNotifications"]
    assert (done.code, invocation["executionSuccessful"], one["results"]) == (2, False, [])
    assert "nowhere.json cannot be read" in notification["message"]["text"]
    assert notification["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "nowhere.json"


# The exit code

NOTE = [STATES[0], {**STATES[0], "eventUtcTime": "2024-04-17T10:01:00Z"}]
BY_SEVERITY = {
    "error": WRONG,
    "warning": {"agentStateList": STATES},
    "note": {"agentStateList": NOTE},
    "never": RIGHT,
}


@pytest.mark.parametrize(
    ("fail_on", "fails"),
    [
        (FailOn.error, ["error"]),
        (FailOn.warning, ["error", "warning"]),
        (FailOn.note, ["error", "warning", "note"]),
        (FailOn.never, []),
    ],
)
def test_the_exit_code_is_1_from_the_severity_on_that_was_asked_for(fail_on, fails):
    codes = {
        worst: run(write("file.json", document), "--fail-on", fail_on.value).code
        for worst, document in BY_SEVERITY.items()
    }
    assert codes == {worst: int(worst in fails) for worst in BY_SEVERITY}


def test_only_errors_fail_where_nothing_is_asked_for():
    assert run(write("wrong.json", WRONG)).code == 1
    assert run(write("states.json", {"agentStateList": STATES})).code == 0


def test_the_pages_samples_pass():
    for name in ("historical", "activity", "states"):
        Path(f"{name}.json").write_bytes(sample(name))
    done = run("historical.json", "activity.json", "states.json")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("6 warnings in 3 files\n")
    places = [line.split(":")[:2] for line in done.out.splitlines()[:-1]]
    lines = {"historical.json": ["4", "40", "62", "78"], "activity.json": ["2", "14"]}
    assert places == [[name, line] for name, own in lines.items() for line in own]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "text that is not JSON: Expecting property name enclosed in double quotes at line 1 column 2"),
        ('{\n"reportData": ?}', "text that is not JSON: Expecting value at line 2 column 15"),
        ('{"a": 1}', "a document of no kind that is known, expected reportData, agentStateList or loginId"),
        ("[]", "a document of no kind that is known"),
        ("", "text that is not JSON"),
        ('{"reportData": {}}', "$.acdType: found nothing"),
        (json.dumps(STATES[0]) + '\n{"loginId": "x"}\n', "line 2: $.acdId: found nothing"),
    ],
)
def test_what_cannot_be_judged_is_told_on_the_standard_error(text, reason):
    done = run(write("file.json", text), "--fail-on", "never")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("file.json: ")
    assert reason in done.err


def test_a_file_that_is_not_there_is_told():
    done = run("nowhere.json")
    assert (done.code, done.out, done.err) == (
        2,
        "",
        "nowhere.json cannot be read: No such file or directory\n",
    )


# What it is told


def test_the_kind_is_told_by_the_keys_or_by_the_option():
    states = write("states.json", {"agentStateList": STATES})
    assert [each["rule"] for each in findings_of(states)] == ["WFM601"]
    assert [each["rule"] for each in findings_of(states, "--kind", "states")] == ["WFM601"]
    assert run(states, "--kind", "historical").code == 2
    Path("activity.json").write_bytes(sample("activity"))
    assert [each["rule"] for each in findings_of("activity.json")] == ["WFM501"]


@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_states_may_stand_one_a_line_and_are_found_there(bom):
    lines = "\n\n".join(json.dumps(each) for each in STATES)
    (one,) = findings_of(write("states.jsonl", f"{bom}\n{lines}\n"))
    assert (one["path"], one["line"]) == ("$.agentStateList[1].eventUtcTime", 4)
    assert one["column"] == json.dumps(STATES[1]).index('"2024') + 1


def test_one_state_alone_is_a_document():
    (one,) = findings_of(write("one.json", STATES[0]), "--now", "2024-04-17T09:00:00Z")
    assert (one["rule"], one["line"]) == ("WFM605", 1)


def test_several_files_are_compared_and_each_finding_is_shown_with_its_file():
    next_interval = {"startDate": "2024-04-17T10:15:00Z", "endDate": "2024-04-17T10:30:00Z"}
    other = write("b.json", {**RIGHT, **next_interval, "acdType": "x"})
    (one,) = findings_of(write("a.json", RIGHT), other)
    assert (one["file"], one["rule"]) == ("b.json", "WFM704")


def test_the_standard_input_is_read():
    done = run("-", stdin=json.dumps(WRONG).encode())
    assert (done.code, done.out.partition(":")[0]) == (1, "-")


def test_media_are_told_for_all_queues_or_for_each():
    name = write("right.json", RIGHT)
    for_all = findings_of(name, "--media", "deferrable")
    assert "WFM251" in {each["rule"] for each in for_all}
    assert findings_of(name, "--media", "8057=deferrable", "--media", "9=outbound") == for_all
    assert findings_of(name, "--media", "9=outbound") == []
    assert {each["figures"]["media"] for each in findings_of(name, "--media", "outbound-campaign")} == {
        "outbound-campaign"
    }
    with_sign = {**RIGHT, "reportData": {"queueReport": [{"queueValue": "a=b", "contactsReceived": 2}]}}
    assert findings_of(write("sign.json", with_sign), "--media", "a=b=deferrable") != []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--media", "mail"],
        ["--media", "8057=mail"],
        ["--media", "deferrable", "--media", "outbound"],
        ["--media", "deferrable", "--media", "9=outbound"],
        ["--now", "noon"],
        ["--now", "2024-04-17T10:00:00"],
        ["--now", "9999-12-31T24:00Z"],
        ["--preset", "aspect"],
        ["--format", "xml"],
        ["--fail-on", "fatal"],
    ],
)
def test_what_the_command_does_not_take_is_a_usage_error(arguments):
    done = run(write("right.json", RIGHT), *arguments)
    assert (done.code, done.out) == (2, "")
    assert arguments[-2] in done.err


def test_without_a_file_there_is_nothing_to_judge():
    assert run().code == 2


def test_the_future_begins_now_or_when_it_is_said_to():
    name = write("right.json", RIGHT)
    assert findings_of(name) == []
    (one,) = findings_of(name, "--now", "2024-04-17T12:10:00+02:00")
    assert (one["rule"], one["figures"]["secondsAhead"]) == ("WFM103", 300)
    far = {**RIGHT, "startDate": "9998-04-17T10:00:00Z", "endDate": "9998-04-17T10:15:00Z"}
    assert [each["rule"] for each in findings_of(write("far.json", far))] == ["WFM103"]


def test_a_preset_knows_the_events_of_its_acd():
    name = write("states.json", {"agentStateList": [STATES[0], {**STATES[1], "eventCode": "READY"}]})
    (avaya,) = findings_of(name, "--preset", "avaya-cms")
    (livevox,) = findings_of(name, "--preset", "livevox")
    assert (avaya["rule"], avaya["path"]) == ("WFM606", "$.agentStateList[1].eventCode")
    assert livevox["path"] == "$.agentStateList[0].eventCode"


def test_every_event_set_is_a_preset():
    assert {each.value for each in Preset} == {name.replace("_", "-") for name in get_args(EventSetName)}


def test_every_severity_can_be_failed_on():
    assert {each.value for each in FailOn} == {each.value for each in Severity} | {"never"}


def test_help_tells_all_that_the_command_takes():
    done = run("--help")
    text = " ".join(done.out.split())
    told = ["FILE", "--kind", "--media", "deferrable", "--preset", "avaya-cms", "--now", "sarif", "--fail-on"]
    assert [word for word in [*told, "[default: error]", "Exits with 0"] if word not in text] == []
    assert not BOX.search(done.out)
    assert max(map(len, done.out.splitlines())) <= 80


# Positions

keys = st.sampled_from(["a", "b", "c"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(['{"a":', "[,", '\\"', "é\u2028"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
)  # fmt: skip


def walk(value, path="$"):
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, f"{path}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from walk(item, f"{path}[{number}]")


def value_at(text, position):
    lines = io.StringIO(text, newline="\n").readlines()
    rest = "".join(lines[position.line - 1 :])[position.column - 1 :]
    return json.JSONDecoder().raw_decode(rest)[0]


@settings(max_examples=100, deadline=None)
@given(values, st.sampled_from([None, 1]), st.booleans())
def test_every_value_of_a_document_is_found_where_it_begins(document, indent, ascii_only):
    text = "\n " + json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    expected = dict(walk(document))
    found = positions(text, list(expected))
    assert {path: value_at(text, position) for path, position in found.items()} == expected


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(keys, values, max_size=3), max_size=4))
def test_every_value_of_states_one_a_line_is_found(documents):
    text = "\n".join(json.dumps(each) for each in documents)
    expected = dict(walk(documents, "$.agentStateList"))
    del expected["$.agentStateList"]
    found = positions(text, list(expected), state_a_line=True)
    assert {path: value_at(text, position) for path, position in found.items()} == expected


def test_what_is_missing_is_found_at_what_should_hold_it():
    text = '{\n  "a": [{}],\n  "b": 1}'
    asked = ["$.a[0].x.y", "$.a[7]", "$.c", "$"]
    assert positions(text, asked) == {
        "$.a[0].x.y": Position(2, 9),
        "$.a[7]": Position(2, 8),
        "$.c": Position(1, 1),
        "$": Position(1, 1),
    }
