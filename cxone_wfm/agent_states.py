"""AgentStateClient: agent states, in order, in requests of a bounded size."""

from collections.abc import Iterable, Iterator

from attrs import frozen

from .auth import AuthClient
from .config import WfmConfig
from .errors import APIError, Fault, TransportError, ValidationError
from .models.agent_state import AgentState, AgentStateList

_ENVELOPE = len(AgentStateList(agent_state_list=()).to_json())


@frozen(kw_only=True)
class SentStates:
    """What `AgentStateClient.send` did: how many states CXone confirmed, in how many requests."""

    states: int
    requests: int


class AgentStateClient:
    """Sends agent states to CXone WFM."""

    def __init__(self, config: WfmConfig, *, auth: AuthClient) -> None:
        self._config = config
        self._calls = auth.calls_for(config)

    def send(self, states: Iterable[AgentState]) -> SentStates:
        """Send states in the order given. Returns when CXone has confirmed all of them.

        They are all looked at before the first request. A request holds at most `max_batch` states
        and `max_batch_bytes` bytes, and never two states of one agent: if a request is repeated after
        a lost answer, an agent's older state must not come after the newer one. The setting
        `lists_applied_in_order` lifts that, for a CXone that applies a list in its order. Each of the
        requests has `timeouts.total` for itself.

        Raises `ValidationError` where something else than an `AgentState` is among them, and a
        `TransportError` or `APIError` where a request failed: its `delivered` says how many states,
        counted from the first, were confirmed before.
        """
        everything: list[object] = list(states)
        faults = [
            Fault(f"$.agentStateList[{i}]", f"a Python {type(state).__name__}", "an AgentState")
            for i, state in enumerate(everything)
            if not isinstance(state, AgentState)
        ]
        if faults:
            raise ValidationError(AgentStateList.__name__, faults)
        config = self._config
        sent = requests = 0
        for batch in batches(
            [state for state in everything if isinstance(state, AgentState)],
            config.max_batch,
            config.max_batch_bytes,
            several_per_agent=config.lists_applied_in_order,
        ):
            try:
                self._calls.make("agent_states", AgentStateList(agent_state_list=batch).to_json())
            except (TransportError, APIError) as error:
                error.delivered = sent
                raise
            sent += len(batch)
            requests += 1
        return SentStates(states=sent, requests=requests)


def batches(
    states: Iterable[AgentState], most: int, most_bytes: int, *, several_per_agent: bool
) -> Iterator[list[AgentState]]:
    """The states in their order, cut where one more would break a bound.

    A single state larger than `most_bytes` makes a batch of its own.
    """
    batch: list[AgentState] = []
    agents: set[tuple[str, str]] = set()
    size = _ENVELOPE
    for state in states:
        agent = (state.acd_id, state.login_id)
        length = len(state.to_json()) + 1  # and the comma before it
        repeated = agent in agents and not several_per_agent
        if batch and (repeated or len(batch) >= most or size + length > most_bytes + 1):
            yield batch
            batch, agents, size = [], set(), _ENVELOPE
        batch.append(state)
        agents.add(agent)
        size += length
    if batch:
        yield batch
