"""A rule, what it finds, and how one is added: a function and its decorator, nothing else."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import Generic, Literal, Protocol, TypeVar

from attrs import field, frozen

from ..._kinds import read_only
from ._media import Media

Figure = bool | int | float | str
Needs = Literal["nothing", "media", "now", "events", "several documents"]


class Severity(Enum):
    """How sure a rule is that something is wrong."""

    ERROR = "error"
    """Cannot be right: it contradicts what the vendor documents, or a field's own definition."""
    WARNING = "warning"
    """Probably wrong: there is an honest reading of the figures, and it is the less likely one."""
    NOTE = "note"
    """Worth a look."""

    def reaches(self, threshold: "Severity") -> bool:
        """Whether it is as bad as `threshold`, or worse."""
        order = list(Severity)
        return order.index(self) <= order.index(threshold)


@frozen(kw_only=True)
class Finding:
    """What a rule found at one place of one document."""

    rule: str
    """The rule's id, such as `WFM204`. It never changes its meaning."""
    severity: Severity
    document: int
    """Which of the documents given to `lint()`, from 0."""
    path: str
    """The place as it is named on the wire: `$.reportData.queueReport[3].holdTime`."""
    figures: Mapping[str, Figure] = field(converter=read_only, hash=False)
    """What the rule compared, by name: names on the wire where it is a value of the document."""
    problem: str
    """What is probably wrong, in one sentence with the figures."""
    advice: str
    """What to do about it."""

    def __str__(self) -> str:
        return f"{self.path}: {self.severity.value} {self.rule}: {self.problem} {self.advice}"


@frozen(kw_only=True)
class Rule:
    """One rule, as the documentation and SARIF show it."""

    id: str
    name: str
    """The id in words, such as `hold-longer-than-handle`."""
    severity: Severity
    summary: str
    """What it looks for."""
    advice: str
    """What to do about a finding."""
    source: str
    """Where the expectation comes from."""
    needs: Needs
    """What `lint()` must be told for the rule to work at all."""


class KnownEvents(Protocol):
    """The events that an ACD has, such as `cxone_wfm.connector.presets.event_set("avaya_cms")`."""

    @property
    def acd(self) -> str:
        """Whose events they are, for people."""
        ...

    def find(self, code: str, reason: str, /) -> object:
        """What it knows of this event code with this reason code ("" is none). None: it has no such event."""
        ...


@frozen(kw_only=True)
class Context:
    """What the caller knows beside the documents. None: not told, and the rules that need it are off."""

    media: Media | Mapping[str, Media] | None
    now: datetime | None
    events: KnownEvents | None

    def media_of(self, queue_value: str) -> Media | None:
        """The medium of a queue."""
        return (
            self.media if self.media is None or isinstance(self.media, Media) else self.media.get(queue_value)
        )


@frozen
class Hit:
    """What the function of a rule yields; the rest of a `Finding` is the rule's."""

    path: str
    problem: str
    figures: Mapping[str, Figure]
    document: int = 0
    """Counted from the first document that the function was given."""


D = TypeVar("D")
Check = Callable[[D, Context], Iterator[Hit]]
"""The function of a rule: pure, and silent about measures that are None."""


class Rules(Generic[D]):
    """The rules for one kind of document, in the order in which they were added."""

    def __init__(self) -> None:
        self._checks: list[tuple[Rule, Check[D]]] = []

    def add(
        self,
        id_: str,
        severity: Severity,
        *,
        summary: str,
        advice: str,
        source: str,
        needs: Needs = "nothing",
    ) -> Callable[[Check[D]], Check[D]]:
        """Make the function below a rule; its name is the rule's."""

        def added(check: Check[D]) -> Check[D]:
            rule = Rule(
                id=id_,
                name=check.__name__.replace("_", "-"),
                severity=severity,
                summary=summary,
                advice=advice,
                source=source,
                needs=needs,
            )
            self._checks.append((rule, check))
            return check

        return added

    def __iter__(self) -> Iterator[Rule]:
        return (rule for rule, _ in self._checks)

    def judge(self, document: D, context: Context, number: int) -> Iterator[Finding]:
        """What all of them find. `number` is that of the document."""
        for rule, check in self._checks:
            for hit in check(document, context):
                yield Finding(
                    rule=rule.id,
                    severity=rule.severity,
                    document=number + hit.document,
                    path=hit.path,
                    figures=hit.figures,
                    problem=hit.problem,
                    advice=rule.advice,
                )
