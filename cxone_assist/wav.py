"""WAV files of 8,000 Hz, µ-law or 16-bit PCM, written in any order and readable at any time."""

from __future__ import annotations

from enum import Enum

__all__ = ["Encoding"]


class Encoding(Enum):
    """How a WAV file holds its samples."""

    ULAW = "ulaw"
    """8-bit µ-law, format tag 7: what CXone sends."""
    PCM16 = "pcm16"
    """16-bit PCM, format tag 1: twice the size, and read by every program."""
