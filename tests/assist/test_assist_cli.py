"""The promises of the command ``cxone-assist``; those of ``serve`` are in test_assist_cli_serve.py."""

import gc
import io
import json
import math
import signal
import ssl
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import attrs
import pytest
import trustme
from typer.testing import CliRunner

from cxone_assist import CaptureWriter, StaticTokens, StreamPerspective, cli
from cxone_assist.call_events import (
    AudioLost,
    AudioPlaced,
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
from cxone_assist.cli import load as load_module
from cxone_assist.cli.app import app
from cxone_assist.cli.show import in_words
from cxone_assist.recording import Recorder
from cxone_assist.server import Server, allow_all
from cxone_assist.simulator import CallReport
from cxone_assist.simulator import check as check_module
from cxone_assist.simulator.load import LoadError, LoadReport
from cxone_assist.testing import init_message
from cxone_assist.wav import Encoding, WavWriter


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


# --- demo --------------------------------------------------------------------------------------


def test_the_demo_plays_a_call_and_finds_it_again_in_the_wav_sample_for_sample(tmp_path):
    began = time.monotonic()
    result = run("demo", "--directory", tmp_path)
    assert time.monotonic() - began >= 20 / 10
    assert result.exit_code == 0, result.output
    assert "What was played is what was recorded." in result.output
    (wav,) = tmp_path.glob("*.wav")
    assert str(wav) in result.output


@pytest.fixture
def at_once(monkeypatch):
    """Play the demo's call as fast as possible: it comes out the same."""
    monkeypatch.setattr(demo_module, "_RATE", math.inf)


def test_the_demo_for_machines_is_one_document_and_the_same_each_time(at_once):
    document = json.loads(run("demo", "--json").stdout)
    assert document["ok"] is True
    assert [(side["side"], side["recorded"], side["equal"]) for side in document["compared"]] == [
        ("contact", 160000, True),
        ("agent", 160000, True),
    ]
    happened = [(event["at"], event["event"]) for event in document["events"]]
    assert [at for at, event in happened if event == "StreamAttached"] == [0, 0, 9, 9, 14, 14]
    assert [at for at, event in happened if event == "StreamDetached"] == [6, 6, 14, 14, 20, 20]
    again = json.loads(run("demo", "--json").stdout)
    assert again["events"] == document["events"]


class Spoiling(Recorder):
    """A recorder that takes one piece of audio for another."""

    spoilt = False
    change = staticmethod(lambda event: event)

    def handle(self, event):
        if isinstance(event, AudioPlaced) and event.position > 80000 and not self.spoilt:
            self.spoilt = True
            event = self.change(event)
        if event is not None:
            super().handle(event)


@pytest.mark.parametrize(
    "change",
    [
        lambda event: attrs.evolve(event, payload=event.payload[:-1] + bytes([event.payload[-1] ^ 1])),
        lambda event: attrs.evolve(event, position=event.position + 1),
        lambda event: None,
    ],
    ids=["a sample", "its place", "a second"],
)
def test_the_demo_fails_where_the_endpoint_gets_one_piece_of_audio_wrong(
    at_once, monkeypatch, tmp_path, change
):
    monkeypatch.setattr(Spoiling, "change", staticmethod(change))
    monkeypatch.setattr(demo_module, "Recorder", Spoiling)
    result = run("demo", "--directory", tmp_path)
    assert result.exit_code == 1
    assert "Something is not as it should be." in result.output
    assert "DIFFERENT from 1" in result.output
    assert result.output.count("equal") == 1


def test_the_demo_fails_where_the_endpoint_takes_nothing_in(at_once, monkeypatch, tmp_path):
    monkeypatch.setattr(demo_module, "Lockstep", lambda: Deaf(patience=0.05))
    result = run("demo", "--directory", tmp_path)
    assert result.exit_code == 1
    assert "CXone: the server did not take in what was sent" in result.output


class Deaf(demo_module.Lockstep):
    def on_audio(self, *_):
        pass


def test_the_demo_fails_where_nothing_was_played(monkeypatch, tmp_path):
    monkeypatch.setattr(demo_module, "StaticTokens", lambda _token: StaticTokens("other"))
    monkeypatch.setattr(demo_module, "_RATE", math.inf)
    result = run("demo", "--directory", tmp_path)
    assert result.exit_code == 1
    assert "unauthorized" in result.output
    assert not list(tmp_path.iterdir())


# --- call --------------------------------------------------------------------------------------


def test_a_call_is_played_from_the_command_line(server, tmp_path):
    scenario = tmp_path / "call.json"
    scenario.write_text(
        '{"steps":[{"do":"open"},{"do":"garbage","what":"text"},{"do":"play","seconds":1},{"do":"end"}]}'
    )
    result = run("call", server.url, "--rate", "max", "--hold", "2:3", "--drop", "5")
    assert result.exit_code == 0, result.output
    assert "40.00 s of audio sent" in result.output
    assert "drop" in result.output
    result = run(
        "call", server.url, "--rate", "max", "--scenario", scenario, "--dialect", "negotiated", "--json"
    )
    assert (result.exit_code, json.loads(result.stdout)["frames"]) == (0, 100)


def write_wav(path, *channels):
    with path.open("x+b") as file:
        wav = WavWriter(file, channels=len(channels), encoding=Encoding.ULAW)
        for channel, ulaw in enumerate(channels):
            wav.write(channel, 0, ulaw)
        wav.close()
    return path


def test_a_call_plays_the_wav_files_of_both_sides(server, tmp_path):
    wav = write_wav(tmp_path / "call.wav", bytes(1600), bytes(1600))
    for files in (["--wav", wav], ["--wav", wav, "--agent-wav", wav]):
        assert "RX  open" in run("call", server.url, "--rate", "max", *files).output


def test_a_call_with_a_mono_file_has_one_side(server, tmp_path):
    wav = write_wav(tmp_path / "mono.wav", bytes(1600))
    output = run("call", server.url, "--rate", "max", "--wav", wav).output
    assert "TX  open" in output
    assert "RX" not in output


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--hold", "x"], "FROM:TO"),
        (["--rate", "0"], "above 0"),
        (["--rate", "fast"], "above 0"),
        (["--hold", "3:5", "--drop", "4"], "overlaps"),
        (["--dialect", "klingon"], "documented or negotiated"),
        (["--wav", __file__], "test_assist_cli.py: the file is no WAV"),
        (["--ca", __file__], "no certificates"),
        (["--scenario", __file__], "JSON"),
    ],
)
def test_a_call_that_cannot_be_played_ends_with_4(server, options, fault):
    result = run("call", server.url, *options)
    assert result.exit_code == 4
    assert fault in result.output


