"""The errors of ``cxone_assist``, and who is to blame.

::

    AssistError
    └── ProtocolError
        ├── LocalProtocolError    raised: our own caller broke a rule
        └── RemoteProtocolError   the peer broke a rule; ``fault`` says which

A connection never raises ``RemoteProtocolError``: it hands it over inside a
``ProtocolViolation`` event. Only reading a record by itself (``from_json``) raises it.
A message of a peer is never quoted in an error, because it may hold a secret.

The codec raises the built-in ``ValueError``.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["AssistError", "Fault", "LocalProtocolError", "ProtocolError", "RemoteProtocolError"]


class Fault(Enum):
    """What a peer did wrong: one member for each kind of wrong message."""

    NOT_JSON = "the text is not JSON"
    NOT_AN_OBJECT = "the text is JSON, but not an object"
    TOO_DEEP = "the JSON is nested too deeply"
    TOO_LARGE = "the message is larger than the limit"
    AFTER_END = "the message came after the stream had ended"
    NO_MESSAGE_IN_TIME = "the first message did not come in time"

    # What CXone's side can do wrong.
    NOT_AN_INIT = "the first message is not an initialize message"
    UNSUPPORTED_VERSION = "the protocol versions on offer are not supported"
    SECOND_INIT = "an initialize message came on a stream that already has one"
    AUDIO_BEFORE_INIT = "audio came before the initialize message"
    AUDIO_BEFORE_CONNECTED = "audio came before the initialize message was answered"

    # What the assist application's side can do wrong.
    NOT_A_COMMAND = "the message carries no command that an assist application may send"
    MESSAGE_BEFORE_CONNECTED = "a message came before the initialize message was answered"
    SECOND_CONNECTED = "CONNECTED came a second time"
    BINARY_FROM_APPLICATION = "binary data came, but audio only ever flows from CXone"


class AssistError(Exception):
    """Base of every error that this package defines."""


class ProtocolError(AssistError):
    """A rule of the protocol was broken; one of the two subclasses says by whom."""


class LocalProtocolError(ProtocolError):
    """Our own caller broke a rule: a bug to fix, not a condition to handle.

    The connection is left as it was.
    """


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule.

    Attributes:
        fault: which rule.
        detail: what was found, without quoting the message; may be empty.
    """

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(fault, detail)
        self.fault = fault
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.fault.value}: {self.detail}" if self.detail else self.fault.value
