"""The streaming cases of one connection: H1 to H35, each named in the test that holds it."""

import json

import pytest
from support import assist_wire

from cxone_assist import (
    AssistConnection,
    AudioReceived,
    AuthenticationFailed,
    CXoneWebSocketCommandType,
    Dialect,
    Fault,
    LocalProtocolError,
    MessageReceived,
    PlatformConnection,
    ProtocolViolation,
    State,
    StaticTokens,
    StreamAccepted,
    StreamClosed,
    StreamPerspective,
    StreamRefused,
    StreamRequested,
    TextReceived,
)
from cxone_assist.testing import connected_pair, init_message, negotiated_init

FRAME = bytes(range(160))
ERROR = {"command": "ERROR", "messageType": "COMMAND"}


def requested(text=None, **options):
    connection = AssistConnection(**options)
    event = connection.receive(text or assist_wire.init())
    assert isinstance(event, StreamRequested)
    return connection, event


def streaming(text=None, **options):
    connection, _ = requested(text, **options)
    connection.accept()
    return connection


def violation_of(connection, message):
    event = connection.receive(message)
    assert isinstance(event, ProtocolViolation)
    return event


def assert_ended(connection, event, fault, close_code):
    assert isinstance(event, ProtocolViolation)
    assert (event.error.fault, event.close_code) == (fault, close_code)
    assert connection.close_code == close_code
    assert connection.state is State.ENDING
    assert json.loads(event.reply) == ERROR | {"message": str(event.error)}


def assert_ignored(connection, event, fault, state):
    assert isinstance(event, ProtocolViolation)
    assert (event.error.fault, event.close_code, event.reply) == (fault, None, None)
    assert connection.state is state


# --- the handshake -----------------------------------------------------------------------------


def test_h1_the_documented_sample_is_answered_as_the_page_prints_it():
    connection = AssistConnection()
    event = connection.receive(json.dumps(assist_wire.PAGE_INIT))
    assert isinstance(event, StreamRequested)
    assert event.dialect is Dialect.DOCUMENTED
    assert event.init.execution_info.contact_id == 0
    assert event.init is connection.init
    assert connection.accept() == assist_wire.CONNECTED
    assert connection.state is State.STREAMING


def test_h3_a_stream_is_accepted_once():
    connection = streaming()
    with pytest.raises(LocalProtocolError, match=r"accept\(\) is possible in state REQUESTED"):
        connection.accept()
    with pytest.raises(LocalProtocolError, match=r"reject\(\) is possible"):
        connection.reject()
    assert connection.state is State.STREAMING


def test_h4_nothing_can_be_said_before_the_initialize_message():
    connection = AssistConnection()
    for say in (connection.accept, lambda: connection.send_message("TRANSCRIPT", "hello")):
        with pytest.raises(LocalProtocolError, match=r"this stream is in AWAITING_INIT"):
            say()
    assert connection.state is State.AWAITING_INIT


TX, RX, MIX = StreamPerspective.TX, StreamPerspective.RX, StreamPerspective.MIX


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("TX", TX),
        ("RX", RX),
        ("MIX", MIX),
        ("MX", MIX),
        (0, TX),
        (1, RX),
        (2, MIX),
        ("0", TX),
        ("1", RX),
        ("2", MIX),
        ("tx", TX),
        (" Rx ", RX),
        (["TX"], TX),
    ],
)
def test_h5_every_known_spelling_of_the_perspective_is_read(sent, read):
    _, event = requested(assist_wire.init(streamPerspective=sent))
    assert event.init.stream_perspective is read
    assert event.warnings == ()


@pytest.mark.parametrize(
    ("sent", "read"), [("TX_RELAY", "TX_RELAY"), (7, "7"), ("", ""), ("TX/RX/MIX", "TX/RX/MIX")]
)
def test_h5_another_perspective_is_accepted_as_the_text_that_came(sent, read):
    _, event = requested(assist_wire.init(streamPerspective=sent))
    assert event.init.stream_perspective == read
    assert event.warnings == ("streamPerspective is none of TX, RX, MIX",)


@pytest.mark.parametrize("sent", [None, True, {}, ["TX", "RX"]])
def test_h6_a_missing_or_unreadable_perspective_is_accepted(sent):
    _, event = requested(assist_wire.init(streamPerspective=sent))
    assert event.init.stream_perspective is None
    assert event.warnings[-1] == "streamPerspective is none of TX, RX, MIX"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (506314056968, 506314056968),
        ("510212552349954", 510212552349954),
        (" 7 ", 7),
        (0, 0),
        (-4, -4),
        ("-4", -4),
        (7.0, 7),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_h7_ids_are_64_bit_numbers_or_their_text(sent, read):
    _, event = requested(assist_wire.init(executionInfo={"contactId": sent, "busNo": sent}))
    assert (event.init.execution_info.contact_id, event.init.execution_info.bus_no) == (read, read)
    assert event.warnings == ()


