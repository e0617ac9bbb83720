"""The rows of a document with their paths, and arithmetic in which None means "not known"."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Generic, TypeVar, get_args

from attrs import frozen

from ... import _kinds
from ..._wire import RecordClass, wire_fields, wire_name
from ...models._record import Record
from ...models.agent_activity import AgentActivity, AgentActivityData, AgentActivityReport
from ...models.agent_state import AgentState
from ...models.historical import (
    AgentQueueReport,
    AgentSystemPerformanceReport,
    HistoricalReport,
    QueueReport,
)
from ._rule import Figure, Hit

Report = HistoricalReport | AgentActivityReport
States = tuple[AgentState, ...]

R = TypeVar("R", bound=Record)

ROUNDING = 1.0
"""By how many seconds two times of one row may miss each other because an ACD rounds them (our choice)."""
SHORTEST_STATE = 3
"""CXone works with states of 3 seconds or more (vendor)."""

_HALF_AN_HOUR = 1800
_FURTHEST_ZONE = 28
"""In half hours: 14 hours from UTC."""

_MEASURES = [get_args(kind)[1] for kind in (_kinds.Count, _kinds.Seconds)]


@frozen
class Row(Generic[R]):
    """A record and its place in the document."""

    path: str
    record: R

    def hit(
        self, problem: str, *fields: str, more: Mapping[str, Figure] | None = None, document: int = 0
    ) -> Hit:
        """What was found here; the path is that of the first of the fields."""
        cls = type(self.record)
        figures = {wire_name(cls, name): _figure(getattr(self.record, name)) for name in fields}
        path = f"{self.path}.{next(iter(figures))}" if figures else self.path
        return Hit(path, problem, {**figures, **(more or {})}, document)


def _figure(value: Figure | datetime) -> Figure:
    return _kinds.describe(value) if isinstance(value, datetime) else value


def _rows(path: str, records: Iterable[R] | None) -> list[Row[R]]:
    return [Row(f"{path}[{number}]", record) for number, record in enumerate(records or ())]


def queues(report: HistoricalReport) -> list[Row[QueueReport]]:
    """The rows of the queue report."""
    return _rows("$.reportData.queueReport", report.report_data.queue_report)


def agent_queues(report: HistoricalReport) -> list[Row[AgentQueueReport]]:
    """The rows of the agent queue report."""
    return _rows("$.reportData.agentQueueReport", report.report_data.agent_queue_report)


def performances(report: HistoricalReport) -> list[Row[AgentSystemPerformanceReport]]:
    """The rows of the agent system performance report."""
    return _rows(
        "$.reportData.agentSystemPerformanceReport", report.report_data.agent_system_performance_report
    )


def agents(report: AgentActivityReport) -> list[Row[AgentActivityData]]:
    """The agents of an activity report."""
    return _rows("$.reportData", report.report_data)


def activities(report: AgentActivityReport) -> Iterator[Row[AgentActivity]]:
    """The activities of all agents."""
    for agent in agents(report):
        yield from agent_activities(agent)


def agent_activities(agent: Row[AgentActivityData]) -> list[Row[AgentActivity]]:
    """The activities of one agent."""
    return _rows(f"{agent.path}.agentActivity", agent.record.agent_activity)


def states(listed: States) -> list[Row[AgentState]]:
    """Agent states as the page's list has them."""
    return _rows("$.agentStateList", listed)


def repeated(rows: Iterable[Row[R]], *fields: str) -> Iterator[tuple[Row[R], Row[R]]]:
    """Rows whose fields stood in an earlier row already, each with the first of them."""
    first: dict[tuple[object, ...], Row[R]] = {}
    for row in rows:
        earlier = first.setdefault(tuple(getattr(row.record, name) for name in fields), row)
        if earlier is not row:
            yield row, earlier


def measures(record: Record) -> list[float]:
    """The counts and times of a row that are known."""
    cls: RecordClass = type(record)
    values = (getattr(record, field.name) for field in wire_fields(cls) if field.kind in _MEASURES)
    return [value for value in values if value is not None]


def total(values: Iterable[float | None]) -> float | None:
    """The sum; not known where one of the values is not known."""
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def handled_by_queue(row: QueueReport) -> float | None:
    """All contacts that a queue handled."""
    return total([row.handled_short, row.handled_long])


def exceeds(value: float | None, limit: float | None, slack: float = 0) -> bool:
    """Whether `value` is surely beyond `limit`."""
    return value is not None and limit is not None and value > limit + slack


def is_zero(value: float | None) -> bool:
    """Whether it is known to be 0."""
    return value == 0


def agree(one: float | None, other: float | None, slack: float) -> bool:
    """Whether both are known and no more than `slack` apart."""
    return one is not None and other is not None and abs(one - other) <= slack


def differ(one: float | None, other: float | None, slack: float) -> bool:
    """Whether both are known and more than `slack` apart."""
    return one is not None and other is not None and abs(one - other) > slack


def number(value: float | None) -> str:
    """A figure for people."""
    return "unknown" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def lasting(seconds: float) -> str:
    """A length of time for people, in the largest unit of which there are at least two."""
    for unit, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if abs(seconds) >= 2 * unit:
            return f"{number(round(seconds / unit, 1))} {name}"
    return f"{number(seconds)} s"


def clock_hint(ahead_by: float) -> str:
    """A clause for a time that is about a whole number of half hours ahead: a zone, taken for UTC."""
    halves = round(ahead_by / _HALF_AN_HOUR)
    zoned = 1 <= halves <= _FURTHEST_ZONE and abs(ahead_by - halves * _HALF_AN_HOUR) <= _HALF_AN_HOUR / 4
    return ": perhaps local time marked as UTC" if zoned else ""
