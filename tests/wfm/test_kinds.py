"""The promises of the table of kinds: what a fault says was found, and one test for both ways in."""

from datetime import datetime, timedelta, timezone
from typing import get_args

import pytest
from dateutil.tz import gettz, tzutc

from cxone_wfm import _kinds
from cxone_wfm._kinds import UTC, Kind, describe, describe_type, to_instant
from cxone_wfm._structure import structure
from cxone_wfm._wire import step, wire_fields
from cxone_wfm.models import QueueReport, TokenResponse
from cxone_wfm.secrets import Secret

KINDS = {
    name: get_args(value)[1]
    for name, value in vars(_kinds).items()
    if get_args(value)[1:] and name != "Dumps"
}
KINDS = {name: kind for name, kind in KINDS.items() if isinstance(kind, Kind)}

ACCEPTED = {
    "QueueKey": ["1", "-4", " ", "x" * 100],
    "AgentKey": ["1", "x" * 256],
    "Name": ["1", "é", "x" * 256, "\U0001f600" * 256],
    "Note": ["", "é" * 4096],
    "Flag": [True, False],
    "Count": [0, 1, 2**31 - 1],
    "Milliseconds": [0, 2**53],
    "Seconds": [0, 0.0, -0.0, 0.001, 1e-300, 2**53, 2.0**53],
    "Percent": [0, 0.5, 100, 100.0],
    "Instant": [datetime(2024, 1, 1, tzinfo=UTC)],
    "SecretText": [Secret(""), Secret("é")],
    "AnyJson": [None, 1, "x", {"a": [1]}],
    "Extra": [{}, {"a": [1]}],
}
REFUSED = {
    "QueueKey": ["", "x" * 101, "é", 1, None, b"1"],
    "AgentKey": ["", "x" * 257, "é", 1, None],
    "Name": ["", "x" * 257, "\ud800", 1, None],
    "Note": ["x" * 4097, "\ud800", 1, None],
    "Flag": [0, 1, "true", None],
    "Count": [-1, 2**31, 0.0, True, "1", None],
    "Milliseconds": [-1, 2**53 + 1, 1.0, True, None],
    "Seconds": [-1, -1e-300, 2**53 + 1, float("nan"), float("inf"), True, "1", None],
    "Percent": [-1, 100.001, float("nan"), False, None],
    "Instant": [datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=tzutc()), "2024-01-01T00:00:00Z", None],  # noqa: DTZ001 - naive on purpose
    "SecretText": ["text", Secret("\ud800"), None, 1],
    "AnyJson": [float("nan"), {1}, "\ud800"],
    "Extra": [[], None, {1: 1}, {"a": float("nan")}],
}


def test_these_are_all_kinds():
    assert set(KINDS) == set(ACCEPTED) == set(REFUSED)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in ACCEPTED for value in ACCEPTED[name]])
def test_a_kind_accepts_what_it_says(name, value):
    assert KINDS[name].accepts(value) is True


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in REFUSED for value in REFUSED[name]])
def test_a_kind_refuses_the_rest_and_its_fault_has_words(name, value):
    assert not KINDS[name].accepts(value)
    fault = KINDS[name].fault("$.x", value)
    assert (fault.path, fault.expected) == ("$.x", KINDS[name].expected)
    assert fault.found


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "true"),
        (0, "0"),
        (-1.5, "-1.5"),
        (2**53, "9007199254740992"),
        (-(2**53) - 1, "a whole number of 54 bits"),
        (pytest.param(10**5000, "a whole number of 16610 bits", id="5000 digits")),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        ("", "''"),
        ("it's\n\x1b[31m", '"it\'s\\n\\x1b[31m"'),
        ("x" * 60, f"'{'x' * 60}'"),
        ("x" * 61, "text of 61 characters"),
        ("é" * 61, "text of 61 characters, not all ASCII"),
        ("a\ud800", "text of 2 characters with a lone surrogate"),
        ({"a": 1}, "an object"),
        ([1], "a list"),
        ((1,), "a Python tuple"),
        (b"x", "a Python bytes"),
        (object, "a Python type"),
        (datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00.000Z"),
        (datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2024-01-01T00:00:00+02:00"),
        (datetime(2024, 1, 1), "2024-01-01T00:00:00, a time without its offset"),  # noqa: DTZ001 - naive on purpose
    ],
)
def test_what_was_found_is_said_in_the_words_of_json_and_cut_short(value, words):
    assert describe(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "true or false"),
        (5, "a number"),
        (5.5, "a number"),
        ("x", "text"),
        ((), "a Python tuple"),
    ],
)
def test_the_kind_of_a_value_is_said_without_the_value(value, words):
    assert describe_type(value) == words


@pytest.mark.parametrize(
    ("key", "text"), [("a", ".a"), ("_a1", "._a1"), ("1a", "['1a']"), ("a\n", "['a\\n']"), (5, "[5]")]
)
def test_a_step_of_a_path_is_plain_or_quoted(key, text):
    assert step(key) == text


@pytest.mark.parametrize(
    "zone", [UTC, tzutc(), gettz("UTC"), timezone(timedelta(0)), timezone(timedelta(hours=-9))]
)
def test_the_same_moment_is_in_the_one_utc_from_whatever_zone(zone):
    moment = datetime(2024, 4, 17, 12, 0, 0, 1999, tzinfo=UTC)
    read = to_instant(moment.astimezone(zone))
    assert read == moment.replace(microsecond=1000)
    assert read.tzinfo is UTC


def test_the_fields_on_the_wire_are_in_the_order_of_the_record_without_the_extra():
    assert [field.wire for field in wire_fields(TokenResponse)] == [
        "id_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "access_token",
    ]
    assert [field.wire for field in wire_fields(QueueReport)][:3] == ["queueValue", "queueName", "isOutbound"]


def test_an_error_that_is_no_fault_of_the_document_is_not_taken_for_one(monkeypatch):
    kind = KINDS["QueueKey"]

    def broken(value):
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setitem(vars(kind), "accepts", broken)
    with pytest.raises(ZeroDivisionError, match="a bug of ours"):
        structure(QueueReport, {"queueValue": "1"})
