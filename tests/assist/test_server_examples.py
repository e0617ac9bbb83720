"""The examples that serve do what they say, as a whole call is played to each over real sockets."""

import http.client
import importlib.util
import json
import math
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Event

import pytest
import uvicorn
from support.threads import PATIENCE, Background
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve as serve_sync

from cxone_assist import AssistConnection, StaticTokens, StreamPerspective, mulaw, read_wav
from cxone_assist.server import Server
from cxone_assist.simulator import Do, Step, plan, play, simple_call, speech
from cxone_assist.testing import init_message, tone

EXAMPLES = Path(__file__).parents[2] / "examples"
TX, RX = StreamPerspective.TX, StreamPerspective.RX
TOKEN = "example"
CONTACT = 506314056968
LOGGED = ("HTTP/1.1", "Task queue depth is")
"""What wsgiref says of each request, and waitress where one comes before all of its threads have started."""
GOING_AWAY, SERVICE_RESTART = 1001, 1012


class Program:
    """An example that runs, and what it prints."""

    def __init__(self, process):
        self._process = process
        self.port = int(self.line().split()[-1])
        self.url = f"ws://127.0.0.1:{self.port}/"

    def line(self):
        return Background(self._process.stdout.readline).outcome().rstrip("\n")

    def lines(self, count):
        return [self.line() for _ in range(count)]

    def interrupted(self):
        """End it as Ctrl-C does, and return what it still prints."""
        if sys.platform == "win32":  # where one process cannot send Ctrl-C to another
            self._process.kill()
            return []
        self._process.send_signal(signal.SIGINT)
        printed = Background(self._process.stdout.read).outcome().splitlines()
        errors = [
            line for line in self._process.stderr.read().splitlines() if not any(map(line.count, LOGGED))
        ]
        assert (self._process.wait(PATIENCE), errors) == (0, [])
        return printed


@contextmanager
def running(name, *arguments):
    """Run an example with every warning an error; it must end well, and say nothing on standard error."""
    environment = os.environ | {
        "CXONE_ASSIST_TOKEN": TOKEN,
        "CXONE_ASSIST_WEBHOOK_TOKEN": TOKEN,
        "CXONE_ASSIST_PORT": "0",
    }
    with subprocess.Popen(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environment,
    ) as process:
        try:
            program = Program(process)
            yield program
            if process.poll() is None:
                program.interrupted()
        finally:
            process.kill()


def silence(seconds):
    return bytes([mulaw.SILENCE]) * round(seconds * mulaw.SAMPLE_RATE)


def call(url, *, audio=None, steps=None, perspectives=(TX, RX), rate=10.0, token=TOKEN):
    """Play a call; without audio, two seconds of each perspective."""
    audio = audio or {side: speech(side, 2) for side in perspectives}
    actions = plan(steps or simple_call(perspectives=list(audio)), audio)
    return play(url, actions, init_message(authentication_token=token), rate=rate)


@pytest.fixture
def example(monkeypatch):
    """Import an example that can be; its endpoint gives a peer a tenth of a second for the first message."""
    monkeypatch.setenv("CXONE_ASSIST_TOKEN", TOKEN)

    def load(name):
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if hasattr(module, "AssistConnection"):
            monkeypatch.setattr(module, "AssistConnection", partial(AssistConnection, init_timeout=0.1))
        return module

    return load


# --- how loud each side is: the server, and the protocol inside two other servers --------------

LOUDNESS = ["assist_smallest", "assist_starlette", "assist_websockets_sync"]


@pytest.mark.parametrize("name", LOUDNESS)
def test_an_endpoint_tells_how_loud_both_sides_are_refuses_a_wrong_token_and_ends_well(name):
    with running(name) as program:
        report = call(program.url)
        assert (report.ok, report.warnings) == (True, [])
        levels = {
            side: [mulaw.level(speech(side, 2)[at : at + 160]) for at in (0, 8000)] for side in (TX, RX)
        }
        assert sorted(program.lines(4)) == sorted(
            f"{CONTACT} {side} {second} s {level:.0f} dB"
            for side, both in levels.items()
            for second, level in enumerate(both)
        )
        refused = call(program.url, token="wrong", perspectives=[TX])
        assert (refused.refused, refused.frames) == (["TX: ERROR: unauthorized"], 0)
        with connect(program.url) as websocket:
            websocket.send(init_message(authentication_token=TOKEN).to_json())
            assert json.loads(websocket.recv(PATIENCE))["command"] == "CONNECTED"
            assert program.interrupted() == []
            with pytest.raises(ConnectionClosed):
                websocket.recv(PATIENCE)
            assert websocket.close_code in (GOING_AWAY, SERVICE_RESTART)


def overdue(url):
    """Send nothing, and return what the endpoint says and closes with."""
    with connect(url) as websocket:
        reply = json.loads(websocket.recv(PATIENCE))
        with pytest.raises(ConnectionClosed):
            websocket.recv(PATIENCE)
        return reply["command"], websocket.close_code


