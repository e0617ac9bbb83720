"""How streams become calls. H24 to H33 are the streaming cases that are about calls."""

import gc
import random
import tracemalloc

import pytest

from cxone_assist import LocalProtocolError, StreamPerspective
from cxone_assist.call_events import (
    AudioLost,
    AudioPlaced,
    Call,
    CallEnded,
    CallEndReason,
    CallRefused,
    CallResumed,
    CallStarted,
    CallSuspended,
    PeerMissing,
    Refusal,
    Signal,
    SignalReceived,
    StreamAttached,
    StreamDetached,
    StreamRecovered,
    StreamStalled,
    StreamSuperseded,
)
from cxone_assist.calls import CallAssembler
from cxone_assist.messages import ActionExecutionInfo, WebSocketHookInitializeMessage
from cxone_assist.testing import init_message

TX, RX, MIX = StreamPerspective.TX, StreamPerspective.RX, StreamPerspective.MIX
BUS, CONTACT = 4602609, 506314056968
FRAME = bytes(range(160))


class Platform:
    """Plays CXone to an assembler: exact packets, and every deadline kept."""

    def __init__(self, **options):
        self.assembler = CallAssembler(**options)
        self.events = []
        self.sent = {}

    def take(self, events):
        self.events += events
        return list(events)

    def advance(self, now):
        """Let time pass until ``now``."""
        while (deadline := self.assembler.next_deadline()) is not None and deadline <= now:
            self.take(self.assembler.tick(deadline))

    def open(self, stream_id, perspective=TX, now=0.0, **ids):
        self.advance(now)
        return self.take(
            self.assembler.stream_started(stream_id, init_message(stream_perspective=perspective, **ids), now)
        )

    def talk(self, start, end, *stream_ids, frame=FRAME):
        """Send 20 ms packets on some streams for some time; return what that told."""
        before = len(self.events)
        for index in range(1, round((end - start) * 50) + 1):
            now = start + index * 0.02
            self.advance(now)
            for stream_id in stream_ids:
                self.sent[stream_id] = self.sent.get(stream_id, 0) + len(frame)
                self.take(self.assembler.audio(stream_id, frame, now))
        return self.events[before:]

    def close(self, stream_id, now):
        self.advance(now)
        return self.take(self.assembler.stream_closed(stream_id, now))

    def signal(self, signal, now, bus_no=BUS, contact_id=CONTACT):
        self.advance(now)
        return self.take(self.assembler.signal(bus_no, contact_id, signal, now))

    def of(self, *kinds):
        return [event for event in self.events if isinstance(event, kinds)]

    def placed(self, perspective):
        """Return what lies where on one side: (position, samples), joined where it is adjacent."""
        spans = []
        for event in self.of(AudioPlaced):
            if event.perspective is perspective:
                if spans and sum(spans[-1]) == event.position:
                    spans[-1] = (spans[-1][0], spans[-1][1] + len(event.payload))
                else:
                    spans.append((event.position, len(event.payload)))
        return spans


def kinds(events):
    return [type(event) for event in events]


def both(**options):
    """Return a platform with a call that has both streams open."""
    platform = Platform(place_audio=True, **options)
    platform.open("tx", TX)
    platform.open("rx", RX)
    return platform


# --- a call ------------------------------------------------------------------------------------


def test_a_call_starts_with_its_first_stream_and_has_both():
    platform = Platform()
    call = Call(number=1, bus_no=BUS, contact_id=CONTACT)
    assert platform.open("a", RX, 1.0) == [
        CallStarted(call=call, at=1.0, init=init_message(stream_perspective=RX)),
        StreamAttached(call=call, at=1.0, stream_id="a", perspective=RX),
    ]
    assert platform.open("b", TX, 2.0) == [StreamAttached(call=call, at=2.0, stream_id="b", perspective=TX)]
    assert (platform.assembler.calls, platform.assembler.streams) == (1, 2)


