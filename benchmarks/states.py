"""Agent states to send, each agent's in turn, and the same as plain dicts."""

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from cxone_wfm import AgentState, WfmConfig

AGENTS = 5000
NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
numbers = itertools.count()


def states(count: int) -> list[AgentState]:
    """So many new states."""
    return [
        AgentState(
            login_id=f"agent{number % AGENTS}@shop.example",
            acd_id="My_ACD",
            event_code="READY",
            reason_code="",
            event_utc_time=NOON + timedelta(milliseconds=number),
        )
        for number in itertools.islice(numbers, count)
    ]


def state_list(count: int) -> dict[str, object]:
    """The same as what goes out, made by hand."""
    return {
        "agentStateList": [
            {
                "loginId": f"agent{number % AGENTS}@shop.example",
                "acdId": "My_ACD",
                "eventCode": "READY",
                "reasonCode": "",
                "eventUtcTime": (NOON + timedelta(milliseconds=number)).isoformat(),
            }
            for number in itertools.islice(numbers, count)
        ]
    }


def batches(count: int, batch: int) -> Iterator[list[AgentState]]:
    """So many states in lists of at most `batch`."""
    return (states(min(batch, count - start)) for start in range(0, count, batch))


def config(base_url: str, batch: int) -> WfmConfig:
    """Settings for a server on this machine, with what a simulator wants to see."""
    return WfmConfig(
        base_url=base_url,
        access_key_id="simulator-key",
        access_key_secret="simulator-secret",
        tenant_name="Simulator_Tenant",
        max_batch=batch,
    )