def test_a_thread_of_websockets_sync_ends_a_peer_that_never_sends_its_first_message(example):
    module = example("assist_websockets_sync")
    with serve_sync(module.listen, "127.0.0.1", 0) as server:
        serving = Background(server.serve_forever)
        try:
            assert overdue(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/") == ("ERROR", 1008)
        finally:
            server.shutdown()
            serving.outcome()


def test_a_task_of_starlette_ends_a_peer_that_never_sends_its_first_message(example):
    module = example("assist_starlette")
    server = uvicorn.Server(uvicorn.Config(module.app, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = Background(lambda: server.run(sockets=[listening]))
        try:
            assert overdue(f"ws://127.0.0.1:{listening.getsockname()[1]}/") == ("ERROR", 1008)
        finally:
            server.should_exit = True
            serving.outcome()


# --- calls -------------------------------------------------------------------------------------


def test_the_recorder_leaves_a_stereo_wav_with_what_both_sides_said(tmp_path):
    with running("assist_recorder", tmp_path) as program:
        assert call(program.url).ok
    (wav,) = tmp_path.glob("*.wav")
    contact, agent = read_wav(wav).channels
    assert speech(TX, 2) in contact
    assert speech(RX, 2) in agent


def test_the_talk_meter_tells_who_talks_for_how_long_and_counts_no_hold():
    audio = {
        TX: tone(1.2) + silence(1.9),
        RX: silence(0.8) + tone(0.8, frequency=660.0) + silence(1.5),
    }
    with running("assist_talk_meter") as program:
        assert program.line().split() == ["contact", "id", "until", "contact", "agent", "both", "neither"]
        assert call(program.url, audio=audio, steps=simple_call(holds=[(1.0, 1.2)]), rate=1.0).ok
        lines = [program.line()]
        while [line.split()[1] for line in lines].count("paused") < 2:
            lines.append(program.line())
        lines += program.interrupted()
    seconds = {}
    for line in lines:
        contact, *until, talks, interrupts, both, neither = line.split()
        assert contact == str(CONTACT)
        seconds.setdefault(" ".join(until), []).append(list(map(float, (talks, interrupts, both, neither))))
    near = partial(pytest.approx, abs=0.25)
    assert seconds["paused"] == [near([0.8, 0.0, 0.2, 0.0]), near([0.8, 0.4, 0.4, 1.5])]
    assert seconds["1 s"] == [near([0.8, 0.0, 0.2, 0.0])]
    assert seconds["ended"] == seconds["paused"][1:]


BEEPS = tone(0.3) + silence(0.3) + tone(0.3) + silence(1.2) + tone(0.3)
HEARD = [("beep", False), ("beep beep", False), ("beep beep", True), ("beep", False), ("beep", True)]


def test_the_recogniser_prints_what_it_hears_and_sends_it_back():
    steps = [
        Step(do=Do.OPEN, perspectives=(TX,)),
        Step(do=Do.PLAY),
        Step(do=Do.EXPECT, what="MESSAGE", seconds=PATIENCE),
        Step(do=Do.END),
    ]
    with running("assist_recogniser") as program:
        report = call(program.url, audio={TX: BEEPS}, steps=steps, rate=math.inf)
        assert report.ok
        assert program.lines(len(HEARD)) == [
            f"{CONTACT} TX {'final' if final else 'partial'}: {text}" for text, final in HEARD
        ]
    sent = [(message.message_type, message.message, message.parameters) for message in report.messages]
    assert sent
    assert sent == [("TRANSCRIPT", text, {"final": final}) for text, final in HEARD[: len(sent)]]


def test_a_recogniser_that_blocks_holds_up_neither_the_socket_nor_the_other_side(example, capsys):
    module = example("assist_recogniser")
    played = Event()

    class Slow(module.FakeRecogniser):
        def feed(self, pcm):
            assert played.wait(PATIENCE)
            return super().feed(pcm)

    transcriber = module.Transcriber(Slow)
    with Server(
        authorize=StaticTokens(TOKEN),
        on_start=transcriber.on_start,
        on_audio=transcriber.on_audio,
        on_end=transcriber.on_end,
    ) as server:
        assert call(server.url, audio={TX: BEEPS, RX: BEEPS}, rate=math.inf).ok
        played.set()
    printed = capsys.readouterr().out.splitlines()
    for side in (TX, RX):
        assert [line for line in printed if f" {side} " in line] == [
            f"{CONTACT} {side} {'final' if final else 'partial'}: {text}" for text, final in HEARD
        ]


# --- the text webhook --------------------------------------------------------------------------

CLASS_ON_THE_PAGE = {
    "contactId": 7,
    "busNo": 1,
    "participantId": "patron",
    "messageBody": "hello",
    "messageData": {},
    "agentAssistAppConfig": {"param1": "value1", "param2": "value2"},
}
SCHEMA_ON_THE_PAGE = {
    "contactId": CONTACT,
    "busNo": 1,
    "tenantId": "",
    "participantId": "agent",
    "messageBody": "good morning",
    "messageMetaData": {},
    "agentAssistAppConfig": {"param1": "value1", "param2": "value2"},
}


def post(port, body, token):
    """Post an utterance, wait for the end of the connection, and return the status and the answer."""
    headers = {"Content-Type": "application/json", "Authorization": token, "Connection": "close"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("POST", "/utterance", json.dumps(body), headers)
        with connection.sock.dup() as beside, connection.getresponse() as answer:
            status, text = answer.status, answer.read()
            assert beside.recv(1) == b""
    return status, text


@pytest.mark.parametrize("name", ["assist_webhook", "assist_webhook_waitress"])
def test_a_webhook_prints_what_is_written_and_refuses_a_wrong_token(name):
    with running(name) as program:
        assert post(program.port, CLASS_ON_THE_PAGE, TOKEN) == (204, b"")
        assert program.line() == "7 contact: hello"
        status, body = post(program.port, CLASS_ON_THE_PAGE, "wrong")
        assert (status, json.loads(body)) == (401, {"reason": "the authorization is missing or wrong"})
        assert post(program.port, SCHEMA_ON_THE_PAGE, f"Bearer {TOKEN}") == (204, b"")
        assert program.line() == f"{CONTACT} agent: good morning"
        assert program.interrupted() == []
