"""A WAV file is refused, or read as audio that our own writer turns into a file that sounds the same."""

import io

from cxone_assist import mulaw, read_wav
from cxone_assist.wav import WavWriter


def fuzz_one(data: bytes) -> None:
    """Read a file, write its audio, and read that."""
    try:
        audio = read_wav(io.BytesIO(data))
    except ValueError as error:
        assert str(error)
        return
    assert len({len(channel) for channel in audio.channels}) == 1
    assert sum(map(len, audio.channels)) <= len(data)
    file = io.BytesIO()
    writer = WavWriter(file, channels=len(audio.channels), encoding=audio.encoding)
    for number, channel in enumerate(audio.channels):
        writer.write(number, 0, channel)
    writer.close()
    file.seek(0)
    again = read_wav(file)
    assert again.encoding is audio.encoding
    # Zero has two codes, of which a file in PCM keeps one: what is heard is the same.
    assert list(map(mulaw.decode, again.channels)) == list(map(mulaw.decode, audio.channels))
