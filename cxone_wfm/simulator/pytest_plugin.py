"""A fixture for pytest. To have it, put this line into conftest.py, or into a test file:

`pytest_plugins = ["cxone_wfm.simulator.pytest_plugin"]`
"""

from collections.abc import Iterator

import pytest

from .server import Simulator


@pytest.fixture
def cxone_simulator() -> Iterator[Simulator]:
    """A local CXone WFM of the test's own, running, with nothing received yet."""
    with Simulator() as simulator:
        yield simulator
