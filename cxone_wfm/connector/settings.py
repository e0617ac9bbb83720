"""ConnectorSettings: all that the runner and the replay must be told, with every default."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from attrs import field, frozen

from ..errors import ConfigurationError
from ..intervals import INTERVAL_LENGTH
from ..models.agent_state import AgentState
from .aggregation import CORRECTABLE, IntervalAggregator
from .records import ZERO, Queue
from .state_feed import MINIMUM_DWELL, StateFeed

__all__ = ["ConnectorSettings"]

_LONGEST = timedelta(days=31)


def _queues(queues: Iterable[Queue]) -> tuple[Queue, ...]:
    return tuple(queues)


@frozen(kw_only=True)
class ConnectorSettings:
    """What `Connector` and `replay` must know of the ACD, and when they are to do what.

    The times are timedeltas; their defaults are our choice. Raises `ConfigurationError` with all problems,
    and `ValidationError` for names that a report or an agent state cannot hold.
    """

    acd_type: str
    """The ACD's type as CXone knows it: see `HeartbeatClient.acd_types()`."""
    acd_id: str
    """The `acd_id` of the agent states."""
    login_code: str
    logoff_code: str
    """The event codes that CXone WFM has mapped to its Login and Logoff."""
    rank: Sequence[str] = ()
    """Event codes, the first beats all others: see `StateFeed`."""
    queues: tuple[Queue, ...] = field(default=(), converter=_queues)
    """Each has a row in every report, of zeros where it was quiet."""
    minimum_dwell: timedelta = MINIMUM_DWELL
    empty_is_real: bool = False
    """Whether `agents()` may give nobody, where somebody was known. Set it where all log off at night."""
    states_every: timedelta = timedelta(seconds=5)
    """From one look at the agents to the next."""
    report_lag: timedelta = timedelta(minutes=2)
    """From the end of an interval to its report: ACDs need a while to write, agents to end their work."""
    look_again_after: timedelta = timedelta(hours=1)
    """From the end of an interval to a second extract of it. If it has changed, a correction is sent."""
    correctable: timedelta = CORRECTABLE
    """From the end of an interval to the last correction of it."""
    reach: timedelta = timedelta(hours=24)
    """How far back intervals are made up for that were missed. What is older is for `replay`."""

    def __attrs_post_init__(self) -> None:
        if problems := [*self._problems()]:
            raise ConfigurationError(problems)
        self.state_feed()
        self.aggregator()

    def _problems(self) -> Iterable[str]:
        yield from (f"queues: {queue!r} is no Queue" for queue in self.queues if not _is_queue(queue))
        names = ("minimum_dwell", "states_every", "report_lag", "look_again_after", "correctable", "reach")
        lengths = {name: _as_length(getattr(self, name)) for name in names}
        unreadable = [
            name for name, value in lengths.items() if value is None or not ZERO <= value <= _LONGEST
        ]
        yield from (f"{name} must be a timedelta from 0 to {_LONGEST.days} days" for name in unreadable)
        if unreadable:
            return
        if not self.states_every:
            yield "states_every is 0; give at least a second or so"
        if self.look_again_after < self.report_lag:
            yield "look_again_after is shorter than report_lag: the second look would come before the first"
        if self.correctable < self.look_again_after:
            yield "correctable is shorter than look_again_after: the second look could correct nothing"
        if self.reach < self.correctable + INTERVAL_LENGTH:
            yield "reach must be at least 15 minutes longer than correctable"

    def state_feed(self, last_sent: Iterable[AgentState] = ()) -> StateFeed:
        """The feed that these settings ask for."""
        return StateFeed(
            acd_id=self.acd_id,
            login_code=self.login_code,
            logoff_code=self.logoff_code,
            rank=self.rank,
            minimum_dwell=self.minimum_dwell,
            last_sent=last_sent,
        )

    def aggregator(self) -> IntervalAggregator:
        """A new aggregator that these settings ask for."""
        return IntervalAggregator(acd_type=self.acd_type, queues=self.queues, correctable=self.correctable)


def _is_queue(value: object) -> bool:
    return isinstance(value, Queue)


def _as_length(value: object) -> timedelta | None:
    return value if isinstance(value, timedelta) else None
