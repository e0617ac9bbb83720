"""A made-up day of a contact centre, and what its reports must be, counted by brute force.

    PYTHONPATH=tests python -m support.reference_day            the day of 5,000 agents: make, count, compare

The day is kept as plain whole numbers, milliseconds since 1970. The count is made from those alone,
filters for each interval all contacts anew, and paints agents' time second by second: it shares no
code and no idea with the aggregator but the meaning of the figures.
"""

import argparse
import json
import random
import time
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cxone_wfm.connector.aggregation import IntervalAggregator
from cxone_wfm.connector.records import AgentTime, AgentTimeState, Contact, Queue
from cxone_wfm.intervals import Interval
from cxone_wfm.models.historical import HistoricalReport

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
ZONES = (UTC, NEW_YORK, ZoneInfo("Asia/Kolkata"))
QUARTER = 900_000
HOUR = 3_600_000
ACD_TYPE = "Generic_Reference"
RANKS = {"not_ready": 1, "ready": 2, "working": 3}

ORDINARY = date(2024, 4, 17)
CLOCKS_FORWARD = date(2024, 3, 10)
CLOCKS_BACK = date(2024, 11, 3)


Kinds = dict[str, tuple[bool, int | None]]
"""The queues: whether each is outbound, and its threshold in milliseconds."""


class RawContact(NamedTuple):
    """A contact, all times in milliseconds."""

    contact_id: str
    queue: str
    outbound: bool
    arrived: int
    ended: int
    answered: int | None = None
    talk: int = 0
    hold: int = 0
    work: int = 0
    agent: str | None = None
    queue_delay: int | None = None
    right_party: bool | None = None


class RawSpan(NamedTuple):
    """A span of an agent's time, in whole seconds since 1970."""

    agent: str
    start: int
    end: int
    state: str


