"""``cxone-assist call``: play one call to an endpoint, as CXone would."""

from __future__ import annotations

import math
import ssl as ssl_module
from collections.abc import Sequence
from pathlib import Path

from ..messages import StreamPerspective, WebSocketHookInitializeMessage
from ..mulaw import SAMPLE_RATE
from ..simulator import Action, CallReport, Step, parse_scenario, plan, play, simple_call, speech
from ..wav import read_wav
from .output import Output

__all__ = ["call", "read_audio"]


def read_audio(contact: Path | None, agent: Path | None) -> dict[StreamPerspective, bytes]:
    """Return what both sides say: of the files, of a stereo file both, else tones of our own."""
    if contact is None:
        return {side: speech(side) for side in (StreamPerspective.TX, StreamPerspective.RX)}
    channels = _channels(contact)
    audio = {StreamPerspective.TX: channels[0], StreamPerspective.MIX: channels[0]}
    if agent is not None:
        audio[StreamPerspective.RX] = _channels(agent)[0]
    elif len(channels) > 1:
        audio[StreamPerspective.RX] = channels[1]
    return audio


def _channels(path: Path) -> tuple[bytes, ...]:
    try:
        return read_wav(path).channels
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def call(
    output: Output,
    url: str,
    *,
    init: WebSocketHookInitializeMessage,
    ssl: ssl_module.SSLContext | None,
    audio: dict[StreamPerspective, bytes],
    scenario: Path | None,
    holds: Sequence[str],
    drops: Sequence[float],
    silent_hold: bool,
    rate: str,
    seed: int,
) -> int:
    """Play the call. Gives the exit code of ``CallReport``, or 4 where it cannot be played."""
    try:
        speed = _speed(rate)
        if scenario is None:
            sides = tuple(side for side in (StreamPerspective.TX, StreamPerspective.RX) if side in audio)
            spans = [_span(hold) for hold in holds]
            steps: Sequence[Step] = simple_call(
                holds=spans, drops=drops, silent_hold=silent_hold, perspectives=sides
            )
        else:
            steps = parse_scenario(scenario.read_bytes())
        actions = plan(steps, audio, seed=seed)
    except (ValueError, OSError) as error:
        output.failure(str(error))
        return 4

    def show(action: Action) -> None:
        what = f" {action.what}" if action.what else ""
        output.line(f"{action.at:7.2f} s  {action.perspective}  {action.kind.name.lower()}{what}")

    report = play(url, actions, init, rate=speed, ssl=ssl, on_action=show)
    _show(output, report)
    return report.exit_code


def _speed(text: str) -> float:
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise ValueError(f"the rate is a number above 0, or max, not {text!r}")
    return speed


def _span(text: str) -> tuple[float, float]:
    start, _, end = text.partition(":")
    try:
        return float(start), float(end)
    except ValueError:
        raise ValueError(f"a hold is FROM:TO in seconds, such as 3:5, not {text!r}") from None


def _show(output: Output, report: CallReport) -> None:
    seconds = report.samples / SAMPLE_RATE
    output.line(f"\n{report.frames} frames, {seconds:.2f} s of audio sent")
    if report.handshake_seconds:
        output.line(f"CONNECTED after {max(report.handshake_seconds) * 1000:.0f} ms at most")
    output.line(f"the simulator's own lateness: {report.worst_lateness * 1000:.1f} ms at most")
    if report.late_frames:
        output.line(f"{report.late_frames} frames left more than 20 ms late: this machine was too busy")
    for message in report.messages:
        output.line(f"the endpoint sent {message.message_type}")
    faults = [*report.unreachable, *report.refused, *report.violations, *report.unmet]
    for fault in faults:
        output.failure(fault)
    for warning in report.warnings:
        output.line(f"look: {warning}")
    output.document(
        {
            "ok": report.ok,
            "frames": report.frames,
            "seconds": seconds,
            "handshakeSeconds": report.handshake_seconds,
            "worstLateness": report.worst_lateness,
            "lateFrames": report.late_frames,
            "messages": len(report.messages),
            "warnings": report.warnings,
            "faults": faults,
        }
    )
