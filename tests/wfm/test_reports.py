"""The promises of `ReportClient`."""

from datetime import datetime, timezone

import pytest
from support.exchange import document, granted, operations

from cxone_wfm import (
    AgentActivityReport,
    AuthClient,
    HistoricalReport,
    HistoricalReportData,
    PayloadRejectedError,
    ReportClient,
)
from cxone_wfm.testing import Answer, FakeClock, FakeTransport, fake_config, reply

START, END = (datetime(2026, 11, 21, 12, minute, tzinfo=timezone.utc) for minute in (0, 15))
ACTIVITY = AgentActivityReport(acd_type="Generic_LiveVox", start_date=START, end_date=END, report_data=[])
HISTORICAL = HistoricalReport(
    acd_type="Generic_LiveVox", start_date=START, end_date=END, report_data=HistoricalReportData()
)


def client(*answers: Answer) -> tuple[ReportClient, FakeTransport]:
    transport = FakeTransport([granted(), *answers])
    auth = AuthClient(fake_config(), transport=transport, clock=FakeClock())
    return ReportClient(fake_config(), auth=auth), transport


def test_each_report_goes_to_its_own_route_as_its_own_json() -> None:
    reports, transport = client(reply(200), reply(202, {"accepted": True}))
    reports.send_agent_activity(ACTIVITY)
    reports.send_historical(HISTORICAL)
    assert operations(transport) == ["access_key_token", "agent_activity_report", "historical_report"]
    assert [request.body for request in transport.requests[1:]] == [ACTIVITY.to_json(), HISTORICAL.to_json()]
    assert document(transport.requests[2])["acdType"] == "Generic_LiveVox"


def test_what_cxone_refuses_is_told() -> None:
    reports, _ = client(reply(422, {"message": "unknown ACD type"}))
    with pytest.raises(PayloadRejectedError, match="unknown ACD type") as caught:
        reports.send_historical(HISTORICAL)
    assert caught.value.operation == "historical_report"


def test_one_report_in_place_of_the_other_is_refused_before_anything_is_sent() -> None:
    reports, transport = client()
    with pytest.raises(TypeError, match="a AgentActivityReport is sent here, not a HistoricalReport"):
        reports.send_agent_activity(HISTORICAL)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a HistoricalReport is sent here, not a bytes"):
        reports.send_historical(b"{}")  # type: ignore[arg-type]
    assert not transport.requests
