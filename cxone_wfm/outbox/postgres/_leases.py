"""Which lanes belong to this process, and for how long.

Only the server's clock decides when a lease ends. Here its end is reckoned on the monotonic clock, from
before the renewal was sent, so that it is never thought to last longer than it does. An owner that takes over
from one that did not let go in order stays quiet until that one's last request must have ended.
"""

import logging
import math
from collections.abc import Callable, Collection

import psycopg
from attrs import frozen

from ..store import LANES

LEASE_SECONDS = 30.0
"""A lease lasts at least so long; longer, where a request may take more than a third of it."""
_MARGIN = 1 / 6
"""Of the lease: between the latest end of a request and the end of the lease."""
_RENEW = 1 / 4
"""Of the lease: its age when it is renewed."""
_log = logging.getLogger(__name__)


class LeaseLost(Exception):  # noqa: N818 - it happens, and is no mistake
    """A lane has another owner now. Nothing was written."""


@frozen
class Lane:
    """A lane of ours. Before `quiet_until`, on the monotonic clock, nothing of it may be sent."""

    epoch: int
    quiet_until: float


class Leases:
    """The lanes of one sending process."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._least = seconds
        self._monotonic = monotonic
        self._margin = seconds * _MARGIN
        self._request_seconds = 0.0
        self._renewed = -math.inf
        self._until = -math.inf
        self._share = LANES
        self.owner = 0
        """The number of this process among all owners that there ever were; 0 before it is one."""
        self.lanes: dict[int, Lane] = {}

    def mind(self, request_seconds: float) -> None:
        """A request may take so long."""
        if request_seconds > self._request_seconds:
            self._request_seconds = request_seconds
            self._renewed = -math.inf  # the lease has to be longer

    @property
    def seconds(self) -> float:
        """How long a lease lasts: long enough that a request begun when it is half over ends in time."""
        return max(self._least, 2 * (self._request_seconds + self._margin))

    def cover(self, request_seconds: float) -> bool:
        """Whether a request that begins now ends while the lanes are ours for certain."""
        return self._monotonic() < self.send_before(request_seconds)

    def send_before(self, request_seconds: float) -> float:
        """When a request must have begun that is to end while the lanes are ours for certain."""
        return self._until - request_seconds - self._margin

    def due(self) -> bool:
        """Whether it is time to renew."""
        return self._monotonic() - self._renewed > self.seconds * _RENEW

    def usable(self) -> set[int]:
        """The lanes of which something may be sent."""
        now = self._monotonic()
        return {lane for lane, mine in self.lanes.items() if mine.quiet_until <= now}

    def worth_a_look(self, connection: psycopg.Connection) -> bool:
        """Whether there are free lanes that we should have, or new members to give some to."""
        share, free = connection.execute(
            "SELECT (SELECT count(*) FROM member WHERE alive_until > clock_timestamp() OR owner = %s),"
            " (SELECT count(*) FROM lane WHERE owner IS NULL OR lease_until < clock_timestamp())",
            (self.owner,),
        ).fetchone() or (1, 0)
        self._share = -(-LANES // max(1, share))
        return len(self.lanes) > self._share or (free > 0 and len(self.lanes) < self._share)

    def tend(self, connection: psycopg.Connection, idle: Collection[int]) -> "Tended":
        """Renew what is ours, take what is free, let go of `idle` lanes beyond our share. In a transaction.

        What it gives is true once that is committed: then call `apply`.
        """
        began = self._monotonic()
        if not self.owner:
            (self.owner,) = connection.execute("SELECT nextval('owner')").fetchone() or (0,)
        values = {
            "me": self.owner,
            "lease": self.seconds,
            "request": self._request_seconds,
        }
        connection.execute(
            "INSERT INTO member VALUES (%(me)s, clock_timestamp() + make_interval(secs => %(lease)s))"
            " ON CONFLICT (owner) DO UPDATE SET alive_until = excluded.alive_until",
            values,
        )
        renewed = connection.execute(
            "UPDATE lane SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s),"
            " request_seconds = %(request)s WHERE owner = %(me)s",
            values,
        )
        self.worth_a_look(connection)
        too_many = renewed.rowcount - self._share
        if too_many > 0:
            self._let_go(connection, sorted(idle)[:too_many])
        else:
            connection.execute(_TAKE, values | {"most": -too_many})
        rows = connection.execute(_MINE, values).fetchall()
        return Tended(
            began=began,
            until=began + self.seconds,
            lanes={lane: (epoch, quiet) for lane, epoch, quiet in rows},
        )

    def apply(self, tended: "Tended") -> tuple[set[int], set[int]]:
        """It is committed. Gives the lanes that were lost or let go, and those that came."""
        self._renewed, self._until = tended.began, tended.until
        now = self._monotonic()
        before, self.lanes = (
            self.lanes,
            {lane: Lane(epoch, now + quiet) for lane, (epoch, quiet) in tended.lanes.items()},
        )
        same = {
            lane for lane, mine in self.lanes.items() if lane in before and before[lane].epoch == mine.epoch
        }
        gone, came = set(before) - same, set(self.lanes) - same
        if gone or came:
            _log.info("this process has %d of %d lanes of the outbox", len(self.lanes), LANES)
        return gone, came

    def fence(self, connection: psycopg.Connection, lanes: Collection[int]) -> None:
        """Hold these lanes to the end of the transaction. Raises `LeaseLost` where one is not ours."""
        wanted = sorted(lanes)
        found = connection.execute(
            "SELECT lane.lane FROM lane JOIN unnest(%s::smallint[], %s::bigint[]) AS mine (lane, epoch)"
            " ON lane.lane = mine.lane AND lane.epoch = mine.epoch AND lane.owner = %s"
            " ORDER BY lane.lane FOR NO KEY UPDATE OF lane",
            (wanted, [self.lanes[lane].epoch for lane in wanted], self.owner),
        )
        if found.rowcount != len(wanted):
            raise LeaseLost

    def let_go_of_all(self, connection: psycopg.Connection) -> None:
        """Give everything back in order: another process may go on at once.

        This one does not die of anything that it sent, so the dirty starts in a row end here.
        """
        connection.execute(_FORGIVE, (self.owner,))
        self._let_go(connection, list(self.lanes))
        connection.execute("DELETE FROM member WHERE owner = %s", (self.owner,))

    def _let_go(self, connection: psycopg.Connection, lanes: list[int]) -> None:
        connection.execute(_LET_GO, {"me": self.owner, "lanes": lanes})


@frozen(kw_only=True)
class Tended:
    """What is ours after a renewal: lane -> epoch and for how many seconds to be quiet."""

    began: float
    until: float
    lanes: dict[int, tuple[int, float]]


_TAKE = """
WITH free AS (
  SELECT lane, owner, lease_until, greatest(request_seconds, %(request)s) AS request_seconds FROM lane
  WHERE owner IS NULL OR lease_until < clock_timestamp()
  ORDER BY lease_until, lane LIMIT %(most)s FOR UPDATE SKIP LOCKED
), taken AS (
  UPDATE lane SET owner = %(me)s, epoch = lane.epoch + 1,
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s), request_seconds = %(request)s,
    quiet_until = CASE WHEN free.owner IS NULL THEN '-infinity'
      ELSE free.lease_until + make_interval(secs => free.request_seconds) END
  FROM free WHERE lane.lane = free.lane
  RETURNING lane.lane, free.owner IS NOT NULL AS in_disorder
)
UPDATE attempt SET sending = false, unknown = true, crashes = crashes + 1
FROM taken WHERE attempt.lane = taken.lane AND in_disorder AND sending
"""
_FORGIVE = """
UPDATE attempt SET crashes = 0 FROM lane WHERE lane.owner = %s AND attempt.lane = lane.lane AND crashes > 0
"""
_LET_GO = """
WITH given_back AS (
  UPDATE lane SET owner = NULL, lease_until = '-infinity', quiet_until = '-infinity', request_seconds = 0
  WHERE owner = %(me)s AND lane = ANY(%(lanes)s::smallint[]) RETURNING lane
)
UPDATE attempt SET sending = false, unknown = true
FROM given_back WHERE attempt.lane = given_back.lane AND sending
"""
_MINE = """
SELECT lane, epoch, CASE WHEN quiet_until <= clock_timestamp() THEN 0
  ELSE extract(epoch FROM quiet_until - clock_timestamp())::double precision END
FROM lane WHERE owner = %(me)s
"""
