"""Every state with every input, on the connections themselves; and the diagrams drawn of it."""

import json

import pytest
from support import assist_wire

from cxone_assist import AssistConnection, LocalProtocolError, PlatformConnection, ProtocolViolation, State
from cxone_assist._states import ASSIST, PLATFORM, Input
from cxone_assist.errors import Fault
from cxone_assist.testing import init_message

FRAME = bytes(160)
UNSUPPORTED = json.dumps(assist_wire.NEGOTIATED_INIT | {"minimumVersion": 9, "maximumVersion": 9})

ASSIST_INPUTS = {
    Input.INIT: lambda c: c.receive(assist_wire.init()),
    Input.BAD_INIT: lambda c: c.receive(UNSUPPORTED),
    Input.TEXT: lambda c: c.receive('{"eof":1}'),
    Input.AUDIO: lambda c: c.receive(FRAME),
    Input.OVERSIZE: lambda c: c.receive(bytes(70000)),
    Input.CLOSE: lambda c: c.closed(1000),
    Input.EXPIRED: lambda c: c.tick(1e6),
    Input.ACCEPT: lambda c: c.accept(),
    Input.REJECT: lambda c: c.reject(),
    Input.SEND_MESSAGE: lambda c: c.send_message("T", "x"),
}
ASSIST_WAYS = {
    State.AWAITING_INIT: [],
    State.REQUESTED: [Input.INIT],
    State.STREAMING: [Input.INIT, Input.ACCEPT],
    State.ENDING: [Input.REJECT],
    State.CLOSED: [Input.CLOSE],
}
PLATFORM_INPUTS = {
    Input.CONNECTED: lambda c: c.receive(assist_wire.CONNECTED),
    Input.REFUSAL: lambda c: c.receive('{"command":"ERROR"}'),
    Input.MESSAGE: lambda c: c.receive('{"command":"MESSAGE"}'),
    Input.MALFORMED: lambda c: c.receive("garbage"),
    Input.BINARY: lambda c: c.receive(FRAME),
    Input.OVERSIZE: lambda c: c.receive("x" * 70000),
    Input.CLOSE: lambda c: c.closed(1000),
    Input.EXPIRED: lambda c: c.tick(1e6),
    Input.CONNECT: lambda c: c.connect(init_message()),
    Input.SEND_AUDIO: lambda c: c.send_audio(FRAME),
}
PLATFORM_WAYS = {
    State.NEW: [],
    State.AWAITING_REPLY: [Input.CONNECT],
    State.STREAMING: [Input.CONNECT, Input.CONNECTED],
    State.ENDING: [Input.CONNECT, Input.REFUSAL],
    State.CLOSED: [Input.CLOSE],
}
ROLES = {
    "assist": (AssistConnection, ASSIST, ASSIST_INPUTS, ASSIST_WAYS),
    "platform": (PlatformConnection, PLATFORM, PLATFORM_INPUTS, PLATFORM_WAYS),
}
PRODUCT = [
    pytest.param(role, state, occurrence, id=f"{role}-{state.name}-{occurrence.name}")
    for role, (_, table, inputs, _) in ROLES.items()
    for state in table
    for occurrence in inputs
]


@pytest.mark.parametrize(("role", "state", "occurrence"), PRODUCT)
def test_every_input_in_every_state_does_what_the_table_says(role, state, occurrence):
    build, table, inputs, ways = ROLES[role]
    connection = build()
    for step in ways[state]:
        inputs[step](connection)
    connection.tick(0.0)
    assert connection.state is state
    outcome = table[state].get(occurrence)
    if isinstance(outcome, State):
        inputs[occurrence](connection)
        assert connection.state is outcome
    elif isinstance(outcome, Fault):
        event = inputs[occurrence](connection)
        assert isinstance(event, ProtocolViolation)
        assert (event.error.fault, event.close_code) == (outcome, None)
        assert connection.state is state
    elif occurrence is Input.EXPIRED:
        assert inputs[occurrence](connection) is None
        assert connection.state is state
    else:
        with pytest.raises(LocalProtocolError, match=f"this stream is in {state.name}"):
            inputs[occurrence](connection)
        assert connection.state is state


@pytest.mark.parametrize("role", ROLES)
def test_whatever_a_peer_sends_has_an_outcome_in_every_state(role):
    _, table, inputs, ways = ROLES[role]
    ours = {Input.ACCEPT, Input.REJECT, Input.SEND_MESSAGE, Input.CONNECT, Input.SEND_AUDIO, Input.EXPIRED}
    for state, row in table.items():
        assert set(inputs) - ours <= set(row), state
    assert set(table) == set(ways)


@pytest.mark.parametrize("role", ROLES)
def test_every_input_of_a_table_is_walked(role):
    _, table, inputs, _ = ROLES[role]
    assert {occurrence for row in table.values() for occurrence in row} == set(inputs)
