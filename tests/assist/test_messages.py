"""The records: the page's samples out, whatever comes in."""

import json

import pytest
from support import assist_wire

from cxone_assist import (
    ActionExecutionInfo,
    CXoneWebSocketCommandType,
    CXoneWebSocketMessage,
    Dialect,
    Fault,
    LocalProtocolError,
    RemoteProtocolError,
    StreamPerspective,
    SystemTelemetryData,
    WebSocketHookInitializeMessage,
    build_connected,
    build_error,
    build_message,
)


def test_the_pages_initialize_message_comes_out_as_the_page_prints_it():
    text = WebSocketHookInitializeMessage.from_json(json.dumps(assist_wire.PAGE_INIT)).to_json()
    assert text == json.dumps(assist_wire.PAGE_INIT, separators=(",", ":"))


def test_an_initialize_message_is_built_in_the_order_of_the_page():
    init = WebSocketHookInitializeMessage(
        app_config="string",
        app_params="string",
        streams_configuration="string",
        stream_perspective="TX/RX/MIX",
        system_telemetry_data=SystemTelemetryData(
            consumer_meta_data=assist_wire.PAGE_INIT["systemTelemetryData"]["consumerMetaData"],
            in_contact_script_engine_host="string",
            in_contact_cluster_alias="string",
            consumer_process_version="string",
            consumer_process_name="string",
            consumer_process_host="string",
        ),
        execution_info=ActionExecutionInfo(
            script_name="string", action_id=0, action_type="string", request_id=0, bus_no=0, contact_id=0
        ),
        authentication_token="[header provided in Custom Agent Assist app]",
    )
    assert init.to_json() == json.dumps(assist_wire.PAGE_INIT, separators=(",", ":"))


def test_the_observed_negotiated_message_survives_but_for_its_nulls():
    init = WebSocketHookInitializeMessage.from_json(json.dumps(assist_wire.NEGOTIATED_INIT))
    expected = json.loads(json.dumps(assist_wire.NEGOTIATED_INIT))
    del expected["streamsConfiguration"], expected["systemTelemetryData"]["consumerMetaData"]
    assert json.loads(init.to_json()) == expected


def test_what_could_not_be_read_and_what_is_unknown_goes_out_again():
    document = {"executionInfo": {"contactId": "abc", "new": 1}, "appParams": [1], "new": {"a": None}}
    init = WebSocketHookInitializeMessage.from_json(json.dumps(document))
    sent = json.loads(init.to_json())
    assert sent == document | {"authenticationToken": "", "systemTelemetryData": {}}


@pytest.mark.parametrize("text", ["[]", "{}", "x", b"\xff{}"])
def test_what_is_no_initialize_message_is_the_peers_fault(text):
    with pytest.raises(RemoteProtocolError):
        WebSocketHookInitializeMessage.from_json(text)


def test_bytes_are_read_as_utf_8():
    assert (
        WebSocketHookInitializeMessage.from_json('{"authenticationToken":"ü"}'.encode()).authentication_token
        == "ü"
    )
    with pytest.raises(RemoteProtocolError, match="not JSON: byte 0 is not UTF-8") as caught:
        CXoneWebSocketMessage.from_json(b"\xff")
    assert caught.value.fault is Fault.NOT_JSON


def test_pascal_case_is_read_too():
    init = WebSocketHookInitializeMessage.from_json(
        '{"ExecutionInfo":{"ContactId":1,"BusNo":2},"StreamPerspective":"RX","AppParams":null}'
    )
    assert init.execution_info == ActionExecutionInfo(contact_id=1, bus_no=2)
    assert init.stream_perspective is StreamPerspective.RX
    assert init.extra == {}


def test_every_wrong_field_of_a_message_to_send_is_named_at_once():
    init = WebSocketHookInitializeMessage(
        authentication_token=5,
        execution_info=ActionExecutionInfo(contact_id="1", bus_no=True, request_id=2**63),
        system_telemetry_data={},
        stream_perspective=0,
        app_params=[1],
        capabilities=["A"],
    )
    with pytest.raises(LocalProtocolError) as caught:
        init.to_json()
    assert str(caught.value) == (
        "WebSocketHookInitializeMessage cannot be sent: "
        "authenticationToken must be text, not int; "
        "executionInfo.contactId must be a 64-bit integer, not str; "
        "executionInfo.busNo must be a 64-bit integer, not bool; "
        "executionInfo.requestId must be a 64-bit integer, not int; "
        "systemTelemetryData must be an object, not dict; "
        "streamPerspective must be a StreamPerspective or text, not int; "
        "appParams must be an object or text, not list; "
        "capabilities must be a list of texts, not list"
    )


def test_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="contactId"):
        ActionExecutionInfo(contactId=1)


def test_the_handshake_answer_is_the_pages():
    assert build_connected() == assist_wire.CONNECTED
    assert CXoneWebSocketMessage.from_json(assist_wire.CONNECTED) == CXoneWebSocketMessage(
        command=CXoneWebSocketCommandType.CONNECTED, message_type="COMMAND", message="BEGIN AUDIO STREAM"
    )


def test_an_error_names_its_reason():
    assert build_error("bad token") == '{"command":"ERROR","messageType":"COMMAND","message":"bad token"}'
    assert build_error("x", Dialect.NEGOTIATED) == '{"Message":"x","MessageType":"ERROR","Parameters":{}}'


def test_a_message_may_carry_any_mapping_and_sequence():
    from types import MappingProxyType

    text = build_message("T", "x", parameters=MappingProxyType({"a": (1, range(2))}))
    assert json.loads(text)["parameters"] == {"a": [1, [0, 1]]}


def test_a_text_is_refused_where_it_is_none():
    with pytest.raises(LocalProtocolError, match="message must be text, not int"):
        build_message("T", 5)


def test_parameters_that_contain_themselves_are_refused():
    endless = {}
    endless["self"] = endless
    with pytest.raises(LocalProtocolError, match="cannot be written as JSON"):
        build_message("T", "x", parameters=endless)


def test_parameters_that_are_nested_without_end_are_refused():
    deep = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(LocalProtocolError, match="nested too deeply"):
        build_message("T", "x", parameters=deep)


@pytest.mark.parametrize(
    ("sent", "command"),
    [(0, "CONNECT"), ("1", "CONNECTED"), (2, "MESSAGE"), (3, "ERROR"), ("message", "MESSAGE")],
)
def test_a_command_is_read_by_number_too(sent, command):
    read = CXoneWebSocketMessage.from_json(json.dumps({"command": sent})).command
    assert read is CXoneWebSocketCommandType(command)


def test_the_names_are_texts():
    assert f"{StreamPerspective.TX}" == str(StreamPerspective.TX) == "TX"
    assert StreamPerspective.MIX == "MIX"
    assert json.dumps([CXoneWebSocketCommandType.MESSAGE]) == '["MESSAGE"]'


def test_repr_shows_no_secret():
    secrets = {
        "authenticationToken": "hush",
        "appParams": {"key": "hush"},
        "appConfig": '{"key":"hush"}',
        "streamsConfiguration": "hush",
        "unknown": "hush",
        "systemTelemetryData": {"consumerMetaData": {"key": "hush"}},
        "executionInfo": {"unknown": "hush"},
    }
    shown = repr(WebSocketHookInitializeMessage.from_json(json.dumps(secrets)))
    assert "hush" not in shown
    assert "extra=<1 keys>" in shown
    message = CXoneWebSocketMessage(message="hush", parameters={"a": "hush"}, extra={"a": "hush"})
    assert "hush" not in repr(message)
    assert repr(WebSocketHookInitializeMessage()).count("hidden") == 0
