"""Loads an endpoint: many streams at once, 160 bytes every 20 ms each, sent by absolute deadlines.

Each sixteenth frame carries the time it left; an endpoint of ours on this machine tells from it how
long delivery took.
"""

from __future__ import annotations

import json
import os
import ssl as ssl_module
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from attrs import define, evolve, field, frozen

from ..messages import WebSocketHookInitializeMessage
from ..mulaw import SAMPLE_RATE
from ..testing import init_message, tone
from ._line import Line, LoadError
from .schedule import FRAME_SAMPLES

__all__ = [
    "LoadError",
    "LoadReport",
    "MeasuredEndpoint",
    "OtherEndpoint",
    "find_ceiling",
    "load",
    "measured_endpoint",
]

PERIOD = FRAME_SAMPLES / SAMPLE_RATE
STAMP = 8
"""Bytes at the start of a frame that hold the nanoseconds of the machine's monotonic clock."""
EVERY = 16
"""One frame of so many is measured."""
LATE_SECONDS = 0.02
_SLOTS = 20
_FIRST_CONTACT = 700_000_000_000
_LISTEN_EVERY = 50
_SETTLE_SECONDS = 0.2


@define
class LoadReport:
    """What was sent, and where the endpoint is ours, what came of it."""

    streams: int
    seconds: float
    sent: int = 0
    """Frames that left."""
    blocked: int = 0
    """Frames that did not leave: the endpoint did not read, and the network's buffers were full."""
    lost_streams: int = 0
    """Sockets that the endpoint closed."""
    handshake_p50: float = 0.0
    """Seconds from the initialize message to CONNECTED."""
    handshake_p99: float = 0.0
    worst_send_lateness: float = 0.0
    """Seconds that a frame left after it was due: beyond some 10 ms the generator is the bottleneck."""
    generator_cpu: float = 0.0
    """Share of a core."""
    endpoint: dict[str, float] = field(factory=dict)
    """``frames``, ``late`` (more than 20 ms after they left), ``p50``, ``p99`` and ``worst`` in seconds,
    ``cpu`` as share of a core, ``megabytes`` of memory; empty where the endpoint is not ours."""

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, and, as far as can be told, nothing late."""
        arrived = self.endpoint.get("frames", self.sent)
        late = self.endpoint.get("late", 0)
        return not (self.blocked or self.lost_streams or late) and arrived == self.sent


def load(
    url: str,
    *,
    streams: int,
    seconds: float,
    init: WebSocketHookInitializeMessage | None = None,
    ssl: ssl_module.SSLContext | None = None,
    timeout: float = 5.0,
) -> LoadReport:
    """Put streams on an endpoint for some seconds, and return what happened.

    Each is a call of its own. For many, the limit on open files must allow them (``ulimit -n``).

    Args:
        url: of the endpoint, ``ws://`` or ``wss://``.
        streams: how many at once.
        seconds: how long, from the moment that the last of them was accepted.
        init: the initialize message; each stream has a contact of its own.
        ssl: for ``wss``, in place of the default context.
        timeout: seconds for each answer during the handshakes.

    Raises:
        LoadError: the endpoint refuses streams, or does not answer in time.
        OSError: it cannot be reached.
    """
    template = init or init_message()
    if url.startswith("wss:"):
        ssl = ssl or ssl_module.create_default_context()
    lines: list[Line] = []
    report = LoadReport(streams, seconds)
    try:
        for number in range(streams):
            info = evolve(template.execution_info, contact_id=_FIRST_CONTACT + number)
            lines.append(Line(url, evolve(template, execution_info=info), ssl, timeout))
        times = sorted(line.handshake_seconds for line in lines)
        report.handshake_p50, report.handshake_p99 = percentile(times, 0.5), percentile(times, 0.99)
        _Generator(lines, report).run()
    finally:
        for line in lines:
            line.close()
    return report


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of the ordered values lies; 0 where there are none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _Generator:
    """Sends audio on every line, each 20 ms, in slots of 1 ms."""

    def __init__(self, lines: Sequence[Line], report: LoadReport) -> None:
        mask = os.urandom(4)
        audio = tone(PERIOD)
        self._stamp_mask = int.from_bytes(mask * 2, "big")
        self._head = bytes([0x82, 0xFE]) + len(audio).to_bytes(2, "big") + mask
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(audio))
        self._tail = masked[STAMP:]
        self._plain = self._head + masked
        self._slots = [list(lines[number::_SLOTS]) for number in range(_SLOTS)]
        self._report = report

    def run(self) -> None:
        report = self._report
        began, used = time.monotonic(), time.process_time()
        for tick in range(round(report.seconds / PERIOD)):
            for number, slot in enumerate(self._slots):
                due = began + (tick + number / _SLOTS) * PERIOD
                time.sleep(max(0.0, due - time.monotonic()))
                self._send_slot(slot, tick)
                late = time.monotonic() - due - PERIOD / _SLOTS
                report.worst_send_lateness = max(report.worst_send_lateness, late)
        report.generator_cpu = (time.process_time() - used) / (time.monotonic() - began)

    def _send_slot(self, slot: list[Line], tick: int) -> None:
        gone = [line for index, line in enumerate(slot) if not self._send(line, tick + index)]
        for line in gone:
            slot.remove(line)
            self._report.lost_streams += 1

    def _send(self, line: Line, turn: int) -> bool:
        """Send one frame; False where the line is gone."""
        frame = self._plain
        if turn % EVERY == 0:
            stamp = time.monotonic_ns() ^ self._stamp_mask
            frame = self._head + stamp.to_bytes(STAMP, "big") + self._tail
        try:
            left = line.send(frame)
        except OSError:
            return False
        self._report.sent += left
        self._report.blocked += not left
        return turn % _LISTEN_EVERY != 0 or line.listen()


class _Endpoint(Protocol):
    def load(self, *, streams: int, seconds: float) -> LoadReport: ...


def find_ceiling(endpoint: _Endpoint, *, start: int, step: int, seconds: float) -> Iterator[LoadReport]:
    """Load an endpoint with more and more streams, and yield each report, until one is not clean."""
    streams = start
    while True:
        report = endpoint.load(streams=streams, seconds=seconds)
        yield report
        if not report.clean:
            return
        streams += step


@frozen
class OtherEndpoint:
    """Somebody's endpoint; what arrives there is not known here."""

    url: str
    init: WebSocketHookInitializeMessage
    ssl: ssl_module.SSLContext | None = None

    def load(self, *, streams: int, seconds: float) -> LoadReport:
        """Load it."""
        return load(self.url, streams=streams, seconds=seconds, init=self.init, ssl=self.ssl)