def test_what_an_endpoint_does_wrong_is_told_and_its_messages_are_named(tmp_path):
    with Server(authorize=StaticTokens("right"), on_start=lambda s: s.send_message("HI", "x")) as server:
        result = run("call", server.url, "--rate", "max")
        assert result.exit_code == 2
        assert "unauthorized" in result.output
        scenario = tmp_path / "call.json"
        scenario.write_text(
            '{"steps":[{"do":"open"},{"do":"expect","what":"MESSAGE","seconds":5},{"do":"end"}]}'
        )
        result = run("call", server.url, "--token", "right", "--scenario", scenario)
        assert "the endpoint sent HI" in result.output


# --- check -------------------------------------------------------------------------------------


def test_the_check_tells_and_writes_what_it_found(server, tmp_path):
    result = run("check", server.url, "--silence", 0.02, "--junit", tmp_path / "report.xml")
    assert result.exit_code == 0, result.output
    assert "25 of 27 passed" in result.output
    assert "<testsuite" in (tmp_path / "report.xml").read_text()
    result = run("check", server.url, "--silence", 0.02, "--token", "anything", "--json")
    assert result.exit_code == 1
    failed = [case["name"] for case in json.loads(result.stdout)["cases"] if case["outcome"] == "failed"]
    assert failed == ["refuses-a-wrong-token"]


def test_the_check_of_nobody_ends_with_5():
    with Server(authorize=allow_all) as gone:
        url = gone.url
    result = run("check", url)
    assert result.exit_code == 5
    assert "needs work" in result.output


# --- load --------------------------------------------------------------------------------------


def test_load_without_an_address_loads_an_endpoint_of_ours():
    result = run("load", "--streams", 5, "--seconds", 0.4)
    assert "arrived 100, late " in result.output, result.output
    assert "delivery p50 " in result.output
    assert result.output.count("% of a core") == 2


def test_load_of_somebody_s_endpoint_and_of_nobody(server):
    result = run("load", server.url, "--streams", 3, "--seconds", 0.2, "--json")
    assert result.exit_code == 0
    (told,) = json.loads(result.stdout)["runs"]
    assert (told["sent"], told["clean"], told["endpoint"]) == (30, True, {})
    result = run("load", "ws://127.0.0.1:1/", "--streams", 1, "--seconds", 0.1)
    assert (result.exit_code, bool(result.output.strip())) == (5, True)


@pytest.fixture
def loaded(monkeypatch):
    """An endpoint of ours that takes four streams well; from nine on it refuses."""

    class Endpoint:
        late = 0.0

        def load(self, *, streams, seconds):
            if streams > 8:
                raise LoadError("the endpoint did not accept a stream")
            return LoadReport(
                streams, seconds, sent=50, lost_streams=int(streams > 4), worst_send_lateness=self.late
            )

    monkeypatch.setattr(load_module, "measured_endpoint", lambda: nullcontext(Endpoint()))
    return Endpoint


def test_the_ramp_finds_the_most_streams_of_which_none_is_late(loaded):
    result = run("load", "--streams", 2, "--ramp", 2)
    assert "nothing late with up to 4 streams" in result.output
    assert result.exit_code == 0
    assert "6 streams for 10 s" in result.output
    assert "8 streams" not in result.output


