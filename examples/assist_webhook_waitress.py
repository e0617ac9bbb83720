"""The text webhook in production: waitress on loopback, and a proxy in front that speaks HTTPS.

CXone posts over HTTPS only, and waitress speaks HTTP, so let a proxy hold the certificate. With nginx:

    server {
        listen 443 ssl;
        server_name assist.example.com;
        ssl_certificate     /etc/ssl/assist.example.com.pem;
        ssl_certificate_key /etc/ssl/assist.example.com.key;
        client_max_body_size 256k;
        location = /utterance { proxy_pass http://127.0.0.1:8080; }
    }

The Text Relay Endpoint to enter in CXone is then https://assist.example.com/utterance. The proxy passes
the Authorization header on, as it comes.
"""

import os
import socket

from waitress.server import create_server

from cxone_assist import Participant, StaticTokens, WebHooksMessagesRequest, utterance_app


def on_utterance(utterance: WebHooksMessagesRequest) -> None:
    """Take one utterance. CXone has its answer already; a thread of waitress is busy until this returns."""
    who = "contact" if utterance.participant_id == Participant.PATRON else utterance.participant_id
    # One write, for other requests are in threads of their own.
    print(f"{utterance.contact_id} {who}: {utterance.message_body}\n", end="", flush=True)


tokens = StaticTokens(os.environ["CXONE_ASSIST_WEBHOOK_TOKEN"])
app = utterance_app(on_utterance, authenticate=tokens.matches)
port = int(os.environ.get("CXONE_ASSIST_PORT", "8080"))
with socket.create_server(("127.0.0.1", port)) as listening:
    print(f"listening on {listening.getsockname()[1]}", flush=True)
    # As many threads as utterances are worked on at once; the others wait in waitress.
    server = create_server(app, sockets=[listening], threads=16, max_request_body_size=1 << 20)
    server.run()
    server.close()