@pytest.mark.parametrize("sent", [2**63, "abc", "", True, 1.5, 1e300, [1], {}, "١٢", "1_0", "9" * 30])
def test_h7_an_id_that_is_no_number_is_kept_aside_and_named(sent):
    _, event = requested(assist_wire.init(executionInfo={"contactId": sent, "busNo": 1}))
    assert event.init.execution_info.contact_id is None
    assert event.init.execution_info.extra == {"contactId": sent}
    assert event.warnings[0] == "executionInfo.contactId is not a 64-bit integer; it was ignored"
    assert "cannot be identified" in event.warnings[1]


@pytest.mark.parametrize("info", [None, {}, {"contactId": None, "busNo": 1}, {"contactId": 1}, []])
def test_h7_an_absent_id_is_none(info):
    _, event = requested(assist_wire.init(executionInfo=info))
    assert None in (event.init.execution_info.contact_id, event.init.execution_info.bus_no)
    assert "cannot be identified" in event.warnings[-1]


def test_h8_nulls_in_the_telemetry_are_read_as_absent():
    telemetry = dict.fromkeys(assist_wire.PAGE_INIT["systemTelemetryData"])
    _, event = requested(assist_wire.init(systemTelemetryData=telemetry))
    assert event.init.system_telemetry_data.consumer_meta_data is None
    assert event.init.system_telemetry_data.in_contact_cluster_alias is None
    assert event.init.system_telemetry_data.extra == {}


def test_h9_the_telemetry_may_be_absent():
    _, event = requested('{"executionInfo":{"contactId":1,"busNo":2},"streamPerspective":"TX"}')
    assert event.init.system_telemetry_data.consumer_process_name is None
    assert event.warnings == ()


def test_h10_unknown_keys_are_kept_at_every_level():
    text = assist_wire.init(
        added=1,
        executionInfo={"contactId": 1, "busNo": 2, "added": [2]},
        systemTelemetryData={"added": {"deep": 3}},
    )
    _, event = requested(text)
    assert event.init.extra == {"added": 1}
    assert event.init.execution_info.extra == {"added": [2]}
    assert event.init.system_telemetry_data.extra == {"added": {"deep": 3}}
    assert event.warnings == ()


@pytest.mark.parametrize(
    "name", ["DEV\\CH - 01 - Agent Assist", 'a "quoted" name', "Größe\u2028長い", "x" * 4096]
)
def test_h11_any_script_name_comes_through(name):
    _, event = requested(assist_wire.init(executionInfo={"contactId": 1, "busNo": 2, "scriptName": name}))
    assert event.init.execution_info.script_name == name


@pytest.mark.parametrize("key", ["appParams", "appConfig"])
@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        ('{"a":\r\n"x\r\ny"}', {"a": "x\r\ny"}),
        (json.dumps('{"a": 1}'), {"a": 1}),
        ('{"url": https://example.com}', '{"url": https://example.com}'),
        ("", ""),
        (None, None),
        ("[1]", "[1]"),
        ("string", "string"),
        ('{"a":' * 70 + "1" + "}" * 70, '{"a":' * 70 + "1" + "}" * 70),
    ],
)
def test_h12_parameters_are_a_mapping_where_they_can_be_read_else_the_text(key, sent, read):
    _, event = requested(assist_wire.init(**{key: sent}))
    assert (event.init.app_params if key == "appParams" else event.init.app_config) == read
    assert event.warnings == ()


def test_h12_parameters_of_another_type_are_kept_aside():
    _, event = requested(assist_wire.init(appParams=[1], appConfig=5))
    assert (event.init.app_params, event.init.app_config) == (None, None)
    assert event.init.extra == {"appParams": [1], "appConfig": 5}
    assert event.warnings == (
        "appParams is not an object or text; it was ignored",
        "appConfig is not an object or text; it was ignored",
    )


def test_h12_a_raw_line_break_inside_a_text_of_the_message_is_read():
    _, event = requested(
        '{"executionInfo":{"contactId":1,"busNo":2,"scriptName":"a\r\nb"},"streamPerspective":"TX"}'
    )
    assert event.init.execution_info.script_name == "a\r\nb"


@pytest.mark.parametrize("sent", [None, "string", {"a": 1}, [1, 2], 5, True])
def test_h13_any_streams_configuration_is_taken(sent):
    _, event = requested(assist_wire.init(streamsConfiguration=sent))
    assert event.init.streams_configuration == sent


# --- authentication ----------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["s3cret", "Bearer s3cret", "bearer  s3cret ", "older"])
def test_h14_a_right_token_lets_the_stream_start(token):
    _, event = requested(
        assist_wire.init(authenticationToken=token), authenticate=StaticTokens("Bearer s3cret", "older")
    )
    assert event.init.authentication_token == token


