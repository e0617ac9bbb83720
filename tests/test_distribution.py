"""What the distribution promises as a whole: what it needs, and what it never does.

What may import what is in `.importlinter`, and `nox -s contracts` looks at it.
"""

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import cxone_assist
import cxone_wfm

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGES = {package.__name__: Path(str(package.__file__)).parent for package in (cxone_wfm, cxone_assist)}
LONGEST_MODULE = 400
RUNTIME = {"requests", "attrs", "cattrs", "tenacity", "python-dateutil"}
EXTRAS = {
    "simulator": {"cheroot"},
    "server": {"websockets", "picows", "uvloop"},
    "cli": {"typer", "rich"},
    "fast": {"orjson"},
    "postgres": {"psycopg"},
}
OF_THE_PROJECT = {"dev"}
OF_AN_EXTRA = set().union(*EXTRAS.values())
NEED_AN_EXTRA = (
    "cxone_wfm.cli",
    "cxone_wfm.simulator",
    "cxone_wfm.outbox.postgres",
    "cxone_assist.cli",
    "cxone_assist.server",
    "cxone_assist.simulator",
)
COMMANDS = ("cxone_wfm.cli", "cxone_assist.cli")
# A worker of `serve()` is a process that we start, whose main thread and signals are ours.
MAY_TAKE_SIGNALS = (*COMMANDS, "cxone_assist.server._workers")
# The endpoint that `load` measures is a program of its own; its last lines answer on standard output.
MAY_PRINT = {"cxone_assist.simulator._measured"}


@attrs.frozen
class Module:
    """One module of ours: its name, its text and the tree of it."""

    name: str
    text: str = attrs.field(repr=False)
    tree: ast.Module = attrs.field(repr=False)


def read(path: Path, package: str, folder: Path) -> Module:
    name = ".".join([package, *path.relative_to(folder).with_suffix("").parts])
    text = path.read_text(encoding="utf-8")
    return Module(name.removesuffix(".__init__"), text, ast.parse(text))


MODULES = {
    module.name: module
    for package, folder in PACKAGES.items()
    for module in (read(path, package, folder) for path in sorted(folder.rglob("*.py")))
}
EVERY_MODULE = pytest.mark.parametrize("module", MODULES.values(), ids=list(MODULES))


def is_for_type_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def nodes_of(node: ast.AST, *, at_import: bool) -> Iterator[ast.AST]:
    """All that runs; with `at_import` only what runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt) and is_for_type_checkers(child):
            continue
        yield child
        if not (at_import and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))):
            yield from nodes_of(child, at_import=at_import)


# What it needs


def requirement(text: str) -> str:
    return re.split(r"[^A-Za-z0-9-]", text, maxsplit=1)[0]


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = document["project"]
    assert isinstance(found, dict)
    return found


def test_the_runtime_dependencies_are_these_five_each_with_a_floor(project: dict[str, object]) -> None:
    needed = project["dependencies"]
    assert isinstance(needed, list)
    assert {requirement(text) for text in needed} == RUNTIME
    assert [text for text in needed if not re.fullmatch(r"[a-z-]+>=[0-9.]+", text)] == []


def test_every_floor_is_one_that_the_floor_run_installs(project: dict[str, object]) -> None:
    needed, extras = project["dependencies"], project["optional-dependencies"]
    assert isinstance(needed, list)
    assert isinstance(extras, dict)
    assert {
        name: {requirement(text) for text in extras[name]} for name in extras if name not in OF_THE_PROJECT
    } == EXTRAS
    run_time = [*needed, *(text for name in EXTRAS for text in extras[name])]
    floors = {requirement(text): text.partition(">=")[2].partition(";")[0] for text in run_time}
    pinned = dict(
        line.partition(" ")[0].split("==")
        for line in (ROOT / "tests" / "floors.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    )

    def release(version: str) -> tuple[int, ...]:
        return tuple(map(int, re.sub(r"(\.0)+$", "", version).split(".")))

    assert {name: release(pinned[name]) for name in floors} == {
        name: release(version) for name, version in floors.items()
    }


def test_what_an_extra_or_another_program_brings_has_a_contract_that_says_who_imports_it() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter", encoding="utf-8")
    bound = {name for part in contracts.values() for name in part.get("protected_modules", "").split()}
    assert (OF_AN_EXTRA | {"requests", "urllib3", "pytest", "opentelemetry"}) - {"uvloop"} <= bound


IMPORT_ALL = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2].split(","):
    sys.modules[name] = None
for name in sys.argv[3:]:
    importlib.import_module(name)
"""


