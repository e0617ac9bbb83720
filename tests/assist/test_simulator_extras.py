"""The reference endpoints, the pytest fixtures, and the processes of ``serve()``."""

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import pytest
from support.assist_sockets import Log, RawPeer, eventually, frame
from support.assist_wire import CONNECTED, init

from cxone_assist import StreamPerspective, WebSocketHookInitializeMessage
from cxone_assist.server import allow_all, serve
from cxone_assist.simulator import Do, Step
from cxone_assist.simulator.reference import reference_app

pytest_plugins = ["cxone_assist.simulator.pytest_plugin"]

AUDIO = "/agent_assist_audio_websocket_hooks"


def ask(method, path, body=b""):
    status = []
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json", "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(),
    }  # fmt: skip
    answer = b"".join(reference_app("ws://here/")(environ, lambda line, _headers: status.append(line)))
    return status[0][:3], json.loads(answer) if answer else None


def test_the_page_s_four_reference_endpoints_answer():
    assert ask("GET", f"{AUDIO}/example-websocket-server") == ("200", {"url": "ws://here/"})
    status, example = ask("GET", f"{AUDIO}/initializemessage-example")
    assert status == "200"
    message = WebSocketHookInitializeMessage.from_json(json.dumps(example))
    assert message.stream_perspective is StreamPerspective.TX
    path = f"{AUDIO}/custom-assist-endpoint/initialize-audio-message-example"
    assert ask("POST", path, json.dumps(example).encode()) == ("200", json.loads(CONNECTED))
    assert ask("POST", "/agent_assist_text_webhooks/utterance", b'{"contactId":1}') == ("204", None)
    assert ask("GET", path)[0] == "405"
    assert ask("GET", "/")[0] == "404"


def test_the_fixtures_play_a_call_to_a_server(assist_server, cxone_call):
    heard = Log()
    server = assist_server(on_audio=lambda _s, ulaw, _at: heard(len(ulaw)))
    assert cxone_call(server.url, holds=[(1, 2)]).samples == 80000
    assert cxone_call(server.url, audio={StreamPerspective.TX: bytes(160)}).frames == 1
    heard.wait(lambda items: sum(items) == 80160)


def test_the_fixture_plays_the_steps_that_it_is_given(assist_server, cxone_call):
    report = cxone_call(assist_server().url, steps=[Step(do=Do.OPEN), Step(do=Do.SILENCE, seconds=0.1)])
    assert (report.frames, report.samples) == (10, 1600)


# --- serve() -----------------------------------------------------------------------------------

PROGRAM = """
import os, sys
from cxone_assist.server import _workers, serve, allow_all
_workers._LOOK_SECONDS = 0.02
serve(authorize=allow_all, port=0, workers=int(sys.argv[1]), drain_seconds=0.2,
      ready=lambda port: print(port, flush=True),
      on_start=lambda stream: stream.send_message("PID", str(os.getpid())))
"""


def accepted(port, contact=1):
    with ExitStack() as stack:
        peer = stack.enter_context(RawPeer(port))
        peer.text(init(executionInfo={"busNo": 1, "contactId": contact}))
        assert peer.read_text() == CONNECTED
        pid = int(json.loads(peer.read_text())["message"])
        stack.pop_all()  # the caller's from here on
    return peer, pid


@contextmanager
def serving(workers):
    """Run the program, and give it and its port."""
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, workers], stdout=subprocess.PIPE, text=True)
    try:
        yield program, int(program.stdout.readline())
        program.send_signal(signal.SIGINT)
        assert program.wait(10) == 0
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


def test_serve_serves_until_ctrl_c():
    with serving("1") as (program, port):
        peer, pid = accepted(port)
        assert pid == program.pid
        peer.sock.close()


def test_a_worker_that_is_killed_takes_no_other_worker_s_stream_along_and_is_replaced():
    with serving("2") as (_, port), ExitStack() as stack:
        peers = [accepted(port, contact) for contact in range(16)]
        for peer, _ in peers:
            stack.enter_context(peer)
        pids = {pid for _, pid in peers}
        assert len(pids) == 2  # sockets are spread by chance: 1 in 32,768 that all go to one
        victim = pids.pop()
        os.kill(victim, signal.SIGKILL)
        for peer, pid in peers:
            if pid == victim:
                assert peer.gone()
            else:
                peer.send(frame(9, b"alive"))
                assert peer.read() == (10, b"alive")

        def replaced():
            try:
                peer, pid = accepted(port)
            except (OSError, EOFError):
                return False
            peer.sock.close()
            return pid not in {*pids, victim}

        eventually(replaced, 10)


def test_workers_end_when_the_program_that_started_them_was_killed():
    with subprocess.Popen([sys.executable, "-c", PROGRAM, "2"], stdout=subprocess.PIPE, text=True) as program:
        port = int(program.stdout.readline())
        peer, worker = accepted(port)
        with peer:
            program.kill()
            program.wait()
            assert worker != program.pid
            assert peer.read_close()[0] == 1001
        # Only the workers hold the other end of the pipe now, so it ends with the last of them.
        assert program.stdout.read() == ""


def test_serve_refuses_no_workers():
    with pytest.raises(ValueError, match="workers"):
        serve(authorize=allow_all, workers=0)
