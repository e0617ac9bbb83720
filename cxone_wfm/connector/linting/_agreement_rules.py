"""Rules for a queue row and the rows of its agents, which must agree (WFM3xx)."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from attrs import frozen

from ..._kinds import describe
from ...models.historical import AgentQueueReport, HistoricalReport, QueueReport
from ._rows import (
    ROUNDING,
    Row,
    agent_queues,
    agree,
    differ,
    exceeds,
    handled_by_queue,
    number,
    queues,
    total,
)
from ._rule import Context, Figure, Hit, Rules, Severity

AGREEMENT_RULES: Rules[HistoricalReport] = Rules()

_ALIKE = {
    "work_time": "workTime",
    "hold_time": "holdTime",
    "right_party_contacts": "rightPartyContacts",
    "right_party_handle_time": "rightPartyHandleTime",
    "wrong_party_contacts": "wrongPartyContacts",
    "wrong_party_handle_time": "wrongPartyHandleTime",
    "active": "active",
}
"""What has the same name in both rows, here and on the wire."""


@frozen
class _Shared:
    """A queue that has one row, and the rows of its agents; there is at least one."""

    queue: Row[QueueReport]
    agents: list[Row[AgentQueueReport]]

    @property
    def slack(self) -> float:
        """How far sums of times may miss each other because every row was rounded."""
        return ROUNDING * (len(self.agents) + 1)

    @property
    def handled(self) -> float | None:
        """The contacts that the agents handled."""
        return total(row.record.handled for row in self.agents)

    @property
    def handle_time(self) -> float | None:
        """The agents' handle time."""
        return total(row.record.handled_time for row in self.agents)

    @property
    def work_time(self) -> float | None:
        """The agents' after-contact work."""
        return total(row.record.work_time for row in self.agents)

    @property
    def work_in_queue_row(self) -> bool:
        """Whether the queue's handle time is the agents' handle time and the after-contact work."""
        return self._is_more_by(self.queue.record.work_time, self.queue.record.handle_time, self.handle_time)

    @property
    def work_in_agent_rows(self) -> bool:
        """Whether the agents' handle time is the queue's handle time and the after-contact work."""
        return self._is_more_by(self.work_time, self.handle_time, self.queue.record.handle_time)

    def _is_more_by(self, work: float | None, with_it: float | None, without: float | None) -> bool:
        # Work that rounding could explain proves nothing.
        return exceeds(work, 2 * self.slack) and agree(with_it, total([without, work]), self.slack)

    @property
    def totals_in_long(self) -> bool:
        """Whether the agents handled as many as the queue has in its long ones alone."""
        row = self.queue.record
        return (
            exceeds(row.handled_short, 0)
            and exceeds(row.handled_long, 0)
            and row.handled_long == self.handled
        )


def _shared(report: HistoricalReport) -> list[_Shared]:
    agents: dict[str, list[Row[AgentQueueReport]]] = defaultdict(list)
    for share in agent_queues(report):
        agents[share.record.queue_value].append(share)
    rows = queues(report)
    times = Counter(row.record.queue_value for row in rows)
    return [
        _Shared(row, agents[row.record.queue_value])
        for row in rows
        if times[row.record.queue_value] == 1 and row.record.queue_value in agents
    ]