def test_audio_in_the_normal_case_tells_nothing_and_is_not_kept():
    platform = Platform()
    platform.open("a")
    assert platform.talk(0, 29, "a") == []
    assert platform.close("a", 29.0)[0] == StreamDetached(
        call=Call(number=1, bus_no=BUS, contact_id=CONTACT),
        at=29.0,
        stream_id="a",
        perspective=TX,
        samples=232000,
        lost=0,
    )


def test_placed_audio_is_what_came_in_order():
    platform = Platform(place_audio=True)
    platform.open("a")
    for number in range(500):
        platform.take(platform.assembler.audio("a", bytes([number % 256]) * 160, number * 0.02 + 0.02))
    platform.close("a", 10.0)
    assert b"".join(event.payload for event in platform.of(AudioPlaced)) == b"".join(
        bytes([number % 256]) * 160 for number in range(500)
    )
    assert platform.placed(TX) == [(0, 80000)]
    first = platform.of(AudioPlaced)[0]
    assert repr(first).endswith(f"payload=<{len(first.payload)} bytes>)")


def test_many_calls_that_begin_at_once_are_not_handed_over_all_at_once():
    assembler = CallAssembler(place_audio=True)
    for contact in range(50):
        assembler.stream_started(contact, init_message(contact_id=contact), 0.0)
    handed_over = []
    for number in range(300):
        now = number * 0.02 + 0.02
        events = [event for contact in range(50) for event in assembler.audio(contact, FRAME, now)]
        placed = [len(event.payload) for event in events if isinstance(event, AudioPlaced)]
        handed_over.append(len(placed))
        assert max(placed, default=0) <= (24320 if now < 4 else 8160)
    assert sum(handed_over[150:250]) == 50 * 2  # each once a second
    assert max(handed_over) <= 4  # of 50, in 20 ms


def test_an_empty_frame_is_nothing():
    platform = both()
    assert platform.assembler.audio("tx", b"", 1.0) == ()


def test_an_id_that_is_in_use_is_our_callers_error():
    platform = Platform()
    platform.open("a")
    with pytest.raises(LocalProtocolError, match="'a' is open already"):
        platform.open("a", RX)


def test_unknown_streams_are_ignored():
    assembler = CallAssembler()
    assert assembler.audio("a", FRAME, 0.0) == ()
    assert assembler.stream_closed("a", 0.0) == ()
    assert assembler.next_deadline() is None


@pytest.mark.parametrize("option", ["resume_window", "pair_grace", "stall_after", "max_calls"])
@pytest.mark.parametrize("number", [-1, 0])
def test_numbers_that_cannot_be_meant_are_refused(option, number):
    with pytest.raises(ValueError, match=option):
        CallAssembler(**{option: number})


# --- hold --------------------------------------------------------------------------------------


def test_h24_a_hold_that_closes_the_sockets_is_one_call_with_a_gap():
    platform = both()
    platform.talk(0, 10, "tx", "rx")
    assert kinds(platform.close("tx", 10.0)) == [AudioPlaced, StreamDetached]
    suspended = platform.close("rx", 10.0)[-1]
    assert (suspended.streams_open, suspended.held) == (False, False)
    resumed = platform.open("tx2", TX, 25.0)
    assert kinds(resumed) == [StreamAttached, CallResumed]
    assert resumed[1].gap == 15.0
    assert kinds(platform.open("rx2", RX, 25.0)) == [StreamAttached]
    platform.talk(25, 30, "tx2", "rx2")
    platform.close("tx2", 30.0)
    platform.close("rx2", 30.0)
    platform.advance(10000)
    assert platform.placed(TX) == platform.placed(RX) == [(0, 80000), (200000, 40000)]
    assert platform.of(CallEnded) == [
        CallEnded(
            call=Call(number=1, bus_no=BUS, contact_id=CONTACT),
            at=930.0,
            reason=CallEndReason.NOT_RESUMED,
            samples=240000,
        )
    ]
    assert platform.of(PeerMissing, AudioLost) == []


