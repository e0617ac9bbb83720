"""IntervalAggregator: from contacts and agents' time to the historical report of each interval.

*When Contact Ended* (vendor page): a contact counts once, in the interval in which it ends, with its
whole handle time. docs/explanation/connector-intervals.md draws which figure goes where.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from .._kinds import describe
from ..errors import ConfigurationError, CXoneError, Fault, ValidationError
from ..intervals import INTERVAL_LENGTH, Interval
from ..models.historical import HistoricalReport, HistoricalReportData
from ._totals import NOT_COMPLETE, IntervalData, report_data
from .records import AgentTime, Contact, Queue

__all__ = ["CORRECTABLE", "IntervalAggregator", "NoDataError"]

CORRECTABLE = timedelta(hours=4)
"""How long an interval stays correctable where nothing else is said (our choice)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_LENGTH = INTERVAL_LENGTH // _MICROSECOND

_Places = dict[tuple[int, str], object]
"""Where a contact counts: the number of the interval and the part of its data, and what it counts as."""


class NoDataError(CXoneError):
    """There is nothing to report of `interval`, for the `reason` given. It is not a quiet interval.

    To WFM zeros are a fact that the forecast learns from. So there is no report until the extracts of
    the interval have come and `IntervalAggregator.complete` was called.
    """

    def __init__(self, interval: Interval, reason: str) -> None:
        self.interval = interval
        self.reason = reason
        super().__init__(interval, reason)

    def __str__(self) -> str:
        return (
            f"No data for {self.interval}: {self.reason}. Extract it again; do not send zeros in its place."
        )


