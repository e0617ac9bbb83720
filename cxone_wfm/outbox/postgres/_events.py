"""What happens to accepted events, as statements of SQL: given out, delivered, dead, listed, forgotten."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from attrs import frozen

from ..store import KINDS, Dead, DeadLetter, EventKind, StoredEvent, lane_of
from ._accept import Placed, lock_lanes, next_places, place
from ._backlog import Row
from ._totals import Delta

_COLUMNS = "kind, position, event_id, stream, seq, accepted_at, payload"
_LETTER = f"{_COLUMNS.replace('position', 'number')}, reason, status, detail, tries, unknown, died_at"
_NOTHING_KEPT = (
    "NOT EXISTS (SELECT FROM event WHERE event.stream = stream.stream)"
    # By a stream's last number it is known whether a report is a repetition, so it outlives the keys.
    " AND NOT EXISTS (SELECT FROM ledger WHERE ledger.stream = stream.stream)"
    " AND NOT EXISTS (SELECT FROM dead WHERE dead.stream = stream.stream)"
)


def rows_of_lanes(
    connection: psycopg.Connection, kind: EventKind, lanes: Mapping[int, int], most: int
) -> list[Row]:
    """Pending rows of some lanes beyond a position each, in the order of positions."""
    found = connection.execute(
        "SELECT row.* FROM unnest(%s::smallint[], %s::bigint[]) AS wanted (lane, after) CROSS JOIN LATERAL ("
        " SELECT position, lane, stream, octet_length(payload) FROM event"
        " WHERE kind = %s AND event.lane = wanted.lane AND position > after ORDER BY position LIMIT %s"
        ") AS row ORDER BY position",
        (list(lanes), list(lanes.values()), KINDS.index(kind), most),
    )
    return list(map(Row._make, found))


def rows_of_stream(
    connection: psycopg.Connection, stream: str, after: int, last: int, limit: int
) -> list[Row]:
    """Pending rows of one stream between two positions."""
    found = connection.execute(
        "SELECT position, lane, stream, octet_length(payload) FROM event"
        " WHERE stream = %s AND position > %s AND position <= %s ORDER BY position LIMIT %s",
        (stream, after, last, limit),
    )
    return list(map(Row._make, found))


@frozen
class Tried:
    """An event that was given out before, as it is kept. `number` is the same for those of one request."""

    row: Row
    number: int
    kind: EventKind
    tries: int
    unknown: bool
    crashes: int
    sending: bool


def tried(connection: psycopg.Connection, lanes: Iterable[int]) -> list[Tried]:
    """What was given out before in these lanes, by number and position."""
    found = connection.execute(
        "SELECT position, attempt.lane, stream, octet_length(payload), number, kind, tries, unknown, crashes,"
        " sending FROM attempt JOIN event USING (position) WHERE attempt.lane = ANY(%s::smallint[])"
        " ORDER BY number, position",
        (list(lanes),),
    )
    return [Tried(Row(*row[:4]), row[4], KINDS[row[5]], *row[6:]) for row in found]


def note_tries(
    connection: psycopg.Connection,
    rows: Sequence[Row],
    number: int,
    *,
    tries: int,
    unknown: bool,
    crashes: int,
    sending: bool,
) -> None:
    """Write down how it stands with the events of one request."""
    connection.execute(
        "INSERT INTO attempt (position, lane, number, tries, unknown, crashes, sending)"
        " SELECT position, lane, %s, %s, %s, %s, %s"
        " FROM unnest(%s::bigint[], %s::smallint[]) AS row (position, lane)"
        " ON CONFLICT (position) DO UPDATE SET number = excluded.number, tries = excluded.tries,"
        " unknown = excluded.unknown, crashes = excluded.crashes, sending = excluded.sending",
        (
            number,
            tries,
            unknown,
            crashes,
            sending,
            [row.position for row in rows],
            [row.lane for row in rows],
        ),
    )


def events(connection: psycopg.Connection, rows: Sequence[Row]) -> tuple[StoredEvent, ...]:
    """These events, as far as they are there, in the order of acceptance."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM event WHERE position = ANY(%s::bigint[]) ORDER BY position",  # noqa: S608 - our own words
        ([row.position for row in rows],),
        binary=True,
    )
    return tuple(_event(*row) for row in found)


