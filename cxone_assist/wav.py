"""WAV files of 8,000 Hz, µ-law or 16-bit PCM: written in any order, readable at any moment."""

from __future__ import annotations

import struct
from enum import Enum
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from attrs import frozen

from . import mulaw
from .mulaw import SAMPLE_RATE

__all__ = ["Encoding", "WavAudio", "WavWriter", "read_wav"]

Source: TypeAlias = BinaryIO | str | PathLike[str]


class Encoding(Enum):
    """How a WAV file holds its samples."""

    ULAW = "ulaw"
    """8-bit µ-law, format tag 7: what CXone sends."""
    PCM16 = "pcm16"
    """16-bit PCM, format tag 1: twice the size, and read by every program."""


_TAGS: Final = {Encoding.PCM16: 1, Encoding.ULAW: 7}
_BITS: Final = {Encoding.PCM16: 16, Encoding.ULAW: 8}
_SILENCE: Final = {Encoding.PCM16: b"\0", Encoding.ULAW: bytes([mulaw.SILENCE])}
_EXTENSIBLE: Final = 0xFFFE  # the tag of a format chunk that has the real one further on
_SHORTEST_LAYOUT: Final = 16
_EXTENSIBLE_LAYOUT: Final = 26  # up to the end of the real tag
_LARGEST: Final = 0xFFFFFFFF  # a RIFF size has 32 bits
_BLOCK: Final = 1 << 16  # bytes of silence written at once


class WavWriter:
    """Writes one WAV file.

    Each write puts the audio in place first and the sizes in the header right after it, and both
    reach the system at once: a process that is killed leaves a file that opens.

    Args:
        file: empty, open for reading and writing in binary; the caller closes it after ``close()``.
        channels: 1 or 2.
        encoding: how the samples are written; they always come as µ-law.
        max_bytes: the size of the file, at most; by default what the format can hold, 4 GiB.
    """

    def __init__(
        self, file: BinaryIO, *, channels: int, encoding: Encoding, max_bytes: int = _LARGEST
    ) -> None:
        self._file = file
        self._channels = channels
        self._encoding = encoding
        self._frame = channels * _BITS[encoding] // 8
        self._header = len(self._make_header(0))
        self._most = (max_bytes - self._header - 1) // self._frame
        self.samples = 0
        """The length of each channel so far."""
        self._write_header()

    def write(self, channel: int, position: int, ulaw: bytes) -> int:
        """Put audio into a channel, 0 or 1, and return how many samples of it the file could take.

        What lies before ``position``, in samples, and was never written is silence, and so is the
        other channel where it has nothing yet.

        Raises:
            OSError: the disk did not take it.
        """
        size = min(len(ulaw), self._most - position)
        if size <= 0:
            return 0
        if position > self.samples:
            self._fill(position)
        end = position + size
        known = max(0, min(end, self.samples) - position)
        self._seek(position)
        region = bytearray(self._file.read(known * self._frame))
        region += _SILENCE[self._encoding] * ((size - known) * self._frame)
        self._merge(region, channel, ulaw[:size])
        self._seek(position)
        self._file.write(region)
        self.samples = max(self.samples, end)
        self._write_header()
        return size

    def close(self) -> None:
        """Finish the file: the format wants an even length."""
        if self.samples * self._frame % 2:
            self._seek(self.samples)
            self._file.write(b"\0")
        self._file.flush()

    def _seek(self, position: int) -> None:
        self._file.seek(self._header + position * self._frame)

    def _fill(self, position: int) -> None:
        """Write silence up to a position; a span of any length is never held as a whole."""
        self._seek(self.samples)
        missing = (position - self.samples) * self._frame
        silence = _SILENCE[self._encoding]
        block = silence * min(missing, _BLOCK)
        for _ in range(missing // _BLOCK):
            self._file.write(block)
        self._file.write(silence * (missing % _BLOCK))
        self.samples = position

    def _merge(self, region: bytearray, channel: int, ulaw: bytes) -> None:
        if self._encoding is Encoding.ULAW:
            region[channel :: self._channels] = ulaw
        else:
            pcm = mulaw.decode(ulaw)
            for byte in (0, 1):
                region[2 * channel + byte :: 2 * self._channels] = pcm[byte::2]

    def _make_header(self, samples: int) -> bytes:
        channels, frame, bits = self._channels, self._frame, _BITS[self._encoding]
        data = samples * frame
        layout = struct.pack(
            "<HHIIHH", _TAGS[self._encoding], channels, SAMPLE_RATE, SAMPLE_RATE * frame, frame, bits
        )
        if self._encoding is Encoding.ULAW:  # any format but PCM has an extension and a fact chunk
            chunks = struct.pack("<4sI16sH4sII", b"fmt ", 18, layout, 0, b"fact", 4, samples)
        else:
            chunks = struct.pack("<4sI16s", b"fmt ", 16, layout)
        size = 4 + len(chunks) + 8 + data + data % 2
        return struct.pack("<4sI4s", b"RIFF", size, b"WAVE") + chunks + struct.pack("<4sI", b"data", data)

    def _write_header(self) -> None:
        self._file.flush()  # the audio first: the header never promises what is not there
        self._file.seek(0)
        self._file.write(self._make_header(self.samples))
        self._file.flush()


@frozen
class WavAudio:
    """A WAV file that was read."""

    encoding: Encoding
    channels: tuple[bytes, ...]
    """The µ-law audio of each channel."""


def read_wav(source: Source) -> WavAudio:
    """Read a WAV file of 8,000 Hz, one or two channels, µ-law or 16-bit PCM, as µ-law.

    A file that is cut off is read as far as it goes.

    Raises:
        ValueError: the file is no WAV file, or one of another kind.
        OSError: the file cannot be read.
    """
    if isinstance(source, (str, PathLike)):
        return _parse(Path(source).read_bytes())
    return _parse(source.read())


def _parse(content: bytes) -> WavAudio:
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise ValueError("the file is no WAV file: it does not begin with RIFF and WAVE")
    layout = b""
    start = 12
    while (head := content[start : start + 8]) and len(head) == 8:  # noqa: PLR2004 - name and size
        name, size = struct.unpack("<4sI", head)
        body = start + 8
        if name == b"fmt ":
            layout = content[body : body + min(size, _EXTENSIBLE_LAYOUT)]
        elif name == b"data":
            return _read_data(layout, content[body : body + size])
        start = body + size + size % 2
    raise ValueError("the WAV file has no data chunk")


def _read_data(layout: bytes, data: bytes) -> WavAudio:
    if len(layout) < _SHORTEST_LAYOUT:
        raise ValueError("the WAV file has no format chunk before its data")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", layout)
    if tag == _EXTENSIBLE and len(layout) == _EXTENSIBLE_LAYOUT:
        (tag,) = struct.unpack_from("<H", layout, _EXTENSIBLE_LAYOUT - 2)
    encoding = next((known for known in Encoding if (_TAGS[known], _BITS[known]) == (tag, bits)), None)
    if encoding is None or channels not in (1, 2) or rate != SAMPLE_RATE:
        raise ValueError(
            f"the WAV file has format tag {tag}, {bits} bits, {channels} channels and {rate} Hz; "
            "this reads µ-law (7) of 8 bits or PCM (1) of 16 bits, one or two channels, 8000 Hz: "
            "`sox IN.wav -r 8000 -e mu-law OUT.wav` makes one"
        )
    frame = channels * bits // 8
    data = data[: len(data) // frame * frame]
    ulaw = data if encoding is Encoding.ULAW else mulaw.encode(data)
    return WavAudio(encoding, tuple(ulaw[channel::channels] for channel in range(channels)))