def import_apart(hidden: set[str], modules: list[str]) -> subprocess.CompletedProcess[str]:
    """Import modules in a process of its own, in which the hidden ones are not installed."""
    folder = str(PACKAGES["cxone_wfm"].parent)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL, folder, ",".join(hidden), *modules],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_module_imports_without_the_extras_but_those_that_are_the_extras() -> None:
    names = [name for name in MODULES if not name.startswith(NEED_AN_EXTRA)]
    assert len(names) > 20
    done = import_apart(OF_AN_EXTRA | {"pytest", "click"}, names)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_imports_without_its_extra_so_that_it_can_say_what_to_install(command: str) -> None:
    done = import_apart(OF_AN_EXTRA, [command])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("package", "extra"),
    [
        ("cxone_wfm.simulator", "simulator"),
        ("cxone_wfm.outbox.postgres", "postgres"),
        ("cxone_assist.server", "server"),
        ("cxone_assist.simulator", "server"),
    ],
)
def test_what_needs_an_extra_says_without_it_what_to_install(package: str, extra: str) -> None:
    done = import_apart(OF_AN_EXTRA, [package])
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f'pip install "cxone-wfm-sdk[{extra}]"')


def test_the_server_imports_where_only_websockets_can_be_installed() -> None:
    done = import_apart(OF_AN_EXTRA - {"websockets"}, ["cxone_assist.server", "cxone_assist.simulator"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_both_packages_are_typed() -> None:
    assert [name for name, folder in PACKAGES.items() if not (folder / "py.typed").is_file()] == []


# What it never does


def calls_of(module: Module, *, at_import: bool = False) -> set[str]:
    nodes = nodes_of(module.tree, at_import=at_import)
    return {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}


@EVERY_MODULE
def test_no_module_prints_configures_logging_or_takes_signals(module: Module) -> None:
    last_words = {name.rpartition(".")[2] for name in calls_of(module)}
    assert last_words & {"basicConfig", "dictConfig", "fileConfig", "setLevel"} == set()
    assert calls_of(module) & {"input", "breakpoint"} == set()
    assert module.name in MAY_PRINT or "print" not in calls_of(module)
    assert module.name.startswith(MAY_TAKE_SIGNALS) or "signal.signal" not in calls_of(module)
    if not module.name.startswith(COMMANDS):
        assert calls_of(module) & {"sys.exit", "os._exit", "exit", "quit"} == set()
        writes = [name for name in calls_of(module) if name.startswith(("sys.stdout", "sys.stderr"))]
        assert writes == []


@EVERY_MODULE
def test_no_module_starts_a_thread_a_process_or_a_connection_on_import(module: Module) -> None:
    last_words = {name.rpartition(".")[2] for name in calls_of(module, at_import=True)}
    started = {
        "Thread",
        "Timer",
        "ThreadPoolExecutor",
        "Popen",
        "fork",
        "start",
        "socket",
        "create_connection",
    }
    assert last_words & started == set()


def test_that_scan_sees_what_runs_on_import_and_what_does_not() -> None:
    text = "class A:\n x = Thread()\n def f(self): Timer()\nif TYPE_CHECKING:\n g()\nprint(1)\n"
    module = Module("m", text=text, tree=ast.parse(text))
    assert calls_of(module, at_import=True) == {"Thread", "print"}
    assert calls_of(module) == {"Thread", "Timer", "print"}


@EVERY_MODULE
def test_a_module_can_be_read_in_one_sitting(module: Module) -> None:
    assert len(module.text.splitlines()) < LONGEST_MODULE


@EVERY_MODULE
def test_a_module_says_what_it_is(module: Module) -> None:
    assert ast.get_docstring(module.tree)
