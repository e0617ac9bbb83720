"""What an ACD gives to the connector kit: plain facts, checked when they are built.

A record that cannot be right raises one `ValidationError` with all its faults. Moments are aware
datetimes of any zone; they are kept in UTC, cut to whole milliseconds, which is all that the wire
carries. Lengths of time are timedeltas, so that no unit can be mistaken.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum
from typing import get_args

from attrs import field, frozen

from .._kinds import AgentKey, Flag, Instant, Kind, Name, Note, QueueKey, describe, to_instant
from ..errors import Fault, ValidationError

__all__ = ["AgentStatus", "AgentTime", "AgentTimeState", "Contact", "Queue"]

ZERO = timedelta(0)
_LONGEST = timedelta(days=366)
_LONGEST_SPAN = timedelta(days=7)
_ROUNDING = timedelta(minutes=1)
"""How much longer than answered-to-ended talk and hold may be: some exports round moments to the minute."""


def _kind(annotated: object) -> Kind:
    found = get_args(annotated)[1]
    assert isinstance(found, Kind)  # noqa: S101 - tells the type checker what is so
    return found


_NAME, _NOTE, _QUEUE, _AGENT, _FLAG, _MOMENT = map(_kind, (Name, Note, QueueKey, AgentKey, Flag, Instant))


def _to_moment(value: datetime | None) -> datetime | None:
    return None if value is None else to_instant(value)


def _kind_faults(record: object, kinds: dict[str, Kind], optional: dict[str, Kind]) -> Iterator[Fault]:
    for name, kind in kinds.items():
        if not kind.accepts(value := getattr(record, name)):
            yield kind.fault(name, value)
    for name, kind in optional.items():
        if (value := getattr(record, name)) is not None and not kind.accepts(value):
            yield kind.fault(name, value)


def _length_faults(record: object, *names: str) -> Iterator[Fault]:
    for name in names:
        value = getattr(record, name)
        if not (isinstance(value, timedelta) and ZERO <= value <= _LONGEST):
            found = str(value) if isinstance(value, timedelta) else describe(value)
            yield Fault(name, found, "a timedelta from 0 to 366 days")


def _refuse(record: object, faults: list[Fault]) -> None:
    if faults:
        raise ValidationError(type(record).__name__, faults)


@frozen(kw_only=True)
class Queue:
    """A queue (skill) that is known beforehand: it has a row in every report, of zeros where it was quiet.

    A queue is inbound or outbound, never both: CXone leaves a record with both out of forecasting
    (vendor page). Raises `ValidationError`.
    """

    value: str
    """The ACD's own id of the queue, stable over time: 1 to 100 ASCII characters."""
    name: str | None = None
    outbound: bool = False
    service_level_threshold: timedelta | None = None
    """A contact answered or abandoned before this wait counts as short, any other as long.

    None: the ACD cannot split them, and all count as long.
    """

    def __attrs_post_init__(self) -> None:
        faults = [*_kind_faults(self, {"value": _QUEUE, "outbound": _FLAG}, {"name": _NAME})]
        if self.service_level_threshold is not None:
            faults += _length_faults(self, "service_level_threshold")
        _refuse(self, faults)


@frozen(kw_only=True)
class Contact:
    """One contact on one queue, with at most one agent; of a transferred contact, one segment.

    It is waiting, then answered, then ended; one that ended without an answer was abandoned (inbound)
    or reached nobody (outbound). Give it again, with the same `contact_id`, when more is known of it.

    Raises `ValidationError`; also where talk and hold together are longer than the time from
    `answered` to `ended`, with a minute's grace for rounded moments (our choice): the unit is wrong, or
    the talk time already includes the hold time.
    """

    contact_id: str
    """Unique, also among the segments of one contact: 1 to 256 characters."""
    queue: str
    """The `queue_value` of the queue row: 1 to 100 ASCII characters."""
    agent: str | None = None
    """The `agent_value` of the agent row: 1 to 256 ASCII characters. None: nobody, or not known."""
    outbound: bool = False
    arrived: datetime = field(converter=to_instant)
    """When it entered the queue; of an outbound contact, when it was begun."""
    answered: datetime | None = field(default=None, converter=_to_moment)
    """When the agent had it. None: not yet, or never."""
    ended: datetime | None = field(default=None, converter=_to_moment)
    """When the customer was gone or the segment was over, without after-contact work. None: not yet."""
    talk_time: timedelta | None = None
    """Without hold and without after-contact work. Needed once a contact that was answered has ended."""
    hold_time: timedelta = ZERO
    """Zero where the ACD has it in the talk time and cannot tell."""
    after_contact_work_time: timedelta = ZERO
    queue_delay: timedelta | None = None
    """What the customer waited, without IVR. None: from `arrived` to `answered`, or to the abandonment."""
    right_party: bool | None = None
    """Outbound: whether the person reached was the one who was meant.

    Needed once an outbound contact that was answered has ended. Where the ACD cannot tell, say True: WFM
    needs the right-party fields, and the wrong-party ones only where they are available.
    """

    def __attrs_post_init__(self) -> None:
        faults = [*_kind_faults(self, _CONTACT, _CONTACT_OPTIONAL), *_length_faults(self, *_CONTACT_LENGTHS)]
        for name in ("talk_time", "queue_delay"):
            if getattr(self, name) is not None:
                faults += _length_faults(self, name)
        _refuse(self, faults or [*_order_faults(self), *_outcome_faults(self)])

    @property
    def handle_time(self) -> timedelta:
        """Talk and hold, never after-contact work."""
        return self.hold_time if self.talk_time is None else self.talk_time + self.hold_time

    @property
    def wait(self) -> timedelta:
        """What the customer waited for the answer or until the abandonment; zero while neither has come."""
        if self.queue_delay is not None:
            return self.queue_delay
        return (self.answered or self.ended or self.arrived) - self.arrived