def test_h25_a_hold_that_keeps_the_sockets_silent_suspends_and_closes_nothing():
    platform = both()
    platform.talk(0, 10, "tx", "rx")
    platform.advance(3600 * 10)
    assert kinds(platform.of(StreamStalled, CallSuspended)) == [StreamStalled, StreamStalled, CallSuspended]
    assert platform.of(CallSuspended)[0].streams_open
    assert platform.of(StreamDetached, CallEnded) == []
    assert platform.assembler.next_deadline() is None  # a silent call costs nothing
    platform.talk(36000, 36005, "tx", "rx")
    platform.advance(36010.0)
    assert len(platform.of(StreamStalled)) == 4
    platform.close("tx", 36010.0)
    platform.close("rx", 36010.0)
    assert kinds(platform.of(StreamRecovered, CallResumed)) == [StreamRecovered, CallResumed, StreamRecovered]
    assert platform.of(CallResumed)[0].gap == pytest.approx(35990.02)
    assert platform.placed(TX) == platform.placed(RX) == [(0, 80000), (36000 * 8000, 40000)]
    assert [(event.position, event.samples) for event in platform.of(AudioLost)] == [
        (80000, 35990 * 8000)
    ] * 2


def test_the_audio_before_a_silence_is_handed_over_when_it_begins():
    platform = both()
    platform.talk(0, 0.5, "tx", "rx")
    platform.advance(3.0)
    assert platform.placed(TX) == platform.placed(RX) == [(0, 4000)]


def test_a_silent_call_that_loses_its_sockets_is_kept_for_the_whole_window_from_then():
    platform = both()
    platform.talk(0, 10, "tx", "rx")
    platform.close("tx", 500.0)
    platform.close("rx", 500.0)
    assert len(platform.of(CallSuspended)) == 1
    platform.advance(1399.9)
    assert platform.of(CallEnded) == []
    platform.advance(1400.0)
    assert len(platform.of(CallEnded)) == 1


def test_a_call_whose_one_flowing_stream_closes_is_suspended():
    platform = both()
    platform.talk(0, 10, "tx", "rx")
    platform.talk(10, 20, "tx")
    assert platform.of(CallSuspended) == []
    assert kinds(platform.close("tx", 20.0))[-1] is CallSuspended


def test_h26_the_sides_open_in_either_order_and_up_to_30_seconds_apart():
    for first, second in ((TX, RX), (RX, TX)):
        for apart in (0.0, 0.3, 5.0, 30.0):
            platform = Platform(place_audio=True, pair_grace=31.0)
            platform.open("first", first)
            platform.talk(0, apart, "first")
            platform.open("second", second, apart)
            platform.talk(apart, apart + 5, "first", "second")
            platform.close("first", apart + 5)
            platform.close("second", apart + 5)
            assert platform.placed(first) == [(0, round((apart + 5) * 8000))]
            assert platform.placed(second) == [(round(apart * 8000), 40000)]
            assert platform.of(PeerMissing) == []


@pytest.mark.parametrize(
    ("perspective", "missing"), [(TX, [RX]), (RX, [TX]), (MIX, []), ("NEW", []), (None, [])]
)
def test_h26_the_side_that_never_comes_is_reported_once(perspective, missing):
    platform = Platform()
    platform.open("a", perspective)
    platform.talk(0, 40, "a")
    platform.close("a", 40.0)
    platform.open("b", perspective, 50.0)
    platform.talk(50, 100, "b")
    assert [event.perspective for event in platform.of(PeerMissing)] == missing
    assert [event.at for event in platform.of(PeerMissing)] == [30.0] * len(missing)


def test_without_a_grace_no_side_is_missed():
    platform = Platform(pair_grace=None)
    platform.open("a")
    platform.talk(0, 100, "a")
    assert platform.of(PeerMissing) == []


