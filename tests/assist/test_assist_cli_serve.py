"""The promises of ``cxone-assist serve``: what arrives is shown, recorded and captured, and it ends."""

import io
import json
import math
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import pytest
from rich.console import Console
from support.assist_sockets import Log, RawPeer
from support.assist_wire import CONNECTED, init
from support.threads import PATIENCE, Background
from typer.testing import CliRunner

from cxone_assist import StreamPerspective
from cxone_assist.call_events import Call, CallEnded, CallEndReason, StreamAttached, StreamDetached
from cxone_assist.capture import Capture
from cxone_assist.cli import serve as serve_module
from cxone_assist.cli.app import app
from cxone_assist.cli.board import Board
from cxone_assist.cli.output import Output
from cxone_assist.server import Request, Server, Stream, StreamStats, allow_all
from cxone_assist.simulator import plan, play, simple_call, speech
from cxone_assist.testing import init_message, tone

TX, RX = StreamPerspective.TX, StreamPerspective.RX
CONTACT = "506314056968"


class Shown(io.StringIO):
    """What a command shows, to be waited for."""

    def __init__(self):
        super().__init__()
        self._changed = threading.Condition()

    def write(self, text):
        with self._changed:
            written = super().write(text)
            self._changed.notify_all()
        return written

    def until(self, pattern):
        """Wait for a text, and return the match."""
        found = []

        def come():
            found[:] = [re.search(pattern, self.getvalue())]
            return found[0]

        with self._changed:
            assert self._changed.wait_for(come, PATIENCE), self.getvalue()
        return found[0]


@contextmanager
def serving(monkeypatch, *, as_json=False, terminal=False, tokens=(), directory=None, captures=None):
    """Serve in a thread until the end of the block; give what is shown, and the address."""
    ends = queue.Queue()

    @contextmanager
    def ended_by_us(end):
        ends.put(end)
        yield

    monkeypatch.setattr(serve_module, "_ended_by_signals", ended_by_us)
    monkeypatch.setattr(serve_module, "_REFRESH_SECONDS", 0.02)
    shown = Shown()
    console = Console(
        file=shown, force_terminal=terminal, width=110, height=30, soft_wrap=True, color_system=None
    )
    output = Output(as_json, console, Console(file=shown, soft_wrap=True))
    serving = Background(
        lambda: serve_module.serve(
            output, host="127.0.0.1", port=0, tokens=tokens, directory=directory, captures=captures
        )
    )
    url = shown.until(r"ws://\S+/")[0]
    end = ends.get(timeout=PATIENCE)
    try:
        yield shown, url
    finally:
        end()
        assert serving.outcome() == 0


def call(url, *, seconds=2, token="", rate=math.inf, **options):
    audio = {side: speech(side, seconds) for side in (TX, RX)}
    return play(url, plan(simple_call(**options), audio), init_message(authentication_token=token), rate=rate)


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_serve_for_machines_tells_records_and_captures_and_its_captures_can_be_replayed(
    monkeypatch, tmp_path
):
    options = {"tokens": ["s3cret"], "directory": tmp_path, "captures": tmp_path}
    with serving(monkeypatch, as_json=True, **options) as (shown, url):
        assert call(url, token="s3cret").ok
        shown.until("CallSuspended")
    told = [json.loads(line) for line in shown.getvalue().splitlines()]
    assert told[0] == {"url": url}
    events = [event["event"] for event in told[1:]]
    assert (events[0], events.count("StreamAttached"), events[-1]) == ("CallStarted", 2, "CallEnded")
    assert all(0 <= event["at"] < 60 for event in told[1:])
    assert len(list(tmp_path.glob("*.wav"))) == 1
    captures = sorted(tmp_path.glob("*.cxcap"))
    assert [path.name.split("-")[2] for path in captures] == ["RX", "TX"]
    assert all(b"s3cret" not in path.read_bytes() for path in captures)
    assert {path.stat().st_mode & 0o777 for path in captures} == {0o600}  # they hold what was said

    again = tmp_path / "again"
    again.mkdir()
    result = run("replay", *captures, "--record", again)
    assert (result.exit_code, len(list(again.glob("*.wav")))) == (0, 1)
    assert json.loads(run("replay", *captures, "--json").stdout.splitlines()[0])["event"] == "CallStarted"
    heard = Log()
    with Server(authorize=allow_all, on_audio=lambda *_: heard(1)) as server:
        assert run("replay", captures[0], "--to", server.url, "--speed", 1000).exit_code == 0
        heard.wait(lambda items: len(items) == 100)


