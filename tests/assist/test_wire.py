"""The one place that reads and writes records."""

import json

import pytest

from cxone_assist import Fault, RemoteProtocolError, WebSocketHookInitializeMessage, _wire


@pytest.mark.parametrize("depth", [1, 63, 64])
def test_nesting_is_read_up_to_the_limit(depth):
    assert _wire.load("[" * depth + "1" + "]" * depth)


@pytest.mark.parametrize(
    "text", ["[" * 65 + "1" + "]" * 65, '{"a":' * 65 + "1" + "}" * 65, "[" * 100_000 + "]" * 100_000]
)
def test_deeper_nesting_is_refused(text):
    with pytest.raises(RemoteProtocolError) as caught:
        _wire.load(text)
    assert caught.value.fault is Fault.TOO_DEEP


def test_a_wide_document_is_not_taken_for_a_deep_one():
    assert len(_wire.load("[" + "[],{}," * 10_000 + "1]")) == 20_001


def test_what_is_written_is_ascii_and_compact():
    assert _wire.dump({"a": "é\ud800", "b": [1, None]}) == '{"a":"\\u00e9\\ud800","b":[1,null]}'


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("capabilities", "A", "a list of texts"),
        ("capabilities", [1], "a list of texts"),
        ("format", ["MONO"], "text"),
        ("authenticationToken", True, "text"),
        ("minimumVersion", "one", "a 64-bit integer"),
        ("systemTelemetryData", "x", "an object"),
    ],
)
def test_a_value_that_a_field_cannot_hold_is_kept_aside_and_named(key, value, wanted):
    warnings = []
    init = _wire.read(WebSocketHookInitializeMessage, {key: value}, warnings)
    assert warnings == [f"{key} is not {wanted}; it was ignored"]
    assert init.extra == {key: value}
    assert json.loads(init.to_json())[key] == value


@pytest.mark.parametrize("space", ["", " ", "\t\n", "\x1c", "\x1f", "\x85", "\u2003"])
def test_a_number_as_text_may_have_any_white_space_around_it(space):
    init = _wire.read(WebSocketHookInitializeMessage, {"minimumVersion": f"{space}-1{space}"}, [])
    assert init.minimum_version == -1


@pytest.mark.parametrize("sent", [{"a": 1}, '{"a": 1}'])
def test_consumer_meta_data_is_an_object_or_its_text(sent):
    init = _wire.read(WebSocketHookInitializeMessage, {"systemTelemetryData": {"consumerMetaData": sent}}, [])
    assert init.system_telemetry_data.consumer_meta_data == {"a": 1}


def test_consumer_meta_data_of_another_kind_is_named_with_its_path():
    warnings = []
    _wire.read(WebSocketHookInitializeMessage, {"systemTelemetryData": {"consumerMetaData": "x"}}, warnings)
    assert warnings == ["systemTelemetryData.consumerMetaData is not an object; it was ignored"]


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "None"), ("", "''"), ({}, "{}"), ("x", "<hidden>"), (0, "<hidden>")]
)
def test_a_hidden_value_shows_only_whether_there_is_one(value, shown):
    assert _wire.hidden(value) == shown
