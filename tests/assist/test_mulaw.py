"""Cases U1-U9 and U11: the codec against the formula of ITU-T G.711, exhaustively."""

import math
import struct

import pytest

from cxone_assist import mulaw

ALL_CODES = bytes(range(256))
ALL_SAMPLES = range(-32768, 32768)
ALL_PCM = struct.pack("<65536h", *ALL_SAMPLES)


def itu_expand(code):
    """Decode one code by the standard: complement, then sign, 3-bit segment, 4-bit step."""
    inverted = code ^ 0xFF
    segment, step = inverted >> 4 & 7, inverted & 15
    magnitude_14_bit = (2 * step + 33) * 2**segment - 33
    return -4 * magnitude_14_bit if inverted & 0x80 else 4 * magnitude_14_bit


def _compress_14_bit(magnitude, sign):
    biased = min(magnitude + 33, 0x1FFF)
    segment = biased.bit_length() - 6
    step = (biased >> (segment + 1)) & 15
    return (sign | segment << 4 | step) ^ 0xFF


def itu_compress(sample):
    """Encode one sample as G.191 does: a negative one by its one's complement, then 14 bits."""
    magnitude = (~sample if sample < 0 else sample) >> 2
    return _compress_14_bit(magnitude, 0x80 if sample < 0 else 0)


def audioop_compress(sample):
    """Encode one sample as Python's audioop did: shifted to 14 bits first, negated after."""
    shifted = sample >> 2
    return _compress_14_bit(min(abs(shifted), 8159), 0x80 if shifted < 0 else 0)


def samples_of(pcm):
    return struct.unpack(f"<{len(pcm) // 2}h", pcm)


def test_u1_every_code_decodes_to_the_value_of_the_standard():
    assert samples_of(mulaw.decode(ALL_CODES)) == tuple(itu_expand(code) for code in ALL_CODES)


def test_u1_known_values():
    assert samples_of(mulaw.decode(bytes([0x00, 0x80, 0x7E, 0xFE, 0xF0, 0x70]))) == (
        -32124,
        32124,
        -8,
        8,
        120,
        -120,
    )


def test_u2_every_sample_encodes_to_the_code_of_the_standard():
    assert mulaw.encode(ALL_PCM) == bytes(itu_compress(sample) for sample in ALL_SAMPLES)


def test_u3_the_difference_from_audioop_is_one_code_on_508_negative_samples():
    ours = dict(zip(ALL_SAMPLES, mulaw.encode(ALL_PCM), strict=True))
    theirs = {sample: audioop_compress(sample) for sample in ALL_SAMPLES}
    differing = {sample for sample in ALL_SAMPLES if ours[sample] != theirs[sample]}
    # audioop's magnitude is larger by one 14-bit step, which matters just below each of the 127
    # boundaries between codes: four 16-bit samples each.
    starts = [(16 + step) << (segment + 1) for segment in range(8) for step in range(16)][1:]
    boundaries = [-4 * (start - 34) for start in starts]
    assert differing == {boundary - offset for boundary in boundaries for offset in (1, 2, 3, 4)}
    assert len(differing) == 508
    assert {ours[sample] - theirs[sample] for sample in differing} == {1}
    assert 0x7F not in theirs.values()


def test_u4_the_mean_error_is_half_a_sample_and_the_largest_512_in_range():
    in_range = range(-32636, 32636)
    decoded = samples_of(mulaw.decode(mulaw.encode(struct.pack(f"<{len(in_range)}h", *in_range))))
    errors = [value - sample for value, sample in zip(decoded, in_range, strict=True)]
    assert sum(errors) / len(errors) == 0.5
    assert max(map(abs, errors)) == 512


def test_u5_a_turned_sign_bit_turns_the_sign():
    turned = bytes(code ^ 0x80 for code in ALL_CODES)
    assert samples_of(mulaw.decode(turned)) == tuple(-value for value in samples_of(mulaw.decode(ALL_CODES)))


def test_u5_encoding_the_ones_complement_turns_the_sign_bit():
    complement = struct.pack("<65536h", *(~sample for sample in ALL_SAMPLES))
    assert mulaw.encode(complement) == bytes(code ^ 0x80 for code in mulaw.encode(ALL_PCM))


def test_u6_silence():
    assert mulaw.SILENCE == 0xFF
    assert samples_of(mulaw.decode(bytes([0xFF, 0x7F]))) == (0, 0)
    assert mulaw.encode(struct.pack("<5h", 0, -1, -2, -3, -4)) == bytes([0xFF, 0x7F, 0x7F, 0x7F, 0x7F])
    assert samples_of(mulaw.decode(b"\0")) == (-32124,)


def test_u7_encoding_a_decoded_code_gives_it_back_but_for_negative_zero():
    assert mulaw.encode(mulaw.decode(ALL_CODES)) == ALL_CODES.replace(b"\x7f", b"\xff")


def test_u8_saturation():
    codes = dict(zip(ALL_SAMPLES, mulaw.encode(ALL_PCM), strict=True))
    assert {sample for sample, code in codes.items() if code == 0x80} == set(range(31612, 32768))
    assert {sample for sample, code in codes.items() if code == 0x00} == set(range(-32768, -31612))