class Day(NamedTuple):
    """The queues, the contacts, and the agents' time."""

    queues: Kinds
    contacts: list[RawContact]
    spans: list[RawSpan]

    @property
    def starts(self) -> range:
        """The starts of all intervals in which something happened."""
        moments = [moment for c in self.contacts for moment in (c.arrived, c.ended)]
        moments += [second * 1000 for span in self.spans for second in (span.start, span.end)]
        return range(min(moments) // QUARTER * QUARTER, max(moments) + 1, QUARTER)

    @property
    def intervals(self) -> list[Interval]:
        return [interval(start) for start in self.starts]


def make_day(*, agents: int, queues: int, contacts: int, seed: int, day: date = ORDINARY) -> Day:
    """A day in New York: busy at noon, some of it from the evening before, some into the next morning."""
    luck = random.Random(seed)
    hours = Interval.of_local_day(day, NEW_YORK)
    begin, end = milliseconds(hours[0].start), milliseconds(hours[-1].end)
    kinds = {
        str(8000 + i): (i % 6 == 5, None if i % 4 == 3 else 1000 * luck.choice([10, 20, 30, 60]))
        for i in range(queues)
    }
    names = [f"agent{i}@example.com" for i in range(agents)]
    teams = {queue: luck.sample(names, max(1, 3 * agents // queues)) for queue in kinds}
    made = [_contact(luck, f"c{i}", kinds, teams, (begin, end)) for i in range(contacts)]
    spans = [span for name in names for span in _shift(luck, name, begin // 1000, end // 1000)]
    return Day(kinds, made, spans)


def _contact(
    luck: random.Random, contact_id: str, kinds: Kinds, teams: dict[str, list[str]], hours: tuple[int, int]
) -> RawContact:
    queue = luck.choice(list(kinds))
    outbound, threshold = kinds[queue]
    arrived = hours[0] + int(luck.betavariate(2.5, 2.5) * (hours[1] - hours[0]))
    if luck.random() < 0.02:
        arrived = hours[0] - luck.randrange(2 * HOUR)
    if luck.random() < 0.02:
        arrived -= arrived % QUARTER  # on the very start of an interval
    wait = int(luck.expovariate(1 / (600_000 if luck.random() < 0.05 else 20_000)))
    if threshold and luck.random() < 0.05:
        wait = threshold
    if luck.random() < 0.02:
        wait += -(arrived + wait) % QUARTER
    begun = RawContact(contact_id, queue, outbound, arrived, arrived + wait)
    begun = begun._replace(
        agent=luck.choice(teams[queue]) if luck.random() < 0.98 else None,
        queue_delay=luck.randrange(wait + 1) if luck.random() < 0.05 else None,
    )
    if luck.random() < 0.08:
        return begun
    talk = min(int(luck.lognormvariate(12.2, 0.9)), 2 * HOUR)
    hold = luck.randrange(talk + 1) if luck.random() < 0.15 else 0
    ended = arrived + wait + talk + hold
    if luck.random() < 0.02:
        ended += -ended % QUARTER
    return begun._replace(
        answered=arrived + wait,
        ended=ended,
        talk=talk,
        hold=hold,
        work=luck.randrange(180_000) if luck.random() < 0.6 else 0,
        right_party=luck.random() < 0.7 if outbound else None,
    )


def _shift(luck: random.Random, agent: str, begin: int, end: int) -> Iterator[RawSpan]:
    now = luck.randrange(begin - 7200, end - 7200)
    off = now + 8 * 3600
    while now < off:
        state = luck.choice(["ready", "ready", "working", "working", "working", "not_ready"])
        then = min(off, now + luck.randrange(1, 1800))
        span = RawSpan(agent, now, then, state)
        yield span
        if luck.random() < 0.03:  # another source, or the same extract again
            yield luck.choice([span, RawSpan(agent, now - 60, then + 300, luck.choice(list(RANKS)))])
        now = then + (luck.randrange(600) if luck.random() < 0.02 else 0)


# As the aggregator takes it


def milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def moment(ms: int, zone: int = 0) -> datetime:
    return (EPOCH + timedelta(milliseconds=ms)).astimezone(ZONES[zone % len(ZONES)])


def interval(start: int) -> Interval:
    return Interval(start=moment(start))


def queue_records(day: Day) -> list[Queue]:
    return [
        Queue(
            value=value,
            outbound=outbound,
            service_level_threshold=None if threshold is None else timedelta(milliseconds=threshold),
        )
        for value, (outbound, threshold) in day.queues.items()
    ]


def contact_record(raw: RawContact, until: int | None = None, *, with_work: bool = True) -> Contact:
    """The contact as it is known when `until` comes; by default, at last. Its zone is one of three."""
    zone = raw.arrived % 7
    if until is not None and raw.ended >= until:
        answered = raw.answered is not None and raw.answered < until
        return Contact(
            contact_id=raw.contact_id,
            queue=raw.queue,
            agent=raw.agent if answered else None,
            outbound=raw.outbound,
            arrived=moment(raw.arrived, zone),
            answered=moment(raw.answered, zone) if answered and raw.answered is not None else None,
        )
    return Contact(
        contact_id=raw.contact_id,
        queue=raw.queue,
        agent=raw.agent,
        outbound=raw.outbound,
        arrived=moment(raw.arrived, zone),
        answered=None if raw.answered is None else moment(raw.answered, zone),
        ended=moment(raw.ended, zone),
        talk_time=timedelta(milliseconds=raw.talk),
        hold_time=timedelta(milliseconds=raw.hold),
        after_contact_work_time=timedelta(milliseconds=raw.work if with_work else 0),
        queue_delay=None if raw.queue_delay is None else timedelta(milliseconds=raw.queue_delay),
        right_party=raw.right_party,
    )


def span_record(raw: RawSpan) -> AgentTime:
    zone = raw.start % 7
    return AgentTime(
        agent=raw.agent,
        start=moment(raw.start * 1000, zone),
        end=moment(raw.end * 1000, zone),
        state=AgentTimeState(raw.state),
    )


def all_at_once(day: Day, contacts: Iterable[Contact], spans: Iterable[AgentTime]) -> list[HistoricalReport]:
    """Everything in, and then the report of each interval."""
    aggregator = IntervalAggregator(
        acd_type=ACD_TYPE, queues=queue_records(day), correctable=timedelta(days=3)
    )
    assert aggregator.add_contacts(contacts) == []
    assert aggregator.add_agent_time(spans) == []
    reports = []
    for each in day.intervals:
        aggregator.complete(each)
        reports.append(aggregator.report(each))
    return reports


# The count


def count(day: Day) -> dict[str, object]:
    """The `reportData` of each interval as it must stand on the wire, by `startDate`."""
    painted = _paint(day)
    return {stamp(start): _count(day, start, painted) for start in day.starts}


def stamp(ms: int) -> str:
    return moment(ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def seconds(ms: Iterable[int]) -> float:
    return sum(ms) / 1000


def _count(day: Day, start: int, painted: dict[str, tuple[int, bytearray]]) -> dict[str, object]:
    end = start + QUARTER
    arrived = [c for c in day.contacts if start <= c.arrived < end]
    ended = [c for c in day.contacts if start <= c.ended < end]
    handled = [c for c in ended if c.answered is not None]
    abandoned = [c for c in ended if c.answered is None]
    active = [
        c for c in day.contacts if c.answered is not None and start <= c.answered < end and c.arrived < start
    ]
    queue_rows = []
    for queue in sorted(day.queues):
        own = [[c for c in those if c.queue == queue] for those in (arrived, active, abandoned, handled)]
        queue_rows.append({"queueValue": queue, **_queue_row(day.queues[queue], *own)})
    pairs = {(c.queue, c.agent) for c in active + handled if c.agent is not None}
    by_pair: dict[tuple[str, str | None], tuple[list[RawContact], list[RawContact]]]
    by_pair = {pair: ([], []) for pair in pairs}
    for side, those in enumerate((active, handled)):
        for c in those:
            if c.agent is not None:
                by_pair[c.queue, c.agent][side].append(c)
    rows: dict[str, object] = {"queueReport": queue_rows}
    if pairs:
        rows["agentQueueReport"] = [
            _agent_row(queue, agent, day.queues[queue][0], *by_pair[queue, agent])
            for queue, agent in sorted(pairs)
        ]
    performances = []
    for agent, (first, paint) in sorted(painted.items()):
        part = paint[max(0, start // 1000 - first) : max(0, end // 1000 - first)]
        if login := len(part) - part.count(0):
            ready, not_ready = part.count(RANKS["ready"]), part.count(RANKS["not_ready"])
            performances.append(
                {"agentValue": agent, "readyTime": ready, "notReadyTime": not_ready, "loginTime": login}
            )
    if performances:
        rows["agentSystemPerformanceReport"] = performances
    return rows


def _paint(day: Day) -> dict[str, tuple[int, bytearray]]:
    """For each agent the first second, and from there a byte for each second: 0 or the highest rank."""
    spans: dict[str, list[RawSpan]] = {}
    for span in day.spans:
        spans.setdefault(span.agent, []).append(span)
    painted = {}
    for agent, own in spans.items():
        first = min(span.start for span in own)
        paint = bytearray(max(span.end for span in own) - first)
        for span in sorted(own, key=lambda span: RANKS[span.state]):
            paint[span.start - first : span.end - first] = bytes([RANKS[span.state]]) * (
                span.end - span.start
            )
        painted[agent] = (first, paint)
    return painted


def _waited(c: RawContact) -> int:
    if c.queue_delay is not None:
        return c.queue_delay
    return (c.ended if c.answered is None else c.answered) - c.arrived


def _queue_row(
    kind: tuple[bool, int | None],
    arrived: list[RawContact],
    active: list[RawContact],
    abandoned: list[RawContact],
    handled: list[RawContact],
) -> dict[str, object]:
    outbound, threshold = kind
    row: dict[str, object] = {"isOutbound": outbound, "active": len(active)}
    row |= {"holdTime": seconds(c.hold for c in handled), "workTime": seconds(c.work for c in handled)}
    if outbound:
        return row | _parties(handled)
    row |= {
        "contactsReceived": len(arrived),
        "handleTime": seconds(c.talk + c.hold for c in handled),
        "queueDelayTime": seconds(_waited(c) for c in handled),
    }
    for name, those in (("abandoned", abandoned), ("handled", handled)):
        if threshold is None:
            row[f"{name}Long"] = len(those)
        else:
            row[f"{name}Short"] = sum(_waited(c) < threshold for c in those)
            row[f"{name}Long"] = sum(_waited(c) >= threshold for c in those)
    return row


def _parties(handled: list[RawContact]) -> dict[str, object]:
    right = [c for c in handled if c.right_party]
    wrong = [c for c in handled if not c.right_party]
    return {
        "rightPartyContacts": len(right),
        "rightPartyHandleTime": seconds(c.talk + c.hold for c in right),
        "wrongPartyContacts": len(wrong),
        "wrongPartyHandleTime": seconds(c.talk + c.hold for c in wrong),
    }


def _agent_row(
    queue: str, agent: str | None, outbound: bool, active: list[RawContact], handled: list[RawContact]
) -> dict[str, object]:
    row: dict[str, object] = {"queueValue": queue, "agentValue": agent, "isOutbound": outbound}
    row |= {"active": len(active)}
    row |= {"holdTime": seconds(c.hold for c in handled), "workTime": seconds(c.work for c in handled)}
    if outbound:
        return row | _parties(handled)
    return row | {"handled": len(handled), "handledTime": seconds(c.talk + c.hold for c in handled)}


def as_sent(reports: Iterable[HistoricalReport]) -> dict[str, object]:
    """The `reportData` of each report as it goes on the wire, by `startDate`."""
    documents = [json.loads(report.to_json()) for report in reports]
    assert {document["acdType"] for document in documents} <= {ACD_TYPE}
    return {document["startDate"]: document["reportData"] for document in documents}


# The whole day, from the command line


def figures(data: Iterable[object]) -> int:
    """How many figures there are in report data."""
    return sum(len(row) for each in data if isinstance(each, dict) for rows in each.values() for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the aggregator with a count by brute force.")
    parser.add_argument("--agents", type=int, default=5000)
    parser.add_argument("--queues", type=int, default=60)
    parser.add_argument("--contacts", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--day", type=date.fromisoformat, default=ORDINARY, help="in New York")
    wanted = parser.parse_args()
    day = make_day(
        agents=wanted.agents,
        queues=wanted.queues,
        contacts=wanted.contacts,
        seed=wanted.seed,
        day=wanted.day,
    )
    print(f"{len(day.contacts)} contacts, {len(day.spans)} spans of agents' time, {len(day.queues)} queues")  # noqa: T201 - a command
    began = time.perf_counter()
    expected = count(day)
    print(f"counted by brute force in {time.perf_counter() - began:.1f} s")  # noqa: T201 - a command
    luck = random.Random(wanted.seed)
    contacts, spans = list(map(contact_record, day.contacts)), list(map(span_record, day.spans))
    for order in ("as made", "shuffled"):
        if order == "shuffled":
            luck.shuffle(contacts)
            luck.shuffle(spans)
        found = as_sent(all_at_once(day, contacts, spans))
        wrong = [start for start in expected if found.get(start) != expected[start]]
        print(  # noqa: T201 - a command
            f"{order}: {len(expected)} intervals, {figures(expected.values())} figures compared,"
            f" {len(wrong)} intervals differ {wrong[:3]}"
        )
        if wrong or found.keys() != expected.keys():
            raise SystemExit(1)


if __name__ == "__main__":
    main()
