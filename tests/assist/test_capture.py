"""Captures of real sockets, and what is made of them later."""

import io
import json
import struct

import pytest
from support import assist_wire

from cxone_assist import (
    AssistConnection,
    AudioReceived,
    StreamPerspective,
    StreamRequested,
    WebSocketHookInitializeMessage,
)
from cxone_assist.call_events import (
    AudioPlaced,
    CallEnded,
    CallResumed,
    CallStarted,
    CallSuspended,
    PeerMissing,
    StreamAttached,
    StreamDetached,
)
from cxone_assist.calls import CallAssembler
from cxone_assist.capture import (
    Capture,
    CapturedMessage,
    CaptureOpcode,
    CaptureWriter,
    assemble,
    replay,
)
from cxone_assist.testing import init_text

FRAME = bytes(range(160))
SECRET = "s3cret"


def captured(*messages, started=1000.0, **options):
    """Return the bytes of a capture of (now, message); a tuple as message is a close."""
    file = io.BytesIO()
    writer = CaptureWriter(file, now=50.0, started=started, **options)
    for now, message in messages:
        if isinstance(message, tuple):
            writer.closed(*message, 50 + now)
        else:
            writer.received(message, 50 + now)
    return file.getvalue()


def read(content):
    return Capture.read(io.BytesIO(content))


def stream(started, perspective="TX", seconds=3.0, close=True):
    frames = [(index * 0.02, FRAME) for index in range(1, round(seconds * 50) + 1)]
    end = [(seconds, (1000, "bye"))] if close else []
    text = assist_wire.init(streamPerspective=perspective)
    return read(captured((0.0, text), *frames, *end, started=started))


def test_what_is_captured_reads_back(tmp_path):
    file = io.BytesIO()
    writer = CaptureWriter(file, now=7.0, started=1700000000.5, redact=False)
    writer.received("hello", 7.25)
    writer.sent(assist_wire.CONNECTED, 7.25)
    writer.received(FRAME, 7.5)
    writer.received(b"", 7.4)  # the time does not go back
    writer.closed(1000, "bye", 9.0)
    writer.closed(None, "", 9.0)
    path = tmp_path / "one.cxcap"
    path.write_bytes(file.getvalue())
    assert Capture.read(path) == Capture(
        1700000000.5,
        (
            CapturedMessage(0.25, CaptureOpcode.TEXT, b"hello"),
            CapturedMessage(0.25, CaptureOpcode.SENT_TEXT, assist_wire.CONNECTED.encode()),
            CapturedMessage(0.5, CaptureOpcode.BINARY, FRAME),
            CapturedMessage(0.5, CaptureOpcode.BINARY, b""),
            CapturedMessage(2.0, CaptureOpcode.CLOSE, b"\x03\xe8bye"),
            CapturedMessage(2.0, CaptureOpcode.CLOSE, b""),
        ),
        truncated=False,
    )


def test_the_format_is_what_the_documentation_says():
    header, records = captured((0.5, FRAME)).split(b"\n", 1)
    assert json.loads(header) == {"cxcap": 1, "started": 1000.0, "redacted": True}
    assert records == bytes([0, 0, 0, 0, 0, 7, 0xA1, 0x20, 2, 0, 0, 0, 160]) + FRAME


def test_times_add_up_without_rounding_errors():
    capture = read(captured(*((index / 30000, FRAME) for index in range(3001))))
    assert capture.records[-1].at == 0.1


@pytest.mark.parametrize("cut", [1, 5, 12, 13, 50, 172])
def test_a_capture_that_was_cut_off_is_read_as_far_as_it_goes(cut):
    content = captured((0.0, FRAME), (0.02, FRAME))
    capture = read(content[: len(content) - 173 + cut])
    assert (len(capture.records), capture.truncated) == (1, True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"[]\n",
        b"{}\n",
        b'{"cxcap":1}\n',
        b'{"cxcap":1,"started":null}\n',
        b'{"cxcap":2,"started":0}\n',
        b'{"cxcap":1,"started":Infinity}\n',
        b'{"cxcap":1,"started":NaN}\n',
        b'{"cxcap":1,"started":-1e308}\n',
        b'{"cxcap":1,"started":' + b"9" * 400 + b"}\n",
        b'{"cxcap":1,"started":' + b"[" * 4000 + b"\n",
    ],
)
def test_what_is_no_capture_is_refused(content):
    with pytest.raises(ValueError, match="capture"):
        read(content)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (struct.pack(">QBI", 2**64 - 1, 2, 1) + b"x", "1.84467e.13 s"),
        (struct.pack(">QBI", 0, 2, 2**32 - 1) + b"x", "4294967295 bytes"),
    ],
    ids=["pause", "size"],
)
def test_a_record_that_no_socket_has_is_refused_before_anything_is_made_of_it(record, told):
    with pytest.raises(ValueError, match=f"record 2 .*{told}"):
        read(captured((0.0, FRAME)) + record)


def test_audio_of_any_size_that_a_server_took_is_assembled():
    size = 100_000
    content = captured((0.0, init_text()), *((number * size / 8000, b"a" * size) for number in range(1, 5)))
    events = assemble([read(content)], CallAssembler(place_audio=True))
    assert sum(len(event.payload) for event in events if isinstance(event, AudioPlaced)) == 4 * size


def test_a_record_of_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="7"):
        read(captured() + bytes([0] * 8 + [7] + [0] * 4))


# --- secrets -----------------------------------------------------------------------------------


def text_of(content):
    return json.loads(read(content).records[0].payload)


