"""The promises of `IntervalAggregator`: every contact once, in its interval, and no zeros for no data."""

import json
import random
import weakref
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from support import reference_day
from support.reference_day import CLOCKS_BACK, CLOCKS_FORWARD, NEW_YORK, ORDINARY, QUARTER

from cxone_wfm.connector.aggregation import IntervalAggregator, NoDataError
from cxone_wfm.connector.records import AgentTime, AgentTimeState, Contact, Queue
from cxone_wfm.errors import ConfigurationError, CXoneError, ValidationError
from cxone_wfm.intervals import INTERVAL_LENGTH, Interval

UTC = timezone.utc
TEN = datetime(2024, 4, 17, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOTHING = timedelta(0)
READY, NOT_READY, WORKING = AgentTimeState.READY, AgentTimeState.NOT_READY, AgentTimeState.WORKING


def at(minutes, seconds=0):
    """A moment, by its distance from ten o'clock."""
    return TEN + timedelta(minutes=minutes, seconds=seconds)


def quarter(minutes=0):
    return Interval.containing(at(minutes))


def handled(contact_id="c1", arrived=0, answered=1, ended=5, **changes):
    """A contact that was answered and has ended; the moments are minutes from ten o'clock."""
    fields = {"queue": "8057", "agent": "ann", "talk_time": timedelta(minutes=ended - answered)}
    fields |= {"arrived": at(arrived), "answered": at(answered), "ended": at(ended), **changes}
    return Contact(contact_id=contact_id, **fields)


def still_open(contact_id="c1", arrived=0, answered=None):
    """A contact that waits, or that an agent has now."""
    moments = {"arrived": at(arrived), "answered": None if answered is None else at(answered)}
    return Contact(contact_id=contact_id, queue="8057", agent="ann" if answered else None, **moments)


def abandoned(contact_id="c1", arrived=0, ended=1, **changes):
    fields = {"queue": "8057", "arrived": at(arrived), "ended": at(ended)}
    return Contact(contact_id=contact_id, **{**fields, **changes})


def span(start, end, state, agent="ann"):
    return AgentTime(agent=agent, start=at(start), end=at(end), state=state)


def make(*queues, **settings):
    return IntervalAggregator(acd_type="Generic_Test", queues=queues, **settings)


def sent(report):
    return json.loads(report.to_json())["reportData"]


def rows(aggregator, *minutes):
    """The queue rows of the intervals, without name and key and what is zero: [{...}, {...}]."""
    found = []
    for minute in minutes:
        aggregator.complete(quarter(minute))
        data = sent(aggregator.report(quarter(minute)))
        found.append([figures(row) for row in data["queueReport"]])
    return found


def figures(row):
    return {key: value for key, value in row.items() if value and key not in {"queueValue", "isOutbound"}}


# --- the reference day ----------------------------------------------------------------------------------


def small_day(day, seed=7):
    return reference_day.make_day(agents=60, queues=8, contacts=1500, seed=seed, day=day)


@pytest.fixture(scope="module", params=[ORDINARY, CLOCKS_FORWARD, CLOCKS_BACK], ids=str)
def when(request):
    return request.param


@pytest.fixture(scope="module")
def day(when):
    return small_day(when)


@pytest.fixture(scope="module")
def counted(day):
    return reference_day.count(day)


@pytest.fixture(scope="module")
def reports(day):
    contacts, spans = (
        map(reference_day.contact_record, day.contacts),
        map(reference_day.span_record, day.spans),
    )
    return reference_day.all_at_once(day, contacts, spans)


def test_every_figure_of_every_interval_is_what_a_count_by_brute_force_gives(day, counted, reports):
    found = reference_day.as_sent(reports)
    assert list(found) == list(counted)
    assert [start for start in counted if found[start] != counted[start]] == []
    assert reference_day.figures(counted.values()) > 15_000


def test_the_intervals_of_the_local_day_are_all_there_also_when_the_clocks_change(when, reports):
    local = [interval.start for interval in Interval.of_local_day(when, NEW_YORK)]
    assert len(local) == {ORDINARY: 96, CLOCKS_FORWARD: 92, CLOCKS_BACK: 100}[when]
    assert set(local) <= {report.start_date for report in reports}


def test_the_same_day_in_another_order_gives_the_same_reports(day, reports):
    luck = random.Random(3)
    versions = [reference_day.contact_record(raw) for raw in day.contacts]
    for share, until in ((0.5, "answered"), (0.5, "ended")):  # and as they were known before they had ended
        for raw in day.contacts:
            if luck.random() < share and (moment := getattr(raw, until)) is not None:
                versions += [reference_day.contact_record(raw, until=moment)]
    spans = [reference_day.span_record(raw) for raw in day.spans]
    luck.shuffle(versions)
    luck.shuffle(spans)
    assert len(versions) > 1.8 * len(day.contacts)
    assert reference_day.all_at_once(day, versions, spans) == reports


def extracts(day):
    """For each interval what a connector gets: contacts as known at its end; some late, some work later."""
    luck = random.Random(5)
    starts = day.starts
    contacts, spans = ({start: [] for start in starts} for _ in range(2))

    def give(start, record):
        contacts[min(start, starts[-1])].append(record)

    for raw in day.contacts:
        first, last = (moment // QUARTER * QUARTER for moment in (raw.arrived, raw.ended))
        for start in range(first, last, QUARTER):
            give(start, reference_day.contact_record(raw, until=start + QUARTER))
        late = luck.randrange(1, 12) * QUARTER if luck.random() < 0.01 else 0
        give(last + late, reference_day.contact_record(raw, with_work=False))
        give(last + late + luck.randrange(2) * QUARTER, reference_day.contact_record(raw))
    for raw in day.spans:
        for start in range(raw.start * 1000 // QUARTER * QUARTER, raw.end * 1000, QUARTER):
            end = min(raw.end, (start + QUARTER) // 1000)
            spans[start].append(reference_day.span_record(raw._replace(end=end)))
    return [(reference_day.interval(start), contacts[start], spans[start]) for start in starts]


def test_a_day_as_it_comes_ends_with_the_same_figures_after_its_corrections(day, counted):
    aggregator = IntervalAggregator(acd_type=reference_day.ACD_TYPE, queues=reference_day.queue_records(day))
    latest, corrections = {}, 0
    for interval, contacts, spans in extracts(day):
        assert aggregator.add_contacts(contacts) == []
        aggregator.add_agent_time(spans)
        aggregator.complete(interval)
        latest[interval.start] = aggregator.report(interval)
        for report in aggregator.corrections():
            latest[report.start_date] = report
            corrections += 1
    found = reference_day.as_sent(latest.values())
    assert [start for start in counted if found[start] != counted[start]] == []
    assert corrections > 50


def test_sums_over_the_day_are_the_sums_over_the_raw_records(day, reports):
    found = Counter()
    for report in reference_day.as_sent(reports).values():
        for row in report["queueReport"]:
            found.update({key: round(value * 1000) for key, value in figures(row).items()})
    done = [c for c in day.contacts if c.answered is not None]
    inbound = [c for c in done if not c.outbound]
    right = [c for c in done if c.right_party]
    lost = [c for c in day.contacts if c.answered is None and not c.outbound]
    assert found["handledShort"] + found["handledLong"] == 1000 * len(inbound)
    assert found["abandonedShort"] + found["abandonedLong"] == 1000 * len(lost)
    assert found["contactsReceived"] == 1000 * (len(inbound) + len(lost))
    assert found["handleTime"] == sum(c.talk + c.hold for c in inbound)
    assert found["rightPartyContacts"] == 1000 * len(right)
    assert found["rightPartyHandleTime"] == sum(c.talk + c.hold for c in right)
    assert found["rightPartyContacts"] + found["wrongPartyContacts"] == 1000 * (len(done) - len(inbound))
    assert found["holdTime"] == sum(c.hold for c in done)
    assert found["workTime"] == sum(c.work for c in done)


def test_the_rows_of_the_agents_add_up_to_the_row_of_the_queue_where_every_contact_has_one():
    raw = small_day(ORDINARY)
    with_agent = [c for c in raw.contacts if c.agent is not None]
    contacts, spans = map(reference_day.contact_record, with_agent), map(reference_day.span_record, raw.spans)
    for report in reference_day.all_at_once(raw, contacts, spans):
        agents, queues = Counter(), Counter()
        for row in report.report_data.agent_queue_report or ():
            agents[row.queue_value] += row.handled_time or 0
        for row in report.report_data.queue_report:
            queues[row.queue_value] += row.handle_time or 0
        assert all(agents[queue] == pytest.approx(queues[queue]) for queue in queues)


# --- when contact ended ---------------------------------------------------------------------------------


def test_a_contact_counts_once_as_it_ends_with_all_its_handle_time_longer_than_the_interval_or_not():
    aggregator = make()
    aggregator.add_contacts([handled(arrived=-50, answered=-50, ended=-20)])  # 09:10 to 09:40
    assert rows(aggregator, -60, -45, -30, -15) == [
        [{"contactsReceived": 1}],
        [],
        [{"handledLong": 1, "handleTime": 1800}],
        [],
    ]


def test_arrival_answer_and_end_each_count_in_their_own_interval_and_the_wait_counts_with_the_end():
    aggregator = make()
    aggregator.add_contacts([handled(arrived=14, answered=16, ended=31)])
    assert rows(aggregator, 0, 15, 30) == [
        [{"contactsReceived": 1}],
        [{"active": 1}],
        [{"handledLong": 1, "handleTime": 900, "queueDelayTime": 120}],
    ]


def test_the_start_of_an_interval_belongs_to_it_and_its_end_to_the_next():
    aggregator = make()
    aggregator.add_contacts([handled(arrived=0, answered=0, ended=15)])
    assert rows(aggregator, 0, 15) == [[{"contactsReceived": 1}], [{"handledLong": 1, "handleTime": 900}]]


def test_a_contact_answered_in_the_interval_of_its_arrival_is_not_active():
    aggregator = make()
    aggregator.add_contacts([handled(arrived=0, answered=14, ended=20)])
    assert [["active" in row for row in found] for found in rows(aggregator, 0, 15)] == [[False], [False]]


def test_hold_is_part_of_handle_time_and_after_contact_work_is_apart_and_goes_with_the_contact():
    aggregator = make()
    times = {"talk_time": 3 * MINUTE, "hold_time": MINUTE, "after_contact_work_time": 20 * MINUTE}
    aggregator.add_contacts([handled(**times)])
    (row,) = rows(aggregator, 0)[0]
    assert (row["handleTime"], row["holdTime"], row["workTime"]) == (240, 60, 1200)


def test_an_abandoned_contact_counts_when_it_was_abandoned_and_adds_no_time():
    aggregator = make()
    aggregator.add_contacts([abandoned(arrived=14, ended=16, agent="ann")])
    assert rows(aggregator, 0, 15) == [[{"contactsReceived": 1}], [{"abandonedLong": 1}]]
    assert "agentQueueReport" not in sent(aggregator.report(quarter(15)))


def test_the_acds_own_queue_delay_comes_before_the_moments():
    aggregator = make(Queue(value="8057", service_level_threshold=20 * SECOND))
    aggregator.add_contacts([handled(queue_delay=5 * SECOND)])
    (row,) = rows(aggregator, 0)[0]
    assert (row["handledShort"], row["queueDelayTime"]) == (1, 5)


def test_short_is_before_the_threshold_of_the_queue_and_long_is_from_it_on():
    aggregator = make(Queue(value="8057", service_level_threshold=20 * SECOND))
    waits = [19.999, 20, 20.001, 0]
    aggregator.add_contacts(
        [handled(f"h{w}", answered=2, queue_delay=w * SECOND) for w in waits]
        + [abandoned(f"a{w}", arrived=2, ended=2, queue_delay=w * SECOND) for w in waits[:3]]
    )
    (row,) = rows(aggregator, 0)[0]
    assert (row["handledShort"], row["handledLong"]) == (2, 2)
    assert (row["abandonedShort"], row["abandonedLong"]) == (1, 2)


def test_without_a_threshold_all_are_long_and_the_short_ones_are_left_out():
    aggregator = make(Queue(value="8057"))
    aggregator.add_contacts([handled("h"), abandoned("a")])
    aggregator.complete(quarter())
    (row,) = aggregator.report(quarter()).report_data.queue_report
    assert (row.handled_long, row.abandoned_long) == (1, 1)
    assert (row.handled_short, row.abandoned_short) == (None, None)


def two_of_each():
    """Contacts of each kind twice, in the quarter from ten o'clock or ending in it."""
    short = {"queue": "in", "queue_delay": SECOND}
    out = {"queue": "out", "outbound": True, "hold_time": SECOND, "after_contact_work_time": SECOND}
    kinds = [
        lambda name: handled(name, **short, hold_time=SECOND, after_contact_work_time=SECOND),
        lambda name: handled(name, queue="in"),
        lambda name: abandoned(name, **short),
        lambda name: abandoned(name, queue="in"),
        lambda name: handled(name, queue="in", arrived=-1, answered=1, ended=20),
        lambda name: handled(name, **out, right_party=True),
        lambda name: handled(name, **out, right_party=False),
        lambda name: handled(name, **out, right_party=True, arrived=-1, answered=1, ended=20),
    ]
    return [make_one(f"{place}/{number}") for place, make_one in enumerate(kinds) for number in range(2)]


def test_every_figure_is_a_sum_twice_the_contacts_make_it_twice_as_large():
    settings = (
        Queue(value="in", name="Service", service_level_threshold=20 * SECOND),
        Queue(value="out", name="Sales", outbound=True),
    )
    found = []
    for step in (2, 1):
        aggregator = make(*settings)
        aggregator.add_contacts(two_of_each()[::step])
        aggregator.complete(quarter())
        data = sent(aggregator.report(quarter()))
        found.append([*data["queueReport"], *data["agentQueueReport"]])
    names = {"queueValue", "queueName", "agentValue", "isOutbound"}
    for once, twice in zip(*found, strict=True):
        assert {key: value if key in names else 2 * value for key, value in once.items()} == twice
        assert all(value for key, value in once.items() if key not in names), once
    assert [row["queueName"] for row in found[0]] == ["Service", "Sales"] * 2


def test_an_agent_has_a_row_for_each_queue_with_contacts_and_one_that_nobody_handled_has_none():
    aggregator = make()
    aggregator.add_contacts(
        [
            handled("1", queue="8057", agent="bob", hold_time=SECOND),
            handled("2", queue="8057", agent="ann", after_contact_work_time=SECOND),
            handled("3", queue="8056", agent="bob", arrived=-1, answered=0, ended=20),
            handled("4", queue="8056", agent=None),
        ]
    )
    aggregator.complete(quarter())
    common = {
        "isOutbound": False,
        "active": 0,
        "handled": 1,
        "handledTime": 240,
        "holdTime": 0,
        "workTime": 0,
    }
    assert sent(aggregator.report(quarter()))["agentQueueReport"] == [
        {**common, "queueValue": "8056", "agentValue": "bob", "active": 1, "handled": 0, "handledTime": 0},
        {**common, "queueValue": "8057", "agentValue": "ann", "workTime": 1},
        {**common, "queueValue": "8057", "agentValue": "bob", "holdTime": 1, "handledTime": 241},
    ]


def test_an_outbound_queue_has_right_and_wrong_party_and_none_of_what_does_not_apply():
    aggregator = make(Queue(value="9", name="Sales", outbound=True))
    common = {"queue": "9", "outbound": True}
    aggregator.add_contacts(
        [
            handled("1", **common, right_party=True, hold_time=SECOND),
            handled("2", **common, right_party=False, after_contact_work_time=3 * SECOND),
            handled("3", **common, right_party=True, arrived=-1),
            abandoned("4", **common),
        ]
    )
    aggregator.complete(quarter())
    data = sent(aggregator.report(quarter()))
    row = {"queueValue": "9", "queueName": "Sales", "isOutbound": True, "active": 1}
    row |= {"rightPartyContacts": 2, "rightPartyHandleTime": 481, "holdTime": 1}
    row |= {"wrongPartyContacts": 1, "wrongPartyHandleTime": 240, "workTime": 3}
    assert data["queueReport"] == [row]
    assert data["agentQueueReport"] == [{**row, "agentValue": "ann"}]


def test_a_queue_that_nobody_named_has_the_direction_of_its_contacts():
    aggregator = make()
    aggregator.add_contacts(
        [handled(f"{party}", outbound=True, right_party=party) for party in (True, False)]
    )
    aggregator.complete(quarter())
    (row,) = sent(aggregator.report(quarter()))["queueReport"]
    assert (row["isOutbound"], row["rightPartyContacts"], row["wrongPartyContacts"]) == (True, 1, 1)


def test_an_outbound_contact_that_reached_nobody_counts_nowhere_and_makes_no_row():
    aggregator = make()
    assert aggregator.add_contacts([abandoned(outbound=True)]) == []
    assert rows(aggregator, 0) == [[]]


def test_whole_seconds_are_whole_numbers_and_others_keep_their_fraction():
    aggregator = make()
    aggregator.add_contacts([handled(), handled("c2", queue="9", talk_time=timedelta(milliseconds=1234))])
    aggregator.complete(quarter())
    times = [row.handle_time for row in aggregator.report(quarter()).report_data.queue_report]
    assert list(map(repr, times)) == ["240", "1.234"]


def test_a_report_carries_the_settings_and_its_interval():
    aggregator = make(report_version="7")
    aggregator.complete(quarter())
    report = aggregator.report(quarter())
    assert (report.acd_type, report.report_version) == ("Generic_Test", "7")
    assert (report.start_date, report.end_date) == (at(0), at(15))


def test_the_version_of_a_report_is_0_where_nothing_else_is_said():
    aggregator = make()
    aggregator.complete(quarter())
    assert aggregator.report(quarter()).report_version == "0"


# --- directions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known", [(), (Queue(value="8057"),)], ids=["seen first inbound", "known as inbound"]
)
def test_both_directions_in_one_queue_are_refused_naming_queue_and_contact(known):
    aggregator = make(*known)
    aggregator.add_contacts([handled("c1")])
    with pytest.raises(ValidationError) as refused:
        aggregator.add_contacts(
            [handled("c2"), handled("c3", outbound=True, right_party=True), handled("c4")]
        )
    assert refused.value.record == "Contact"
    assert str(refused.value).splitlines()[1].strip() == (
        "contact 'c3' on queue '8057': found outbound, expected inbound, as its queue is:"
        " CXone ignores a queue with both, so give each its own"
    )
    assert rows(aggregator, 0)[0][0]["handledLong"] == 2


def test_an_inbound_contact_on_an_outbound_queue_is_refused_too():
    with pytest.raises(ValidationError, match="'c1' on queue '8057': found inbound, expected outbound"):
        make(Queue(value="8057", outbound=True)).add_contacts([handled()])


# --- zeros and no data ----------------------------------------------------------------------------------


def test_a_known_queue_without_contacts_has_a_row_of_zeros():
    aggregator = make(
        Queue(value="2", service_level_threshold=SECOND), Queue(value="1"), Queue(value="3", outbound=True)
    )
    aggregator.complete(quarter())
    data = sent(aggregator.report(quarter()))
    inbound = {"isOutbound": False, "contactsReceived": 0, "abandonedLong": 0, "handledLong": 0}
    inbound |= {"handleTime": 0, "holdTime": 0, "workTime": 0, "queueDelayTime": 0, "active": 0}
    outbound = {"rightPartyContacts": 0, "rightPartyHandleTime": 0, "wrongPartyContacts": 0}
    outbound |= {"wrongPartyHandleTime": 0, "holdTime": 0, "workTime": 0, "active": 0, "isOutbound": True}
    assert data == {
        "queueReport": [
            {"queueValue": "1", **inbound},
            {"queueValue": "2", "abandonedShort": 0, "handledShort": 0, **inbound},
            {"queueValue": "3", **outbound},
        ]
    }


def test_an_interval_that_is_not_complete_has_no_report_of_zeros_but_an_error():
    aggregator = make(Queue(value="8057"))
    with pytest.raises(NoDataError) as missing:
        aggregator.report(quarter())
    assert isinstance(missing.value, CXoneError)
    assert (missing.value.interval, missing.value.reason) == (quarter(), "complete() was not called for it")
    assert missing.value.args == (quarter(), "complete() was not called for it")
    aggregator.add_contacts([handled()])
    with pytest.raises(NoDataError):
        aggregator.report(quarter())


def test_a_failed_extract_is_an_error_with_interval_and_reason_until_it_is_repeated():
    aggregator = make(Queue(value="8057"))
    aggregator.failed(quarter(), "the ACD answered 503")
    with pytest.raises(NoDataError) as missing:
        aggregator.report(quarter())
    assert str(missing.value) == (
        "No data for 2024-04-17T10:00Z/PT15M: the ACD answered 503. Extract it again; do not send zeros in"
        " its place."
    )
    aggregator.add_contacts([handled()])
    assert rows(aggregator, 0)[0][0]["handledLong"] == 1


def test_an_interval_that_fails_after_its_report_has_none_and_no_correction_until_it_is_complete_again():
    aggregator = make()
    aggregator.add_contacts([handled()])
    rows(aggregator, 0)
    aggregator.failed(quarter(), "withdrawn")
    aggregator.add_contacts([handled("c2")])
    assert aggregator.corrections() == []
    with pytest.raises(NoDataError, match="withdrawn"):
        aggregator.report(quarter())
    aggregator.complete(quarter())
    assert len(aggregator.corrections()) == 1


def test_a_failed_interval_does_not_hold_up_the_next_one():
    aggregator = make()
    aggregator.failed(quarter(0), "no connection")
    aggregator.add_contacts([handled(arrived=15, answered=16, ended=20)])
    assert rows(aggregator, 15)[0][0]["handledLong"] == 1


# --- duplicates, updates, corrections -------------------------------------------------------------------


def corrected(aggregator):
    return [(report.start_date, sent(report)) for report in aggregator.corrections()]


def test_a_contact_given_twice_counts_once_and_corrects_nothing():
    aggregator = make()
    aggregator.add_contacts([handled(), handled()])
    assert rows(aggregator, 0)[0][0]["handledLong"] == 1
    aggregator.add_contacts([handled()])
    assert corrected(aggregator) == []


def test_an_open_contact_counts_as_arrived_and_its_update_replaces_it():
    aggregator = make()
    aggregator.add_contacts([still_open()])
    assert rows(aggregator, 0) == [[{"contactsReceived": 1}]]
    aggregator.add_contacts([handled(answered=16, ended=20)])
    assert corrected(aggregator) == []  # nothing that was reported is different
    assert rows(aggregator, 15)[0][0]["handleTime"] == 240


WAITING, ANSWERED = still_open(arrived=14), still_open(arrived=14, answered=16)
ENDED = handled(arrived=14, answered=16, ended=31)


@pytest.mark.parametrize(
    ("older", "newer"),
    [(WAITING, ANSWERED), (ANSWERED, ENDED), (WAITING, ENDED), (WAITING, abandoned(arrived=14, ended=16))],
)
def test_extracts_in_the_wrong_order_never_put_an_older_state_of_a_contact_in_place_of_a_newer(older, newer):
    in_order, out_of_order = make(), make()
    in_order.add_contacts([older, newer])
    out_of_order.add_contacts([newer, older])
    assert rows(in_order, 0, 15, 30) == rows(out_of_order, 0, 15, 30) != [[{"contactsReceived": 1}], [], []]


def test_what_is_older_than_what_is_known_does_not_hold_up_what_comes_with_it():
    aggregator = make()
    aggregator.add_contacts([handled()])
    aggregator.add_contacts([still_open(), handled("c2")])
    aggregator.add_agent_time([span(3, 3, READY), span(3, 4, READY)])
    assert rows(aggregator, 0)[0][0]["handledLong"] == 2
    assert performance(aggregator) == {"ann": (60, 0, 60)}


def test_an_end_that_moves_to_another_interval_corrects_the_one_that_it_leaves():
    aggregator = make()
    aggregator.add_contacts([handled(ended=5)])
    rows(aggregator, 0, 15)
    aggregator.add_contacts([handled(ended=20)])
    assert [(start, figures(data["queueReport"][0])) for start, data in corrected(aggregator)] == [
        (at(0), {"contactsReceived": 1}),
        (at(15), {"handledLong": 1, "handleTime": 1140, "queueDelayTime": 60}),
    ]


def test_a_late_contact_corrects_each_interval_that_it_changes_and_no_other():
    aggregator = make()
    aggregator.add_contacts([handled()])
    rows(aggregator, 0, 15, 30, 45)
    aggregator.add_contacts([handled("late", arrived=10, answered=20, ended=50)])
    found = corrected(aggregator)
    assert [start for start, _ in found] == [at(0), at(15), at(45)]
    assert figures(found[0][1]["queueReport"][0]) == {
        "contactsReceived": 2,
        "handledLong": 1,
        "handleTime": 240,
        "queueDelayTime": 60,
    }
    assert corrected(aggregator) == []


def test_after_contact_work_that_is_known_later_corrects_only_the_interval_of_the_end():
    aggregator = make()
    aggregator.add_contacts([handled(arrived=10, answered=20, ended=35)])
    rows(aggregator, 0, 15, 30)
    aggregator.add_contacts([handled(arrived=10, answered=20, ended=35, after_contact_work_time=MINUTE)])
    ((start, data),) = corrected(aggregator)
    assert (start, data["queueReport"][0]["workTime"]) == (at(30), 60)


def test_a_correction_has_a_row_of_zeros_where_an_earlier_report_had_one_and_nothing_is_left():
    aggregator = make()
    aggregator.add_contacts([handled()])
    rows(aggregator, 0)
    aggregator.add_contacts([handled(queue="8056", agent="bob")])
    ((_, data),) = corrected(aggregator)
    assert [(row["queueValue"], row["handledLong"]) for row in data["queueReport"]] == [
        ("8056", 1),
        ("8057", 0),
    ]
    assert [(row["agentValue"], row["handled"]) for row in data["agentQueueReport"]] == [
        ("bob", 1),
        ("ann", 0),
    ]


def test_another_agent_in_an_update_corrects_the_interval_of_the_answer_too():
    aggregator = make()
    aggregator.add_contacts([still_open(arrived=14, answered=16)])
    rows(aggregator, 0, 15)
    aggregator.add_contacts([handled(arrived=14, answered=16, ended=31, agent="bob")])
    ((start, data),) = corrected(aggregator)
    assert start == at(15)
    assert [(row["agentValue"], row["active"]) for row in data["agentQueueReport"]] == [
        ("ann", 0),
        ("bob", 1),
    ]


def test_a_row_that_no_report_had_leaves_no_row_of_zeros():
    aggregator = make()
    aggregator.add_contacts([handled(), handled(queue="8056", agent=None)])
    assert [len(found) for found in rows(aggregator, 0)] == [1]
    aggregator.add_contacts([handled(queue="8055", agent=None)])
    ((_, data),) = corrected(aggregator)
    assert [row["queueValue"] for row in data["queueReport"]] == ["8055", "8056"]
    assert "agentQueueReport" not in data


def test_a_report_that_is_taken_again_is_up_to_date_and_needs_no_correction():
    aggregator = make()
    rows(aggregator, 0)
    aggregator.add_contacts([handled()])
    assert rows(aggregator, 0)[0][0]["handledLong"] == 1
    assert corrected(aggregator) == []


def test_an_interval_that_was_never_reported_is_never_corrected():
    aggregator = make()
    aggregator.complete(quarter())
    aggregator.add_contacts([handled()])
    assert corrected(aggregator) == []


# --- what is held ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("quarters", [0, 1, 4])
def test_an_interval_is_correctable_for_the_time_set_and_what_comes_later_is_given_back(quarters):
    aggregator = make(correctable=quarters * INTERVAL_LENGTH)
    rows(aggregator, *range(0, 15 * quarters + 1, 15))
    assert aggregator.add_contacts([handled("in time")]) == []
    assert aggregator.add_agent_time([span(0, 5, READY)]) == []
    aggregator.complete(quarter(15 * (quarters + 1)))
    late = [handled("late"), abandoned("lost")]
    assert aggregator.add_contacts([*late, handled("later", ended=15)]) == late
    late_time = [span(0, 5, READY), span(0, 15, READY, "bob")]
    assert aggregator.add_agent_time([*late_time, span(14, 16, READY)]) == late_time
    with pytest.raises(NoDataError, match="use another aggregator for a backfill"):
        aggregator.report(quarter())
    start, data = corrected(aggregator)[0]
    assert start == at(0)
    assert data["queueReport"][0]["handledLong"] == 1
    assert [row["agentValue"] for row in data["agentSystemPerformanceReport"]] == ["ann"]


def test_the_last_correction_of_an_interval_is_not_lost_when_the_next_one_is_completed():
    aggregator = make(correctable=NOTHING)
    rows(aggregator, 0)
    aggregator.add_contacts([handled()])
    aggregator.complete(quarter(15))
    ((start, data),) = corrected(aggregator)
    assert (start, data["queueReport"][0]["handledLong"]) == (at(0), 1)
    aggregator.complete(quarter(30))
    assert corrected(aggregator) == []


def test_nothing_can_be_stated_of_an_interval_that_is_no_longer_held():
    aggregator = make(correctable=NOTHING)
    aggregator.complete(quarter(15))
    for state in (aggregator.complete, lambda interval: aggregator.failed(interval, "late")):
        with pytest.raises(NoDataError, match="held for 0:00:00 after the newest complete one") as refused:
            state(quarter(0))
        assert refused.value.interval == quarter(0)


def test_completing_an_older_interval_later_makes_nothing_too_old_and_nothing_young_again():
    aggregator = make(correctable=30 * MINUTE)
    aggregator.complete(quarter(30))
    aggregator.complete(quarter(0))
    aggregator.complete(quarter(15))
    assert aggregator.add_contacts([handled()]) == []
    with pytest.raises(NoDataError):
        aggregator.complete(quarter(-15))


def test_an_open_contact_outlives_the_interval_of_its_arrival_and_is_not_too_late():
    aggregator = make(correctable=NOTHING)
    aggregator.add_contacts([still_open()])
    for minute in (0, 15, 30):
        aggregator.complete(quarter(minute))
        assert aggregator.add_contacts([still_open()]) == []
    assert aggregator.add_contacts([handled(answered=1, ended=40)]) == []
    assert rows(aggregator, 30) == [[{"handledLong": 1, "handleTime": 2340, "queueDelayTime": 60}]]


def test_a_contact_that_still_waits_is_forgotten_with_its_interval_and_counts_as_it_ends():
    aggregator = make(correctable=NOTHING)
    aggregator.add_contacts([still_open()])
    for minute in (0, 15, 30):
        aggregator.complete(quarter(minute))
    assert not aggregator._contacts
    assert aggregator.add_contacts([abandoned(ended=31)]) == []
    assert rows(aggregator, 30) == [[{"abandonedLong": 1}]]


def test_an_answered_contact_is_known_as_long_as_the_interval_of_its_answer_is_held():
    aggregator = make(correctable=NOTHING)
    aggregator.add_contacts([still_open(arrived=0, answered=31)])
    for minute in (0, 15, 30):
        aggregator.complete(quarter(minute))
    rows(aggregator, 30)
    assert aggregator.add_contacts([handled(answered=31, ended=32, agent="bob")]) == []
    ((_, data),) = corrected(aggregator)
    assert [(row["agentValue"], row["active"]) for row in data["agentQueueReport"]] == [
        ("ann", 0),
        ("bob", 1),
    ]


def test_a_contact_is_known_as_long_as_one_interval_in_which_it_counts_is_held():
    aggregator = make(correctable=NOTHING)
    aggregator.add_contacts([still_open()])
    aggregator.complete(quarter(0))
    aggregator.complete(quarter(15))
    aggregator.add_contacts([handled(answered=1, ended=35)])
    aggregator.complete(quarter(30))  # forgets 10:00, where it stands as it was
    aggregator.add_contacts([handled(answered=1, ended=50)])
    assert rows(aggregator, 30, 45) == [[], [{"handledLong": 1, "handleTime": 2940, "queueDelayTime": 60}]]


def test_a_contact_that_ended_at_the_start_of_the_oldest_interval_held_is_still_known():
    aggregator = make(correctable=NOTHING)
    aggregator.add_contacts([still_open()])
    rows(aggregator, 0, 15)
    aggregator.add_contacts([handled(answered=1, ended=15)])
    aggregator.complete(quarter(15))  # forgets 10:00
    aggregator.add_contacts([handled(answered=1, ended=35)])
    assert rows(aggregator, 15) == [[{}]]


def test_an_update_of_a_contact_leaves_intervals_that_are_too_old_as_they_are():
    aggregator = make(correctable=NOTHING)
    aggregator.add_contacts([handled(ended=20), handled("c2")])
    rows(aggregator, 0)
    aggregator.add_contacts([handled("c3")])  # a correction of 10:00 is due
    aggregator.complete(quarter(15))
    moved = handled(queue="8056", ended=20)
    assert aggregator.add_contacts([moved]) == []
    (data,) = [data for start, data in corrected(aggregator) if start == at(0)]
    assert figures(data["queueReport"][0])["contactsReceived"] == 3


def test_a_contact_whose_end_moves_to_an_interval_that_is_too_old_is_taken_out_given_back_and_not_held():
    aggregator = make(correctable=NOTHING)
    aggregator.complete(quarter(15))
    contact, moved = handled(ended=20), handled(ended=10)
    held = weakref.ref(contact)
    aggregator.add_contacts([contact])
    del contact
    assert rows(aggregator, 15)[0][0]["handledLong"] == 1
    assert aggregator.add_contacts([moved]) == [moved]
    assert rows(aggregator, 15) == [[{}]]
    assert held() is None


def test_contacts_held_follow_the_time_that_is_correctable_and_not_the_day():
    aggregator = make(correctable=HOUR)
    alive = weakref.WeakSet()
    most = 0
    for number in range(96):
        contacts = [
            handled(f"{number}/{i}", arrived=15 * number, answered=15 * number, ended=15 * number + 1 + i)
            for i in range(20)
        ]
        alive.update(contacts)
        aggregator.add_contacts(contacts)
        aggregator.add_agent_time([span(15 * number, 15 * number + 15, READY)])
        aggregator.complete(quarter(15 * number))
        aggregator.report(quarter(15 * number))
        del contacts
        most = max(most, len(alive))
    # An hour, the interval that is new, the one just too old, and what ends after the new one.
    assert 5 * 20 <= most <= 7 * 20
    assert len(aggregator._contacts) <= 7 * 20
    assert len(aggregator._intervals) <= 8


# --- agents' time ---------------------------------------------------------------------------------------


def performance(aggregator, minute=0):
    """Of each agent ready, not-ready and login time in the interval, in seconds."""
    aggregator.complete(quarter(minute))
    found = sent(aggregator.report(quarter(minute))).get("agentSystemPerformanceReport", [])
    return {row["agentValue"]: (row["readyTime"], row["notReadyTime"], row["loginTime"]) for row in found}


def test_ready_not_ready_and_login_time_are_cut_to_the_interval_and_login_is_all_together():
    aggregator = make()
    spans = [span(-5, 2, READY), span(2, 3, WORKING), span(3, 7, NOT_READY), span(9, 16, READY)]
    aggregator.add_agent_time([*spans, span(14, 15, READY, "bob")])
    assert performance(aggregator, -15) == {"ann": (300, 0, 300)}
    assert performance(aggregator) == {"ann": (480, 240, 780), "bob": (60, 0, 60)}
    assert performance(aggregator, 15) == {"ann": (60, 0, 60)}
    assert performance(aggregator, 30) == {}


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 10, READY), (5, 15, READY)], (900, 0, 900)),
        ([(0, 15, READY), (5, 6, READY), (7, 8, READY)], (900, 0, 900)),
        ([(0, 15, READY), (5, 10, WORKING)], (600, 0, 900)),
        ([(0, 15, NOT_READY), (5, 10, WORKING)], (0, 600, 900)),
        ([(0, 15, NOT_READY), (5, 10, READY)], (300, 600, 900)),
        ([(0, 10, NOT_READY), (3, 12, READY), (5, 15, WORKING)], (120, 180, 900)),
        ([(-60, 60, READY), (-60, 60, NOT_READY), (-60, 60, WORKING)], (0, 0, 900)),
        ([(0, 5, READY), (0, 10, READY), (0, 14, READY)], (840, 0, 840)),
        ([(3, 4, READY), (3, 4, READY)], (60, 0, 60)),
        ([(3, 4, READY), (3, 4, NOT_READY)], (60, 0, 60)),
    ],
)
def test_spans_over_each_other_count_each_moment_once_as_work_else_ready_else_not_ready(spans, expected):
    for in_order in (spans, spans[::-1]):
        aggregator = make()
        aggregator.add_agent_time([span(*each) for each in in_order])
        assert performance(aggregator) == {"ann": expected}


