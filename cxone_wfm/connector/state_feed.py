"""StateFeed: from what an ACD says of its agents to the agent states that are to be sent now.

No clock, no thread, no network: time is an argument, and what comes back is the caller's to send.
The rules, with the source of each, are in `StateFeed`; docs/explanation/connector-states.md shows them
at work.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from attrs import evolve, frozen

from .._kinds import UTC, to_instant
from ..errors import ConfigurationError, Fault, ValidationError
from ..models.agent_state import AgentState
from .records import AgentStatus

__all__ = ["MINIMUM_DWELL", "StateFeed"]

MINIMUM_DWELL = timedelta(seconds=3)
"""CXone takes agent states of 3 seconds or more (vendor page)."""

_BEGINNING = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)
_JUST_BEFORE = timedelta(milliseconds=1)


@frozen
class _Held:
    """A state that is not sent yet, for it may still turn out to be shorter than the minimum dwell."""

    state: AgentState
    due: datetime


class StateFeed:
    """Decides which agent states are to be sent, from snapshots of all agents, single changes, or both.

    Each method takes the time, an aware datetime, and gives the states to send now. A state that was
    given counts as sent: keep what could not be sent, and send it first. Not for several threads at once.

    - The first snapshot, and the first after `reconnected()`, gives the state of every agent. After it
      an agent's state is given when its event code or reason code changed (observed practice).
    - A state is given when it has lasted `minimum_dwell`; what was shorter is never given, the last
      state wins (vendor page: states of 3 seconds or more). `next_due()` says when to call `due()`. In
      a snapshot of all agents a state without `since` counts as having lasted (our choice).
    - `event_utc_time` is `since` where the ACD gives one that can be: not in the future, not before the
      start of the state that it follows, and of an agent with parallel states not before the last look
      at them. Else it is the time of the call (our choice). It is never before the agent's last one.
    - An agent who is missing from a snapshot is logged off. Never give a snapshot that failed. One
      without a single agent, where some were known, is refused unless `empty_is_real` (our choice).
    - An agent who appears gets the login, at once and dated 1 ms before the first state, then that
      state: CXone shows a login until the next state comes (vendor page). Who is in the very first
      snapshot gets none, for nobody knows when they logged in (our choice).
    - Of several states of one agent the one with the best rank counts, then the oldest.

    Logged-off agents are forgotten: memory is bounded by the agents that are known.
    """

    def __init__(
        self,
        *,
        acd_id: str,
        login_code: str,
        logoff_code: str,
        rank: Sequence[str] = (),
        minimum_dwell: timedelta = MINIMUM_DWELL,
        last_sent: Iterable[AgentState] = (),
    ) -> None:
        """Make a feed.

        `login_code` and `logoff_code` are the event codes that CXone WFM has mapped to its Login and
        Logoff; a status with the latter logs the agent off, whatever its reason. `rank` has event codes,
        the first beats all others; what it does not name comes after it. `last_sent` is what `last_sent()`
        of the feed before a restart gave.

        Raises `ConfigurationError`, and `ValidationError` for names that an agent state cannot hold.
        """
        for code in (login_code, logoff_code):
            AgentState(login_id="any", acd_id=acd_id, event_code=code, event_utc_time=_BEGINNING)
        self._acd_id = acd_id
        self._login_code = login_code
        self._logoff_code = logoff_code
        self._rank = {code: place for place, code in enumerate(rank)}
        self._minimum_dwell = minimum_dwell
        self._sent: dict[str, AgentState] = {}
        self._held: dict[str, _Held] = {}
        self._parallel: dict[str, datetime] = {}
        """The agents with several states at the last look, and the time of that look."""
        self._latest_logoff: AgentState | None = None
        """Stands for the log-off of everybody who was forgotten: nobody comes back before it."""
        for state in last_sent:
            self._note(state)
        self._full = True
        self._knew_agents = bool(self.last_sent())
        if problems := self._problems(rank):
            raise ConfigurationError(problems)

    def _problems(self, rank: Sequence[str]) -> list[str]:
        others = sorted({state.acd_id for state in self.last_sent()} - {self._acd_id})
        found = {
            "login_code and logoff_code are the same: CXone could not tell them apart": (
                self._login_code == self._logoff_code
            ),
            "rank is one text: give a sequence of event codes": isinstance(rank, str),
            "minimum_dwell is negative: give at least timedelta(0)": self._minimum_dwell < timedelta(0),
            f"last_sent is of the ACD {', '.join(others)}, acd_id is {self._acd_id}": bool(others),
        }
        return [problem for problem, is_so in found.items() if is_so]

    def snapshot(
        self, now: datetime, agents: Iterable[AgentStatus], *, empty_is_real: bool = False
    ) -> list[AgentState]:
        """Take what the ACD says of all agents; who is missing has logged off. Give the states to send.

        An agent's states come before their successors; the first of every agent come before the second
        of any, so that they fill few requests.

        Raises `ValidationError` where no agent is in it and some were known, for that is what a failed
        look-up looks like; `empty_is_real` says that it is so. The feed is then as it was before, as it
        is when `agents` raises. Raises ValueError where `now` has no time zone.
        """
        now = _moment(now)
        statuses, parallel = self._one_for_each(agents)
        known = dict.fromkeys((*self._sent, *self._held))
        if known and not statuses and not empty_is_real:
            expected = "at least one agent, or empty_is_real=True where all have logged off"
            raise ValidationError(
                "snapshot", [Fault("$", f"no agent, where {len(known)} were known", expected)]
            )
        given: list[AgentState] = []
        for status in statuses.values():
            self._observe(now, status, given, full=self._full)
        for login_id in known:
            if login_id not in statuses:
                gone = AgentStatus(login_id=login_id, event_code=self._logoff_code)
                self._observe(now, gone, given, full=False)
        self._full = False
        self._knew_agents = True
        self._parallel = dict.fromkeys(parallel, now)
        return self._with_due(now, given)

    def change(self, now: datetime, *agents: AgentStatus) -> list[AgentState]:
        """Take what the ACD says of some agents. Give the states to send.

        Of an agent with parallel states give all that there are now, not only the one that changed.

        Raises ValueError where `now` has no time zone.
        """
        now = _moment(now)
        statuses, parallel = self._one_for_each(agents)
        given: list[AgentState] = []
        for status in statuses.values():
            self._observe(now, status, given, full=False)
            self._parallel.pop(status.login_id, None)
        self._parallel.update(dict.fromkeys(parallel, now))
        return self._with_due(now, given)

    def due(self, now: datetime) -> list[AgentState]:
        """Give the states that have lasted long enough by now.

        Raises ValueError where `now` has no time zone.
        """
        return self._with_due(_moment(now), [])

    def next_due(self) -> datetime | None:
        """When `due()` has something to give, if nothing changes before; None when no state is waiting."""
        return min((held.due for held in self._held.values()), default=None)

    def reconnected(self) -> None:
        """Make the next snapshot give every agent's state again, for CXone may have lost what was sent."""
        self._full = True

    def last_sent(self) -> tuple[AgentState, ...]:
        """The latest log-off, and the last state that was given of each agent who is not logged off.

        Keep it over a restart: who logs off while nobody looks can only be missed by a feed that knew them.
        """
        logoff = () if self._latest_logoff is None else (self._latest_logoff,)
        return (*logoff, *self._sent.values())

    def _one_for_each(self, agents: Iterable[AgentStatus]) -> tuple[dict[str, AgentStatus], set[str]]:
        chosen: dict[str, AgentStatus] = {}
        parallel = set()
        for status in agents:
            other = chosen.setdefault(status.login_id, status)
            if other is not status:
                chosen[status.login_id] = min(other, status, key=self._precedence)
                parallel.add(status.login_id)
        return chosen, parallel

    def _precedence(self, status: AgentStatus) -> tuple[int, datetime, str, str]:
        place = self._rank.get(status.event_code, len(self._rank))
        return place, status.since or _NEVER, status.event_code, status.reason_code or ""

    def _observe(self, now: datetime, status: AgentStatus, given: list[AgentState], *, full: bool) -> None:
        sent, held = self._sent.get(status.login_id), self._held.get(status.login_id)
        latest = sent if held is None else held.state
        if latest is not None and _is_same(latest, status) and (held is not None or not full):
            return
        before = latest or self._latest_logoff
        earliest = before.event_utc_time if before else _BEGINNING
        since = self._believable_since(now, status, earliest)
        start = now if since is None else since
        was_off = latest is None
        if held is not None:  # its end is known now, and with it whether it lasted
            del self._held[status.login_id]
            if held.due <= start:
                self._give(held.state, given)
                was_off = held.state.event_code == self._logoff_code
                sent = self._sent.get(status.login_id)
        if sent is not None and _is_same(sent, status):  # back in the state that CXone shows, or still in it
            if full:
                begun_anew = since is not None and since > sent.event_utc_time
                self._give(evolve(sent, event_utc_time=start) if begun_anew else sent, given)
            return
        logs_off = status.event_code == self._logoff_code
        if latest is None and logs_off and not full:  # many an ACD lists those who are not there
            return
        if was_off and self._knew_agents and not logs_off and status.event_code != self._login_code:
            login = max(start - _JUST_BEFORE, earliest)
            self._give(self._state(status.login_id, self._login_code, "", login), given)
        at_once = status.event_code == self._login_code or (full and status.since is None)
        self._held[status.login_id] = _Held(
            self._state(status.login_id, status.event_code, status.reason_code or "", max(start, earliest)),
            now if at_once else start + self._minimum_dwell,
        )

    def _believable_since(self, now: datetime, status: AgentStatus, earliest: datetime) -> datetime | None:
        since = status.since
        if since is None or not earliest <= since <= now:
            return None
        # A state that was there at the last look, behind a better one, was not the agent's state since then.
        last_look = self._parallel.get(status.login_id)
        return None if last_look is not None and since <= last_look else since

    def _state(self, login_id: str, code: str, reason: str, start: datetime) -> AgentState:
        return AgentState(
            login_id=login_id,
            acd_id=self._acd_id,
            event_code=code,
            reason_code=reason,
            event_utc_time=start,
        )

    def _give(self, state: AgentState, given: list[AgentState]) -> None:
        given.append(state)
        self._note(state)

    def _note(self, state: AgentState) -> None:
        if state.event_code != self._logoff_code:
            self._sent[state.login_id] = state
            return
        self._sent.pop(state.login_id, None)
        logoff = self._latest_logoff
        if logoff is None or logoff.event_utc_time <= state.event_utc_time:
            self._latest_logoff = state

    def _with_due(self, now: datetime, given: list[AgentState]) -> list[AgentState]:
        # What is due later than a whole dwell from now was held before the clock was set back: it has waited.
        latest = now + self._minimum_dwell
        for login_id in [i for i, held in self._held.items() if not now < held.due <= latest]:
            self._give(self._held.pop(login_id).state, given)
        return _in_rounds(given)


def _moment(now: datetime) -> datetime:
    moment = to_instant(now)
    if moment.tzinfo is not UTC:
        raise ValueError(f"{now.isoformat()} has no time zone: give it its tzinfo (timezone.utc for UTC)")
    return moment


def _is_same(state: AgentState, status: AgentStatus) -> bool:
    return state.event_code == status.event_code and state.reason_code == (status.reason_code or "")


def _in_rounds(states: list[AgentState]) -> list[AgentState]:
    """Every agent's first, then every agent's second ...: a request holds no agent twice."""
    rounds: Counter[str] = Counter()
    order = []
    for state in states:
        order.append((rounds[state.login_id], state.event_utc_time))
        rounds[state.login_id] += 1
    return [states[i] for i in sorted(range(len(states)), key=order.__getitem__)]
