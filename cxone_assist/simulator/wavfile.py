"""Reads the WAV files to play: 8,000 Hz, mono or stereo, µ-law or 16-bit PCM."""

from __future__ import annotations

import struct
from pathlib import Path

from ..mulaw import SAMPLE_RATE, encode

__all__ = ["read_wav"]

_PCM, _ULAW, _EXTENSIBLE = 1, 7, 0xFFFE
_SHORTEST_FORMAT = 16


def read_wav(path: str | Path) -> tuple[bytes, ...]:
    """Return the µ-law audio of each channel: one, or two with the contact first.

    Raises:
        ValueError: the file is no WAV file of this kind; the message says how to make one.
        OSError: it cannot be read.
    """
    data = Path(path).read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path} is no WAV file")
    form = audio = None
    start = 12
    while start + 8 <= len(data) and audio is None:
        name, size = struct.unpack_from("<4sI", data, start)
        body = data[start + 8 : start + 8 + size]
        if name == b"fmt " and len(body) >= _SHORTEST_FORMAT:
            form = body
        elif name == b"data":
            audio = body
        start += 8 + size + size % 2
    if form is None or audio is None:
        raise ValueError(f"{path} has no format or no audio in it")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= _SHORTEST_FORMAT + 10:
        tag = struct.unpack_from("<H", form, 24)[0]
    if (tag, bits) not in ((_PCM, 16), (_ULAW, 8)) or rate != SAMPLE_RATE or channels not in (1, 2):
        raise ValueError(
            f"{path} must have 8,000 Hz, one or two channels, and 16-bit PCM or µ-law;"
            f" `sox {path} -r 8000 -e mu-law out.wav` makes one"
        )
    whole = len(audio) // (channels * bits // 8) * (channels * bits // 8)
    ulaw = encode(audio[:whole]) if tag == _PCM else audio[:whole]
    return tuple(ulaw[channel::channels] for channel in range(channels))
