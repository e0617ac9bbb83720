"""A call of two sides with a hold, joined from its streams and recorded, without a network.

Run it with a directory for the WAV file and the JSON lines. A server does the same with the
streams that it has; the time would be ``time.monotonic()``.
"""

import sys
import tempfile
from collections.abc import Sequence

from cxone_assist import AudioPlaced, CallAssembler, CallEvent, Recorder, StreamPerspective
from cxone_assist.testing import audio_frames, init_message, tone

SIDES = {StreamPerspective.TX: tone(2.0), StreamPerspective.RX: tone(2.0, frequency=660.0)}
HOLD = 3.0


def main(directory: str) -> None:
    """Play a call into an assembler, and record it."""
    assembler = CallAssembler(place_audio=True)
    with Recorder(directory, name="example") as recorder:

        def tell(events: Sequence[CallEvent]) -> None:
            for event in events:
                recorder.handle(event)
                if not isinstance(event, AudioPlaced):
                    print(f"{event.at:5.2f} s  {type(event).__name__}")

        for start in (0.0, 2.0 + HOLD):  # CXone closes both sockets for the hold, and opens new ones
            for side in SIDES:
                init = init_message(stream_perspective=side)
                tell(assembler.stream_started((side, start), init, start))
            for index, frames in enumerate(zip(*map(audio_frames, SIDES.values()), strict=True), start=1):
                for side, frame in zip(SIDES, frames, strict=True):
                    tell(assembler.audio((side, start), frame, start + index * 0.02))
            for side in SIDES:
                tell(assembler.stream_closed((side, start), start + 2.0))
        tell(assembler.close(8.0))
    print(f"{recorder.stats.calls} call, {recorder.stats.samples / 8000:g} s of audio")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
