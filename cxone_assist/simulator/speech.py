"""What the simulator plays where it is given no WAV file: tones, made here by a fixed plan.

It sounds like no speech, but it has what tests need: two voices that are told apart, turns, pauses,
and a bit of both at once; and no half a second of sound comes twice. The contact is an octave above the
agent. Made by code, so that nothing has to be shipped.
"""

from __future__ import annotations

import math
import random
import struct
from functools import cache

from ..messages import StreamPerspective
from ..mulaw import SAMPLE_RATE, encode

__all__ = ["speech"]

_PITCH = {StreamPerspective.TX: 400.0, StreamPerspective.RX: 200.0}
_TURN_SECONDS = 4
_SYLLABLES_A_SECOND = 5


@cache
def speech(perspective: StreamPerspective, seconds: int = 20) -> bytes:
    """Return µ-law audio of one side: turns of 4 seconds, the contact first, that overlap by half a second.

    Each call with the same arguments returns the same bytes.
    """
    pitch = _PITCH.get(perspective, 300.0)
    plan = random.Random(f"{perspective}")  # noqa: S311 - a fixed plan, not a secret
    first = 0 if perspective is StreamPerspective.TX else _TURN_SECONDS
    syllable = SAMPLE_RATE // _SYLLABLES_A_SECOND
    samples = [0] * (seconds * SAMPLE_RATE)
    for number in range(seconds * _SYLLABLES_A_SECOND):
        within = (number / _SYLLABLES_A_SECOND - first) % (2 * _TURN_SECONDS)
        step = 2 * math.pi * pitch * plan.uniform(0.8, 1.6) / SAMPLE_RATE
        loudness = plan.uniform(4000, 12000)
        if within > _TURN_SECONDS + 0.5:  # the other side's turn
            continue
        start = number * syllable
        for index in range(syllable - syllable // 8):  # the rest is the pause between syllables
            swell = math.sin(math.pi * index / syllable)
            samples[start + index] = round(loudness * swell * math.sin(step * index))
    return encode(struct.pack(f"<{len(samples)}h", *samples))
