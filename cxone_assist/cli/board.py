"""The table of ``cxone-assist serve``: a row for each side of each call, over all of its sockets."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from attrs import define, field
from rich.console import RenderableType
from rich.text import Text

from ..call_events import Call, CallEnded, CallEvent, Perspective, StreamAttached, StreamDetached
from ..mulaw import SAMPLE_RATE, peak
from ..server import Stream
from .output import Output

__all__ = ["Board"]

_COLUMNS = ("contact", "side", "seconds", "level", "frames", "state")
_METER = 20
_QUIETEST, _LOUD, _TOO_LOUD = -60.0, -6.0, -1.0
"""Where the meter begins, turns yellow and turns red, in dB; 0 is a full 16-bit sample (our choice)."""
_SILENT_SECONDS = 1.0
_SHOWN_SECONDS = 60.0
"""For which a side without a socket is shown: a hold, a failure, or the end."""
_OTHER_LINES = 8
"""Of the terminal: the table's frame, what is above it, and the prompt."""


@define
class _Heard:
    """What was heard on a stream. The server's thread writes it."""

    at: float = 0.0
    peak: int = 0
    """The largest sample since it was last shown."""


@define
class _Row:
    call: Call
    side: Perspective
    stream: Stream
    closed_at: float = math.inf
    samples: int = 0
    """Of the sockets before this one."""
    frames: int = 0

    def reopen(self, stream: Stream) -> None:
        self.samples += self.stream.stats.samples
        self.frames += self.stream.stats.frames
        self.stream, self.closed_at = stream, math.inf

    def cells(self, now: float) -> tuple[str | Text, ...]:
        stats, heard = self.stream.stats, self.stream.data
        meter = _meter(0)
        if self.closed_at < math.inf:
            state = f"no socket for {now - self.closed_at:.0f} s"
        elif isinstance(heard, _Heard):
            silent = now - heard.at
            state = "audio" if silent < _SILENT_SECONDS else f"silent for {silent:.0f} s"
            meter = _meter(heard.peak)
            heard.peak = 0
        else:
            state = "no audio yet"
        if stats.violations:
            state += f", {stats.violations} wrong messages"
        seconds = (self.samples + stats.samples) / SAMPLE_RATE
        frames = self.frames + stats.frames
        return str(self.call.contact_id), str(self.side), f"{seconds:7.1f}", meter, f"{frames:6}", state


@define
class Board:
    """What is known of the calls. ``now`` is the server's clock, in seconds."""

    now: Callable[[], float] = time.monotonic
    _rows: dict[tuple[int, Perspective], _Row] = field(factory=dict, init=False)

    def hear(self, stream: Stream, ulaw: bytes) -> None:
        """Take note of audio, in the server's thread; ``stream.data`` is the board's."""
        if not isinstance(stream.data, _Heard):
            stream.data = _Heard()
        stream.data.at = self.now()
        stream.data.peak = max(stream.data.peak, peak(ulaw))

    def handle(self, event: CallEvent) -> None:
        """Take note of an event, in the thread that shows the table."""
        if isinstance(event, StreamAttached) and isinstance(event.stream_id, Stream):
            key = event.call.number, event.perspective
            if key in self._rows:
                self._rows[key].reopen(event.stream_id)
            else:
                self._rows[key] = _Row(event.call, event.perspective, event.stream_id)
        elif isinstance(event, StreamDetached):
            row = self._rows[event.call.number, event.perspective]
            row.closed_at = event.at
        elif isinstance(event, CallEnded):
            self._rows = {key: row for key, row in self._rows.items() if key[0] != event.call.number}

    def table(self, output: Output) -> RenderableType:
        """Return what is to be shown now, open streams first."""
        now = self.now()
        rows = [row for row in self._rows.values() if now - row.closed_at < _SHOWN_SECONDS]
        rows.sort(key=lambda row: row.closed_at < math.inf)
        room = max(output.console.height - _OTHER_LINES, 1)
        table = output.grid(_COLUMNS, [row.cells(now) for row in rows[:room]])
        if not rows:
            table.caption = "no stream yet"
        elif len(rows) > room:
            table.caption = f"and {len(rows) - room} more"
        return table


def _meter(largest: int) -> Text:
    """Return the level as a bar and in dB."""
    level = 20 * math.log10(largest / 32768) if largest else -math.inf
    bar = round(_METER * min(max(1 - level / _QUIETEST, 0.0), 1.0))
    colour = "red" if level > _TOO_LOUD else "yellow" if level > _LOUD else "green"
    words = f" {round(level):4} dB" if largest else " " * 8
    return Text.assemble(("#" * bar, colour), ("." * (_METER - bar), "dim"), words)
