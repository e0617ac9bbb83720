"""The agent tunnel between two sockets that are not there."""

import json

import pytest
from attrs import evolve
from support import assist_wire

from cxone_assist import AssistConnection, Fault, LocalProtocolError, ProtocolViolation, StaticTokens
from cxone_assist.testing import init_message, negotiated_init
from cxone_assist.tunnel import (
    AgentTunnel,
    CloseApplication,
    ClosePlatform,
    OpenApplication,
    SendToApplication,
    SendToPlatform,
    rank_applications,
)

FRAME = bytes(160)
PLACES = ["wss://one.example", "wss://two.example", "wss://three.example"]
INIT = init_message(authentication_token="cxone")


def opened(init=INIT, places=PLACES[:1], **options):
    """Return a tunnel whose application was sent the initialize message, and that message."""
    tunnel = AgentTunnel(places, **options)
    (action,) = tunnel.platform_received(init.to_json())
    assert action == OpenApplication(rank_applications(places, init)[0])
    (action,) = tunnel.application_opened()
    return tunnel, action.message


def streaming(init=INIT, places=PLACES[:1]):
    """Return a tunnel with audio flowing, and the application's end."""
    tunnel, text = opened(init, places)
    application = AssistConnection()
    application.receive(text)
    (action,) = tunnel.application_received(application.accept())
    return tunnel, application, action.message


# --- the choice of an application --------------------------------------------------------------


def test_both_streams_of_a_call_try_the_applications_in_one_order():
    contact, agent = init_message(), evolve(init_message(), stream_perspective="RX", app_params=None)
    assert rank_applications(PLACES, contact) == rank_applications(list(reversed(PLACES)), agent)
    assert sorted(rank_applications(PLACES, contact)) == sorted(PLACES)


def test_calls_spread_evenly_and_only_those_of_a_lost_application_move():
    calls = [init_message(contact_id=number) for number in range(3000)]
    first = [rank_applications(PLACES, call)[0] for call in calls]
    for place in PLACES:
        assert 900 < first.count(place) < 1100
    without = [rank_applications(PLACES[1:], call)[0] for call in calls]
    moved = [old for old, new in zip(first, without, strict=True) if old != new]
    assert set(moved) == {PLACES[0]}


@pytest.mark.parametrize("places", [[], (), "wss://one.example"])
def test_a_tunnel_needs_a_list_of_applications(places):
    with pytest.raises(LocalProtocolError, match="a list of at least one application"):
        AgentTunnel(places)


# --- a stream ----------------------------------------------------------------------------------


def test_cxone_is_answered_when_the_application_has_answered_and_then_all_is_passed_on():
    tunnel, application, answer = streaming()
    assert answer == assist_wire.CONNECTED
    assert tunnel.platform_received(FRAME) == [SendToApplication(FRAME)]
    assert tunnel.platform_received('{"eof":1}') == [SendToApplication('{"eof":1}')]
    said = application.send_message("TRANSCRIPT", "hello", parameters={"a": 1})
    assert tunnel.application_received(said) == [SendToPlatform(said)]
    error = '{"command":"ERROR","messageType":"COMMAND","message":"quota"}'
    assert tunnel.application_received(error) == [SendToPlatform(error)]


def test_the_application_gets_the_initialize_message_with_its_own_token():
    _, text = opened(prepare=lambda init: evolve(init, authentication_token="mine"))
    assert json.loads(text) == json.loads(INIT.to_json()) | {"authenticationToken": "mine"}
    _, text = opened()
    assert text == INIT.to_json()


def test_an_application_that_speaks_the_documented_dialect_serves_a_negotiated_stream():
    tunnel, _ = opened(negotiated_init())
    (action,) = tunnel.application_received(assist_wire.CONNECTED)
    assert json.loads(action.message) == assist_wire.NEGOTIATED_CONNECTED
    (action,) = tunnel.application_received('{"command":"MESSAGE","messageType":"T","message":"x"}')
    assert json.loads(action.message) == {"Message": "x", "MessageType": "T", "Parameters": {}}
    (action,) = tunnel.application_received('{"command":"MESSAGE"}')
    assert json.loads(action.message) == {"Message": "", "MessageType": "", "Parameters": {}}


def test_the_capabilities_that_the_application_agrees_to_are_passed_on():
    tunnel, _ = opened(negotiated_init())
    (action,) = tunnel.application_received(
        json.dumps(assist_wire.NEGOTIATED_CONNECTED | {"AgreedCapabilities": []})
    )
    assert json.loads(action.message)["AgreedCapabilities"] == []


# --- refusals ----------------------------------------------------------------------------------


def test_a_wrong_token_is_refused_at_the_tunnel():
    tunnel = AgentTunnel(PLACES, authenticate=StaticTokens("right"))
    reply, close = tunnel.platform_received(INIT.to_json())
    assert json.loads(reply.message)["command"] == "ERROR"
    assert close == ClosePlatform(3000)
    assert tunnel.platform_closed(1000) == []


def test_what_is_no_initialize_message_is_refused_at_the_tunnel():
    tunnel = AgentTunnel(PLACES)
    violation, reply, close = tunnel.platform_received("garbage")
    assert violation.error.fault is Fault.NOT_JSON
    assert reply.message == violation.reply
    assert close == ClosePlatform(1008)


