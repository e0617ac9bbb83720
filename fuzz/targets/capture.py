"""A capture file: messages that are told as events of a call, or refused."""

import io
import math
from itertools import islice
from typing import get_args

from cxone_assist import CallAssembler, CallEvent, Capture, assemble
from cxone_assist.capture import replay

EVENTS = get_args(CallEvent)
MOST_EVENTS = 10_000
"""More than a message of some bytes can be the reason for."""


def fuzz_one(data: bytes) -> None:
    """Read a capture, hand its messages over, and assemble the call."""
    try:
        capture = Capture.read(io.BytesIO(data))
    except ValueError as error:
        assert str(error)
        return
    assert math.isfinite(capture.started)
    pauses: list[float] = []
    replay(capture, lambda _message: None, sleep=pauses.append)
    assert all(pause > 0 for pause in pauses)
    told = 0
    for event in islice(assemble([capture, capture], CallAssembler(place_audio=True)), MOST_EVENTS):
        assert isinstance(event, EVENTS), event
        told += 1
    assert told < MOST_EVENTS, "it does not come to an end"
