"""A live meter of silence and talk-over: how long the contact talks, the agent, both, and neither.

It prints a line for each second of a call, two or three seconds after it was said, and one more when
the call pauses and when it ends. Time without audio, as on hold, counts as none of the four.
"""

import os

from cxone_assist import AudioPlaced, CallEnded, CallEvent, CallSuspended, StaticTokens, mulaw
from cxone_assist.server import serve

TALKING_DB = -40.0  # louder than this is talk; our choice, to be set by the ear
FRAME, TENTH = 160, 800  # samples
HEARD, CONTACT, AGENT = 1, 2, 4
SIDES: dict[object, int] = {"TX": CONTACT, "RX": AGENT}
COLUMNS = {
    "contact": HEARD | CONTACT,
    "agent": HEARD | AGENT,
    "both": HEARD | CONTACT | AGENT,
    "neither": HEARD,
}


class TalkMeter:
    """What is known of each tenth of a second of one call: a byte with the bits above."""

    def __init__(self) -> None:
        self.tenths = bytearray()
        self.shown = 0  # seconds

    def add(self, side: int, position: int, ulaw: bytes) -> None:
        """Take audio of one side by its position in the call, which is where the sides are aligned."""
        for start in range(0, len(ulaw), FRAME):
            tenth = (position + start) // TENTH
            self.tenths.extend(bytes(max(0, tenth + 1 - len(self.tenths))))
            talks = mulaw.level(ulaw[start : start + FRAME]) > TALKING_DB
            self.tenths[tenth] |= HEARD | side if talks else HEARD


meters: dict[int, TalkMeter] = {}


def on_call(event: CallEvent) -> None:
    if isinstance(event, AudioPlaced) and event.perspective in SIDES:
        meter = meters.setdefault(event.call.number, TalkMeter())
        meter.add(SIDES[event.perspective], event.position, event.payload)
        second = len(meter.tenths) // 10 - 2  # by then the other side's audio has come, too
        if second > meter.shown:
            meter.shown = second
            show(event.call.contact_id, f"{second} s", meter.tenths[: second * 10])
    elif isinstance(event, CallSuspended) and event.call.number in meters:
        show(event.call.contact_id, "paused", meters[event.call.number].tenths)
    elif isinstance(event, CallEnded) and event.call.number in meters:
        show(event.call.contact_id, "ended", meters.pop(event.call.number).tenths)


def show(contact: int | None, when: str, tenths: bytearray) -> None:
    cells = (f"{tenths.count(kind) / 10:9.1f}" for kind in COLUMNS.values())
    print(f"{contact!s:>16}{when:>8}", *cells, sep="", flush=True)


def ready(port: int) -> None:
    print(f"listening on {port}")
    print(f"{'contact id':>16}{'until':>8}", *(f"{name:>9}" for name in COLUMNS), sep="", flush=True)


serve(
    authorize=StaticTokens(os.environ["CXONE_ASSIST_TOKEN"]),
    on_call=on_call,
    place_audio=True,
    port=int(os.environ.get("CXONE_ASSIST_PORT", "8080")),
    drain_seconds=0.0,
    ready=ready,
)