def test_a_capture_has_the_initialize_message_as_it_came_without_its_secrets(monkeypatch, tmp_path):
    text = init(streamPerspective=0, appParams='{"key":"s3cret"}', Unknown=None)
    with serving(monkeypatch, captures=tmp_path) as (shown, url):
        with RawPeer(int(url.rsplit(":")[-1].strip("/"))) as peer:
            peer.text(text)
            assert peer.read_text() == CONNECTED
            peer.audio(b"\x80" * 160)
            peer.send(b"\x88\x80\0\0\0\0")  # a close
            peer.read_close()
        shown.until("CallSuspended")
    (path,) = tmp_path.glob("*-TX-*.cxcap")
    first, second, _close = Capture.read(path).records
    assert json.loads(first.payload) == json.loads(text) | {
        "authenticationToken": "<redacted>",
        "appParams": "<redacted>",
    }
    assert second.payload == b"\x80" * 160


def test_a_disk_that_takes_no_capture_stops_no_stream(monkeypatch, tmp_path, caplog):
    with serving(monkeypatch, captures=tmp_path / "gone") as (shown, url):
        assert call(url).ok
        shown.until("CallSuspended")
    assert "StreamDetached  TX, 2.00 s of audio" in shown.getvalue()
    assert "on_start raised" in caplog.text


def test_serve_for_people_tells_of_calls_and_that_everybody_may_stream(monkeypatch):
    with serving(monkeypatch) as (shown, url):
        assert call(url).ok
        shown.until("CallSuspended")
    lines = shown.getvalue().splitlines()
    assert lines[0] == f"Listening at {url}; Ctrl-C ends it."
    assert "everybody who reaches the address may stream" in lines[1]
    assert re.fullmatch(rf"\d\d:\d\d:\d\d  {CONTACT}  CallStarted     contact {CONTACT} of .*", lines[2])
    assert lines[-1].endswith("CallEnded       DRAINED, 2.00 s")


def test_a_stream_with_a_wrong_token_is_told(monkeypatch):
    with serving(monkeypatch, tokens=["right"]) as (shown, url):
        assert call(url, token="wrong").exit_code == 2
        shown.until(rf"{CONTACT}  TurnedAway +from 127.0.0.1: its token is none of ours")
    assert "wrong" not in shown.getvalue()
    with serving(monkeypatch, tokens=["right"], as_json=True) as (shown, url):
        call(url, token="wrong")
        shown.until("TurnedAway")
    told = json.loads(shown.getvalue().splitlines()[1])
    assert told == {"event": "TurnedAway", "contactId": int(CONTACT), "address": "127.0.0.1"}


# --- the table ---------------------------------------------------------------------------------


def test_on_a_terminal_there_is_a_row_for_each_side_of_a_call_over_all_of_its_sockets(monkeypatch):
    with serving(monkeypatch, terminal=True) as (shown, url):
        shown.until("no stream yet")
        with RawPeer(int(url.rsplit(":")[-1].strip("/"))) as peer:
            peer.text(init())
            assert peer.read_text() == CONNECTED
            shown.until(rf"{CONTACT} │ TX +│ +0.0 │ \.{{20}} +│ +0 │ no audio yet")
            peer.audio(tone(1.0))
            shown.until(rf"{CONTACT} │ TX +│ +1.0 │ #+\.+ +-6 dB │ +1 │ audio")
        shown.until(r"│ no socket for 0 s")
        assert call(url).ok
        shown.until(rf"{CONTACT} │ TX +│ +3.0 │ .* │ +101 │ no socket for 0 s")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def board(clock):
    return Board(now=clock)


def stream_of(number, side=TX):
    stream = Stream(None, init_message(), Request(path="/"), StreamStats())
    call = Call(number=number, bus_no=1, contact_id=number)
    return StreamAttached(call=call, at=100.0, stream_id=stream, perspective=side)


def lines_of(board, height=30):
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=False, width=110, height=height)
    console.print(board.table(Output(as_json=False, console=console, errors=console)))
    return shown.getvalue().splitlines()


def hear(board, attached, ulaw):
    stream = attached.stream_id
    stream.stats.frames += 1
    stream.stats.samples += len(ulaw)
    board.hear(stream, ulaw)


def test_the_meter_shows_the_loudest_sample_since_the_last_look(board):
    attached = stream_of(5)
    board.handle(attached)
    hear(board, attached, b"\x80" * 160)
    hear(board, attached, b"\xff" * 160)
    assert "####################    0 dB" in lines_of(board)[1]
    hear(board, attached, b"\xff" * 160)
    assert "....................        " in lines_of(board)[1]


