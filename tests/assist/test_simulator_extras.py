"""The reference endpoints, and the pytest fixtures."""

import io
import json

from support.assist_sockets import Log
from support.assist_wire import CONNECTED

from cxone_assist import StreamPerspective, WebSocketHookInitializeMessage
from cxone_assist.simulator import Do, Step
from cxone_assist.simulator.reference import reference_app

pytest_plugins = ["cxone_assist.simulator.pytest_plugin"]

AUDIO = "/agent_assist_audio_websocket_hooks"


def ask(method, path, body=b""):
    status = []
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json", "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(),
    }  # fmt: skip
    answer = b"".join(reference_app("ws://here/")(environ, lambda line, _headers: status.append(line)))
    return status[0][:3], json.loads(answer) if answer else None


def test_the_page_s_four_reference_endpoints_answer():
    assert ask("GET", f"{AUDIO}/example-websocket-server") == ("200", {"url": "ws://here/"})
    status, example = ask("GET", f"{AUDIO}/initializemessage-example")
    assert status == "200"
    message = WebSocketHookInitializeMessage.from_json(json.dumps(example))
    assert message.stream_perspective is StreamPerspective.TX
    path = f"{AUDIO}/custom-assist-endpoint/initialize-audio-message-example"
    assert ask("POST", path, json.dumps(example).encode()) == ("200", json.loads(CONNECTED))
    assert ask("POST", "/agent_assist_text_webhooks/utterance", b'{"contactId":1}') == ("204", None)
    assert ask("GET", path)[0] == "405"
    assert ask("GET", "/")[0] == "404"


def test_the_fixtures_play_a_call_to_a_server(assist_server, cxone_call):
    heard = Log()
    server = assist_server(on_audio=lambda _s, ulaw, _at: heard(len(ulaw)))
    assert cxone_call(server.url, holds=[(1, 2)]).samples == 80000
    assert cxone_call(server.url, audio={StreamPerspective.TX: bytes(160)}).frames == 1
    heard.wait(lambda items: sum(items) == 80160)


def test_the_fixture_plays_the_steps_that_it_is_given(assist_server, cxone_call):
    report = cxone_call(assist_server().url, steps=[Step(do=Do.OPEN), Step(do=Do.SILENCE, seconds=0.1)])
    assert (report.frames, report.samples) == (10, 1600)