@pytest.mark.parametrize(
    "token",
    [
        "wrong",
        "",
        None,
        "Bearer",
        "Bearer ",
        "s3cret ünïcode",
        "\ud800",
        "x" * 10240,
        5,
        True,
        {"a": "s3cret"},
    ],
)
def test_h14_any_other_token_refuses_it(token):
    connection = AssistConnection(authenticate=StaticTokens("s3cret"))
    event = connection.receive(assist_wire.init(authenticationToken=token))
    assert isinstance(event, AuthenticationFailed)
    assert connection.init is None


@pytest.mark.parametrize("token", ["s3cret-token", {"hidden": "s3cret-token"}])
def test_h14_no_event_shows_the_token_or_the_parameters(token):
    text = assist_wire.init(authenticationToken=token, appParams={"nice_access_key_secret": "s3cret-token"})
    refusing, accepting = AssistConnection(authenticate=lambda _: False), AssistConnection()
    events = [refusing.receive(text), accepting.receive(text), accepting.receive(text), accepting.closed()]
    assert "s3cret-token" not in repr(events)
    assert "s3cret-token" not in events[0].reply
    assert "<hidden>" in repr(events[1])


@pytest.mark.parametrize("code", [3000, 1008])
def test_h15_a_refusal_is_an_error_message_and_then_a_close_code_by_option(code):
    connection = AssistConnection(authenticate=lambda _: False, refusal_close_code=code)
    event = connection.receive(assist_wire.init())
    assert json.loads(event.reply) == ERROR | {"message": "unauthorized"}
    assert (event.close_code, connection.close_code, event.error) == (code, code, None)
    assert_ignored(connection, connection.receive(FRAME), Fault.AFTER_END, State.ENDING)
    with pytest.raises(LocalProtocolError):
        connection.accept()
    assert connection.position == 0


def test_h15_the_application_may_refuse_after_asking_elsewhere():
    connection, _ = requested(refusal_close_code=1008)
    assert json.loads(connection.reject("bad token")) == ERROR | {"message": "bad token"}
    assert (connection.state, connection.close_code) == (State.ENDING, 1008)


def test_h15_the_application_may_refuse_before_the_initialize_message():
    connection = AssistConnection()
    assert json.loads(connection.reject("draining"))["message"] == "draining"
    assert connection.close_code == 3000


def test_h15_another_close_code_for_refusals_is_refused():
    with pytest.raises(LocalProtocolError, match=r"^refusal_close_code must be 3000 or 1008$"):
        AssistConnection(refusal_close_code=1000)


def test_h16_an_authenticator_that_raises_refuses_the_stream():
    problem = OSError("the directory is down")

    def authenticate(init):
        raise problem

    event = AssistConnection(authenticate=authenticate).receive(assist_wire.init())
    assert isinstance(event, AuthenticationFailed)
    assert event.error is problem
    assert event.init.execution_info.contact_id == 506314056968
    assert "directory" not in event.reply
    assert "OSError" in repr(event)
    assert "directory" not in repr(event)


@pytest.mark.parametrize("answer", [1, "yes", None, object()])
def test_h16_only_true_lets_a_stream_start(answer):
    event = AssistConnection(authenticate=lambda _: answer).receive(assist_wire.init())
    assert isinstance(event, AuthenticationFailed)


def test_h16_an_authenticator_that_was_made_async_in_error_lets_nobody_in():
    class Awaitable:
        def __await__(self):
            yield

    event = AssistConnection(authenticate=lambda _: Awaitable()).receive(assist_wire.init())
    assert isinstance(event, AuthenticationFailed)


# --- what does not belong ----------------------------------------------------------------------


def test_h17_audio_before_the_initialize_message_is_told_and_not_counted():
    connection = AssistConnection()
    assert_ignored(connection, connection.receive(FRAME), Fault.AUDIO_BEFORE_INIT, State.AWAITING_INIT)
    assert connection.position == 0
    assert isinstance(connection.receive(assist_wire.init()), StreamRequested)


