"""Fuzzing: functions that take any bytes, and raise where the library breaks a promise about what it reads.

    python -m fuzz                              every target, a minute in total
    python -m fuzz wav capture --seconds 600    these two, ten minutes
    python -m fuzz --tool hypothesis            without atheris, which not every platform has

A target is a module of `fuzz.targets` with one function, `fuzz_one(data)`. Its seeds are the files of
`fuzz/corpus/TARGET/`; the tests put each of them through its target once. An input that breaks a promise
is written among them as `crash-...`: mend the fault, and keep the file as a seed.
"""

import importlib
from collections.abc import Callable
from pathlib import Path

Target = Callable[[bytes], None]

FOLDER = Path(__file__).parent
TARGETS = sorted(path.stem for path in (FOLDER / "targets").glob("[a-z]*.py"))


def target(name: str) -> Target:
    """The function of a target."""
    found: Target = importlib.import_module(f"fuzz.targets.{name}").fuzz_one
    return found


def seeds(name: str) -> dict[str, bytes]:
    """A target's seeds, by the names of their files."""
    return {path.name: path.read_bytes() for path in sorted((FOLDER / "corpus" / name).iterdir())}
