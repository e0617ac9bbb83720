"""`cxone-wfm lint`: what is probably wrong with reports and agent states in files."""

import codecs
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path

import attrs
from attrs import frozen

from .. import _json
from ..connector.linting import Finding, Media, Severity, lint
from ..connector.presets import EventSetName, event_set
from ..errors import Fault, ValidationError
from ._findings import show_findings
from ._positions import positions
from ._sarif import Located, sarif
from .output import UNREADABLE, Output
from .send import Data, Kind, read


class Format(str, Enum):
    """What the findings are shown as."""

    table = "table"
    json = "json"
    sarif = "sarif"


class FailOn(str, Enum):
    """The least severity at which the command ends with 1."""

    error = "error"
    warning = "warning"
    note = "note"
    never = "never"


class Preset(str, Enum):
    """The ACDs whose events are known."""

    avaya_cms = "avaya-cms"
    livevox = "livevox"


_EVENT_SETS: dict[Preset, EventSetName] = {Preset.avaya_cms: "avaya_cms", Preset.livevox: "livevox"}


def read_media(values: Sequence[str]) -> Media | Mapping[str, Media] | None:
    """One medium for all queues, or `QUEUE=MEDIUM` for each. Raises ValueError where it is neither."""
    if len(values) == 1 and "=" not in values[0]:
        return _medium(values[0])
    if not all("=" in value for value in values):
        raise ValueError("give one medium for all queues, or QUEUE=MEDIUM for each of them")
    pairs = (value.rpartition("=") for value in values)
    return {queue: _medium(name) for queue, _, name in pairs} or None


def _medium(name: str) -> Media:
    names = [media.value for media in Media]
    if name not in names:
        raise ValueError(f"{name!r} is no medium; there are {', '.join(names)}")
    return Media(name)


def read_now(text: str | None) -> datetime:
    """The moment that the text names, now without a text. Raises ValueError where it names none."""
    if text is None:
        return datetime.now(timezone.utc)
    from dateutil.parser import isoparse  # here, for it is slow to import  # noqa: PLC0415

    moment = isoparse(text)
    if moment.utcoffset() is None:
        raise ValueError(f"{text} has no time zone: add Z for UTC")
    return moment


@frozen
class _File:
    """A file that was read."""

    name: str
    text: str
    kind: Kind
    data: Data


@frozen
class _Unreadable:
    """A file that could not be judged, and why."""

    name: str
    reason: str
    faults: tuple[Fault, ...] = ()


def run_lint(
    output: Output,
    files: Sequence[str],
    *,
    kind: Kind | None,
    media: Media | Mapping[str, Media] | None,
    preset: Preset | None,
    now: datetime,
    form: Format,
    fail_on: FailOn,
) -> int:
    """Judge the files, alone and with one another, and show the findings. Gives the exit code.

    It is 0 where nothing was found that `fail_on` reaches, 1 where something was, 2 where a file could not
    be judged; the others are judged all the same.
    """
    outcomes = [_read(name, kind) for name in files]
    judged = [each for each in outcomes if isinstance(each, _File)]
    unreadable = [each for each in outcomes if isinstance(each, _Unreadable)]
    events = event_set(_EVENT_SETS[preset]) if preset else None
    found = _located(judged, lint(*(each.data for each in judged), media=media, now=now, events=events))
    code = UNREADABLE if unreadable else int(_fails(found, fail_on))
    if form is Format.sarif:
        output.document(sarif(found, [(each.name, each.reason) for each in unreadable]))
    elif form is Format.json:
        output.document(_document(found, unreadable, ok=code == 0))
    elif output.console.is_terminal:
        _show_tables(output, found)
    else:
        for each in found:
            output.line(f"{each.file}:{each.position.line}:{each.position.column}: {each.finding}")
    for failed in unreadable:
        output.failure(failed.reason)
    if judged:
        output.line(_summary([each.finding for each in found], len(judged)))
    return code


def _fails(found: Sequence[Located], fail_on: FailOn) -> bool:
    if fail_on is FailOn.never:
        return False
    return any(each.finding.severity.reaches(Severity(fail_on.value)) for each in found)


def _read(name: str, kind: Kind | None) -> _File | _Unreadable:
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        return _Unreadable(name, f"{name} cannot be read: {error.strerror}")
    try:
        meant = kind or _guess(content)
        data = read(meant, content)
    except ValidationError as error:
        return _Unreadable(name, f"{name}: {error}", error.faults)
    return _File(name, content.decode("utf-8-sig"), meant, data)


def _guess(content: bytes) -> Kind:
    """What a document is by its keys. Raises `ValidationError` where they do not tell."""
    document = _parse(content)
    if isinstance(document, dict):
        if "agentStateList" in document or "loginId" in document:
            return Kind.states
        if "reportData" in document:
            return Kind.activity if isinstance(document["reportData"], list) else Kind.historical
    fault = Fault(
        "$", "a document of no kind that is known", "reportData, agentStateList or loginId, or --kind"
    )
    raise ValidationError("The document", [fault])


def _parse(content: bytes) -> object:
    """The document, or its first line where states stand one a line."""
    try:
        return _json.parse(content, "The document")
    except ValidationError as whole:
        try:
            first_line = content.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")[0]
            return _json.parse(first_line, "The document")
        except ValidationError:
            raise whole from None


def _located(files: Sequence[_File], findings: Sequence[Finding]) -> list[Located]:
    """The findings by their place: file by file, line by line."""
    found: list[Located] = []
    for number, file in enumerate(files):
        own = [finding for finding in findings if finding.document == number]
        paths = {finding.path for finding in own}
        state_a_line = file.kind is Kind.states and not _is_list_of_states(file.text)
        places = positions(file.text, paths, state_a_line=state_a_line) if own else {}
        located = [Located(file=file.name, finding=each, position=places[each.path]) for each in own]
        found += sorted(located, key=lambda each: each.position)
    return found


def _is_list_of_states(text: str) -> bool:
    """Whether states stand in the page's list; its only key is the first text of the document."""
    return text.lstrip().removeprefix("{").lstrip().startswith('"agentStateList"')


def _document(found: Sequence[Located], unreadable: Sequence[_Unreadable], *, ok: bool) -> dict[str, object]:
    return {
        "ok": ok,
        "findings": [
            {
                "file": each.file,
                "line": each.position.line,
                "column": each.position.column,
                "rule": each.finding.rule,
                "severity": each.finding.severity.value,
                "path": each.finding.path,
                "figures": dict(each.finding.figures),
                "problem": each.finding.problem,
                "advice": each.finding.advice,
            }
            for each in found
        ],
        "unreadable": [
            {
                "file": each.name,
                "error": each.reason,
                "faults": [attrs.asdict(fault) for fault in each.faults],
            }
            for each in unreadable
        ],
    }


def _show_tables(output: Output, found: Sequence[Located]) -> None:
    """One table for each file."""
    by_file: dict[str, list[Located]] = {}
    for each in found:
        by_file.setdefault(each.file, []).append(each)
    for name, own in by_file.items():
        output.line(name)
        rows = [
            (f"line {each.position.line}\n{each.finding.path.removeprefix('$.')}", each.finding)
            for each in own
        ]
        show_findings(output, rows, more="--format json has them all")


def _summary(findings: Sequence[Finding], files: int) -> str:
    counts = Counter(finding.severity for finding in findings)
    told = [_plural(counts[severity], severity.value) for severity in Severity if counts[severity]]
    return f"{', '.join(told) or 'nothing found'} in {_plural(files, 'file')}"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