def test_a_span_of_no_time_makes_no_row():
    aggregator = make()
    aggregator.add_agent_time([span(3, 3, READY)])
    assert performance(aggregator) == {}


@pytest.mark.parametrize(
    ("date_", "hours"), [(date(2024, 4, 17), 24), (date(2024, 3, 10), 23), (date(2024, 11, 3), 25)], ids=str
)
def test_a_login_over_midnight_and_the_change_of_the_clocks_is_real_time(date_, hours):
    aggregator = make(correctable=timedelta(days=2))
    night = datetime.combine(date_, datetime.min.time(), tzinfo=NEW_YORK)
    day_after = datetime.combine(date_ + timedelta(days=1), datetime.min.time(), tzinfo=NEW_YORK)
    aggregator.add_agent_time(
        [AgentTime(agent="ann", start=night - 30 * MINUTE, end=day_after, state=WORKING)]
    )
    login = []
    for interval in Interval.between(night - 30 * MINUTE, day_after):
        aggregator.complete(interval)
        login += [
            row.login_time for row in aggregator.report(interval).report_data.agent_system_performance_report
        ]
    assert login == [900] * (4 * hours + 2)


def test_a_contact_over_the_hour_that_comes_twice_waits_real_time():
    clock = ZoneInfo("America/New_York")
    arrived = datetime(2024, 11, 3, 1, 50, tzinfo=clock)
    answered = datetime(2024, 11, 3, 1, 10, tzinfo=clock, fold=1)
    aggregator = make()
    aggregator.add_contacts(
        [
            Contact(
                contact_id="c",
                queue="1",
                arrived=arrived,
                answered=answered,
                ended=answered,
                talk_time=NOTHING,
            )
        ]
    )
    interval = Interval.containing(answered)
    aggregator.complete(interval)
    (row,) = aggregator.report(interval).report_data.queue_report
    assert (row.queue_delay_time, row.active, row.contacts_received) == (1200, 1, 0)


