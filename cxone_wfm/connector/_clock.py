"""The runner's clock: the time of day, seconds that never go back, and a wait that can be ended."""

import threading
import time
from datetime import datetime, timezone
from typing import Protocol

__all__ = ["ConnectorClock", "SystemConnectorClock"]


class ConnectorClock(Protocol):
    """The only time that the connector knows.

    More than the clients' clock: intervals are times of day, and a wait ends with a stop.
    """

    def now(self) -> datetime:
        """The time of day in UTC. It may be set, back or ahead."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Return after so many seconds, or as soon as `stop` is set."""
        ...


class SystemConnectorClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time of day in UTC."""
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Return after so many seconds, or as soon as `stop` is set."""
        stop.wait(seconds)
