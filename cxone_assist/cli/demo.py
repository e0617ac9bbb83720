"""``cxone-assist demo``: a whole call on this machine, from CXone's side to the WAV file."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..auth import StaticTokens
from ..call_events import AudioPlaced, CallEvent
from ..messages import StreamPerspective
from ..mulaw import SAMPLE_RATE, SILENCE
from ..recording import Recorder
from ..server import Server
from ..simulator import CallReport, Lockstep, plan, play, simple_call, speech
from ..testing import init_message
from ..wav import read_wav
from .output import Output
from .show import as_document, in_words

_TOKEN = "demo"  # noqa: S105 - it opens nothing but the demo's own endpoint
_RATE = 10
_SECONDS = 20
_HOLD = (6.0, 9.0)
_DROP = 14.0
_SIDES = ((StreamPerspective.TX, "contact", "left"), (StreamPerspective.RX, "agent", "right"))


def demo(output: Output, directory: Path | None) -> int:
    """Play the call. Gives the exit code: 0 only where the recording holds what was played."""
    directory = Path(tempfile.mkdtemp(prefix="cxone-assist-")) if directory is None else directory
    before = set(directory.glob("*.wav"))
    events: list[CallEvent] = []
    clock = Lockstep()
    with Recorder(directory) as recorder:

        def on_call(event: CallEvent) -> None:
            clock.on_call(event)
            recorder.handle(event)
            if not isinstance(event, AudioPlaced):
                events.append(event)

        with Server(
            authorize=StaticTokens(_TOKEN),
            on_audio=clock.on_audio,
            on_call=on_call,
            place_audio=True,
            inline=True,
            clock=clock.now,
        ) as server:
            output.line(f"An endpoint listens at {server.url}")
            output.line(
                f"CXone plays a call of {_SECONDS} seconds to it, {_RATE} times faster: two sockets, a hold"
                f" from {_HOLD[0]:g} s to {_HOLD[1]:g} s that closes them, a cut at {_DROP:g} s\n"
            )
            report = _play(server.url, clock)
    wavs = sorted(set(directory.glob("*.wav")) - before)
    start = events[0].at if events else 0.0
    output.table(
        "What the endpoint saw, in seconds of the call:",
        ("at", "event", "detail"),
        [(f"{event.at - start:6.2f}", type(event).__name__, in_words(event)) for event in events],
    )
    compared = _compare(output, report, wavs)
    ok = report.ok and len(wavs) == 1 and all(each["equal"] for each in compared)
    for fault in (*report.unreachable, *report.refused, *report.violations, *report.unmet):
        output.line(f"CXone: {fault}")
    output.line("")
    for wav in wavs:
        output.line(f"The call as a stereo WAV: {wav}")
    output.line("What was played is what was recorded." if ok else "Something is not as it should be.")
    output.document(
        {
            "ok": ok,
            "wav": [str(wav) for wav in wavs],
            "compared": compared,
            "events": [as_document(event, start=start) for event in events],
        }
    )
    return 0 if ok else 1


def _play(url: str, clock: Lockstep) -> CallReport:
    steps = simple_call(holds=[_HOLD], drops=[_DROP])
    audio = {side: speech(side, _SECONDS - round(_HOLD[1] - _HOLD[0])) for side, _, _ in _SIDES}
    init = init_message(authentication_token=_TOKEN)
    return play(url, plan(steps, audio), init, rate=_RATE, lockstep=clock)


def _compare(output: Output, report: CallReport, wavs: list[Path]) -> list[dict[str, object]]:
    channels = read_wav(wavs[0]).channels if len(wavs) == 1 else ()
    compared: list[dict[str, object]] = []
    rows = []
    for (side, who, place), recorded in zip(_SIDES, channels, strict=False):
        played = report.track(side)
        equal = bool(played) and recorded == played.ljust(len(recorded), bytes([SILENCE]))
        verdict = "equal" if equal else f"DIFFERENT from {_first_difference(played, recorded):.3f} s on"
        rows.append((who, place, f"{len(played):,}", f"{len(recorded):,}", verdict))
        compared.append({"side": who, "played": len(played), "recorded": len(recorded), "equal": equal})
    output.line("")
    output.table(
        "What was played, with silence for the hold, and what the WAV holds, in samples:",
        ("side", "channel", "played", "recorded", "content"),
        rows,
    )
    return compared


def _first_difference(played: bytes, recorded: bytes) -> float:
    shorter = min(len(played), len(recorded))
    first = next((at for at in range(shorter) if played[at] != recorded[at]), shorter)
    return first / SAMPLE_RATE
