"""G.711 µ-law to 16-bit PCM and back, in pure Python.

CXone sends 8-bit µ-law at 8,000 samples a second, one byte a sample, without a
container (vendor page). PCM here is signed 16-bit, little-endian on every host.

The reference is ITU-T G.711 as coded in the G.191 tool library: it quantises the
one's complement of a negative sample. Python's former ``audioop`` quantised the
two's complement of a sample shifted to 14 bits, and differs on 508 negative
samples, each by one code; ``docs/reference/mulaw.md`` says which.
"""

from __future__ import annotations

import math
import sys
from array import array
from io import BytesIO
from typing import Final, TypeAlias

__all__ = [
    "SAMPLE_RATE",
    "SILENCE",
    "decode",
    "decode_into",
    "deinterleave",
    "duration",
    "encode",
    "interleave",
    "level",
    "peak",
]

Buffer: TypeAlias = bytes | bytearray | memoryview

SAMPLE_RATE: Final = 8000
"""Samples a second; for µ-law also bytes a second (vendor page)."""

SILENCE: Final = 0xFF
"""The µ-law code of zero. 0x00 is not silence: it is the loudest negative sample."""

_BIAS = 132  # added before the segment is found, so that segment k starts at 128 << k
_BIG_ENDIAN = sys.byteorder == "big"

# Large inputs are worked through in blocks: temporaries that stay small are reused by the
# allocator, those of a whole call are mapped and faulted in afresh, which costs more than decoding.
_BLOCK = 16384

_LOW_BYTES, _HIGH_BYTES = slice(0, None, 2), slice(1, None, 2)  # made once: a frame is short


def _linear(code: int) -> int:
    """Return the 16-bit sample of one µ-law code, by the formula of the standard."""
    inverted = ~code & 0xFF
    magnitude = ((((inverted & 0x0F) << 3) + _BIAS) << (inverted >> 4 & 0x07)) - _BIAS
    return -magnitude if inverted & 0x80 else magnitude


def _compression_table() -> list[int]:
    """Return the code of each sample, indexed by the sample as an unsigned 16-bit number.

    Codes fall as samples rise, and a code of segment k covers 8 << k samples. The first
    step is half as wide, because zero lies in its middle; the last runs to the limit.
    The code of ~s is that of s with the sign bit turned.
    """
    positive = bytearray()
    for rank in range(128):
        width = (8 << (rank >> 4)) if rank else 4
        positive += bytes([0xFF - rank]) * width
    positive += b"\x80" * (32768 - len(positive))
    negative = positive[::-1].translate(bytes(code ^ 0x80 for code in range(256)))
    return list(positive + negative)


_LINEAR = [_linear(code) for code in range(256)]
_LOW_BYTE = bytes(sample & 0xFF for sample in _LINEAR)
_HIGH_BYTE = bytes(sample >> 8 & 0xFF for sample in _LINEAR)
_CODE = _compression_table()
_SQUARE = [sample * sample for sample in _LINEAR]
_RANK = bytes(~code & 0x7F for code in range(256))  # grows with the magnitude


def _octets(data: Buffer) -> bytes | bytearray:
    return data if isinstance(data, (bytes, bytearray)) else memoryview(data).tobytes()


def decode(ulaw: Buffer) -> bytes:
    """Return the 16-bit little-endian PCM of µ-law audio, two bytes for each code."""
    codes = ulaw if type(ulaw) is bytes else _octets(ulaw)
    size = len(codes)
    if size <= _BLOCK:
        pcm = bytearray(2 * size)
        pcm[_LOW_BYTES] = codes.translate(_LOW_BYTE)
        pcm[_HIGH_BYTES] = codes.translate(_HIGH_BYTE)
        return bytes(pcm)
    whole = BytesIO()
    whole.seek(2 * size - 1)
    whole.write(b"\0")  # the full size is allocated once
    whole.seek(0)
    block = bytearray(2 * _BLOCK)
    for start in range(0, size, _BLOCK):
        part = codes[start : start + _BLOCK]
        del block[2 * len(part) :]
        block[_LOW_BYTES] = part.translate(_LOW_BYTE)
        block[_HIGH_BYTES] = part.translate(_HIGH_BYTE)
        whole.write(block)
    return whole.getvalue()


def decode_into(ulaw: Buffer, pcm: bytearray | memoryview) -> int:
    """Decode into a buffer of the caller's, from its start, and return how many bytes were written.

    Raises:
        ValueError: the buffer is shorter than two bytes for each code; nothing was written.
    """
    target = memoryview(pcm).cast("B")
    decoded = decode(ulaw)
    if len(target) < len(decoded):
        raise ValueError(f"the PCM buffer holds {len(target)} bytes; {len(decoded)} are needed")
    target[: len(decoded)] = decoded
    return len(decoded)


def encode(pcm: Buffer) -> bytes:
    """Return the µ-law codes of 16-bit little-endian PCM, one byte for each sample.

    Raises:
        ValueError: the length is odd, so the last sample is cut in two.
    """
    octets = _octets(pcm)
    if len(octets) % 2:
        raise ValueError(f"16-bit PCM has two bytes a sample; {len(octets)} bytes is an odd length")
    samples = array("H", bytes(octets))
    if _BIG_ENDIAN:
        samples.byteswap()
    code = _CODE
    return bytes([code[sample] for sample in samples])


def duration(ulaw: Buffer) -> float:
    """Return the length of mono µ-law audio in seconds."""
    return memoryview(ulaw).nbytes / SAMPLE_RATE


def peak(ulaw: Buffer) -> int:
    """Return the largest magnitude in the audio as a 16-bit sample, 0 to 32,124; 0 where it is empty."""
    ranks = _octets(ulaw).translate(_RANK)
    return _LINEAR[0xFF - max(ranks, default=0)]


def level(ulaw: Buffer) -> float:
    """Return the RMS level in dB, where 0 dB is a square wave of 32,768.

    The result is ``-inf`` where every sample is zero or there is none. Speech on a
    telephone line lies mostly between -40 and -15 dB.
    """
    codes = _octets(ulaw)
    energy = sum([_SQUARE[code] for code in codes])
    return 10 * math.log10(energy / len(codes) / 32768**2) if energy else -math.inf


def interleave(left: Buffer, right: Buffer) -> bytes:
    """Return two mono µ-law signals as one stereo signal, left sample first.

    The shorter one is filled with silence; nothing is cut. ``decode()`` of the result is
    stereo PCM, because decoding works sample by sample.
    """
    first, second = _octets(left), _octets(right)
    size = max(len(first), len(second))
    stereo = bytearray([SILENCE]) * (2 * size)
    stereo[: 2 * len(first) : 2] = first
    stereo[1 : 2 * len(second) : 2] = second
    return bytes(stereo)


def deinterleave(stereo: Buffer) -> tuple[bytes, bytes]:
    """Return the left and the right signal of stereo µ-law audio.

    Raises:
        ValueError: the length is odd, so the last pair is cut in two.
    """
    octets = bytes(_octets(stereo))
    if len(octets) % 2:
        raise ValueError(f"stereo µ-law has two bytes a pair; {len(octets)} bytes is an odd length")
    return octets[::2], octets[1::2]
