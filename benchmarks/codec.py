"""µ-law to PCM and back, a frame and some seconds, beside audioop, numpy and the formula in a loop."""

import random
import sys
import warnings
from functools import partial

from cxone_assist import mulaw

from .rows import Row, Size, Way, against, found, in_turns

COMPARED = ("numpy", "audioop")
ROUNDS: dict[Size, int] = {"tiny": 1, "quick": 5, "full": 25}
SECONDS: dict[Size, int] = {"tiny": 1, "quick": 5, "full": 60}
FRAME = mulaw.SAMPLE_RATE // 50
BIAS, CLIP = 0x84, 32635


def naive_decode(ulaw: bytes) -> bytes:
    """The formula of the standard, sample by sample."""
    pcm = bytearray()
    for code in ulaw:
        inverted = ~code & 0xFF
        magnitude = (((inverted & 0x0F) << 3) + BIAS << (inverted >> 4 & 0x07)) - BIAS
        pcm += (-magnitude if inverted & 0x80 else magnitude).to_bytes(2, "little", signed=True)
    return bytes(pcm)


def naive_encode(pcm: bytes) -> bytes:
    """The same the other way."""
    ulaw = bytearray()
    for start in range(0, len(pcm), 2):
        sample = int.from_bytes(pcm[start : start + 2], "little", signed=True)
        sign = 0x80 if sample < 0 else 0
        magnitude = min(abs(sample), CLIP) + BIAS
        segment = magnitude.bit_length() - 8
        ulaw.append(~(sign | segment << 4 | magnitude >> segment + 3 & 0x0F) & 0xFF)
    return bytes(ulaw)


def numpy_ways(ulaw: bytes, pcm: bytes) -> tuple[Way, Way]:
    """A look-up in a table of all codes, and in one of all samples."""
    import numpy as np  # noqa: PLC0415 - it may not be there

    linear = np.frombuffer(mulaw.decode(bytes(range(256))), dtype="<i2")
    every_sample = np.arange(65536, dtype="<u2").tobytes()
    codes = np.frombuffer(mulaw.encode(every_sample), dtype="u1")

    def decode() -> bytes:
        return linear[np.frombuffer(ulaw, dtype="u1")].tobytes()

    def encode() -> bytes:
        return codes[np.frombuffer(pcm, dtype="<u2")].tobytes()

    return decode, encode


def audioop_ways(ulaw: bytes, pcm: bytes) -> tuple[Way, Way]:
    """The module in C: of the standard library up to Python 3.12, audioop-lts since."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it will be gone in 3.13
        import audioop  # noqa: PLC0415 - it may not be there
    return partial(audioop.ulaw2lin, ulaw, 2), partial(audioop.lin2ulaw, pcm, 2)


def measure(size: Size) -> list[Row]:
    """A row for each direction, each length and each other way."""
    rows: list[Row] = []
    audio = random.Random(0).randbytes(SECONDS[size] * mulaw.SAMPLE_RATE)
    in_c = "audioop" if sys.version_info < (3, 13) else "audioop-lts"
    for length, ulaw in (("160 bytes", audio[:FRAME]), (f"{SECONDS[size]} s", audio)):
        pcm = mulaw.decode(ulaw)
        decode: dict[str, Way] = {"ours": partial(mulaw.decode, ulaw)}
        encode: dict[str, Way] = {"ours": partial(mulaw.encode, pcm)}
        if found("audioop"):
            decode[in_c], encode[in_c] = audioop_ways(ulaw, pcm)
        if found("numpy"):
            decode["numpy look-up"], encode["numpy look-up"] = numpy_ways(ulaw, pcm)
        decode["naive loop"] = partial(naive_decode, ulaw)
        encode["naive loop"] = partial(naive_encode, pcm)
        for direction, ways in (("decode", decode), ("encode", encode)):
            times = in_turns(ways, items=len(ulaw), rounds=ROUNDS[size])
            rows += against(times, "ours", "sample", f"{direction}, {length}")
    return rows
