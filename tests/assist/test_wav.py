"""WAV files: U10, and what a file looks like when its writer is cut off."""

import io
import random
import struct
import wave

import pytest

from cxone_assist import mulaw
from cxone_assist.wav import Encoding, WavWriter, read_wav

LEFT, RIGHT = bytes(range(256)) * 4, bytes(range(255, -1, -1)) * 4


def writer(channels=1, encoding=Encoding.ULAW, **options):
    file = io.BytesIO()
    return file, WavWriter(file, channels=channels, encoding=encoding, **options)


def chunks(content):
    assert content[:4] == b"RIFF"
    assert content[8:12] == b"WAVE"
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    found, start = {}, 12
    while start < len(content):
        name, size = struct.unpack("<4sI", content[start : start + 8])
        found[name] = content[start + 8 : start + 8 + size]
        start += 8 + size + size % 2
    return found


def test_u10_a_ulaw_file_has_an_18_byte_format_with_tag_7_and_a_fact():
    file, wav = writer()
    wav.write(0, 0, LEFT)
    wav.close()
    found = chunks(file.getvalue())
    assert list(found) == [b"fmt ", b"fact", b"data"]
    assert struct.unpack("<HHIIHHH", found[b"fmt "]) == (7, 1, 8000, 8000, 1, 8, 0)
    assert struct.unpack("<I", found[b"fact"]) == (len(LEFT),)
    assert found[b"data"] == LEFT


def test_u10_a_stereo_file_has_the_left_sample_first():
    file, wav = writer(2)
    wav.write(0, 0, LEFT)
    wav.write(1, 0, RIGHT)
    found = chunks(file.getvalue())
    assert struct.unpack("<HHIIHHH", found[b"fmt "]) == (7, 2, 8000, 16000, 2, 8, 0)
    assert struct.unpack("<I", found[b"fact"]) == (len(LEFT),)
    assert found[b"data"] == mulaw.interleave(LEFT, RIGHT)


@pytest.mark.parametrize("channels", [1, 2])
def test_u10_a_pcm_file_reads_back_with_the_standard_library(channels):
    file, wav = writer(channels, Encoding.PCM16)
    wav.write(0, 0, LEFT)
    wav.write(channels - 1, 0, RIGHT)
    file.seek(0)
    with wave.open(file) as read:
        assert read.getparams()[:4] == (channels, 2, 8000, len(LEFT))
        content = read.readframes(len(LEFT))
    expected = RIGHT if channels == 1 else mulaw.interleave(LEFT, RIGHT)
    assert content == mulaw.decode(expected)


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_u10_an_odd_length_is_padded(size):
    file, wav = writer()
    wav.write(0, 0, LEFT[:size])
    wav.close()
    assert len(file.getvalue()) % 2 == 0
    assert chunks(file.getvalue())[b"data"] == LEFT[:size]


def test_the_padding_of_an_odd_length_is_written_over_by_what_comes_next():
    file, wav = writer()
    wav.write(0, 0, LEFT[:3])
    wav.close()
    wav.write(0, 3, LEFT[3:8])
    assert chunks(file.getvalue())[b"data"] == LEFT[:8]


@pytest.mark.parametrize("encoding", list(Encoding))
def test_u10_every_moment_leaves_a_file_that_opens(encoding):
    file, wav = writer(2, encoding)
    for number in range(5):
        wav.write(number % 2, number * 100, LEFT[:100])
        found = chunks(file.getvalue())
        assert len(found[b"data"]) == wav.samples * (4 if encoding is Encoding.PCM16 else 2)
    read = read_wav(io.BytesIO(file.getvalue()[:-77]))
    assert len(read.channels[0]) == (500 - 20 if encoding is Encoding.PCM16 else 500 - 39)


