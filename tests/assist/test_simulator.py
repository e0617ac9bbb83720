"""The promises of the simulator: a pure schedule, an honest player, a check that finds what is wrong."""

import asyncio
import json
import math
import random
import struct
import threading
from contextlib import contextmanager
from xml.etree import ElementTree as ET

import pytest
from support.assist_sockets import Log
from support.assist_wire import CONNECTED
from websockets.exceptions import ConnectionClosedError
from websockets.sync.server import serve as serve_sync

from cxone_assist import StaticTokens, StreamPerspective
from cxone_assist.mulaw import SILENCE, decode
from cxone_assist.server import Limits, Server, allow_all
from cxone_assist.simulator import (
    Do,
    Kind,
    ScenarioError,
    Step,
    _endpoint,
    parse_scenario,
    plan,
    play,
    player,
    read_wav,
    simple_call,
    speech,
)
from cxone_assist.simulator import check as check_module
from cxone_assist.simulator._cases import Case
from cxone_assist.simulator.check import Outcome, check, exit_code, junit
from cxone_assist.simulator.compare import compare
from cxone_assist.testing import init_message

TX, RX = StreamPerspective.TX, StreamPerspective.RX


@contextmanager
def endpoint(handler):
    """Run somebody else's endpoint: a function of a websocket."""
    with serve_sync(handler, "127.0.0.1", 0, close_timeout=0.2) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        finally:
            server.shutdown()
            thread.join()


# --- scenarios and schedules -------------------------------------------------------------------


def test_a_scenario_file_says_what_a_call_does():
    text = json.dumps(
        {
            "steps": [
                {"do": "open", "perspectives": ["TX"]},
                {"do": "expect", "what": "CONNECTED", "seconds": 1},
                {"do": "play", "seconds": 2},
                {"do": "hold", "what": "silent", "seconds": 1.5},
                {"do": "drop"},
                {"do": "end"},
            ]
        }
    )
    steps = parse_scenario(text)
    assert [step.do for step in steps] == [Do.OPEN, Do.EXPECT, Do.PLAY, Do.HOLD, Do.DROP, Do.END]
    assert steps[0].perspectives == (TX,)
    assert (steps[3].what, steps[3].seconds) == ("silent", 1.5)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ("{", "JSON"),
        ("[]", "list of"),
        ('{"steps":[]}', "list of"),
        ('{"steps":["x"]}', r"steps\[0\] needs"),
        ('{"steps":[{"do":"fly"}]}', r"steps\[0\] needs"),
        ('{"steps":[{"do":"stall"}]}', r"steps\[0\].seconds"),
        ('{"steps":[{"do":"play","seconds":-1}]}', r"seconds"),
        ('{"steps":[{"do":"hold","seconds":1,"what":"loud"}]}', "close, silent"),
        ('{"steps":[{"do":"open","perspectives":["UP"]}]}', "perspectives"),
        ('{"steps":[{"do":"end","seconds":1}]}', "not used"),
    ],
)
def test_a_scenario_that_cannot_be_played_is_refused_with_its_place(document, fault):
    with pytest.raises(ScenarioError, match=fault):
        parse_scenario(document)


def test_an_ordinary_call_has_its_holds_and_drops_at_their_times():
    actions = plan(simple_call(holds=[(3, 5)], drops=[7]), {TX: bytes(8000 * 8)})
    moments = [
        (round(a.at, 6), a.kind.name) for a in actions if a.kind is not Kind.AUDIO and a.perspective is TX
    ]
    assert moments == [
        (0, "OPEN"), (3, "CLOSE"), (5, "OPEN"), (7, "DROP"), (7, "OPEN"), (10, "CLOSE"),
    ]  # fmt: skip
    sent = b"".join(a.payload for a in actions if a.kind is Kind.AUDIO and a.perspective is TX)
    assert sent == bytes(64000)
    assert {a.payload for a in actions if a.kind is Kind.AUDIO and a.perspective is RX} == {b"\xff" * 160}


@pytest.mark.parametrize("times", [{"holds": [(3, 5)], "drops": [4]}, {"holds": [(5, 3)]}])
def test_events_of_a_call_that_overlap_are_refused(times):
    with pytest.raises(ScenarioError, match="overlaps"):
        simple_call(**times)


