"""What makes two records the same event, and what is refused."""

import uuid
from datetime import timedelta

import attrs
import pytest
from support.outbox import NOON, report, state

from cxone_wfm import (
    AcdTypes,
    AgentActivityReport,
    AgentState,
    AgentStateList,
    HeartbeatStatus,
    ValidationError,
)
from cxone_wfm.outbox import identity
from cxone_wfm.outbox.identity import new_event, new_events


def test_an_event_holds_the_records_bytes_and_an_id_of_its_own() -> None:
    record = state("a")
    one, other = new_event(record), new_event(record)
    assert one.payload == record.to_json()
    assert one.event_id != other.event_id
    assert one._replace(event_id="") == other._replace(event_id="")
    for each in (one, other):
        parsed = uuid.UUID(each.event_id)
        assert (str(parsed), parsed.version, parsed.variant) == (each.event_id, 4, uuid.RFC_4122)


def test_many_records_are_the_same_events_as_each_alone_in_their_order() -> None:
    records = [state("a"), report(), state("b", 1)]
    found = new_events(each for each in records)
    assert [each._replace(event_id="") for each in found] == [
        new_event(each)._replace(event_id="") for each in records
    ]
    assert [str(uuid.UUID(each.event_id)) for each in found] == [each.event_id for each in found]
    assert len({each.event_id for each in found}) == 3
    assert new_events([]) == []


def test_ids_are_spread_over_all_variants_whatever_their_other_digits() -> None:
    found = {each.event_id[19:21] for each in new_events([state("a")] * 600)}
    assert {each[0] for each in found} == set("89ab")
    assert len(found) > 40, "of 64"


def test_streams_say_whose_they_are() -> None:
    activity = AgentActivityReport(
        acd_type="x:y", start_date=NOON, end_date=NOON + timedelta(minutes=15), report_data=[]
    )
    assert [(each.kind, each.stream) for each in map(new_event, (state("a@b.c"), report(), activity))] == [
        ("agent_state", "state:ACD:a@b.c"),
        ("historical_report", "interval:historical_report:Generic:2026-11-21T12:00:00.000Z"),
        ("agent_activity_report", "interval:agent_activity_report:x:y:2026-11-21T12:00:00.000Z"),
    ]


def test_two_agents_never_share_a_stream() -> None:
    pairs = [("a:b", "c"), ("a", "b:c"), ("a%3Ab", "c"), ("a%b", "c"), ("a%25b", "c")]
    assert len({new_event(state(login, acd=acd)).stream for acd, login in pairs}) == len(pairs)
    assert new_event(state("c", acd="a:b%")).stream == "state:a%3Ab%25:c"


def test_states_differ_in_agent_moment_event_or_reason() -> None:
    base = state("a")
    others = [
        attrs.evolve(base, login_id="b"),
        attrs.evolve(base, acd_id="other"),
        attrs.evolve(base, event_code="BREAK"),
        attrs.evolve(base, reason_code="x"),
        attrs.evolve(base, event_utc_time=NOON + timedelta(milliseconds=1)),
        attrs.evolve(base, event_code="READYx"),
        attrs.evolve(base, event_code="READ", reason_code="Y"),
    ]
    keys = {new_event(each).key for each in [base, *others]}
    assert len(keys) == 1 + len(others)
    assert not new_event(base).key_is_content


def test_reports_differ_in_kind_interval_or_content() -> None:
    records = [report(), report(1), report(active=1), report(version="1")]
    activity = AgentActivityReport(
        acd_type="Generic", start_date=NOON, end_date=NOON + timedelta(minutes=15), report_data=[]
    )
    assert len({new_event(each).key for each in [*records, activity]}) == 5
    assert {new_event(each).stream for each in (records[0], *records[2:])} == {new_event(records[0]).stream}
    assert all(new_event(each).key_is_content for each in records)
    assert new_event(report()).key == new_event(report()).key


def test_keys_grow_with_the_records_own_time() -> None:
    early, late = (
        AgentState(login_id="z", acd_id="z", event_code="z", event_utc_time=NOON.replace(year=1)),
        state("a"),
    )
    assert new_event(early).key < new_event(late).key < new_event(state("a", 1)).key
    assert {len(new_event(each).key) for each in (early, late, report())} == {24}


def test_the_callers_key_alone_decides() -> None:
    one, other = new_event(state("a"), "mine"), new_event(report(), "mine")
    assert one.key == other.key != new_event(state("a"), "other").key
    assert one.digest != other.digest
    assert len(one.key) == 24
    assert other.key_is_content is False
    assert new_event(state("a"), "\ud800").key != one.key


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (HeartbeatStatus(), "a heartbeat says 'alive now'"),
        (
            AgentStateList(agent_state_list=[state("a")]),
            r"of an AgentStateList one by one, or enqueue_many\(",
        ),
        (AcdTypes.from_json(b"[]"), "not AcdTypes"),
        ({"loginId": "a"}, "not dict"),
        (None, "not NoneType"),
    ],
    ids=["heartbeat", "list", "other record", "dict", "nothing"],
)
def test_what_cannot_be_delivered_later_is_refused_with_a_sentence(record: object, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        new_event(record)  # type: ignore[arg-type]


def test_a_record_beyond_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(state("a").to_json())
    monkeypatch.setattr(identity, "LONGEST_PAYLOAD", size)
    new_event(state("a"))
    with pytest.raises(ValidationError) as refused:
        new_event(state("aa"))
    (fault,) = refused.value.faults
    assert (refused.value.record, fault.path) == ("AgentState", "$")
    assert (fault.found, fault.expected) == (f"a document of {size + 1} bytes", f"at most {size} bytes")


def test_a_key_that_is_no_text_is_refused_in_words() -> None:
    with pytest.raises(TypeError, match="dedupe_key must be a text, not int"):
        new_event(state("a"), 5)  # type: ignore[arg-type]
