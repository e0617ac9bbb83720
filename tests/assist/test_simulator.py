"""The promises of the simulator: a pure schedule, and an honest player."""

import asyncio
import json
import math
import random
import time

import pytest
from support.assist_endpoint import endpoint
from support.assist_sockets import Log
from support.assist_wire import CONNECTED
from websockets.exceptions import ConnectionClosedError

from cxone_assist import StaticTokens, StreamPerspective
from cxone_assist.call_events import AudioPlaced, CallResumed, StreamAttached, StreamDetached
from cxone_assist.mulaw import SILENCE, decode
from cxone_assist.server import Server, allow_all
from cxone_assist.simulator import (
    Do,
    Kind,
    Lockstep,
    ScenarioError,
    Step,
    parse_scenario,
    plan,
    play,
    player,
    simple_call,
    speech,
)
from cxone_assist.testing import init_message

TX, RX = StreamPerspective.TX, StreamPerspective.RX


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
        ('{"steps":[{"do":[]}]}', r"steps\[0\] needs"),
        ("[" * 100_000, "JSON"),
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


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([Step(do=Do.OPEN), Step(do=Do.OPEN)], "TX is opened while it is open"),
        ([Step(do=Do.OPEN, perspectives=(RX, RX))], "RX is opened while it is open"),
    ],
)
def test_a_stream_that_is_open_is_not_opened_again(steps, fault):
    with pytest.raises(ScenarioError, match=fault):
        plan(steps, {})


def test_two_holds_one_after_the_other_are_resumed_together():
    steps = [Step(do=Do.OPEN, perspectives=(TX,)), *[Step(do=Do.HOLD, seconds=1, what="close")] * 2]
    actions = plan([*steps, Step(do=Do.RESUME), Step(do=Do.END)], {})
    moments = [(action.at, action.kind.name) for action in actions]
    assert moments == [(0, "OPEN"), (0, "CLOSE"), (2, "OPEN"), (2, "CLOSE")]


@pytest.mark.parametrize("moment", [math.nan, math.inf, 1e9])
def test_what_is_no_time_of_a_call_is_refused(moment):
    for events in ({"holds": [(1, moment)]}, {"holds": [(moment, 5)]}, {"drops": [moment]}):
        with pytest.raises(ScenarioError, match="no time"):
            simple_call(**events)


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


def test_an_event_at_the_start_of_a_call_has_no_audio_before_it():
    assert [step.do for step in simple_call(drops=[0.0])] == [Do.OPEN, Do.DROP, Do.PLAY, Do.END]


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


@pytest.mark.parametrize("side", [TX, RX])
def test_no_half_a_second_of_the_speech_s_sound_comes_twice(side):
    audio = speech(side)
    pieces = [audio[start : start + 4000] for start in range(0, len(audio) - 4000, 160)]
    sounds = [piece for piece in pieces if any(decode(piece))]
    assert len(sounds) > 400
    assert len(set(sounds)) == len(sounds)


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


def test_a_refusal_is_told_and_the_rest_of_the_call_left_out():
    with Server(authorize=StaticTokens("right")) as server:
        actions = plan(simple_call(drops=[0.1]), {TX: bytes(8000)})
        report = play(server.url, actions, init_message(authentication_token="wrong"), rate=100)
    assert report.exit_code == 2
    assert [refused[:23] for refused in report.refused] == [
        "TX: ERROR: unauthorized",
        "RX: ERROR: unauthorized",
    ]
    assert report.frames == 0


def test_a_call_goes_on_with_the_side_that_is_accepted():
    def authorize(init, _request):
        return init.stream_perspective is RX

    with Server(authorize=authorize) as server:
        steps = [Step(do=Do.OPEN), Step(do=Do.SILENCE, seconds=0.1), Step(do=Do.END)]
        report = play(server.url, plan(steps, {}), init_message(), rate=math.inf)
    assert (report.exit_code, len(report.refused), report.frames) == (2, 1, 5)


def test_an_endpoint_that_cannot_be_reached_is_told_at_once():
    with Server(authorize=allow_all) as server:
        url = server.url
    began = time.monotonic()
    report = play(url, plan(simple_call(), {TX: bytes(100 * 8000)}), init_message())
    assert (report.exit_code, len(report.unreachable)) == (5, 2)
    assert time.monotonic() - began < 50


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


