"""Records every call as a stereo WAV, the contact left and the agent right."""

import os
import sys

from cxone_assist import Recorder, StaticTokens
from cxone_assist.server import serve

with Recorder(sys.argv[1]) as recorder:
    serve(
        authorize=StaticTokens(os.environ["CXONE_ASSIST_TOKEN"]),
        on_call=recorder.handle,
        place_audio=True,
        inline=True,
        port=int(os.environ.get("CXONE_ASSIST_PORT", "8080")),
        drain_seconds=0.0,
        ready=lambda port: print(f"listening on {port}", flush=True),
    )
