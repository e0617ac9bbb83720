"""WfmClient: the four clients over one set of connections and one token."""

from types import TracebackType
from typing import TypeVar

import attrs

from ._http import Clock, Transport
from .agent_states import AgentStateClient
from .auth import AuthClient
from .config import RetryPolicy, Timeouts, WfmConfig
from .heartbeat import HeartbeatClient
from .reports import ReportClient

_Setting = TypeVar("_Setting")


class WfmClient:
    """Everything at hand: `auth`, `reports`, `agent_states`, `heartbeat`.

    Thread-safe. Use it in a `with` block, or close it. Nothing is sent before the first call.
    """

    def __init__(
        self, config: WfmConfig, *, transport: Transport | None = None, clock: Clock | None = None
    ) -> None:
        self._set_up(config, AuthClient(config, transport=transport, clock=clock))

    def _set_up(self, config: WfmConfig, auth: AuthClient) -> None:
        self.config = config
        self.auth = auth
        self.reports = ReportClient(config, auth=auth)
        self.agent_states = AgentStateClient(config, auth=auth)
        self.heartbeat = HeartbeatClient(config, auth=auth)

    @classmethod
    def from_env(cls) -> "WfmClient":
        """A client with the settings of the environment: see `WfmConfig.from_env` and what it raises."""
        return cls(WfmConfig.from_env())

    def with_options(
        self,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        max_batch: int | None = None,
        max_batch_bytes: int | None = None,
        lists_applied_in_order: bool | None = None,
        heartbeat_interval: float | None = None,
    ) -> "WfmClient":
        """The same client with other settings for its calls, on the same connections and token.

        What is None stays as it is. Closing either closes the connections of both. Raises
        `ConfigurationError` as `WfmConfig` does.
        """
        now = self.config
        config = attrs.evolve(
            now,
            timeouts=_given(timeouts, now.timeouts),
            retry=_given(retry, now.retry),
            max_batch=_given(max_batch, now.max_batch),
            max_batch_bytes=_given(max_batch_bytes, now.max_batch_bytes),
            lists_applied_in_order=_given(lists_applied_in_order, now.lists_applied_in_order),
            heartbeat_interval=_given(heartbeat_interval, now.heartbeat_interval),
        )
        copy = object.__new__(WfmClient)
        copy._set_up(config, self.auth)
        return copy

    def __enter__(self) -> "WfmClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.auth.close()


def _given(value: _Setting | None, otherwise: _Setting) -> _Setting:
    return otherwise if value is None else value