def steps(*does):
    return [Step(do=Do.OPEN, perspectives=(TX,)), *does]


def frames_of(*does, seed=0, seconds=2):
    audio = bytes(range(200)) * (40 * seconds)
    return [a for a in plan(steps(*does), {TX: audio}, seed=seed) if a.kind is Kind.AUDIO]


def test_lost_audio_is_left_out_and_time_goes_on():
    frames = frames_of(
        Step(do=Do.PLAY, seconds=0.02), Step(do=Do.LOSE, seconds=0.1), Step(do=Do.PLAY, seconds=0.02)
    )
    assert [(f.at, f.position) for f in frames] == [(0, 0), (0.12, 960)]


def test_a_stall_sends_everything_at_its_end():
    frames = frames_of(Step(do=Do.STALL, seconds=0.06), Step(do=Do.PLAY, seconds=0.02))
    assert [(f.at, f.position) for f in frames] == [(0.06, 0), (0.06, 160), (0.06, 320), (0.06, 480)]


def test_silence_keeps_the_audio_waiting_and_a_silent_hold_keeps_the_socket():
    frames = frames_of(Step(do=Do.SILENCE, seconds=0.02), Step(do=Do.HOLD, seconds=1, what="silent"),
                       Step(do=Do.RESUME), Step(do=Do.PLAY, seconds=0.02))  # fmt: skip
    assert frames[0].payload == bytes([SILENCE]) * 160
    assert (frames[1].at, frames[1].payload[:3]) == (1.02, bytes([0, 1, 2]))


def test_the_same_seed_is_the_same_call_and_nothing_overtakes():
    does = (Step(do=Do.JITTER, seconds=0.1), Step(do=Do.PLAY))
    times = [f.at for f in frames_of(*does, seed=1)]
    assert times == [f.at for f in frames_of(*does, seed=1)] == sorted(times)
    assert times != [f.at for f in frames_of(*does, seed=2)]


def test_garbage_and_expectations_go_to_every_open_socket():
    actions = plan([Step(do=Do.OPEN), Step(do=Do.GARBAGE, what="text"),
                    Step(do=Do.EXPECT, what="MESSAGE", seconds=2)], {})  # fmt: skip
    assert [(a.kind, a.what, a.seconds) for a in actions[2:]] == [
        *[(Kind.GARBAGE, "text", 0)] * 2, *[(Kind.EXPECT, "MESSAGE", 2)] * 2,
    ]  # fmt: skip


def test_the_speech_is_the_same_each_time_and_different_for_each_side():
    assert speech(TX, 2) == speech(TX, 2)
    assert len(speech(TX, 2)) == 16000
    assert speech(TX, 8) != speech(RX, 8)
    assert any(decode(speech(StreamPerspective.MIX, 5)))


# --- WAV files ---------------------------------------------------------------------------------


def wav(tag, channels, bits, audio, *, rate=8000, extra=b"", extensible=False):
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, rate, 0, 0, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, 0, 0, tag) + bytes(14)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + extra
    chunks += b"data" + struct.pack("<I", len(audio)) + audio
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


@pytest.mark.parametrize("extensible", [False, True])
def test_wav_files_of_each_kind_are_read(tmp_path, extensible):
    path = tmp_path / "call.wav"
    path.write_bytes(
        wav(7, 2, 8, b"abcd", extra=b"fact" + struct.pack("<I", 3) + b"xyz\0", extensible=extensible)
    )
    assert read_wav(path) == (b"ac", b"bd")
    path.write_bytes(wav(1, 1, 16, b"\0\0\0\0\1", extensible=extensible))
    assert read_wav(path) == (b"\xff\xff",)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"ID3", "no WAV"),
        (b"RIFF\0\0\0\0WAVE", "no format"),
        (wav(1, 1, 16, b"", rate=16000), "8,000 Hz"),
        (wav(1, 1, 8, b""), "16-bit"),
        (wav(7, 3, 8, b""), "channels"),
    ],
)
def test_a_wav_file_that_cannot_be_played_is_refused_and_says_why(tmp_path, data, fault):
    path = tmp_path / "call.wav"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=fault):
        read_wav(path)


