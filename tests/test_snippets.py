"""Every snippet of the documentation is run, in the order of its page, by a reader with an empty folder.

Python is executed, dialogues come out as printed, commands end with 0 and print what the page prints, and
files are read. A page's snippets share their names; what they take for granted besides is in support.pages.
"""

import configparser
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support import pages
from support.snippets import PAGES, ROOT, Block, Reader, blocks_of, commands_in, same
from support.sockets import unused_port

import cxone_wfm
from cxone_wfm.simulator import Simulator

pytest_plugins = ["cxone_wfm.simulator.pytest_plugin", "cxone_assist.simulator.pytest_plugin"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pages are written for a POSIX shell")

PACKAGES = str(Path(cxone_wfm.__file__).parents[1])

ENDLESS = (
    "cxone-wfm simulate",
    "cxone-assist serve",
    "python examples/assist_",
    "python listen.py",
    "python connector.py",
)
"""Commands that run until Ctrl-C."""

NOT_RUN = {
    "python -m venv": "the tests have theirs",
    ". .venv/bin/activate": "the same",
    "python -m pip install": "it would change the environment of the tests",
    "pip install": "the same",
    "sudo ": "it would change the machine",
    "journalctl": "there is no such service here",
    "docker": "it needs a registry and minutes",
    "nox": "each session is a job of its own in the workflow",
    "PYTHONPATH=tests python -m faults.failover": "it needs a PostgreSQL server; `nox -s faults` does it",
    "python -m benchmarks": "it takes minutes and tells nothing that could fail",
}
"""Beginnings of commands that a test cannot run, and why."""

FASTER = {"cxone-assist call": "--rate max", "cxone-assist check": "--silence 0.2"}
"""Options besides, for a call that takes its 20 seconds on the page."""

LEFT_OUT = 30
"""How many commands of the pages those are. Let it not grow unseen."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def one_simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def reader(
    one_simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Reader]:
    """A reader in an empty folder, with the settings of a local CXone WFM in the environment."""
    told = ("CXONE_", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_", "COV_", "PYTEST_")
    kept = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(told)]:
        monkeypatch.delenv(name)
    config = one_simulator.config()
    monkeypatch.setenv("CXONE_BASE_URL", config.base_url)
    monkeypatch.setenv("CXONE_TENANT", config.tenant_name)
    monkeypatch.setenv("CXONE_ACCESS_KEY_ID", config.access_key_id.reveal())
    monkeypatch.setenv("CXONE_ACCESS_KEY_SECRET", config.access_key_secret.reveal())
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([PACKAGES, str(ROOT / "tests")]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    one_simulator.reset()
    yield Reader(
        folder=tmp_path,
        names={"__name__": "__main__"},
        replaced={pages.PORT: str(unused_port())},
        endless=ENDLESS,
        not_run=tuple(NOT_RUN),
        faster=FASTER,
        fixture=request.getfixturevalue,
    )
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for name in ("my_acd", "prometheus_client"):
        sys.modules.pop(name, None)
    os.environ.clear()
    os.environ.update(kept)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_who_does_what_a_page_says_gets_what_it_shows(
    page: Path, reader: Reader, one_simulator: Simulator
) -> None:
    with pages.PAGES.get(name_of(page), pages.nothing)(reader, one_simulator), closing(reader):
        for block in blocks_of(page):
            reader.follow(block)


def test_what_is_not_run_is_known_and_does_not_grow() -> None:
    left_out = Counter(start for text in commands_in(PAGES) for start in NOT_RUN if text.startswith(start))
    assert set(left_out) == set(NOT_RUN)
    assert left_out.total() == LEFT_OUT


def test_what_is_taken_for_granted_is_of_a_page() -> None:
    assert set(pages.PAGES) <= {name_of(page) for page in PAGES}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "1 / 0"),
        ("python", ">>> 1 + 1\n3\n"),
        ("python", "def test_it():\n    assert False"),
        ("console", "$ cxone-wfm lint nothing.json"),
        ("console", "$ cxone-wfm --version\ncxone-wfm-sdk 0.0\n"),
        ("console", "$ cxone-wfm lint nothing.json\n$ echo $?\n1\n"),
        ("console", "$ false"),
        ("sh", "false\ntrue"),
        ("json", '{"steps": [{"do": "dance"}]}'),
        ("json", '{"unheard": "of"}'),
        ("ini", "Restart=always"),
        ("klingon", "nuqneH"),
    ],
)
def test_a_block_that_is_wrong_is_found(language: str, text: str, reader: Reader) -> None:
    with pytest.raises((AssertionError, ArithmeticError, ValueError, KeyError, configparser.Error)):
        reader.follow(Block(ROOT / "README.md", 1, language, None, text))


def test_what_a_command_prints_is_compared_but_for_what_varies() -> None:
    assert same("token   90 ms\n...\nlast 3\n", "token 7 ms\n\nfirst 1\nlast 3\n")
    assert not same("last 3\n", "last 4\n")
