"""Websocket frames to messages: both libraries hand over frames, and CXone may fragment."""

from __future__ import annotations

from .._connection import TOO_BIG

__all__ = ["TEXT", "Fragments", "MalformedMessage"]

CONTINUATION, TEXT, BINARY = 0, 1, 2
PROTOCOL_ERROR, INVALID_TEXT = 1002, 1007


class MalformedMessage(Exception):  # noqa: N818 - what the peer did; the adapters turn it into a close
    """The peer broke a rule of the websocket protocol; ``code`` is what to close with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Fragments:
    """Puts the data frames of one peer together."""

    __slots__ = ("_limit", "_open", "_parts", "_size", "_text")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._text = False
        self._open = False
        """Whether a message is incomplete."""

    def add(self, opcode: int, payload: bytes, *, fin: bool) -> str | bytes | None:
        """Take a data frame, and return the message that it completes, text as ``str``.

        Raises:
            MalformedMessage: the frame is out of order, the message too large, or its text not UTF-8.
        """
        if (opcode == CONTINUATION) is not self._open:
            raise MalformedMessage(PROTOCOL_ERROR, "a frame of another message in the middle of one")
        if not self._open:
            self._text = opcode == TEXT
            self._open = True
        # An empty fragment counts too: a peer may not pile them up for ever.
        self._size += len(payload) or 1
        if self._size > self._limit:
            self._parts.clear()  # and no more is kept: a peer may go on until its socket is cut
            raise MalformedMessage(TOO_BIG, f"at most {self._limit} bytes are read")
        self._parts.append(payload)
        if not fin:
            return None
        whole = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        self._open = False
        if not self._text:
            return whole
        try:
            return whole.decode()
        except UnicodeDecodeError:
            raise MalformedMessage(INVALID_TEXT, "the text is not UTF-8") from None
