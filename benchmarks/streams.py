"""What a frame costs an endpoint that decodes it, on each websocket library, beside that library bare.

    python -m benchmarks.streams 2000 60 --record      what was lost and late, at a load of your own
    python -m benchmarks.streams 1500 10 --ceiling 100

An endpoint is a process of its own on core 0, the generator one on the last core: so many streams, each with
160 bytes every 20 ms. Those that are compared are loaded in turn. A core takes as many streams as a frame's
time goes into 20 ms: at 10 µs, 2,000. All make full garbage collections rare: docs/how-to/assist-server.md.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import attrs

from cxone_assist.messages import build_connected
from cxone_assist.simulator import _measured
from cxone_assist.simulator.load import LoadReport, MeasuredEndpoint, find_ceiling
from cxone_assist.testing import init_message

from .rows import Row, Size, found

COMPARED = ("picows", "uvloop")
LOADS: dict[Size, tuple[int, float]] = {"tiny": (2, 0.2), "quick": (100, 2), "full": (1000, 10)}
ROUNDS: dict[Size, int] = {"tiny": 1, "quick": 1, "full": 3}
CORE = 0
SHAKE_HANDS_ONLY = 0.02
LIBRARIES = ("picows", "websockets")


# --- the endpoints, each a process of its own ----------------------------------------------------


def serve_picows(hear: _measured.Meter, listening: socket.socket) -> Coroutine[None, None, None]:
    """Decode and measure every frame, with nothing between picows and the meter."""
    # Here, for each endpoint is a process that loads only its own.
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server  # noqa: PLC0415

    on_audio, connected = hear.on_audio, build_connected(init_message())
    binary, text, close = WSMsgType.BINARY, WSMsgType.TEXT, WSMsgType.CLOSE

    class Listener(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            kind = frame.msg_type
            if kind == binary:
                on_audio(None, frame.get_payload_as_bytes(), 0)
            elif kind == text:
                transport.send(text, connected)
            elif kind == close:
                transport.disconnect()

    async def serve() -> None:
        server = await ws_create_server(lambda _request: Listener(), sock=listening, backlog=2048)
        await server.serve_forever()

    return serve()


def serve_websockets(hear: _measured.Meter, listening: socket.socket) -> Coroutine[None, None, None]:
    """The same with websockets."""
    from websockets.asyncio.server import ServerConnection  # noqa: PLC0415 - likewise
    from websockets.asyncio.server import serve as listen  # noqa: PLC0415 - likewise

    on_audio, connected = hear.on_audio, build_connected(init_message())

    async def handle(connection: ServerConnection) -> None:
        async for message in connection:
            if isinstance(message, bytes):
                on_audio(None, message, 0)
            else:
                await connection.send(connected)

    async def serve() -> None:
        async with listen(handle, sock=listening, backlog=2048, compression=None, ping_interval=None):
            await asyncio.get_running_loop().create_future()

    return serve()


def serve_bare(library: str) -> None:
    """Run the endpoint without us, and answer as `_measured` does."""
    os.sched_setaffinity(0, {CORE})
    meter = _measured.Meter()
    _measured.spare_the_collector()
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    serving = {"picows": serve_picows, "websockets": serve_websockets}[library](meter, listening)
    new_loop = importlib.import_module("uvloop" if found("uvloop") else "asyncio").new_event_loop
    Thread(target=new_loop().run_until_complete, args=(serving,), daemon=True).start()
    for _ in sys.stdin:
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}/"
        print(json.dumps({"url": url, **meter.report()}), flush=True)
        meter.reset()


def serve_ours(library: str, *more: str) -> None:
    """Run ours on one of the libraries: on websockets as where picows cannot be installed."""
    if library == "websockets":
        sys.modules["picows"] = None  # type: ignore[assignment] # which is how an import is made to fail
    _measured.main([f"--core={CORE}", *more], sys.stdin, lambda line: print(line, flush=True))


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
        """The seconds of processor time that its threads have used, to the nanosecond."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) * 1e-9

    def shake_hands(self, streams: int) -> None:
        """Measure what the handshakes take, which is no part of a frame. It warms up, too."""
        for _ in range(2):
            before = self.used()
            self.endpoint.load(streams=streams, seconds=SHAKE_HANDS_ONLY)
            self.handshakes = self.used() - before

    def round(self, streams: int, seconds: float) -> LoadReport:
        """Load it once."""
        before = self.used()
        report = self.endpoint.load(streams=streams, seconds=seconds)
        self.seconds += self.used() - before - self.handshakes
        self.frames += report.endpoint["frames"] - streams  # of those, the handshakes' own load has one each
        return report

    @property
    def frame(self) -> float:
        """Seconds of processor time for a frame."""
        return self.seconds / self.frames

    def show(self, report: LoadReport) -> None:
        """Print what became of a load."""
        seen = report.endpoint
        print(
            f"{self.name:>16}: sent {report.sent:,}, lost {report.sent - seen['frames']:,.0f}, blocked"
            f" {report.blocked:,}, late {seen['late']:.0f} of {seen['measured']:,.0f};"
            f" p50 {seen['p50'] * 1e3:.1f} p99 {seen['p99'] * 1e3:.1f} worst {seen['worst'] * 1e3:.1f} ms;"
            f" {self.frame * 1e6:.2f} us a frame so far; {seen['megabytes']:.0f} MB;"
            f" generator at most {report.worst_send_lateness * 1e3:.0f} ms behind"
            f" -> {'clean' if report.clean else 'NOT clean'}",
            flush=True,
        )


