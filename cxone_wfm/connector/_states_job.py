"""One of the runner's jobs: look at the agents, and send their states in order."""

import logging
from datetime import datetime

from ..errors import APIError, PayloadRejectedError, TransportError
from ..models.agent_state import AgentState
from ._failures import asked_wait, told
from ._schedule import Backoff, Period
from .health import Troubles
from .sender import Sender
from .settings import ConnectorSettings
from .source import AcdSource

_log = logging.getLogger(__name__)

MOST_PENDING = 20_000
"""While sending fails so many states are kept one by one; of more, the last of each agent (our choice)."""


class StatesJob:
    """What the feed gives counts as sent, so what could not be sent is kept here, and goes first."""

    def __init__(
        self,
        source: AcdSource,
        sender: Sender,
        settings: ConnectorSettings,
        troubles: Troubles,
        *,
        last_sent: tuple[AgentState, ...],
        pending: tuple[AgentState, ...],
    ) -> None:
        self._source = source
        self._sender = sender
        self._troubles = troubles
        self._empty_is_real = settings.empty_is_real
        self.feed = settings.state_feed(last_sent)
        self.pending = list(pending)
        self.last_agents: datetime | None = None
        self.last_states: datetime | None = None
        self._looks = Period(settings.states_every.total_seconds())
        self._source_rests, self._sender_rests = Backoff(), Backoff()
        self._at_once = MOST_PENDING

    def look(self, now: datetime, monotonic: float) -> bool:
        """Take a snapshot when it is time, and what has lasted long enough. Whether there are new states."""
        failing = self._source_rests.failures > 0
        if self._source_rests.is_over(monotonic) if failing else self._looks.is_due(monotonic):
            self._looks.begun(monotonic)
            states = self._snapshot(now, monotonic)
        else:
            states = self.feed.due(now)
        self.pending += states
        if self._sender_rests.failures and len(self.pending) > MOST_PENDING:
            self._keep_the_last_of_each_agent()
        return bool(states)

    def _keep_the_last_of_each_agent(self) -> None:
        latest = {state.login_id: state for state in self.pending}
        if len(latest) < len(self.pending):
            _log.warning("%d agent states are unsent; the last of each agent is kept", len(self.pending))
            self.pending = sorted(latest.values(), key=lambda state: state.event_utc_time)

    def _snapshot(self, now: datetime, monotonic: float) -> list[AgentState]:
        try:
            agents = list(self._source.agents(now))
            states = self.feed.snapshot(now, agents, empty_is_real=self._empty_is_real)
        except Exception as error:  # noqa: BLE001 - whatever the ACD's code raises, there is no snapshot
            self._source_rests.failed(monotonic)
            sentence = f"the agents' states are unknown: agents() of the source failed with {told(error)}"
            self._troubles.begin("agents", sentence, now, error=error, of_source=True)
            return []
        self._source_rests.succeeded()
        self._troubles.end("agents", now)
        self.last_agents = now
        return states

    def send(self, now: datetime, monotonic: float) -> bool:
        """Send what is pending, if the sender is not to be left alone. Whether anything was taken."""
        if not self.pending or not self._sender_rests.is_over(monotonic):
            return False
        states = self.pending[: self._at_once]
        try:
            self._sender.send_states(states)
        except Exception as error:  # noqa: BLE001 - whatever the sender raises, it has not taken them all
            taken = error.delivered if isinstance(error, (APIError, TransportError)) else 0
            self.pending = self.pending[taken:]
            if isinstance(error, PayloadRejectedError):
                self._refused(len(states) - taken, error)
                return True
            self._sender_rests.failed(monotonic, at_least=asked_wait(error))
            self._troubles.begin("states", f"agent states cannot be sent: {told(error)}", now, error=error)
            return taken > 0
        self.pending = self.pending[len(states) :]
        self._at_once = MOST_PENDING
        self.last_states = now
        if self._troubles.is_on("states"):
            self.feed.reconnected()  # CXone may have lost what it had
        self._sender_rests.succeeded()
        self._troubles.end("states", now)
        return True

    def _refused(self, count: int, error: PayloadRejectedError) -> None:
        """Find the one that is refused by halves, and leave it out: it would hold up all others for ever."""
        if count > 1:
            self._at_once = count // 2
            return
        state = self.pending.pop(0)
        _log.error("the state %s of %s is left out: %s", state.event_code, state.login_id, told(error))

    def wait(self, now: datetime, monotonic: float) -> float:
        """Seconds until there is something to do."""
        failing = self._source_rests.failures > 0
        waits = [(self._source_rests.until if failing else self._looks.due_at) - monotonic]
        if (due := self.feed.next_due()) is not None:
            waits.append((due - now).total_seconds())
        if self.pending:
            waits.append(self._sender_rests.until - monotonic)
        return min(waits)
