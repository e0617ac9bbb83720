"""The promises of the command ``cxone-assist``."""

import io
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress

import pytest
from support.assist_sockets import Log
from typer.testing import CliRunner

from cxone_assist import CaptureWriter, StaticTokens, StreamPerspective, cli
from cxone_assist.call_events import (
    AudioLost,
    Call,
    CallRefused,
    CallSuspended,
    Refusal,
    Signal,
    SignalReceived,
    StreamRecovered,
)
from cxone_assist.cli import call as call_module
from cxone_assist.cli import demo as demo_module
from cxone_assist.cli.app import app
from cxone_assist.cli.show import in_words
from cxone_assist.server import Server, allow_all
from cxone_assist.simulator import CallReport
from cxone_assist.testing import init_message

ENVIRONMENT = os.environ | {"PYTHONUNBUFFERED": "1", "TERM": "dumb"}


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def command(*arguments):
    return [sys.executable, "-c", "from cxone_assist.cli import main; main()", *map(str, arguments)]


@pytest.fixture
def server():
    with Server(authorize=allow_all) as server:
        yield server


def test_the_demo_plays_a_call_and_finds_it_again_in_the_wav_sample_for_sample(tmp_path):
    result = run("demo", "--directory", tmp_path)
    assert result.exit_code == 0, result.output
    assert "What was played is what was recorded." in result.output
    assert "CallResumed" in result.output
    (wav,) = tmp_path.glob("*.wav")
    assert str(wav) in result.output


def test_the_demo_for_machines_is_one_document():
    result = run("demo", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["ok"] is True
    assert [side["equal"] for side in document["compared"]] == [True, True]
    assert document["events"][0]["event"] == "CallStarted"


def test_the_demo_fails_where_one_sample_differs(monkeypatch, tmp_path):
    read = demo_module.read_wav

    def spoilt(path):
        contact, agent = read(path)
        return contact, agent[:70000] + bytes([agent[70000] ^ 1]) + agent[70001:]

    monkeypatch.setattr(demo_module, "read_wav", spoilt)
    result = run("demo", "--directory", tmp_path)
    assert result.exit_code == 1
    assert "DIFFERENT" in result.output


def test_the_demo_fails_where_nothing_was_played(monkeypatch, tmp_path):
    monkeypatch.setattr(demo_module, "_TOKEN", "")
    monkeypatch.setattr(demo_module, "StaticTokens", lambda _token: StaticTokens("other"))
    result = run("demo", "--directory", tmp_path)
    assert result.exit_code == 1
    assert "unauthorized" in result.output
    assert not list(tmp_path.iterdir())


def test_a_call_is_played_from_the_command_line(server, tmp_path):
    scenario = tmp_path / "call.json"
    scenario.write_text(
        '{"steps":[{"do":"open"},{"do":"garbage","what":"text"},{"do":"play","seconds":1},{"do":"end"}]}'
    )
    result = run("call", server.url, "--rate", "50", "--hold", "2:3", "--drop", "5")
    assert result.exit_code == 0, result.output
    assert "40.00 s of audio sent" in result.output
    assert "drop" in result.output
    result = run(
        "call", server.url, "--rate", "max", "--scenario", scenario, "--dialect", "negotiated", "--json"
    )
    assert (result.exit_code, json.loads(result.stdout)["frames"]) == (0, 100)


def test_a_call_plays_the_wav_files_of_both_sides(server, tmp_path):
    assert run("demo", "--directory", tmp_path).exit_code == 0
    (wav,) = tmp_path.glob("*.wav")
    for files in (["--wav", wav], ["--wav", wav, "--agent-wav", wav]):
        assert "RX  open" in run("call", server.url, "--rate", "max", *files).output


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--hold", "x"], "FROM:TO"),
        (["--rate", "0"], "above 0"),
        (["--rate", "fast"], "above 0"),
        (["--hold", "3:5", "--drop", "4"], "overlaps"),
        (["--dialect", "klingon"], "documented or negotiated"),
        (["--wav", __file__], "no WAV"),
        (["--scenario", __file__], "JSON"),
    ],
)
def test_a_call_that_cannot_be_played_ends_with_4(server, options, fault):
    result = run("call", server.url, *options)
    assert result.exit_code == 4
    assert fault in result.output


