"""What the documentation says of names and defaults is so."""

import doctest
import re
import sys
import time
import types
from pathlib import Path

import attrs
import pytest
from support.fake_acd import FakeAcd, FakeConnectorClock
from support.threads import PATIENCE, Background

import cxone_wfm
from cxone_wfm.config import Endpoints, WfmConfig, _optional
from cxone_wfm.connector import AgentStatus
from cxone_wfm.simulator import Simulator

ROOT = Path(__file__).parents[1]
CONFIGURATION = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("variable", sorted(_optional()))
def test_every_variable_of_the_environment_is_documented(variable):
    assert f"`{variable}`" in CONFIGURATION
    assert variable in WfmConfig.from_env.__doc__ or variable.startswith("CXONE_ROUTE_")


@pytest.mark.parametrize("operation", attrs.fields(Endpoints), ids=lambda each: each.name)
def test_every_route_is_documented_with_its_default(operation):
    route = operation.default
    line = next(line for line in CONFIGURATION.splitlines() if line.startswith(f"| `{operation.name}`"))
    assert f"`CXONE_ROUTE_{operation.name.upper()}`" in line
    assert f"`{route.method} {route.path}`" in line


def test_every_error_is_in_the_table_of_what_to_do():
    text = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    names = [name for name in cxone_wfm.__all__ if name.endswith("Error")]
    assert names
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_block_compiles_and_every_dialogue_comes_out_as_printed(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for block in blocks:
        if not block.startswith(">>>"):
            compile(block, str(page), "exec")
    failed, _ = doctest.testfile(str(page), module_relative=False)
    assert failed == 0


def first_program(heading):
    """The first program of the README under this heading."""
    text = (ROOT / "README.md").read_text("utf-8")
    block = re.search(rf"^## {heading}\n.*?```python\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert block is not None
    return block[1]


@pytest.mark.parametrize(("heading", "most"), [("A program", 15), ("A connector", 12)])
def test_a_program_of_the_readme_is_short(heading, most):
    assert len([line for line in first_program(heading).splitlines() if line.strip()]) <= most


def test_the_readme_connector_runs(tmp_path, monkeypatch):
    class MyAcd(FakeAcd):
        def __init__(self):
            super().__init__(FakeConnectorClock())

        def agents(self, now):
            yield AgentStatus(login_id="ann", event_code="READY")

    acd = types.ModuleType("my_acd")
    acd.MyAcd = MyAcd
    monkeypatch.setitem(sys.modules, "my_acd", acd)
    monkeypatch.chdir(tmp_path)
    with Simulator() as simulator:
        config = simulator.config()
        monkeypatch.setattr("cxone_wfm.WfmClient.from_env", lambda: cxone_wfm.WfmClient(config))
        names = {}
        running = Background(lambda: exec(first_program("A connector"), names))
        end = time.monotonic() + PATIENCE
        while not simulator.received.agent_states and time.monotonic() < end:
            time.sleep(0.01)
        names["stop"].set()
        assert running.outcome() is None
        assert [state.event_code for state in simulator.received.agent_states] == ["READY"]
        assert simulator.received.heartbeats == 1
    assert (tmp_path / "progress.json").exists()


def test_the_changelog_names_the_version_or_has_unreleased_changes():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{cxone_wfm.__version__}]" in changelog or "## [Unreleased]" in changelog
