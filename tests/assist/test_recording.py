"""Recordings: what is in the files, and what happens when the disk or the process fails."""

import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.assist_line import Side, play

from cxone_assist import StreamPerspective, _call_files
from cxone_assist.call_events import AudioPlaced, Call, CallRefused, CallStarted, Refusal
from cxone_assist.calls import CallAssembler
from cxone_assist.messages import WebSocketHookInitializeMessage
from cxone_assist.recording import Layout, Recorder
from cxone_assist.testing import init_message
from cxone_assist.wav import Encoding, read_wav

TX, RX, MIX = StreamPerspective.TX, StreamPerspective.RX, StreamPerspective.MIX
NAME = "4602609-506314056968-20260131T235959Z"
STARTED = 1769903999.25


def recorder(directory, **options):
    return Recorder(directory, clock=lambda: STARTED, **options)


def record(directory, events, **options):
    made = recorder(directory, **options)
    with made:
        for event in events:
            made.handle(event)
    return made.stats


def call(*perspectives, seconds=3, **ids):
    """Return the events of a call whose sides say different bytes."""
    assembler = CallAssembler(place_audio=True)
    events = []
    for perspective in perspectives:
        init = init_message(stream_perspective=perspective, authentication_token="s3cret", **ids)
        events += assembler.stream_started(perspective, init, 100.0)
    for index in range(1, seconds * 50 + 1):
        for number, perspective in enumerate(perspectives):
            events += assembler.audio(perspective, bytes([0x80 + number]) * 160, 100 + index * 0.02)
    return [*events, *assembler.close(100.0 + seconds)]


def files(directory):
    return sorted(path.name for path in directory.iterdir())


def lines(path):
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


# --- what is in the files ----------------------------------------------------------------------


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_stereo_recording_has_the_contact_left_and_the_agent_right(tmp_path, encoding):
    stats = record(tmp_path, call(RX, TX), encoding=encoding)
    assert files(tmp_path) == [f"{NAME}.jsonl", f"{NAME}.wav"]
    wav = read_wav(tmp_path / f"{NAME}.wav")
    assert wav.channels == (b"\x81" * 24000, b"\x80" * 24000)
    assert wav.encoding is encoding
    assert (stats.calls, stats.samples, stats.dropped_samples, stats.failed_calls) == (1, 48000, 0, 0)


def test_a_mono_recording_has_a_file_for_each_side(tmp_path):
    record(tmp_path, call(TX, RX, MIX), layout=Layout.MONO)
    for number, side in enumerate(("contact", "agent", "mix")):
        assert read_wav(tmp_path / f"{NAME}-{side}.wav").channels == (bytes([0x80 + number]) * 24000,)


def test_a_mixed_stream_and_an_unknown_one_have_files_of_their_own_beside_the_stereo_one(tmp_path):
    record(tmp_path, call(TX, MIX, "TX_RELAY"))
    record(tmp_path, call("NEW"), name=NAME)
    assert [name.removeprefix(NAME) for name in files(tmp_path)] == [
        "-2-other.wav",
        "-2.jsonl",
        "-contact-2.wav",
        "-mix.wav",
        ".jsonl",
        ".wav",
    ]
    assert read_wav(tmp_path / f"{NAME}.wav").channels == (b"\x80" * 24000, b"\xff" * 24000)


def test_a_hold_is_silence_as_long_as_it_was(tmp_path):
    assembler = CallAssembler(place_audio=True)
    contact = Side(TX, seed=1).talk(0, 10).talk(70, 80)
    record(tmp_path, play(assembler, contact, Side(RX, seed=2).talk(0, 80).hush(10, 70)))
    (wav,) = tmp_path.glob("*.wav")
    for channel in read_wav(wav).channels:
        spoken = channel.count(0)
        assert spoken == 20 * 8000
        assert abs(len(channel) - 80 * 8000) < 16
        assert abs(channel.index(b"\xff" * 100) - 10 * 8000) < 16


def test_the_lines_say_what_happened_when_and_no_secret(tmp_path):
    events = call(TX, RX)
    record(tmp_path, events)
    said = lines(tmp_path / f"{NAME}.jsonl")
    assert [line["event"] for line in said] == [
        "Recording",
        "CallStarted",
        "StreamAttached",
        "StreamAttached",
        "AudioBegins",
        "AudioBegins",
        "StreamDetached",
        "StreamDetached",
        "CallEnded",
    ]
    assert said[0] == {"at": 0.0, "event": "Recording", "started": "2026-01-31T23:59:59.250+00:00"}
    assert said[1]["init"] == {
        "contact_id": 506314056968,
        "bus_no": 4602609,
        "request_id": 6,
        "action_type": "AgentAssist",
        "action_id": 88,
        "script_name": "DEV\\Agent Assist",
        "consumer_process_name": "EsnMediaServer",
        "consumer_process_version": None,
        "stream_perspective": "TX",
        "dialect": "documented",
    }
    assert said[3]["stream"] == 2
    assert said[5] == said[5] | {"perspective": "RX", "position": 0, "stream": 2}
    assert said[-1] == said[-1] | {"at": 3.0, "reason": "DRAINED", "samples": 24000}
    text = (tmp_path / f"{NAME}.jsonl").read_text()
    assert "s3cret" not in text
    assert "value1" not in text


