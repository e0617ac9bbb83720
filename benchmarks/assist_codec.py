"""What a sample costs in the codec, in nanoseconds: the best of several rounds."""

import random
import timeit

from cxone_assist import mulaw

RATE = mulaw.SAMPLE_RATE


def nanoseconds(function, argument) -> float:
    """Return the time of one call."""
    timer = timeit.Timer(lambda: function(argument))
    number, _ = timer.autorange()
    return 1e9 * min(timer.repeat(7, max(1, number // 4))) / max(1, number // 4)


def main() -> None:
    """Print a row for each measurement."""
    audio = random.Random(0).randbytes(20 * RATE)
    frame, pcm = audio[:160], mulaw.decode(audio)
    decode, encode = nanoseconds(mulaw.decode, audio), nanoseconds(mulaw.encode, pcm)
    print(f"decode, 20 s       {decode / len(audio):8.2f} ns a sample (goal: at most 2.5)")
    print(f"decode, 160 bytes  {nanoseconds(mulaw.decode, frame):8.0f} ns a frame (goal: at most 1000)")
    print(f"encode, 20 s       {encode / len(audio):8.2f} ns a sample (goal: at most 40)")
    print(f"encode, 320 bytes  {nanoseconds(mulaw.encode, pcm[:320]):8.0f} ns a frame")
    print(f"peak, 160 bytes    {nanoseconds(mulaw.peak, frame):8.0f} ns a frame")
    print(f"level, 160 bytes   {nanoseconds(mulaw.level, frame):8.0f} ns a frame")
    interleave = nanoseconds(lambda side: mulaw.interleave(side, side), frame)
    print(f"interleave, 2x160  {interleave:8.0f} ns a frame")
    print(f"encode / decode    {encode / decode:8.1f}")


if __name__ == "__main__":
    main()