def test_h20_audio_in_the_same_segment_as_the_initialize_message_is_told_and_not_counted():
    connection, _ = requested()
    event = connection.receive(FRAME)
    assert_ignored(connection, event, Fault.AUDIO_BEFORE_CONNECTED, State.REQUESTED)
    assert str(event.error).endswith("was answered: 160 bytes")
    connection.accept()
    assert connection.receive(FRAME) == AudioReceived(FRAME, 0)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.NOT_JSON),
        ("hello", Fault.NOT_JSON),
        ('{"executionInfo":', Fault.NOT_JSON),
        ("\0{\0}\0", Fault.NOT_JSON),
        ('{"executionInfo":{"contactId":' + "1" * 5000 + "}}", Fault.NOT_JSON),
        ("[]", Fault.NOT_AN_OBJECT),
        ("5", Fault.NOT_AN_OBJECT),
        ("null", Fault.NOT_AN_OBJECT),
        ('"executionInfo"', Fault.NOT_AN_OBJECT),
        ("{}", Fault.NOT_AN_INIT),
        ('{"eof":1}', Fault.NOT_AN_INIT),
        (assist_wire.CONNECTED, Fault.NOT_AN_INIT),
        (assist_wire.nested(66), Fault.TOO_DEEP),
        ("[" * 30000 + "]" * 30000, Fault.TOO_DEEP),
    ],
)
def test_h18_a_first_text_that_is_no_initialize_message_ends_the_stream(text, fault):
    connection = AssistConnection()
    event = connection.receive(text)
    assert_ended(connection, event, fault, 1008)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + assist_wire.init(),
        assist_wire.init()[:-1] + ', "streamPerspective": "RX"}',
        assist_wire.init()[:-1] + ', "a": NaN, "b": -Infinity, "c": 1e999}',
        assist_wire.nested(64),
        "\r\n\t " + assist_wire.init() + "\r\n",
        assist_wire.init(scriptName="\ud800"),
    ],
    ids=["BOM", "duplicate key", "NaN", "deep", "blanks", "lone surrogate"],
)
def test_h18_an_odd_but_readable_initialize_message_is_read(text):
    connection, event = requested(text)
    assert event.init.to_json()
    assert connection.accept() == assist_wire.CONNECTED


def test_h18_of_two_equal_keys_the_last_one_counts():
    _, event = requested(assist_wire.init()[:-1] + ', "streamPerspective": "RX"}')
    assert event.init.stream_perspective is RX


@pytest.mark.parametrize("prepare", [AssistConnection, lambda: requested()[0], streaming])
@pytest.mark.parametrize("message", [bytes(65537), "x" * 65537])
def test_h18_a_message_beyond_the_limit_ends_the_stream_in_every_state(prepare, message):
    connection = prepare()
    event = connection.receive(message)
    assert_ended(connection, event, Fault.TOO_LARGE, 1009)
    assert event.error.detail == "65537, at most 65536"
    assert_ignored(connection, connection.receive(message), Fault.AFTER_END, State.ENDING)


@pytest.mark.parametrize("prepare", [lambda: requested()[0], streaming])
@pytest.mark.parametrize("second", [assist_wire.init(), json.dumps(assist_wire.NEGOTIATED_INIT)])
def test_h19_a_second_initialize_message_is_ignored(prepare, second):
    connection = prepare()
    state, init = connection.state, connection.init
    assert_ignored(connection, connection.receive(second), Fault.SECOND_INIT, state)
    assert connection.init is init


def test_h18_a_message_of_the_largest_size_is_taken_whatever_buffer_it_comes_in():
    heard = []
    connection = streaming(
        '{"executionInfo":{"contactId":1,"busNo":2},"streamPerspective":"TX"}', max_message=160
    )
    assert connection.receive(bytearray(FRAME)) == AudioReceived(FRAME, 0)
    assert connection.receive(memoryview(FRAME)) == AudioReceived(FRAME, 160)
    assert connection.receive_audio(FRAME, lambda *frame: heard.append(frame)) is None
    assert heard == [(FRAME, 320)]
    assert connection.position == 480


def test_h19_a_second_initialize_message_is_not_authenticated():
    asked = []
    connection, _ = requested(authenticate=lambda init: asked.append(init) is None)
    connection.receive(assist_wire.init(authenticationToken="another"))
    assert len(asked) == 1


# --- time and closing --------------------------------------------------------------------------


def test_h21_a_peer_that_never_sends_its_initialize_message_is_ended_at_the_deadline():
    connection = AssistConnection(init_timeout=2.5)
    assert connection.next_deadline() is None
    assert connection.tick(100.0) is None
    assert connection.next_deadline() == 102.5
    assert connection.receive(FRAME).error.fault is Fault.AUDIO_BEFORE_INIT
    assert connection.tick(102.499) is None
    event = connection.tick(102.5)
    assert_ended(connection, event, Fault.NO_MESSAGE_IN_TIME, 1008)
    assert str(event.error) == "the first message did not come in time: within 2.5 seconds"
    assert connection.next_deadline() is None
    assert connection.tick(200.0) is None


def test_h21_the_initialize_message_takes_the_deadline_away():
    connection = AssistConnection()
    connection.tick(0.0)
    connection.receive(assist_wire.init())
    assert connection.next_deadline() is None
    assert connection.tick(1000.0) is None


def test_h21_without_a_timeout_nothing_is_awaited():
    connection = AssistConnection(init_timeout=None)
    assert connection.tick(0.0) is None
    assert connection.next_deadline() is None
    assert connection.tick(1e9) is None