class IntervalAggregator:
    """Adds up contacts and agents' time, and gives the `HistoricalReport` of each interval.

    Give it what the ACD has, in any order, as often as you like: `add_contacts`, `add_agent_time`. When
    the extracts of an interval have all come, `complete` it and take its `report`. What comes later for
    an interval that was reported comes out of `corrections`, as a new report of the whole interval.

    `queues` have a row in every report. A contact may be on another queue; that one has a row where it
    has contacts, and no service-level threshold.

    An interval is held, and correctable, until `correctable` after its end, as told by the end of the
    newest interval that was completed. Then it is forgotten, and so are the contacts that count in no
    other. So memory follows the contacts of that time, not those of the day.

    No clock, no thread, no I/O; for one thread at a time.

    Raises `ConfigurationError` where a queue is there twice or `correctable` is negative, and
    `ValidationError` where `acd_type` or `report_version` is not what a report may hold.
    """

    def __init__(
        self,
        *,
        acd_type: str,
        queues: Iterable[Queue] = (),
        correctable: timedelta = CORRECTABLE,
        report_version: str = "0",
    ) -> None:
        known = list(queues)
        self._known = {queue.value for queue in known}
        self._queues = {queue.value: queue for queue in known}
        self._correctable = correctable
        self._acd_type = acd_type
        self._report_version = report_version
        self._intervals: defaultdict[int, IntervalData] = defaultdict(IntervalData)
        self._contacts: dict[str, Contact] = {}  # those that count in an interval that is held
        self._oldest = _number(datetime.min.replace(tzinfo=timezone.utc))  # the first that is still held
        if problems := self._problems(known):
            raise ConfigurationError(problems)
        self._make_report(Interval(start=_EPOCH), HistoricalReportData())  # refuses what no report may hold

    def add_contacts(self, contacts: Iterable[Contact]) -> list[Contact]:
        """Take contacts, and what has become of earlier ones. Returns those that came too late.

        A contact given twice counts once. One with the `contact_id` of an earlier one replaces it; but as
        extracts may come in any order, an open contact never replaces one that has ended, nor a waiting
        one one that was answered. Too late is a contact that ended in an interval no longer held; one that
        was counted there in time may be among them, for it is forgotten too.

        Raises `ValidationError` where a contact has another direction than its queue. Those before it are
        taken; to give them all again does no harm.
        """
        too_late = []
        for contact in contacts:
            old = self._contacts.get(contact.contact_id)
            if old is not None and _progress(contact) < _progress(old):
                continue
            self._check_direction(contact)
            self._put_in(contact, {} if old is None else self._take_out(old, after=_places(contact)))
            if contact.ended is not None and _number(contact.ended) < self._oldest:
                too_late.append(contact)
        return too_late

    def add_agent_time(self, spans: Iterable[AgentTime]) -> list[AgentTime]:
        """Take spans of agents' time; each interval gets its part. Returns those that came too late.

        Spans may lie over each other, from two sources or because a longer one follows a shorter. Every
        moment counts once: as work, else as ready, else as not ready (our choice). So no agent has more
        than 900 seconds. Too late is a span that ended before the intervals that are held.
        """
        too_late = []
        for span in spans:
            start, end = (span.start - _EPOCH) // _MICROSECOND, (span.end - _EPOCH) // _MICROSECOND
            if end <= self._oldest * _LENGTH:
                too_late.append(span)
            if start == end:
                continue
            for number in range(max(start // _LENGTH, self._oldest), -(-end // _LENGTH)):
                begin = number * _LENGTH
                piece = (max(start - begin, 0), min(end - begin, _LENGTH), span.state)
                data = self._intervals[number]
                pieces = data.agent_time.setdefault(span.agent, [])
                if piece not in pieces:
                    pieces.append(piece)
                    data.changed = True
        return too_late

    def complete(self, interval: Interval) -> None:
        """State that all extracts of the interval have come, also where they hold nothing.

        From here on nothing is taken for the intervals that this one has made too old. Raises
        `NoDataError` where it is itself too old.
        """
        number = self._held_number(interval)
        self._intervals[number].no_data = None
        # What has just become too old stays until next time: its last correction may not have been taken.
        for old in [old for old in self._intervals if old < self._oldest]:
            self._forget(old)
        self._oldest = max(self._oldest, number - self._correctable // INTERVAL_LENGTH)

    def failed(self, interval: Interval, reason: str) -> None:
        """State that an extract of the interval has failed: there is no report of it until it is completed.

        Raises `NoDataError` where the interval is no longer held.
        """
        self._intervals[self._held_number(interval)].no_data = reason

    def report(self, interval: Interval) -> HistoricalReport:
        """The report of a complete interval, with all that is known of it by now.

        Raises `NoDataError` where the interval is not complete, has failed, or is no longer held.
        """
        number = self._held_number(interval)
        data = self._intervals.get(number)
        if data is None:
            raise NoDataError(interval, NOT_COMPLETE)
        if data.no_data is not None:
            raise NoDataError(interval, data.no_data)
        return self._report(interval, data)

    def corrections(self) -> list[HistoricalReport]:
        """A new report of each complete interval that has changed since it was last reported, oldest first.

        It is the whole interval again, not a difference. Rows that an earlier report had are there even
        where nothing is left of them but zeros.
        """
        return [
            self._report(Interval(start=_EPOCH + number * INTERVAL_LENGTH), data)
            for number, data in sorted(self._intervals.items())
            if data.reported and data.changed and data.no_data is None
        ]

    def _put_in(self, contact: Contact, before: _Places) -> None:
        for (number, part), counted in _places(contact).items():
            if number >= self._oldest:
                data = self._intervals[number]
                getattr(data, part)[contact.contact_id] = self._contacts[contact.contact_id] = contact
                if before.get((number, part)) != counted:
                    data.changed = True

    def _take_out(self, contact: Contact, *, after: _Places) -> _Places:
        """Where the contact counted, after taking it out of where it counts no more or as something else."""
        del self._contacts[contact.contact_id]
        before = _places(contact)
        for (number, part), counted in before.items():
            if number >= self._oldest and after.get((number, part)) != counted:
                data = self._intervals[number]
                del getattr(data, part)[contact.contact_id]
                data.changed = True
                if data.reported:
                    data.told.add((contact.queue, contact.agent))
        return before

    def _check_direction(self, contact: Contact) -> None:
        queue = self._queues.get(contact.queue)
        if queue is None:
            self._queues[contact.queue] = Queue(value=contact.queue, outbound=contact.outbound)
        elif queue.outbound is not contact.outbound:
            where = f"contact {describe(contact.contact_id)} on queue {describe(contact.queue)}"
            found, expected = ("outbound", "inbound") if contact.outbound else ("inbound", "outbound")
            advice = f"{expected}, as its queue is: CXone ignores a queue with both, so give each its own"
            raise ValidationError(Contact.__name__, [Fault(where, found, advice)])

    def _held_number(self, interval: Interval) -> int:
        number = _number(interval.start)
        if number < self._oldest:
            held = f"intervals are held for {self._correctable} after the newest complete one"
            raise NoDataError(
                interval, f"{held}, and this one is older: use another aggregator for a backfill"
            )
        return number

    def _forget(self, number: int) -> None:
        data = self._intervals.pop(number)
        oldest = _EPOCH + self._oldest * INTERVAL_LENGTH
        for contacts in (data.arrived, data.active, data.ended):
            for contact_id in contacts:
                latest = self._contacts.get(contact_id)  # here it may stand as it was before its last update
                if latest is not None and (latest.ended or latest.answered or latest.arrived) < oldest:
                    del self._contacts[contact_id]

    def _report(self, interval: Interval, data: IntervalData) -> HistoricalReport:
        data.reported, data.changed = True, False
        return self._make_report(interval, report_data(data, self._queues, self._known))

    def _problems(self, known: list[Queue]) -> list[str]:
        found = [f"queue {q.value!r} is there twice" for q in known if self._queues[q.value] is not q]
        if self._correctable < timedelta(0):
            found.append(f"correctable is {self._correctable}; it must be a timedelta of at least 0")
        return found

    def _make_report(self, interval: Interval, data: HistoricalReportData) -> HistoricalReport:
        return HistoricalReport(
            acd_type=self._acd_type,
            report_version=self._report_version,
            start_date=interval.start,
            end_date=interval.end,
            report_data=data,
        )


def _number(moment: datetime) -> int:
    return (moment - _EPOCH) // INTERVAL_LENGTH


def _progress(contact: Contact) -> int:
    """How far the contact has come: waiting, answered, ended."""
    return 2 if contact.ended is not None else int(contact.answered is not None)


def _places(contact: Contact) -> _Places:
    places: _Places = {}
    arrived = _number(contact.arrived)
    if not contact.outbound:
        places[arrived, "arrived"] = contact.queue
    if contact.answered is not None and (answered := _number(contact.answered)) != arrived:
        places[answered, "active"] = (contact.queue, contact.agent)
    if contact.ended is not None and not (contact.outbound and contact.answered is None):
        places[_number(contact.ended), "ended"] = contact
    return places
