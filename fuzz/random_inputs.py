"""One target under Hypothesis, for where atheris is not: seeds with parts replaced, and any bytes."""

import logging
import time
from hashlib import sha1
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import Target

EXAMPLES = 200
"""As many as are drawn between two looks at the clock."""


def inputs(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """Any bytes, and seeds with a part replaced."""
    part = st.sampled_from([*seeds, *b'{}[],:"\n\\ 09'.split(), b"null", b"1e999", b"\xff"])
    place = st.integers(0, max(map(len, seeds), default=0))

    def replaced(seed: bytes, start: int, length: int, new: bytes) -> bytes:
        return seed[:start] + new + seed[start + length :]

    mutated = st.builds(
        replaced, st.sampled_from(seeds or [b""]), place, st.integers(0, 40), part | st.binary(max_size=8)
    )
    return st.binary(max_size=500) | mutated | st.builds(replaced, mutated, place, st.integers(0, 40), part)


def search(target: Target, seeds: list[bytes], seconds: float, keep: Path) -> str | None:
    """Try inputs for so many seconds. Gives what went wrong, None where nothing did; the input is kept."""
    failed: list[bytes] = []

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(inputs(seeds))
    def attempt(data: bytes) -> None:
        try:
            target(data)
        except BaseException:
            failed.append(data)
            raise

    logging.disable()
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            attempt()
    except Exception as error:  # noqa: BLE001 - any error is a find
        smallest = failed[-1]  # Hypothesis plays the smallest one last
        path = keep / f"crash-{sha1(smallest, usedforsecurity=False).hexdigest()}"
        path.write_bytes(smallest)
        return f"{type(error).__name__}: {error}\n{path}"
    finally:
        logging.disable(logging.NOTSET)
    return None
