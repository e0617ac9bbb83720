"""F17, teeth: each seeded bug must be caught, by the fault that is there for it, in under 15 seconds.

The same commands run as ever, with a bug of `faults.bugs` in the library. One that ends well has no teeth.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from attrs import frozen

from faults.bugs import BUG
from faults.report import Count, Outcome, command, from_json, timed
from faults.waiting import overload

COUNTS = {"bugs": Count(12, 12, "bugs, out of 12")}
SECONDS = 15.0
"""For each, where nobody else needs the processors."""


@frozen
class Tooth:
    """A bug, the command that must catch it, and how it shows: a count, or words in a sentence."""

    bug: str
    command: tuple[str, ...]
    shows: tuple[str, ...]


SHORT = ("--patience", "2")
TEETH = (
    Tooth("acknowledge_before_send", ("kill", "--cycles", "8", "--events", "300", *SHORT), ("lost",)),
    Tooth(
        "two_senders",
        ("kill", "--cycles", "6", "--events", "300", *SHORT),
        ("reordered", "regressions", "sent again", "damaged"),
    ),
    Tooth(
        "unavailable_is_success",
        ("storm", "--events", "300", "--unavailable", "250", *SHORT),
        ("lost",),
    ),
    Tooth(
        "several_of_an_agent",
        ("storm", "--events", "300", "--agents", "10", "--batch", "20", "--answers-lost", "300", *SHORT),
        ("regressions",),
    ),
    Tooth(
        "careless_sync",
        ("power", "--images", "400", "--transactions", "18", "--plain", "0"),
        ("lost",),
    ),
    Tooth("no_fencing", ("fence", "--freezes", "1", *SHORT), ("not fenced",)),
    Tooth("no_dedupe", ("kill", "--cycles", "6", "--events", "300", *SHORT), ("second id", "sent again")),
    Tooth("follow_redirects", ("storm", "--events", "400", "--redirects", "100", *SHORT), ("other host",)),
    Tooth(
        "swallow_io_errors",
        ("disk", "--points", "4", "--events", "12", "--fills", "0"),
        ("lost", "reordered", "regressions", "corrupt", "sent again"),
    ),
    Tooth("wall_clock", ("clocks", "--scenarios", "1", "--pause", "2"), ("waited", "of a core")),
    Tooth("fixed_leeway", ("tokens", "--expiries", "6"), ("new tokens",)),
    Tooth("log_token", ("secrets", "--runs", "1", "--events", "60"), ("holds",)),
)


def shows(outcomes: list[Outcome], signs: tuple[str, ...]) -> bool:
    """One of the signs is among what was found."""
    names = ("lost", "reordered", "regressions", "corrupt")
    counts = {name for each in outcomes for name in names if getattr(each, name)}
    said = " ".join(problem for each in outcomes for problem in each.problems)
    return any(sign in counts or sign in said for sign in signs)


SKIPPED = "skipped"


def bite(tooth: Tooth) -> tuple[str, float]:
    """Run the command with the bug. What is wrong with the harness, SKIPPED, or nothing; and the seconds."""
    began, most = time.monotonic(), SECONDS * overload()
    try:
        done = subprocess.run(
            [sys.executable, "-m", f"faults.{tooth.command[0]}", *tooth.command[1:], "--json"],
            env={**os.environ, BUG: tooth.bug},
            capture_output=True,
            text=True,
            timeout=most,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{tooth.bug} was not caught in {most:.0f} s", time.monotonic() - began
    took = time.monotonic() - began
    outcomes = from_json(done.stdout)
    if not outcomes:
        return f"{tooth.bug}: the command failed: {done.stderr[-300:]}", took
    if not shows(outcomes, tooth.shows) and any(SKIPPED in "".join(each.done) for each in outcomes):
        return SKIPPED, took  # what it needs is not there, and the run of that fault says so
    if not shows(outcomes, tooth.shows):
        found = [each.problems for each in outcomes]
        return f"{tooth.bug} did not show as {' or '.join(tooth.shows)}, but as {found}"[:500], took
    return "", took


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """All bugs."""
    outcome, caught, skipped, slowest = Outcome(fault="F17 teeth"), 0, 0, 0.0
    with timed(outcome):
        with ThreadPoolExecutor(max_workers=2) as pool:
            bites = [*pool.map(bite, TEETH[: counts["bugs"]])]
        for problem, took in bites:
            caught += not problem
            slowest = max(slowest, took)
            skipped += problem == SKIPPED
            outcome.expect(problem in ("", SKIPPED), problem)
    outcome.done = {"bugs": counts["bugs"], "caught": caught, "s slowest": round(slowest, 1)}
    if skipped:
        outcome.done[SKIPPED] = skipped
    return [outcome]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
