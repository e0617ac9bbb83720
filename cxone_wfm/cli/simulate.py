"""`cxone-wfm simulate`: a local CXone WFM until Ctrl-C."""

import signal
import threading
from contextlib import ExitStack

from ..simulator import ReceivedRequest, Simulator
from .output import Output

_LOOK_EVERY = 0.2
_LOOPBACK_URL = "http://127.0.0.1"


def simulate(output: Output, *, host: str, port: int, token_life: int, one_time_refresh: bool) -> int:
    """Serve until the process is told to stop, and show each request as it comes. Gives the exit code."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    simulator = Simulator(host=host, port=port, token_life=token_life, one_time_refresh=one_time_refresh)
    with ExitStack() as running:
        try:
            running.enter_context(simulator)
        except OSError as error:
            return output.failed(
                f"Cannot listen at {host}, port {port}: {error}. Give another --port or --host."
            )
        _introduce(output, simulator)
        shown: tuple[ReceivedRequest, ...] = ()
        stopped = False
        while not stopped:
            stopped = stop.wait(_LOOK_EVERY)
            requests = simulator.received.requests
            known = len(shown) if requests[: len(shown)] == shown else 0  # somebody may have reset it
            for request in requests[known:]:
                output.line(_line(request))
            shown = requests
    return 0


def _introduce(output: Output, simulator: Simulator) -> None:
    # Another base_url, for clients refuse http to other machines, and this one may listen for those.
    config = simulator.config(base_url=_LOOPBACK_URL)
    settings = {
        "CXONE_BASE_URL": simulator.base_url,
        "CXONE_TENANT": config.tenant_name,
        "CXONE_ACCESS_KEY_ID": config.access_key_id.reveal(),
        "CXONE_ACCESS_KEY_SECRET": config.access_key_secret.reveal(),
    }
    read_back = f"{simulator.base_url}/__simulator__/received"
    output.document({"ok": True, "settings": settings, "read_back": read_back})
    output.line("A local CXone WFM. Use it with these settings; they are good nowhere else:\n")
    for name, value in settings.items():
        output.line(f"  export {name}={value}")
    output.line(f"\nWhat it received is at {read_back}")
    output.line("Every request is shown below. Stop it with Ctrl-C.\n")


def _line(request: ReceivedRequest) -> str:
    return f"{request.status}  {request.operation or '(unknown)':<22} {request.method} {request.path}"