# --- the comparison ----------------------------------------------------------------------------

NOISE = random.Random(1).randbytes(400).replace(b"\xff", b"\0")


def test_a_recording_that_holds_what_was_played_is_equal_and_its_shift_is_told():
    recorded = b"\xff" * 10 + NOISE[:200] + b"\xff" * 8100 + NOISE[200:] + b"\xff"
    found = compare(recorded, [(0, NOISE[:200]), (8200, NOISE[200:]), (9000, b"")])
    assert (found.equal, found.samples, found.worst_shift) == (True, 400, 100 / 8000)


@pytest.mark.parametrize(
    "recorded",
    [
        NOISE[:200] + b"\xfe" + NOISE[200:],
        NOISE[:199] + b"\xff" + NOISE[200:],
        NOISE + b"\0",
        NOISE[200:] + NOISE[:200],
        b"",
    ],
    ids=["inserted", "changed", "more", "order", "empty"],
)
def test_a_recording_that_differs_in_one_sample_is_not_equal(recorded):
    assert not compare(recorded, [(0, NOISE[:200]), (200, NOISE[200:])]).equal


# --- the player --------------------------------------------------------------------------------


def test_a_played_call_arrives_as_it_was_played():
    heard = {TX: b"", RX: b""}
    done, ended = Log(), Log()

    def on_audio(stream, ulaw, _position):
        heard[stream.perspective] += ulaw

    audio = {side: speech(side, 4) for side in (TX, RX)}
    actions = plan(simple_call(holds=[(1, 2)], drops=[3]), audio)
    with Server(authorize=allow_all, on_audio=on_audio, on_end=ended) as server:
        report = play(server.url, actions, init_message(), rate=20, on_action=done)
        ended.wait(lambda items: len(items) == 6)
    assert report.ok
    assert heard == audio
    assert (report.samples, report.frames, len(report.handshake_seconds)) == (64000, 400, 6)
    assert [(at, len(ulaw)) for at, ulaw in report.sent[TX]] == [(0, 8000), (16000, 8000), (24000, 16000)]
    assert len(done) == sum(action.kind is not Kind.AUDIO for action in actions)


def test_the_player_paces_by_deadlines_and_reports_its_own_lateness():
    with Server(authorize=allow_all) as server:
        report = play(server.url, plan(simple_call(), {TX: bytes(1600)}), init_message())
        assert 0 <= report.worst_lateness < 1
        fast = play(server.url, plan(simple_call(), {TX: bytes(80000)}), init_message(), rate=math.inf)
    assert (fast.worst_lateness, fast.late_frames, fast.samples) == (0, 0, 160000)


def test_expectations_garbage_and_silence_of_the_endpoint_are_told():
    def on_start(stream):
        stream.send_message("HELLO", "x")

    one = (TX,)
    script = [
        Step(do=Do.OPEN, perspectives=one),
        Step(do=Do.EXPECT, what="CONNECTED", seconds=1),
        Step(do=Do.EXPECT, what="MESSAGE", seconds=5),
        *[Step(do=Do.GARBAGE, what=what) for what in ("init", "text", "empty")],
        Step(do=Do.EXPECT, what="CLOSE", seconds=0.05),
        Step(do=Do.PLAY, seconds=0.1),
    ]
    with Server(authorize=allow_all, on_start=on_start) as server:
        report = play(server.url, plan(script, {}), init_message(), rate=10)
    assert report.unmet == ["TX: no CLOSE within 0.05 seconds"]
    assert report.exit_code == 1
    assert [message.message_type for message in report.messages] == ["HELLO"]
    assert (report.frames, report.samples) == (5, 800)


@pytest.mark.parametrize(("token", "exit_code"), [("wrong", 2)])
def test_a_refusal_is_told_and_the_rest_of_the_call_left_out(token, exit_code):
    with Server(authorize=StaticTokens("right")) as server:
        actions = plan(simple_call(drops=[0.1]), {TX: bytes(8000)})
        report = play(server.url, actions, init_message(authentication_token=token), rate=100)
    assert report.exit_code == exit_code
    assert "ERROR: unauthorized" in report.refused[0]
    assert report.frames == 0


