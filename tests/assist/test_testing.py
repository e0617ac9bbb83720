"""The helpers for the tests of others."""

import json

import pytest

from cxone_assist import AssistConnection, LocalProtocolError, StaticTokens, StreamRequested, mulaw
from cxone_assist.testing import audio_frames, connected_pair, init_message, init_text, negotiated_init, tone


@pytest.mark.parametrize("init", [init_message(), negotiated_init()])
def test_the_initialize_messages_are_read_back_as_they_were(init):
    event = AssistConnection().receive(init.to_json())
    assert isinstance(event, StreamRequested)
    assert event.init == init


def test_an_initialize_text_takes_odd_values_as_they_are():
    document = json.loads(init_text(streamPerspective=0, appParams="{\r\n}", new=[1]))
    assert (document["streamPerspective"], document["appParams"], document["new"]) == (0, "{\r\n}", [1])
    assert document["executionInfo"]["contactId"] == 506314056968


def test_a_pair_is_connected_with_the_right_token_only():
    connected_pair(init_message(authentication_token="a"), authenticate=StaticTokens("a"))
    with pytest.raises(LocalProtocolError):
        connected_pair(init_message(authentication_token="b"), authenticate=StaticTokens("a"))


def test_a_tone_has_the_length_pitch_and_level_that_are_asked_for():
    ulaw = tone(0.5, frequency=1000)
    assert mulaw.duration(ulaw) == 0.5
    assert ulaw[:8] * 500 == ulaw
    assert 15500 < mulaw.peak(ulaw) < 16500


def test_frames_put_together_are_the_audio():
    ulaw = tone(0.05)
    frames = list(audio_frames(ulaw))
    assert [len(frame) for frame in frames] == [160, 160, 80]
    assert b"".join(frames) == ulaw
    assert [len(frame) for frame in audio_frames(ulaw, size=400)] == [400]
