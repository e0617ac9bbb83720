"""The promises of ``cxone-assist check``: it passes what is right, and finds what is wrong."""

import asyncio
import json
from contextlib import suppress
from xml.etree import ElementTree as ET

import pytest
from support.assist_endpoint import endpoint
from support.assist_wire import CONNECTED
from websockets.exceptions import ConnectionClosedError

from cxone_assist import StaticTokens
from cxone_assist.server import Limits, Server, allow_all
from cxone_assist.simulator import _endpoint
from cxone_assist.simulator import check as check_module
from cxone_assist.simulator._cases import Case
from cxone_assist.simulator.check import CheckResult, Outcome, exit_code, junit
from cxone_assist.testing import init_message


def check(url, init, **options):
    return check_module.check(url, init, silence=0.02, **options)


def outcomes(results):
    return {result.name: result.outcome for result in results}


def test_our_own_server_passes_every_case():
    with Server(authorize=StaticTokens("t")) as server:
        seen = []
        results = check(server.url, init_message(authentication_token="t"), on_result=seen.append)
    assert set(outcomes(results).values()) == {Outcome.PASSED}
    assert seen == list(results)
    assert exit_code(results) == 0


def test_without_a_token_the_cases_that_need_one_are_skipped_and_an_open_door_is_found_with_one():
    with Server(authorize=allow_all) as server:
        found = outcomes(check(server.url, init_message()))
        assert {name for name, outcome in found.items() if outcome is Outcome.SKIPPED} == {
            "refuses-a-wrong-token",
            "refuses-with-an-error-message",
        }
        results = check(server.url, init_message(authentication_token="t"))
    assert outcomes(results)["refuses-a-wrong-token"] is Outcome.FAILED
    assert exit_code(results) == 1
    tree = ET.fromstring(junit(results))
    assert tree.get("failures") == "1"


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.WARNING, Outcome.UNREACHABLE])
def test_the_xml_holds_up_whatever_an_endpoint_sends(outcome):
    said = "it refused with ERROR: \x00\x1b[2J \ud800 <ü>"
    xml = junit([CheckResult(name="one", outcome=outcome, found=said, why="", seconds=0.0)])
    tree = ET.fromstring(xml.encode())
    shown = tree.find(".//failure").get("message") if tree.find(".//failure") is not None else tree[0][0].text
    assert "ERROR: \\x00\\x1b[2J \\ud800 <ü>" in shown


@pytest.fixture
def impatient(monkeypatch):
    """Wait less for answers that never come."""
    monkeypatch.setattr(_endpoint, "PATIENCE", 0.2)


def test_a_poor_endpoint_is_told_what_to_do(impatient):
    """It answers anything with CONNECTED and more, echoes audio, and reads no perspective as a number."""

    def poor(websocket):
        websocket.send('{"hello":1}')
        for message in websocket:
            if isinstance(message, bytes):
                websocket.send(message)
            elif '"streamPerspective": 0' in message or "eof" in message:
                return
            elif '"streamPerspective": 1' in message:
                continue
            else:
                websocket.send('{"command":"CONNECTED"}')
                websocket.send('{"command":"CONNECTED"}')

    with endpoint(poor) as url:
        results = check(url, init_message(authentication_token="t"))
    found = outcomes(results)
    assert found["says-nothing-before-the-initialize-message"] is Outcome.FAILED
    assert found["answers-within-a-second"] is Outcome.FAILED
    assert exit_code(results) == 1
    assert all(result.found for result in results if result.outcome is Outcome.FAILED)


def test_an_endpoint_that_is_almost_right_fails_where_it_is_wrong(impatient):
    """It answers twice, sends audio back, accepts anything, takes any token and speaks one dialect."""

    def almost(websocket):
        accepted = False
        for message in websocket:
            if isinstance(message, bytes):
                websocket.send(message)
            elif accepted or "no-answer" in message:
                return
            elif '"streamPerspective": 1' not in message:
                websocket.send(json.dumps(json.loads(CONNECTED) | {"extra": 1}))
                websocket.send(CONNECTED)
                accepted = True

    with endpoint(almost) as url:
        results = check(url, init_message(authentication_token="t"))
    found = outcomes(results)
    failed = {name for name, outcome in found.items() if outcome is Outcome.FAILED}
    assert {
        "answers-once",
        "reads-every-spelling-of-the-perspective",
        "refuses-a-wrong-token",
        "never-sends-audio",
        "accepts-nothing-but-an-initialize-message",
    } <= failed
    warned = {name for name, outcome in found.items() if outcome is Outcome.WARNING}
    assert {
        "answers-as-the-page-prints-it",
        "answers-the-negotiated-dialect-in-kind",
        "refuses-with-an-error-message",
    } <= warned
    assert "warning" in junit(results)


def test_an_endpoint_that_closes_a_silent_stream_is_found_by_a_silence_that_is_long_enough(monkeypatch):
    (silent,) = (case for case in check_module.CASES if case.name == "keeps-a-silent-stream-open")
    monkeypatch.setattr(check_module, "CASES", [silent])

    def impatient(websocket):
        websocket.recv()
        websocket.send(CONNECTED)
        with suppress(TimeoutError):
            while True:
                websocket.recv(0.2)

    with endpoint(impatient) as url:
        (short,) = check_module.check(url, init_message(), silence=0.02)
        (long,) = check_module.check(url, init_message(), silence=0.4)
    assert (short.outcome, long.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert long.found == "it closed the socket, with 1000"


def test_nobody_at_the_address_is_told_at_once():
    with Server(authorize=allow_all) as server:
        url = server.url
    results = check(url, init_message())
    assert [result.outcome for result in results] == [Outcome.UNREACHABLE]
    assert exit_code(results) == 5


def test_an_endpoint_that_takes_too_few_streams_fails_that_case():
    with Server(authorize=allow_all, limits=Limits(streams=5)) as server:
        found = outcomes(check(server.url, init_message()))
    assert found["takes-twenty-calls-at-once"] is Outcome.FAILED


def test_a_socket_that_closes_in_the_middle_of_a_scene_fails_that_case(monkeypatch):
    async def scene(_endpoint):
        raise ConnectionClosedError(None, None)

    cases = [Case("needed", scene, "why"), Case("wise", scene, "why", required=False)]
    monkeypatch.setattr(check_module, "CASES", cases)
    results = check("ws://127.0.0.1:1/", init_message())
    assert [result.outcome for result in results] == [Outcome.FAILED, Outcome.WARNING]
    assert all(result.found.startswith("it closed the socket") for result in results)


class ClosedSocket:
    """A websocket that the endpoint has closed."""

    close_code = 1011

    async def gone(self, *_):
        raise ConnectionClosedError(None, None)

    send = recv = ping = gone


class DeafSocket:
    """A websocket whose endpoint answers no ping."""

    async def ping(self):
        return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("step", [lambda p: p.send("x"), lambda p: p.event(), lambda p: p.alive()])
def test_a_socket_that_the_endpoint_closed_is_told_with_its_code(step):
    peer = _endpoint.Peer(ClosedSocket(), init_message())
    with pytest.raises(_endpoint.CheckFailed, match="closed the socket, with 1011"):
        asyncio.run(step(peer))


def test_a_ping_without_a_pong_is_told(monkeypatch):
    monkeypatch.setattr(_endpoint, "PATIENCE", 0.01)
    with pytest.raises(_endpoint.CheckFailed, match="ping was not answered"):
        asyncio.run(_endpoint.Peer(DeafSocket(), init_message()).alive())