def test_a_long_text_from_cxone_is_cut_in_the_lines(tmp_path):
    record(tmp_path, call("X" * 5000))
    assert max(map(len, (tmp_path / f"{NAME}.jsonl").read_text().splitlines())) < 2000


def test_a_call_without_audio_leaves_no_file(tmp_path):
    assembler = CallAssembler(place_audio=True)
    stats = record(tmp_path, [*assembler.stream_started(1, init_message(), 0.0), *assembler.close(1.0)])
    assert files(tmp_path) == []
    assert (stats.calls, stats.empty_calls) == (0, 1)


def test_the_files_are_their_owners_alone(tmp_path):
    record(tmp_path, call(TX))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


# --- names -------------------------------------------------------------------------------------


def test_a_name_that_is_taken_gets_a_number(tmp_path):
    for _ in range(3):
        record(tmp_path, call(TX))
    assert [name for name in files(tmp_path) if name.endswith(".wav")] == [
        f"{NAME}-2.wav",
        f"{NAME}-3.wav",
        f"{NAME}.wav",
    ]


@pytest.mark.parametrize("ending", [".jsonl", ".wav", "-contact.wav", "-agent.wav", "-mix.wav", "-other.wav"])
def test_a_name_is_taken_where_one_file_of_a_call_is_left(tmp_path, ending):
    (tmp_path / f"{NAME}{ending}").write_bytes(b"mine")
    assert record(tmp_path, call(TX)).calls == 1
    assert files(tmp_path) == sorted([f"{NAME}-2.jsonl", f"{NAME}-2.wav", f"{NAME}{ending}"])
    assert (tmp_path / f"{NAME}{ending}").read_bytes() == b"mine"


def test_a_name_is_made_of_its_fields(tmp_path):
    record(tmp_path, call(TX, contact_id=-4), name="call_{number}.{contact_id}")
    assert files(tmp_path) == ["call_1.-4.jsonl", "call_1.-4.wav"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".hidden",
        "a/b",
        "..\\x",
        "{script_name}",
        "{bus_no.real}",
        "{bus_no!r}",
        "{number:05}",
        "{}",
        "a b",
        "ü",
    ],
)
def test_a_name_with_anything_else_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="the name"):
        Recorder(tmp_path, name=name)


def test_a_directory_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        Recorder(tmp_path / "none")


# --- the writer --------------------------------------------------------------------------------


def test_no_thread_runs_before_it_is_started_nor_after_it_is_closed(tmp_path):
    before = threading.active_count()
    made = recorder(tmp_path)
    assert threading.active_count() == before
    with made:
        assert threading.active_count() == before + 1
        with pytest.raises(RuntimeError, match="started before"):
            made.start()
    assert threading.active_count() == before
    assert recorder(tmp_path).close()


def test_what_was_queued_before_the_start_is_written(tmp_path):
    made = recorder(tmp_path)
    for event in call(TX):
        made.handle(event)
    made.start()
    assert made.close(10.0)
    assert made.stats.samples == 24000


def test_a_call_that_goes_on_when_the_recorder_closes_is_finished(tmp_path):
    stats = record(tmp_path, call(TX, RX)[:-3])
    assert stats.calls == 1
    assert len(read_wav(tmp_path / f"{NAME}.wav").channels[0]) > 16000


def test_a_full_queue_drops_audio_and_counts_it_but_keeps_the_rest(tmp_path):
    made = recorder(tmp_path, max_queued=20000)
    for event in call(TX):
        made.handle(event)
    made.start()
    made.close()
    assert made.stats.samples + made.stats.dropped_samples == 24000
    assert made.stats.dropped_samples > 0
    assert made.stats.calls == 1
    made.handle(next(event for event in call(TX) if isinstance(event, AudioPlaced)))
    assert made.stats.samples + made.stats.dropped_samples > 24000


def test_a_queue_that_was_emptied_takes_audio_again(tmp_path):
    events = call(TX, seconds=10)
    with recorder(tmp_path, max_queued=30000) as made:
        sent = 0
        for event in events:
            made.handle(event)
            sent += len(event.payload) if isinstance(event, AudioPlaced) else 0
            while made.stats.samples < sent:
                assert made.stats.dropped_samples == made.stats.failed_calls == 0
    assert made.stats.samples == 80000


