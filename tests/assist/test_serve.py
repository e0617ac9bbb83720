"""``serve()`` as a program: how it ends, and what becomes of its workers."""

import itertools
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress

import pytest
from support.assist_sockets import RawPeer, eventually, frame
from support.assist_wire import CONNECTED, init

from cxone_assist.server import allow_all, serve

PROGRAM = """
import os, signal, sys
from cxone_assist.server import _workers, serve, allow_all
signal.signal(signal.SIGTERM, signal.default_int_handler)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
workers, drain_seconds, broken = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
_workers._RETRY_SECONDS = 0.05

class Server(_workers.Server):
    def start(self):
        if os.path.exists(broken):
            with open(broken, "a") as tried:
                tried.write("!")
            os._exit(3)
        super().start()

_workers.Server = Server
serve(authorize=allow_all, port=0, workers=workers, drain_seconds=drain_seconds,
      ready=lambda port: print(port, flush=True),
      on_start=lambda stream: stream.send_message("PID", str(os.getpid())))
"""


@contextmanager
def program(workers, drain_seconds=3600, broken="none"):
    """Run the program, and give it and its port, once it serves."""
    command = [sys.executable, "-c", PROGRAM, str(workers), str(drain_seconds), str(broken)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def accepted(port, contact, perspective="TX"):
    """Return a peer whose stream was accepted, and the process that took it."""
    with ExitStack() as stack:
        peer = stack.enter_context(RawPeer(port))
        peer.text(init(executionInfo={"busNo": 1, "contactId": contact}, streamPerspective=perspective))
        assert peer.read_text() == CONNECTED
        pid = int(json.loads(peer.read_text())["message"])
        stack.pop_all()  # the caller's from here on
    return peer, pid


CONTACTS = itertools.count(1000)


def refuses_new_calls(port):
    """Tell whether a new call is refused by a process that drains. One without a call just ends."""
    with suppress(OSError, EOFError), RawPeer(port) as peer:
        peer.text(init(executionInfo={"busNo": 1, "contactId": next(CONTACTS)}))
        opcode, text = peer.read()
        return opcode == 1 and json.loads(text)["command"] == "ERROR" and peer.read_close()[0] == 1013
    return False


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains_and_the_second_ends_at_once(workers, number):
    with program(workers) as (process, port):
        running, pid = accepted(port, 1)
        with running:
            assert (pid == process.pid) == (workers == 1)
            process.send_signal(number)
            eventually(lambda: refuses_new_calls(port), 10)
            running.send(frame(9, b"alive"))
            assert running.read() == (10, b"alive")
            if workers == 1:  # where all sockets reach the process that knows the call
                with accepted(port, 1, "RX")[0]:
                    pass
            process.send_signal(number)
            assert running.read_close() == (1001, "the server is shutting down")
        assert process.wait(10) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_drain_ends_in_time(workers):
    with program(workers, drain_seconds=0.1) as (process, port):
        with accepted(port, 1)[0] as running:
            process.send_signal(signal.SIGINT)
            assert running.read_close() == (1001, "the server is shutting down")
        assert process.wait(10) == 0


def test_a_third_signal_does_not_wait_for_workers_that_do_not_end():
    with program(2) as (process, port):
        with accepted(port, 1)[0] as silent:  # it answers no close, so its worker takes five seconds
            process.send_signal(signal.SIGINT)
            eventually(lambda: refuses_new_calls(port), 10)
            process.send_signal(signal.SIGINT)
            assert silent.read()[0] == 8
            process.send_signal(signal.SIGINT)
            assert process.wait(4) == 0


def test_a_worker_that_cannot_start_is_told_to_the_caller(monkeypatch, capfd):
    def fails(*_arguments, **_keywords):
        raise OSError("no")

    monkeypatch.setattr("cxone_assist.server._workers.Server", fails)
    with pytest.raises(RuntimeError, match="standard error"):
        serve(authorize=allow_all, port=0, workers=2)
    assert "OSError: no" in capfd.readouterr().err


def test_a_worker_that_cannot_be_replaced_is_tried_again_while_the_others_serve(tmp_path):
    broken = tmp_path / "broken"
    with program(2, drain_seconds=0, broken=broken) as (process, port), ExitStack() as stack:
        peers = [accepted(port, contact) for contact in range(16)]
        for peer, _ in peers:
            stack.enter_context(peer)
        pids = {pid for _, pid in peers}
        assert len(pids) == 2  # sockets are spread by chance: 1 in 32,768 that all go to one
        broken.touch()
        victim, other = pids
        os.kill(victim, signal.SIGKILL)
        for peer, pid in peers:
            if pid == victim:
                assert peer.gone()
            else:
                peer.send(frame(9, b"alive"))
                assert peer.read() == (10, b"alive")
        eventually(lambda: broken.stat().st_size > 1)
        broken.unlink()

        def replaced():
            with suppress(OSError, EOFError):
                peer, pid = accepted(port, 99)
                peer.sock.close()
                return pid not in {victim, other}
            return False

        eventually(replaced, 10)
        stack.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_no_worker_outlives_the_program_that_started_it():
    with program(2, drain_seconds=0) as (process, port):
        with accepted(port, 1)[0] as peer:
            process.kill()
            assert peer.read_close()[0] == 1001
        # Only the workers hold the other end of the pipe now, so it ends with the last of them.
        assert process.stdout.read() == ""


def test_serve_refuses_no_workers():
    with pytest.raises(ValueError, match="workers"):
        serve(authorize=allow_all, workers=0)
