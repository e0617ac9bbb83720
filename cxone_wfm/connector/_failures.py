"""What the runner reads from an error: a line for people, whether somebody must act, how long to wait."""

from ..errors import APIError, PayloadRejectedError, TransportError

_SHOWN = 1000
"""The longest text of an error that is passed on, in characters: our own, with their advice, are shorter."""


def told(error: Exception) -> str:
    """An error in one line, cut short: it may be of anybody's making."""
    text = " ".join(str(error).split())
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


def asked_wait(error: Exception) -> float:
    """How many seconds the other side asked for."""
    asked = getattr(error, "retry_after", None)
    return float(asked) if isinstance(asked, (int, float)) else 0.0


def needs_somebody(error: Exception | None) -> bool:
    """Whether it will fail until somebody changes something. Refused data is put aside: it is none."""
    if not isinstance(error, (APIError, TransportError)) or isinstance(error, PayloadRejectedError):
        return False
    return not error.retryable