def test_a_ramp_that_ends_with_a_refusal_tells_what_was_well_before(loaded, monkeypatch):
    monkeypatch.setattr(LoadReport, "clean", True)
    result = run("load", "--streams", 4, "--ramp", 4, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["ceiling"], len(document["runs"])) == (0, 8, 2)
    assert document["fault"] == "the endpoint did not accept a stream"


def test_a_load_that_is_not_clean_ends_with_1_and_says_where_the_generator_was_late(loaded, monkeypatch):
    monkeypatch.setattr(loaded, "late", 0.5)
    result = run("load", "--streams", 5)
    assert result.exit_code == 1
    assert "this side was late itself" in result.output
    assert "8 streams" not in result.output


@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")  # asyncio of Python 3.10, over TLS
def test_each_command_that_connects_trusts_the_certificates_that_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(check_module, "CASES", check_module.CASES[:1])
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    capture = tmp_path / "one.cxcap"
    with capture.open("wb") as file:
        CaptureWriter(file, now=0.0, started=0.0).received(init_message().to_json(), 0.0)
    commands = [
        ["call", "--rate", "max"],
        ["check", "--silence", 0],
        ["load", "--streams", 1, "--seconds", 0.1],
        ["replay", capture, "--to"],
    ]
    with Server(authorize=allow_all, ssl=context) as server:
        for command in commands:
            assert run(*command, server.url, "--ca", trusted).exit_code == 0, command
            monkeypatch.setenv("SSL_CERT_FILE", str(trusted))  # what the system trusts
            assert run(*command, server.url).exit_code == 0, command
            monkeypatch.delenv("SSL_CERT_FILE")
            assert run(*command, server.url).exit_code == 5, command
    with Server(authorize=allow_all) as server:
        for command in commands:
            assert run(*command, server.url, "--ca", trusted).exit_code == 0, command
    gc.collect()  # so that the warning comes here, where it is ignored


@pytest.mark.parametrize("command", ["call", "check", "load"])
def test_what_is_no_address_of_an_endpoint_is_told(command):
    result = run(command, "http://127.0.0.1/")
    assert result.exit_code == 5
    assert "http://127.0.0.1/ isn't a valid URI" in result.output


def test_a_report_that_cannot_be_written_is_told(server, tmp_path, monkeypatch):
    monkeypatch.setattr("cxone_assist.cli.check.run_check", lambda *_, **__: [])
    result = run("check", server.url, "--junit", tmp_path / "nowhere" / "report.xml")
    assert (result.exit_code, "nowhere" in result.output) == (4, True)


def test_a_scenario_that_opens_what_is_open_is_told(tmp_path):
    (tmp_path / "twice.json").write_text('{"steps":[{"do":"open"},{"do":"open"}]}')
    result = run("call", "ws://127.0.0.1:1/", "--scenario", tmp_path / "twice.json")
    assert (result.exit_code, "while it is open" in result.output) == (4, True)


def test_a_replay_that_is_interrupted_does_not_wait_for_the_pause_to_end(tmp_path):
    capture = tmp_path / "one.cxcap"
    with capture.open("wb") as file:
        writer = CaptureWriter(file, now=0.0, started=0.0)
        for at, message in ((0.0, init_message().to_json()), (0.1, b"a" * 160), (600.0, b"a" * 160)):
            writer.received(message, at)
    heard = threading.Event()
    with Server(authorize=allow_all, on_audio=lambda *_: heard.set()) as server:
        command = [sys.executable, "-c", "from cxone_assist.cli import main; main()"]
        with subprocess.Popen([*command, "replay", capture, "--to", server.url]) as process:
            assert heard.wait(20)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) != 0


def test_replay_says_that_a_recording_stopped_early(tmp_path):
    capture, recordings = tmp_path / "one.cxcap", tmp_path / "recordings"
    recordings.mkdir()
    with capture.open("wb") as file:
        writer = CaptureWriter(file, now=0.0, started=0.0)
        writer.received(init_message().to_json(), 0.0)
        for start in (0, 100_000):  # a socket that was open and silent for a day
            for frame in range(1, 201):
                writer.received(b"\x80" * 160, start + frame * 0.02)
    result = run("replay", capture, "--record", recordings)
    assert (result.exit_code, "stopped early" in result.output) == (1, True)
    assert sum(path.stat().st_size for path in recordings.iterdir()) < 100_000


def test_replay_of_what_is_no_capture_and_to_nobody(tmp_path):
    result = run("replay", __file__)
    assert (result.exit_code, Path(__file__).name in result.output) == (4, True)
    capture = tmp_path / "one.cxcap"
    with capture.open("wb") as file:
        CaptureWriter(file, now=0.0, started=0.0).received(init_message().to_json(), 0.0)
    result = run("replay", capture, "--to", "ws://127.0.0.1:1/")
    assert (result.exit_code, bool(result.output.strip())) == (5, True)


# --- what is shown -----------------------------------------------------------------------------


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
