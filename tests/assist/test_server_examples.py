"""The examples with a server do what they say."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from cxone_assist import StreamPerspective
from cxone_assist.simulator import plan, play, simple_call, speech
from cxone_assist.testing import init_message

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def running(name, *arguments):
    environment = os.environ | {"ASSIST_TOKEN": "example", "ASSIST_PORT": "0"}
    program = subprocess.Popen(
        [sys.executable, EXAMPLES / name, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        yield program, f"ws://127.0.0.1:{program.stdout.readline().split()[-1]}/"
        program.send_signal(signal.SIGINT)
        assert program.wait(10) == 0
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


def call(url):
    audio = {side: speech(side, 2) for side in (StreamPerspective.TX, StreamPerspective.RX)}
    return play(url, plan(simple_call(), audio), init_message(authentication_token="example"), rate=10)


def test_the_smallest_endpoint_tells_how_loud_it_is():
    with running("assist_smallest.py") as (program, url):
        assert call(url).ok
        lines = {program.stdout.readline().rsplit(" ", 2)[0] for _ in range(4)}
    assert lines == {f"506314056968 {side} {second} s" for side in ("TX", "RX") for second in (0, 1)}


def test_the_recorder_leaves_a_stereo_wav(tmp_path):
    with running("assist_recorder.py", tmp_path) as (_, url):
        assert call(url).ok
    assert len(list(tmp_path.glob("*.wav"))) == 1
