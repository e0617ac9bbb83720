"""Push a third-party ACD's data into NICE CXone WFM.

>>> from cxone_wfm import AgentState, WfmClient
>>> with WfmClient.from_env() as wfm:                                          # doctest: +SKIP
...     wfm.heartbeat.send()
...     wfm.agent_states.send([AgentState(login_id="a@b.example", acd_id="Tenant", event_code="READY", ...)])

Clients: `WfmClient`, or each alone: `AuthClient`, `ReportClient`, `AgentStateClient`, `HeartbeatClient`.
Records: `AgentState`, `AgentActivityReport`, `HistoricalReport` and their parts.
Errors: all are a `CXoneError`; the tree is drawn in `cxone_wfm.errors`.

Importing starts nothing and loads no HTTP stack: that comes with the first client.
"""

import logging

from ._http import Clock, Request, Response, SystemClock, Transport
from ._token_cache import AccessToken
from .agent_states import AgentStateClient, SentStates
from .auth import AuthClient
from .client import WfmClient
from .config import Endpoints, RetryPolicy, Route, Timeouts, WfmConfig
from .errors import (
    APIError,
    CertificateError,
    ConfigurationError,
    ConflictingDuplicateError,
    CredentialsRejectedError,
    CXoneError,
    EnqueueOutcomeUnknown,
    Fault,
    ForkedOutboxError,
    NotSentError,
    OutboxError,
    OutboxFull,
    OutboxLockedError,
    OutboxUnavailable,
    OutcomeUnknownError,
    PayloadRejectedError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitedError,
    RedirectError,
    RouteError,
    ServerError,
    SuspectAnswerError,
    TokenRejectedError,
    TransportError,
    ValidationError,
)
from .heartbeat import HeartbeatClient, HeartbeatMonitor, HeartbeatStatus
from .intervals import INTERVAL_LENGTH, Interval
from .models.acd_types import AcdTypes
from .models.agent_activity import AgentActivity, AgentActivityData, AgentActivityReport
from .models.agent_state import AgentState, AgentStateList
from .models.historical import (
    AgentQueueReport,
    AgentSystemPerformanceReport,
    HistoricalReport,
    HistoricalReportData,
    QueueReport,
)
from .models.tokens import (
    AccessKeyTokenRequest,
    RefreshTokenRequest,
    RefreshTokenResponse,
    TokenRequest,
    TokenResponse,
)
from .reports import ReportClient
from .secrets import Secret

__version__ = "0.1.0"

__all__ = [
    "INTERVAL_LENGTH",
    "APIError",
    "AccessKeyTokenRequest",
    "AccessToken",
    "AcdTypes",
    "AgentActivity",
    "AgentActivityData",
    "AgentActivityReport",
    "AgentQueueReport",
    "AgentState",
    "AgentStateClient",
    "AgentStateList",
    "AgentSystemPerformanceReport",
    "AuthClient",
    "CXoneError",
    "CertificateError",
    "Clock",
    "ConfigurationError",
    "ConflictingDuplicateError",
    "CredentialsRejectedError",
    "Endpoints",
    "EnqueueOutcomeUnknown",
    "Fault",
    "ForkedOutboxError",
    "HeartbeatClient",
    "HeartbeatMonitor",
    "HeartbeatStatus",
    "HistoricalReport",
    "HistoricalReportData",
    "Interval",
    "NotSentError",
    "OutboxError",
    "OutboxFull",
    "OutboxLockedError",
    "OutboxUnavailable",
    "OutcomeUnknownError",
    "PayloadRejectedError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "QueueReport",
    "RateLimitedError",
    "RedirectError",
    "RefreshTokenRequest",
    "RefreshTokenResponse",
    "ReportClient",
    "Request",
    "Response",
    "RetryPolicy",
    "Route",
    "RouteError",
    "Secret",
    "SentStates",
    "ServerError",
    "SuspectAnswerError",
    "SystemClock",
    "Timeouts",
    "TokenRejectedError",
    "TokenRequest",
    "TokenResponse",
    "Transport",
    "TransportError",
    "ValidationError",
    "WfmClient",
    "WfmConfig",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())
