"""The data files of the presets."""

import json
from importlib.resources import files
from typing import Any, Literal

__all__ = ["Confidence", "load"]

Confidence = Literal["confirmed", "unconfirmed"]
"""Confirmed: the source says so. Unconfirmed: a reading that nobody has held against that ACD."""


def load(kind: str, name: str, names: tuple[str, ...]) -> dict[str, Any]:
    """The data file of this kind for the ACD. Raises ValueError where `name` is none of `names`."""
    if name not in names:
        raise ValueError(f"no {kind} named {name!r}: there are {', '.join(names)}")
    document: dict[str, Any] = json.loads((files(__package__) / f"{name}_{kind}.json").read_bytes())
    return document
