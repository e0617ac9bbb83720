"""The example of a recorded call does what it says."""

import subprocess
import sys
from pathlib import Path

from cxone_assist import read_wav
from cxone_assist.testing import tone

EXAMPLE = Path(__file__).parents[2] / "examples" / "assist_record.py"


def test_the_example_records_both_sides_of_a_call_with_the_hold_as_silence(tmp_path):
    program = subprocess.run(
        [sys.executable, EXAMPLE, tmp_path], capture_output=True, text=True, timeout=30, check=True
    )
    assert program.stderr == ""
    assert program.stdout.splitlines() == [
        " 0.00 s  CallStarted",
        " 0.00 s  StreamAttached",
        " 0.00 s  StreamAttached",
        " 2.00 s  StreamDetached",
        " 2.00 s  StreamDetached",
        " 2.00 s  CallSuspended",
        " 5.00 s  StreamAttached",
        " 5.00 s  CallResumed",
        " 5.00 s  StreamAttached",
        " 7.00 s  StreamDetached",
        " 7.00 s  StreamDetached",
        " 7.00 s  CallSuspended",
        " 8.00 s  CallEnded",
        "1 call, 8 s of audio",
    ]
    contact, agent = read_wav(tmp_path / "example.wav").channels
    hold = b"\xff" * 24000
    assert contact == tone(2.0) + hold + tone(2.0)
    assert agent == tone(2.0, frequency=660.0) + hold + tone(2.0, frequency=660.0)
