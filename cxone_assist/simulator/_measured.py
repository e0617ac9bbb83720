"""An endpoint that decodes every frame and measures how late it came: a process of its own, for ``load``.

It writes a line of JSON with its address, then for each line that it reads one with what it has counted
since the line before, until its input ends.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from argparse import ArgumentParser
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from .. import mulaw
from ..recording import Recorder
from ..server import Limits, Server, Stream, allow_all
from .load import LATE_SECONDS, STAMP, percentile

_NANO = 1e-9
_MEGABYTE = 1 << 20 if sys.platform == "darwin" else 1 << 10  # in what the system counts memory in
_LONGEST = 10 * 10**9


class Meter:
    """Counts what arrives."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self.frames = 0
        self.delays = array("d")
        self.cpu = time.process_time()
        self.began = time.monotonic()

    def on_audio(self, _stream: Stream, ulaw: bytes, _position: int) -> None:
        """Decode a frame as a program would, and where it says when it left, note how long ago."""
        mulaw.decode(ulaw)
        self.frames += 1
        delay = time.monotonic_ns() - int.from_bytes(ulaw[:STAMP], "big")
        if 0 <= delay < _LONGEST:  # the others carry no stamp
            self.delays.append(delay * _NANO)

    def report(self) -> dict[str, float]:
        """Return the counts, with the keys of ``LoadReport.endpoint``."""
        delays = sorted(self.delays)
        seconds = max(time.monotonic() - self.began, _NANO)
        return {
            "frames": self.frames,
            "measured": len(delays),
            "late": sum(delay > LATE_SECONDS for delay in delays),
            "p50": percentile(delays, 0.5),
            "p99": percentile(delays, 0.99),
            "worst": delays[-1] if delays else 0.0,
            "cpu": (time.process_time() - self.cpu) / seconds,
            "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEGABYTE,
        }


def spare_the_collector() -> None:
    """Make full collections rare: docs/how-to/assist-server.md advises it with thousands of streams."""
    gc.freeze()
    gc.set_threshold(700, 10, 1000)


def main(arguments: Sequence[str], questions: Iterable[str], answer: Callable[[str], object]) -> None:
    """Serve until there are no more questions; each one is answered by a line."""
    parser = ArgumentParser()
    parser.add_argument("--record")
    parser.add_argument("--core", type=int)
    options = parser.parse_args(arguments)
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    meter = Meter()
    spare_the_collector()
    with ExitStack() as stack:
        recorder = None if options.record is None else stack.enter_context(Recorder(options.record))
        server = stack.enter_context(
            Server(
                authorize=allow_all,
                on_audio=meter.on_audio,
                on_call=None if recorder is None else recorder.handle,
                place_audio=recorder is not None,
                inline=True,
                limits=Limits(streams=100_000),
            )
        )
        for _ in questions:
            answer(json.dumps({"url": server.url, **meter.report()}))
            meter.reset()


if __name__ == "__main__":  # pragma: no cover - covered by the tests in a process of its own
    main(sys.argv[1:], sys.stdin, lambda line: print(line, flush=True))  # noqa: T201 - the answer to the parent
