"""The two state machines of a stream: all of their transitions, and the one thing that applies them.

A table gives for each state and input either the next state, or the fault of the peer
that sent the input, which leaves the state as it is. An input that is missing from a
row is a call that our own caller may not make there. ``docs/explanation/assist-protocol.md`` shows
both tables as diagrams, drawn from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias

from .errors import Fault, LocalProtocolError

__all__ = ["State"]


class State(Enum):
    """Where a stream is."""

    NEW = "not opened yet"
    AWAITING_INIT = "waiting for the initialize message"
    AWAITING_REPLY = "waiting for the answer to the initialize message"
    REQUESTED = "to be accepted or rejected by the application"
    STREAMING = "audio may flow"
    ENDING = "refused or failed; the socket is to be closed"
    CLOSED = "the socket is closed"


class Input(Enum):
    """What happens to a stream. The value is how the diagram shows it."""

    # From CXone.
    INIT = "init"
    BAD_INIT = "init not accepted"
    TEXT = "other text"
    AUDIO = "audio"
    # From the assist application.
    CONNECTED = "CONNECTED"
    REFUSAL = "ERROR"
    MESSAGE = "MESSAGE"
    MALFORMED = "malformed text"
    BINARY = "binary"
    # From either.
    OVERSIZE = "too large"
    CLOSE = "socket closed"
    # From the clock.
    EXPIRED = "deadline"
    # From our caller.
    ACCEPT = "accept()"
    REJECT = "reject()"
    SEND_MESSAGE = "send_message()"
    CONNECT = "connect()"
    SEND_AUDIO = "send_audio()"


Table: TypeAlias = Mapping[State, Mapping[Input, State | Fault]]

_ASSIST_ENDED: Final[Mapping[Input, State | Fault]] = {
    Input.INIT: Fault.AFTER_END,
    Input.BAD_INIT: Fault.AFTER_END,
    Input.TEXT: Fault.AFTER_END,
    Input.AUDIO: Fault.AFTER_END,
    Input.OVERSIZE: Fault.AFTER_END,
    Input.CLOSE: State.CLOSED,
}

ASSIST: Final[Table] = {
    State.AWAITING_INIT: {
        Input.INIT: State.REQUESTED,
        Input.BAD_INIT: State.ENDING,
        Input.TEXT: State.ENDING,
        Input.AUDIO: Fault.AUDIO_BEFORE_INIT,
        Input.OVERSIZE: State.ENDING,
        Input.EXPIRED: State.ENDING,
        Input.REJECT: State.ENDING,
        Input.CLOSE: State.CLOSED,
    },
    State.REQUESTED: {
        Input.INIT: Fault.SECOND_INIT,
        Input.BAD_INIT: Fault.SECOND_INIT,
        Input.TEXT: State.REQUESTED,
        Input.AUDIO: Fault.AUDIO_BEFORE_CONNECTED,
        Input.OVERSIZE: State.ENDING,
        Input.ACCEPT: State.STREAMING,
        Input.REJECT: State.ENDING,
        Input.CLOSE: State.CLOSED,
    },
    State.STREAMING: {
        Input.INIT: Fault.SECOND_INIT,
        Input.BAD_INIT: Fault.SECOND_INIT,
        Input.TEXT: State.STREAMING,
        Input.AUDIO: State.STREAMING,
        Input.OVERSIZE: State.ENDING,
        Input.SEND_MESSAGE: State.STREAMING,
        Input.CLOSE: State.CLOSED,
    },
    State.ENDING: _ASSIST_ENDED,
    State.CLOSED: _ASSIST_ENDED,
}

_PLATFORM_ENDED: Final[Mapping[Input, State | Fault]] = {
    Input.CONNECTED: Fault.AFTER_END,
    Input.REFUSAL: Fault.AFTER_END,
    Input.MESSAGE: Fault.AFTER_END,
    Input.MALFORMED: Fault.AFTER_END,
    Input.BINARY: Fault.AFTER_END,
    Input.OVERSIZE: Fault.AFTER_END,
    Input.CLOSE: State.CLOSED,
}

PLATFORM: Final[Table] = {
    State.NEW: {
        Input.CONNECTED: Fault.MESSAGE_BEFORE_CONNECTED,
        Input.REFUSAL: Fault.MESSAGE_BEFORE_CONNECTED,
        Input.MESSAGE: Fault.MESSAGE_BEFORE_CONNECTED,
        Input.MALFORMED: Fault.MESSAGE_BEFORE_CONNECTED,
        Input.BINARY: Fault.BINARY_FROM_APPLICATION,
        Input.OVERSIZE: State.ENDING,
        Input.CONNECT: State.AWAITING_REPLY,
        Input.CLOSE: State.CLOSED,
    },
    State.AWAITING_REPLY: {
        Input.CONNECTED: State.STREAMING,
        Input.REFUSAL: State.ENDING,
        Input.MESSAGE: Fault.MESSAGE_BEFORE_CONNECTED,
        Input.MALFORMED: State.AWAITING_REPLY,
        Input.BINARY: Fault.BINARY_FROM_APPLICATION,
        Input.OVERSIZE: State.ENDING,
        Input.EXPIRED: State.ENDING,
        Input.CLOSE: State.CLOSED,
    },
    State.STREAMING: {
        Input.CONNECTED: Fault.SECOND_CONNECTED,
        Input.REFUSAL: State.STREAMING,
        Input.MESSAGE: State.STREAMING,
        Input.MALFORMED: State.STREAMING,
        Input.BINARY: Fault.BINARY_FROM_APPLICATION,
        Input.OVERSIZE: State.ENDING,
        Input.SEND_AUDIO: State.STREAMING,
        Input.CLOSE: State.CLOSED,
    },
    State.ENDING: _PLATFORM_ENDED,
    State.CLOSED: _PLATFORM_ENDED,
}


class Machine:
    """A state and the table that moves it."""

    __slots__ = ("_table", "state")

    def __init__(self, table: Table) -> None:
        self._table = table
        self.state = next(iter(table))

    def step(self, occurrence: Input) -> Fault | None:
        """Take an input, and return the peer's fault where it is one.

        Raises:
            LocalProtocolError: our caller may not do this in the present state.
        """
        outcome = self._table[self.state].get(occurrence)
        if outcome is None:
            states = " or ".join(state.name for state, row in self._table.items() if occurrence in row)
            raise LocalProtocolError(
                f"{occurrence.value} is possible in state {states}; this stream is in {self.state.name}"
                f" ({self.state.value})"
            )
        if isinstance(outcome, Fault):
            return outcome
        self.state = outcome
        return None