def test_h21_a_probe_that_closes_before_the_initialize_message_leaves_no_stream():
    assert AssistConnection().closed(1006) == StreamClosed(1006, "", 0, None)


@pytest.mark.parametrize("code", [1000, 1001, 1006, None])
@pytest.mark.parametrize("prepare", [AssistConnection, lambda: requested()[0], streaming])
def test_h22_any_close_in_any_state_is_told_once(prepare, code):
    connection = prepare()
    event = connection.closed(code, "bye")
    assert event == StreamClosed(code, "bye", 0, connection.init)
    assert connection.state is State.CLOSED
    assert connection.closed(1000) is event
    assert_ignored(connection, connection.receive(FRAME), Fault.AFTER_END, State.CLOSED)
    assert_ignored(connection, connection.receive(assist_wire.init()), Fault.AFTER_END, State.CLOSED)
    assert_ignored(connection, connection.receive("text"), Fault.AFTER_END, State.CLOSED)


def test_h22_a_close_while_the_application_still_asks_elsewhere_forbids_the_answer():
    connection, _ = requested()
    connection.closed(1006)
    for answer in (connection.accept, connection.reject):
        with pytest.raises(LocalProtocolError, match="in CLOSED"):
            answer()


# --- audio and text ----------------------------------------------------------------------------


def test_h23_frames_of_any_size_are_audio_and_positions_count_samples():
    connection, position = streaming(), 0
    for size in (0, 1, 159, 160, 161, 320, 800, 65536, 0):
        payload = bytes(size)
        assert connection.receive(payload) == AudioReceived(payload, position)
        position += size
        assert connection.position == position
    assert connection.closed(1000).position == position


@pytest.mark.parametrize("kind", [bytearray, memoryview, type("Payload", (bytes,), {})])
def test_h23_audio_in_another_buffer_is_copied_out_of_it(kind):
    connection = streaming()
    buffer = bytearray(FRAME)
    event = connection.receive(kind(buffer))
    buffer[0] ^= 0xFF
    assert event == AudioReceived(FRAME, 0)
    assert type(event.payload) is bytes or kind not in (bytearray, memoryview)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('{"eof":1}', {"eof": 1}),
        ("x" * 65536, None),
        ("hello", None),
        ("", None),
        ("[" * 3000, None),
        ("[1]", [1]),
    ],
)
def test_h23_text_after_the_start_is_handed_over(text, data):
    for connection in (streaming(), requested()[0]):
        state = connection.state
        assert connection.receive(text) == TextReceived(text, data)
        assert connection.state is state


def test_the_hot_path_hands_audio_to_the_callback_and_builds_no_event():
    connection, heard = streaming(), []
    for payload in (FRAME, b"", FRAME):
        assert connection.receive_audio(payload, lambda *frame: heard.append(frame)) is None
    assert heard == [(FRAME, 0), (b"", 160), (FRAME, 160)]
    assert connection.receive(FRAME) == AudioReceived(FRAME, 320)


@pytest.mark.parametrize(
    ("prepare", "payload", "fault"),
    [
        (AssistConnection, FRAME, Fault.AUDIO_BEFORE_INIT),
        (lambda: requested()[0], FRAME, Fault.AUDIO_BEFORE_CONNECTED),
        (streaming, bytes(65537), Fault.TOO_LARGE),
    ],
)
def test_the_hot_path_tells_of_audio_out_of_place_as_receive_does(prepare, payload, fault):
    heard = []
    event = prepare().receive_audio(payload, lambda *frame: heard.append(frame))
    assert event.error.fault is fault
    assert heard == []


def test_an_error_in_the_hot_paths_callback_passes_through_and_the_audio_counts():
    connection = streaming()
    with pytest.raises(ZeroDivisionError):
        connection.receive_audio(FRAME, lambda payload, position: 1 / 0)
    assert connection.receive(FRAME) == AudioReceived(FRAME, 160)


@pytest.mark.parametrize("message", [None, 5, [b"a"]])
def test_what_is_no_message_is_a_mistake_of_our_caller(message):
    for connection in (AssistConnection(), PlatformConnection()):
        with pytest.raises(LocalProtocolError, match=f"is text or bytes, not {type(message).__name__}"):
            connection.receive(message)


def test_audio_shows_its_size_and_text_its_length():
    connection = streaming()
    assert repr(connection.receive(FRAME)) == "AudioReceived(payload=<160 bytes>, position=0)"
    assert repr(connection.receive("card 4111")) == "TextReceived(text=<9 characters>)"


# --- what we say -------------------------------------------------------------------------------


def test_h34_messages_have_exactly_the_documented_keys():
    connection = streaming()
    assert connection.send_message("TRANSCRIPT", "hello", parameters={"a": [1, None]}) == (
        '{"command":"MESSAGE","messageType":"TRANSCRIPT","message":"hello","parameters":{"a":[1,null]}}'
    )
    assert connection.send_message("TRANSCRIPT", "hé") == (
        '{"command":"MESSAGE","messageType":"TRANSCRIPT","message":"h\\u00e9"}'
    )


