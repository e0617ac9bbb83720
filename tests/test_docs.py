"""What the documentation says of names and defaults is so."""

import doctest
import re
from pathlib import Path

import attrs
import pytest

import cxone_wfm
from cxone_wfm.config import Endpoints, WfmConfig, _optional

ROOT = Path(__file__).parents[1]
CONFIGURATION = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


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
    text = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
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


def test_the_readme_program_has_at_most_15_lines():
    block = re.search(
        r"## A program\n\n```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    assert block is not None
    assert len([line for line in block[1].splitlines() if line.strip()]) <= 15


def test_the_changelog_names_the_version_or_has_unreleased_changes():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{cxone_wfm.__version__}]" in changelog or "## [Unreleased]" in changelog
