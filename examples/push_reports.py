"""Send both reports of the last complete 15 minutes. The settings come from the environment.

Run it with `python examples/push_reports.py`, against CXone or against `cxone-wfm simulate`.
"""

from datetime import datetime, timedelta, timezone

from cxone_wfm import (
    AgentActivity,
    AgentActivityData,
    AgentActivityReport,
    HistoricalReport,
    HistoricalReportData,
    Interval,
    QueueReport,
    WfmClient,
)


def main() -> None:
    interval = Interval.containing(datetime.now(timezone.utc)).previous()
    queue = QueueReport(queue_value="8057", queue_name="Sales", contacts_received=2, handle_time=276.5)
    call = AgentActivity(
        state="TALKING", start_time=interval.start, duration=timedelta(minutes=2, seconds=19)
    )
    historical = HistoricalReport(
        acd_type="Generic_LiveVox",
        start_date=interval.start,
        end_date=interval.end,
        report_data=HistoricalReportData(queue_report=[queue]),
    )
    activity = AgentActivityReport(
        acd_type="Generic_LiveVox",
        start_date=interval.start,
        end_date=interval.end,
        report_data=[AgentActivityData(agent_value="967385", agent_activity=[call])],
    )
    with WfmClient.from_env() as wfm:
        wfm.reports.send_historical(historical)
        wfm.reports.send_agent_activity(activity)
    print(f"CXone confirmed both reports of {interval}")


if __name__ == "__main__":
    main()