def test_u10_every_write_reaches_the_system_at_once_and_the_audio_before_the_header(tmp_path):
    told = []

    class File(io.BufferedRandom):
        def write(self, data):
            told.append(bytes(data[:4]))
            return super().write(data)

        def flush(self):
            told.append("flush")
            super().flush()

    path = tmp_path / "one.wav"
    path.touch()
    with File(io.FileIO(path, "r+")) as file:
        wav = WavWriter(file, channels=1, encoding=Encoding.ULAW)
        for position in (0, 1024):
            told.clear()
            wav.write(0, position, LEFT)
            assert told == [LEFT[:4], "flush", b"RIFF", "flush"]
            assert chunks(path.read_bytes())[b"data"] == LEFT * (1 + position // 1024)


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_in_any_order_reads_back_with_silence_between(channels, encoding):
    file, wav = writer(channels, encoding)
    chance = random.Random(1)
    expected = [bytearray([0xFF]) * 300000 for _ in range(channels)]
    spans = [(channel, start) for channel in range(channels) for start in range(0, 300000, 100000)]
    chance.shuffle(spans)
    for channel, start in spans:
        ulaw = bytes(chance.choices(range(0x80, 0x100), k=777))  # 0x7F, minus zero, is lost in PCM
        assert wav.write(channel, start, ulaw) == 777
        expected[channel][start : start + 777] = ulaw
    wav.close()
    read = read_wav(io.BytesIO(file.getvalue()))
    assert read.encoding is encoding
    assert read.channels == tuple(bytes(channel[: wav.samples]) for channel in expected)


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_long_silence_is_never_held_as_a_whole(encoding, tmp_path):
    import tracemalloc

    with (tmp_path / "long.wav").open("x+b") as file:
        wav = WavWriter(file, channels=2, encoding=encoding)
        tracemalloc.start()
        wav.write(0, 3600 * 8000, LEFT)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 500_000
        file.seek(0, io.SEEK_END)
        assert file.tell() > 57_600_000


def test_u10_a_file_takes_no_more_than_its_format_can_say():
    file, wav = writer(2, max_bytes=1000)
    assert wav.write(0, 0, LEFT) == 470
    assert wav.write(0, 470, LEFT) == 0
    assert wav.write(0, 5_000_000_000, LEFT) == 0
    wav.close()
    assert len(file.getvalue()) <= 1000
    assert len(chunks(file.getvalue())[b"data"]) == 940
    assert writer(2)[1]._most == (0xFFFFFFFF - 58 - 1) // 2


def test_a_file_of_another_program_is_read(tmp_path):
    path = tmp_path / "other.wav"
    pcm = mulaw.decode(LEFT)
    with wave.open(str(path), "wb") as other:
        other.setparams((1, 2, 8000, 0, "NONE", ""))
        other.writeframes(pcm)
    content = path.read_bytes()
    path.write_bytes(content[:36] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + content[36:])
    assert mulaw.decode(read_wav(path).channels[0]) == pcm


@pytest.mark.parametrize(("tag", "bits", "audio"), [(7, 8, b"abcd"), (1, 16, mulaw.decode(b"abcd"))])
def test_a_file_whose_format_is_extensible_is_read(tag, bits, audio):
    form = struct.pack("<HHIIHHHHIH", 0xFFFE, 2, 8000, 0, 0, bits, 22, bits, 3, tag) + bytes(14)
    content = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", len(form)) + form
    content += b"data" + struct.pack("<I", len(audio)) + audio
    assert read_wav(io.BytesIO(content)).channels == (b"ac", b"bd")


def test_an_extensible_format_that_is_cut_off_is_refused():
    form = struct.pack("<HHIIHH", 0xFFFE, 1, 8000, 0, 0, 8)
    content = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + form + b"data\0\0\0\0"
    with pytest.raises(ValueError, match="tag 65534"):
        read_wav(io.BytesIO(content))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no WAV file"),
        (b"RIFF\0\0\0\0AVI ", "no WAV file"),
        (b"RIFF\0\0\0\0WAVE", "no data"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "no format"),
        (b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0\0\0data\0\0\0\0", "no format"),
    ],
)
def test_what_is_no_wav_file_is_refused(content, reason):
    with pytest.raises(ValueError, match=reason):
        read_wav(io.BytesIO(content))


@pytest.mark.parametrize("layout", [(3, 1, 8000, 32), (1, 1, 8000, 8), (1, 3, 8000, 16), (7, 1, 16000, 8)])
def test_a_wav_file_of_another_kind_is_refused_and_says_what_it_is(layout):
    tag, channels, rate, bits = layout
    form = struct.pack("<HHIIHH", tag, channels, rate, 0, 0, bits)
    content = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + form + b"data\0\0\0\0"
    with pytest.raises(ValueError, match=f"tag {tag}, {bits} bits, {channels} channels and {rate} Hz.*sox"):
        read_wav(io.BytesIO(content))
