"""Rules for one row of a queue at a time: its counts, times and direction (WFM2xx)."""

from collections.abc import Iterator

from attrs import frozen

from ..._kinds import describe
from ...models.historical import AgentQueueReport, HistoricalReport, QueueReport
from ._media import Media
from ._rows import (
    ROUNDING,
    Row,
    agent_queues,
    differ,
    exceeds,
    handled_by_queue,
    is_zero,
    number,
    queues,
    total,
)
from ._rule import Context, Hit, Rules, Severity

QUEUE_RULES: Rules[HistoricalReport] = Rules()

LONGEST_AVERAGE = 4 * 3600
"""Seconds for each contact from which milliseconds are more likely (our choice): 14.4 s in milliseconds."""
SHORTEST_AVERAGE = 10
"""Seconds of handling for each contact below which an average is more likely than a total (our choice)."""
ENOUGH_CONTACTS = 10
"""From how many contacts on an average says something (our choice)."""

QueueRow = Row[QueueReport] | Row[AgentQueueReport]


@frozen
class _Timed:
    """Contacts of a row, the time they took, and the names of both."""

    contacts: float | None
    time: float | None
    contact_names: tuple[str, ...]
    time_name: str


def _rows_of(report: HistoricalReport) -> Iterator[QueueRow]:
    yield from queues(report)
    yield from agent_queues(report)


def _handled(row: QueueRow) -> _Timed:
    if isinstance(row.record, QueueReport):
        names = ("handled_short", "handled_long")
        return _Timed(handled_by_queue(row.record), row.record.handle_time, names, "handle_time")
    return _Timed(row.record.handled, row.record.handled_time, ("handled",), "handled_time")


def _all_timed(row: QueueRow) -> list[_Timed]:
    """What the row handled, and whom it reached."""
    one = row.record
    right, wrong = "right_party_contacts", "wrong_party_contacts"
    return [
        _handled(row),
        _Timed(one.right_party_contacts, one.right_party_handle_time, (right,), "right_party_handle_time"),
        _Timed(one.wrong_party_contacts, one.wrong_party_handle_time, (wrong,), "wrong_party_handle_time"),
    ]


