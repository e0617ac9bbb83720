"""The smallest endpoint: prints how loud each side is, once a second."""

import os

from cxone_assist import StaticTokens, mulaw
from cxone_assist.server import Stream, serve


def on_audio(stream: Stream, ulaw: bytes, position: int) -> None:
    if position % 8000 == 0:
        who = f"{stream.contact_id} {stream.perspective}"
        # One write, for other streams print too.
        print(f"{who} {position // 8000} s {mulaw.level(ulaw):.0f} dB\n", end="", flush=True)


serve(
    authorize=StaticTokens(os.environ["CXONE_ASSIST_TOKEN"]),
    on_audio=on_audio,
    port=int(os.environ.get("CXONE_ASSIST_PORT", "8080")),
    drain_seconds=0.0,
    ready=lambda port: print(f"listening on {port}", flush=True),
)
