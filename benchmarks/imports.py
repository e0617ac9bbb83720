"""What importing the packages costs, beside what they stand on: new interpreters, in turns."""

import subprocess
import sys

from .rows import Row, Size

COMPARED = ()
ROUNDS: dict[Size, int] = {"tiny": 1, "quick": 3, "full": 21}
PROGRAM = "import time; start = time.process_time(); import {}; print(time.process_time() - start)"
PAIRS = (("cxone_wfm", "requests"), ("cxone_assist", "attrs, cattrs, json"))


def seconds(modules: str) -> float:
    """The processor's time for it in a new interpreter."""
    command = [sys.executable, "-c", PROGRAM.format(modules)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def measure(size: Size) -> list[Row]:
    """A row for each package."""
    rows = []
    for ours, theirs in PAIRS:
        seconds(ours)  # the byte code is compiled once, outside the figures
        times = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS[size])]
        mine, other = (min(column) for column in zip(*times, strict=True))
        name, against = f"import {ours}", f"import {theirs}"
        rows.append(Row(name=name, ours=mine, item="import", against=against, theirs=other))
    return rows