@contextmanager
def running(role: str, library: str, *more: str) -> Iterator[Side]:
    """An endpoint, until the block ends."""
    command = [sys.executable, "-m", "benchmarks.streams", f"--serve={role}", library, *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Side(f"{role}, {library}", process, MeasuredEndpoint(process))
        finally:
            process.terminate()


def prepare() -> None:
    """Let this process open as many sockets as it may, and keep it off the endpoint's core."""
    import resource  # here, for Windows has none  # noqa: PLC0415

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def measure(size: Size) -> list[Row]:
    """A row for each library that is installed; none where the system has no Linux's /proc."""
    if not Path("/proc/self/schedstat").exists():
        return []
    prepare()
    streams, seconds = LOADS[size]
    rows = []
    for library in LIBRARIES:
        if not found(library):
            continue
        with running("ours", library) as ours, running("bare", library) as bare:
            for side in (ours, bare):
                side.shake_hands(streams)
            for _ in range(ROUNDS[size]):
                for side in (ours, bare):
                    side.round(streams, seconds)
            name = f"{streams} streams on {library}"
            rows.append(
                Row(name=name, ours=ours.frame, item="frame", against=f"bare {library}", theirs=bare.frame)
            )
    return rows


def ceiling(side: Side, *, start: int, step: int, seconds: float) -> int:
    """The most streams of which no frame was lost or late."""
    best = 0
    for report in find_ceiling(side.endpoint, start=start, step=step, seconds=seconds):
        best = report.streams if report.clean else best
    return best


def main() -> None:
    """Load a bare endpoint and ours in turn, and print what was lost and late."""
    parser = ArgumentParser()
    parser.add_argument("streams", type=int, nargs="?", default=2000)
    parser.add_argument("seconds", type=float, nargs="?", default=60)
    parser.add_argument("--library", choices=LIBRARIES, default="picows")
    parser.add_argument("--record", action="store_true", help="ours records every stream")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--ceiling", type=int, metavar="STEP", help="add so many streams until one is late")
    options = parser.parse_args()
    prepare()
    print("load of the machine before:", os.getloadavg())
    with ExitStack() as stack:
        folder = [f"--record={stack.enter_context(tempfile.TemporaryDirectory())}"] if options.record else []
        sides = [
            stack.enter_context(running("bare", options.library)),
            stack.enter_context(running("ours", options.library, *folder)),
        ]
        for side in sides:
            side.shake_hands(options.streams)
        for _ in range(options.rounds):
            for side in sides:
                side.show(side.round(options.streams, options.seconds))
        bare, own = (side.frame for side in sides)
        print(f"a frame: bare {bare * 1e6:.2f} us, ours {own * 1e6:.2f} us: {own / bare:.2f} times that")
        if options.ceiling:
            for side in sides:
                most = ceiling(side, start=options.streams, step=options.ceiling, seconds=options.seconds)
                print(f"{side.name}: {most} streams without a late frame")
    print("load of the machine after:", os.getloadavg())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve=bare"]:
        serve_bare(sys.argv[2])
    elif sys.argv[1:2] == ["--serve=ours"]:
        serve_ours(*sys.argv[2:])
    else:
        main()
