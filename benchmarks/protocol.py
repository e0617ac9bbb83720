"""A message in the protocol of a stream, beside the least that any receiver does with it."""

import json
from functools import partial

from cxone_assist import AssistConnection, CallAssembler
from cxone_assist.testing import connected_pair, init_message, negotiated_init

from .rows import Row, Size, against, in_turns

COMPARED = ()
ROUNDS: dict[Size, int] = {"tiny": 1, "quick": 9, "full": 50}
FRAMES = 1000
FRAME = bytes(160)
PERIOD = 0.02


def nothing(_payload: bytes, _position: int) -> None:
    """Stand for the application."""


def handshake(text: str) -> str:
    """Accept one stream."""
    connection = AssistConnection()
    connection.receive(text)
    return connection.accept()


def bare() -> None:
    """Count, and call back."""
    position = 0
    for _ in range(FRAMES):
        nothing(FRAME, position)
        position += len(FRAME)


def assembled(*, place_audio: bool) -> None:
    """A call of so many frames, each in time."""
    assembler = CallAssembler(place_audio=place_audio)
    assembler.stream_started(1, init_message(), 0.0)
    for number in range(1, FRAMES):
        assembler.audio(1, FRAME, number * PERIOD)


def measure(size: Size) -> list[Row]:
    """Audio by each way in, and the handshake of each dialect."""
    _, assist = connected_pair()

    def audio() -> None:
        receive = assist.receive_audio
        for _ in range(FRAMES):
            receive(FRAME, nothing)

    def events() -> None:
        receive = assist.receive
        for _ in range(FRAMES):
            receive(FRAME)

    ways = {
        "a bare callback": bare,
        "receive_audio()": audio,
        "receive(), an event a frame": events,
        "CallAssembler.audio()": lambda: assembled(place_audio=False),
        "CallAssembler.audio(), placed": lambda: assembled(place_audio=True),
    }
    times = in_turns(ways, items=FRAMES, rounds=ROUNDS[size])
    rows = [
        row for name in list(ways)[1:] for row in against(times, name, "frame", others=("a bare callback",))
    ]
    for init in (init_message(), negotiated_init()):
        text = init.to_json()
        name = f"handshake, {init.dialect.value}"
        both = {name: partial(handshake, text), "json.loads": partial(json.loads, text)}
        rows += against(in_turns(both, rounds=ROUNDS[size]), name, "stream")
    return rows
