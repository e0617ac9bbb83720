"""The progress file of a connector or a replay: what a restart must know to send no report twice.

It is written as a whole to a file beside it, brought to the disk, and put in place of the old one: after a
crash there is the old one or the new one, never a part.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from attrs import field, frozen

from .._json import parse
from ..errors import ConfigurationError, Fault, ValidationError
from ..intervals import Interval
from ..models.agent_state import AgentState, AgentStateList
from ..models.historical import HistoricalReport

_VERSION = 1

Owner = Literal["connector", "replay"]


@frozen(kw_only=True)
class Progress:
    """What was done so far."""

    owner: Owner = "connector"
    acd_type: str
    acd_id: str
    first: Interval
    """The oldest interval that this connector is responsible for: that of its very first start."""
    confirmed: Mapping[Interval, str] = field(factory=dict)
    """The digest of the last report of each interval that the sender took."""
    last_sent: tuple[AgentState, ...] = ()
    """What `StateFeed.last_sent()` gave."""
    pending: tuple[AgentState, ...] = ()
    """States that the feed gave, and that could not be sent yet."""


def differences(path: Path, known: Progress, *, acd_type: str, acd_id: str) -> list[str]:
    """What tells that the file is another ACD's, one sentence each."""
    pairs = {"acd_type": (known.acd_type, acd_type), "acd_id": (known.acd_id, acd_id)}
    return [
        f"the progress file {path} is of the {name} {old}, and the settings say {new}: give each its own file"
        for name, (old, new) in pairs.items()
        if old != new
    ]


def digest(report: HistoricalReport) -> str:
    """What tells two revisions of an interval apart."""
    return sha256(report.to_json()).hexdigest()


def load(path: Path, owner: Owner) -> Progress | None:
    """What the file holds; None where there is none.

    Raises `ConfigurationError` where it cannot be read, or holds something else: it is never overwritten.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError([f"the progress file {path} cannot be read: {error.strerror}"]) from error
    try:
        return _read(parse(text, "The progress file"), owner)
    except (ValidationError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(
            [
                f"{path} is not the progress of a {owner}, or is damaged ({type(error).__name__}: {error})."
                " Give another path, or move the file away to begin anew"
            ]
        ) from error


def save(path: Path, progress: Progress) -> None:
    """Put the progress in place of what the file holds. Raises OSError, and then the old one stays."""
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(_written(progress))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    with suppress(PermissionError):  # Windows does not open folders, and needs no such thing
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _written(progress: Progress) -> bytes:
    parts = {
        "what": _json(_what(progress.owner)),
        "version": _json(_VERSION),
        "acdType": _json(progress.acd_type),
        "acdId": _json(progress.acd_id),
        "first": _json(progress.first.start.isoformat()),
        "confirmed": _json({i.start.isoformat(): found for i, found in progress.confirmed.items()}),
        "lastSent": AgentStateList(agent_state_list=progress.last_sent).to_json(),
        "pending": AgentStateList(agent_state_list=progress.pending).to_json(),
    }
    return b"{%s}\n" % b",\n".join(b'"%s": %s' % (name.encode(), part) for name, part in parts.items())


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _what(owner: Owner) -> str:
    return f"progress of a cxone_wfm {owner}"


def _read(document: object, owner: Owner) -> Progress:
    if not isinstance(document, dict) or document.get("what") != _what(owner):
        raise ValidationError("The file", [Fault("$.what", "something else", _what(owner))])
    if document["version"] != _VERSION:
        raise ValidationError("The file", [Fault("$.version", str(document["version"]), str(_VERSION))])
    return Progress(
        owner=owner,
        acd_type=_text(document["acdType"]),
        acd_id=_text(document["acdId"]),
        first=_interval(document["first"]),
        confirmed={_interval(start): _text(found) for start, found in dict(document["confirmed"]).items()},
        last_sent=AgentStateList.from_json(document["lastSent"]).agent_state_list,
        pending=AgentStateList.from_json(document["pending"]).agent_state_list,
    )


def _interval(start: object) -> Interval:
    return Interval(start=datetime.fromisoformat(_text(start)))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} where a text belongs")
    return value