def deliver(connection: psycopg.Connection, rows: Sequence[Row]) -> None:
    """Delete events that were delivered, and remember their keys."""
    connection.execute(
        "WITH delivered AS (DELETE FROM event WHERE position = ANY(%(rows)s::bigint[])"
        "  RETURNING key, digest, event_id, stream, seq),"
        " ended AS (DELETE FROM attempt WHERE position = ANY(%(rows)s::bigint[]))"
        " INSERT INTO ledger (key, digest, event_id, stream, seq)"
        " SELECT key, digest, event_id, stream, seq FROM delivered WHERE key IS NOT NULL"
        " ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, event_id = excluded.event_id,"
        " stream = excluded.stream, seq = excluded.seq, delivered_at = excluded.delivered_at",
        {"rows": [row.position for row in rows]},
    )


def bury(
    connection: psycopg.Connection,
    rows: Sequence[Row],
    dead: Sequence[Dead],
    *,
    tries: int,
    unknown: bool,
    at: float,
) -> None:
    """Make dead letters of events, in this order. `unknown`: a try of theirs may have arrived."""
    connection.execute(
        "WITH dying AS (SELECT * FROM unnest(%(rows)s::bigint[], %(reasons)s::text[], %(statuses)s::int[],"
        "  %(details)s::text[]) WITH ORDINALITY AS dying (position, reason, status, detail, place)),"
        " gone AS (DELETE FROM event USING dying WHERE event.position = dying.position"
        "  RETURNING event.*, reason, status, detail, place),"
        " ended AS (DELETE FROM attempt WHERE position = ANY(%(rows)s::bigint[])),"
        " noted AS (INSERT INTO death (lane, position, forgotten) SELECT lane, position, false FROM gone)"
        " INSERT INTO dead (kind, lane, event_id, stream, seq, key, digest, accepted_at, payload,"
        "  reason, status, detail, tries, unknown, died_at)"
        " SELECT kind, lane, event_id, stream, seq, key, digest, accepted_at, payload,"
        "  reason, status, detail, %(tries)s, %(unknown)s, %(at)s FROM gone ORDER BY place",
        {
            "rows": [row.position for row in rows],
            "reasons": [each.reason for each in dead],
            "statuses": [each.status for each in dead],
            "details": [_storable(each.detail) for each in dead],
            "tries": tries,
            "unknown": unknown,
            "at": at,
        },
    )


def _storable(text: str) -> str:
    """Without what PostgreSQL cannot keep in a text: NUL and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def pending(connection: psycopg.Connection, kind: EventKind, after: int, limit: int) -> list[StoredEvent]:
    """Pending events of one kind by position."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM event"  # noqa: S608 - our own words
        " WHERE position > %s AND kind = %s ORDER BY position LIMIT %s",
        (after, KINDS.index(kind), limit),
        binary=True,
    )
    return [_event(*row) for row in found]


def dead_letters(connection: psycopg.Connection, after: int, limit: int) -> list[tuple[int, DeadLetter]]:
    """Dead letters with their numbers."""
    found = connection.execute(
        f"SELECT {_LETTER} FROM dead WHERE number > %s ORDER BY number LIMIT %s",  # noqa: S608 - our own words
        (after, limit),
    )
    return [(letter.event.position, letter) for letter in (_letter(*row) for row in found)]


def find_dead(connection: psycopg.Connection, event_id: str) -> DeadLetter | None:
    """The dead letter with this id."""
    row = connection.execute(
        f"SELECT {_LETTER} FROM dead WHERE event_id = %s",  # noqa: S608 - our own words
        (event_id,),
    ).fetchone()
    return _letter(*row) if row else None


