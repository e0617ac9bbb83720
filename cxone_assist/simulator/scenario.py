"""What a simulated call does, step by step: written in Python, or in a JSON file.

A scenario file is an object with ``steps``, a list of objects that each have a ``do``::

    {"steps": [
        {"do": "open", "perspectives": ["TX", "RX"]},
        {"do": "expect", "what": "CONNECTED", "seconds": 1},
        {"do": "play", "seconds": 3},
        {"do": "hold", "what": "close", "seconds": 5},
        {"do": "resume"},
        {"do": "play"},
        {"do": "end"}
    ]}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from attrs import frozen

from ..messages import StreamPerspective

__all__ = ["Do", "ScenarioError", "Step", "parse_scenario", "simple_call"]


class ScenarioError(ValueError):
    """A scenario that cannot be played; the message names the step and what is wrong."""


class Do(str, Enum):
    """What a step does."""

    OPEN = "open"
    """Open a socket for each of the ``perspectives``, and send their initialize messages."""
    PLAY = "play"
    """Play the audio for ``seconds``, or without them to its end."""
    SILENCE = "silence"
    """Send silence for ``seconds``; the audio waits."""
    HOLD = "hold"
    """For ``seconds``: ``close`` the sockets, or keep them ``silent``. The audio waits."""
    RESUME = "resume"
    """Open again what a hold has closed, with the same handshake."""
    DROP = "drop"
    """Cut the connections without a word, and open them again after ``seconds`` of lost audio."""
    LOSE = "lose"
    """Leave ``seconds`` of audio out: time and audio go on, and nothing is sent."""
    STALL = "stall"
    """Send nothing for ``seconds``, then all that is due at once."""
    JITTER = "jitter"
    """From here on, delay each frame by up to ``seconds``, at random and in order."""
    GARBAGE = "garbage"
    """Send what CXone should not: a second ``init``, ``text``, or an ``empty`` frame."""
    EXPECT = "expect"
    """Wait ``seconds`` for the endpoint: ``CONNECTED`` or ``MESSAGE`` on every open socket, or ``CLOSE``."""
    END = "end"
    """Close the sockets with 1000."""


@frozen(kw_only=True)
class Step:
    """One step; each ``Do`` says which of these it uses."""

    do: Do
    seconds: float | None = None
    perspectives: tuple[StreamPerspective, ...] = (StreamPerspective.TX, StreamPerspective.RX)
    what: str = ""


_LONGEST: Final = 86400.0
_WORDS: Final[Mapping[Do, tuple[str, ...]]] = {
    Do.HOLD: ("close", "silent"),
    Do.GARBAGE: ("init", "text", "empty"),
    Do.EXPECT: ("CONNECTED", "MESSAGE", "CLOSE"),
}
_TIMED: Final = frozenset({Do.SILENCE, Do.HOLD, Do.LOSE, Do.STALL, Do.JITTER, Do.EXPECT})
_MAY_BE_TIMED: Final = _TIMED | {Do.PLAY, Do.DROP}


def parse_scenario(text: str | bytes) -> tuple[Step, ...]:
    """Return the steps of a scenario file.

    Raises:
        ScenarioError: the text is no scenario; the message lists every fault.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScenarioError(f"a scenario is a JSON file: {error}") from None
    steps = document.get("steps") if isinstance(document, dict) else None
    if not isinstance(steps, list) or not steps:
        raise ScenarioError('a scenario is an object with a list of "steps"')
    faults: list[str] = []
    parsed = [_step(raw, f"steps[{number}]", faults) for number, raw in enumerate(steps)]
    if faults:
        raise ScenarioError("; ".join(faults))
    return tuple(step for step in parsed if step is not None)


def _step(raw: object, path: str, faults: list[str]) -> Step | None:
    if not isinstance(raw, dict) or raw.get("do") not in list(Do):  # a list may not be asked of a set
        faults.append(f'{path} needs a "do" that is one of {", ".join(Do)}')
        return None
    do = Do(raw["do"])
    seconds, what, names = raw.get("seconds"), raw.get("what", ""), raw.get("perspectives", ["TX", "RX"])
    known = {"do"}
    if do in _MAY_BE_TIMED:
        known.add("seconds")
        if not _is_duration(seconds) and not (seconds is None and do not in _TIMED):
            faults.append(f"{path}.seconds must be a number, 0 or more")
    if do in _WORDS:
        known.add("what")
        if what not in _WORDS[do]:
            faults.append(f"{path}.what must be one of {', '.join(_WORDS[do])}")
    if do is Do.OPEN:
        known.add("perspectives")
        if not isinstance(names, list) or not names or not set(map(str, names)) <= set(StreamPerspective):
            faults.append(f"{path}.perspectives must be a list of TX, RX, MIX")
    faults += [f"{path}.{key} is not used by {do}" for key in raw if key not in known]
    if faults:
        return None
    return Step(do=do, seconds=seconds, what=what, perspectives=tuple(map(StreamPerspective, names)))


def _is_duration(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _LONGEST


def simple_call(
    *,
    holds: Sequence[tuple[float, float]] = (),
    drops: Sequence[float] = (),
    silent_hold: bool = False,
    perspectives: Sequence[StreamPerspective] = (StreamPerspective.TX, StreamPerspective.RX),
) -> tuple[Step, ...]:
    """Return an ordinary call: it plays everything, is on hold from and to, and loses its connections.

    Times are in seconds since the start of the call, holds included.

    Raises:
        ScenarioError: two of the events overlap, a hold ends before it begins, or one is no time of a call.
    """
    steps = [Step(do=Do.OPEN, perspectives=tuple(perspectives))]
    now = 0.0
    events = sorted([*((start, end) for start, end in holds), *((at, at) for at in drops)])
    for start, end in events:
        if not now <= start <= end < _LONGEST:
            span = f"from {start:g} s to {end:g} s"
            raise ScenarioError(f"what happens {span} overlaps what is before it, or is no time of a call")
        if start > now:
            steps.append(Step(do=Do.PLAY, seconds=start - now))
        if end > start:
            how = "silent" if silent_hold else "close"
            steps += [Step(do=Do.HOLD, seconds=end - start, what=how), Step(do=Do.RESUME)]
        else:
            steps.append(Step(do=Do.DROP, seconds=0.0))
        now = end
    return (*steps, Step(do=Do.PLAY), Step(do=Do.END))
