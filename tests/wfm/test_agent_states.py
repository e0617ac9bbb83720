"""The promises of `AgentStateClient`: order, bounds, and never two states of one agent in a request."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exchange import granted, operations

from cxone_wfm import (
    AgentState,
    AgentStateClient,
    AgentStateList,
    APIError,
    AuthClient,
    CredentialsRejectedError,
    OutcomeUnknownError,
    PayloadRejectedError,
    SentStates,
    TransportError,
    ValidationError,
)
from cxone_wfm.agent_states import batches
from cxone_wfm.testing import Answer, FakeClock, FakeTransport, fake_config, reply

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)


def state(agent: str, number: int = 0, *, acd: str = "ACD", reason: str = "") -> AgentState:
    return AgentState(
        login_id=agent,
        acd_id=acd,
        event_code="READY",
        reason_code=reason,
        event_utc_time=NOON + timedelta(seconds=number),
    )


def client(*answers: Answer, **settings_: int | bool) -> tuple[AgentStateClient, FakeTransport]:
    transport = FakeTransport([granted(), *answers])
    config = attrs.evolve(fake_config(), **settings_)  # type: ignore[arg-type]
    return AgentStateClient(
        config, auth=AuthClient(config, transport=transport, clock=FakeClock())
    ), transport


def sent(transport: FakeTransport) -> list[AgentStateList]:
    return [AgentStateList.from_json(request.body or b"") for request in transport.requests[1:]]


def logins(batch: AgentStateList) -> list[str]:
    return [each.login_id for each in batch.agent_state_list]


# --- sending ------------------------------------------------------------------------------------------


def test_states_go_out_in_their_order_and_the_result_counts_them() -> None:
    states = [state(f"agent-{number}", number) for number in range(7)]
    agents, transport = client(*[reply(200)] * 3, max_batch=3)
    assert agents.send(states) == SentStates(states=7, requests=3)
    assert [len(batch.agent_state_list) for batch in sent(transport)] == [3, 3, 1]
    assert [each for batch in sent(transport) for each in batch.agent_state_list] == states
    assert operations(transport) == ["access_key_token"] + ["agent_states"] * 3


def test_nothing_sends_nothing() -> None:
    agents, transport = client()
    assert agents.send([]) == SentStates(states=0, requests=0)
    assert not transport.requests


def test_any_iterable_will_do() -> None:
    def generator() -> Iterator[AgentState]:
        yield state("a")
        yield state("b")

    agents, transport = client(reply(200), reply(200))
    assert agents.send(generator()).states == 2
    assert agents.send((state("a"),)).states == 1
    assert [logins(batch) for batch in sent(transport)] == [["a", "b"], ["a"]]


def test_two_states_of_one_agent_never_share_a_request() -> None:
    agents, transport = client(*[reply(200)] * 3)
    agents.send([state("a", 1), state("b", 2), state("a", 3), state("a", 4)])
    assert [logins(batch) for batch in sent(transport)] == [["a", "b"], ["a"], ["a"]]


def test_the_same_login_in_two_acds_is_two_agents() -> None:
    agents, transport = client(reply(200))
    agents.send([state("a", acd="one"), state("a", acd="two")])
    assert [logins(batch) for batch in sent(transport)] == [["a", "a"]]


def test_with_lists_applied_in_order_they_may_share_one() -> None:
    agents, transport = client(reply(200), lists_applied_in_order=True)
    agents.send([state("a", 1), state("a", 2), state("a", 3)])
    assert [logins(batch) for batch in sent(transport)] == [["a", "a", "a"]]


def test_whatever_is_no_agent_state_is_refused_before_any_request_each_named() -> None:
    agents, transport = client()
    wrong: list[object] = [state("a"), {"loginId": "b"}, state("c"), None, "d"]
    with pytest.raises(ValidationError) as caught:
        agents.send(wrong)  # type: ignore[arg-type]
    assert [(fault.path, fault.found) for fault in caught.value.faults] == [
        ("$.agentStateList[1]", "a Python dict"),
        ("$.agentStateList[3]", "a Python NoneType"),
        ("$.agentStateList[4]", "a Python str"),
    ]
    assert {fault.expected for fault in caught.value.faults} == {"an AgentState"}
    assert not transport.requests


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(reply(422), PayloadRejectedError), (OutcomeUnknownError("x"), OutcomeUnknownError)],
    ids=["refused", "unknown"],
)
@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_failure_tells_how_many_states_were_confirmed_before(
    before: int, answer: Answer, kind: type[Exception]
) -> None:
    agents, transport = client(*[reply(200)] * before, *[answer] * 3, max_batch=3)
    with pytest.raises(kind) as caught:
        agents.send([state(f"agent-{number}") for number in range(10)])
    error = caught.value
    assert isinstance(error, (TransportError, APIError))
    assert error.delivered == 3 * before
    assert ("states confirmed before" in str(error)) == bool(before)
    assert {request.body for request in transport.requests[before + 1 :]} == {
        sent(transport)[before].to_json()
    }


def test_that_number_stays_with_the_call_that_it_belongs_to() -> None:
    agents, transport = client(reply(200), reply(401), reply(401), reply(401), max_batch=1)
    for delivered in (1, 0):
        with pytest.raises(CredentialsRejectedError) as caught:
            agents.send([state("a"), state("b")])
        assert caught.value.delivered == delivered
    assert operations(transport) == [
        "access_key_token",
        "agent_states",
        "agent_states",
        "refresh_token",
        "access_key_token",
    ]


# --- the bounds ---------------------------------------------------------------------------------------


def test_the_byte_bound_is_exact() -> None:
    three = [state("a"), state("b"), state("c")]
    size = len(AgentStateList(agent_state_list=three).to_json())
    assert [len(batch) for batch in batches(three, 500, size, several_per_agent=False)] == [3]
    assert [len(batch) for batch in batches(three, 500, size - 1, several_per_agent=False)] == [2, 1]


def test_a_single_state_beyond_the_byte_bound_goes_alone() -> None:
    states = [state("a"), state("b", reason="x" * 1000), state("c")]
    assert list(batches(states, 500, 300, several_per_agent=False)) == [[each] for each in states]


agents_states = st.lists(
    st.builds(
        state,
        st.sampled_from(["a", "b", "c", "dé", "e"]),
        st.integers(0, 9),
        acd=st.sampled_from(["one", "two"]),
        reason=st.text(st.characters(codec="utf-8"), max_size=60),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(agents_states, st.integers(1, 6), st.integers(1, 900), st.booleans())
def test_every_cut_keeps_all_bounds_and_is_needed(
    states: list[AgentState], most: int, most_bytes: int, several_per_agent: bool
) -> None:
    def fits(batch: list[AgentState]) -> bool:
        body = AgentStateList(agent_state_list=batch).to_json()
        agents = {(each.acd_id, each.login_id) for each in batch}
        distinct = several_per_agent or len(agents) == len(batch)
        return len(batch) <= most and len(body) <= most_bytes and distinct

    made = list(batches(states, most, most_bytes, several_per_agent=several_per_agent))
    assert [each for batch in made for each in batch] == states
    assert all(fits(batch) or len(batch) == 1 for batch in made)
    assert not any(fits([*batch, after[0]]) for batch, after in pairwise(made))


def test_a_body_on_the_wire_is_what_the_bounds_count() -> None:
    agents, transport = client(*[reply(200)] * 20, max_batch_bytes=400)
    agents.send([state(f"agent-{number}", reason="é" * number) for number in range(20)])
    bodies = [request.body or b"" for request in transport.requests[1:]]
    assert all(len(body) <= 400 for body in bodies)
    assert sum(len(json.loads(body)["agentStateList"]) for body in bodies) == 20