def test_h27_one_perspective_resumes_and_the_other_is_missed():
    platform = both()
    platform.talk(0, 5, "tx", "rx")
    platform.close("tx", 5.0)
    platform.close("rx", 5.0)
    platform.open("tx2", TX, 10.0)
    platform.talk(10, 45, "tx2")
    assert [(event.perspective, event.at) for event in platform.of(PeerMissing)] == [(RX, 40.0)]


def test_a_side_that_drops_and_comes_back_is_not_missed():
    platform = both()
    platform.talk(0, 5, "tx", "rx")
    platform.close("rx", 5.0)
    platform.talk(5, 6, "tx")
    platform.open("rx2", RX, 6.0)
    platform.talk(6, 50, "tx", "rx2")
    assert platform.of(PeerMissing, CallSuspended) == []
    platform.close("rx2", 50.0)
    assert platform.placed(RX) == [(0, 40000), (48000, 352000)]


def test_a_side_that_drops_and_stays_away_is_missed():
    platform = both()
    platform.talk(0, 5, "tx", "rx")
    platform.close("rx", 5.0)
    platform.talk(5, 40, "tx")
    assert [(event.perspective, event.at) for event in platform.of(PeerMissing)] == [(RX, 35.0)]


def test_h28_a_newer_stream_of_a_perspective_replaces_the_older_whose_late_frames_are_dropped():
    platform = both()
    platform.talk(0, 5, "tx", "rx")
    events = platform.open("tx2", TX, 5.0)
    assert kinds(events) == [StreamSuperseded, AudioPlaced, StreamDetached, StreamAttached]
    assert (events[0].stream_id, events[0].by) == ("tx", "tx2")
    assert platform.talk(5, 5.1, "tx") == []
    platform.talk(5, 10, "tx2", "rx")
    assert platform.close("tx", 10.0) == []
    platform.close("tx2", 10.0)
    assert platform.placed(TX) == [(0, 80000)]
    assert platform.of(CallSuspended, CallResumed) == []


def test_audio_of_a_newer_stream_never_covers_that_of_the_older():
    platform = both()
    platform.talk(0, 5, "tx", "rx")
    platform.open("tx2", TX, 4.0)  # it claims audio from before the other's end
    platform.talk(4, 9, "tx2")
    platform.close("tx2", 9.0)
    assert platform.placed(TX) == [(0, 80000)]


def test_h29_one_contact_in_two_business_units_is_two_calls():
    platform = Platform()
    platform.open("a", TX, bus_no=1)
    platform.open("b", TX, bus_no=2)
    assert [event.call.bus_no for event in platform.of(CallStarted)] == [1, 2]


def test_h29_the_same_contact_after_the_end_is_a_new_call_that_continues_the_old():
    platform = Platform()
    platform.open("a")
    platform.talk(0, 1, "a")
    platform.close("a", 1.0)
    started = platform.open("b", TX, 5000.0)[0]
    assert (started.call.number, started.continues) == (2, Call(number=1, bus_no=BUS, contact_id=CONTACT))


def test_h30_two_holds_are_one_call():
    platform = Platform(place_audio=True)
    for number in range(3):
        platform.open(number, TX, 20.0 * number)
        platform.talk(20 * number, 20 * number + 10, number)
        platform.close(number, 20.0 * number + 10)
    assert platform.placed(TX) == [(0, 80000), (160000, 80000), (320000, 80000)]
    assert len(platform.of(CallStarted)) == 1
    assert len(platform.of(CallResumed)) == 2


def test_h30_a_hundred_holds_leak_nothing():
    platform = Platform(place_audio=True)

    def hold(number):
        platform.open("tx", TX, 4.0 * number)
        platform.open("rx", RX, 4.0 * number)
        platform.talk(4 * number, 4 * number + 2, "tx", "rx")
        platform.close("tx", 4.0 * number + 2)
        platform.close("rx", 4.0 * number + 2)
        platform.events.clear()

    for number in range(10):
        hold(number)
    gc.collect()
    tracemalloc.start()
    for number in range(10, 110):
        hold(number)
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 20000
    assert (platform.assembler.calls, platform.assembler.streams) == (1, 0)


