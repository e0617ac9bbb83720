"""The mutants of every part, or of those named. It fails below 90 % killed, or at a survivor unargued for."""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from attrs import frozen
from mutmut.mutation.diff_apply import get_diff_for_mutant

from mutation.parts import PARTS, Part
from mutation.survivors import PAGE, in_words, is_the_same_sql, known

NAMES = [part.name for part in PARTS]
LEAST_KILLED = 0.9
HEAD = (
    "| Module | Mutants | Killed | of these by time | Survived | Killed | Seconds |",
    "|---|--:|--:|--:|--:|--:|--:|",
)
WORK = Path("mutants")
"""mutmut's copy of the project: always this folder of the current one."""

NOT_KILLED = {0: "", 5: " (no test)", 33: " (no test)", None: " (not run)"}
"""By the exit code of its tests; whatever else came of them, the mutant was noticed."""

OUT_OF_TIME = {-24, 24, 152, -9}


@frozen(kw_only=True)
class Verdict:
    """How the mutants of one module fared."""

    module: str
    mutants: int
    out_of_time: int
    survivors: dict[str, str]
    """By mutmut's names: what the mutant has in place of what."""

    @property
    def killed(self) -> float:
        """The share, from 0 to 1."""
        return 1 - len(self.survivors) / self.mutants


def run(part: Part, children: int) -> float:
    """Run the part's tests on each of its mutants, in a fresh copy; return the seconds it took."""
    began = time.monotonic()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    command = [sys.executable, "-m", "mutation.run_mutmut", part.name, str(children)]
    with (WORK / "mutmut.log").open("w") as log:
        subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT)
    return time.monotonic() - began


def verdict(module: str) -> Verdict:
    """What mutmut left behind about this module."""
    codes = json.loads((WORK / f"{module}.meta").read_text("utf-8"))["exit_code_by_key"]
    alive = {
        name: get_diff_for_mutant(name, path=module) for name, code in codes.items() if code in NOT_KILLED
    }
    survivors = {name: diff for name, diff in alive.items() if not is_the_same_sql(diff)}
    return Verdict(
        module=module,
        mutants=len(codes) - len(alive) + len(survivors),
        out_of_time=sum(code in OUT_OF_TIME for code in codes.values()),
        survivors={name: in_words(name, diff) + NOT_KILLED[codes[name]] for name, diff in survivors.items()},
    )


def row(found: Verdict, *, seconds: float) -> str:
    """A line of the table."""
    left = len(found.survivors)
    return (
        f"| `{found.module}` | {found.mutants} | {found.mutants - left} | {found.out_of_time} | {left}"
        f" | {found.killed:.1%} | {seconds:.0f} |"
    )


def main() -> int:
    """Run, print the table and the survivors, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--max-children", type=int, default=2, help="how many at a time (2)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    listed = known()
    rows: list[str] = []
    good = True
    for part in [part for part in PARTS if part.name in (options.names or NAMES)]:
        seconds = run(part, options.max_children)
        found = [verdict(module) for module in part.modules]
        rows += [row(each, seconds=seconds / len(found)) for each in found]
        survivors = {name: line for each in found for name, line in each.survivors.items()}
        unknown = [f"{line}\n    {name}" for name, line in survivors.items() if line not in listed]
        good &= not unknown and all(each.killed >= LEAST_KILLED for each in found)
        heading = f"{part.name}: {len(survivors)} survived. Without an argument in {PAGE.name}:"
        sys.stdout.write("\n  ".join([heading, *(unknown or ["none"])]) + "\n\n")
        sys.stdout.flush()
    sys.stdout.write("\n".join([*HEAD, *rows]) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