@pytest.mark.parametrize(
    ("ulaw", "meter", "colour"),
    [
        (b"\x80", "####################    0 dB", "red"),
        (b"\x8f", "##################..   -6 dB", "yellow"),
        (b"\xa0", "################....  -12 dB", "green"),
        (b"\xc0", "############........  -25 dB", "green"),
        (b"\xfe", "....................  -72 dB", "green"),
        (b"\xff", "....................        ", "green"),
    ],
)
def test_the_meter_is_a_bar_from_minus_60_db_a_number_and_a_colour(board, ulaw, meter, colour):
    attached = stream_of(5)
    board.handle(attached)
    hear(board, attached, ulaw)
    (row,) = board._rows.values()
    cell = row.cells(100.0)[3]
    assert cell.plain == meter
    assert [span.style for span in cell.spans if span.end <= meter.count("#")] == [colour] * bool(
        meter.count("#")
    )
    assert row.cells(100.0)[3].plain.strip() == "." * 20  # it begins anew


def test_the_state_is_audio_silent_or_without_a_socket(board, clock):
    attached = stream_of(5)
    board.handle(attached)
    hear(board, attached, b"\x80")
    assert lines_of(board)[1].endswith("audio")
    clock.now += 3
    assert lines_of(board)[1].endswith("silent for 3 s")
    attached.stream_id.stats.violations = 2
    assert lines_of(board)[1].endswith("silent for 3 s, 2 wrong messages")
    board.handle(
        StreamDetached(
            call=attached.call, at=103.0, stream_id=attached.stream_id, perspective=TX, samples=1, lost=0
        )
    )
    clock.now += 4
    assert "no socket for 4 s" in lines_of(board)[1]
    clock.now += 57
    assert lines_of(board)[1].strip() == "no stream yet"


def test_a_call_that_has_ended_is_shown_no_more(board):
    for number in (5, 6):
        board.handle(stream_of(number))
    call = Call(number=5, bus_no=1, contact_id=5)
    board.handle(CallEnded(call=call, at=101.0, reason=CallEndReason.NOT_RESUMED, samples=1))
    assert [line.split()[0] for line in lines_of(board)[1:]] == ["6"]


def test_more_rows_than_the_terminal_has_lines_are_counted_and_open_streams_come_first(board):
    events = [stream_of(number) for number in range(6)]
    for event in events:
        board.handle(event)
    first = events[0]
    board.handle(
        StreamDetached(call=first.call, at=99.0, stream_id=first.stream_id, perspective=TX, samples=1, lost=0)
    )
    lines = lines_of(board, height=12)
    assert [line.split()[0] for line in lines[1:5]] == ["1", "2", "3", "4"]
    assert lines[5].strip() == "and 2 more"


# --- the end -----------------------------------------------------------------------------------


ENVIRONMENT = os.environ | {"PYTHONUNBUFFERED": "1", "TERM": "xterm", "COLUMNS": "120", "LINES": "30"}


def command(*arguments):
    return [sys.executable, "-c", "from cxone_assist.cli import main; main()", *map(str, arguments)]


@pytest.mark.skipif(sys.platform == "win32", reason="one process cannot send another a signal there")
@pytest.mark.parametrize("second", [True, False])
def test_the_first_signal_closes_the_streams_and_the_second_ends_at_once(second):
    with subprocess.Popen(
        command("serve", "--port", 0),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        try:
            port = int(re.search(r":(\d+)/", process.stdout.readline())[1])
            with RawPeer(port) as peer:
                peer.text(init())
                assert peer.read_text() == CONNECTED
                process.send_signal(signal.SIGTERM)
                assert any("Closing the streams" in line for line in process.stdout)
                # The server waits for our answer to its close; a person may not want to.
                if second:
                    process.send_signal(signal.SIGINT)
                    assert process.wait(PATIENCE) == 130
                else:
                    assert peer.read_close() == (1001, "the server is shutting down")
                    assert process.wait(PATIENCE) == 0
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


def test_a_signal_asks_for_the_end_once_and_the_next_does_what_it_did_before():
    ends = []
    before = signal.getsignal(signal.SIGINT)
    with serve_module._ended_by_signals(lambda: ends.append("asked")):
        assert signal.getsignal(signal.SIGINT) is not before
        signal.raise_signal(signal.SIGTERM)
        assert ends == ["asked"]
        assert signal.getsignal(signal.SIGINT) is before
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_on_a_real_terminal_ends_it_and_leaves_the_terminal_as_it_was():
    pty = pytest.importorskip("pty", reason="there are no such terminals here")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("serve", "--port", 0), stdout=theirs, stderr=theirs, env=ENVIRONMENT
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while b"no stream yet" not in shown:
                block = os.read(ours, 65536)
                assert block, shown
                shown += block
            process.send_signal(signal.SIGINT)
            with suppress(OSError):  # the end of a terminal
                while block := os.read(ours, 65536):
                    shown += block
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            os.close(ours)
    assert b"Traceback" not in shown
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l") > 0  # the cursor is there again


def test_serve_on_an_address_that_is_taken_says_so():
    with Server(authorize=allow_all) as taken:
        result = run("serve", "--port", taken.port)
    assert result.exit_code == 1
    assert f"127.0.0.1:{taken.port} cannot be listened on" in result.output
