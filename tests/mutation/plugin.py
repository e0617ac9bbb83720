"""A pytest plugin for the runs under mutmut: what is found does not depend on chance or on a busy machine."""

import os
import resource
import sys
import time
from pathlib import Path

import pytest
import support.threads
from hypothesis import HealthCheck, settings
from mutmut.state import state

settings.register_profile(
    "mutants",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("mutants")

MOST_MEMORY = 4 << 30
"""Bytes of address space: a mutant that never stops growing is to end before the machine does."""
MOST_CPU = 30
"""Seconds. CPU time, for a busy machine must not take the place of a test that notices."""

support.threads.PATIENCE = 10.0
"""Seconds, in place of 20: many mutants make some thread wait for ever."""

_on_import: set[str] = set()
"""The functions that ran while the modules were imported: they make tables, for example."""


def _under_test() -> str:
    """`stats` while mutmut learns which test reaches what, the mutant's name later."""
    return os.environ.get("MUTANT_UNDER_TEST", "")


def _limit(what: int, bound: int) -> None:
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (bound, hard))


def pytest_configure() -> None:
    if "__mutmut_" in _under_test():
        _limit(resource.RLIMIT_AS, MOST_MEMORY)
        _limit(resource.RLIMIT_CPU, int(time.process_time()) + MOST_CPU)
    if _under_test().partition("__mutmut_")[0] in _on_import:
        # mutmut forks from a process that has imported everything: such a mutant would never act.
        copy = Path.cwd()
        for name, module in [*sys.modules.items()]:
            file = getattr(module, "__file__", None)
            if file and Path(file).is_relative_to(copy) and not name.startswith("mutation"):
                del sys.modules[name]


def pytest_collection_finish() -> None:
    if _under_test() == "stats":
        _on_import.update(state()._stats)


def pytest_runtest_call(item: pytest.Item) -> None:
    """Every test depends on what was made on import; mutmut would book it to the first one alone."""
    if _under_test() == "stats":
        state()._stats.update(_on_import)