def test_a_call_that_waits_for_its_first_audio_keeps_a_thousand_lines_of_it(tmp_path):
    assembler = CallAssembler(place_audio=True)
    events = []
    for number in range(600):
        events += assembler.stream_started(number, init_message(), number * 1.0)
        events += assembler.stream_closed(number, number + 0.5)
    events += assembler.stream_started("last", init_message(), 700.0)
    events += assembler.audio("last", b"\x80" * 160, 701.0)
    events += assembler.close(702.0)
    record(tmp_path, events)
    said = [line["event"] for line in lines(tmp_path / f"{NAME}.jsonl")]
    assert said[:3] == ["Recording", "CallStarted", "StreamAttached"]
    assert said[1000:] == ["LinesSkipped", "AudioBegins", "StreamDetached", "CallEnded"]


def test_a_refused_call_is_nothing_to_record(tmp_path):
    refused = CallRefused(at=0.0, stream_id=1, bus_no=1, contact_id=1, reason=Refusal.DRAINING)
    record(tmp_path, [refused])
    assert files(tmp_path) == []


def test_a_disk_that_fails_stops_that_recording_and_no_other(tmp_path, monkeypatch, caplog):
    create = _call_files.new_file

    def fail(path):
        if "-1-" in path.name and path.suffix == ".wav":
            raise OSError(28, "No space left on device")
        return create(path)

    monkeypatch.setattr(_call_files, "new_file", fail)
    with caplog.at_level(logging.ERROR):
        stats = record(tmp_path, [*call(TX, contact_id=1), *call(TX, contact_id=2)])
    assert (stats.failed_calls, stats.calls) == (1, 1)
    assert len(caplog.records) == 1
    assert "the recording of call 1 stops: [Errno 28]" in caplog.text
    assert [path.name for path in tmp_path.glob("*.wav")] == [NAME.replace("506314056968", "2") + ".wav"]


def test_silence_without_end_stops_the_recording_and_is_never_written(tmp_path, caplog):
    """As in a capture of some KB whose audio goes on after days."""
    assembler = CallAssembler(place_audio=True)
    events = [*assembler.stream_started(1, init_message(), 0.0)]
    for start in (0.0, 7000.0, 14000.0, 1_000_000.0):
        for frame in range(1, 201):
            events += assembler.audio(1, b"\x80" * 160, start + frame * 0.02)
    stats = record(tmp_path, [*events, *assembler.close(1_000_010.0)])
    assert (stats.calls, stats.failed_calls) == (0, 1)
    assert 13_990 < len(read_wav(tmp_path / f"{NAME}.wav").channels[0]) / 8000 < 14_010
    assert "more than 14400 seconds of silence; a larger max_silence" in caplog.text


def test_silence_may_be_as_long_as_is_asked_for(tmp_path):
    assembler = CallAssembler(place_audio=True)
    events = [*assembler.stream_started(1, init_message(), 0.0)]
    for start in (0.0, 100.0):
        for frame in range(1, 201):
            events += assembler.audio(1, b"\x80" * 160, start + frame * 0.02)
    events += assembler.close(110.0)
    assert record(tmp_path, events, max_silence=95.0).failed_calls == 1
    assert record(tmp_path, events, max_silence=97.0).calls == 1


def test_a_file_at_the_limit_of_its_format_stops_the_recording_and_says_so(tmp_path, caplog):
    start = CallStarted(
        call=Call(number=1, bus_no=1, contact_id=1), at=0.0, init=WebSocketHookInitializeMessage()
    )
    audio = [
        AudioPlaced(
            call=start.call, at=0.0, stream_id=1, perspective=TX, position=position, payload=b"\x80" * 100
        )
        for position in (0, 5_000_000_000, 100)
    ]
    stats = record(tmp_path, [start, *audio], max_silence=math.inf)
    assert (stats.failed_calls, stats.samples) == (1, 100)
    assert "limit of its format" in caplog.text
    (wav,) = tmp_path.glob("*.wav")
    assert read_wav(wav).channels == (b"\x80" * 100, b"\xff" * 100)


def test_a_recording_cut_by_kill_9_opens_and_has_all_but_the_last_seconds(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "support.assist_recorder", str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as program:
        while not (wavs := list(tmp_path.glob("*.wav"))) or wavs[0].stat().st_size < 30 * 16000:
            program.stdout.readline()
        program.send_signal(signal.SIGKILL)
        program.wait(10)
    assert program.returncode == -signal.SIGKILL
    (path,) = tmp_path.glob("*.wav")
    wav = read_wav(path)
    assert abs(len(wav.channels[0]) - (path.stat().st_size - 58) / 2) <= 16160
    both = bytes(range(160)) * 50 * 28
    assert [channel.startswith(both) for channel in wav.channels] == [True, True]
    (said,) = tmp_path.glob("*.jsonl")
    assert lines(said)[-1]["event"] == "AudioBegins"
    assert Path(path).stem == Path(said).stem
