"""The sample payloads of the vendor's page, as the page prints them."""

from importlib.resources import files
from typing import Literal

Name = Literal["activity", "historical", "states"]


def sample(name: Name) -> bytes:
    """The sample as JSON text in UTF-8."""
    return (files(__name__) / f"{name}.json").read_bytes()
