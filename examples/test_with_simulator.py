"""How a connector's own tests use the simulator. Run it with `pytest examples/test_with_simulator.py`.

`forward` stands for your code: it takes what your ACD gives and hands it to CXone WFM.
"""
# ruff: noqa: S101 - pytest's assert

from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from cxone_wfm import AgentState, CredentialsRejectedError, RetryPolicy, WfmClient
from cxone_wfm.simulator import AnswerLost, ExpireToken, Simulator, Status

pytest_plugins = ["cxone_wfm.simulator.pytest_plugin"]


def forward(events: list[tuple[str, str, datetime]], wfm: WfmClient) -> None:
    wfm.agent_states.send(
        AgentState(login_id=login, acd_id="My_ACD", event_code=event, event_utc_time=moment)
        for login, event, moment in events
    )
    wfm.heartbeat.send()


EVENTS = [
    ("ann@shop.example", "READY", datetime(2024, 4, 17, 10, 0, tzinfo=timezone.utc)),
    ("bob@shop.example", "TALKING", datetime(2024, 4, 17, 10, 0, 3, tzinfo=timezone.utc)),
]


@pytest.fixture
def wfm(cxone_simulator: Simulator) -> Iterator[WfmClient]:
    # Retries that do not make the test wait.
    config = cxone_simulator.config(retry=RetryPolicy(first_wait=0.001))
    with WfmClient(config) as client:
        yield client


def test_the_events_arrive_as_agent_states(cxone_simulator: Simulator, wfm: WfmClient) -> None:
    forward(EVENTS, wfm)
    received = cxone_simulator.received
    assert [(state.login_id, state.event_code) for state in received.agent_states] == [
        ("ann@shop.example", "READY"),
        ("bob@shop.example", "TALKING"),
    ]
    assert received.heartbeats == 1


def test_cxone_trouble_is_ridden_out(cxone_simulator: Simulator, wfm: WfmClient) -> None:
    cxone_simulator.fail("agent_states", Status(503))
    cxone_simulator.fail("heartbeat", ExpireToken())
    forward(EVENTS, wfm)
    tried = [(request.operation, request.status) for request in cxone_simulator.received.requests]
    assert tried == [
        ("access_key_token", 200),
        ("agent_states", 503),
        ("agent_states", 200),
        ("heartbeat", 401),
        ("refresh_token", 200),
        ("heartbeat", 200),
    ]


def test_after_a_lost_answer_the_states_are_sent_again(cxone_simulator: Simulator, wfm: WfmClient) -> None:
    cxone_simulator.fail("agent_states", AnswerLost())
    forward(EVENTS, wfm)
    logins = [state.login_id for state in cxone_simulator.received.agent_states]
    assert logins == ["ann@shop.example", "bob@shop.example"] * 2


def test_a_revoked_key_is_reported(cxone_simulator: Simulator, wfm: WfmClient) -> None:
    cxone_simulator.revoke_key()
    with pytest.raises(CredentialsRejectedError):
        forward(EVENTS, wfm)
    assert cxone_simulator.received.agent_states == ()
