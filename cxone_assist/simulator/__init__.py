"""Be CXone: play calls against an endpoint, check it, load it (extra ``server``)."""

try:
    import websockets as _websockets  # noqa: F401 - to see whether the extra is there
except ImportError as error:
    raise ImportError(
        'cxone_assist.simulator needs its extra: python -m pip install "cxone-wfm-sdk[server]"'
    ) from error

from .lockstep import Lockstep
from .player import CallReport, play
from .scenario import Do, ScenarioError, Step, parse_scenario, simple_call
from .schedule import Action, Kind, plan
from .speech import speech

__all__ = [
    "Action",
    "CallReport",
    "Do",
    "Kind",
    "Lockstep",
    "ScenarioError",
    "Step",
    "parse_scenario",
    "plan",
    "play",
    "simple_call",
    "speech",
]