@pytest.mark.parametrize("parameters", [float("nan"), {"a": object()}, {1, 2}, b"bytes"])
def test_h34_parameters_that_json_cannot_hold_are_refused(parameters):
    connection = streaming()
    with pytest.raises(LocalProtocolError, match="cannot be written as JSON"):
        connection.send_message("TRANSCRIPT", "hello", parameters=parameters)
    assert connection.state is State.STREAMING


def test_h34_a_stream_that_was_not_accepted_takes_no_message():
    connection, _ = requested()
    with pytest.raises(LocalProtocolError, match=r"send_message\(\) is possible in state STREAMING"):
        connection.send_message("TRANSCRIPT", "hello")


# --- the negotiated dialect --------------------------------------------------------------------


def negotiated(**keys):
    return requested(json.dumps(assist_wire.NEGOTIATED_INIT | keys))


def test_h35_the_negotiated_dialect_is_recognised_and_answered_in_kind():
    connection, event = negotiated()
    assert event.dialect is Dialect.NEGOTIATED
    assert event.init.stream_perspective == "TX_RELAY"
    assert (event.init.app_params, event.init.app_config) == ({}, {})
    reply = json.loads(connection.accept())
    assert reply == assist_wire.NEGOTIATED_CONNECTED
    assert list(reply) == list(assist_wire.NEGOTIATED_CONNECTED)
    assert json.loads(connection.send_message("BADSENTIMENT", "", parameters={"a": 1})) == {
        "Message": "",
        "MessageType": "BADSENTIMENT",
        "Parameters": {"a": 1},
    }


def test_h35_the_error_of_the_negotiated_dialect_is_in_pascal_case():
    connection, _ = negotiated()
    assert json.loads(connection.reject("no")) == {"Message": "no", "MessageType": "ERROR", "Parameters": {}}


def test_h35_a_stream_is_ended_in_its_own_dialect():
    connection, _ = negotiated()
    event = connection.receive(bytes(65537))
    assert json.loads(event.reply) == {"Message": str(event.error), "MessageType": "ERROR", "Parameters": {}}


def test_h35_a_wrong_token_is_refused_in_the_dialect_of_its_message():
    event = AssistConnection(authenticate=lambda _: False).receive(json.dumps(assist_wire.NEGOTIATED_INIT))
    expected = {"Message": "unauthorized", "MessageType": "ERROR", "Parameters": {}}
    assert json.loads(event.reply) == expected


@pytest.mark.parametrize(
    ("keys", "version"),
    [
        ({"maximumVersion": 7}, 1),
        ({"maximumVersion": 0}, 0),
        ({"minimumVersion": 1, "maximumVersion": None}, 1),
        ({"minimumVersion": None}, 1),
        ({"minimumVersion": "0", "maximumVersion": "1"}, 1),
    ],
)
def test_h35_the_newest_version_known_to_both_is_agreed(keys, version):
    connection, _ = negotiated(**keys)
    assert json.loads(connection.accept())["ProtocolVersion"] == version


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"minimumVersion": 2, "maximumVersion": 3}, "2 to 3"),
        ({"maximumVersion": -1}, "0 to -1"),
        ({"minimumVersion": -5, "maximumVersion": -1}, "-5 to -1"),
    ],
)
def test_h35_versions_that_nobody_knows_are_refused_and_named(keys, named):
    connection = AssistConnection()
    event = connection.receive(json.dumps(assist_wire.NEGOTIATED_INIT | keys))
    assert (event.error.fault, event.close_code) == (Fault.UNSUPPORTED_VERSION, 1008)
    assert (event.error.detail, connection.close_code) == (named, 1008)
    assert json.loads(event.reply) == {"Message": str(event.error), "MessageType": "ERROR", "Parameters": {}}
    assert connection.state is State.ENDING


@pytest.mark.parametrize(
    ("offered", "required", "chosen", "agreed"),
    [
        (["A", "B"], ["C", "A"], None, ["A", "B", "C"]),
        (None, None, None, []),
        (["A", "B"], [], ["B"], ["B"]),
        (["A"], [], [], []),
    ],
)
def test_h35_all_capabilities_are_agreed_to_unless_the_application_chooses(offered, required, chosen, agreed):
    connection, _ = negotiated(capabilities=offered, requiredCapabilities=required, format=None)
    reply = json.loads(connection.accept(agreed_capabilities=chosen))
    assert reply["AgreedCapabilities"] == agreed
    assert reply["Format"] == "MONO"


def test_h35_capabilities_have_no_place_in_the_documented_dialect():
    connection, _ = requested()
    with pytest.raises(LocalProtocolError, match="no capabilities"):
        connection.accept(agreed_capabilities=["A"])
    assert connection.state is State.REQUESTED


