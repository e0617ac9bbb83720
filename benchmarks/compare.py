"""Compare two result files of `python -m benchmarks`: which ratios changed by more than the noise.

    python -m benchmarks.compare OLD.json NEW.json --bound 10

The noise of a row is what its ratio varied from run to run, in both files together, and never less than 5 %:
what two measurements of the same code differ by on a quiet machine. Exit code 1 where a ratio has grown by
more than the noise and more than the bound, 2 where the files cannot be compared.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

LEAST_NOISE = 0.05
Key = tuple[str, str, str]
Result = dict[str, Any]
"""A row as it stands in the file."""


@frozen(kw_only=True)
class Change:
    """What became of one row. `by` is a part of the old ratio: 0.1 is a tenth slower."""

    key: Key
    old: float
    new: float
    noise: float

    @property
    def by(self) -> float:
        """How much slower ours is now, beside theirs."""
        return self.new / self.old - 1

    @property
    def counts(self) -> bool:
        """Whether it is more than the noise; faster is judged as the slowdown that the way back would be."""
        return max(self.new / self.old, self.old / self.new) - 1 > self.noise


def changes(old: list[Result], new: list[Result]) -> list[Change]:
    """The rows that are in both, in the order of the new file."""
    before = {_key(row): row for row in old}
    return [
        Change(
            key=_key(row),
            old=before[_key(row)]["ratio"],
            new=row["ratio"],
            noise=max(LEAST_NOISE, before[_key(row)]["spread"] + row["spread"]),
        )
        for row in new
        if _key(row) in before
    ]


def _key(row: Result) -> Key:
    return str(row["part"]), str(row["name"]), str(row["against"])


def main(arguments: Sequence[str]) -> int:
    """Print what changed. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--bound", type=float, required=True, help="how much slower is too slow, in percent")
    options = parser.parse_args(arguments)
    try:
        old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (options.old, options.new))
        found = changes(old["rows"], new["rows"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"these are not two result files: {error!r}", file=sys.stderr)
        return 2
    if old["size"] != new["size"] or not found:
        print("the files have no row in common, or are of different sizes", file=sys.stderr)
        return 2
    for what in ("python", "platform", "cores", "packages"):
        if old["machine"][what] != new["machine"][what]:
            print(f"beware: {what} is not the same in both")
    too_slow = 0
    for change in found:
        if change.counts:
            regression = change.by > options.bound / 100
            too_slow += regression
            word = "SLOWER" if regression else "slower" if change.by > 0 else "faster"
            ratios = f"{change.old:.3g} -> {change.new:.3g} ({change.by:+.0%}, noise {change.noise:.0%})"
            print(f"{word}  {': '.join(change.key[:2])}, against {change.key[2]}: {ratios}")
    changed = sum(change.counts for change in found)
    print(
        f"{len(found)} ratios compared, {changed} changed by more than the noise, {too_slow} slower by more"
        f" than {options.bound:g} %; {len(old['rows']) - len(found)} of the old ones are gone"
    )
    return 1 if too_slow else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
