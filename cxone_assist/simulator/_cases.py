"""The scenes of ``cxone-assist check``: what CXone does or may do, and what an endpoint then has to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from attrs import evolve, frozen

from ..events import MessageReceived, StreamRefused
from ..messages import JsonValue, StreamPerspective
from ..mulaw import SILENCE
from ..testing import negotiated_init, tone
from ._endpoint import QUIET, CheckFailed, Endpoint, Peer

__all__ = ["CASES", "Case"]

Scene: TypeAlias = Callable[[Endpoint], Awaitable[object]]


@frozen
class Case:
    """One scene, and what to say about it."""

    name: str
    scene: Scene
    why: str
    """What CXone does, and where that is known from."""
    required: bool = True
    """False where the vendor page does not ask for it; a failure is then a warning."""
    needs_token: bool = False


CASES: list[Case] = []


def case(why: str, *, required: bool = True, needs_token: bool = False) -> Callable[[Scene], Scene]:
    """Register a scene under its function's name."""

    def register(scene: Scene) -> Scene:
        name = getattr(scene, "__name__", "").replace("_", "-")
        CASES.append(Case(name, scene, why, required, needs_token))
        return scene

    return register


# --- the handshake -----------------------------------------------------------------------------


@case("CXone sends audio only after CONNECTED, and the call goes on meanwhile: answer first, set up later.")
async def answers_within_a_second(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        await peer.accepted()


@case("The page prints the answer; a stricter reader than ours may want exactly that.", required=False)
async def answers_as_the_page_prints_it(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        accepted = await peer.accepted()
    if accepted.warnings:
        raise CheckFailed("; ".join(accepted.warnings))


@case("CXone speaks first: an endpoint that talks before it was asked may be cut off.")
async def says_nothing_before_the_initialize_message(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        event = await peer.event(QUIET)
    if event is not None:
        raise CheckFailed("it sent a message before the initialize message came")


@case("One initialize message has one answer.")
async def answers_once(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        await peer.accepted()
        event = await peer.event(QUIET)
    if event is not None and not isinstance(event, MessageReceived):
        raise CheckFailed("it sent something else than MESSAGE after CONNECTED")


async def _each(endpoint: Endpoint, variants: Mapping[str, Mapping[str, JsonValue]]) -> None:
    """Offer an initialize message in several variants, each on a socket of its own."""
    faults = [
        f"{name}: {fault}" for name, keys in variants.items() if (fault := await _fault(endpoint, keys))
    ]
    if faults:
        raise CheckFailed("; ".join(faults))


async def _fault(endpoint: Endpoint, keys: Mapping[str, JsonValue]) -> str | None:
    try:
        async with endpoint.open() as peer:
            await peer.accepted(keys)
    except CheckFailed as fault:
        return str(fault)
    return None


def _execution_info(endpoint: Endpoint, **keys: JsonValue) -> dict[str, JsonValue]:
    info: dict[str, JsonValue] = json.loads(endpoint.init.to_json())["executionInfo"]
    return {"executionInfo": info | keys}


@case("The page writes the perspective as TX, RX, MIX, MX and as 0, 1, 2; numbers are seen from CXone.")
async def reads_every_spelling_of_the_perspective(endpoint: Endpoint) -> None:
    spellings: list[JsonValue] = ["TX", "RX", "MIX", "MX", 0, 1, 2, "0"]
    await _each(endpoint, {repr(s): {"streamPerspective": s} for s in spellings})


@case("Contact ids beyond 32 bits are seen from CXone.")
async def reads_contact_ids_beyond_32_bits(endpoint: Endpoint) -> None:
    await _each(endpoint, {"510212552349954": _execution_info(endpoint, contactId=510212552349954)})


@case("The vendor's own records have the contact id as text elsewhere.", required=False)
async def reads_a_contact_id_that_is_text(endpoint: Endpoint) -> None:
    await _each(endpoint, {"text": _execution_info(endpoint, contactId="506314056968")})


@case("Nulls in the telemetry are seen from CXone.")
async def reads_nulls_and_missing_telemetry(endpoint: Endpoint) -> None:
    nulls: Mapping[str, JsonValue] = {"inContactClusterAlias": None, "consumerMetaData": None}
    await _each(endpoint, {"nulls": {"systemTelemetryData": nulls}, "null": {"systemTelemetryData": None}})


@case("The page says to look the schemas up again before each use: they grow.")
async def ignores_keys_that_it_does_not_know(endpoint: Endpoint) -> None:
    variants: Mapping[str, Mapping[str, JsonValue]] = {
        "top": {"newKey": {"a": [1]}},
        "executionInfo": _execution_info(endpoint, newKey=True),
        "streamsConfiguration": {"streamsConfiguration": {"a": 1}},  # "not used" at present
    }
    await _each(endpoint, variants)


@case("Script names have back-slashes and any letters.")
async def reads_script_names_with_back_slashes(endpoint: Endpoint) -> None:
    await _each(endpoint, {"name": _execution_info(endpoint, scriptName='DEV\\Über "01"\\Agent 助手')})


@case("appParams is an object, JSON in a text, with line breaks in it, or no JSON at all (observed).")
async def reads_every_form_of_app_params(endpoint: Endpoint) -> None:
    forms: Mapping[str, JsonValue] = {
        "object": {"a": "b"},
        "JSON in a text": '{"a": "b"}',
        "JSON with line breaks": '{"a":\r\n"b\r\nc"}',
        "no JSON": "{param1: http://}",
        "empty": "",
        "null": None,
    }
    await _each(endpoint, {name: {"appParams": form} for name, form in forms.items()})


@case("A websocket message may come in fragments (RFC 6455).")
async def puts_fragments_together(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        text = peer.init_text()
        await peer.websocket.send([text[:10], text[10:40], text[40:]])
        await peer.answer()
        await peer.websocket.send([b"\xff" * 100, b"\xff" * 60])
        await peer.alive()


@case("An observed CXone media server offers versions, and wants PascalCase in return.", required=False)
async def answers_the_negotiated_dialect_in_kind(endpoint: Endpoint) -> None:
    token = endpoint.init.authentication_token
    async with endpoint.open(evolve(negotiated_init(), authentication_token=token)) as peer:
        accepted = await peer.accepted()
    if accepted.message.protocol_version is None:
        raise CheckFailed("it answered, but in the documented dialect")


# --- who may stream ----------------------------------------------------------------------------


@case("Whoever knows the address could stream to you: check the token.", needs_token=True)
async def refuses_a_wrong_token(endpoint: Endpoint) -> None:
    for name, token in {"wrong": "not-the-token", "empty": "", "null": None}.items():
        async with endpoint.open() as peer:
            await peer.send(peer.init_text({"authenticationToken": token}))
            turned_away = await _turned_away(peer)
        if not turned_away:
            raise CheckFailed(f"it lets a stream with a token that is {name} in")


async def _turned_away(peer: Peer) -> bool:
    try:
        await peer.answer()
    except CheckFailed:
        return True
    return False


@case("The page has ERROR for it; a bare close tells CXone nothing.", required=False, needs_token=True)
async def refuses_with_an_error_message(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        await peer.send(peer.init_text({"authenticationToken": "not-the-token"}))
        event = await peer.event()
    if not isinstance(event, StreamRefused):
        raise CheckFailed("it did not answer a wrong token with ERROR")


# --- audio -------------------------------------------------------------------------------------


@case("No size of an audio message is documented; 160 bytes is only what was seen.")
async def takes_audio_messages_of_any_size(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        await peer.accepted()
        for size in (160, 0, 1, 159, 161, 320, 800, 16000):
            await peer.send(bytes([SILENCE]) * size)
        await peer.alive()


@case("Audio flows one way.")
async def never_sends_audio(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        await peer.accepted()
        audio = tone(0.2)
        for start in range(0, len(audio), 160):
            await peer.send(audio[start : start + 160])
        event = await peer.event(QUIET)
    if event is not None and not isinstance(event, MessageReceived):
        raise CheckFailed("it answered audio with something that is no MESSAGE")


@case("A hold may keep the socket open and silent (vendor page, key facts).")
async def keeps_a_silent_stream_open(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        await peer.accepted()
        await peer.send(bytes([SILENCE]) * 160)
        await asyncio.sleep(endpoint.silence)
        await peer.send(bytes([SILENCE]) * 160)
        await peer.alive()


@case("What should not come must not end a live call's stream.", required=False)
async def survives_a_second_initialize_message_and_other_text(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        await peer.accepted()
        await peer.send(peer.init_text())
        await peer.send('{"eof":1}')
        await peer.alive()


# --- one call, several sockets -----------------------------------------------------------------


@case("A call with both sides has two sockets, in any order (observed).")
async def takes_both_sides_of_a_call(endpoint: Endpoint) -> None:
    init = endpoint.init
    async with (
        endpoint.open(evolve(init, stream_perspective=StreamPerspective.RX)) as agent,
        endpoint.open(evolve(init, stream_perspective=StreamPerspective.TX)) as contact,
    ):
        await agent.accepted()
        await contact.accepted()
        await agent.alive()


@case("A hold closes the socket; resuming opens a new one with the same handshake (vendor page).")
async def takes_a_call_back_after_a_hold(endpoint: Endpoint) -> None:
    for _ in range(3):  # a second hold is where public receivers were seen to fail
        async with endpoint.open() as peer:
            await peer.accepted()
            await peer.send(bytes([SILENCE]) * 160)


@case("After a failure CXone opens a new socket with the same handshake (vendor page).")
async def takes_a_call_back_after_a_cut_connection(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        await peer.accepted()
        peer.cut()
    async with endpoint.open() as peer:
        await peer.accepted()


@case("The new socket may come before the endpoint knows that the old one is dead.")
async def takes_the_new_socket_before_the_old_one_is_gone(endpoint: Endpoint) -> None:
    async with endpoint.open() as old, endpoint.open() as new:
        await old.accepted()
        await new.accepted()
        await new.alive()


@case("CXone runs many calls at once.")
async def takes_twenty_calls_at_once(endpoint: Endpoint) -> None:
    async def one(number: int) -> None:
        info = evolve(endpoint.init.execution_info, contact_id=900_000_000_000 + number)
        async with endpoint.open(evolve(endpoint.init, execution_info=info)) as peer:
            await peer.accepted()
            await peer.alive()

    await asyncio.gather(*(one(number) for number in range(20)))


# --- peers that misbehave ----------------------------------------------------------------------


@case("Health checks and port scans open a socket and say nothing.")
async def survives_a_socket_without_a_message(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        peer.cut()
    await answers_within_a_second(endpoint)


@case("What is no initialize message must not be taken for one.")
async def accepts_nothing_but_an_initialize_message(endpoint: Endpoint) -> None:
    for name, text in {"no JSON": "hello", "a list": "[1]", "another object": '{"a":1}'}.items():
        async with endpoint.open() as peer:
            await peer.send(text)
            turned_away = await _turned_away(peer)
        if not turned_away:
            raise CheckFailed(f"it answered CONNECTED to {name}")
    await answers_within_a_second(endpoint)


@case("Public receivers ignore audio that comes before the initialize message.", required=False)
async def ignores_audio_before_the_initialize_message(endpoint: Endpoint) -> None:
    async with endpoint.open() as peer:
        await peer.send(bytes([SILENCE]) * 160)
        await peer.accepted()
