"""What importing the package costs, against importing requests alone.

    python benchmarks/imports.py

Each import runs in a new interpreter, in turns; the medians are compared, less an empty interpreter.
"""

import statistics
import subprocess
import sys
import time

RUNS = 21
CASES = ("pass", "import requests", "import cxone_wfm")


def seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def main() -> None:
    times: dict[str, list[float]] = {case: [] for case in CASES}
    for _ in range(RUNS):
        for case in CASES:
            times[case].append(seconds(case))
    empty, requests, ours = (statistics.median(times[case]) * 1000 for case in CASES)
    print(f"Python {sys.version.split()[0]}, median of {RUNS}, milliseconds of the whole process")
    print(f"{'an empty interpreter':<24} {empty:6.1f}")
    print(f"{'import requests':<24} {requests:6.1f}")
    print(f"{'import cxone_wfm':<24} {ours:6.1f}   {ours / requests:.2f} x import requests")
    print(f"less the empty one: {(ours - empty) / (requests - empty):.2f} x import requests")


if __name__ == "__main__":
    main()
