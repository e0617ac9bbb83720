"""The promises of the answers: liberal in what they read, and nothing of it is lost."""

import json

import attrs
import pytest
from support.page import REFRESH_ANSWER
from support.records import (
    ANSWERS,
    CANARY,
    JSON,
    MISSING,
    SECRET,
    SMALLEST,
    both_writers,
    faults_of,
    read_faults,
    refusal,
    same,
    sort,
)

from cxone_wfm.models import (
    AcdTypes,
    RefreshTokenResponse,
    TokenResponse,
)

writer = both_writers()


# --- answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", ANSWERS)
def test_unknown_keys_and_nulls_of_an_answer_are_kept_and_written_back(record, writer):
    more = {
        "extra": 1,
        "open": {"a": [None, True, 1.5, "é", {"b": {}}]},
        "id_token": None,
        "refreshToken": None,
        "expires_in": None,
        "sessionId": None,
        "big": 2**70,
        "self": "x",
    }
    document = {**SMALLEST[record], **more}
    answer = record.from_json(json.dumps(document))
    assert answer.extra == more
    assert same(sort(json.loads(answer.to_json())), sort(document))
    assert record.from_json(answer.to_json()) == answer


def test_a_null_in_an_answer_reads_as_left_out_and_is_still_null_when_written():
    answer = RefreshTokenResponse.from_json(REFRESH_ANSWER)
    assert answer.session_id is None
    assert json.loads(answer.to_json())["sessionId"] is None
    login = TokenResponse.from_json(
        '{"access_token":"t","refresh_token":null,"id_token":null,"token_type":null}'
    )
    assert (login.refresh_token, login.id_token, login.token_type) == (None, None, None)


@pytest.mark.parametrize("record", ANSWERS)
def test_the_token_of_an_answer_must_be_there(record):
    key = next(iter(SMALLEST[record]))
    assert read_faults(record, **{key: None}) == [(f"$.{key}", "null", SECRET)]
    assert read_faults(record, **{key: ...}) == [(f"$.{key}", *MISSING)]


def test_a_field_wins_over_an_extra_of_its_name(writer):
    answer = TokenResponse.from_json('{"access_token":"t","expires_in":null}')
    assert json.loads(attrs.evolve(answer, expires_in=5).to_json()) == {"access_token": "t", "expires_in": 5}
    answer = TokenResponse(access_token="t", extra={"access_token": CANARY})
    assert json.loads(answer.to_json()) == {"access_token": "t"}


@pytest.mark.parametrize("value", [3600, 3600.5, "3600", -1, {"a": 1}, [1], True])
def test_how_long_a_token_lives_is_kept_as_it_came(value, writer):
    answer = TokenResponse.from_json(json.dumps({"access_token": "t", "expires_in": value}))
    assert same(answer.expires_in, value)
    assert same(json.loads(answer.to_json())["expires_in"], value)
    assert isinstance(hash(answer), int)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 10**400, "\ud800", {"\ud800": 1}, [[{"a": float("nan")}]]]
)
@pytest.mark.parametrize("key", ["expires_in", "x"])
def test_what_could_not_be_written_back_is_refused_in_an_answer(key, value):
    ((path, found, expected),) = read_faults(TokenResponse, **{key: value})
    assert (path, expected) == (f"$.{key}", JSON)
    assert found in {"a number", "text", "an object", "a list"}


def test_a_key_that_could_not_be_written_back_is_refused_in_an_answer():
    assert read_faults(TokenResponse, **{"\ud800": 1}) == [("$['\\ud800']", "a number", JSON)]
    assert faults_of(lambda: TokenResponse.from_json({"access_token": "t", 5: 1})) == [
        ("$[5]", "a number", JSON)
    ]


@pytest.mark.parametrize("extra", [{1: 2}, {"a": {1}}, {"a": (1,)}, {"a": float("nan")}, 5, "ab", None])
def test_an_extra_that_is_built_in_python_must_be_json(extra):
    ((path, _, expected),) = faults_of(lambda: TokenResponse(access_token="t", extra=extra))
    assert (path, expected) == ("$.extra", f"an object of {JSON}")


def test_an_extra_cannot_be_changed_from_outside():
    given = {"a": 1}
    answer = TokenResponse(access_token="t", extra=given)
    given["a"] = 2
    assert answer.extra == {"a": 1}
    with pytest.raises(TypeError):
        answer.extra["a"] = 3


@pytest.mark.parametrize("value", [{1}, (1, 2), object(), float("inf"), 10**400])
def test_a_value_of_any_json_that_is_built_in_python_must_be_json(value):
    ((path, _, expected),) = faults_of(lambda: RefreshTokenResponse(token="t", session_id=value))
    assert (path, expected) == ("$.sessionId", JSON)


# --- ACD types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('["Generic_LiveVox","Generic_acdName"]', ("Generic_LiveVox", "Generic_acdName")),
        ('[{"acdType":"Generic_LiveVox","id":1},{"acdType":5},{}]', ("Generic_LiveVox",)),
        ('{"acdTypes":["a"],"more":[{"acdType":"b"}],"total":2}', ("a", "b")),
        ('{"acdTypes":[]}', ()),
        ("[]", ()),
        ("null", ()),
        ('"Generic_LiveVox"', ()),
        ("[[1],null,2,true]", ()),
    ],
)
def test_acd_types_are_found_in_every_likely_shape_and_nothing_is_lost(text, names, writer):
    answer = AcdTypes.from_json(text)
    assert answer.names == names
    assert same(json.loads(answer.to_json()), json.loads(text))
    assert AcdTypes.from_json(answer.to_json()) == answer
    assert isinstance(hash(answer), int)


@pytest.mark.parametrize(
    "text", ["", "<html>", "NaN", "[1e999]", '"\\ud800"', "[" * 66 + "]" * 66, "[" * 200_000]
)
def test_an_answer_of_acd_types_that_is_no_json_is_refused(text):
    error = refusal(lambda: AcdTypes.from_json(text))
    assert error.record == "AcdTypes"
    assert [fault.path for fault in error.faults] == ["$"]


def test_acd_types_that_were_built_with_something_else_than_json_cannot_be_written(writer):
    with pytest.raises(TypeError, match="JSON document cannot hold a set"):
        AcdTypes(names=(), document={1}).to_json()
