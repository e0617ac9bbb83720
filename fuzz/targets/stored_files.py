"""Files of our own that a crash or a hand may have damaged: read as they were meant, or refused in words.

The first byte chooses: "C" a connector's progress, "R" a replay's, all others the lock of an outbox.
"""

from cxone_wfm import ConfigurationError
from cxone_wfm.connector._progress import Owner, _written, load
from cxone_wfm.outbox.reading import _owner

OWNERS: dict[bytes, Owner] = {b"C": "connector", b"R": "replay"}


class _File:
    """What `load` takes of a path."""

    def __init__(self, content: bytes) -> None:
        self.read_bytes = lambda: content


def fuzz_one(data: bytes) -> None:
    """Read one of the files."""
    owner = OWNERS.get(data[:1])
    if owner is None:
        _owner(data[1:])
        return
    try:
        progress = load(_File(data[1:]), owner)  # type: ignore[arg-type] # as much of a path as it needs
    except ConfigurationError as error:
        assert error.problems
        return
    assert progress is not None
    assert load(_File(_written(progress)), owner) == progress  # type: ignore[arg-type] # likewise