def test_what_an_endpoint_does_wrong_is_told_and_its_messages_are_named():
    with Server(authorize=StaticTokens("right"), on_start=lambda s: s.send_message("HI", "x")) as server:
        result = run("call", server.url, "--rate", "50")
        assert result.exit_code == 2
        assert "unauthorized" in result.output
        assert "the endpoint sent HI" in run("call", server.url, "--token", "right", "--rate", "100").output


def test_the_check_tells_and_writes_what_it_found(server, tmp_path):
    result = run("check", server.url, "--junit", tmp_path / "report.xml")
    assert result.exit_code == 0, result.output
    assert "25 of 27 passed" in result.output
    assert "<testsuite" in (tmp_path / "report.xml").read_text()
    result = run("check", server.url, "--token", "anything", "--json")
    assert result.exit_code == 1
    failed = [case["name"] for case in json.loads(result.stdout)["cases"] if case["outcome"] == "failed"]
    assert failed == ["refuses-a-wrong-token"]


def test_the_check_of_nobody_ends_with_5():
    with Server(authorize=allow_all) as gone:
        url = gone.url
    result = run("check", url)
    assert result.exit_code == 5
    assert "needs work" in result.output


def test_load_without_an_address_loads_an_endpoint_of_ours():
    result = run("load", "--streams", 5, "--seconds", 0.4)
    assert "arrived 100, late 0" in result.output, result.output
    assert result.exit_code == 0


