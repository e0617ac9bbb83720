"""`python -m benchmarks`: see `benchmarks/__init__.py`."""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

from attrs import asdict

from .rows import Row, Size, merged

FOLDER = Path(__file__).parent
PARTS = (
    *("codec", "protocol", "streams", "records", "imports"),
    *("state_feed", "aggregation", "sending", "outbox"),
)
RUNS: dict[Size, int] = {"tiny": 1, "quick": 3, "full": 5}
NAMED = {
    *("attrs", "cattrs", "orjson", "msgspec", "pydantic", "numpy", "pandas", "audioop-lts"),
    *("requests", "urllib3", "httpx", "picows", "websockets", "uvloop"),
}
"""Packages whose versions matter for the figures."""


def run(part: str, size: Size, folder: Path) -> list[Row]:
    """Run a part once, in a process of its own; its files are made in the folder."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--worker", part, "--size", size],
        cwd=FOLDER.parent,
        env={**os.environ, "TMPDIR": str(folder.absolute())},
        stdout=subprocess.PIPE,
        check=True,
    )
    return [Row(**row) for row in json.loads(done.stdout)]


def left_out(parts: Sequence[str]) -> list[str]:
    """The packages that are compared with, and not installed."""
    wanted = {package for part in parts for package in importlib.import_module(f"benchmarks.{part}").COMPARED}
    return sorted(package for package in wanted if find_spec(package) is None)


def machine() -> dict[str, object]:
    """What the figures are of."""
    installed = {each.name.lower(): each.version for each in distributions() if each.name.lower() in NAMED}
    return {
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "load": f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load not known",
        "packages": dict(sorted(installed.items())),
    }


def duration(seconds: float) -> str:
    """A time with the unit that suits it, three digits."""
    for unit, factor in (("ns", 1e9), ("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 1000:  # noqa: PLR2004 - then the next unit suits it
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def show(measured: dict[str, list[Row]]) -> None:
    """Print the table: the time for one item, how many a second that is, and the ratio: less is better."""
    print(
        f"{'':<42}{'ours':>9} {'each':<9}{'a second':>12}  {'against':<26}{'theirs':>9}{'ratio':>8}{'±':>5}"
    )
    for part, rows in measured.items():
        print(part)
        for row in rows:
            print(
                f"  {row.name:<40}{duration(row.ours):>9} {row.item:<9}{1 / row.ours:>12,.0f}"
                f"  {row.against:<26}{duration(row.theirs):>9}{row.ratio:>8.2f}{row.spread * 100:>4.0f}%"
            )


def measured(parts: Sequence[str], size: Size, runs: int, folder: Path) -> dict[str, list[Row]]:
    """The rows of each part, out of so many runs in which the parts take turns."""
    taken: dict[str, list[list[Row]]] = {part: [] for part in parts}
    with tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as place:
        for number in range(runs):
            for part in parts:
                print(f"run {number + 1} of {runs}: {part}", file=sys.stderr)
                taken[part].append(run(part, size, Path(place)))
    return {part: merged(each) for part, each in taken.items()}


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="ratios of times: less is better"
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--size", choices=list(RUNS), default="quick", help=argparse.SUPPRESS)
    parser.add_argument("--full", dest="size", action="store_const", const="full", help="larger sizes")
    parser.add_argument("--runs", type=int, help="of each part; 3, or 5 with --full")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the outbox makes its files")
    parser.add_argument("--output", type=Path, default=Path("bench.json"), help="the result file")
    parser.add_argument("--worker", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    size: Size = options.size
    if options.worker:
        rows = importlib.import_module(f"benchmarks.{options.worker}").measure(size)
        print(json.dumps([asdict(row) for row in rows]))
        return
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    parts = [part for part in PARTS if part in options.parts] or list(PARTS)
    runs, before, missing = options.runs or RUNS[size], machine(), left_out(parts)
    began = time.monotonic()
    found = measured(parts, size, runs, options.folder)
    show(found)
    if missing:
        print(f"left out, for they are not installed: {', '.join(missing)}")
    rows = [{"part": part, **asdict(row), "ratio": row.ratio} for part, each in found.items() for row in each]
    result = {"machine": before, "size": size, "runs": runs, "left_out": missing, "rows": rows}
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(
        f"{time.monotonic() - began:.0f} s, {runs} runs on {before['cores']} cores, {before['load']} before;"
        f" written to {options.output}"
    )


if __name__ == "__main__":
    main()