def test_an_endpoint_that_cannot_be_reached_is_told():
    with Server(authorize=allow_all) as server:
        url = server.url
    report = play(url, plan(simple_call(), {}), init_message())
    assert report.exit_code == 5


def test_an_endpoint_that_closes_or_breaks_the_protocol_is_told():
    def closes(websocket):
        websocket.recv()

    def talks(websocket):
        websocket.recv()
        websocket.send(CONNECTED)
        websocket.send(b"binary")
        for _ in websocket:
            pass

    def leaves(websocket):
        websocket.recv()
        websocket.send(json.dumps(json.loads(CONNECTED) | {"message": "GO"}))
        websocket.recv()

    actions = plan(simple_call(perspectives=[TX]), {TX: bytes(8000)})
    with endpoint(closes) as url:
        report = play(url, actions, init_message(), rate=50)
        assert (report.exit_code, report.refused) == (2, ["TX: closed with 1000 instead of an answer"])
    with endpoint(talks) as url:
        assert play(url, actions, init_message(), rate=50).exit_code == 3
    with endpoint(leaves) as url:
        report = play(url, actions, init_message(), rate=5)
        assert report.exit_code == 1
        assert "the endpoint closed the stream" in report.unmet[0]
        assert report.warnings == ["TX: message is not 'BEGIN AUDIO STREAM'"]


# --- the check ---------------------------------------------------------------------------------


def outcomes(results):
    return {result.name: result.outcome for result in results}


def test_our_own_server_passes_every_case():
    with Server(authorize=StaticTokens("t")) as server:
        seen = []
        results = check(server.url, init_message(authentication_token="t"), on_result=seen.append)
    assert set(outcomes(results).values()) == {Outcome.PASSED}
    assert seen == list(results)
    assert exit_code(results) == 0


def test_without_a_token_the_cases_that_need_one_are_skipped_and_an_open_door_is_found_with_one():
    with Server(authorize=allow_all) as server:
        found = outcomes(check(server.url, init_message()))
        assert {name for name, outcome in found.items() if outcome is Outcome.SKIPPED} == {
            "refuses-a-wrong-token",
            "refuses-with-an-error-message",
        }
        results = check(server.url, init_message(authentication_token="t"))
    assert outcomes(results)["refuses-a-wrong-token"] is Outcome.FAILED
    assert exit_code(results) == 1
    tree = ET.fromstring(junit(results))
    assert tree.get("failures") == "1"


def test_a_poor_endpoint_is_told_what_to_do():
    """It answers anything with CONNECTED and more, echoes audio, and reads no perspective as a number."""

    def poor(websocket):
        websocket.send('{"hello":1}')
        for message in websocket:
            if isinstance(message, bytes):
                websocket.send(message)
            elif '"streamPerspective": 0' in message or "eof" in message:
                return
            elif '"streamPerspective": 1' in message:
                continue
            else:
                websocket.send('{"command":"CONNECTED"}')
                websocket.send('{"command":"CONNECTED"}')

    with endpoint(poor) as url:
        results = check(url, init_message(authentication_token="t"))
    found = outcomes(results)
    assert found["says-nothing-before-the-initialize-message"] is Outcome.FAILED
    assert found["answers-within-a-second"] is Outcome.FAILED
    assert exit_code(results) == 1
    assert all(result.found for result in results if result.outcome is Outcome.FAILED)


def test_an_endpoint_that_is_almost_right_fails_where_it_is_wrong():
    """It answers twice, sends audio back, accepts anything, takes any token and speaks one dialect."""

    def almost(websocket):
        accepted = False
        for message in websocket:
            if isinstance(message, bytes):
                websocket.send(message)
            elif accepted or "no-answer" in message:
                return
            elif '"streamPerspective": 1' not in message:
                websocket.send(json.dumps(json.loads(CONNECTED) | {"extra": 1}))
                websocket.send(CONNECTED)
                accepted = True

    with endpoint(almost) as url:
        results = check(url, init_message(authentication_token="t"))
    found = outcomes(results)
    failed = {name for name, outcome in found.items() if outcome is Outcome.FAILED}
    assert {
        "answers-once",
        "reads-every-spelling-of-the-perspective",
        "refuses-a-wrong-token",
        "never-sends-audio",
        "accepts-nothing-but-an-initialize-message",
    } <= failed
    warned = {name for name, outcome in found.items() if outcome is Outcome.WARNING}
    assert {
        "answers-as-the-page-prints-it",
        "answers-the-negotiated-dialect-in-kind",
        "refuses-with-an-error-message",
    } <= warned
    assert "warning" in junit(results)