def test_h35_one_text_is_not_taken_for_a_list_of_capabilities():
    connection, _ = negotiated()
    with pytest.raises(LocalProtocolError, match="a list of texts"):
        connection.accept(agreed_capabilities="UTTERANCE_DETECT")


# --- CXone's side ------------------------------------------------------------------------------


def calling(init=None, **options):
    platform = PlatformConnection(**options)
    platform.connect(init or init_message())
    return platform


@pytest.mark.parametrize("init", [init_message(), negotiated_init()])
def test_h34_either_side_understands_the_other(init):
    platform, assist = connected_pair(init)
    assert (platform.state, assist.state) == (State.STREAMING, State.STREAMING)
    assert assist.init == platform.init == init
    assert assist.receive(platform.send_audio(FRAME)) == AudioReceived(FRAME, 0)
    assert assist.receive(platform.send_audio(memoryview(FRAME))) == AudioReceived(FRAME, 160)
    assert platform.position == assist.position == 320
    event = platform.receive(assist.send_message("TRANSCRIPT", "hello", parameters={"a": 1}))
    assert isinstance(event, MessageReceived)
    assert (event.message.message_type, event.message.message) == ("TRANSCRIPT", "hello")
    assert event.message.parameters == {"a": 1}
    assert platform.closed(1000) == assist.closed(1000)


def test_h34_our_own_answer_has_nothing_to_warn_of():
    for init in (init_message(), negotiated_init()):
        assist = AssistConnection()
        platform = PlatformConnection()
        assist.receive(platform.connect(init))
        event = platform.receive(assist.accept())
        assert isinstance(event, StreamAccepted)
        assert event.warnings == ()
        assert event.message.message == "BEGIN AUDIO STREAM"


@pytest.mark.parametrize("init", [init_message(), negotiated_init()])
def test_h34_a_refusal_is_understood(init):
    assist, platform = AssistConnection(authenticate=lambda _: False), PlatformConnection()
    event = platform.receive(assist.receive(platform.connect(init)).reply)
    assert isinstance(event, StreamRefused)
    assert event.message.message == "unauthorized"
    assert platform.state is State.ENDING


@pytest.mark.parametrize(
    ("reply", "warnings"),
    [
        (
            '{"command":"connected","messageType":"COMMAND","message":"BEGIN AUDIO STREAM"}',
            ("command is not 'CONNECTED'",),
        ),
        (
            '{"command":1,"messageType":"COMMAND","message":"BEGIN AUDIO STREAM"}',
            ("command is not 'CONNECTED'",),
        ),
        (
            '{"command":"CONNECTED","messageType":"COMMAND","message":"begin"}',
            ("message is not 'BEGIN AUDIO STREAM'",),
        ),
        ('{"command":"CONNECTED","message":"BEGIN AUDIO STREAM"}', ("messageType is not 'COMMAND'",)),
        (
            assist_wire.CONNECTED[:-1] + ',"parameters":{},"x":1}',
            ("'x' is no key of the answer",),
        ),
        (
            assist_wire.CONNECTED[:-1] + ',"' + "k" * 41 + '":1}',
            (f"{'k' * 40!r} is no key of the answer",),
        ),
        (
            '{"Command":"CONNECTED","messageType":"COMMAND","message":"BEGIN AUDIO STREAM"}',
            ("command is not 'CONNECTED'", "'Command' is no key of the answer"),
        ),
    ],
)
def test_h34_an_answer_that_is_only_nearly_the_documented_one_is_understood_and_named(reply, warnings):
    event = calling().receive(reply)
    assert isinstance(event, StreamAccepted)
    assert event.warnings == warnings


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("BEGIN AUDIO STREAM", Fault.NOT_JSON),
        ("[]", Fault.NOT_AN_OBJECT),
        ("[" * 3000 + "]" * 3000, Fault.TOO_DEEP),
        ("{}", Fault.NOT_A_COMMAND),
        ('{"command":"CONNECT"}', Fault.NOT_A_COMMAND),
        ('{"command":"GO"}', Fault.NOT_A_COMMAND),
        ('{"command":9}', Fault.NOT_A_COMMAND),
        ('{"command":null,"messageType":"COMMAND","message":"BEGIN AUDIO STREAM"}', Fault.NOT_A_COMMAND),
        ('{"command":{}}', Fault.NOT_A_COMMAND),
        (json.dumps(assist_wire.NEGOTIATED_CONNECTED), Fault.NOT_A_COMMAND),
        ('{"command":"MESSAGE","messageType":"A","message":"b"}', Fault.MESSAGE_BEFORE_CONNECTED),
        (b"audio", Fault.BINARY_FROM_APPLICATION),
    ],
)
def test_h34_a_malformed_answer_is_told_and_the_right_one_still_awaited(reply, fault):
    platform = calling()
    assert_ignored(platform, platform.receive(reply), fault, State.AWAITING_REPLY)
    assert isinstance(platform.receive(assist_wire.CONNECTED), StreamAccepted)


