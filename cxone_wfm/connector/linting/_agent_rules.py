"""Rules for the time of agents: ready, not ready, logged in, at work (WFM4xx)."""

from collections import defaultdict
from collections.abc import Iterator

from ..._kinds import describe
from ..._wire import wire_name
from ...models.historical import AgentQueueReport, AgentSystemPerformanceReport, HistoricalReport
from ._rows import (
    ROUNDING,
    Row,
    agent_queues,
    agree,
    exceeds,
    is_zero,
    number,
    performances,
    total,
)
from ._rule import Context, Hit, Rules, Severity

AGENT_RULES: Rules[HistoricalReport] = Rules()

_TIMES = ("ready_time", "not_ready_time", "login_time")
_ENOUGH_AGENTS = 3
"""How many agents must show the same, and none the contrary (our choice)."""
_ENOUGH_WORK = 10
"""Seconds of after-contact work below which rounding could explain what is seen (our choice)."""


@AGENT_RULES.add(
    "WFM401",
    Severity.ERROR,
    summary="Ready, not-ready or login time is longer than the interval.",
    advice="Cut the time to the interval, in seconds: Interval.overlap(start, end) does.",
    source="field list: must not exceed the interval's length",
)
def time_longer_than_interval(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    length = (report.end_date - report.start_date).total_seconds()
    for row in performances(report):
        for name in _TIMES:
            value = getattr(row.record, name)
            if exceeds(value, length, ROUNDING):
                in_ms = value / 1000 <= length + ROUNDING and value % 1000 == 0
                hint = f"; as milliseconds they would be {number(value / 1000)} s" if in_ms else ""
                wire = wire_name(AgentSystemPerformanceReport, name)
                yield row.hit(
                    f"{wire} is {number(value)} s in an interval of {number(length)} s{hint}.",
                    name,
                    more={"seconds": length},
                )


@AGENT_RULES.add(
    "WFM402",
    Severity.WARNING,
    summary="Ready and not-ready time together are longer than login time.",
    advice="Check that both are parts of the login time, and that none is counted once for each queue.",
    source="inference: an agent who is ready or not ready is logged in",
)
def ready_and_not_ready_longer_than_login(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    for row in performances(report):
        one = row.record
        parts = total([one.ready_time, one.not_ready_time])
        if exceeds(parts, one.login_time, 2 * ROUNDING):
            yield row.hit(
                f"{number(one.ready_time)} s ready and {number(one.not_ready_time)} s not ready are more"
                f" than {number(one.login_time)} s logged in.",
                *_TIMES,
            )


@AGENT_RULES.add(
    "WFM403",
    Severity.WARNING,
    summary="Several agents' handle time fills all the time in which they were neither ready nor not ready,"
    " and they also have after-contact work.",
    advice="Count the work once: not in handledTime, not in notReadyTime, only in workTime.",
    source="field list: neither time includes it. Inferred: 3 agents or more whose handle time alone is"
    " login - ready - not ready, and none whose handle time and work are",
)
def work_counted_twice(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    shares = _by_agent(report)
    twice = once = 0
    for row in performances(report):
        rows = shares[row.record.agent_value]
        handled = total(share.record.handled_time for share in rows)
        work = total(share.record.work_time for share in rows)
        one = row.record
        away = total([one.ready_time, one.not_ready_time])
        if one.login_time is None or away is None or not exceeds(work, _ENOUGH_WORK + len(rows)):
            continue
        busy, slack = one.login_time - away, ROUNDING * (len(rows) + 1)
        twice += agree(handled, busy, slack)
        once += agree(total([handled, work]), busy, slack)
    if twice >= _ENOUGH_AGENTS and not once:
        yield Hit(
            "$.reportData.agentSystemPerformanceReport",
            f"The handle time of {twice} agents alone fills the time in which they were neither ready nor"
            " not ready, and they have after-contact work besides: it seems to be counted twice.",
            {"agents": twice},
        )


def _by_agent(report: HistoricalReport) -> dict[str, list[Row[AgentQueueReport]]]:
    found: dict[str, list[Row[AgentQueueReport]]] = defaultdict(list)
    for row in agent_queues(report):
        found[row.record.agent_value].append(row)
    return found


@AGENT_RULES.add(
    "WFM404",
    Severity.WARNING,
    summary="An agent handled contacts without being logged in.",
    advice="Check that both parts are of the same interval and zone, and cover all media.",
    source="inference: a contact counts in the interval in which it ends, and the agent is there then",
)
def handled_while_logged_out(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    shares = _by_agent(report)
    for row in performances(report):
        handled = total(share.record.handled for share in shares[row.record.agent_value])
        if is_zero(row.record.login_time) and exceeds(handled, 0):
            yield row.hit(
                f"Agent {describe(row.record.agent_value)} handled {number(handled)} contacts in 0 s of"
                " login time.",
                "login_time",
                more={"handled": handled or 0},
            )


@AGENT_RULES.add(
    "WFM405",
    Severity.WARNING,
    summary="An agent handled contacts and has no row of ready, not-ready and login time, though others"
    " have.",
    advice="Check that both parts name the agent alike; if they do, repeat the extract.",
    source="inference: who handles contacts is logged in",
)
def agent_without_login_time(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    timed = {row.record.agent_value for row in performances(report)}
    for agent, rows in _by_agent(report).items() if timed else ():
        handled = [row for row in rows if row.record.handled]
        if agent not in timed and handled:
            yield handled[0].hit(
                f"Agent {describe(agent)} handled contacts, and has no row in agentSystemPerformanceReport.",
                "agent_value",
                "handled",
            )
