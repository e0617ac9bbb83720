"""Sender: how the connector's data leaves, straight to CXone or through a durable queue."""

from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import frozen

from ..client import WfmClient
from ..config import RetryPolicy, seconds_problems
from ..errors import ConfigurationError
from ..models.agent_state import AgentState
from ..models.historical import HistoricalReport

__all__ = ["DurableQueue", "Sender", "client_sender", "durable_sender"]


@frozen(kw_only=True)
class Sender:
    """Three functions. Each returns when the data is safe, and raises where it is not.

    What is safe is theirs to say: CXone has confirmed it, or it is on disk in a queue. An error with a
    `delivered`, as `AgentStateClient.send` raises it, says how many states were safe before it.

    Raises `ConfigurationError` where `beat_every` is no number of seconds above 0.
    """

    send_states: Callable[[Sequence[AgentState]], object]
    send_report: Callable[[HistoricalReport], object]
    beat: Callable[[], object]
    beat_every: float = 30.0
    """Seconds between two heartbeats (our choice)."""

    def __attrs_post_init__(self) -> None:
        if problems := seconds_problems("beat_every", self.beat_every):
            raise ConfigurationError(problems)


class DurableQueue(Protocol):
    """What keeps a record on disk and delivers it later, in order for each agent and each interval."""

    def enqueue(self, record: HistoricalReport, /) -> object:
        """Return when the record is on disk."""
        ...

    def enqueue_many(self, records: Sequence[AgentState], /) -> object:
        """Return when all the records are on disk."""
        ...


def client_sender(wfm: WfmClient) -> Sender:
    """Send with the clients themselves. A call is tried once: it is the connector that tries again.

    A request, with the token that it may need, takes `timeouts.total` at most, and nothing else goes on
    meanwhile: 10 seconds are plenty. Of a token alone the attempts are those of `wfm`.
    """
    once = wfm.with_options(retry=RetryPolicy(attempts=1))
    return Sender(
        send_states=once.agent_states.send,
        send_report=once.reports.send_historical,
        beat=_beat(once),
        beat_every=once.heartbeat.interval,
    )


def durable_sender(queue: DurableQueue, wfm: WfmClient) -> Sender:
    """Put states and reports into a durable queue. Heartbeats go straight: they are of now or of no use."""
    return Sender(
        send_states=queue.enqueue_many,
        send_report=queue.enqueue,
        beat=_beat(wfm.with_options(retry=RetryPolicy(attempts=1))),
        beat_every=wfm.heartbeat.interval,
    )


def _beat(wfm: WfmClient) -> Callable[[], None]:
    heartbeat = wfm.heartbeat
    return lambda: heartbeat.send(deadline=heartbeat.clock.monotonic() + heartbeat.interval)