def test_a_refusal_by_the_application_is_an_answer_and_no_reason_to_try_another():
    tunnel, _ = opened(places=PLACES)
    actions = tunnel.application_received('{"command":"ERROR","message":"unknown account"}')
    assert actions[1:] == [ClosePlatform(3000), CloseApplication(1000)]
    assert json.loads(actions[0].message)["message"] == "unknown account"
    assert tunnel.platform_closed(3000) == []


@pytest.mark.parametrize("side", ["platform_received", "application_received"])
def test_a_message_that_is_only_wrong_is_told_and_goes_no_further(side):
    tunnel, _, _ = streaming()
    (violation,) = getattr(tunnel, side)({"platform_received": INIT.to_json()}.get(side, "garbage"))
    assert isinstance(violation, ProtocolViolation)


# --- failing over ------------------------------------------------------------------------------


def test_an_application_that_cannot_be_reached_is_followed_by_the_next_and_the_last_by_an_error():
    tunnel = AgentTunnel(PLACES)
    tunnel.platform_received(INIT.to_json())
    _, second, third = rank_applications(PLACES, INIT)
    assert tunnel.application_closed() == [OpenApplication(second)]
    tunnel.application_opened()
    assert tunnel.application_closed(1006) == [OpenApplication(third)]
    reply, close = tunnel.application_closed()
    assert json.loads(reply.message)["message"] == "no assist application is available"
    assert close == ClosePlatform(1013)


def test_an_application_that_does_not_answer_in_time_is_followed_by_the_next():
    tunnel = AgentTunnel(PLACES)
    assert tunnel.tick(0.0) == []
    assert tunnel.next_deadline() == 5.0
    tunnel.platform_received(INIT.to_json())
    assert tunnel.next_deadline() is None
    tunnel.application_opened()
    assert tunnel.tick(20.0) == []
    assert tunnel.next_deadline() == 25.0
    violation, close, following = tunnel.tick(25.0)
    assert violation.error.fault is Fault.NO_MESSAGE_IN_TIME
    assert (close, following) == (CloseApplication(1008), OpenApplication(rank_applications(PLACES, INIT)[1]))
    tunnel.application_opened()
    (answer,) = tunnel.application_received(assist_wire.CONNECTED)
    assert answer == SendToPlatform(assist_wire.CONNECTED)


def test_cxone_that_sends_no_initialize_message_is_closed_at_the_deadline():
    tunnel = AgentTunnel(PLACES)
    tunnel.tick(0.0)
    violation, _, close = tunnel.tick(5.0)
    assert violation.error.fault is Fault.NO_MESSAGE_IN_TIME
    assert close == ClosePlatform(1008)
    assert tunnel.next_deadline() is None
    assert tunnel.tick(6.0) == []


def test_an_answer_that_is_too_large_counts_as_none():
    tunnel, _ = opened(places=PLACES)
    violation, close, following = tunnel.application_received("x" * 70_000)
    assert violation.error.fault is Fault.TOO_LARGE
    assert (close, following) == (CloseApplication(1009), OpenApplication(rank_applications(PLACES, INIT)[1]))


# --- the end -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "passed_on"), [(1000, 1000), (1012, 1012), (4001, 4001), (1006, 1011), (None, 1011)]
)
def test_either_side_closes_the_other_with_its_code_where_that_may_be_sent(code, passed_on):
    tunnel, _, _ = streaming()
    assert tunnel.application_closed(code) == [ClosePlatform(passed_on)]
    assert tunnel.platform_received(FRAME) == []
    assert tunnel.platform_closed(1000) == []
    tunnel, _, _ = streaming()
    assert tunnel.platform_closed(code) == [CloseApplication(passed_on)]
    assert tunnel.application_received('{"command":"MESSAGE"}') == []
    assert tunnel.application_closed(1000) == []


def test_a_stream_that_closes_while_its_application_is_being_opened_stops_that():
    tunnel = AgentTunnel(PLACES)
    tunnel.platform_received(INIT.to_json())
    assert tunnel.platform_closed(1006) == [CloseApplication(1011)]
    assert tunnel.application_opened() == [CloseApplication(1000)]


def test_a_probe_opens_no_application():
    tunnel = AgentTunnel(PLACES)
    assert tunnel.platform_closed(1000) == []


def test_a_text_before_the_answer_is_not_passed_on():
    tunnel, _ = opened()
    assert tunnel.platform_received("hello") == []


def test_news_of_a_socket_that_was_not_asked_for_is_a_mistake_of_our_caller():
    tunnel = AgentTunnel(PLACES)
    for tell in (
        tunnel.application_opened,
        tunnel.application_closed,
        lambda: tunnel.application_received(assist_wire.CONNECTED),
    ):
        with pytest.raises(LocalProtocolError, match="application"):
            tell()
    tunnel, _, _ = streaming()
    with pytest.raises(LocalProtocolError, match="none is outstanding"):
        tunnel.application_opened()


def test_actions_show_no_message():
    _, text = opened()
    assert "cxone" not in repr(SendToApplication(text))
    assert repr(SendToPlatform("abc")) == "SendToPlatform(message=<str of 3>)"
