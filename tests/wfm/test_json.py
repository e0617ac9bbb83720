"""The promises of `cxone_wfm._json`: JSON in and out within bounds, with orjson and without."""

import importlib.util
import json
import math
import sys

import pytest

from cxone_wfm import _json
from cxone_wfm.errors import ValidationError


def nothing_else(value):
    raise TypeError(f"no JSON for a {type(value).__name__}")


def lists(levels, inner=0):
    value = inner
    for _ in range(levels):
        value = [value]
    return value


def objects(levels):
    value = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


# --- reading -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [None, True, 0, -1.5, "ä\U0001f600", [], {}, {"a": [1, {"b": None}]}, 2**63, 10**4000]
)
def test_json_is_read_from_text_and_from_bytes(value):
    text = json.dumps(value)
    assert _json.parse(text, "x") == value
    assert _json.parse(text.encode(), "x") == value
    assert _json.parse(bytearray(b"\xef\xbb\xbf" + text.encode()), "x") == value


def test_the_error_names_what_was_read():
    with pytest.raises(ValidationError) as caught:
        _json.parse("{", "the token answer")
    assert caught.value.record == "the token answer"
    assert str(caught.value).startswith(
        "the token answer was refused: 1 fault\n  $: found text that is not JSON"
    )


def test_the_bound_is_the_last_length_that_is_taken(monkeypatch):
    monkeypatch.setattr(_json, "MAX_DOCUMENT_BYTES", 5)
    assert _json.parse(b"[1,2]", "x") == [1, 2]
    monkeypatch.setattr(_json, "MAX_DOCUMENT_BYTES", 4)
    with pytest.raises(ValidationError, match="found a document of 5 bytes, expected at most 4 bytes"):
        _json.parse(b"[1,2]", "x")


def test_nan_and_infinity_are_read_for_the_record_to_refuse():
    one, two, three = _json.parse("[NaN, Infinity, -Infinity]", "x")
    assert math.isnan(one)
    assert (two, three) == (math.inf, -math.inf)


def test_an_object_with_a_repeated_key_says_which_and_keeps_the_last():
    value = _json.parse('{"a":1,"b":{"c":1,"c":2},"a":3,"d":4,"d":4,"d":4}', "x")
    assert value == {"a": 3, "b": {"c": 2}, "d": 4}
    assert isinstance(value, _json.RepeatedKeys)
    assert value.keys_repeated == ("a", "d")
    assert value["b"].keys_repeated == ("c",)
    assert type(_json.parse('{"a":{"a":1}}', "x")) is dict


# --- what JSON can hold --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -0.0,
        sys.float_info.max,
        int(sys.float_info.max),
        "",
        "\0\x7f\U0001f600",
        [],
        {},
        {"": [{"a": [None]}]},
        lists(64),
        objects(64),
        {"a": lists(63)},
    ],
)
def test_what_json_can_hold_can_be_written_and_read_back(value):
    assert _json.is_json(value)
    assert _json.parse(_json.dump(value, nothing_else), "x") == value
    assert _json.parse(_json.dump_plain(value, nothing_else), "x") == value


CYCLE = []
CYCLE.extend([CYCLE] * 100)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        10**309,
        -(10**309),
        "\ud800",
        {"\ud800": 1},
        {1: 1},
        {None: 1},
        (),
        {1},
        b"",
        object(),
        1j,
        lists(65),
        objects(65),
        {"a": lists(64)},
        lists(100_000),
        [1, ["a", {"b": math.nan}]],
        pytest.param(CYCLE, id="a list in itself"),
    ],
)
def test_what_json_cannot_hold_is_told_at_any_depth(value):
    assert not _json.is_json(value)
    assert not _json.is_json([0, {"a": value}])


@pytest.mark.parametrize(("text", "can"), [("", True), ("é\U0001f600", True), ("a\udfff", False)])
def test_a_lone_surrogate_cannot_be_encoded(text, can):
    assert _json.encodable(text) is can


# --- writing -------------------------------------------------------------------------------------------


@pytest.fixture(params=["orjson", "standard library"])
def dump(request):
    return _json.dump if request.param == "orjson" else _json.dump_plain


def test_json_is_written_in_utf8_without_spaces(dump):
    assert dump({"a": ["é", 1.0, 1, True, None]}, nothing_else) == '{"a":["é",1.0,1,true,null]}'.encode()


def test_what_json_does_not_know_goes_through_default(dump):
    assert dump([{1}, ({2},)], lambda value: {"set": list(value)}) == b'[{"set":[1]},[{"set":[2]}]]'


def test_what_default_refuses_is_its_own_error(dump):
    with pytest.raises(TypeError, match="no JSON for a set"):
        dump({1}, nothing_else)


def test_whole_numbers_beyond_64_bits_are_written(dump):
    assert (
        dump([2**64, -(2**100)], nothing_else) == b"[18446744073709551616,-1267650600228229401496703205376]"
    )


def load_again(name):
    spec = importlib.util.spec_from_file_location(name, _json.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_orjson_the_standard_library_writes(monkeypatch):
    monkeypatch.setitem(sys.modules, "orjson", None)
    module = load_again("cxone_wfm._json_without_orjson")
    assert module.dump is module.dump_plain


def test_with_orjson_it_writes():
    pytest.importorskip("orjson", reason="the extra `fast` is not installed")
    assert _json.dump is not _json.dump_plain
    assert _json.dump.__globals__["orjson"].__name__ == "orjson"