def test_h31_a_storm_of_reconnecting_streams_joins_the_calls_they_belong_to():
    platform = Platform()
    for contact in range(1000):
        platform.open((contact, TX), TX, contact_id=contact)
        platform.open((contact, RX), RX, contact_id=contact)
    platform.talk(0, 0.1, *((contact, TX) for contact in range(1000)))
    for contact in range(0, 1000, 3):
        platform.close((contact, TX), 1.0)
    platform.events.clear()
    for contact in range(0, 1000, 3):
        assert kinds(platform.open((contact, "new"), TX, 1.5, contact_id=contact)) == [StreamAttached]
    assert (platform.assembler.calls, platform.assembler.streams) == (1000, 2000)


def test_h32_a_draining_assembler_takes_streams_of_known_calls_only():
    platform = Platform()
    platform.open("tx", TX)
    platform.talk(0, 1, "tx")
    platform.assembler.drain()
    assert platform.assembler.refusal(init_message(contact_id=2)) is Refusal.DRAINING
    assert platform.open("new", TX, 1.0, contact_id=2) == [
        CallRefused(at=1.0, stream_id="new", bus_no=BUS, contact_id=2, reason=Refusal.DRAINING)
    ]
    assert platform.assembler.refusal(init_message()) is None
    assert kinds(platform.open("rx", RX, 1.0)) == [StreamAttached]
    platform.close("tx", 2.0)
    platform.close("rx", 2.0)
    assert kinds(platform.open("tx2", TX, 10.0)) == [StreamAttached, CallResumed]
    ended = platform.take(platform.assembler.close(11.0))
    assert kinds(ended) == [StreamDetached, CallEnded]
    assert ended[1].reason is CallEndReason.DRAINED
    assert (platform.assembler.calls, platform.assembler.next_deadline()) == (0, None)


def test_h33_thousands_of_idle_calls_cost_the_active_ones_nothing():
    platform = Platform()
    for contact in range(2000):
        platform.open(contact, MIX, contact_id=contact)
    platform.advance(10.0)
    assert platform.assembler.next_deadline() is None
    platform.open("busy", MIX, 10.0, contact_id=5000)
    ticks = 0
    for index in range(1, 501):
        now = 10 + index * 0.02
        while (deadline := platform.assembler.next_deadline()) is not None and deadline <= now:
            ticks += 1
            assert platform.assembler.tick(deadline) == []
        platform.assembler.audio("busy", FRAME, now)
    assert ticks <= 5  # one every other second


# --- how a call ends ---------------------------------------------------------------------------


def test_a_call_that_never_had_audio_is_dropped_soon():
    platform = Platform()
    platform.open("probe")
    platform.close("probe", 0.1)
    platform.advance(30.2)
    assert platform.of(CallEnded)[0].reason is CallEndReason.NO_AUDIO
    assert platform.of(CallEnded)[0].samples == 0


def test_a_call_without_ids_stands_alone_and_ends_with_its_stream():
    platform = Platform()
    init = WebSocketHookInitializeMessage(
        execution_info=ActionExecutionInfo(contact_id=5), stream_perspective=TX
    )
    for stream_id in ("a", "b"):
        assert kinds(platform.take(platform.assembler.stream_started(stream_id, init, 0.0))) == [
            CallStarted,
            StreamAttached,
        ]
    assert platform.assembler.calls == 2
    assert platform.close("a", 1.0)[-1].reason is CallEndReason.NOT_RESUMED
    assert platform.signal(Signal.END, 1.0, None, 5) == []
    assert platform.signal(Signal.END, 1.0, 5, None) == []
    assert kinds(platform.take(platform.assembler.stream_started("c", init, 2.0)))[0] is CallStarted
    assert platform.events[-2].continues is None


