"""Compares what was recorded of one side with what was played to it, sample for sample."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define

from ..mulaw import SAMPLE_RATE, SILENCE

__all__ = ["Comparison", "compare"]

_SILENT = bytes([SILENCE])


@define
class Comparison:
    """How a recording of one side agrees with what was played."""

    samples: int = 0
    """Played samples that were looked for."""
    equal: bool = True
    """Every stretch is there, unchanged and in order, and between them is silence and nothing else."""
    worst_shift: float = 0.0
    """Seconds that a stretch lies away from where it was played, beyond the shift of the first."""


def compare(recorded: bytes, stretches: Iterable[tuple[int, bytes | bytearray]]) -> Comparison:
    """Look each played stretch up in a recording, both µ-law; a stretch has its position in samples."""
    result = Comparison()
    done, first_shift = 0, None
    for position, played in stretches:
        result.samples += len(played)
        found = recorded.find(played, done)
        if found < 0 or recorded[done:found].strip(_SILENT):
            result.equal = False
            return result
        done = found + len(played)
        if played.strip(_SILENT):  # silence is found anywhere, and tells nothing
            first_shift = found - position if first_shift is None else first_shift
            shift = abs(found - position - first_shift) / SAMPLE_RATE
            result.worst_shift = max(result.worst_shift, shift)
    if recorded[done:].strip(_SILENT):
        result.equal = False
    return result
