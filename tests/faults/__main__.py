"""Every fault: the push tier takes a minute and a half on two cores, `--full` all of it. `--only kill` picks.

The push tier keeps its files in memory where it can: a killed process takes nothing from the system's
cache, and what a power cut takes is played. The full numbers are of the disk on which temporary files lie.
"""

import argparse
import importlib
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from subprocess import run as run_command

from faults.power import fast_folder
from faults.report import Outcome, from_json, say

PUSH = (
    "teeth",
    "clocks",
    "power",
    "kill",
    "syscalls",
    "secrets",
    "shutdown",
    "poison",
    "fence",
    "tokens",
    "commits",
)
ONLY_FULL = ("disk", "partition", "storm", "soak", "failover")
AT_ONCE = 3
"""So many run side by side: most of them wait most of the time."""
ALONE = ("soak", "storm", "failover")
"""What measures time or memory, and is therefore not run beside another."""


def run_one(name: str, *, full: bool) -> list[Outcome]:
    """One fault in a process of its own."""
    command = [sys.executable, "-m", f"faults.{name}", "--json", *(["--full"] if full else [])]
    folder = {} if full else {"TMPDIR": fast_folder() or tempfile.gettempdir()}
    done = run_command(command, capture_output=True, text=True, check=False, env={**os.environ, **folder})
    found = from_json(done.stdout)
    if not found or (done.returncode and all(each.good for each in found)):
        found.append(
            Outcome(fault=name, problems=[f"it ended with {done.returncode}: {done.stderr[-2000:]}"])
        )
    return found


def main() -> int:
    """Run what was asked for, some at a time, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="the full numbers, and the faults that take longer"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", metavar="NAMES", help="the names of some faults, with commas between them")
    options = parser.parse_args()
    every = PUSH + ONLY_FULL
    names = options.only.split(",") if options.only else every if options.full else PUSH
    if unknown := [name for name in names if name not in every]:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(every)}")
    for name in names:
        importlib.import_module(f"faults.{name}")  # a mistake in one is told before the others have run
    began = time.monotonic()

    def work(name: str) -> list[Outcome]:
        return run_one(name, full=options.full)

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        groups = [*pool.map(work, [name for name in names if name not in ALONE])]
    groups += [work(name) for name in names if name in ALONE]
    code = say([outcome for group in groups for outcome in group], as_json=options.json)
    sys.stderr.write(f"{time.monotonic() - began:.0f} s in all\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
