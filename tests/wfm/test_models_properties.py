"""Properties of the records: whatever is valid comes back, whatever is not is told at its place."""

import copy
import json
import math
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.page import SAMPLES

from cxone_wfm import _json, _kinds, models
from cxone_wfm._wire import wire_fields
from cxone_wfm.errors import ValidationError
from cxone_wfm.models import (
    AcdTypes,
    AgentState,
    HistoricalReport,
    RefreshTokenResponse,
    TokenResponse,
)
from cxone_wfm.models._record import Record
from cxone_wfm.secrets import Secret

RECORDS = [record for name in models.__all__ if issubclass(record := getattr(models, name), Record)]
WRITTEN_BY_USERS = [record for record in RECORDS if record not in {TokenResponse, RefreshTokenResponse}]

few = settings(max_examples=25, deadline=None)

# --- every valid instance ------------------------------------------------------------------------------

letters = st.characters(exclude_categories=["Cs"])
ascii_only = st.characters(max_codepoint=127)
note = st.text(letters, max_size=30)
moments = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001 - the zone is drawn beside it
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001 - naive on purpose
    timezones=st.timezones() | st.just(timezone.utc),
)
numbers = st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
plain = st.none() | st.booleans() | numbers | note
any_json = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(note, inner, max_size=3)
)

VALUES = {
    "QueueKey": st.text(ascii_only, min_size=1, max_size=100),
    "AgentKey": st.text(ascii_only, min_size=1, max_size=256),
    "Name": st.text(letters, min_size=1, max_size=30),
    "Note": note,
    "Flag": st.booleans(),
    "Count": st.integers(0, 2**31 - 1),
    "Milliseconds": st.integers(0, 2**53) | st.timedeltas(timedelta(0), timedelta(days=100)),
    "Seconds": st.integers(0, 2**53) | st.floats(0, 2**53),
    "Percent": st.integers(0, 100) | st.floats(0, 100),
    "Instant": moments,
    "SecretText": note | note.map(Secret),
    "AnyJson": any_json,
}
BY_KIND = {get_args(getattr(_kinds, name))[1]: strategy for name, strategy in VALUES.items()}


@cache
def instances(record):
    """Any valid instance of a record, made from the table of its fields."""
    fields = {}
    for field in wire_fields(record):
        if field.kind is not None:
            values = BY_KIND[field.kind]
        elif field.record is not None:
            values = instances(field.record)
        else:
            values = st.lists(instances(field.rows), max_size=2)
        fields[field.name] = st.none() | values if field.optional else values
    if record.open_ended:
        unknown = note.filter(lambda key: key not in {field.wire for field in wire_fields(record)})
        fields["extra"] = st.dictionaries(unknown, any_json, max_size=3)
    if record.earlier_later is None:
        return st.builds(record, **fields)
    earlier, later = record.earlier_later
    fields[later] = st.timedeltas(timedelta(milliseconds=1), timedelta(days=1))
    return st.fixed_dictionaries(fields).map(
        lambda given: record(**{**given, later: given[earlier].astimezone(timezone.utc) + given[later]})
    )


@pytest.mark.parametrize("dump", [_json.dump, _json.dump_plain], ids=["orjson", "standard library"])
@pytest.mark.parametrize("record", RECORDS)
def test_every_valid_record_comes_back_from_its_json(record, dump, monkeypatch):
    monkeypatch.setattr(_json, "dump", dump)

    @few
    @given(instances(record))
    def holds(one):
        written = one.to_json()
        assert record.from_json(written) == one
        assert record.from_json(written.decode()) == one
        assert record.from_json(json.loads(written)) == one
        assert record.from_json(written).to_json() == written
        assert hash(record.from_json(written)) == hash(one)

    holds()


# --- any JSON ------------------------------------------------------------------------------------------

odd_text = st.text(max_size=20) | st.sampled_from(["\ud800", "2024-04-17T10:00:00Z", "7", ""])
odd_plain = st.none() | st.booleans() | st.integers() | st.floats() | odd_text
odd = st.recursive(
    odd_plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_text, inner, max_size=3)
)


def objects_like(record):
    """Objects with the record's own keys, all, some or none of them, and anything as their values."""
    keys = {field.wire: odd for field in wire_fields(record)}
    return st.fixed_dictionaries({}, optional={**keys, "unknown": odd})


def faults(read):
    """The faults of the one error that reading may end in; nothing else may come out."""
    try:
        read()
    except ValidationError as error:
        return error.faults
    return None


def outcome_is_told(read):
    told = faults(read)
    assert told is None or told
    for fault in told or ():
        assert fault.path.startswith("$")
        assert fault.found
        assert fault.expected
        assert str(fault).isascii()
        assert str(fault).isprintable()


@pytest.mark.parametrize("record", [*RECORDS, AcdTypes])
def test_any_json_is_a_record_or_one_error_with_faults(record):
    @few
    @given(odd if record is AcdTypes else odd | objects_like(record))
    def holds(value):
        text = json.dumps(value)
        outcome_is_told(lambda: record.from_json(text))
        if record is not AcdTypes and not isinstance(value, str):
            outcome_is_told(lambda: record.from_json(value))

    holds()


@few
@given(st.sampled_from([*RECORDS, AcdTypes]), st.binary(max_size=50) | st.text(max_size=50))
def test_any_bytes_and_any_text_are_a_record_or_one_error_with_faults(record, document):
    outcome_is_told(lambda: record.from_json(document))


@few
@given(st.text(st.sampled_from("0123456789-:.,TZ+W "), max_size=30) | st.text(max_size=30))
def test_any_text_in_the_place_of_a_time_is_a_time_or_one_fault(text):
    document = {"loginId": "a", "acdId": "b", "eventCode": "c", "eventUtcTime": text}
    outcome_is_told(lambda: AgentState.from_json(document))


# --- one bad leaf --------------------------------------------------------------------------------------


def leaves(value, path="$"):
    """The place of every plain value in a document: its path, and the keys and indices that lead to it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from ((p, (key, *steps)) for p, steps in leaves(item, f"{path}.{key}"))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from ((p, (index, *steps)) for p, steps in leaves(item, f"{path}[{index}]"))
    else:
        yield path, ()


def replaced(document, steps, value):
    document = copy.deepcopy(document)
    place = document
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = value
    return document


LEAVES = [
    (sample, path, steps)
    for sample in SAMPLES
    if sample.record in WRITTEN_BY_USERS
    for path, steps in leaves(json.loads(sample.text))
]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(LEAVES), st.sampled_from([None, math.nan, -1, -0.5, "\ud800", [], {}, 10**30, 2.5e300])
)
def test_one_bad_leaf_is_one_fault_at_exactly_its_place(leaf, bad):
    sample, path, steps = leaf
    document = json.dumps(replaced(json.loads(sample.text), steps, bad))
    assert [fault.path for fault in faults(lambda: sample.record.from_json(document))] == [path]


HISTORICAL = [leaf for leaf in LEAVES if leaf[0].record is HistoricalReport]


@few
@given(st.lists(st.sampled_from(HISTORICAL), min_size=1, unique_by=lambda leaf: leaf[1]))
def test_several_bad_leaves_are_all_told(chosen):
    document = json.loads(chosen[0][0].text)
    for _, _, steps in chosen:
        document = replaced(document, steps, None)
    told = [fault.path for fault in faults(lambda: HistoricalReport.from_json(json.dumps(document)))]
    assert sorted(told) == sorted(path for _, path, _ in chosen)
