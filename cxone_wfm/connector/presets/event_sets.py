"""The event sets that the vendor's pages print for an ACD: what CXone WFM maps to activities."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, get_args

from attrs import field, frozen

from ._data import Confidence, load

__all__ = ["EventCode", "EventSet", "EventSetName", "event_set"]

EventSetName = Literal["avaya_cms", "livevox"]


@frozen(kw_only=True)
class EventCode:
    """One event of an ACD: `code` is an agent state's `event_code`, `reason` its `reason_code`."""

    code: str
    name: str
    reason: str = ""
    """Empty: the event comes without a reason."""
    source: str
    confidence: Confidence


@frozen(kw_only=True)
class EventSet:
    """The events of one ACD. `login_code` and `logoff_code` are what `StateFeed` wants."""

    acd: str
    login_id: str
    """What the ACD Login ID in the employee's profile is to be (vendor page)."""
    login_code: str
    logoff_code: str
    events: tuple[EventCode, ...]
    _known: Mapping[tuple[str, str], EventCode] = field(init=False, eq=False, repr=False)

    @_known.default
    def _look_up_table(self) -> Mapping[tuple[str, str], EventCode]:
        return {(event.code, event.reason): event for event in self.events}

    def find(self, code: str, reason: str = "") -> EventCode | None:
        """The event with this code and this reason. None: the vendor's page does not have it.

        Such an event is shown as unmapped, unless somebody has mapped it in CXone WFM (vendor page).
        """
        return self._known.get((code, reason))


def event_set(name: EventSetName) -> EventSet:
    """The event set of an ACD. Raises ValueError where there is none of that name."""
    return _event_set(name)


@cache  # not the public function: type checkers do not see what a cached one takes
def _event_set(name: EventSetName) -> EventSet:
    document = load("events", name, get_args(EventSetName))
    rows: list[dict[str, Any]] = document.pop("events")
    events = (EventCode(**{**row, "reason": reason}) for row in rows for reason in _reasons(row["reason"]))
    return EventSet(events=tuple(events), **document)


def _reasons(text: str) -> list[str]:
    first, dash, last = text.partition("-")
    return [str(number) for number in range(int(first), int(last) + 1)] if dash else [text]