def test_a_capture_keeps_the_shape_of_the_initialize_message_and_no_secret():
    text = init_text(
        authenticationToken=SECRET,
        appParams={
            "key": SECRET,
            "pin": 1234,
            "list": [SECRET, True, None],
            "": {"contactId": {"a": SECRET}},
        },
        appConfig=json.dumps({"key": SECRET}),
        unknown=SECRET,
        streamsConfiguration="",
    )
    content = captured((0.0, text))
    assert SECRET.encode() not in content
    assert b"1234" not in content
    document = text_of(content)
    assert document["authenticationToken"] == "<redacted>"
    assert document["appParams"] == {
        "key": "<redacted>",
        "pin": 0,
        "list": ["<redacted>", True, None],
        "": {"contactId": {"a": "<redacted>"}},
    }
    assert document["appConfig"] == "<redacted>"
    assert document["streamsConfiguration"] == ""
    assert document["executionInfo"] == json.loads(text)["executionInfo"]
    assert document["streamPerspective"] == "TX"


def test_a_redacted_capture_still_starts_a_stream():
    event = AssistConnection().receive(read(captured((0.0, init_text()))).records[0].payload.decode())
    assert isinstance(event, StreamRequested)
    assert event.warnings == ()


def test_what_a_stream_was_asked_for_with_can_be_captured_as_it_came():
    """Spellings, order and what is missing: all that the record of it no longer shows."""
    text = assist_wire.init(streamPerspective=0, StreamsConfiguration=None, appConfig="{'a': 1}")
    text = text.replace("506314056968", '"506314056968"').replace(", ", " ,\r\n")
    event = AssistConnection().receive(text)
    assert isinstance(event, StreamRequested)
    assert event.init.text == text
    assert SECRET in text
    assert SECRET not in repr(event)
    assert event.init == WebSocketHookInitializeMessage.from_json(event.init.to_json())
    assert text_of(captured((0.0, event.init.text))) == {
        "authenticationToken": "<redacted>",
        "executionInfo": {"contactId": "506314056968", "busNo": 4602609},
        "systemTelemetryData": {},
        "streamPerspective": 0,
        "StreamsConfiguration": None,
        "appConfig": "<redacted>",
    }


def test_text_that_is_no_json_is_left_out_and_other_text_masked():
    assert text_of(captured((0.0, f"token={SECRET}"))) == "<redacted>"
    assert text_of(captured((0.0, '{"eof":1}'))) == {"eof": 1}


def test_without_redaction_the_text_is_as_it_came():
    assert read(captured((0.0, SECRET), redact=False)).records[0].payload == SECRET.encode()


# --- replay ------------------------------------------------------------------------------------


def test_a_replay_hands_over_what_came_with_its_pauses():
    capture = read(captured((0.5, "{}"), (0.5, FRAME), (2.5, FRAME), (3.0, (1000, ""))))
    told = []
    replay(capture, told.append, sleep=told.append, speed=2.0)
    assert told == [0.25, "{}", FRAME, 1.0, FRAME]


def test_a_replay_feeds_a_connection():
    connection = AssistConnection()
    events = []

    def send(message):
        events.append(connection.receive(message))
        if isinstance(events[-1], StreamRequested):
            connection.accept()

    replay(stream(0.0, seconds=1.0), send, sleep=lambda seconds: None)
    assert [type(event) for event in events] == [StreamRequested, *[AudioReceived] * 50]
    assert connection.position == 8000


def test_a_speed_that_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match="speed"):
        replay(stream(0.0), print, sleep=print, speed=0)


def played(*captures):
    assembler = CallAssembler(place_audio=True)
    return [*assemble(captures, assembler), *assembler.close(10000.0)]


def test_captures_of_a_call_are_assembled_in_the_order_in_which_they_happened():
    events = played(stream(1020.0), stream(1000.0), stream(1000.5, "RX", seconds=2.0))
    assert [type(event) for event in events].count(CallStarted) == 1
    assert [event.gap for event in events if isinstance(event, CallResumed)] == [pytest.approx(17.0)]
    placed = [(event.perspective, event.position) for event in events if isinstance(event, AudioPlaced)]
    assert (StreamPerspective.RX, 4000) in placed
    assert (StreamPerspective.TX, 160000) in placed
    assert events[-1].samples == 184000


def test_assembling_twice_gives_the_same():
    captures = [stream(1000.0), stream(1000.5, "RX")]
    assert played(*captures) == played(*captures)


def test_deadlines_of_the_assembler_are_kept_while_captures_are_played():
    (missing,) = (event for event in played(stream(0.0, seconds=40.0)) if isinstance(event, PeerMissing))
    assert missing.at == 30.0


def test_a_capture_without_an_end_ends_with_its_last_record():
    events = list(assemble([stream(0.0, close=False)], CallAssembler(place_audio=True)))
    assert sum(len(event.payload) for event in events if isinstance(event, AudioPlaced)) == 24000
    assert not [event for event in events if isinstance(event, CallEnded)]


def test_what_went_to_cxone_is_not_played():
    file = io.BytesIO()
    writer = CaptureWriter(file, now=0.0, started=0.0)
    writer.received(assist_wire.init(), 0.0)
    writer.sent("a message that would be too large to receive" * 2000, 0.0)
    writer.received(FRAME, 0.1)
    assert [type(event) for event in assemble([read(file.getvalue())], CallAssembler())] == [
        CallStarted,
        StreamAttached,
        StreamDetached,
        CallSuspended,
    ]
    (detached,) = (
        event
        for event in assemble([read(file.getvalue())], CallAssembler())
        if isinstance(event, StreamDetached)
    )
    assert detached.samples == 160


def test_a_captured_socket_that_never_began_is_no_call():
    text = read(captured((0.0, FRAME), (0.1, "no init"), (0.2, FRAME), (0.3, (1008, ""))))
    assert list(assemble([text], CallAssembler())) == []
    assert list(assemble([], CallAssembler())) == []
