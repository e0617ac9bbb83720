"""Streams each side of a call to a speech recogniser, and sends what it hears back to CXone.

Put yours in place of `FakeRecogniser`. It may block: a stream's callbacks run in that stream's own thread,
the socket is read all the same, and ten seconds of audio may wait. CXone shows the agent no such message.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Protocol

from cxone_assist import LocalProtocolError, StaticTokens, mulaw
from cxone_assist.server import Stream, serve

LOUD = 500  # of 32,767: what the fake recogniser takes for sound


class Heard(NamedTuple):
    text: str
    final: bool  # a partial text is replaced by the next one


class Recogniser(Protocol):
    def feed(self, pcm: bytes) -> list[Heard]: ...  # 16-bit little-endian, 8,000 samples a second
    def finish(self) -> list[Heard]: ...  # no more audio comes


class FakeRecogniser:
    """Hears a beep in every stretch of sound; a second without one ends the utterance."""

    def __init__(self) -> None:
        self._beeps, self._quiet, self._sounding = 0, 0, False

    def feed(self, pcm: bytes) -> list[Heard]:
        sounded, self._sounding = self._sounding, max(memoryview(pcm).cast("h"), default=0) > LOUD
        self._quiet = 0 if self._sounding else self._quiet + len(pcm) // 2
        if self._sounding and not sounded:
            self._beeps += 1
            return [Heard(" ".join(["beep"] * self._beeps), final=False)]
        return self.finish() if self._quiet >= mulaw.SAMPLE_RATE else []

    def finish(self) -> list[Heard]:
        beeps, self._beeps = self._beeps, 0
        return [Heard(" ".join(["beep"] * beeps), final=True)] if beeps else []


class Transcriber:
    def __init__(self, start: Callable[[], Recogniser]) -> None:
        self._start = start
        self._recognisers: dict[Stream, Recogniser] = {}

    def on_start(self, stream: Stream) -> None:
        self._recognisers[stream] = self._start()

    def on_audio(self, stream: Stream, ulaw: bytes, _position: int) -> None:
        self._tell(stream, self._recognisers[stream].feed(mulaw.decode(ulaw)))

    def on_end(self, stream: Stream) -> None:
        self._tell(stream, self._recognisers.pop(stream).finish())

    def _tell(self, stream: Stream, heard: list[Heard]) -> None:
        for text, final in heard:
            how = "final" if final else "partial"  # in one write, for other streams print too:
            print(f"{stream.contact_id} {stream.perspective} {how}: {text}\n", end="", flush=True)
            with suppress(LocalProtocolError):  # the socket may have closed: for hold, or at the end
                stream.send_message("TRANSCRIPT", text, parameters={"final": final})


if __name__ == "__main__":
    transcriber = Transcriber(FakeRecogniser)
    serve(
        authorize=StaticTokens(os.environ["CXONE_ASSIST_TOKEN"]),
        on_start=transcriber.on_start,
        on_audio=transcriber.on_audio,
        on_end=transcriber.on_end,
        port=int(os.environ.get("CXONE_ASSIST_PORT", "8080")),
        drain_seconds=0.0,
        ready=lambda port: print(f"listening on {port}", flush=True),
    )
