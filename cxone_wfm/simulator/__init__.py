"""A local CXone WFM to develop and test against. Needs the extra `simulator`.

::

    from cxone_wfm import WfmClient
    from cxone_wfm.simulator import Simulator, Status

    with Simulator() as simulator, WfmClient(simulator.config()) as wfm:
        simulator.fail("heartbeat", Status(503))
        wfm.heartbeat.send()                       # a 503, then success
        assert simulator.received.heartbeats == 1

A fixture for pytest is in `cxone_wfm.simulator.pytest_plugin`.
"""

from .faults import (
    AnswerLost,
    CutBefore,
    CutInside,
    Delay,
    Drip,
    ExpireToken,
    Html,
    InjectedFault,
    RateLimit,
    Redirect,
    Status,
    TooLong,
)
from .server import Simulator
from .state import Received, ReceivedRequest

__all__ = [
    "AnswerLost",
    "CutBefore",
    "CutInside",
    "Delay",
    "Drip",
    "ExpireToken",
    "Html",
    "InjectedFault",
    "RateLimit",
    "Received",
    "ReceivedRequest",
    "Redirect",
    "Simulator",
    "Status",
    "TooLong",
]
