"""The connector kit: from raw ACD events to correct WFM data, in pieces that work alone."""

from ._clock import ConnectorClock
from .aggregation import CORRECTABLE, IntervalAggregator, NoDataError
from .health import ConnectorHealth, HealthStatus
from .linting import Finding, Media, Severity, lint
from .records import AgentStatus, AgentTime, AgentTimeState, Contact, Queue
from .replaying import Replayed, replay
from .runner import Connector
from .sender import DurableQueue, Sender, client_sender, durable_sender
from .settings import ConnectorSettings
from .source import AcdSource
from .state_feed import MINIMUM_DWELL, StateFeed

__all__ = [
    "CORRECTABLE",
    "MINIMUM_DWELL",
    "AcdSource",
    "AgentStatus",
    "AgentTime",
    "AgentTimeState",
    "Connector",
    "ConnectorClock",
    "ConnectorHealth",
    "ConnectorSettings",
    "Contact",
    "DurableQueue",
    "Finding",
    "HealthStatus",
    "IntervalAggregator",
    "Media",
    "NoDataError",
    "Queue",
    "Replayed",
    "Sender",
    "Severity",
    "StateFeed",
    "client_sender",
    "durable_sender",
    "lint",
    "replay",
]
