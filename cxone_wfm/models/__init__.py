"""The vendor's records: one module for each payload on the page."""

from .acd_types import AcdTypes
from .agent_activity import AgentActivity, AgentActivityData, AgentActivityReport
from .agent_state import AgentState, AgentStateList
from .historical import (
    AgentQueueReport,
    AgentSystemPerformanceReport,
    HistoricalReport,
    HistoricalReportData,
    QueueReport,
)
from .tokens import (
    AccessKeyTokenRequest,
    RefreshTokenRequest,
    RefreshTokenResponse,
    TokenRequest,
    TokenResponse,
)

__all__ = [
    "AccessKeyTokenRequest",
    "AcdTypes",
    "AgentActivity",
    "AgentActivityData",
    "AgentActivityReport",
    "AgentQueueReport",
    "AgentState",
    "AgentStateList",
    "AgentSystemPerformanceReport",
    "HistoricalReport",
    "HistoricalReportData",
    "QueueReport",
    "RefreshTokenRequest",
    "RefreshTokenResponse",
    "TokenRequest",
    "TokenResponse",
]
