"""How the connector is: a record for monitoring, and log lines that come when something changes."""

import logging
from datetime import datetime
from enum import Enum

from attrs import define, field, frozen

from ..intervals import Interval
from ._failures import needs_somebody

__all__ = ["ConnectorHealth", "HealthStatus"]

_log = logging.getLogger(__name__)


class HealthStatus(str, Enum):
    """How the connector is, in one word."""

    OK = "ok"
    """Everything goes out."""
    DEGRADED = "degraded"
    """Something fails and is tried again, or was put aside; nobody needs to act as yet."""
    BLOCKED = "blocked"
    """Something will fail until somebody acts: a key, a permission, a path."""


@frozen(kw_only=True)
class ConnectorHealth:
    """How the connector was after its last step. All times are in UTC, None where there is none yet."""

    at: datetime
    """When that was. Where it stays behind for minutes, a call of the source or the sender hangs."""
    status: HealthStatus
    causes: tuple[str, ...] = ()
    """A sentence for each thing that is wrong. Empty when all is well."""
    last_agents: datetime | None = None
    """When the ACD last told of its agents."""
    last_states: datetime | None = None
    """When agent states were last sent."""
    last_report: datetime | None = None
    """When a report was last sent."""
    last_heartbeat: datetime | None = None
    source_failing_since: datetime | None = None
    """Since when every call of the source, or some of them, fail."""
    without_data: tuple[Interval, ...] = ()
    """Intervals whose extract failed, and which are tried again."""
    unsent_states: int = 0
    unsent_reports: int = 0


@frozen(kw_only=True)
class _Trouble:
    sentence: str
    since: datetime
    blocks: bool
    of_source: bool
    kind: str


@define
class Troubles:
    """What is wrong now, by name. Logs when a trouble comes, turns into another, or goes."""

    _now: dict[str, _Trouble] = field(factory=dict)

    def begin(
        self,
        name: str,
        sentence: str,
        now: datetime,
        *,
        error: Exception | None = None,
        of_source: bool = False,
    ) -> None:
        """Something is wrong, or still is."""
        before = self._now.get(name)
        kind = type(error).__name__
        self._now[name] = _Trouble(
            sentence=sentence,
            since=now if before is None else before.since,
            blocks=needs_somebody(error),
            of_source=of_source,
            kind=kind,
        )
        if before is None or before.kind != kind:
            _log.warning("%s", sentence)

    def end(self, name: str, now: datetime) -> None:
        """It is well, or well again."""
        if (trouble := self._now.pop(name, None)) is not None:
            _log.info("%s: well again after %s", name, max(now, trouble.since) - trouble.since)

    def is_on(self, name: str) -> bool:
        """Whether this trouble is there."""
        return name in self._now

    @property
    def status(self) -> HealthStatus:
        """All of them in one word."""
        if any(trouble.blocks for trouble in self._now.values()):
            return HealthStatus.BLOCKED
        return HealthStatus.DEGRADED if self._now else HealthStatus.OK

    @property
    def causes(self) -> tuple[str, ...]:
        """A sentence for each, in the order in which they came."""
        return tuple(
            f"{trouble.sentence} (since {trouble.since:%Y-%m-%d %H:%M:%SZ})" for trouble in self._now.values()
        )

    @property
    def source_failing_since(self) -> datetime | None:
        """Since when the source has failed."""
        return min((trouble.since for trouble in self._now.values() if trouble.of_source), default=None)
