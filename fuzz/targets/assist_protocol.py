"""Both ends of a stream: whatever a peer sends, and in whatever pieces, gives events and nothing else.

Each line is a step: its first byte says what happens, the rest is the payload.

    t text    b audio    T, B the same in frames of 3 bytes    f a frame of a message that never ends
    a accept  r reject   m send a message    k half a minute goes by    x the socket closes    n a new stream
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import get_args

from cxone_assist import (
    AssistConnection,
    AssistEvent,
    LocalProtocolError,
    PlatformConnection,
    PlatformEvent,
    ProtocolViolation,
    StaticTokens,
)
from cxone_assist.server._fragments import BINARY, CONTINUATION, TEXT, Fragments, MalformedMessage
from cxone_assist.testing import init_message, negotiated_init

TOKEN = "s3cret-q7Xk"
LIMIT = 4096
PIECE = 3
PATIENCE = 30.0
EVENTS = {AssistConnection: get_args(AssistEvent), PlatformConnection: get_args(PlatformEvent)}
LONGEST_INPUT = 2048
"""More steps find no more, and take long."""
INITS = (init_message(), negotiated_init())


class _Streams:
    """A stream with both its ends, each told the same."""

    def __init__(self, number: int) -> None:
        self.now = 0.0
        self.fragments = Fragments(LIMIT)
        self.assist = AssistConnection(
            authenticate=StaticTokens(TOKEN) if number % 2 else None, max_message=LIMIT
        )
        self.platform = PlatformConnection(max_message=LIMIT)
        self.platform.connect(INITS[number % 2])

    def receive(self, message: str | bytes) -> None:
        for connection in (self.assist, self.platform):
            before = connection.position
            event = connection.receive(message)
            assert isinstance(event, EVENTS[type(connection)]), event
            assert TOKEN not in repr(event), event
            assert before <= connection.position <= before + len(message)
            if isinstance(event, ProtocolViolation):
                assert event.close_code in (None, 1008, 1009)
                assert event.reply is None or json.loads(event.reply)

    def pieces(self, opcode: int, payload: bytes) -> None:
        cuts = range(0, max(len(payload), 1), PIECE)
        for start in cuts:
            try:
                message = self.fragments.add(
                    opcode if start == 0 else CONTINUATION,
                    payload[start : start + PIECE],
                    fin=start == cuts[-1],
                )
            except MalformedMessage as error:
                assert error.code in (1002, 1007, 1009)
                self.fragments = Fragments(LIMIT)
                return
            if message is not None:
                self.receive(message)

    def step(self, what: bytes, payload: bytes) -> None:
        if what == b"t":
            self.receive(payload.decode("utf-8", "surrogateescape"))
        elif what == b"b":
            self.receive(payload)
        elif what in (b"T", b"B"):
            self.pieces(TEXT if what == b"T" else BINARY, payload)
        elif what == b"f":
            with suppress(MalformedMessage):
                self.fragments.add(CONTINUATION, payload, fin=False)
        elif what == b"k":
            self.now += PATIENCE
            self.assist.tick(self.now)
            self.platform.tick(self.now)
        elif what == b"x":
            assert self.assist.closed(1000).position == self.assist.position
            self.platform.closed(None, "gone")
        else:
            text = payload.decode("utf-8", "replace")
            says: dict[bytes, Callable[[], str]] = {
                b"a": self.assist.accept,
                b"r": lambda: self.assist.reject(text),
                b"m": lambda: self.assist.send_message("TRANSCRIPT", text),
            }
            with suppress(LocalProtocolError):
                json.loads(says[what]() if what in says else "null")


def fuzz_one(data: bytes) -> None:
    """Play the steps."""
    streams = _Streams(0)
    for number, line in enumerate(data[:LONGEST_INPUT].split(b"\n")):
        if line[:1] == b"n":
            streams = _Streams(number)
        else:
            streams.step(line[:1], line[1:])