def test_moments_before_1970_are_as_good_as_others():
    start = datetime(1969, 12, 31, 23, 50, tzinfo=UTC)
    aggregator = make()
    aggregator.add_agent_time([AgentTime(agent="ann", start=start, end=start + 20 * MINUTE, state=READY)])
    interval = Interval.containing(start)
    aggregator.complete(interval)
    assert aggregator.report(interval).report_data.agent_system_performance_report[0].login_time == 600


def test_late_agent_time_corrects_the_intervals_in_which_it_is_new():
    aggregator = make()
    aggregator.add_agent_time([span(0, 20, READY)])
    assert performance(aggregator, 0) == {"ann": (900, 0, 900)}
    assert performance(aggregator, 15) == {"ann": (300, 0, 300)}
    aggregator.add_agent_time([span(0, 25, READY)])  # the same state, which has gone on
    ((start, data),) = corrected(aggregator)
    assert (start, data["agentSystemPerformanceReport"][0]["readyTime"]) == (at(15), 600)


# --- settings -------------------------------------------------------------------------------------------


def test_settings_that_cannot_work_are_refused_all_at_once():
    with pytest.raises(ConfigurationError) as refused:
        make(Queue(value="1"), Queue(value="2"), Queue(value="1", outbound=True), correctable=-MINUTE)
    assert refused.value.problems == (
        "queue '1' is there twice",
        "correctable is -1 day, 23:59:00; it must be a timedelta of at least 0",
    )


@pytest.mark.parametrize("settings", [{"acd_type": ""}, {"acd_type": "x", "report_version": 7}], ids=str)
def test_what_no_report_may_hold_is_refused_before_there_is_one(settings):
    with pytest.raises(ValidationError, match="HistoricalReport was refused"):
        IntervalAggregator(**settings)