def test_nobody_at_the_address_is_told_at_once():
    with Server(authorize=allow_all) as server:
        url = server.url
    results = check(url, init_message())
    assert [result.outcome for result in results] == [Outcome.UNREACHABLE]
    assert exit_code(results) == 5


def test_an_endpoint_that_takes_too_few_streams_fails_that_case():
    with Server(authorize=allow_all, limits=Limits(streams=5)) as server:
        found = outcomes(check(server.url, init_message()))
    assert found["takes-twenty-calls-at-once"] is Outcome.FAILED


def test_a_socket_that_closes_in_the_middle_of_a_scene_fails_that_case(monkeypatch):
    async def scene(_endpoint):
        raise ConnectionClosedError(None, None)

    cases = [Case("needed", scene, "why"), Case("wise", scene, "why", required=False)]
    monkeypatch.setattr(check_module, "CASES", cases)
    results = check("ws://127.0.0.1:1/", init_message())
    assert [result.outcome for result in results] == [Outcome.FAILED, Outcome.WARNING]
    assert all(result.found.startswith("it closed the socket") for result in results)


class ClosedSocket:
    """A websocket that the endpoint has closed."""

    close_code = 1011

    async def gone(self, *_):
        raise ConnectionClosedError(None, None)

    send = recv = ping = gone


class DeafSocket:
    """A websocket whose endpoint answers no ping."""

    async def ping(self):
        return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("step", [lambda p: p.send("x"), lambda p: p.event(), lambda p: p.alive()])
def test_a_socket_that_the_endpoint_closed_is_told_with_its_code(step):
    peer = _endpoint.Peer(ClosedSocket(), init_message())
    with pytest.raises(_endpoint.CheckFailed, match="closed the socket, with 1011"):
        asyncio.run(step(peer))


def test_a_ping_without_a_pong_is_told(monkeypatch):
    monkeypatch.setattr(_endpoint, "PATIENCE", 0.01)
    with pytest.raises(_endpoint.CheckFailed, match="ping was not answered"):
        asyncio.run(_endpoint.Peer(DeafSocket(), init_message()).alive())


def test_an_event_at_the_start_of_a_call_has_no_audio_before_it():
    assert [step.do for step in simple_call(drops=[0.0])] == [Do.OPEN, Do.DROP, Do.PLAY, Do.END]


def test_an_endpoint_that_answers_nothing_is_told_after_the_time_that_an_answer_has(monkeypatch):
    monkeypatch.setattr(player._until, "__defaults__", (0.05,))

    def silent(websocket):
        for _ in websocket:
            pass

    with endpoint(silent) as url:
        report = play(url, plan(simple_call(perspectives=[TX]), {}), init_message())
    assert report.refused == ["TX: no answer within 5 seconds"]


def test_a_stream_that_closes_while_a_frame_is_sent_is_told(monkeypatch):
    """The reader has not seen the close yet: the socket says so first."""

    async def accepts(_url, _ssl):
        return HalfClosed()

    class HalfClosed:
        close_code = 1011

        def __init__(self):
            self.closed = asyncio.Event()
            self.first = True

        async def send(self, message):
            if isinstance(message, bytes):
                raise ConnectionClosedError(None, None)

        async def close(self):
            self.closed.set()

        def __aiter__(self):
            return self

        async def __anext__(self):
            if self.first:
                self.first = False
                return CONNECTED
            await self.closed.wait()
            raise StopAsyncIteration

    monkeypatch.setattr(player, "dial", accepts)
    report = play("ws://x/", plan(simple_call(perspectives=[TX]), {TX: bytes(160)}), init_message())
    assert report.unmet == ["TX: the endpoint closed the stream, with 1011"]
