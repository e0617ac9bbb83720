"""What `import cxone_assist` gives, and what it leaves alone."""

import os
import subprocess
import sys

import pytest

import cxone_assist
from cxone_assist import (
    auth,
    call_events,
    calls,
    capture,
    errors,
    events,
    messages,
    protocol,
    recording,
    tunnel,
    utterance,
    wav,
)

MODULES = (
    *(auth, call_events, calls, capture, errors, events),
    *(messages, protocol, recording, tunnel, utterance, wav),
)

# What measures coverage imports modules of its own into the processes that it measures.
UNMEASURED = {key: value for key, value in os.environ.items() if not key.startswith("COV")}


def test_the_public_names_are_sorted_and_those_of_the_modules():
    assert cxone_assist.__all__ == sorted({name for module in MODULES for name in module.__all__} | {"mulaw"})
    for module in MODULES:
        assert module.__all__ == sorted(module.__all__)
        for name in module.__all__:
            assert getattr(cxone_assist, name) is getattr(module, name)


@pytest.mark.parametrize("module", ["requests", "cxone_wfm", "logging", "asyncio", "socket", "cattrs"])
def test_the_import_brings_in_no_transport_no_logging_and_not_the_other_package(module):
    program = f"import sys, cxone_assist, cxone_assist.testing; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, env=UNMEASURED).returncode == 0


def test_what_is_imported_later_is_listed_and_then_kept():
    program = """
import sys
import cxone_assist
assert "AgentTunnel" in dir(cxone_assist) and "cxone_assist.tunnel" not in sys.modules
cxone_assist.AgentTunnel
assert "AgentTunnel" in vars(cxone_assist) and "cxone_assist.tunnel" in sys.modules
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'cxone_assist' has no attribute 'Nonsense'"):
        _ = cxone_assist.Nonsense


def test_every_name_is_listed():
    assert set(cxone_assist.__all__) <= set(dir(cxone_assist))
