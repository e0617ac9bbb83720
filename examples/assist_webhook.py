"""The text webhook under a WSGI server.

`python assist_webhook.py` serves it on loopback with the server of the standard library, to
try it out. In production run `app` under a server of your choice behind TLS, because CXone
posts over HTTPS only: `waitress-serve --listen=127.0.0.1:8080 assist_webhook:app`.
"""

import os
import sys
from wsgiref.simple_server import make_server

from cxone_assist import Participant, StaticTokens, WebHooksMessagesRequest, utterance_app


def on_utterance(utterance: WebHooksMessagesRequest) -> None:
    """Take one utterance; CXone has its answer already."""
    if utterance.participant_id == Participant.PATRON:
        print(f"contact {utterance.contact_id}: {utterance.message_body}", flush=True)


token = os.environ.get("ASSIST_WEBHOOK_TOKEN")
app = utterance_app(on_utterance, authenticate=StaticTokens(token).matches if token else None)


def main() -> None:
    """Serve until interrupted."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    with make_server("127.0.0.1", port, app) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