def test_the_call_without_a_stream_for_longest_makes_room():
    platform = Platform(max_calls=2)
    platform.open("a", TX, 0.0, contact_id=1)
    platform.open("b", TX, 0.0, contact_id=2)
    assert platform.assembler.refusal(init_message(contact_id=3)) is Refusal.TOO_MANY_CALLS
    assert kinds(platform.open("c", TX, 0.0, contact_id=3)) == [CallRefused]
    platform.close("b", 1.0)
    platform.close("a", 1.5)
    events = platform.open("c", TX, 2.0, contact_id=3)
    assert kinds(events) == [CallEnded, CallStarted, StreamAttached]
    assert (events[0].call.contact_id, events[0].reason) == (2, CallEndReason.EVICTED)
    assert platform.assembler.calls == 2


def test_a_call_that_came_back_makes_no_room():
    platform = Platform(max_calls=1)
    platform.open("a")
    platform.close("a", 1.0)
    platform.open("b", TX, 2.0)
    assert kinds(platform.open("c", TX, 3.0, contact_id=2)) == [CallRefused]


def test_a_last_stream_without_audio_does_not_shorten_the_call():
    platform = both()
    platform.talk(0, 5, "tx", "rx")
    platform.close("tx", 5.0)
    platform.close("rx", 5.0)
    for perspective in (TX, RX):
        platform.open(perspective, perspective, 6.0)
        platform.close(perspective, 6.5)
    assert platform.signal(Signal.END, 7.0)[-1].samples == 40000


def test_ended_calls_are_forgotten_in_the_end():
    platform = Platform(max_calls=2)
    for contact in (1, 2, 3):
        platform.open(contact, TX, 0.0, contact_id=contact)
        platform.close(contact, 0.0)
        platform.signal(Signal.END, 0.0, contact_id=contact)
    started = [platform.open(n, TX, 1.0, contact_id=contact)[0] for n, contact in enumerate((3, 1))]
    assert [event.continues and event.continues.contact_id for event in started] == [3, None]


def test_a_call_has_four_perspectives_at_most():
    platform = Platform()
    for perspective in (TX, MIX, "A"):
        platform.open(perspective, perspective)
    assert platform.assembler.refusal(init_message(stream_perspective="B")) is Refusal.TOO_MANY_PERSPECTIVES
    assert platform.open("b", "B")[0].reason is Refusal.TOO_MANY_PERSPECTIVES
    assert kinds(platform.open("rx", RX)) == [StreamAttached]


# --- signals -----------------------------------------------------------------------------------


def test_a_hold_that_is_signalled_before_the_sockets_close_is_known_as_one():
    platform = both()
    platform.talk(0, 5, "tx", "rx")
    assert kinds(platform.signal(Signal.HOLD, 5.0)) == [SignalReceived]
    platform.close("tx", 5.5)
    assert platform.close("rx", 5.5)[-1].held
    platform.signal(Signal.RESUME, 9.0)
    assert platform.of(CallResumed) == []  # a fact, not a stream
    platform.open("tx2", TX, 10.0)
    platform.close("tx2", 11.0)
    assert not platform.of(CallSuspended)[-1].held


def test_a_resume_that_is_not_signalled_ends_a_hold_that_was():
    platform = Platform()
    platform.open("tx")
    platform.signal(Signal.HOLD, 1.0)
    assert platform.close("tx", 1.0)[-1].held
    platform.open("tx2", TX, 2.0)
    assert not platform.close("tx2", 3.0)[-1].held


def test_a_hold_that_is_signalled_after_the_resume_changes_nothing_for_the_streams():
    platform = both()
    platform.talk(0, 5, "tx", "rx")
    platform.close("tx", 5.0)
    platform.close("rx", 5.0)
    platform.open("tx2", TX, 8.0)
    assert kinds(platform.signal(Signal.HOLD, 8.1)) == [SignalReceived]
    platform.talk(8.1, 10, "tx2")
    assert len(platform.of(CallSuspended)) == 1
    platform.signal(Signal.RESUME, 10.0)
    assert not platform.close("tx2", 10.0)[-1].held


