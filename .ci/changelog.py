"""What CHANGELOG.md says of a released version: the notes of its release.

Usage: python .ci/changelog.py VERSION
"""

import argparse
import re
import sys
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"
UNRELEASED = "Unreleased"


class Section(NamedTuple):
    """What changed in one version."""

    version: str
    day: str
    text: str


def sections(changelog: str) -> list[Section]:
    """The sections in their order, newest first."""
    _, *parts = re.split(r"^## ", changelog, flags=re.MULTILINE)
    found = []
    for part in parts:
        heading, _, text = part.partition("\n")
        version, _, day = heading.partition(" - ")
        found.append(Section(version.strip("[]"), day, text.strip()))
    return found


def faults(changelog: str, version: str) -> list[str]:
    """What is wrong with a changelog, given the version that the code names."""
    found = sections(changelog)
    coming = found.pop(0).text if found and found[0].version == UNRELEASED else ""
    for section in found:
        if not re.fullmatch(r"\d+\.\d+\.\d+", section.version) or not is_day(section.day) or not section.text:
            return [f"{section.version}: a version, its day and what changed are needed"]
    wrong = [
        f"{newer.version} of {newer.day} stands above {older.version} of {older.day}"
        for newer, older in pairwise(found)
        if number(newer.version) <= number(older.version) or newer.day < older.day
    ]
    newest = number(found[0].version) if found else ()
    if number(version) < newest:
        wrong.append(f"the code is of {version}, and a later version is released")
    if number(version) > newest and not coming:
        wrong.append(
            f"the code is of {version}, which is not released, and nothing is said of what is to come"
        )
    return wrong


def number(version: str) -> tuple[int, ...]:
    """A version, to compare."""
    return tuple(map(int, version.split(".")))


def is_day(text: str) -> bool:
    """Whether a text is a day such as 2026-11-21."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def main() -> int:
    """Print the notes of a version, or say why there are none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="a version that is released, such as 1.2.3")
    version = parser.parse_args().version
    for section in sections(CHANGELOG.read_text(encoding="utf-8")):
        if section.version == version:
            print(section.text)
            return 0
    print(f"CHANGELOG.md has no section for {version}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