_CONTACT = {"contact_id": _NAME, "queue": _QUEUE, "outbound": _FLAG, "arrived": _MOMENT}
_CONTACT_OPTIONAL = {"agent": _AGENT, "answered": _MOMENT, "ended": _MOMENT, "right_party": _FLAG}
_CONTACT_LENGTHS = ("hold_time", "after_contact_work_time")


def _order_faults(contact: Contact) -> Iterator[Fault]:
    before, limit = "arrived", contact.arrived
    for name in ("answered", "ended"):
        moment: datetime | None = getattr(contact, name)
        if moment is None:
            continue
        if moment < limit:
            yield Fault(name, describe(moment), f"a time not before {before}, {describe(limit)}")
        before, limit = name, moment


def _outcome_faults(contact: Contact) -> Iterator[Fault]:
    if contact.right_party is not None and not contact.outbound:
        yield Fault("right_party", describe(contact.right_party), "None on an inbound contact")
    if contact.answered is None:
        if contact.handle_time or contact.after_contact_work_time:
            yield Fault("answered", "None", "a time, for there is talk, hold or after-contact work time")
    elif contact.ended is not None:
        if contact.talk_time is None:
            yield Fault("talk_time", "None", "a timedelta, for the contact was answered and has ended")
        if contact.outbound and contact.right_party is None:
            yield Fault("right_party", "None", "true or false; true where the ACD cannot tell")
        if contact.handle_time > contact.ended - contact.answered + _ROUNDING:
            talked = f"{contact.handle_time} of talk and hold"
            yield Fault("talk_time", talked, f"at most {contact.ended - contact.answered}, answered to ended")


class AgentTimeState(Enum):
    """What an agent's time was spent on."""

    READY = "ready"
    """Waiting for a contact."""
    NOT_READY = "not_ready"
    """Logged in, neither ready nor at work: break, training, no reason given."""
    WORKING = "working"
    """At work on a contact, after-contact work included."""


@frozen(kw_only=True)
class AgentTime:
    """What one agent did from `start` to `end`. All spans of an agent together are the login time.

    A span may cross intervals and midnight. Of a state that still lasts, give what has passed, and the
    longer span later. Raises `ValidationError`; also where it is longer than 7 days (our choice): that is
    a log-off that was lost, or a date such as 9999-12-31 that stands for "still open".
    """

    agent: str
    """The `agent_value` of the agent row: 1 to 256 ASCII characters."""
    start: datetime = field(converter=to_instant)
    end: datetime = field(converter=to_instant)
    state: AgentTimeState

    def __attrs_post_init__(self) -> None:
        faults = [*_kind_faults(self, {"agent": _AGENT, "start": _MOMENT, "end": _MOMENT}, {})]
        state: object = self.state
        if not isinstance(state, AgentTimeState):
            faults.append(Fault("state", describe(state), "an AgentTimeState"))
        if not faults and not ZERO <= self.end - self.start <= _LONGEST_SPAN:
            expected = f"a time from start, {describe(self.start)}, to 7 days after it"
            faults.append(Fault("end", describe(self.end), expected))
        _refuse(self, faults)


@frozen(kw_only=True)
class AgentStatus:
    """What the ACD says of one agent now. An agent with several contacts at a time has one for each.

    Raises `ValidationError`.
    """

    login_id: str
    """The agent's login in the ACD: the `login_id` of the agent state. 1 to 256 characters."""
    event_code: str
    """The ACD's event, 1 to 256 characters; with `reason_code` it is what CXone WFM maps to an activity."""
    reason_code: str | None = None
    """None, like an empty text: the state has no reason."""
    since: datetime | None = field(default=None, converter=_to_moment)
    """When the state really began. None: the ACD does not say."""

    def __attrs_post_init__(self) -> None:
        _refuse(self, [*_kind_faults(self, _STATUS, _STATUS_OPTIONAL)])


_STATUS = {"login_id": _NAME, "event_code": _NAME}
_STATUS_OPTIONAL = {"reason_code": _NOTE, "since": _MOMENT}
