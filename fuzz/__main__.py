"""`python -m fuzz`: see `fuzz/__init__.py`."""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from . import FOLDER, TARGETS, seeds, target
from .random_inputs import search

LONGEST_INPUT = 8192
LARGEST_MEMORY = 1024
"""Megabytes of a process: memory that grows with what was read breaks a promise, too."""
SLOWEST_INPUT = 5
"""Seconds for one input."""
LONGEST_TRACEBACK = 4000


def guided(name: str, seconds: float, found: Path | None) -> bool:
    """Run a target under atheris; tells whether all went well. What reaches new code is put into `found`."""
    corpus = FOLDER / "corpus" / name
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) if found is None else found / name
        new.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "fuzz.guided", name),
                f"-max_total_time={max(1, round(seconds))}",
                f"-max_len={LONGEST_INPUT}",
                f"-rss_limit_mb={LARGEST_MEMORY}",
                f"-timeout={SLOWEST_INPUT}",
                f"-artifact_prefix={corpus}/",
                "-print_final_stats=1",
                *map(str, (new, corpus)),
            ],
            cwd=FOLDER.parent,
            capture_output=True,
            text=True,
            check=False,
        )
    executions = done.stderr.rpartition("number_of_executed_units:")[2].split()
    tried = executions[0] if executions else "?"
    print(f"{name:<16} {tried:>10} inputs  {'ok' if done.returncode == 0 else 'BROKEN'}")
    if done.returncode:
        told = [
            line for line in done.stderr.splitlines() if "ERROR: libFuzzer" in line or "written to" in line
        ]
        print(done.stdout[-LONGEST_TRACEBACK:].strip(), *(told or [done.stderr]), sep="\n")
    return done.returncode == 0


def by_hypothesis(name: str, seconds: float) -> bool:
    """Run a target under Hypothesis; tells whether all went well."""
    failure = search(target(name), list(seeds(name).values()), seconds, FOLDER / "corpus" / name)
    print(f"{name:<16} {failure or 'ok'}")
    return failure is None


def main() -> int:
    """Run the targets that are asked for. Gives the exit code: 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("targets", nargs="*", default=TARGETS, metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--tool", choices=["atheris", "hypothesis"])
    parser.add_argument("--found", type=Path, help="keep the inputs that reach new code here (atheris)")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    tool = options.tool or ("atheris" if importlib.util.find_spec("atheris") else "hypothesis")
    print(f"{tool}, {options.seconds:g} seconds in all")
    each = options.seconds / len(options.targets)
    found = options.found and options.found.absolute()
    well = [
        guided(name, each, found) if tool == "atheris" else by_hypothesis(name, each)
        for name in options.targets
    ]
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