def test_an_endpoint_that_closes_before_or_between_what_it_is_told_is_told():
    def closes_at_once(websocket):
        websocket.close(1013)

    def closes_on_a_text(websocket):
        websocket.recv()
        websocket.send(CONNECTED)
        websocket.recv()
        websocket.close(1008)

    script = [Step(do=Do.OPEN, perspectives=(TX,)), Step(do=Do.GARBAGE, what="text"),
              Step(do=Do.EXPECT, what="CLOSE", seconds=5), Step(do=Do.GARBAGE, what="text"),
              Step(do=Do.SILENCE, seconds=0.02)]  # fmt: skip
    with endpoint(closes_at_once) as url:
        report = play(url, plan(script, {}), init_message())
    assert report.refused == ["TX: closed with 1013 instead of an answer"]
    with endpoint(closes_on_a_text) as url:
        report = play(url, plan(script, {}), init_message())
    assert report.unmet == ["TX: the endpoint closed the stream, with 1008"]


def test_a_player_that_is_stopped_leaves_no_socket_open():
    """As by Ctrl-C, or by an error in the callback."""
    ended = Log()

    def stop(action):
        if action.perspective is RX:
            raise KeyboardInterrupt

    with Server(authorize=allow_all, on_end=ended) as server:
        with pytest.raises(KeyboardInterrupt):
            play(server.url, plan(simple_call(), {TX: bytes(160)}), init_message(), on_action=stop)
        ended.wait(lambda items: len(items) == 2)


def test_the_track_of_a_side_is_what_was_sent_at_its_place():
    audio = {TX: random.Random(1).randbytes(3 * 8000)}
    with Server(authorize=allow_all) as server:
        steps = simple_call(holds=[(1, 2)], perspectives=[TX])
        report = play(server.url, plan(steps, audio), init_message(), rate=math.inf)
    assert report.track(TX) == audio[TX][:8000] + b"\xff" * 8000 + audio[TX][8000:]
    assert report.track(RX) == b""


# --- in step with a server ---------------------------------------------------------------------


def in_step(steps, audio, clock, **options):
    """Play a call as fast as possible in step with a server; return the report and what was told."""
    events = []

    def on_call(event):
        events.append(event)
        clock.on_call(event)

    with Server(
        authorize=allow_all,
        on_audio=clock.on_audio,
        on_call=on_call,
        clock=clock.now,
        place_audio=True,
        **options,
    ) as server:
        return play(server.url, plan(steps, audio), init_message(), rate=math.inf, lockstep=clock), events


@pytest.mark.parametrize("inline", [False, True])
def test_in_step_everything_has_its_exact_time_however_fast_the_call_is(inline):
    audio = {side: speech(side, 3) for side in (TX, RX)}
    report, events = in_step(simple_call(holds=[(1, 600)], drops=[601]), audio, Lockstep(), inline=inline)
    assert report.ok
    assert [event.at for event in events if isinstance(event, StreamAttached)] == [0, 0, 600, 600, 601, 601]
    assert [event.at for event in events if isinstance(event, StreamDetached)][:4] == [1, 1, 601, 601]
    assert [event.gap for event in events if isinstance(event, CallResumed)] == [599, 0]
    recorded = {TX: bytearray(), RX: bytearray()}
    for event in events:
        if isinstance(event, AudioPlaced):
            assert event.position >= len(recorded[event.perspective])
            recorded[event.perspective] = (
                recorded[event.perspective].ljust(event.position, b"\xff") + event.payload
            )
    assert all(recorded[side] == report.track(side) for side in (TX, RX))


def test_the_clock_stands_still_until_the_server_has_taken_in_what_was_sent():
    seen = Log()
    clock = Lockstep()

    def slow(stream, ulaw, position):
        seen((position / 8000, clock.now()))
        clock.on_audio(stream, ulaw, position)

    with Server(authorize=allow_all, on_audio=slow, on_call=clock.on_call, clock=clock.now) as server:
        actions = plan(simple_call(perspectives=[TX]), {TX: bytes(1600)})
        assert play(server.url, actions, init_message(), rate=math.inf, lockstep=clock).ok
    assert seen.items == [(number / 50, number / 50) for number in range(10)]


def test_a_server_that_does_not_take_in_what_was_sent_is_told_and_the_call_ends():
    clock = Lockstep(patience=0.05)
    clock.on_audio = lambda *_: None
    report, _ = in_step(simple_call(), {TX: bytes(1600)}, clock)
    assert report.unmet == ["the server did not take in what was sent"]
    assert report.frames == 1
