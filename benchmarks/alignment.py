"""How far the two sides of an hour-long call drift apart, with stalls, losses and two holds.

The line is simulated, so that the truth is known; the time of arrival is the only thing that the
assembler sees of it. A loss within a stall has no place that could be known: it is counted apart.
"""

import random
import sys
import time
import timeit
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.assist_line import Side, judge

from cxone_assist import AudioLost, CallAssembler, StreamPerspective
from cxone_assist.testing import init_message

HOUR = 3600
FIVE_MS = 40  # samples


def sides(jitter: float, *, seed: int) -> tuple[Side, Side]:
    """Return an hour: one hold that closes the sockets, one that keeps them, and much else."""
    contact = Side(StreamPerspective.TX, seed=seed, jitter=jitter).talk(0.0, 1200).talk(1500, HOUR)
    agent = Side(StreamPerspective.RX, seed=seed + 1, jitter=jitter).talk(0.7, 1200).talk(1500.2, HOUR)
    chance = random.Random(seed)
    for side in (contact, agent):
        side.hush(2400, 2700)
    for start in range(5, HOUR - 20, 60):
        for side in (contact, agent):
            side.stall(start + chance.uniform(0, 10), chance.uniform(0.1, 5.0))
            side.lose(start + chance.uniform(20, 50), chance.randint(1, 10))
    return contact, agent


def hour(jitter: float, *, seed: int = 1) -> str:
    """Play an hour, and return what came of it."""
    contact, agent = sides(jitter, seed=seed)
    started = time.perf_counter()
    verdict = judge(CallAssembler(place_audio=True), contact, agent)
    seconds = time.perf_counter() - started
    losses = [event.samples for event in verdict.events if isinstance(event, AudioLost)]
    both = verdict.errors[StreamPerspective.TX].keys() & verdict.errors[StreamPerspective.RX].keys()
    distance = [
        abs(verdict.errors[StreamPerspective.TX][packet] - verdict.errors[StreamPerspective.RX][packet])
        for packet in both
    ]
    apart = sum(samples > FIVE_MS for samples in distance)
    return (
        f"worst {verdict.misalignment():7.2f} ms, {apart:3} of {len(both)} packets beyond 5 ms, "
        f"duration error {verdict.samples / 8000 - HOUR:+.4f} s, {len(losses)} losses, "
        f"every packet placed: {verdict.placed()}, {seconds:.1f} s"
    )


def cost(*, place_audio: bool) -> float:
    """Return what a frame costs in the assembler, in nanoseconds."""
    assembler = CallAssembler(place_audio=place_audio)
    assembler.stream_started(1, init_message(), 0.0)
    frame, number = bytes(160), 50000
    position = 1

    def run() -> None:
        nonlocal position
        audio = assembler.audio
        for index in range(position, position + number):
            audio(1, frame, index * 0.02)
        position += number

    return min(timeit.repeat(run, number=1, repeat=5)) / number * 1e9


def main() -> None:
    """Print a row for each measurement."""
    print("goal: at most 5 ms, duration error 0")
    for milliseconds in (1, 3, 5, 10, 20):
        print(f"jitter, mean {milliseconds:2} ms: {hour(milliseconds / 1000)}")
    print(f"audio(), in time, not placed  {cost(place_audio=False):6.0f} ns a frame")
    print(f"audio(), in time, placed      {cost(place_audio=True):6.0f} ns a frame")


if __name__ == "__main__":
    main()
