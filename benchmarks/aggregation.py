"""A day of 200,000 contacts and 5,000 agents through the aggregator, a plain-dict loop and pandas' groupby.

    python benchmarks/aggregation.py            (--contacts, --agents, --queues, --rounds, --seed)

The records are built beforehand, and their cost is printed apart. The aggregator is run as a connector
runs it: every 15 minutes the contacts and the agents' time that ended in the interval are added, the
interval is completed and its report taken. The other two only add up: they keep nothing, check nothing, know
no duplicates and no late contact, and give no records. pandas is no dependency of the project; where it is
missing, its lines are left out. Every figure is CPU time, the shortest of the rounds, which take turns.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import reference_day
from support.reference_day import QUARTER, Day, RawContact

from cxone_wfm.connector.aggregation import IntervalAggregator
from cxone_wfm.connector.records import AgentTime, Contact

try:
    import pandas as pd
except ImportError:
    pd = None

MEASURES = ["received", "active", "handled", "abandoned", "handle", "hold", "work", "delay"]


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
            sums[key] = [0] * len(MEASURES)
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


def group_by(frame: "pd.DataFrame") -> "list[pd.DataFrame]":
    """The same sums out of a table that is there already."""
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


def seconds(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (
        ("agents", 5000),
        ("queues", 60),
        ("contacts", 200_000),
        ("rounds", 5),
        ("seed", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    wanted = parser.parse_args()
    day = reference_day.make_day(
        agents=wanted.agents, queues=wanted.queues, contacts=wanted.contacts, seed=wanted.seed
    )
    contacts: list[Contact] = []
    spans: list[AgentTime] = []
    building = seconds(lambda: contacts.extend(map(reference_day.contact_record, day.contacts)))
    building_spans = seconds(lambda: spans.extend(map(reference_day.span_record, day.spans)))
    extracts = extracts_of(day, contacts, spans)
    ways: dict[str, Callable[[], object]] = {
        "adding": lambda: aggregate_contacts(day, contacts),
        "contacts": lambda: reports_of(day, aggregate_contacts(day, contacts)),
        "day": lambda: aggregate_day(day, extracts),
        "loop": lambda: plain_loop(day.contacts),
    }
    if pd is not None:
        frame = pd.DataFrame(day.contacts)
        ways["groupby"] = lambda: group_by(frame)
        ways["frame"] = lambda: group_by(pd.DataFrame(day.contacts))
    gc.freeze()  # what was made beforehand is the caller's, and not looked through again in each round
    rounds = [{way: seconds(work) for way, work in ways.items()} for _ in range(wanted.rounds)]
    times = {way: min(each[way] for each in rounds) for way in ways}
    count = len(contacts)
    print(f"Python {sys.version.split()[0]}; {count} contacts, {len(spans)} spans, {len(day.queues)} queues")
    print(f"building a contact record, with its datetimes and timedeltas: {building / count * 1e6:.2f} µs")
    print(f"building a span of agent's time: {building_spans / len(spans) * 1e6:.2f} µs")
    print(f"adding a contact: {times['adding'] / count * 1e6:.2f} µs")
    print(f"a contact, added and reported: {times['contacts'] / count * 1e6:.2f} µs")
    print(f"the day, with agents' time and {len(day.starts)} reports: {times['day']:.2f} s")
    for way, words in (
        ("loop", "a plain-dict loop over tuples of whole numbers"),
        ("groupby", "pandas' groupby over a table that is there already"),
        ("frame", "pandas' groupby and making the table of tuples"),
    ):
        if way not in times:
            print(f"{words}: left out, pandas is not installed")
            continue
        print(
            f"{words}: {times[way] / count * 1e6:.2f} µs a contact;"
            f" adding and reporting takes {times['contacts'] / times[way]:.2f} times that"
        )


if __name__ == "__main__":
    main()
