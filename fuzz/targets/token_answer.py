"""What a token endpoint answers: a token that can be sent and whose times make sense, or none."""

import math

from cxone_wfm._token_cache import LONGEST_LIFE, Grant, TokenCache
from cxone_wfm.auth import _grant
from cxone_wfm.testing import FakeClock


def fuzz_one(data: bytes) -> None:
    """Read an answer, and put its token to use."""
    clock = FakeClock()
    grant = _grant(data, clock.now)
    if grant is None:
        return
    assert grant.life is None or 0 < grant.life < math.inf
    given: Grant = grant

    def login(_deadline: float) -> Grant:
        return given

    token = TokenCache(login, lambda _refresh, _deadline: given, clock, lambda: 0.5).get(clock.now + 1)
    text = token.value.reveal()
    assert f"Bearer {text}".isprintable()
    assert len(text.split()) == 1, "a header cannot carry it"
    assert clock.now < token.refresh_at <= token.stale_at <= token.expires_at <= clock.now + LONGEST_LIFE