def find_pending(
    connection: psycopg.Connection, event_id: str, after: int, most: int
) -> tuple[StoredEvent | None, int | None]:
    """The pending event with this id, if it is in one page, and where that ends; None at the end of all.

    Ids have no index, for people ask for them seldom.
    """
    found, last = connection.execute(
        "WITH page AS (SELECT position, event_id FROM event WHERE position > %s ORDER BY position LIMIT %s)"
        " SELECT (SELECT position FROM page WHERE event_id = %s), (SELECT max(position) FROM page)",
        (after, most, event_id),
    ).fetchone() or (None, None)
    if found is None:
        return None, last
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM event WHERE position = %s",  # noqa: S608 - our own words
        (found,),
    ).fetchone()
    return _event(*row) if row else None, last


def requeue(
    connection: psycopg.Connection, event_ids: Sequence[str], accepted_at: float
) -> tuple[int, Delta]:
    """Put dead letters at the ends of their streams."""
    wanted = list(dict.fromkeys(event_ids))
    streams = connection.execute("SELECT stream FROM dead WHERE event_id = ANY(%s)", (wanted,)).fetchall()
    lock_lanes(connection, {lane_of(stream) for (stream,) in streams})
    found = {
        event_id: (stream, KINDS[kind], size)
        for event_id, stream, kind, size in connection.execute(
            "SELECT event_id, stream, kind, octet_length(payload) FROM dead"
            " WHERE event_id = ANY(%s) FOR UPDATE",
            (wanted,),
        )
    }
    ordered = [event_id for event_id in wanted if event_id in found]
    last, positions = next_places(connection, {stream for stream, _, _ in found.values()}, len(found))
    placed: list[Placed] = []
    delta: Delta = Counter()
    for event_id, position in zip(ordered, positions, strict=True):
        stream, kind, size = found[event_id]
        last[stream] = last.get(stream, 0) + 1
        placed.append(Placed(position, stream, last[stream]))
        delta.update({f"items {kind}": 1, f"bytes {kind}": size, "dead items": -1, "dead bytes": -size})
    connection.execute(
        "WITH requeued AS (SELECT * FROM unnest(%(ids)s::text[], %(positions)s::bigint[], %(seqs)s::bigint[])"
        "  AS requeued (event_id, position, seq)),"
        " gone AS (DELETE FROM dead USING requeued WHERE dead.event_id = requeued.event_id"
        "  RETURNING dead.*, requeued.position, requeued.seq AS new_seq)"
        " INSERT INTO event (position, kind, lane, event_id, stream, seq, key, digest, accepted_at, payload)"
        " SELECT position, kind, lane, event_id, stream, new_seq, key, digest, %(at)s, payload FROM gone",
        {
            "ids": ordered,
            "positions": [each.position for each in placed],
            "seqs": [each.seq for each in placed],
            "at": accepted_at,
        },
    )
    place(connection, placed)
    return len(ordered), delta


def purge(connection: psycopg.Connection, event_ids: Sequence[str]) -> tuple[int, Delta]:
    """Delete dead letters."""
    return _purge(connection, "event_id = ANY(%s)", list(event_ids))


def _purge(connection: psycopg.Connection, which: str, *values: object) -> tuple[int, Delta]:
    found = connection.execute(
        f"DELETE FROM dead WHERE {which} RETURNING octet_length(payload)",  # noqa: S608 - our own words
        values,
    ).fetchall()
    size = sum(row[0] for row in found)
    return len(found), Counter({"purged": len(found), "dead items": -len(found), "dead bytes": -size})


def last_of_stream(connection: psycopg.Connection, stream: str) -> int:
    """The last position of a stream's pending events."""
    found = connection.execute(
        "SELECT position FROM event WHERE stream = %s ORDER BY position DESC LIMIT 1", (stream,)
    ).fetchone()
    return found[0] if found else 0


