"""The promises of `import cxone_wfm`: the names, each explained, and that nothing happens."""

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import cxone_wfm
from cxone_wfm import connector, testing
from cxone_wfm.connector import csv_import, linting, presets

SOURCE = Path(cxone_wfm.__file__).read_text(encoding="utf-8")


def imported() -> set[str]:
    """The public names that `__init__` imports from the package's own modules."""
    return {
        alias.asname or alias.name
        for node in ast.parse(SOURCE).body
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }


def test_all_names_exactly_what_is_imported() -> None:
    assert set(cxone_wfm.__all__) == imported()
    assert len(cxone_wfm.__all__) == len(set(cxone_wfm.__all__))


def test_the_list_is_sorted_constants_first() -> None:
    names = list(cxone_wfm.__all__)
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))


def classes() -> list[type]:
    names = {name: getattr(cxone_wfm, name) for name in cxone_wfm.__all__}
    for module in (testing, connector, csv_import, linting, presets):
        names |= {f"{module.__name__}.{name}": getattr(module, name) for name in module.__all__}
    return list(dict.fromkeys(found for found in names.values() if inspect.isclass(found)))


@pytest.mark.parametrize("name", cxone_wfm.__all__)
def test_every_public_name_is_explained(name: str) -> None:
    found = getattr(cxone_wfm, name)
    if inspect.isclass(found):
        assert found.__dict__["__doc__"], "a docstring of its own, not one that it inherits"
    else:
        assert inspect.getdoc(found)


def public_methods(owner: type) -> Iterator[tuple[str, object]]:
    for base in owner.__mro__:
        for name, member in vars(base).items() if base.__module__.startswith("cxone_wfm") else ():
            ours = inspect.isroutine(getattr(owner, name)) or isinstance(member, property)
            if ours and not name.startswith("_"):
                yield name, getattr(base, name)


@pytest.mark.parametrize("owner", classes(), ids=lambda owner: owner.__name__)
def test_every_public_method_is_explained(owner: type) -> None:
    assert [name for name, method in public_methods(owner) if not inspect.getdoc(method)] == []


def test_that_test_sees_the_methods() -> None:
    assert {"from_json", "to_json"} <= {name for name, _ in public_methods(cxone_wfm.AgentState)}
    assert {"interval", "send"} <= {name for name, _ in public_methods(cxone_wfm.HeartbeatClient)}


@pytest.mark.parametrize("module", [testing, connector, csv_import, linting, presets])
def test_the_classes_and_functions_of_a_module_are_explained(module: ModuleType) -> None:
    found = {name: getattr(module, name) for name in module.__all__}
    named = {name: each for name, each in found.items() if inspect.isclass(each) or inspect.isroutine(each)}
    assert named
    assert [name for name, each in named.items() if not inspect.getdoc(each)] == []
    assert list(found) == sorted(found, key=lambda name: (not name.isupper(), name))


PROBE = """
import json, logging, sys, threading
handlers = list(logging.getLogger().handlers)
import cxone_wfm
own = logging.getLogger("cxone_wfm")
print(json.dumps({
    "modules": sorted(sys.modules),
    "threads": threading.active_count(),
    "root handlers": len(logging.getLogger().handlers) - len(handlers),
    "own handlers": [type(handler).__name__ for handler in own.handlers],
    "own level": own.level,
    "propagates": own.propagate,
}))
"""


@pytest.fixture(scope="module")
def after_import() -> dict[str, object]:
    package = Path(cxone_wfm.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(package)!r})\n{PROBE}"],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("heavy", ["requests", "urllib3", "cattrs", "tenacity", "dateutil", "cxone_assist"])
def test_importing_loads_nothing_heavy(heavy: str, after_import: dict[str, object]) -> None:
    modules = after_import["modules"]
    assert isinstance(modules, list)
    assert "cxone_wfm.auth" in modules
    assert heavy not in modules


def test_importing_starts_no_thread_and_configures_no_logging(after_import: dict[str, object]) -> None:
    assert after_import["threads"] == 1
    assert after_import["root handlers"] == 0
    assert after_import["own handlers"] == ["NullHandler"]
    assert after_import["own level"] == 0
    assert after_import["propagates"] is True
