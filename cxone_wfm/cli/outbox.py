"""`cxone-wfm outbox`: look into an outbox, and decide what becomes of its dead letters.

What only looks works while another process has the outbox open.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timezone
from enum import Enum

from ..errors import ConfigurationError, CXoneError
from ..outbox import DeadLetter, EventKind, Outbox, StoredEvent
from ..outbox._place import file_of, server_of
from ..outbox.reading import Owner, Reader, owner_of, read_outbox
from ..outbox.store import KINDS
from .output import Output

_PAGE = 500
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_KIB = 1024


class Fate(str, Enum):
    """Which events."""

    pending = "pending"
    dead = "dead"


class KindName(str, Enum):
    """The kinds of events, for a command line."""

    agent_state = "agent_state"
    agent_activity_report = "agent_activity_report"
    historical_report = "historical_report"

    @property
    def kind(self) -> EventKind:
        """The same, as a kind."""
        return KINDS[list(KindName).index(self)]


def reading(output: Output, url: str, look: Callable[[Reader], int]) -> int:
    """Open the outbox for reading and look into it. Gives the exit code."""
    try:
        with closing(read_outbox(url)) as reader:
            return look(reader)
    except (CXoneError, ImportError) as error:  # PostgreSQL needs its extra
        return output.failed(str(error))


def must_exist(url: str) -> None:
    """Raise `ConfigurationError` where there is no such file: to open it would make an empty one."""
    if not server_of(url) and not file_of(url).is_file():
        raise ConfigurationError([f"there is no outbox {file_of(url)}"])


# Look


def status(output: Output, url: str) -> int:
    """What is pending and dead, how old it is, and which process has it open."""

    def look(reader: Reader) -> int:
        owner, counts, now = owner_of(url), reader.counts(), time.time()
        oldest = {kind: next(iter(reader.pending(kind=kind, limit=1)), None) for kind in KINDS}
        ages = {kind: None if first is None else now - first.accepted_at for kind, first in oldest.items()}
        reasons = Counter(letter.reason for _, letter in _letters(reader))
        output.document(
            {
                "ok": True,
                "owner": owner and {"pid": owner.pid, "host": owner.host, "since": _moment(owner.since)},
                "pending": {
                    kind: {"items": usage.items, "bytes": usage.bytes, "oldest_seconds": ages[kind]}
                    for kind, usage in counts.pending.items()
                },
                "dead": {
                    "items": counts.dead.items,
                    "bytes": counts.dead.bytes,
                    "reasons": dict(reasons),
                },
                "accepted": counts.accepted,
                "delivered": counts.delivered,
                "possibly_duplicated": counts.possibly_duplicated,
                "purged": counts.purged,
            }
        )
        output.line(_told_of(owner, shared=server_of(url) is not None))
        rows = [
            (kind, usage.items, _kib(usage.bytes), _span(ages[kind]))
            for kind, usage in counts.pending.items()
        ]
        output.table("\nPending:", ("kind", "events", "KiB", "oldest"), rows)
        output.line("")
        if reasons:
            output.table("Dead letters:", ("reason", "events"), sorted(reasons.items()))
            output.line("")
        else:
            output.line("No dead letters.")
        output.line(
            f"Since it was made: accepted {counts.accepted}, delivered {counts.delivered}"
            f" (possibly twice {counts.possibly_duplicated}), purged {counts.purged}"
        )
        return 0

    return reading(output, url, look)


def _told_of(owner: Owner | None, *, shared: bool) -> str:
    if shared:
        return "An outbox in PostgreSQL, which several processes may share."
    if owner is None:
        return "No process has it open."
    if owner.pid is None:
        return "A process has it open; its lock file does not tell which."
    return f"Process {owner.pid} on {owner.host} has it open since {_moment(owner.since)}."


def list_events(
    output: Output,
    url: str,
    fate: Fate,
    *,
    kind: EventKind | None,
    reason: str | None,
    after: int,
    limit: int,
) -> int:
    """One page of pending or dead events."""

    def look(reader: Reader) -> int:
        if fate is Fate.dead:
            found, rest = _dead_page(reader, kind, reason, after, limit)
            lines = [_dead_line(number, letter) for number, letter in found]
            documents = [_as_document(letter) for _, letter in found]
        else:
            events, rest = _pending_page(reader, kind, after, limit)
            lines = [_pending_line(event) for event in events]
            documents = [_as_document(event) for event in events]
        output.document({"ok": True, "events": documents, "next": rest})
        for line in lines:
            output.line(line)
        if rest is not None:
            options = " ".join(f"--{name} {value}" for name, value in rest.items())
            output.line(f"There are more: {options}")
        return 0

    return reading(output, url, look)


_Rest = dict[str, str | int] | None
"""The options that give the next page; None where there is none."""


def _pending_page(
    reader: Reader, kind: EventKind | None, after: int, limit: int
) -> tuple[list[StoredEvent], _Rest]:
    """Pending events of one kind; of the first of which there are any, where none is named."""
    usage = reader.counts().pending
    first: EventKind = next((each for each in KINDS if usage[each].items), KINDS[0])
    chosen: EventKind = first if kind is None else kind
    found = reader.pending(kind=chosen, after=after, limit=limit + 1)
    rest: _Rest = {"kind": chosen, "after": found[limit - 1].position} if len(found) > limit else None
    return found[:limit], rest


def _dead_page(
    reader: Reader, kind: EventKind | None, reason: str | None, after: int, limit: int
) -> tuple[list[tuple[int, DeadLetter]], _Rest]:
    found: list[tuple[int, DeadLetter]] = []
    for number, letter in _letters(reader, after):
        if reason in {None, letter.reason} and kind in {None, letter.event.kind}:
            if len(found) == limit:
                rest: dict[str, str | int | None] = {"kind": kind, "reason": reason, "after": found[-1][0]}
                return found, {name: value for name, value in rest.items() if value is not None}
            found.append((number, letter))
    return found, None


def _letters(reader: Reader, after: int = 0) -> Iterator[tuple[int, DeadLetter]]:
    while page := reader.dead_letters(after=after, limit=_PAGE):
        yield from page
        after = page[-1][0]


def _pending_line(event: StoredEvent) -> str:
    age = _span(time.time() - event.accepted_at)
    return f"{event.position:>10}  {event.event_id}  {age:>9}  {event.stream} #{event.seq}"


def _dead_line(number: int, letter: DeadLetter) -> str:
    age, event = _span(time.time() - letter.died_at), letter.event
    why = letter.reason if letter.status is None else f"{letter.reason} {letter.status}"
    arrived = "  possibly arrived" if letter.possibly_arrived else ""
    return f"{number:>10}  {event.event_id}  {age:>9}  {event.stream} #{event.seq}  {why}{arrived}"


def show(output: Output, url: str, event_id: str) -> int:
    """All that is known of one event, and its payload."""

    def look(reader: Reader) -> int:
        found = reader.find(event_id)
        if found is None:
            return output.failed(
                f"No event {event_id} is pending or dead: it was delivered, purged or never accepted."
            )
        document = _as_document(found)
        output.document({"ok": True, "event": document})
        payload = document.pop("payload")
        for name, value in document.items():
            output.line(f"{name:<16} {value}")
        output.line(json.dumps(payload, indent=2, ensure_ascii=False))
        return 0

    return reading(output, url, look)


def export(output: Output, url: str, fate: Fate) -> int:
    """Print events as JSON, one in a line, each payload as the bytes that were accepted.

    On a terminal, what would steer it is escaped.
    """

    def look(reader: Reader) -> int:
        for found in _all(reader, fate):
            event = found.event if isinstance(found, DeadLetter) else found
            line = b'%s, "payload": %s}\n' % (json.dumps(_facts(found))[:-1].encode(), event.payload)
            if output.console.is_terminal:
                output.line(line.decode().rstrip())
            else:
                sys.stdout.buffer.write(line)
        sys.stdout.flush()
        return 0

    return reading(output, url, look)


def _all(reader: Reader, fate: Fate) -> Iterator[StoredEvent | DeadLetter]:
    if fate is Fate.dead:
        yield from (letter for _, letter in _letters(reader))
        return
    for kind in KINDS:
        after = 0
        while page := reader.pending(kind=kind, after=after, limit=_PAGE):
            yield from page
            after = page[-1].position


def _as_document(found: StoredEvent | DeadLetter) -> dict[str, object]:
    event = found.event if isinstance(found, DeadLetter) else found
    return {**_facts(found), "payload": json.loads(event.payload)}


def _facts(found: StoredEvent | DeadLetter) -> dict[str, object]:
    letter = found if isinstance(found, DeadLetter) else None
    event = found.event if isinstance(found, DeadLetter) else found
    facts: dict[str, object] = {
        "event_id": event.event_id,
        "state": "pending" if letter is None else "dead",
        "kind": event.kind,
        "stream": event.stream,
        "seq": event.seq,
        "accepted_at": _moment(event.accepted_at),
    }
    if letter is not None:
        facts |= {
            "died_at": _moment(letter.died_at),
            "reason": letter.reason,
            "status": letter.status,
            "tries": letter.tries,
            "possibly_arrived": letter.possibly_arrived,
            "detail": letter.detail,
        }
    return facts


# Decide


def requeue(output: Output, url: str, event_ids: Sequence[str], reason: str | None) -> int:
    """Put dead letters at the ends of their streams: those with the ids, or all of one reason."""

    def chosen(letters: Iterable[DeadLetter]) -> list[str]:
        if reason is None:
            return _known(letters, event_ids)
        return [letter.event.event_id for letter in letters if letter.reason == reason]

    return _decide(output, url, "requeued", chosen, Outbox.requeue)


def purge(output: Output, url: str, event_ids: Sequence[str]) -> int:
    """Delete dead letters for good: those with the ids, or all where none is given."""

    def chosen(letters: Iterable[DeadLetter]) -> list[str]:
        if event_ids:
            return _known(letters, event_ids)
        return [letter.event.event_id for letter in letters]

    return _decide(output, url, "purged", chosen, Outbox.purge)


def _decide(
    output: Output,
    url: str,
    what: str,
    chosen: Callable[[Iterable[DeadLetter]], list[str]],
    act: Callable[[Outbox, Iterable[str]], int],
) -> int:
    try:
        must_exist(url)
        with Outbox.open(url) as outbox:
            ids = chosen(outbox.dead_letters())
            done = sum(act(outbox, ids[start : start + _PAGE]) for start in range(0, len(ids), _PAGE))
    except (CXoneError, ImportError) as error:  # PostgreSQL needs its extra
        return output.failed(str(error))
    output.document({"ok": True, what: done})
    output.line(f"{what} {done}")
    return 0


def _known(letters: Iterable[DeadLetter], event_ids: Sequence[str]) -> list[str]:
    """The ids, once each. Raises `ConfigurationError` where one is no dead letter's: then nothing is done."""
    dead = {letter.event.event_id for letter in letters}
    if missing := [event_id for event_id in event_ids if event_id not in dead]:
        raise ConfigurationError([f"No dead letter has the id {each}. Nothing was done." for each in missing])
    return list(dict.fromkeys(event_ids))


# Words


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def _span(seconds: float | None) -> str:
    """How long that is, in two units at most; empty where there is nothing."""
    if seconds is None:
        return ""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def _kib(size: int) -> int:
    return -(-size // _KIB)