def discard(connection: psycopg.Connection, stream: str, most: int, mark: int) -> tuple[int, Delta]:
    """Delete the next pending events of a stream up to a position, but for what is sent or tried again."""
    lane = lane_of(stream)
    lock_lanes(connection, {lane})
    # Its owner gives nothing out meanwhile.
    connection.execute("SELECT FROM lane WHERE lane = %s FOR NO KEY UPDATE", (lane,))
    gone = connection.execute(
        "WITH page AS (SELECT position FROM event WHERE stream = %s AND position <= %s"
        "  AND NOT EXISTS (SELECT FROM attempt WHERE attempt.position = event.position)"
        "  ORDER BY position LIMIT %s),"
        " gone AS (DELETE FROM event USING page WHERE event.position = page.position"
        "  RETURNING kind, lane, event.position, octet_length(payload) AS size),"
        " noted AS (INSERT INTO death (lane, position, forgotten) SELECT lane, position, true FROM gone)"
        " SELECT kind, size FROM gone",
        (stream, mark, most),
    ).fetchall()
    delta: Delta = Counter()
    for kind, size in gone:
        delta.update({"purged": 1, f"items {KINDS[kind]}": -1, f"bytes {KINDS[kind]}": -size})
    return len(gone), delta


def discard_letters(connection: psycopg.Connection, stream: str, most: int) -> tuple[int, Delta]:
    """Delete dead letters of a stream."""
    return _purge(
        connection,
        "number IN (SELECT number FROM dead WHERE stream = %s LIMIT %s)",
        stream,
        most,
    )


def discard_keys(connection: psycopg.Connection, stream: str, most: int) -> tuple[int, Delta]:
    """Forget keys of a stream."""
    gone = connection.execute(
        "DELETE FROM ledger WHERE number IN (SELECT number FROM ledger WHERE stream = %s LIMIT %s)",
        (stream, most),
    )
    return gone.rowcount, Counter()


def discard_stream(connection: psycopg.Connection, stream: str) -> tuple[int, Delta]:
    """Forget a stream of which nothing is kept."""
    lock_lanes(connection, {lane_of(stream)})
    gone = connection.execute(f"DELETE FROM stream WHERE stream = %s AND {_NOTHING_KEPT}", (stream,))  # noqa: S608 - our own words
    return gone.rowcount, Counter()


def forget_old(
    connection: psycopg.Connection, seconds: float, ledger_rows: int, after: str, most: int
) -> str:
    """Forget keys, streams and deaths that are so old by the server's clock, at most so many of each.

    Looks at so many streams after one, and gives the last that it looked at; an empty text at the end.
    """
    connection.execute(
        "DELETE FROM ledger WHERE number = ANY(ARRAY(SELECT number FROM ("
        " SELECT number, delivered_at FROM ledger ORDER BY number LIMIT %(most)s) AS oldest"
        " WHERE delivered_at < clock_timestamp() - make_interval(secs => %(seconds)s)"
        " OR number <= (SELECT max(number) FROM ledger) - %(rows)s))",
        {"most": most, "seconds": seconds, "rows": ledger_rows},
    )
    connection.execute("DELETE FROM death WHERE died_at < clock_timestamp() - interval '1 day'")
    connection.execute("DELETE FROM member WHERE alive_until < clock_timestamp() - interval '1 day'")
    page = connection.execute(
        "SELECT stream FROM stream WHERE stream > %s ORDER BY stream LIMIT %s", (after, most)
    ).fetchall()
    streams = [row[0] for row in page]
    connection.execute(
        "DELETE FROM stream WHERE stream = ANY(%s)"  # noqa: S608 - our own words
        " AND last_at < clock_timestamp() - make_interval(secs => %s)"
        f" AND {_NOTHING_KEPT}",
        (streams, seconds),
    )
    return streams[-1] if len(streams) == most else ""


def _event(*row: Any) -> StoredEvent:  # noqa: ANN401 - what the table holds
    kind, position, event_id, stream, seq, accepted_at, payload = row
    return StoredEvent(
        position=position,
        event_id=event_id,
        kind=KINDS[kind],
        stream=stream,
        seq=seq,
        accepted_at=accepted_at,
        payload=payload,
    )


def _letter(*row: Any) -> DeadLetter:  # noqa: ANN401 - what the table holds
    reason, status, detail, tries, unknown, died_at = row[7:]
    return DeadLetter(
        event=_event(*row[:7]),
        reason=reason,
        status=status,
        detail=detail,
        tries=tries,
        possibly_arrived=unknown,
        died_at=died_at,
    )
