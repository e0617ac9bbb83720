"""What became of the events that were pending at one moment: the server is asked, now and then."""

import logging
from collections.abc import Callable

import psycopg
from attrs import frozen

from ...errors import OutboxUnavailable
from ..store import KINDS, Tally
from ._session import Session

_SLOW_TALLY, _TALLY_PAUSE = 0.25, 20
"""Seconds: a tally that took longer is not repeated before 20 times as long have passed."""
_log = logging.getLogger(__name__)


class Watch:
    """Asks the server, the less often the longer it takes to answer."""

    def __init__(self, session: Session, monotonic: Callable[[], float]) -> None:
        self._session = session
        self._monotonic = monotonic
        self._marks = session.read(_marks_now)
        self._last = Tally(delivered=0, pending=self._marks.pending, dead=0)
        self._not_before = float("-inf")
        self._closed = False

    def tally(self) -> Tally:
        """How many of them are delivered, pending and dead, as it was known last where the server is away."""
        began = self._monotonic()
        if not self._closed and began >= self._not_before:
            try:
                self._last = self._session.read(lambda connection: _tally(connection, self._marks))
            except OutboxUnavailable as error:
                _log.warning("what is left to flush is not known: %s", error)
            now = self._monotonic()
            took = now - began
            self._not_before = now + (_TALLY_PAUSE * took if took > _SLOW_TALLY else 0.0)
        return self._last

    def close(self) -> None:
        """Stop to follow."""
        self._closed = True


@frozen
class _Marks:
    """Up to where the events of each lane were accepted at one moment, and how many were pending.

    `ended`: how many of them had died and had been forgotten by then, since a while before.
    """

    lanes: list[int]
    positions: list[int]
    pending: int
    ended: list[int]
    since: str


def _marks_now(connection: psycopg.Connection) -> _Marks:
    """How it stands now."""
    values = {"kinds": len(KINDS) - 1, "names": [f"items {kind}" for kind in KINDS]}
    return _Marks(*connection.execute(_MARKS, values).fetchall()[0])


def _tally(connection: psycopg.Connection, since: _Marks) -> Tally:
    """What became of those that were pending then."""
    values = {
        "kinds": len(KINDS) - 1,
        "lanes": since.lanes,
        "positions": since.positions,
        "since": since.since,
    }
    ((left, ended),) = connection.execute(_TALLY, values).fetchall()
    dead, forgotten = (now - then for now, then in zip(ended, since.ended, strict=True))
    return Tally(pending=left, dead=dead, delivered=since.pending - left - dead - forgotten)


_MARKS = """
WITH mark AS (
  SELECT lane, coalesce((
    SELECT max(last.position) FROM generate_series(0, %(kinds)s) AS kind CROSS JOIN LATERAL (
      SELECT position FROM event WHERE event.kind = kind.kind AND event.lane = lane.lane
      ORDER BY position DESC LIMIT 1) AS last
  ), 0) AS position FROM lane
)
SELECT array_agg(lane ORDER BY lane), array_agg(position ORDER BY lane),
  coalesce((SELECT sum(value)::bigint FROM counter WHERE name = ANY(%(names)s)), 0),
  (SELECT ARRAY[count(*) FILTER (WHERE NOT forgotten), count(*) FILTER (WHERE forgotten)]
    FROM death JOIN mark USING (lane)
    WHERE death.position <= mark.position AND died_at > clock_timestamp() - interval '1 minute'),
  (clock_timestamp() - interval '1 minute')::text
FROM mark
"""
_TALLY = """
WITH mark AS (SELECT * FROM unnest(%(lanes)s::smallint[], %(positions)s::bigint[]) AS mark (lane, position))
SELECT (
  SELECT coalesce(sum(rest.items), 0)::bigint
  FROM mark CROSS JOIN generate_series(0, %(kinds)s) AS kind CROSS JOIN LATERAL (
    SELECT count(*) AS items FROM event
    WHERE event.kind = kind.kind AND event.lane = mark.lane AND event.position <= mark.position) AS rest
), (
  SELECT ARRAY[count(*) FILTER (WHERE NOT forgotten), count(*) FILTER (WHERE forgotten)]
  FROM death JOIN mark USING (lane)
  WHERE death.position <= mark.position AND died_at > %(since)s::timestamptz
)
"""
