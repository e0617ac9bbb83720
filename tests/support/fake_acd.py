"""An ACD that is made up: its contacts and agents follow from the seed, whoever asks, and how often.

And a clock for the runner that moves only by waiting, and by what calls take.
"""

import random
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import cache

from cxone_wfm.connector import AgentStatus, AgentTime, AgentTimeState, ConnectorSettings, Contact, Queue
from cxone_wfm.intervals import INTERVAL_LENGTH, Interval

START = datetime(2024, 4, 17, 6, tzinfo=timezone.utc)
SETTINGS = ConnectorSettings(
    acd_type="Generic_Fake",
    acd_id="Fake",
    login_code="LOGON",
    logoff_code="LOGOFF",
    queues=[
        Queue(value="1", service_level_threshold=timedelta(seconds=20)),
        Queue(value="2"),
        Queue(value="3", outbound=True),
    ],
)


class FakeConnectorClock:
    """Time that passes only when somebody waits, or says so. The time of day can be set."""

    def __init__(self, now: datetime = START, monotonic: float = 5000.0) -> None:
        self.time_of_day = now
        self.seconds = monotonic

    def now(self) -> datetime:
        return self.time_of_day

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, stop: threading.Event, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        self.time_of_day += timedelta(seconds=seconds)


class FakeAcd:
    """An `AcdSource`. `fails` is asked before each answer with the method's name, and may raise."""

    def __init__(
        self,
        clock: FakeConnectorClock,
        *,
        seed: int = 1,
        agents: int = 4,
        contacts_per_interval: int = 3,
        fails: Callable[[str], None] = lambda method: None,
    ) -> None:
        self._clock = clock
        self._seed = seed
        self._agents = [f"agent{number}" for number in range(agents)]
        self._per_interval = contacts_per_interval
        self.fails = fails
        self.extracts: list[Interval] = []
        self.knows_late: dict[str, datetime] = {}
        """From when on the ACD knows of a contact, where that is later than its end."""

    def agents(self, now: datetime) -> Iterator[AgentStatus]:
        self.fails("agents")
        for number, agent in enumerate(self._agents):
            count, past = divmod(now - START, timedelta(minutes=7 + number))
            code = ("READY", "BUSY", "BREAK")[count % 3]
            yield AgentStatus(login_id=agent, event_code=code, since=now - past)

    def contacts(self, interval: Interval) -> Iterator[Contact]:
        self.extracts.append(interval)
        yield from self.everything(interval, self._clock.now())
        self.fails("contacts")  # at the end: what was given before must not count

    def agent_time(self, interval: Interval) -> Iterator[AgentTime]:
        self.fails("agent_time")
        now = min(self._clock.now(), interval.end)
        for number, agent in enumerate(self._agents):
            middle = interval.start + timedelta(minutes=3 + number)
            if middle <= now:
                yield AgentTime(agent=agent, start=interval.start, end=middle, state=AgentTimeState.READY)
                yield AgentTime(agent=agent, start=middle, end=now, state=AgentTimeState.WORKING)

    def everything(self, interval: Interval, now: datetime) -> Iterator[Contact]:
        """All contacts with a part in the interval that have ended, as the ACD knows them then."""
        for back in (2, 1, 0):
            earlier = Interval(start=interval.start - back * INTERVAL_LENGTH)
            for contact in _arrived_in(earlier, self._seed, self._per_interval, tuple(self._agents)):
                assert contact.ended is not None
                moments = (contact.arrived, contact.answered, contact.ended)
                is_known = self.knows_late.get(contact.contact_id, contact.ended) <= now
                if is_known and any(moment in interval for moment in moments if moment is not None):
                    yield contact


@cache
def _arrived_in(interval: Interval, seed: int, count: int, agents: tuple[str, ...]) -> tuple[Contact, ...]:
    luck = random.Random(f"{seed} {interval}")
    return tuple(_contact(luck, f"{interval}-{number}", interval, agents) for number in range(count))


def _contact(luck: random.Random, contact_id: str, interval: Interval, agents: tuple[str, ...]) -> Contact:
    queue = luck.choice(["1", "2", "3"])
    arrived = interval.start + timedelta(seconds=luck.randrange(900))
    answered = arrived + timedelta(seconds=luck.randrange(60))
    talk = timedelta(seconds=luck.randrange(900))
    return Contact(
        contact_id=contact_id,
        queue=queue,
        outbound=queue == "3",
        agent=luck.choice(agents),
        arrived=arrived,
        answered=answered,
        ended=answered + talk,
        talk_time=talk,
        after_contact_work_time=timedelta(seconds=luck.randrange(60)),
        right_party=luck.random() < 0.5 if queue == "3" else None,
    )
