"""Wait for a thing, not for a time."""

import os
import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool], patience: float) -> float:
    """Seconds until it held; the whole patience where it never did."""
    began = time.monotonic()
    while not condition() and time.monotonic() - began < patience:
        time.sleep(0.002)
    return time.monotonic() - began


def overload() -> float:
    """How many processes want each processor, at least 1: by so much are bounds in seconds stretched.

    They hold for a machine that nobody else needs. A busy one must not raise a false alarm.
    """
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
