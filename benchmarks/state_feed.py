"""A snapshot of all agents in `StateFeed`, one in a hundred changed, beside a bare comparison of two dicts.

The comparison knows no dwell, no time, no log-off and no record. The statuses are the caller's, and built
beforehand.
"""

import time
from datetime import datetime, timedelta, timezone

from cxone_wfm.connector.records import AgentStatus
from cxone_wfm.connector.state_feed import StateFeed

from .rows import Row, Size

COMPARED = ()
AGENTS: dict[Size, tuple[int, int]] = {"tiny": (100, 200), "quick": (5000, 20_000), "full": (5000, 50_000)}
POLLS: dict[Size, int] = {"tiny": 2, "quick": 8, "full": 60}
START = datetime(2024, 4, 17, 10, tzinfo=timezone.utc)
POLL = timedelta(seconds=5)
ONE_IN = 100
Event = tuple[str, str, str, int]


def events(agents: int, poll: int) -> list[Event]:
    """Agent, event code, reason, the poll at which it began; with every poll another hundredth changes."""
    changed = agents // ONE_IN
    rows = []
    for n in range(agents):
        turns, place = divmod(poll * changed - n + agents - 1, agents)
        rows.append((f"agent{n:05}@host.example", ("READY", "BUSY")[turns % 2], "", poll - place // changed))
    return rows


def bare(last: dict[str, tuple[str, str]], rows: list[Event]) -> int:
    """Note what differs from the last time, and count it."""
    changed = 0
    for agent, code, reason, _ in rows:
        if last.get(agent) != (code, reason):
            last[agent] = (code, reason)
            changed += 1
    return changed


def seconds(agents: int, polls: int) -> tuple[float, float]:
    """For an agent of a snapshot: the feed's, and that of the bare comparison."""
    feed = StateFeed(acd_id="Tenant", login_code="LOGON", logoff_code="LOGOFF")
    last: dict[str, tuple[str, str]] = {}
    of_feed, of_bare = [], []
    for poll in range(polls + 1):
        rows = events(agents, poll)
        statuses = [
            AgentStatus(login_id=agent, event_code=code, reason_code=reason, since=START + POLL * (began - 1))
            for agent, code, reason, began in events(agents, poll)  # texts of their own, as they come in
        ]
        begun = time.process_time()
        given = len(feed.snapshot(START + POLL * poll, statuses))
        fed = time.process_time()
        changed = bare(last, rows)
        ended = time.process_time()
        assert given == changed == (agents // ONE_IN if poll else agents)
        if poll:
            of_feed.append((fed - begun) / agents)
            of_bare.append((ended - fed) / agents)
    return min(of_feed), min(of_bare)


def measure(size: Size) -> list[Row]:
    """Beside the comparison, and with several times as many agents."""
    few, many = AGENTS[size]
    feed, diff = seconds(few, POLLS[size])
    grown, _ = seconds(many, max(2, POLLS[size] // 3))
    name = f"snapshot of {few:,} agents"
    return [
        Row(name=name, ours=feed, item="agent", against="comparing two dicts", theirs=diff),
        Row(
            name=f"snapshot of {many:,} agents", ours=grown, item="agent", against=f"of {few:,}", theirs=feed
        ),
    ]
