"""Tokens that are compared in constant time."""

from __future__ import annotations

import hmac

from .messages import WebSocketHookInitializeMessage

__all__ = ["StaticTokens"]


def _bare(token: str) -> bytes:
    scheme, _, credentials = token.strip().partition(" ")
    bare = credentials.strip() if scheme.lower() == "bearer" else token.strip()
    return bare.encode("utf-8", "surrogatepass")


class StaticTokens:
    """The tokens that are accepted, several at once while one is replaced by the next.

    A leading ``Bearer`` is set aside on both sides, because CXone passes on what the
    administrator typed, and receivers are seen to want either. An instance is an
    ``authenticate`` callback for ``AssistConnection``; its ``matches`` is one for
    ``utterance_app``.

    Raises:
        ValueError: there is no token, or one is empty.
    """

    def __init__(self, *tokens: str) -> None:
        self._tokens = [_bare(token) for token in tokens]
        if not self._tokens or not all(self._tokens):
            raise ValueError("StaticTokens needs at least one token, and none may be empty")

    def matches(self, token: str) -> bool:
        """Tell whether a token is one of those accepted; each one is compared, in constant time."""
        candidate = _bare(token)
        return sum(hmac.compare_digest(candidate, accepted) for accepted in self._tokens) > 0

    def __call__(self, init: WebSocketHookInitializeMessage) -> bool:
        """Tell whether an initialize message carries one of the tokens."""
        return self.matches(init.authentication_token)
