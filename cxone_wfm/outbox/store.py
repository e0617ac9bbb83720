"""What an outbox asks of the place where events are kept: the protocol, and what crosses it. No I/O here.

The words, the same everywhere:

- An **event** is one accepted record: its bytes as they go on the wire, and what identifies it.
- A **stream** is what has an order: the states of one agent, the reports of one interval. Its events are
  numbered 1, 2, 3 ... without a gap (`seq`).
- A **lane** is a fixed part of all streams, `lane_of(stream)`. Where several processes share a store, a lane
  belongs to one of them at a time. Inside a process it means nothing.
- An **attempt** is a set of events that go out in one request, at most one of each stream. From the moment
  it is made until each of its events is delivered or dead, no other event of its streams is given out.
  A failed attempt is tried again as the same set, so its requests are equal to the byte, or it is split.

An event is *pending* until it is *delivered* (and then only its key is remembered, for a while) or *dead*.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from attrs import field, frozen

__all__ = [
    "KINDS",
    "LANES",
    "SUSPECT_CRASHES",
    "SUSPECT_SECONDS",
    "Again",
    "Attempt",
    "Counts",
    "Dead",
    "DeadLetter",
    "EventKind",
    "NewEvent",
    "Outcome",
    "Receipt",
    "Store",
    "StoredEvent",
    "Tally",
    "Usage",
    "Want",
    "Watch",
    "lane_of",
]

EventKind = Literal["agent_state", "agent_activity_report", "historical_report"]
KINDS: tuple[EventKind, ...] = ("agent_state", "agent_activity_report", "historical_report")

LANES = 64
"""How many lanes there are (our choice). It can never change: who owns what hangs on it."""


SUSPECT_CRASHES = 3
SUSPECT_SECONDS = 5.0
"""A set that was being sent before so many dirty starts in a row is a suspect. It is sent alone, and not
before the process has lived for some seconds: else a process that is killed again and again from outside
would seem to die of it. Both numbers are our choice."""


def lane_of(stream: str) -> int:
    """The lane of a stream, from 0 to `LANES` - 1."""
    return zlib.crc32(stream.encode()) % LANES


class NewEvent(NamedTuple):
    """An event that asks to be accepted.

    `key` is what makes it the same event: 24 bytes, of which the first 8 grow with the record's own time,
    so that the index of keys grows at its end. `digest` is a hash of the payload.

    `key_is_content` says that the key was made from the payload alone. Then it is a repetition only of the
    *last* event of its stream: report A, its correction B and then A again are three events. With a key
    that the caller chose, or that holds the moment of a state, it is a repetition of any earlier one.
    """

    event_id: str
    kind: EventKind
    stream: str
    key: bytes
    key_is_content: bool
    digest: bytes
    payload: bytes


@frozen(kw_only=True)
class Receipt:
    """The event is on stable storage.

    `event_id` is its UUID, which every request that carries it alone has as its X-Request-Id. `seq` is its
    place in `stream`, from 1; a stream of which nothing is kept any more begins at 1 again. `duplicate`: it
    had been accepted before, and these are the facts of that earlier event.
    """

    event_id: str
    stream: str
    seq: int
    duplicate: bool


@frozen(kw_only=True)
class StoredEvent:
    """An event as it is kept. `position` is its place in the order of acceptance among events of its kind.

    `accepted_at` is seconds since 1970 by this machine's clock: for people to read, never to order by.
    """

    position: int
    event_id: str
    kind: EventKind
    stream: str
    seq: int
    accepted_at: float
    payload: bytes = field(repr=False)


@frozen(kw_only=True)
class Attempt:
    """Events that are to be sent in one request now. That they are is on stable storage already.

    `tries` counts the requests, this one included. `unknown`: CXone may have taken an earlier one.
    `crashes` counts the dirty starts in a row before which it was being sent; beyond `SUSPECT_CRASHES` only
    those before which nothing else was, so that nothing innocent is taken for the reason. `number` names
    this very try: the next try of the same set has another. `send_before`: it must not be sent from that
    moment of the monotonic clock on, for its lanes may go to another process.
    """

    number: int
    kind: EventKind
    events: tuple[StoredEvent, ...]
    tries: int
    unknown: bool
    crashes: int
    send_before: float = math.inf


@frozen(kw_only=True)
class Dead:
    """One event of an attempt will not be sent again, and why.

    `reason` is a short constant word, such as "refused", for counting. `status` is the HTTP status of the
    last answer, `detail` what is known beyond that, at most 2 KiB, free of secrets.
    """

    event_id: str
    reason: str
    status: int | None = None
    detail: str = ""


@frozen(kw_only=True)
class Again:
    """Events of an attempt that will be tried again as one set, not before a moment of the clock."""

    event_ids: tuple[str, ...]
    not_before: float


@frozen(kw_only=True)
class Outcome:
    """What came of one try. Each event of the attempt is in exactly one of the three, by its id.

    `unknown`: whether CXone may have taken what is in `again` or `dead`. `at`: when it was known, in seconds
    since 1970, for people to read.
    """

    attempt: Attempt
    delivered: tuple[str, ...] = ()
    dead: tuple[Dead, ...] = ()
    again: tuple[Again, ...] = ()
    unknown: bool = False
    at: float


@frozen(kw_only=True)
class Want:
    """What a sender would send next.

    At most `most` events and `most_bytes` bytes of payload, but at least one event. The request takes at
    most `seconds`: a store with leases gives only events of lanes that stay its own for longer than that.
    Sets that were tried before come first, or, with `fresh_first`, events that never were. A set is given
    whole, whatever its size.
    """

    kind: EventKind
    most: int
    most_bytes: int
    seconds: float
    fresh_first: bool = False


@frozen(kw_only=True)
class DeadLetter:
    """A dead event: what it was, why it died, how often it was tried.

    `possibly_arrived`: the fate of one of its tries is unknown, so CXone may have it. A 409 after such a try
    may mean just that.
    """

    event: StoredEvent
    reason: str
    status: int | None
    detail: str
    tries: int
    possibly_arrived: bool
    died_at: float


@frozen(kw_only=True)
class Usage:
    """How much there is of something: events, and bytes of their payloads."""

    items: int = 0
    bytes: int = 0


@frozen(kw_only=True)
class Counts:
    """How the store stands: `accepted == delivered + purged + pending + dead`, always.

    `accepted`, `delivered`, `possibly_duplicated`, `purged` and `parked` (by reason) count since the store
    was made. `possibly_duplicated` are deliveries of events of which an earlier try may have arrived.
    """

    accepted: int
    delivered: int
    possibly_duplicated: int
    purged: int
    pending: Mapping[EventKind, Usage]
    dead: Usage
    parked: Mapping[str, int]


@frozen(kw_only=True)
class Tally:
    """What became of the events that were pending when the watch began, but for those forgotten since."""

    delivered: int
    pending: int
    dead: int


class Watch(Protocol):
    """Follows the events that were pending at one moment. Events that are requeued later do not count.

    Those that are forgotten leave the watch: they are neither delivered nor dead nor pending.
    """

    def tally(self) -> Tally:
        """How many of them are delivered, pending and dead now. The sum changes only by what is forgotten."""
        ...

    def close(self) -> None:
        """Stop to follow."""
        ...


class Store(Protocol):
    """Where events are kept. Every method may be called by any thread at any time.

    What a method has written when it returns is on stable storage. What it raises:

    - `OutboxUnavailable`: nothing was written, or nothing that a later call would not find right again.
      The caller may try again; the store puts itself in order first (it opens the file or the connection
      anew, and settles what the failed call left behind). `OutboxFull`: likewise, for the medium is full.
    - `ForkedOutboxError` in a forked child.

    A store never waits for a caller's events to be sent, and never calls back.
    """

    poll_seconds: float
    """How long a sender that found nothing to send may wait before it asks again. Where other processes
    accept events into the same store, nobody wakes it."""

    def accept(self, events: Sequence[NewEvent], accepted_at: float) -> list[Receipt]:
        """Put events at the ends of their streams, all or none, in one transaction; a receipt for each.

        `seq` comes from a counter of the stream in the same transaction, so that the order of the numbers
        is the order of the commits. An event whose key is known (pending, dead, or delivered and not
        forgotten yet) with the same digest is not stored: its receipt is the earlier event's, with
        `duplicate=True`. This holds inside one call too. See `NewEvent.key_is_content` for reports.

        Concurrent calls may share a transaction. Raises `ConflictingDuplicateError`, and accepts nothing,
        where a key is known with another digest; `OutboxUnavailable` where nothing was accepted;
        `EnqueueOutcomeUnknown` where it cannot be found out whether the commit was done. It knows no
        bounds: who calls has looked at `counts()`.
        """
        ...

    def advance(self, outcomes: Sequence[Outcome], wants: Sequence[Want], now: float) -> Attempt | None:
        """Record what came of tries and give out the next attempt, in one transaction.

        The first of the wants for which there is something decides. A set tried before is given when its
        `not_before` has come, one with the fewest tries first; which of several is not said. Fresh events
        are the next in the order of acceptance, at most one of each stream, none of a stream that has an
        unresolved attempt. `now` is a moment of the same clock as `not_before`.

        Delivered events are deleted, and their keys noted as delivered. Dead ones become dead letters.
        Each `again` becomes a set to try again, with the attempt's tries, and `unknown` if it or an
        earlier try was. An outcome is ignored where its attempt is not the current try of its set any
        more: the lane went to another owner, or the outcome was recorded before.

        Without outcomes, and with nothing to give, it writes nothing and returns None. That an attempt
        is being sent is stored before it is returned, so after a crash the next opener knows that CXone may
        have it: such sets are given out again with `unknown` and `crashes` counted; a set whose outcome was
        recorded has `crashes` 0 again. A set with `SUSPECT_CRASHES` is given when nothing else is being sent
        by this process, `SUSPECT_SECONDS` after the store was first asked for work; and nothing else is given
        while it is being sent.

        Raises `OutboxUnavailable` where it was not recorded: call again with the same outcomes. No attempt
        was given out then.
        """
        ...

    def counts(self) -> Counts:
        """How the store stood after some recent transaction. Cheap: called for every event, so a store that
        would have to ask a server asks at most once a second."""
        ...

    def watch(self) -> Watch:
        """Begin to follow the events that are pending now. Close the watch."""
        ...

    def upkeep(self, now: float, wall: float) -> None:
        """Do what is due now and then: renew leases, forget old keys, give space back.

        A sender calls it about once a second, from a thread that never waits for the network. `now` is a
        moment of the monotonic clock, `wall` seconds since 1970.
        """
        ...

    def pending(self, *, kind: EventKind, after: int = 0, limit: int = 100) -> list[StoredEvent]:
        """Pending events of one kind with a position beyond `after`, in the order of acceptance."""
        ...

    def dead_letters(self, *, after: int = 0, limit: int = 100) -> list[tuple[int, DeadLetter]]:
        """Dead letters with their numbers, which grow with each death, beyond `after`."""
        ...

    def find(self, event_id: str) -> StoredEvent | DeadLetter | None:
        """The pending or dead event with this id; None where there is none."""
        ...

    def requeue(self, event_ids: Sequence[str], accepted_at: float) -> int:
        """Put dead letters at the end of their streams, with a new `seq` and the same id and key.

        Gives how many; ids that are no dead letter's are passed over. It may thus come after newer events.
        They count as accepted once.
        """
        ...

    def purge(self, event_ids: Sequence[str]) -> int:
        """Delete dead letters for good. Gives how many; ids that are no dead letter's are passed over."""
        ...

    def forget(self, stream: str) -> int:
        """Delete all that is kept of a stream: pending and dead events, keys, its name. Gives how many.

        For data-protection requests. Events that are being sent, or wait to be tried again, stay, and so do
        those that are accepted or requeued meanwhile, and the name and the last number of the stream with
        them. Without any, its numbers begin at 1 again. It works in pages, so that nobody waits long for it;
        where it raises, a part may be deleted, and a second call deletes the rest.
        """
        ...

    def close(self) -> None:
        """Let go of the file or the connection, and of all lanes. A second call does nothing.

        Where it was asked for work, no set was the end of this process: `crashes` of what it held is 0 again.
        """
        ...