@pytest.mark.parametrize(
    ("reply", "warnings"),
    [
        (assist_wire.NEGOTIATED_CONNECTED, ()),
        (
            assist_wire.NEGOTIATED_CONNECTED | {"ProtocolVersion": 0},
            ("ProtocolVersion is not the newest on offer",),
        ),
        (
            json.loads(assist_wire.CONNECTED),
            (
                "MessageType is not 'COMMAND'",
                "Message is not 'BEGIN AUDIO STREAM'",
                "'command' is no key of the answer",
                "'messageType' is no key of the answer",
                "'message' is no key of the answer",
                "ProtocolVersion is not the newest on offer",
            ),
        ),
    ],
)
def test_h35_the_platform_reads_the_negotiated_answer(reply, warnings):
    event = calling(negotiated_init()).receive(json.dumps(reply))
    assert isinstance(event, StreamAccepted)
    assert event.warnings == warnings


@pytest.mark.parametrize(
    "reply", ['{"Message":"BEGIN AUDIO STREAM"}', '{"command":"GO","messageType":"COMMAND"}']
)
def test_h35_a_negotiated_answer_without_its_type_is_malformed(reply):
    platform = calling(negotiated_init())
    assert_ignored(platform, platform.receive(reply), Fault.NOT_A_COMMAND, State.AWAITING_REPLY)


def test_h35_a_message_of_the_applications_own_kind_is_no_answer():
    platform = calling(negotiated_init())
    reply = '{"Message":"hello","MessageType":"TRANSCRIPT","Parameters":{}}'
    assert_ignored(platform, platform.receive(reply), Fault.MESSAGE_BEFORE_CONNECTED, State.AWAITING_REPLY)


def test_h3_the_platform_tells_of_a_second_answer():
    platform, _ = connected_pair()
    assert_ignored(platform, platform.receive(assist_wire.CONNECTED), Fault.SECOND_CONNECTED, State.STREAMING)


def test_h4_the_platform_tells_of_messages_before_its_own_and_of_audio():
    platform = PlatformConnection()
    for message in (assist_wire.CONNECTED, '{"command":"ERROR"}', '{"command":"MESSAGE"}', "garbage"):
        assert_ignored(platform, platform.receive(message), Fault.MESSAGE_BEFORE_CONNECTED, State.NEW)
    assert_ignored(platform, platform.receive(FRAME), Fault.BINARY_FROM_APPLICATION, State.NEW)


def test_an_error_in_the_middle_of_a_stream_is_a_message_and_the_stream_goes_on():
    platform, _ = connected_pair()
    event = platform.receive('{"command":"ERROR","message":"out of quota"}')
    assert isinstance(event, MessageReceived)
    assert event.message.command is CXoneWebSocketCommandType.ERROR
    assert platform.send_audio(FRAME) == FRAME


def test_the_platform_sends_no_audio_before_it_is_accepted():
    platform = PlatformConnection()
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match=r"send_audio\(\) is possible in state STREAMING"):
            platform.send_audio(FRAME)
        if platform.state is State.NEW:
            platform.connect(init_message())
    with pytest.raises(LocalProtocolError, match=r"connect\(\) is possible in state NEW"):
        platform.connect(init_message())
    assert platform.position == 0


@pytest.mark.parametrize("message", [bytes(65537), "x" * 65537])
def test_the_platform_ends_a_stream_whose_answer_is_too_large(message):
    platform = calling()
    event = platform.receive(message)
    assert (event.error.fault, event.close_code, event.reply) == (Fault.TOO_LARGE, 1009, None)
    assert event.error.detail == "65537, at most 65536"
    for late in (message, assist_wire.CONNECTED, "garbage", FRAME):
        assert_ignored(platform, platform.receive(late), Fault.AFTER_END, State.ENDING)


def test_the_platform_takes_an_answer_of_the_largest_size():
    platform = calling(max_message=len(assist_wire.CONNECTED))
    assert isinstance(platform.receive(assist_wire.CONNECTED), StreamAccepted)


def test_the_platform_awaits_the_answer_no_longer_than_its_deadline():
    platform = PlatformConnection(reply_timeout=1.0)
    assert platform.tick(0.0) is None
    assert platform.next_deadline() is None
    platform.connect(init_message())
    assert platform.tick(10.0) is None
    assert platform.next_deadline() == 11.0
    event = platform.tick(11.0)
    assert (event.error.fault, event.close_code, event.reply) == (Fault.NO_MESSAGE_IN_TIME, 1008, None)
    assert platform.state is State.ENDING
