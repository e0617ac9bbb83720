"""Fixtures for the tests of programs that receive streams.

They are there for whoever asks, in a ``conftest.py``::

    pytest_plugins = ["cxone_assist.simulator.pytest_plugin"]

    def test_my_application(assist_server, cxone_call):
        server = assist_server(on_audio=my_application.on_audio)
        report = cxone_call(server.url, drops=[2.0])
        assert report.ok
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import pytest

from ..messages import StreamPerspective, WebSocketHookInitializeMessage
from ..server import Server, allow_all
from ..testing import init_message
from . import CallReport, Step, plan, play, simple_call, speech

__all__ = ["assist_server", "cxone_call"]


@pytest.fixture
def assist_server() -> Iterator[Callable[..., Server]]:
    """Start servers, with the arguments of ``Server``; they are closed after the test."""
    with ExitStack() as stack:

        def start(**options: object) -> Server:
            make: Callable[..., Server] = Server
            return stack.enter_context(make(**{"authorize": allow_all, **options}))

        yield start


@pytest.fixture
def cxone_call() -> Callable[..., CallReport]:
    """Play calls to an endpoint, as fast as possible unless a ``rate`` is given."""

    def call(
        url: str,
        *,
        audio: Mapping[StreamPerspective, bytes] | None = None,
        steps: Sequence[Step] | None = None,
        holds: Sequence[tuple[float, float]] = (),
        drops: Sequence[float] = (),
        init: WebSocketHookInitializeMessage | None = None,
        rate: float = math.inf,
    ) -> CallReport:
        sides = (StreamPerspective.TX, StreamPerspective.RX)
        if audio is None:
            audio = {side: speech(side, 5) for side in sides}
        if steps is None:
            steps = simple_call(holds=holds, drops=drops, perspectives=[s for s in sides if s in audio])
        return play(url, plan(steps, audio), init or init_message(), rate=rate)

    return call
