"""Wait for a thing, not for a time."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool], patience: float) -> float:
    """Seconds until it held; the whole patience where it never did."""
    began = time.monotonic()
    while not condition() and time.monotonic() - began < patience:
        time.sleep(0.002)
    return time.monotonic() - began
