"""How long `import cxone_assist` takes, beside `import attrs, cattrs, json`: fresh processes in turn."""

import argparse
import statistics
import subprocess
import sys

PROGRAM = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
REFERENCE = "attrs, cattrs, json"
OURS = "cxone_assist"


def measure(modules: str) -> float:
    """Return the milliseconds that importing takes in a new interpreter."""
    command = [sys.executable, "-c", PROGRAM.format(modules)]
    return 1000 * float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def main() -> None:
    """Print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    measure(OURS)  # the byte code is compiled once, outside the figures
    pairs = [(measure(REFERENCE), measure(OURS)) for _ in range(runs)]
    reference, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"import {REFERENCE:<22} {reference:6.1f} ms (median of {runs})")
    print(f"import {OURS:<22} {ours:6.1f} ms")
    print(f"ratio {ours / reference:.2f} (goal: at most 1.5)")


if __name__ == "__main__":
    main()
