"""What a snapshot of 5,000 agents costs in `StateFeed`, one in a hundred of them changed: milliseconds.

    python benchmarks/state_feed.py

Beside it, in the same run, the least that any program must do: compare a dict of codes with the last
one and note what differs. It knows no dwell, no time, no log-off and no record.
"""

import statistics
import time
from datetime import datetime, timedelta, timezone

from cxone_wfm.connector.records import AgentStatus
from cxone_wfm.connector.state_feed import StateFeed

AGENTS = 5000
CHANGED = AGENTS // 100
ROUNDS = 200
START = datetime(2024, 4, 17, 10, tzinfo=timezone.utc)
POLL = timedelta(seconds=5)


def events(number: int) -> list[tuple[str, str, str, int]]:
    """Agent, event code, reason, and the poll at which it began; with every poll another 50 agents change."""
    rows = []
    for n in range(AGENTS):
        turns, place = divmod(number * CHANGED - n + AGENTS - 1, AGENTS)
        rows.append(
            (f"agent{n:04}@host.example", ("READY", "BUSY")[turns % 2], "", number - place // CHANGED)
        )
    return rows


def statuses(number: int) -> list[AgentStatus]:
    return [
        AgentStatus(login_id=agent, event_code=code, reason_code=reason, since=START + POLL * (began - 1))
        for agent, code, reason, began in events(number)
    ]


def plain_diff(last: dict[str, tuple[str, str]], rows: list[tuple[str, str, str, int]]) -> list[tuple]:
    changed = []
    for agent, code, reason, _ in rows:
        if last.get(agent) != (code, reason):
            last[agent] = (code, reason)
            changed.append((agent, code, reason))
    return changed


def main() -> None:
    """Print a row for each measurement."""
    feed = StateFeed(acd_id="Tenant", login_code="LOGON", logoff_code="LOGOFF")
    last: dict[str, tuple[str, str]] = {}
    feed.snapshot(START, statuses(0))
    plain_diff(last, events(0))
    of_feed, of_diff, of_building, given = [], [], [], 0
    for number in range(1, ROUNDS + 1):
        rows = events(number)
        begun = time.perf_counter()
        built = statuses(number)
        built_at = time.perf_counter()
        given += len(feed.snapshot(START + POLL * number, built))
        fed_at = time.perf_counter()
        changed = plain_diff(last, rows)
        ended = time.perf_counter()
        assert len(changed) == CHANGED
        of_building.append(built_at - begun)
        of_feed.append(fed_at - built_at)
        of_diff.append(ended - fed_at)
    assert given == CHANGED * ROUNDS
    feed.reconnected()
    begun = time.perf_counter()
    assert len(feed.snapshot(START + POLL * ROUNDS, statuses(ROUNDS))) == AGENTS
    of_full = time.perf_counter() - begun
    snapshot, diff, building = (statistics.median(each) * 1000 for each in (of_feed, of_diff, of_building))
    print(f"{AGENTS} agents, {CHANGED} changed, median of {ROUNDS}")
    print(f"snapshot           {snapshot:7.2f} ms (goal: at most 10)")
    print(f"plain-dict diff    {diff:7.2f} ms   the snapshot takes {snapshot / diff:.1f} x that")
    print(f"building statuses  {building:7.2f} ms (the caller's part, with what makes the rows)")
    print(f"full snapshot      {of_full * 1000:7.2f} ms (with building the statuses)")


if __name__ == "__main__":
    main()