@QUEUE_RULES.add(
    "WFM201",
    Severity.ERROR,
    summary="Rows of one queue are marked as inbound and as outbound.",
    advice="Give each direction a queue of its own: WFM leaves such a record out of forecasting.",
    source="vendor: one medium and one direction for each queue",
)
def mixed_directions(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    first: dict[str, QueueRow] = {}
    told: set[str] = set()
    for row in _rows_of(report):
        queue, outbound = row.record.queue_value, row.record.is_outbound
        if outbound is None or queue in told:
            continue
        earlier = first.setdefault(queue, row)
        if earlier.record.is_outbound != outbound:
            told.add(queue)
            yield row.hit(
                f"Queue {describe(queue)} is {_direction(outbound)} here and {_direction(not outbound)} at"
                f" {earlier.path}.",
                "is_outbound",
                "queue_value",
            )


def _direction(outbound: bool) -> str:  # noqa: FBT001 - it is what the wire carries
    return "outbound" if outbound else "inbound"


@QUEUE_RULES.add(
    "WFM202",
    Severity.WARNING,
    summary="A row holds contacts of both directions: handled ones, and right or wrong parties.",
    advice="Split the queue by direction, or leave out the measures of the other one.",
    source="vendor: one medium and one direction for each queue",
)
def contacts_of_both_directions(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    for row in _rows_of(report):
        handled = _handled(row)
        parties = total([row.record.right_party_contacts, row.record.wrong_party_contacts])
        inbound = exceeds(handled.contacts, 0) or row.record.is_outbound is False
        if inbound and exceeds(parties, 0):
            is_marked = row.record.is_outbound is False
            other = "is marked as inbound" if is_marked else f"{number(handled.contacts)} handled contacts"
            yield row.hit(
                f"The row has {number(parties)} right or wrong parties, which are outbound, and {other}.",
                "right_party_contacts",
                "wrong_party_contacts",
                *(["is_outbound"] if is_marked else handled.contact_names),
            )


@QUEUE_RULES.add(
    "WFM203",
    Severity.WARNING,
    summary="The times of a row come to more than 4 hours for each contact.",
    advice="Send seconds: divide by 1000 where the ACD gives milliseconds.",
    source="our choice; milliseconds in place of seconds are an error seen with ACDs that count in them",
)
def milliseconds_for_seconds(report: HistoricalReport, context: Context) -> Iterator[Hit]:
    for row in _rows_of(report):
        handled = _handled(row)
        others = [("hold_time", row.record.hold_time), ("work_time", row.record.work_time)]
        is_live = context.media_of(row.record.queue_value) is Media.IMMEDIATE_RESPONSE
        if is_live and isinstance(row.record, QueueReport):  # a deferrable contact may wait for days
            others.append(("queue_delay_time", row.record.queue_delay_time))
        timed = [
            *_all_timed(row),
            *(_Timed(handled.contacts, v, handled.contact_names, n) for n, v in others),
        ]
        for each in timed:
            if each.contacts and exceeds(each.time, each.contacts * LONGEST_AVERAGE):
                average = (each.time or 0) / each.contacts
                yield row.hit(
                    f"{number(average)} s for each of {number(each.contacts)} contacts look like"
                    f" milliseconds: in seconds they would be {number(average / 1000)}.",
                    each.time_name,
                    *each.contact_names,
                    more={"average": average},
                )
                break


@QUEUE_RULES.add(
    "WFM204",
    Severity.ERROR,
    summary="Hold time is longer than the handle time that it is a part of.",
    advice="Handle time is talk and hold together: add the hold time where the ACD's talk time leaves it"
    " out.",
    source="field list: hold time is included in handle time",
)
def hold_longer_than_handle(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    for row in _rows_of(report):
        handle = _handled(row)
        if exceeds(row.record.hold_time, handle.time, ROUNDING):
            yield row.hit(
                f"{number(row.record.hold_time)} s on hold are more than the {number(handle.time)} s of"
                " handle time, which includes them.",
                "hold_time",
                handle.time_name,
            )


@QUEUE_RULES.add(
    "WFM205",
    Severity.WARNING,
    summary="At least 10 contacts were handled in less than 10 seconds each.",
    advice="Send the total of all contacts, in seconds: multiply where the ACD gives an average or minutes.",
    source="our choice; some ACDs give averages where WFM takes totals",
)
def average_for_total(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    for row in _rows_of(report):
        for each in _all_timed(row):
            many = each.contacts is not None and each.contacts >= ENOUGH_CONTACTS
            if many and each.time and exceeds((each.contacts or 0) * SHORTEST_AVERAGE, each.time):
                yield row.hit(
                    f"{number(each.time)} s for {number(each.contacts)} contacts: it looks like the average"
                    " of one.",
                    each.time_name,
                    *each.contact_names,
                )


@QUEUE_RULES.add(
    "WFM206",
    Severity.WARNING,
    summary="There are contacts, and they took no time.",
    advice="Check the mapping of the time; leave it out where the ACD does not know it.",
    source="inference from the definitions",
)
def contacts_without_time(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    for row in _rows_of(report):
        for each in _all_timed(row):
            if exceeds(each.contacts, 0) and is_zero(each.time):
                yield row.hit(
                    f"{number(each.contacts)} contacts took no time at all.",
                    each.time_name,
                    *each.contact_names,
                )


@QUEUE_RULES.add(
    "WFM207",
    Severity.WARNING,
    summary="There is handle time without a contact that it belongs to.",
    advice="Count a contact with its whole time in the interval in which it ends; do not split it over"
    " intervals.",
    source="vendor: the SDK takes When Contact Ended, not the paradigm that splits contacts over intervals",
)
def time_without_contacts(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    for row in _rows_of(report):
        for each in _all_timed(row):
            if is_zero(each.contacts) and exceeds(each.time, 0):
                yield row.hit(
                    f"{number(each.time)} s belong to no contact.", each.time_name, *each.contact_names
                )


@QUEUE_RULES.add(
    "WFM208",
    Severity.WARNING,
    summary="Contacts waited, and none was handled.",
    advice="Send what the handled contacts waited; leave out the wait of those who gave up.",
    source="field list: the delay goes with the handled contacts, by which WFM divides it",
)
def delay_without_contacts(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    for row in queues(report):
        if is_zero(handled_by_queue(row.record)) and exceeds(row.record.queue_delay_time, 0):
            yield row.hit(
                f"{number(row.record.queue_delay_time)} s of delay and no handled contact: it looks like the"
                " wait of those who gave up.",
                "queue_delay_time",
                "handled_short",
                "handled_long",
            )


@QUEUE_RULES.add(
    "WFM209",
    Severity.ERROR,
    summary="The backlog is not the sum of its two parts.",
    advice="Send backlog = backlogNotExpired + backlogExpired.",
    source="field list: the definition of the backlog",
)
def backlog_is_not_the_sum(report: HistoricalReport, _: Context) -> Iterator[Hit]:
    for row in queues(report):
        one = row.record
        parts = total([one.backlog_not_expired, one.backlog_expired])
        if differ(one.backlog, parts, 0):
            yield row.hit(
                f"The backlog is {number(one.backlog)}, and its parts come to {number(parts)}.",
                "backlog",
                "backlog_not_expired",
                "backlog_expired",
            )


@QUEUE_RULES.add(
    "WFM210",
    Severity.WARNING,
    summary="The service level looks like a share from 0 to 1.",
    advice="Send a percentage from 0 to 100: multiply by 100.",
    source="vendor page: its sample is 100.0. WFM ignores the field for immediate response: there the rule"
    " is off",
)
def service_level_is_a_share(report: HistoricalReport, context: Context) -> Iterator[Hit]:
    for row in queues(report):
        one = row.record
        if context.media_of(one.queue_value) is Media.IMMEDIATE_RESPONSE:
            continue
        handled = handled_by_queue(one)
        share = one.handled_short / handled if handled and one.handled_short is not None else 1
        if one.svc_lvl_pct and one.svc_lvl_pct <= 1 and share > 1 / 50:
            yield row.hit(
                f"A service level of {one.svc_lvl_pct:g} % looks like the share {one.svc_lvl_pct:g}, which"
                f" is {one.svc_lvl_pct * 100:g} %.",
                "svc_lvl_pct",
            )