def test_an_end_that_is_signalled_after_the_sockets_closed_ends_at_once():
    platform = both()
    platform.close("tx", 5.0)
    platform.close("rx", 5.0)
    assert platform.signal(Signal.END, 6.0)[-1].reason is CallEndReason.SIGNALLED
    assert platform.signal(Signal.END, 6.0) == []


def test_an_end_that_is_signalled_before_the_sockets_close_waits_for_the_last():
    platform = both()
    platform.talk(0, 5, "tx", "rx")
    assert kinds(platform.signal(Signal.END, 5.0)) == [SignalReceived]
    platform.close("tx", 5.1)
    platform.talk(5, 60, "rx")  # it flows, so it is not cut
    assert platform.of(CallEnded) == []
    assert platform.close("rx", 60.0)[-1].reason is CallEndReason.SIGNALLED


def test_an_end_that_is_signalled_ends_a_call_whose_sockets_stay_open_and_silent():
    platform = both()
    platform.talk(0, 5, "tx", "rx")
    platform.signal(Signal.END, 5.0)
    platform.advance(34.9)
    assert platform.of(CallEnded) == []
    platform.advance(35.0)
    assert kinds(platform.events[-3:]) == [StreamDetached, StreamDetached, CallEnded]
    assert platform.close("tx", 36.0) == []


def test_a_new_stream_revokes_an_end():
    platform = both()
    platform.talk(0, 5, "tx")
    platform.signal(Signal.END, 5.0)
    platform.open("mix", MIX, 6.0)
    for stream_id in ("tx", "rx", "mix"):
        platform.close(stream_id, 7.0)
    assert platform.of(CallEnded) == []


def test_a_signal_for_an_unknown_call_is_ignored():
    assert Platform().signal(Signal.HOLD, 0.0) == []


# --- anything at all ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_each_sample_is_placed_once_and_each_call_ends_once(seed):
    chance = random.Random(seed)
    platform = Platform(place_audio=True, max_calls=4, resume_window=20.0, pair_grace=5.0)
    now, sent, opened = 0.0, {}, 0
    for _ in range(3000):
        now += chance.choice((0.0, 0.001, 0.02, 0.02, 0.02, 0.5, 3.0 * chance.random()))
        if chance.random() < 0.5:
            platform.advance(now)
        action = chance.random()
        live = [number for number in range(opened) if number in platform.assembler._streams]
        if action < 0.02:
            perspective = chance.choice((TX, RX, MIX, None, "NEW"))
            platform.open(opened, perspective, now, contact_id=chance.randrange(6))
            opened += 1
        elif action < 0.03 and live:
            platform.close(chance.choice(live), now)
        elif action < 0.035:
            platform.signal(chance.choice(list(Signal)), now, contact_id=chance.randrange(6))
        elif live:
            number = chance.choice(live)
            frame = bytes(chance.choice((0, 1, 159, 160, 160, 160, 800)))
            sent[number] = sent.get(number, 0) + len(frame)
            platform.take(platform.assembler.audio(number, frame, now))
    platform.take(platform.assembler.close(now))
    placed, ends = {}, {}
    for event in platform.of(AudioPlaced):
        placed[event.stream_id] = placed.get(event.stream_id, 0) + len(event.payload)
        side = event.call, event.perspective
        assert event.position >= ends.get(side, 0)
        ends[side] = event.position + len(event.payload)
    assert placed == {number: size for number, size in sent.items() if size}
    started = [event.call for event in platform.of(CallStarted)]
    assert sorted(started, key=hash) == sorted((event.call for event in platform.of(CallEnded)), key=hash)
    for event in platform.of(CallEnded):
        assert event.samples == max((end for side, end in ends.items() if side[0] == event.call), default=0)
    attached = len(platform.of(StreamAttached))
    assert attached == len(platform.of(StreamDetached)) > 0
    assert platform.assembler.next_deadline() is None
