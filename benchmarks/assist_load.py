"""Streams that one core takes, with decoding, beside a bare picows endpoint that decodes too.

python benchmarks/assist_load.py [streams] [seconds] [--record] [--rounds N] [--ceiling STEP]

The endpoints run on core 0, one at a time; the generator runs on the last core. Each round loads the bare
endpoint and then ours, so that whatever else the machine does meets both. Printed for each: what was lost
and late, delivery times, memory, and the processor time for a frame, which is the steadiest figure on a
busy machine; then the ratio of the two. ``--ceiling 100`` also adds 100 streams at a time to each until
a frame is lost or late. ``--record`` has ours record every stream. Both endpoints make full garbage
collections rare: see docs/how-to/assist-server.md.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import attrs
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from cxone_assist.messages import build_connected
from cxone_assist.simulator._measured import Meter, spare_the_collector
from cxone_assist.simulator.load import LoadReport, MeasuredEndpoint, find_ceiling
from cxone_assist.testing import init_message

CORE = 0
SHAKE_HANDS_ONLY = 0.02
TICKS = os.sysconf("SC_CLK_TCK")
PROMISED_RATIO = 0.85


# --- the bare endpoint, a process of its own -----------------------------------------------------


def serve_bare() -> None:
    """Decode and measure every frame, with nothing between picows and the meter."""
    os.sched_setaffinity(0, {CORE})
    meter = Meter()
    spare_the_collector()
    hear = meter.on_audio
    connected = build_connected(init_message())
    binary, text, close = WSMsgType.BINARY, WSMsgType.TEXT, WSMsgType.CLOSE

    class Listener(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            kind = frame.msg_type
            if kind == binary:
                hear(None, frame.get_payload_as_bytes(), 0)
            elif kind == text:
                transport.send(text, connected)
            elif kind == close:
                transport.disconnect()

    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)

    async def forever() -> None:
        server = await ws_create_server(lambda _request: Listener(), sock=listening, backlog=2048)
        await server.serve_forever()

    loop = importlib.import_module("uvloop").new_event_loop()
    Thread(target=loop.run_until_complete, args=(forever(),), daemon=True).start()
    for _ in sys.stdin:
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}/"
        print(json.dumps({"url": url, **meter.report()}), flush=True)
        meter.reset()


# --- what is measured ----------------------------------------------------------------------------


@attrs.define
class Side:
    """An endpoint, and the processor time that it used for frames so far."""

    name: str
    process: subprocess.Popen[str]
    endpoint: MeasuredEndpoint
    handshakes: float = 0.0
    seconds: float = 0.0
    frames: float = 0.0

    def used(self) -> float:
        """Return the seconds of processor time that its process has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def shake_hands(self, streams: int) -> None:
        """Measure what the handshakes take, which is no part of a frame. It warms up, too."""
        for _ in range(2):
            before = self.used()
            self.endpoint.load(streams=streams, seconds=SHAKE_HANDS_ONLY)
            self.handshakes = self.used() - before

    def round(self, streams: int, seconds: float) -> LoadReport:
        before = self.used()
        report = self.endpoint.load(streams=streams, seconds=seconds)
        used = self.used() - before - self.handshakes
        self.seconds += used
        self.frames += report.endpoint["frames"] - streams
        self.show(report, used / (report.endpoint["frames"] - streams))
        return report

    def show(self, report: LoadReport, for_a_frame: float) -> None:
        seen = report.endpoint
        print(
            f"{self.name:>5}: sent {report.sent:,}, lost {report.sent - seen['frames']:,.0f}, blocked"
            f" {report.blocked:,}, late {seen['late']:.0f} of {seen['measured']:,.0f};"
            f" p50 {seen['p50'] * 1e3:.1f} p99 {seen['p99'] * 1e3:.1f} worst {seen['worst'] * 1e3:.1f} ms;"
            f" {for_a_frame * 1e6:.2f} us a frame; {seen['megabytes']:.0f} MB;"
            f" generator at most {report.worst_send_lateness * 1e3:.0f} ms behind"
            f" -> {'clean' if report.clean else 'NOT clean'}",
            flush=True,
        )


@contextmanager
def running(name: str, *command: str) -> Iterator[Side]:
    with subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Side(name, process, MeasuredEndpoint(process))
        finally:
            process.terminate()


def ceiling(side: Side, *, start: int, step: int, seconds: float) -> int:
    """Return the most streams of which no frame was lost or late."""
    best = 0
    for report in find_ceiling(side.endpoint, start=start, step=step, seconds=seconds):
        best = report.streams if report.clean else best
    return best


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("streams", type=int, nargs="?", default=2000)
    parser.add_argument("seconds", type=float, nargs="?", default=60)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--ceiling", type=int, metavar="STEP")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print("load of the machine before:", os.getloadavg())
    with ExitStack() as stack:
        ours = ["-m", "cxone_assist.simulator._measured", f"--core={CORE}"]
        if options.record:
            ours.append(f"--record={stack.enter_context(tempfile.TemporaryDirectory())}")
        sides = [
            stack.enter_context(running("bare", __file__, "--bare")),
            stack.enter_context(running("ours", *ours)),
        ]
        for side in sides:
            side.shake_hands(options.streams)
        for _ in range(options.rounds):
            for side in sides:
                side.round(options.streams, options.seconds)
        bare, own = (side.seconds / side.frames for side in sides)
        print(
            f"processor time for a frame: bare {bare * 1e6:.2f} us, ours {own * 1e6:.2f} us;"
            f" ratio {bare / own:.2f}, promised {PROMISED_RATIO}"
        )
        if options.ceiling:
            tops = [
                ceiling(side, start=options.streams, step=options.ceiling, seconds=options.seconds)
                for side in sides
            ]
            print(
                f"most streams without a late frame: bare {tops[0]}, ours {tops[1]};"
                f" ratio {tops[1] / max(tops[0], 1):.2f}, promised {PROMISED_RATIO}"
            )
    print("load of the machine after:", os.getloadavg())


if __name__ == "__main__":
    serve_bare() if "--bare" in sys.argv else main()
