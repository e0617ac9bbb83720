"""What one server takes on, and how long it waits: every number of the server, once.

All of them are our choice: the vendor page states no limit but "at least 2,000 concurrent requests".
"""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

from ..protocol import INIT_TIMEOUT, MAX_MESSAGE

__all__ = ["Limits"]


def _positive(_limits: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401 - numbers, or None
    if value is not None and not value > 0:
        raise ValueError(f"{attribute.name} must be more than 0, and was {value!r}")


@frozen(kw_only=True)
class Limits:
    """What a server takes on. Raises ValueError where a number cannot be meant.

    A stream that exceeds a count is closed with 1013, "try again later", after an ERROR message
    where its initialize message was read. Of one call, a stream of each perspective may be open: a newer
    one takes the place of an older.
    """

    streams: int = field(default=4000, validator=_positive)
    """Open sockets in all, in each process."""
    streams_per_address: int | None = field(default=None, validator=_positive)
    """Open sockets from one network address. None for no limit: CXone comes from few addresses."""
    init_seconds: float = field(default=INIT_TIMEOUT, validator=_positive)
    """For the initialize message to come; then ERROR and close code 1008."""
    authorize_seconds: float = field(default=2.0, validator=_positive)
    """For ``authorize`` to answer; then the stream is refused."""
    message_bytes: int = field(default=MAX_MESSAGE, validator=_positive)
    """Of the largest message that is read; a larger one closes the stream with 1009."""
    unsent_bytes: int = field(default=1 << 20, validator=_positive)
    """Waiting for a peer that does not read what is sent to it; then its socket is cut."""
    buffer_seconds: float = field(default=10.0, validator=_positive)
    """Audio of a stream that waits for its callback; beyond it the oldest is dropped, and counted."""
    ping_seconds: float = field(default=20.0, validator=_positive)
    """Between two pings. A pong that does not come closes nothing."""
    idle_seconds: float | None = field(default=None, validator=_positive)
    """Without a byte from the peer, pings and pongs included, until its socket is cut. None for never: a call
    on hold may keep its socket open and silent (vendor page)."""
    close_seconds: float = field(default=5.0, validator=_positive)
    """For the peer to answer a close; then its socket is cut."""
    resume_seconds: float = field(default=900.0, validator=_positive)
    """For a call without a socket to come back, after a hold or a failure; then the call has ended."""
