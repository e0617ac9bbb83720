"""Loads an endpoint: many streams at once, 160 bytes every 20 ms each, sent by absolute deadlines.

Frames are sent over plain sockets, prepared once, since a general client costs more than the endpoint
under load. Each sixteenth carries the time it left; an endpoint of ours on this machine tells from it
how long delivery took.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from attrs import define, evolve, field
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState
from websockets.frames import CTRL_OPCODES, Frame
from websockets.http11 import Response as HttpResponse
from websockets.uri import parse_uri

from ..events import StreamAccepted
from ..messages import WebSocketHookInitializeMessage
from ..mulaw import SAMPLE_RATE
from ..protocol import PlatformConnection
from ..testing import init_message, tone
from .schedule import FRAME_SAMPLES

__all__ = ["LoadError", "LoadReport", "MeasuredEndpoint", "find_ceiling", "load", "measured_endpoint"]

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

E = TypeVar("E")


class LoadError(Exception):
    """The load could not be put on; the message says why."""


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


class _Line:
    """One stream: a socket whose handshake is done."""

    def __init__(self, url: str, init: WebSocketHookInitializeMessage, timeout: float) -> None:
        uri = parse_uri(url)
        if uri.secure:
            raise LoadError("load speaks ws only; take a TLS proxy away, or load it with a tool of its own")
        self._ws = ClientProtocol(uri)
        self.sock = socket.create_connection((uri.host, uri.port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._shake_hands(init)
        except BaseException:
            self.sock.close()
            raise
        self.sock.setblocking(False)  # noqa: FBT003 - its only argument

    def _shake_hands(self, init: WebSocketHookInitializeMessage) -> None:
        platform = PlatformConnection()
        self._ws.send_request(self._ws.connect())
        self._await(HttpResponse)
        began = time.perf_counter()
        self._ws.send_text(platform.connect(init).encode())
        answer = platform.receive(bytes(self._await(Frame).data).decode(errors="replace"))
        self.handshake_seconds = time.perf_counter() - began
        if not isinstance(answer, StreamAccepted):
            raise LoadError(f"the endpoint did not accept a stream: {type(answer).__name__}")

    def _await(self, kind: type[E]) -> E:
        """Send what is to be sent, pongs included, and return the next event of this kind but pings."""
        while True:
            self.sock.sendall(b"".join(self._ws.data_to_send()))
            data = self.sock.recv(65536)
            if not data:
                raise LoadError("the endpoint closed a socket before it answered")
            self._ws.receive_data(data)
            if self._ws.handshake_exc is not None:
                raise LoadError(f"the endpoint opens no websocket: {self._ws.handshake_exc}")
            for event in self._ws.events_received():
                if isinstance(event, kind) and not (
                    isinstance(event, Frame) and event.opcode in CTRL_OPCODES
                ):
                    return event

    def listen(self) -> bool:
        """Read what the endpoint sends, and answer its pings; False where it has closed the socket."""
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._ws.receive_data(data)
        self._ws.events_received()
        answers = b"".join(self._ws.data_to_send())
        return bool(data) and (not answers or self.sock.send(answers) == len(answers))

    def close(self) -> None:
        """Close the stream as CXone does at the end of a call."""
        with suppress(OSError, InvalidState):  # it may have ended already
            self._ws.send_close(1000)
            self.sock.send(b"".join(self._ws.data_to_send()))
        self.sock.close()


def load(
    url: str,
    *,
    streams: int,
    seconds: float,
    init: WebSocketHookInitializeMessage | None = None,
    timeout: float = 5.0,
) -> LoadReport:
    """Put streams on an endpoint for some seconds, and return what happened.

    Each is a call of its own. For many, the limit on open files must allow them (``ulimit -n``).

    Raises:
        LoadError: the endpoint refuses streams, or does not answer in time.
        OSError: it cannot be reached.
    """
    template = init or init_message()
    lines: list[_Line] = []
    report = LoadReport(streams, seconds)
    try:
        for number in range(streams):
            info = evolve(template.execution_info, contact_id=_FIRST_CONTACT + number)
            lines.append(_Line(url, evolve(template, execution_info=info), timeout))
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

    def __init__(self, lines: Sequence[_Line], report: LoadReport) -> None:
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

    def _send_slot(self, slot: list[_Line], tick: int) -> None:
        gone = [line for index, line in enumerate(slot) if not self._send(line, tick + index)]
        for line in gone:
            slot.remove(line)
            self._report.lost_streams += 1

    def _send(self, line: _Line, turn: int) -> bool:
        """Send one frame; False where the line is gone."""
        frame = self._plain
        if turn % EVERY == 0:
            stamp = time.monotonic_ns() ^ self._stamp_mask
            frame = self._head + stamp.to_bytes(STAMP, "big") + self._tail
        try:
            whole = line.sock.send(frame) == len(frame)  # part of a frame would spoil what follows
        except BlockingIOError:
            self._report.blocked += 1
            return True
        except OSError:
            return False
        self._report.sent += whole
        return whole and (turn % _LISTEN_EVERY != 0 or line.listen())


def find_ceiling(
    endpoint: MeasuredEndpoint, *, start: int, step: int, seconds: float
) -> Iterator[LoadReport]:
    """Load an endpoint of ours with more and more streams, and yield each report, until one is not clean."""
    streams = start
    while True:
        report = endpoint.load(streams=streams, seconds=seconds)
        yield report
        if not report.clean:
            return
        streams += step


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
