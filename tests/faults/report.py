"""What a fault run says at its end: one line of counts for each thing done, a table of them, JSON."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import attrs
from attrs import define, field, frozen


@define(kw_only=True)
class Outcome:
    """What one fault did, and what of the promises it broke. Every count but `done` must be zero."""

    fault: str
    done: dict[str, object] = field(factory=dict)
    """What was done, in numbers."""
    lost: int = 0
    """Accepted, and neither delivered nor in the store."""
    reordered: int = 0
    """Delivered for the first time after a later one of its stream."""
    regressions: int = 0
    """Delivered, first time or again, after a later one of its stream."""
    corrupt: int = 0
    """Stores that could not be opened, or did not pass SQLite's check."""
    problems: list[str] = field(factory=list)
    """Other broken promises, a sentence each."""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """No promise was broken."""
        return not (self.lost or self.reordered or self.regressions or self.corrupt or self.problems)

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note a broken promise where the condition does not hold."""
        if not holds:
            self.problems.append(otherwise)


@frozen
class Count:
    """How often something is done in each tier."""

    push: int
    full: int
    words: str


Run = Callable[[Mapping[str, int]], list[Outcome]]


@contextmanager
def timed(outcome: Outcome) -> Iterator[Outcome]:
    """Measure the block in the outcome's seconds."""
    started = time.monotonic()
    try:
        yield outcome
    finally:
        outcome.seconds += time.monotonic() - started


def counts_of(counts: Mapping[str, Count], *, full: bool) -> dict[str, int]:
    """The numbers of one tier."""
    return {name: count.full if full else count.push for name, count in counts.items()}


def table(outcomes: list[Outcome]) -> str:
    """The outcomes as text, a line each, and below it the sentences of what was broken."""
    head = ("fault", "done", "lost", "reordered", "regressions", "corrupt", "seconds", "")
    rows = [
        (
            each.fault,
            ", ".join(f"{value} {name}" for name, value in each.done.items()),
            *map(str, (each.lost, each.reordered, each.regressions, each.corrupt)),
            f"{each.seconds:.1f}",
            "ok" if each.good else "BROKEN",
        )
        for each in outcomes
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, tuple("-" * width for width in widths), *rows)
    ]
    lines += [f"  {each.fault}: {problem}" for each in outcomes for problem in each.problems]
    return "\n".join(lines) + "\n"


def say(outcomes: list[Outcome], *, as_json: bool) -> int:
    """Print the outcomes; the exit code is 1 where a promise was broken."""
    if as_json:
        documents = [{**attrs.asdict(each), "good": each.good} for each in outcomes]
        sys.stdout.write(json.dumps(documents, indent=1) + "\n")
    else:
        sys.stdout.write(table(outcomes))
    sys.stdout.flush()
    return 0 if all(each.good for each in outcomes) else 1


def from_json(text: str) -> list[Outcome]:
    """What `say` printed as JSON; nothing where it is not that."""
    try:
        documents = json.loads(text)
    except ValueError:
        return []
    names = {attribute.name for attribute in attrs.fields(Outcome)}
    return [Outcome(**{name: each[name] for name in names}) for each in documents]


def command(run: Run, counts: Mapping[str, Count], words: str | None) -> int:
    """Run one fault as a command of its own: options in, table out, exit code back."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the full numbers, not those of a push")
    parser.add_argument("--json", action="store_true", help="print JSON")
    for name, count in counts.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(
            option, type=int, metavar="N", help=f"{count.words} ({count.push}, full {count.full})"
        )
    options = vars(parser.parse_args())
    numbers = counts_of(counts, full=options["full"])
    numbers |= {name: options[name] for name in counts if options[name] is not None}
    return say(run(numbers), as_json=options["json"])
