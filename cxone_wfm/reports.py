"""ReportClient: the two reports."""

from .auth import AuthClient
from .config import WfmConfig
from .models.agent_activity import AgentActivityReport
from .models.historical import HistoricalReport


class ReportClient:
    """Sends reports to CXone WFM.

    Both methods return when CXone has confirmed the report. They raise a `TransportError` where no
    trustworthy answer came, and an `APIError` where CXone did not take it. Sending the same report
    again is the way out of an unknown outcome: an interval is known by its times (our reading). What
    is no such report raises TypeError.
    """

    def __init__(self, config: WfmConfig, *, auth: AuthClient) -> None:
        self._calls = auth.calls_for(config)

    def send_agent_activity(self, report: AgentActivityReport) -> None:
        """Send the agent activity report of one interval."""
        _check(report, AgentActivityReport)
        self._calls.make("agent_activity_report", report.to_json())

    def send_historical(self, report: HistoricalReport) -> None:
        """Send the historical report of one 15-minute interval: queues, agents' queues, agents' times."""
        _check(report, HistoricalReport)
        self._calls.make("historical_report", report.to_json())


def _check(report: object, wanted: type) -> None:
    if not isinstance(report, wanted):
        raise TypeError(f"a {wanted.__name__} is sent here, not a {type(report).__name__}")
