"""The vendor page's four reference endpoints, which show what CXone sends: as a WSGI application.

The page gives their methods and paths and says what each is for; it prints no answer of them. Here the
two examples are the page's own sample messages, and ``utterance`` takes what ``utterance_app`` takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ..messages import StreamPerspective, build_connected
from ..testing import init_message
from ..utterance import utterance_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["reference_app"]

_AUDIO: Final = "/agent_assist_audio_websocket_hooks"
_UTTERANCE: Final = "/agent_assist_text_webhooks/utterance"


def reference_app(websocket_url: str) -> WSGIApplication:
    """Return an application that answers the four; run it with any WSGI server.

    Args:
        websocket_url: what ``example-websocket-server`` names, such as ``Server.url``.
    """
    init = json.loads(init_message(stream_perspective=StreamPerspective.TX).to_json())
    answers: dict[tuple[str, str], object] = {
        ("GET", f"{_AUDIO}/example-websocket-server"): {"url": websocket_url},
        ("GET", f"{_AUDIO}/initializemessage-example"): init,
        ("POST", f"{_AUDIO}/custom-assist-endpoint/initialize-audio-message-example"): json.loads(
            build_connected()
        ),
    }
    utterances = utterance_app(lambda _utterance: None)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path == _UTTERANCE:
            return utterances(environ, start_response)
        answer = answers.get((environ["REQUEST_METHOD"], path))
        status = "200 OK"
        if answer is None:
            known = any(path == other for _, other in answers)
            status = "405 Method Not Allowed" if known else "404 Not Found"
            answer = {"reason": "this path has another method" if known else "there are four paths"}
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    return app
