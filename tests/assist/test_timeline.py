"""Where audio is placed: by the sample clock, whatever the network does to it."""

import random

import pytest
from support.assist_line import Side, judge

from cxone_assist import StreamPerspective
from cxone_assist._timeline import CallClock, Placement, StreamClock
from cxone_assist.call_events import AudioLost, StreamRecovered, StreamStalled
from cxone_assist.calls import CallAssembler

TX, RX = StreamPerspective.TX, StreamPerspective.RX
WORST = 5.0  # milliseconds


def heard(*sides):
    return judge(CallAssembler(place_audio=True), *sides)


def tx(**options):
    return Side(TX, seed=1, **options)


def rx(**options):
    return Side(RX, seed=2, **options)


def lost(verdict, perspective=TX):
    return [
        event.samples
        for event in verdict.events
        if isinstance(event, AudioLost) and event.perspective is perspective
    ]


# --- a whole call ------------------------------------------------------------------------------


def test_the_side_that_opens_later_lies_where_it_was_said():
    verdict = heard(tx().talk(0, 30), rx().talk(0.7, 30))
    assert verdict.misalignment() < 1
    assert verdict.placed()


@pytest.mark.parametrize("seconds", [0.1, 0.8, 1.9, 6.0, 9.0])
def test_a_stall_inserts_nothing(seconds):
    verdict = heard(tx().talk(0, 60).stall(5, seconds).stall(30, seconds), rx().talk(0, 60))
    assert lost(verdict) == []
    assert verdict.misalignment() < 1
    assert abs(verdict.samples - 60 * 8000) <= 8


@pytest.mark.parametrize("packets", [1, 2, 5, 25, 100])
def test_a_loss_is_filled_with_as_much_as_was_lost(packets):
    verdict = heard(tx().talk(0, 60).lose(5, packets).lose(30, packets), rx().talk(0, 60))
    assert lost(verdict) == [packets * 160] * 2
    assert verdict.misalignment() < 1
    assert abs(verdict.samples - 60 * 8000) <= 8


def test_losses_that_follow_each_other_closely_are_told_apart():
    verdict = heard(tx().talk(0, 30).lose(5).lose(5.5).lose(6.2, 3), rx().talk(0, 30))
    assert lost(verdict) == [160, 160, 480]
    assert verdict.misalignment() < 1


def test_a_loss_before_the_stream_has_a_place_is_filled_too():
    verdict = heard(tx().talk(0, 30).lose(0.6, 5), rx().talk(0, 30))
    assert lost(verdict) == [800]
    assert verdict.misalignment() < 1


def test_a_loss_right_before_the_end_is_filled():
    verdict = heard(tx().talk(0, 30).lose(29, 5), rx().talk(0, 30))
    assert lost(verdict) == [800]
    assert verdict.misalignment() < 1


def test_a_loss_within_a_stall_is_found_though_not_where_it_was():
    verdict = heard(tx().talk(0, 30).stall(10, 1.0).lose(10.5, 5), rx().talk(0, 30))
    assert lost(verdict) == [800]
    assert max(abs(error) for packet, error in verdict.errors[TX].items() if packet > 550) <= 8


def test_a_single_late_packet_before_a_loss_is_jitter():
    clock = StreamClock(CallClock(), earliest=0)
    placements = feed(clock, [0.0] * 150 + [0.015] + [0.1] * 150)
    assert [(place.start, place.position, place.lost) for place in placements] == [
        (0, 0, 0),
        (151 * 160, 151 * 160 + 800, 800),
    ]


def test_a_stream_that_opens_with_a_burst_lies_where_it_was_said():
    verdict = heard(tx().talk(0, 20).stall(0, 1.5), rx().talk(0, 20))
    assert verdict.misalignment() < 1


def test_clocks_that_differ_are_followed_and_no_audio_is_moved():
    for skew in (100e-6, -100e-6):
        contact = tx(skew=skew).talk(0, 1200)
        agent = rx(skew=skew).talk(0, 600).talk(1000, 1200)  # joins again when the clocks are 0.1 s apart
        verdict = heard(contact, agent)
        assert lost(verdict) == []
        assert verdict.misalignment() < WORST
        assert set(verdict.errors[TX].values()) <= set(range(-8, 9))


def test_an_hour_with_stalls_losses_and_two_holds_stays_aligned():
    contact = tx().talk(0.0, 300).talk(420, 900).hush(600, 660)
    agent = rx().talk(0.7, 300).talk(420.3, 900).hush(600, 660)
    chance = random.Random(3)
    for start in range(5, 890, 20):
        for side in (contact, agent):
            side.stall(start + chance.uniform(0, 0.5), chance.uniform(0.1, 3.0))
            side.lose(start + chance.uniform(6, 14), chance.randint(1, 10))
    verdict = heard(contact, agent)
    assert verdict.misalignment() < WORST
    assert abs(verdict.samples / 8000 - 900) < 0.001
    assert verdict.placed()
    assert {StreamStalled, StreamRecovered, AudioLost} <= {type(event) for event in verdict.events}