@AGREEMENT_RULES.add(
    "WFM301",
    Severity.WARNING,
    summary="A queue's handle time differs from that of its agents by just the after-contact work.",
    advice="Handle time is talk and hold: take the after-contact work off it, and send it as workTime alone.",
    source="field list: never after-contact work. Inferred: one of the two sums is the other plus the work"
    " time",
)
def work_in_handle_time(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    for each in _shared(report):
        if not (each.work_in_queue_row or each.work_in_agent_rows):
            continue
        in_queue_row = each.work_in_queue_row
        work = each.queue.record.work_time if in_queue_row else each.work_time
        yield each.queue.hit(
            f"The queue's handle time is {number(each.queue.record.handle_time)} s and that of its agents"
            f" {number(each.handle_time)} s; the difference is the after-contact work of {number(work)} s,"
            f" which seems to be in the {'queue row' if in_queue_row else 'agent rows'}.",
            "handle_time",
            "work_time",
            more=_known({"agents.handledTime": each.handle_time, "agents.workTime": each.work_time}),
        )


def _known(figures: dict[str, float | None]) -> dict[str, Figure]:
    return {name: value for name, value in figures.items() if value is not None}


@AGREEMENT_RULES.add(
    "WFM302",
    Severity.WARNING,
    summary="The agents handled as many contacts as the queue has in handledLong alone, and handledShort is"
    " not 0.",
    advice="handledLong is what was answered after the threshold: take handledShort off the total.",
    source="field list: short and long are split by the threshold",
)
def total_in_handled_long(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    for each in _shared(report):
        if each.totals_in_long:
            yield each.queue.hit(
                f"The agents handled {number(each.handled)} contacts, just handledLong: it looks like the"
                f" total, which counts the {number(each.queue.record.handled_short)} short ones twice.",
                "handled_long",
                "handled_short",
                more=_known({"agents.handled": each.handled}),
            )


@AGREEMENT_RULES.add(
    "WFM303",
    Severity.WARNING,
    summary="The rows of a queue's agents do not add up to its row.",
    advice="Take both parts from the same extract, and count a transferred contact once.",
    source="field list: the same contacts, by queue and by agent",
)
def agents_do_not_add_up(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    for each in _shared(report):
        row = each.queue.record
        wrong: dict[str, tuple[float | None, float | None, tuple[str, ...]]] = {}
        if not each.totals_in_long and differ(handled_by_queue(row), each.handled, 0):
            wrong["handled"] = handled_by_queue(row), each.handled, ("handled_short", "handled_long")
        explained = each.work_in_queue_row or each.work_in_agent_rows
        if not explained and differ(row.handle_time, each.handle_time, each.slack):
            wrong["handledTime"] = row.handle_time, each.handle_time, ("handle_time",)
        for name, wire in _ALIKE.items():
            one = getattr(row, name)
            of_agents = total(getattr(agent.record, name) for agent in each.agents)
            if differ(one, of_agents, each.slack if wire.endswith("Time") else 0):
                wrong[wire] = one, of_agents, (name,)
        if wrong:
            compared = ", ".join(
                f"{wire} {number(b)} against {number(a)}" for wire, (a, b, _) in wrong.items()
            )
            names = [name for _, _, fields in wrong.values() for name in fields]
            yield each.queue.hit(
                f"The agents' rows of queue {describe(row.queue_value)} do not add up to its own:"
                f" {compared}.",
                *names,
                more=_known({f"agents.{wire}": b for wire, (_, b, _) in wrong.items()}),
            )


@AGREEMENT_RULES.add(
    "WFM304",
    Severity.WARNING,
    summary="A queue handled contacts and has no row of an agent, though other queues have.",
    advice="Repeat the extract of the agents, or check that both parts name the queue alike.",
    source="inference: somebody handled them",
)
def queue_without_agents(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    shared = {row.record.queue_value for row in agent_queues(report)}
    for row in queues(report) if shared else ():
        if row.record.queue_value not in shared and exceeds(handled_by_queue(row.record), 0):
            yield row.hit(
                f"Queue {describe(row.record.queue_value)} handled {number(handled_by_queue(row.record))}"
                " contacts, and no agent has a row on it.",
                "queue_value",
                "handled_short",
                "handled_long",
            )


@AGREEMENT_RULES.add(
    "WFM305",
    Severity.WARNING,
    summary="Agents have rows on a queue that has none of its own.",
    advice="Repeat the extract of the queues, or check that both parts name the queue alike.",
    source="inference: what agents handled came in on a queue",
)
def agents_without_queue(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    known = {row.record.queue_value for row in queues(report)}
    told: set[str] = set()
    for row in agent_queues(report) if known else ():
        queue = row.record.queue_value
        if queue not in known and queue not in told:
            told.add(queue)
            yield row.hit(
                f"Agents have rows on queue {describe(queue)}, which has no queue row.", "queue_value"
            )
