"""What is new among events, and what was accepted before: the rule of every store. No I/O."""

from collections.abc import Iterable, MutableMapping

from ..errors import ConflictingDuplicateError
from .store import NewEvent, Receipt

Known = tuple[bytes, str, str, int]
"""Digest, event id, stream and seq of an event that was accepted before."""


def receipts(
    events: Iterable[NewEvent], known: MutableMapping[bytes, Known], last: MutableMapping[str, int]
) -> list[Receipt]:
    """The receipts of events, in their order. Those that are no duplicates are new.

    `known` are earlier events by their keys, `last` the last numbers of streams; what is new is added to
    both. Of events with one key, the newest has it. Raises `ConflictingDuplicateError` where a key is known
    with another digest.
    """
    found = []
    for index, event in enumerate(events):
        event_id, _, stream, key, key_is_content, digest, _ = event
        seq = last.get(stream, 0)
        if earlier := known.get(key):
            its_digest, its_id, its_stream, its_seq = earlier
            if its_digest != digest:
                raise ConflictingDuplicateError(index, its_id)
            if not key_is_content or its_seq == seq or its_id == event_id:
                found.append(Receipt(event_id=its_id, stream=its_stream, seq=its_seq, duplicate=True))
                continue
        last[stream] = seq + 1
        known[key] = (digest, event_id, stream, seq + 1)
        found.append(Receipt(event_id=event_id, stream=stream, seq=seq + 1, duplicate=False))
    return found
