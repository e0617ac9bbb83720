"""The text webhook under the server of the standard library: nothing to install, to try it out.

In production run it as `assist_webhook_waitress.py` does, because CXone posts over HTTPS only.
"""

import os
from contextlib import suppress
from wsgiref.simple_server import make_server

from cxone_assist import Participant, StaticTokens, WebHooksMessagesRequest, utterance_app


def on_utterance(utterance: WebHooksMessagesRequest) -> None:
    """Take one utterance; CXone has its answer already."""
    who = "contact" if utterance.participant_id == Participant.PATRON else utterance.participant_id
    # One write, for other requests are in threads of their own.
    print(f"{utterance.contact_id} {who}: {utterance.message_body}\n", end="", flush=True)


tokens = StaticTokens(os.environ["CXONE_ASSIST_WEBHOOK_TOKEN"])
port = int(os.environ.get("CXONE_ASSIST_PORT", "8080"))
with make_server("127.0.0.1", port, utterance_app(on_utterance, authenticate=tokens.matches)) as server:
    print(f"listening on {server.server_port}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()
