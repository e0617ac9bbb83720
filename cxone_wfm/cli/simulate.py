"""`cxone-wfm simulate`: a local CXone WFM until Ctrl-C."""

import signal
import threading

from ..simulator import Simulator
from .output import Output

_LOOK_EVERY = 0.2


def simulate(output: Output, *, host: str, port: int, token_life: int, one_time_refresh: bool) -> int:
    """Serve until the process is told to stop, and show each request as it comes. Gives the exit code."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    simulator = Simulator(host=host, port=port, token_life=token_life, one_time_refresh=one_time_refresh)
    with simulator:
        config = simulator.config()
        settings = {
            "CXONE_BASE_URL": simulator.base_url,
            "CXONE_TENANT": config.tenant_name,
            "CXONE_ACCESS_KEY_ID": config.access_key_id.reveal(),
            "CXONE_ACCESS_KEY_SECRET": config.access_key_secret.reveal(),
        }
        output.document({"settings": settings, "read_back": f"{simulator.base_url}/__simulator__/received"})
        output.line("A local CXone WFM. Use it with these settings; they are good nowhere else:")
        for name, value in settings.items():
            output.line(f"  export {name}={value}")
        output.line(f"What it received: {simulator.base_url}/__simulator__/received   Stop it with Ctrl-C.")
        shown = 0
        while not stop.wait(_LOOK_EVERY):
            requests = simulator.received.requests
            shown = min(shown, len(requests))  # somebody may have reset it
            for request in requests[shown:]:
                output.line(f"{request.status}  {request.operation:<22} {request.method} {request.path}")
            shown = len(requests)
    return 0