@contextmanager
def measured_endpoint(*, record: str | None = None, core: int | None = None) -> Iterator[MeasuredEndpoint]:
    """Run an endpoint of ours in a process of its own: it decodes every frame, and measures delivery."""
    command = [sys.executable, "-m", "cxone_assist.simulator._measured"]
    command += [f"--record={record}"] if record else []
    command += [f"--core={core}"] if core is not None else []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        endpoint = MeasuredEndpoint(process)
        try:
            yield endpoint
        finally:
            process.terminate()


class MeasuredEndpoint:
    """An endpoint of ours in another process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = str(self._ask()["url"])

    def load(self, *, streams: int, seconds: float) -> LoadReport:
        """Load it, and have it tell what it saw."""
        self._ask()
        report = load(self.url, streams=streams, seconds=seconds)
        time.sleep(_SETTLE_SECONDS)  # what is on its way arrives
        report.endpoint = {name: float(value) for name, value in self._ask().items() if name != "url"}
        return report

    def _ask(self) -> dict[str, float | str]:
        if self._process.stdin is None or self._process.stdout is None:
            raise LoadError(
                "the endpoint has no pipes"
            )  # pragma: no cover - it has; the type does not say so
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer: dict[str, float | str] = json.loads(self._process.stdout.readline() or '{"url": ""}')
        return answer