# --- one stream --------------------------------------------------------------------------------


def feed(clock, delays, samples=160):
    """Send frames, each late by so many seconds; return where they were placed."""
    placements = []
    for delay in delays:
        end = clock.received + samples
        placements += clock.audio(samples, end / 8000 + delay)
    return placements


def test_nothing_is_placed_before_the_least_delay_is_known():
    clock = StreamClock(CallClock(), earliest=0)
    assert feed(clock, [0.05] * 100) == []
    assert clock.placed == 0
    assert feed(clock, [0.05] * 2) == [Placement(0, clock.placed, 0, 0)]
    assert feed(clock, [0.05] * 100) == []
    assert clock.placed == clock.received


def test_a_stream_can_be_placed_before_that():
    clock = StreamClock(CallClock(), earliest=0)
    assert list(clock.begin()) == []
    feed(clock, [0.05])
    assert list(clock.begin()) == [Placement(0, 160, 0, 0)]
    assert list(clock.begin()) == []
    assert list(clock.finish()) == []


def test_a_delay_that_keeps_falling_is_believed_after_ten_seconds():
    clock = StreamClock(CallClock(), earliest=0)
    placements = feed(clock, [30 - 0.01 * index for index in range(1100)])
    assert placements[0].start == 0
    assert 980 * 160 <= placements[0].samples <= 1020 * 160


def test_audio_that_comes_faster_than_real_time_lies_without_gaps():
    clock = StreamClock(CallClock(), earliest=0)
    placements = []
    for index in range(5000):
        placements += clock.audio(160, index * 1e-4)
    placements += clock.finish()
    assert placements == [Placement(0, 30 * 8000, 0, 0)]
    assert clock.placed == 5000 * 160


def test_the_audio_and_the_frames_that_wait_are_bounded():
    clock = StreamClock(CallClock(), earliest=0)
    feed(clock, [0.0] * 200)
    for _ in range(10000):  # all at one moment, and far too late
        clock.audio(160, 1000.0)
        assert clock.received - clock.placed <= 30 * 8000
    for _ in range(10000):
        clock.audio(1, 1000.0)
        assert len(clock._late) <= 1536


def test_a_longer_way_is_no_loss():
    clock = StreamClock(CallClock(), earliest=0)
    feed(clock, [0.0] * 200 + [0.029] * 200)  # not a whole number of packets
    assert (clock.offset, clock.placed) == (0, clock.received)
    feed(clock, [0.049] * 200)  # one packet more
    assert clock.offset == 160


def test_a_loss_of_no_whole_packets_is_filled_where_it_is_long():
    clock = StreamClock(CallClock(), earliest=0)
    placements = feed(clock, [0.0] * 200 + [0.070] * 200)
    assert placements[-1].lost == 560
    assert clock.offset == 560


def test_packets_too_short_to_count_in_are_not_counted_in():
    clock = StreamClock(CallClock(), earliest=0)
    feed(clock, [0.0] * 500, samples=40)
    feed(clock, [0.020] * 1000, samples=40)
    assert clock.offset == 0


def test_what_was_placed_too_late_is_made_up_for_by_the_next_loss():
    clock = StreamClock(CallClock(), earliest=0)
    feed(clock, [0.5] * 200)
    feed(clock, [0.0] * 300)  # the first two seconds were late themselves
    assert clock.offset == 0
    feed(clock, [1.0] * 300)
    assert clock.offset == 4000
    feed(clock, [0.0] * 50 + [0.5] * 300)
    assert clock.offset == 4000
    feed(clock, [1.5] * 300)
    assert clock.offset == 8000


def test_a_stream_starts_behind_the_audio_that_its_side_has():
    call = CallClock()
    first = StreamClock(call, earliest=0)
    feed(first, [0.0] * 200)
    second = StreamClock(call, earliest=24000)
    assert feed(second, [0.0] * 102)[0].position == 24000
    feed(second, [4.0] * 200)
    assert second.offset == 32000  # which makes up for it


def test_a_call_begins_with_the_stream_that_was_first_to_speak():
    call = CallClock()
    late, early = StreamClock(call, earliest=0), StreamClock(call, earliest=0)
    feed(early, [0.2] * 50)
    assert feed(late, [0.5] * 102)[0].position == 2400
    assert feed(early, [0.2] * 52)[0].position == 0
