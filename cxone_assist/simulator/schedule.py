"""A scenario and its audio to actions, each with its time. Pure: the same seed makes the same call."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto

from attrs import field, frozen

from ..messages import StreamPerspective
from ..mulaw import SAMPLE_RATE, SILENCE
from .scenario import ScenarioError, Step

__all__ = ["Action", "Kind", "plan"]

FRAME_SAMPLES = 160
"""20 ms: the one size that was observed."""


class Kind(Enum):
    """What is done to the socket of a perspective."""

    OPEN = auto()
    AUDIO = auto()
    GARBAGE = auto()
    EXPECT = auto()
    CLOSE = auto()
    DROP = auto()


@frozen(kw_only=True)
class Action:
    """One thing to do, at a time in seconds since the start of the call."""

    at: float
    kind: Kind
    perspective: StreamPerspective
    payload: bytes = field(default=b"", repr=False)
    """AUDIO: the frame."""
    position: int = 0
    """AUDIO: samples of the call before the frame, holds included."""
    what: str = ""
    """GARBAGE and EXPECT: as in the step."""
    seconds: float = 0.0
    """EXPECT: how long to wait."""


def plan(
    steps: Iterable[Step],
    audio: Mapping[StreamPerspective, bytes],
    *,
    frame_samples: int = FRAME_SAMPLES,
    seed: int = 0,
) -> Sequence[Action]:
    """Return what a call does, in order. ``audio`` is µ-law; a perspective without any sends silence.

    Raises:
        ScenarioError: a step opens a perspective that is open already.
    """
    planner = _Planner(audio, frame_samples, seed)
    for step in steps:
        planner.take(step)
    return planner.actions


class _Planner:
    def __init__(self, audio: Mapping[StreamPerspective, bytes], frame_samples: int, seed: int) -> None:
        self.actions: list[Action] = []
        self._audio = audio
        self._frame = frame_samples
        self._random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self._now = 0  # samples since the start of the call
        self._played = 0  # samples of the audio that are used up
        self._delay = 0.0
        self._last = 0.0
        self._active: list[StreamPerspective] = []
        self._held: list[StreamPerspective] = []

    def take(self, step: Step) -> None:
        getattr(self, f"_{step.do.name.lower()}")(step, round((step.seconds or 0.0) * SAMPLE_RATE))

    # --- one method for each member of Do ------------------------------------------------------

    def _open(self, step: Step, _samples: int) -> None:
        self._start(step.perspectives)

    def _play(self, step: Step, samples: int) -> None:
        rest = max((len(ulaw) for ulaw in self._audio.values()), default=0) - self._played
        self._send(max(rest, 0) if step.seconds is None else samples)

    def _silence(self, _step: Step, samples: int) -> None:
        self._send(samples, silent=True)

    def _hold(self, step: Step, samples: int) -> None:
        if step.what == "close":
            self._held += self._stop(Kind.CLOSE)
        self._now += samples

    def _resume(self, _step: Step, _samples: int) -> None:
        self._start(self._held)
        self._held = []

    def _drop(self, _step: Step, samples: int) -> None:
        dropped = self._stop(Kind.DROP)
        self._skip(samples)
        self._start(dropped)

    def _lose(self, _step: Step, samples: int) -> None:
        self._skip(samples)

    def _stall(self, _step: Step, samples: int) -> None:
        self._send(samples, due=self._now + samples)

    def _jitter(self, step: Step, _samples: int) -> None:
        self._delay = step.seconds or 0.0

    def _garbage(self, step: Step, _samples: int) -> None:
        for perspective in self._active:
            self._add(Kind.GARBAGE, perspective, what=step.what)

    def _expect(self, step: Step, _samples: int) -> None:
        for perspective in self._active:
            self._add(Kind.EXPECT, perspective, what=step.what, seconds=step.seconds or 0.0)

    def _end(self, _step: Step, _samples: int) -> None:
        self._stop(Kind.CLOSE)

    # --- what they are made of -----------------------------------------------------------------

    def _add(
        self,
        kind: Kind,
        perspective: StreamPerspective,
        *,
        at: float | None = None,
        payload: bytes = b"",
        position: int = 0,
        what: str = "",
        seconds: float = 0.0,
    ) -> None:
        # Nothing overtakes: what is late delays what comes after it.
        self._last = max(self._last, self._now / SAMPLE_RATE if at is None else at)
        self.actions.append(
            Action(
                at=self._last,
                kind=kind,
                perspective=perspective,
                payload=payload,
                position=position,
                what=what,
                seconds=seconds,
            )
        )

    def _start(self, perspectives: Iterable[StreamPerspective]) -> None:
        for perspective in perspectives:
            if perspective in self._active:
                raise ScenarioError(f"{perspective} is opened while it is open; hold, drop or end it first")
            self._add(Kind.OPEN, perspective)
            self._active.append(perspective)

    def _stop(self, kind: Kind) -> list[StreamPerspective]:
        stopped, self._active = self._active, []
        for perspective in stopped:
            self._add(kind, perspective)
        return stopped

    def _skip(self, samples: int) -> None:
        self._now += samples
        self._played += samples

    def _send(self, samples: int, *, silent: bool = False, due: int | None = None) -> None:
        end = self._now + samples
        while self._now < end:
            size = min(self._frame, end - self._now)
            at = (self._now if due is None else due) / SAMPLE_RATE + self._random.uniform(0, self._delay)
            for perspective in self._active:
                source = b"" if silent else self._audio.get(perspective, b"")
                frame = source[self._played : self._played + size]
                frame += bytes([SILENCE]) * (size - len(frame))
                self._add(Kind.AUDIO, perspective, at=at, payload=frame, position=self._now)
            self._now += size
            if not silent:
                self._played += size
