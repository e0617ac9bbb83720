"""Every example is short, run by a test, and in the documentation; the one without I/O does what it says."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("assist_*.py"))
TESTS = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*example*.py"))
PAGE = (ROOT / "docs" / "how-to" / "assist-examples.md").read_text(encoding="utf-8")
SHORT = 80


def test_the_offline_example_plays_a_stream_to_itself():
    program = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "examples" / "assist_offline.py"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert program.stderr == ""
    assert program.stdout.splitlines() == [
        "contact 506314056968 of 4602609 asks to stream TX",
        "cxone: StreamAccepted",
        "audio from sample 0: -9.2 dB",
        "audio from sample 4000: -9.2 dB",
        'sent: {"command":"MESSAGE","messageType":"TRANSCRIPT","message":"beep","parameters":{"final":true}}',
        "cxone: MessageReceived",
        "closed with 1000 after 1.00 s of audio",
    ]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short_run_by_a_test_and_told_of(name):
    text = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < SHORT
    assert f'"{name}"' in TESTS or f'"{name}.py"' in TESTS
    assert f"(../../examples/{name}.py)" in PAGE


def test_no_example_has_a_token_of_its_own():
    # ``assist_offline`` talks to itself only.
    for name in set(EXAMPLES) - {"assist_offline"}:
        text = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
        assert text.count("StaticTokens(") == text.count("StaticTokens(os.environ[")
