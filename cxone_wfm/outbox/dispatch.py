"""Decisions: what may be sent now, and what the end of a try means for its events. No I/O, and no clock."""

import math
from collections.abc import Callable, Sequence

from attrs import define

from ..config import WfmConfig
from ..errors import (
    APIError,
    CertificateError,
    NotSentError,
    OutcomeUnknownError,
    PayloadRejectedError,
    PayloadTooLargeError,
    RateLimitedError,
    RedirectError,
    ServerError,
)
from ._breaker import PROBE_SECONDS, Breaker
from .store import KINDS, SUSPECT_CRASHES, Again, Attempt, Dead, EventKind, Outcome, Want

FAILURES, REDIRECTS = 5, 3
"""So many failures in a row open a breaker."""
THROTTLED_SECONDS = 1.0
"""How long everything rests after a 429 that does not say how long."""
SPLIT_TRIES = 3
"""A set that failed so often, while others succeeded, is split: one of its events may be the reason."""
POISON_TRIES, POISON_SECONDS, POISON_SUCCESSES = 20, 3600.0, 50
"""An event that failed so often and so long, while so many requests succeeded, is parked."""
LONGEST_SET_WAIT = 8.0
"""Seconds that one set waits at most where its route works; where it does not, the breaker waits longer."""
MOST_WAITING = 16
"""With so many sets to be tried again, a probe is one of them, not one more event."""
GATHER_SECONDS, FEW = 0.05, 50
"""After a request with fewer states than that, the next one begins so much later than it did: a steady flow
goes out in fewer requests, and each takes more along (our choice)."""
ENVELOPE = len(b'{"agentStateList":[]}')
_DETAIL = 2048
_TOO_EARLY = 425
"""The one status of a `ServerError` that says that the request was not looked at (RFC 8470). A gateway may
answer 408 or 503 after it had passed the request on, and the vendor says nothing of it. All this is our
choice."""


def is_configuration(error: Exception) -> bool:
    """Whether the error says that settings or rights are wrong, not the data and not the moment."""
    if isinstance(error, APIError) and error.no_token:
        return not isinstance(error, (RateLimitedError, ServerError))
    if isinstance(error, (RateLimitedError, ServerError, PayloadRejectedError)):
        return False
    return isinstance(error, (CertificateError, APIError))


def may_have_arrived(error: Exception) -> bool:
    """Whether CXone may have taken what was sent."""
    if getattr(error, "no_token", False) or isinstance(error, NotSentError):
        return False
    if isinstance(error, ServerError):
        return error.status != _TOO_EARLY
    return not isinstance(error, APIError)


@define
class _Trouble:
    """When a set first failed, how many requests had succeeded by then, and how often it failed since."""

    since: float
    successes: int
    failures: int = 0


