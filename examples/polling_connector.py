"""A whole connector: an ACD that is asked again and again, states, reports and heartbeats. Until Ctrl-C.

Run it with `python examples/polling_connector.py progress.json`, against CXone or `cxone-wfm simulate`. The
ACD in it is made up: put the calls of yours in its place. What was missed while it was down is made up for.
"""

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

from cxone_wfm import Interval, Timeouts, WfmClient
from cxone_wfm.connector import (
    AgentStatus,
    AgentTime,
    AgentTimeState,
    Connector,
    ConnectorSettings,
    Contact,
    Queue,
    client_sender,
)

SETTINGS = ConnectorSettings(
    acd_type="Generic_acdName",
    acd_id="My_ACD",
    login_code="LOGIN",
    logoff_code="LOGOFF",
    queues=[Queue(value="8057", name="Orders", service_level_threshold=timedelta(seconds=20))],
)
AGENTS = ("ann@shop.example", "bob@shop.example")


class MadeUpAcd:
    """An `AcdSource`. What a method cannot tell it must raise: an empty answer says that nothing happened."""

    def agents(self, now: datetime) -> Iterator[AgentStatus]:
        """Who is logged in, and what they do: ready for two minutes, then a call of one minute."""
        minute = (now - timedelta(seconds=5)).replace(second=0, microsecond=0)
        for number, agent in enumerate(AGENTS):
            past = (minute.minute + number) % 3
            code, since = (
                ("IN CALL", minute) if past == 0 else ("READY", minute - timedelta(minutes=past - 1))
            )
            yield AgentStatus(login_id=agent, event_code=code, since=since)

    def contacts(self, interval: Interval) -> Iterator[Contact]:
        """Every contact that arrived, was answered or ended in the interval: here one for each agent."""
        for number, agent in enumerate(AGENTS):
            answered = interval.start + timedelta(minutes=3 * number + 3)
            yield Contact(
                contact_id=f"{interval}-{number}",
                queue="8057",
                agent=agent,
                arrived=answered - timedelta(seconds=15 * (number + 1)),
                answered=answered,
                ended=answered + timedelta(seconds=60),
                talk_time=timedelta(seconds=50),
                hold_time=timedelta(seconds=10),
            )

    def agent_time(self, interval: Interval) -> Iterator[AgentTime]:
        """What the agents did all the time."""
        for number, agent in enumerate(AGENTS):
            busy = interval.start + timedelta(minutes=3 * number + 3)
            after = busy + timedelta(minutes=1)
            yield AgentTime(agent=agent, start=interval.start, end=busy, state=AgentTimeState.READY)
            yield AgentTime(agent=agent, start=busy, end=after, state=AgentTimeState.WORKING)
            yield AgentTime(agent=agent, start=after, end=interval.end, state=AgentTimeState.READY)


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with WfmClient.from_env() as wfm:
        sender = client_sender(wfm.with_options(timeouts=Timeouts(total=10)))
        connector = Connector(MadeUpAcd(), sender, SETTINGS, progress=sys.argv[1])
        connector.run(stop)
    health = connector.health()
    print(
        f"stopped: {health.status.value}, last report at {health.last_report}, {health.unsent_states} unsent"
    )


if __name__ == "__main__":
    main()