def test_load_of_somebody_s_endpoint_and_of_nobody(server):
    result = run("load", server.url, "--streams", 3, "--seconds", 0.2, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["runs"][0]["sent"] == 30
    assert run("load", "ws://127.0.0.1:1/", "--streams", 1, "--seconds", 0.1).exit_code == 5
    assert run("load", "wss://127.0.0.1:1/").exit_code == 5


def test_the_ramp_ends_where_something_is_late(monkeypatch):
    monkeypatch.setattr("cxone_assist.simulator.load.LoadReport.clean", property(lambda r: r.streams < 5))
    result = run("load", "--streams", 2, "--ramp", 2, "--seconds", 0.1)
    assert "nothing late with up to 4 streams" in result.output
    assert result.exit_code == 0


def serving(*options):
    return subprocess.Popen(
        command("serve", "--port", 0, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def test_serve_shows_records_and_captures_what_arrives_and_its_captures_can_be_replayed(tmp_path):
    with serving("--json", "--token", "s3cret", "--record", tmp_path, "--capture", tmp_path) as process:
        url = json.loads(process.stdout.readline())["url"]
        assert run("call", url, "--token", "s3cret", "--rate", "20").exit_code == 0
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert [json.loads(line)["event"] for line in output.splitlines()][:2] == [
        "CallStarted",
        "StreamAttached",
    ]
    assert len(list(tmp_path.glob("*.wav"))) == 1
    captures = sorted(tmp_path.glob("*.cxcap"))
    assert [path.name.split("-")[2] for path in captures] == ["RX", "TX"]
    assert all(b"s3cret" not in path.read_bytes() for path in captures)
    again = tmp_path / "again"
    again.mkdir()
    result = run("replay", *captures, "--record", again)
    assert (result.exit_code, len(list(again.glob("*.wav")))) == (0, 1)
    assert json.loads(run("replay", *captures, "--json").stdout.splitlines()[0])["event"] == "CallStarted"
    heard = Log()
    with Server(authorize=allow_all, on_audio=lambda *_: heard(1)) as server:
        assert run("replay", captures[0], "--to", server.url, "--speed", 1000).exit_code == 0
        heard.wait(lambda items: len(items) == 1000)


def test_replay_of_what_is_no_capture_and_to_nobody(tmp_path):
    assert run("replay", __file__).exit_code == 4
    capture = tmp_path / "one.cxcap"
    with capture.open("wb") as file:
        CaptureWriter(file, now=0.0, started=0.0).received(init_message().to_json(), 0.0)
    result = run("replay", capture, "--to", "ws://127.0.0.1:1/")
    assert (result.exit_code, bool(result.output.strip())) == (5, True)


def test_serve_for_people_tells_of_calls_and_that_everybody_may_stream():
    with serving() as process:
        url = process.stdout.readline().split()[2].rstrip(";")
        assert run("call", url, "--rate", "max").exit_code == 0
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert "everybody who reaches the address may stream" in errors
    assert output.splitlines()[0].startswith("CallStarted      contact 506314056968")


def test_serve_on_a_terminal_shows_a_row_for_each_stream():
    ours, theirs = pty.openpty()
    environment = ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command("serve", "--port", 0), stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = ""

        def until(words):
            nonlocal shown
            while words not in shown:
                shown += os.read(ours, 65536).decode()

        try:
            until("Ctrl-C ends it")
            url = shown.split("Listening at ")[1].split(";", maxsplit=1)[0]
            call = subprocess.Popen(
                command("call", url, "--rate", 1), stdout=subprocess.DEVNULL, env=environment
            )
            with call:
                until("audio")
                call.kill()
            assert "506314056968" in shown
            process.send_signal(signal.SIGTERM)
            with suppress(OSError):  # the end of a terminal
                until("what never comes")
            assert process.wait(20) == 0
        finally:
            process.kill()
            os.close(ours)


def test_serve_on_an_address_that_is_taken_says_so():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--port", port)
    assert result.exit_code == 1
    assert f"127.0.0.1:{port} cannot be listened on" in result.output


def test_a_call_with_a_mono_file_has_one_side(server, tmp_path):
    form = struct.pack("<HHIIHH", 7, 1, 8000, 8000, 1, 8)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", 1600) + bytes(1600)
    wav = tmp_path / "mono.wav"
    wav.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    output = run("call", server.url, "--rate", "max", "--wav", wav).output
    assert "TX  open" in output
    assert "RX" not in output


def test_what_a_call_found_odd_is_told(monkeypatch):
    report = CallReport(late_frames=3, warnings=["TX: message is not 'BEGIN AUDIO STREAM'"])
    monkeypatch.setattr(call_module, "play", lambda *_, **__: report)
    output = run("call", "ws://x/").output
    assert "3 frames left more than 20 ms late" in output
    assert "look: TX: message is not" in output


CALL = Call(number=1, bus_no=7, contact_id=5)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            StreamRecovered(call=CALL, at=1, stream_id=1, perspective=StreamPerspective.TX, silent_for=2.5),
            "TX, after 2.50 s",
        ),
        (
            AudioLost(
                call=CALL, at=1, stream_id=1, perspective=StreamPerspective.RX, position=0, samples=4000
            ),
            "RX, 0.50 s of audio",
        ),
        (CallSuspended(call=CALL, at=1, streams_open=True, held=False), "its sockets are open, but silent"),
        (CallSuspended(call=CALL, at=1, streams_open=False, held=True), "it has no socket"),
        (
            CallRefused(at=1, stream_id=1, bus_no=7, contact_id=5, reason=Refusal.DRAINING),
            Refusal.DRAINING.value,
        ),
        (SignalReceived(call=CALL, at=1, signal=Signal.HOLD), Signal.HOLD.value),
    ],
)
def test_an_event_is_told_in_words(event, words):
    assert in_words(event) == words


def test_the_command_runs_where_the_standard_output_is_no_file(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["cxone-assist", "--version"])
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert sys.stdout.getvalue().startswith("cxone-wfm-sdk ")


def test_without_its_extras_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(SystemExit, match=r"\[server,cli\]"):
        cli.main()


def test_without_the_extra_server_each_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cxone_assist.cli.demo", None)
    result = run("demo")
    assert result.exit_code == 1


def test_the_version_and_the_help():
    assert run("--version").output.startswith("cxone-wfm-sdk ")
    program = subprocess.run(command("--help"), capture_output=True, text=True, timeout=30, check=True)
    assert "demo" in program.stdout