class Dispatcher:
    """Decides for all workers of one sender. Not thread-safe: the sender holds a lock around it.

    `now` is always a moment of the monotonic clock, `at` seconds since 1970.
    """

    def __init__(self, config: WfmConfig, workers: int, chance: Callable[[], float]) -> None:
        self._config = config
        self._chance = chance
        self._turn = 0
        self._without_place: set[EventKind] = set()
        self._gather_until = -math.inf
        self._most: dict[EventKind, int] = dict.fromkeys(KINDS, 1) | {"agent_state": config.max_batch}
        self._troubles: dict[str, _Trouble] = {}
        self._waiting: dict[EventKind, int] = dict.fromkeys(KINDS, 0)
        self.breakers = {kind: Breaker(workers, chance) for kind in KINDS}

    def wants(self, now: float, *, hurry: bool = False) -> list[Want]:
        """What may be sent now, the kinds in turns. Each want takes a place until `gave` or `judge`.

        With `hurry`, states are not gathered: somebody waits for what is pending.
        """
        self._turn += 1
        found: list[Want] = []
        for number in range(len(KINDS)):
            kind = KINDS[(self._turn + number) % len(KINDS)]
            breaker = self.breakers[kind]
            if kind == "agent_state" and self.gathers(now) and not hurry:
                continue
            if breaker.admits(now):
                breaker.in_flight += 1
                found.append(self._want(kind, breaker))
            elif not breaker.rests(now):
                self._without_place.add(kind)
        return found

    def _want(self, kind: EventKind, breaker: Breaker) -> Want:
        config = self._config
        probe = bool(breaker.cause)
        most = 1 if probe else self._most[kind]
        return Want(
            kind=kind,
            most=most,
            most_bytes=config.max_batch_bytes - ENVELOPE - (most - 1),
            seconds=config.timeouts.total,
            # An event that always fails must not be every probe.
            fresh_first=probe and self._waiting[kind] < MOST_WAITING,
        )

    def may_send(self, kind: EventKind, now: float) -> bool:
        """Whether it is worth a look when an event of this kind comes: it neither rests nor is gathered."""
        gathered = kind == "agent_state" and self.gathers(now) > 0
        return not gathered and not self.breakers[kind].rests(now)

    def gathers(self, now: float) -> float:
        """For how many seconds states are gathered still."""
        return max(0.0, self._gather_until - now)

    def gave(self, wants: Sequence[Want], attempt: Attempt | None, now: float) -> bool:
        """The store gave this for the wants. Whether somebody asked in vain for a place that is free now."""
        somebody_may = False
        for want in wants:
            if attempt is None or want.kind != attempt.kind:
                self.breakers[want.kind].in_flight -= 1
                somebody_may |= want.kind in self._without_place
                self._without_place.discard(want.kind)
            elif _has_room(want, attempt):
                self._gather_until = now + GATHER_SECONDS
        if attempt is not None and attempt.tries > 1:
            self._waiting[attempt.kind] = max(0, self._waiting[attempt.kind] - 1)
        return somebody_may

    def before(self, attempt: Attempt, now: float, at: float) -> Outcome | None:
        """What becomes of an attempt that must not be sent; None where it may be.

        One whose time to be sent is over is given out anew: the process was stopped in between. A set
        that was being sent before many dirty starts is split. A single event goes on, alone (the store
        sees to that), and is parked when the process ended that way as often again.
        """
        ids = _ids(attempt)
        if now >= attempt.send_before:
            self.breakers[attempt.kind].in_flight -= 1
            return self._again(Outcome(attempt=attempt, again=(Again(event_ids=ids, not_before=now),), at=at))
        if attempt.crashes < (SUSPECT_CRASHES if len(ids) > 1 else 2 * SUSPECT_CRASHES):
            return None
        self.breakers[attempt.kind].in_flight -= 1
        if len(ids) > 1:
            again = tuple(Again(event_ids=(each,), not_before=now) for each in ids)
            return self._again(Outcome(attempt=attempt, again=again, at=at))
        detail = f"the process ended {attempt.crashes} times in a row while it sent this alone"
        return Outcome(attempt=attempt, dead=(Dead(event_id=ids[0], reason="crashes", detail=detail),), at=at)

    def judge(self, attempt: Attempt, error: Exception | None, now: float, at: float) -> Outcome:
        """What a try means. `error` is what it raised, None where CXone took it."""
        breaker = self.breakers[attempt.kind]
        breaker.in_flight -= 1
        ids = _ids(attempt)
        if error is None:
            self._troubles.pop(ids[0], None)
            breaker.succeeded(now, len(ids))
            return Outcome(attempt=attempt, delivered=ids, at=at)
        if isinstance(error, PayloadRejectedError) and not error.no_token:
            return self._again(self._refused(attempt, error, now, at))
        trouble = self._troubles.setdefault(ids[0], _Trouble(now, breaker.successes))
        trouble.failures += 1
        wait = breaker.backoff(trouble.failures, LONGEST_SET_WAIT)
        if isinstance(error, RateLimitedError):
            wait = self._asked(error) or THROTTLED_SECONDS
            for each in self.breakers.values():
                if not each.blocked:
                    each.open(now, f"CXone asks to send less: {error.detail}", wait)
        elif is_configuration(error):
            patience = REDIRECTS if isinstance(error, RedirectError) else 1
            breaker.failed(now, str(error), patience=patience, wait=PROBE_SECONDS)
            breaker.blocked = bool(breaker.cause)
        else:
            asked = self._asked(error)
            wait = max(wait, asked or 0.0)
            breaker.failed(now, str(error), patience=FAILURES if asked is None else 1, wait=asked)
            if isinstance(error, (ServerError, OutcomeUnknownError)) and not error.no_token:
                if self._is_poison(attempt, trouble, breaker, now):
                    letter = _dead(ids[0], "suspected_poison", error)
                    return Outcome(attempt=attempt, dead=(letter,), unknown=may_have_arrived(error), at=at)
                if len(ids) > 1 and attempt.tries >= SPLIT_TRIES and breaker.successes > trouble.successes:
                    return self._again(_halves(attempt, now + wait, at, unknown=may_have_arrived(error)))
        again = (Again(event_ids=ids, not_before=now + wait),)
        return self._again(Outcome(attempt=attempt, again=again, unknown=may_have_arrived(error), at=at))

    def _refused(self, attempt: Attempt, error: PayloadRejectedError, now: float, at: float) -> Outcome:
        breaker = self.breakers[attempt.kind]
        breaker.answered(now)
        ids = _ids(attempt)
        too_large = isinstance(error, PayloadTooLargeError)
        if len(ids) > 1 and too_large:
            self._most[attempt.kind] = min(self._most[attempt.kind], len(ids) // 2)
            return _halves(attempt, now, at, unknown=False)
        if len(ids) > 1 and breaker.may_split(now):
            return _halves(attempt, now, at, unknown=False)
        if len(ids) == 1 and breaker.may_park(now):
            self._troubles.pop(ids[0], None)
            letter = _dead(ids[0], "too_large" if too_large else "refused", error)
            return Outcome(attempt=attempt, dead=(letter,), at=at)
        again = (Again(event_ids=ids, not_before=now + PROBE_SECONDS),)
        return Outcome(attempt=attempt, again=again, at=at)

    def _is_poison(self, attempt: Attempt, trouble: _Trouble, breaker: Breaker, now: float) -> bool:
        return (
            len(attempt.events) == 1
            and attempt.tries >= POISON_TRIES
            and now - trouble.since >= POISON_SECONDS
            and breaker.successes - trouble.successes >= POISON_SUCCESSES
        )

    def _asked(self, error: Exception) -> float | None:
        """Seconds that the server asks for, and a random bit more; None where it does not ask."""
        asked = error.retry_after if isinstance(error, (RateLimitedError, ServerError)) else None
        return None if asked is None else asked * (1 + self._chance() / 10)

    def _again(self, outcome: Outcome) -> Outcome:
        self._waiting[outcome.attempt.kind] += len(outcome.again)
        return outcome


def _has_room(want: Want, attempt: Attempt) -> bool:
    """Whether more states could have gone along, had there been any. A set is tried again as it is."""
    few = attempt.kind == "agent_state" and attempt.tries == 1 and len(attempt.events) < min(want.most, FEW)
    return few and sum(len(event.payload) for event in attempt.events) < want.most_bytes / 2


def _ids(attempt: Attempt) -> tuple[str, ...]:
    return tuple(event.event_id for event in attempt.events)


def _halves(attempt: Attempt, not_before: float, at: float, *, unknown: bool) -> Outcome:
    ids = _ids(attempt)
    middle = len(ids) // 2
    again = tuple(Again(event_ids=part, not_before=not_before) for part in (ids[:middle], ids[middle:]))
    return Outcome(attempt=attempt, again=again, unknown=unknown, at=at)


def _dead(event_id: str, reason: str, error: Exception) -> Dead:
    status = error.status if isinstance(error, APIError) else None
    return Dead(event_id=event_id, reason=reason, status=status, detail=str(error)[:_DETAIL])