def test_u8_decoding_what_was_encoded_never_falls_while_samples_rise():
    decoded = samples_of(mulaw.decode(mulaw.encode(ALL_PCM)))
    assert list(decoded) == sorted(decoded)
    assert decoded[0] - ALL_SAMPLES[0] == 644
    assert max(abs(value - sample) for value, sample in zip(decoded, ALL_SAMPLES, strict=True)) == 644


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_u9_every_kind_of_buffer_is_taken(kind):
    assert mulaw.decode(kind(b"\xff\x00")) == b"\x00\x00\x84\x82"
    assert mulaw.encode(kind(b"\x00\x00\x84\x82")) == b"\xff\x00"
    assert mulaw.duration(kind(bytes(160))) == 0.02
    assert mulaw.peak(kind(b"\x00")) == 32124
    assert mulaw.interleave(kind(b"\x01"), kind(b"\x02")) == b"\x01\x02"
    assert mulaw.deinterleave(kind(b"\x01\x02")) == (b"\x01", b"\x02")


def test_u9_a_view_with_steps_or_wide_items_is_read_by_its_bytes():
    assert mulaw.decode(memoryview(b"\xff\x01\x00\x01")[::2]) == b"\x00\x00\x84\x82"
    assert mulaw.encode(memoryview(b"\x00\x00\x84\x82").cast("H")) == b"\xff\x00"


def test_u9_nothing_is_decoded_and_encoded_to_nothing():
    assert mulaw.decode(b"") == b""
    assert mulaw.encode(b"") == b""


@pytest.mark.parametrize("size", [1, 3, 319])
def test_u9_odd_pcm_is_refused(size):
    with pytest.raises(ValueError, match=f"two bytes a sample; {size} bytes is an odd length"):
        mulaw.encode(bytes(size))


@pytest.mark.parametrize("wrong", ["text", 5, None, [1, 2]])
def test_u9_what_is_no_buffer_is_refused(wrong):
    with pytest.raises(TypeError):
        mulaw.decode(wrong)
    with pytest.raises(TypeError):
        mulaw.encode(wrong)


def test_u9_pcm_is_little_endian_on_a_big_endian_host(monkeypatch):
    expected = mulaw.encode(b"\x00\x10\x00\x20")
    # On such a host an array reads the bytes the other way round: so here the input is turned.
    monkeypatch.setattr(mulaw, "_BIG_ENDIAN", not mulaw._BIG_ENDIAN)
    assert mulaw.encode(b"\x10\x00\x20\x00") == expected


@pytest.mark.parametrize("size", [16383, 16384, 16385, 32768, 1_000_001])
def test_u9_large_audio_decodes_as_its_parts_do(size):
    ulaw = (ALL_CODES * (size // 256 + 1))[:size]
    whole = mulaw.decode(ulaw)
    assert len(whole) == 2 * size
    assert whole == (mulaw.decode(ALL_CODES) * (size // 256 + 1))[: 2 * size]


def test_u9_decoding_into_a_buffer_leaves_the_rest_of_it_alone():
    pcm = bytearray(b"\xaa" * 6)
    assert mulaw.decode_into(b"\xff\x00", pcm) == 4
    assert pcm == b"\x00\x00\x84\x82\xaa\xaa"
    view = memoryview(bytearray(4))
    assert mulaw.decode_into(b"\xff\x00", view.cast("h")) == 4
    assert view == b"\x00\x00\x84\x82"


def test_u9_a_buffer_that_is_too_short_is_refused_and_untouched():
    pcm = bytearray(b"\xaa" * 3)
    with pytest.raises(ValueError, match="holds 3 bytes; 4 are needed"):
        mulaw.decode_into(b"\xff\x00", pcm)
    assert pcm == b"\xaa" * 3


@pytest.mark.parametrize(("left", "right"), [(0, 0), (3, 3), (5, 2), (2, 5), (0, 4), (4, 0)])
def test_u11_interleaving_comes_apart_again_and_pads_the_shorter_side(left, right):
    first, second = bytes(range(left)), bytes(range(100, 100 + right))
    size = max(left, right)
    stereo = mulaw.interleave(first, second)
    assert len(stereo) == 2 * size
    assert mulaw.deinterleave(stereo) == (first.ljust(size, b"\xff"), second.ljust(size, b"\xff"))


def test_u11_stereo_decodes_to_stereo_pcm():
    assert mulaw.decode(mulaw.interleave(b"\xff\xff", b"\x00\x00")) == b"\x00\x00\x84\x82" * 2


def test_u11_half_a_pair_is_refused():
    with pytest.raises(ValueError, match="two bytes a pair; 3 bytes is an odd length"):
        mulaw.deinterleave(bytes(3))


def test_duration_is_in_seconds():
    assert mulaw.duration(bytes(mulaw.SAMPLE_RATE)) == 1.0
    assert mulaw.duration(b"") == 0.0


def test_peak_is_the_largest_magnitude_of_either_sign():
    for code in ALL_CODES:
        assert mulaw.peak(bytes([0xFF, code, 0x7F])) == abs(itu_expand(code))
    assert mulaw.peak(b"") == 0


def test_level_is_rms_in_decibels_of_full_scale():
    expected = 20 * math.log10(32124 / 32768)
    assert mulaw.level(b"\x00\x80") == pytest.approx(expected)
    assert mulaw.level(b"\x00\x80\xff\xff") == pytest.approx(expected - 10 * math.log10(2))
    assert mulaw.level(b"\xff\x7f") == -math.inf
    assert mulaw.level(b"") == -math.inf
