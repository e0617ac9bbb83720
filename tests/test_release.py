"""How the project is checked and released: the workflows, the sessions, the version and the changelog."""

import ast
import re
import runpy
import subprocess
import sys
from collections import defaultdict
from importlib import metadata
from pathlib import Path

import pytest

import cxone_assist
import cxone_wfm

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EVERY_WORKFLOW = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
CHANGELOG = ROOT / ".ci" / "changelog.py"
PINNED = re.compile(r"(?P<action>[\w./-]+)@(?P<commit>[0-9a-f]{40}) # v\d+(\.\d+){2}")


def uses_of(workflow: Path) -> list[str]:
    return re.findall(r"^[ -]*uses: *(.*?) *$", workflow.read_text(encoding="utf-8"), re.MULTILINE)


def described_sessions() -> dict[str, str]:
    """The sessions of noxfile.py, and the first line of what each says of itself."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return {
        node.name: (ast.get_docstring(node) or "").partition("\n")[0]
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(decorator).startswith("nox.session") for decorator in node.decorator_list)
    }


def pythons_of_the_classifiers() -> list[str]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)


# Workflows


@EVERY_WORKFLOW
def test_every_action_is_pinned_by_its_commit_and_names_its_version(workflow: Path) -> None:
    assert uses_of(workflow)
    assert [use for use in uses_of(workflow) if not PINNED.fullmatch(use)] == []


@pytest.mark.parametrize(
    "use",
    [
        "actions/checkout@v7",
        "actions/checkout@v7.0.1 # v7.0.1",
        "actions/checkout@3d3c42e # v7.0.1",
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
    ],
)
def test_that_look_sees_an_action_that_is_not_pinned(use: str) -> None:
    assert not PINNED.fullmatch(use)


def test_an_action_has_the_same_commit_everywhere() -> None:
    commits = defaultdict(set)
    for use in (use for workflow in WORKFLOWS for use in uses_of(workflow)):
        action, _, commit = use.partition("@")
        commits[action].add(commit)
    assert {action: found for action, found in commits.items() if len(found) > 1} == {}


@EVERY_WORKFLOW
def test_no_permission_is_given_to_a_whole_workflow(workflow: Path) -> None:
    assert "\npermissions: {}\n" in workflow.read_text(encoding="utf-8")


def test_the_wheel_is_tested_on_every_python_that_is_named() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    lists = [re.findall(r"3\.\d+", found) for found in re.findall(r"^ +python: \[(.*)\]", text, re.MULTILINE)]
    assert pythons_of_the_classifiers() in lists


def test_the_one_required_job_waits_for_all_others() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    jobs = re.findall(r"^  (\w+):\n", text.partition("\njobs:\n")[2], re.MULTILINE)
    needed = re.search(r"^  green:\n(?:    .*\n)*?    needs: \[(.*)\]", text, re.MULTILINE)
    assert needed is not None
    assert [*needed[1].split(", "), "green"] == jobs


# Sessions


def test_contributing_lists_every_session_in_its_own_words() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^- `nox -s (\w+)`: (.*)$", text, re.MULTILINE)) == described_sessions()


def sessions_of(workflow: Path) -> set[str]:
    text = re.sub(r"#.*", "", workflow.read_text(encoding="utf-8"))
    lists = re.findall(r"\bsession: (\w+|\[.*\])|\bnox -s ([a-z ]+)", text)
    return {name for found in lists for name in re.findall(r"\w+", " ".join(found))}


def test_every_session_is_run_by_a_workflow_but_for_those_that_measure() -> None:
    run = set().union(*map(sessions_of, WORKFLOWS))
    assert run == set(described_sessions()) - {"bench"}


# Version and changelog


def test_the_version_is_written_in_one_place() -> None:
    packages = [Path(str(package.__file__)).parent for package in (cxone_wfm, cxone_assist)]
    holding = [
        path
        for package in packages
        for path in package.rglob("*.py")
        if f'"{cxone_wfm.__version__}"' in path.read_text(encoding="utf-8")
    ]
    assert holding == [Path(str(cxone_wfm.__file__))]
    assert metadata.version("cxone-wfm-sdk") == cxone_wfm.__version__


def faults_of(changelog: str, version: str) -> list[str]:
    found = runpy.run_path(str(CHANGELOG))["faults"](changelog, version)
    assert isinstance(found, list)
    return found


def test_the_changelog_agrees_with_the_version() -> None:
    assert faults_of((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), cxone_wfm.__version__) == []


RELEASED = "# Changelog\n\n## [0.2.0] - 2026-02-03\n\n- b\n\n## [0.1.0] - 2026-01-02\n\n- a\n"
COMING = RELEASED.replace("# Changelog\n", "# Changelog\n\n## [Unreleased]\n\n- c\n")


@pytest.mark.parametrize(
    ("changelog", "version"), [(RELEASED, "0.2.0"), (COMING, "0.2.0"), (COMING, "0.3.0"), (COMING, "0.10.0")]
)
def test_a_changelog_may_have_a_version_to_come_at_its_top(changelog: str, version: str) -> None:
    assert faults_of(changelog, version) == []


@pytest.mark.parametrize(
    ("changelog", "version"),
    [
        (RELEASED, "0.3.0"),
        (RELEASED, "0.1.0"),
        (COMING.replace("- c", ""), "0.3.0"),
        (RELEASED.replace("0.2.0", "0.0.9"), "0.1.0"),
        (RELEASED.replace("0.2.0", "0.1.0"), "0.1.0"),
        (RELEASED.replace("2026-02-03", "2025-02-03"), "0.2.0"),
        (RELEASED.replace("2026-02-03", "2026-02-30"), "0.2.0"),
        (RELEASED.replace(" - 2026-02-03", ""), "0.2.0"),
        (RELEASED.replace("- b", ""), "0.2.0"),
        (RELEASED.replace("0.1.0", "Unreleased"), "0.2.0"),
    ],
)
def test_a_changelog_that_does_not_agree_is_seen(changelog: str, version: str) -> None:
    assert faults_of(changelog, version) != []


def test_a_release_that_the_changelog_does_not_have_is_refused() -> None:
    command = [sys.executable, str(CHANGELOG), "99.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "CHANGELOG.md has no section for 99.0.0\n"
