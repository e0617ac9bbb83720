"""A day of contacts through the aggregator, beside a plain-dict loop and pandas' groupby.

The records are the caller's, and made beforehand. The aggregator is run as a connector runs it: every 15
minutes the contacts and the agents' time that ended in the interval are added, the interval is completed and
its report taken. The other two only add up: they keep nothing, check nothing, know no duplicates and no late
contact, and give no records.
"""

import gc
import sys
import time
from datetime import timedelta
from pathlib import Path

from cxone_wfm.connector.aggregation import IntervalAggregator
from cxone_wfm.connector.records import AgentTime, Contact

from .rows import Row, Size, Way, against, found

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import reference_day
from support.reference_day import QUARTER, Day, RawContact

COMPARED = ("pandas",)
CONTACTS: dict[Size, tuple[int, int]] = {
    "tiny": (200, 400),
    "quick": (5000, 20_000),
    "full": (50_000, 200_000),
}
ROUNDS: dict[Size, int] = {"tiny": 1, "quick": 2, "full": 5}
CONTACTS_AN_AGENT = 40
QUEUES = 60
MEASURES = 8


def aggregate_contacts(day: Day, contacts: list[Contact]) -> IntervalAggregator:
    """Contacts alone, all in one list: what adding one costs."""
    aggregator = IntervalAggregator(
        acd_type="x", queues=reference_day.queue_records(day), correctable=timedelta(days=3)
    )
    aggregator.add_contacts(contacts)
    return aggregator


def reports_of(day: Day, aggregator: IntervalAggregator) -> int:
    """The report of each interval; returns the number of handled contacts."""
    handled = 0
    for interval in day.intervals:
        aggregator.complete(interval)
        for row in aggregator.report(interval).report_data.queue_report or ():
            handled += (row.handled_short or 0) + (row.handled_long or 0) + (row.right_party_contacts or 0)
            handled += row.wrong_party_contacts or 0
    return handled


def aggregate_day(day: Day, extracts: list[tuple[list[Contact], list[AgentTime]]]) -> int:
    """The day as it comes: each interval's extracts, and its report when it is over."""
    aggregator = IntervalAggregator(acd_type="x", queues=reference_day.queue_records(day))
    rows = 0
    for interval, (contacts, spans) in zip(day.intervals, extracts, strict=True):
        aggregator.add_contacts(contacts)
        aggregator.add_agent_time(spans)
        aggregator.complete(interval)
        data = aggregator.report(interval).report_data
        rows += len(data.queue_report or ()) + len(data.agent_queue_report or ())
        rows += len(data.agent_system_performance_report or ())
    return rows


def plain_loop(contacts: list[RawContact]) -> dict[tuple[int, str, str | None], list[int]]:
    """The loop that one writes by hand: by queue, and by queue and agent."""
    sums: dict[tuple[int, str, str | None], list[int]] = {}

    def row(moment: int, queue: str, agent: str | None) -> list[int]:
        key = (moment // QUARTER, queue, agent)
        if key not in sums:
            sums[key] = [0] * MEASURES
        return sums[key]

    for c in contacts:
        row(c.arrived, c.queue, None)[0] += 1
        if c.answered is None:
            row(c.ended, c.queue, None)[3] += 1
            continue
        active = c.answered // QUARTER != c.arrived // QUARTER
        for agent in (None, c.agent) if c.agent else (None,):
            if active:
                row(c.answered, c.queue, agent)[1] += 1
            sums_of_row = row(c.ended, c.queue, agent)
            sums_of_row[2] += 1
            sums_of_row[4] += c.talk + c.hold
            sums_of_row[5] += c.hold
            sums_of_row[6] += c.work
            sums_of_row[7] += c.answered - c.arrived
    return sums


def group_by(day: Day) -> list[object]:
    """The same sums with pandas, out of a table that is made of the same tuples."""
    import pandas as pd  # noqa: PLC0415 - it may not be there

    frame = pd.DataFrame(day.contacts)
    handled = frame[frame["answered"].notna()]
    handled = handled.assign(
        handle=handled["talk"] + handled["hold"], delay=handled["answered"] - handled["arrived"], handled=1
    )
    active = handled[handled["answered"] // QUARTER != handled["arrived"] // QUARTER]
    abandoned = frame[frame["answered"].isna()]
    sums = ["handled", "handle", "hold", "work", "delay"]
    return [
        frame.groupby([frame["arrived"] // QUARTER, "queue"]).size(),
        abandoned.groupby([abandoned["ended"] // QUARTER, "queue"]).size(),
        active.groupby([active["answered"] // QUARTER, "queue"]).size(),
        active.groupby([active["answered"] // QUARTER, "queue", "agent"]).size(),
        handled.groupby([handled["ended"] // QUARTER, "queue"])[sums].sum(),
        handled.groupby([handled["ended"] // QUARTER, "queue", "agent"])[sums].sum(),
    ]


def extracts_of(
    day: Day, contacts: list[Contact], spans: list[AgentTime]
) -> list[tuple[list[Contact], list[AgentTime]]]:
    first = day.starts[0] // QUARTER
    extracts: list[tuple[list[Contact], list[AgentTime]]] = [([], []) for _ in day.starts]
    for raw, contact in zip(day.contacts, contacts, strict=True):
        extracts[raw.ended // QUARTER - first][0].append(contact)
    for raw_span, span in zip(day.spans, spans, strict=True):
        extracts[(raw_span.end - 1) * 1000 // QUARTER - first][1].append(span)
    return extracts


def seconds(ways: dict[str, Way], rounds: int, items: int) -> dict[str, float]:
    """Of the processor's time for an item, the least of the rounds, in which the ways take turns."""
    gc.collect()
    gc.freeze()  # what was made beforehand is the caller's, and not looked through again in each round
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            gc.collect()
            began = time.process_time()
            way()
            times[name].append((time.process_time() - began) / items)
    return {name: min(each) for name, each in times.items()}


def day_of(count: int, rounds: int, *, others: bool) -> dict[str, float]:
    """Seconds a contact for a day of so many contacts."""
    day = reference_day.make_day(agents=count // CONTACTS_AN_AGENT, queues=QUEUES, contacts=count, seed=1)
    contacts = [reference_day.contact_record(each) for each in day.contacts]
    extracts = extracts_of(day, contacts, [reference_day.span_record(each) for each in day.spans])
    ways: dict[str, Way] = {
        "added": lambda: aggregate_contacts(day, contacts),
        "added and reported": lambda: reports_of(day, aggregate_contacts(day, contacts)),
        "with agents' time": lambda: aggregate_day(day, extracts),
    }
    if others:
        ways["plain-dict loop"] = lambda: plain_loop(day.contacts)
    if others and found("pandas"):
        ways["pandas"] = lambda: group_by(day)
    return seconds(ways, rounds, count)


def measure(size: Size) -> list[Row]:
    """Beside the others, and with several times as many contacts and agents."""
    few, many = CONTACTS[size]
    times = day_of(few, ROUNDS[size], others=True)
    grown = day_of(many, 1 if size == "quick" else ROUNDS[size], others=False)
    rows = against(
        times,
        "added and reported",
        "contact",
        f"added and reported, {few:,}",
        others=("plain-dict loop", "pandas"),
    )
    return rows + [
        Row(
            name=f"{what}, {many:,}", ours=taken, item="contact", against=f"{few:,} a day", theirs=times[what]
        )
        for what, taken in grown.items()
    ]
