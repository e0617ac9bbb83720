"""Lint: what is probably wrong with data that is valid.

A record cannot be built with a fault. It can still say what is not so: handle time with after-contact
work in it, milliseconds in place of seconds, zeros from a failed extract. Each rule looks for one such
thing, in figures that the document itself holds; `docs/reference/lint.md` lists them all.

Nothing here reads a clock or a file. A measure that is None, "my ACD does not know", is never held
against a report, save where the medium of a queue requires it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from ...models.agent_activity import AgentActivityReport
from ...models.agent_state import AgentState, AgentStateList
from ...models.historical import HistoricalReport
from ._activity_rules import ACTIVITY_RULES
from ._agent_rules import AGENT_RULES
from ._agreement_rules import AGREEMENT_RULES
from ._document_rules import ANY_RULES, HISTORICAL_RULES, REPORT_RULES
from ._media import Media
from ._media_rules import MEDIA_RULES
from ._queue_rules import QUEUE_RULES
from ._rows import Report, States
from ._rule import Context, Figure, Finding, KnownEvents, Rule, Severity
from ._several_rules import SEVERAL_RULES
from ._state_rules import STATE_RULES

__all__ = ["RULES", "Document", "Figure", "Finding", "KnownEvents", "Media", "Rule", "Severity", "lint"]

Document = HistoricalReport | AgentActivityReport | AgentStateList | Iterable[AgentState]
"""What can be judged."""

_OF_HISTORICAL = (HISTORICAL_RULES, QUEUE_RULES, MEDIA_RULES, AGREEMENT_RULES, AGENT_RULES)

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (
            rule
            for rules in (
                ANY_RULES,
                REPORT_RULES,
                *_OF_HISTORICAL,
                ACTIVITY_RULES,
                STATE_RULES,
                SEVERAL_RULES,
            )
            for rule in rules
        ),
        key=lambda rule: rule.id,
    )
)
"""All rules, by id."""


def lint(
    *documents: Document,
    media: Media | Mapping[str, Media] | None = None,
    now: datetime | None = None,
    events: KnownEvents | None = None,
) -> list[Finding]:
    """What is probably wrong with reports and agent states, and with what they say together.

    Each document is a report, an `AgentStateList` or agent states in the order in which they are sent.
    Several of them, such as the reports of a day, are also compared with one another.

    `media` is that of all queues, or of each by its `queue_value`; the rules that depend on it are off
    where it is not told. `now` is an aware datetime: without it nothing is in the future. `events` is
    an event set to look codes up in.

    Findings come document by document, then those of several documents together. Raises TypeError
    where a document is none, ValueError where `now` has no time zone.
    """
    if now is not None and now.utcoffset() is None:
        raise ValueError(f"{now.isoformat()} has no time zone: give it its tzinfo (timezone.utc for UTC)")
    context = Context(media=media, now=now, events=events)
    judged = tuple(_plain(document) for document in documents)
    found = [finding for number, each in enumerate(judged) for finding in _of_one(each, context, number)]
    return found + list(SEVERAL_RULES.judge(judged, context, 0))


def _plain(document: Document) -> Report | States:
    if isinstance(document, (HistoricalReport, AgentActivityReport)):
        return document
    if isinstance(document, AgentStateList):
        return document.agent_state_list
    states = tuple(document)
    for state in states:
        if not isinstance(state, AgentState):
            raise TypeError(f"lint takes reports and agent states, not {type(state).__name__}")
    return states


def _of_one(document: Report | States, context: Context, number: int) -> Iterator[Finding]:
    yield from ANY_RULES.judge(document, context, number)
    if isinstance(document, tuple):
        yield from STATE_RULES.judge(document, context, number)
        return
    yield from REPORT_RULES.judge(document, context, number)
    if isinstance(document, AgentActivityReport):
        yield from ACTIVITY_RULES.judge(document, context, number)
        return
    for rules in _OF_HISTORICAL:
        yield from rules.judge(document, context, number)
