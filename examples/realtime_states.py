"""Agent states from an ACD that tells of changes, one by one: what is to be sent, and when.

Run it with `python examples/realtime_states.py`, against CXone or against `cxone-wfm simulate`. The stream of
events is made up, and lies a few minutes back, so that nobody has to wait for it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from cxone_wfm import AgentState, WfmClient
from cxone_wfm.connector import AgentStatus, StateFeed

BEGIN = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(minutes=5)
AT_THE_START = [("ann@shop.example", "READY"), ("bob@shop.example", "BREAK")]
EVENTS = [
    (10, "ann@shop.example", "RINGING"),  # not sent: it did not last for 3 seconds
    (12, "ann@shop.example", "IN CALL"),
    (30, "cas@shop.example", "READY"),  # a login comes first
    (95, "ann@shop.example", "WRAP UP"),
    (97, "ann@shop.example", "READY"),
    (98, "bob@shop.example", "BREAK"),  # not sent: nothing has changed
    (120, "bob@shop.example", "LOGOFF"),
]


def at(second: int) -> datetime:
    return BEGIN + timedelta(seconds=second)


def stream(feed: StateFeed) -> Iterator[list[AgentState]]:
    """What is to be sent, as time goes by: after each event, and when a state has lasted long enough."""
    yield feed.snapshot(at(0), [AgentStatus(login_id=agent, event_code=code) for agent, code in AT_THE_START])
    for second, agent, code in EVENTS:
        while (due := feed.next_due()) is not None and due <= at(second):
            yield feed.due(due)
        yield feed.change(at(second), AgentStatus(login_id=agent, event_code=code, since=at(second)))
    while (due := feed.next_due()) is not None:
        yield feed.due(due)


def main() -> None:
    feed = StateFeed(acd_id="My_ACD", login_code="LOGIN", logoff_code="LOGOFF")
    unsent: list[AgentState] = []
    with WfmClient.from_env() as wfm:
        for states in stream(feed):
            # What the feed gave counts as sent: where sending fails, keep it for the next time.
            unsent += states
            wfm.agent_states.send(unsent)
            for state in unsent:
                second = (state.event_utc_time - BEGIN).total_seconds()
                print(f"{second:7.3f} s  {state.login_id}  {state.event_code}")
            unsent.clear()


if __name__ == "__main__":
    main()
