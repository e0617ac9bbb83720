"""What a forked child of a program that uses the library can rely on."""

import os
import select
import signal
import warnings
import weakref
from collections.abc import Callable

import pytest
from support.exchange import always, granted, operation_of
from support.threads import PATIENCE, Background, Gate

from cxone_wfm import AuthClient, NotSentError, Request, Response, WfmClient, _fork
from cxone_wfm._retry import RetryQuota
from cxone_wfm.testing import FakeClock, FakeTransport, fake_config, reply

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")


def in_a_child(work: Callable[[], str]) -> str:
    """What `work` gives in a forked child; "hangs" where it gives nothing in time."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads is what is tested here
        child = os.fork()
    if child == 0:
        try:
            said = work()
        except BaseException as error:  # noqa: BLE001 - the parent looks at it
            said = repr(error)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    try:
        ready, _, _ = select.select([reading], [], [], PATIENCE)
        return os.read(reading, 65536).decode() if ready else "hangs"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)


def counted() -> Callable[[Request], Response]:
    logins = 0

    def answer(request: Request) -> Response:
        nonlocal logins
        if operation_of(request) != "access_key_token":
            return reply(200)
        logins += 1
        return granted(f"access-{logins} of {os.getpid()}".replace(" ", "-"))

    return answer


def text_of(auth: AuthClient) -> str:
    return auth.access_token().value.reveal()


@needs_fork
def test_a_child_starts_without_a_token_and_the_parent_keeps_its_own() -> None:
    auth = AuthClient(fake_config(), transport=always(counted()), clock=FakeClock())
    mine = auth.access_token()
    said = in_a_child(
        lambda: f"{auth.access_token().value.reveal()} {os.getpid()} {auth.access_token().generation}"
    )
    token, process, generation = said.split()
    assert token == f"access-2-of-{process}"
    assert int(process) != os.getpid()
    assert generation == "1"
    assert auth.access_token() is mine


@needs_fork
def test_a_child_does_not_wait_for_the_locks_that_the_parent_held() -> None:
    wfm = WfmClient(fake_config(), transport=always(counted()), clock=FakeClock())
    token = wfm.auth.access_token()
    cache, quota = wfm.auth._cache, wfm.auth._quota

    def work() -> str:
        wfm.auth.invalidate(token)
        wfm.heartbeat.send()
        return "sent"

    with cache._changed, quota._lock:
        assert in_a_child(work) == "sent"


@needs_fork
def test_a_child_does_not_wait_for_a_renewal_that_went_on_in_the_parent() -> None:
    gate, parent = Gate(), os.getpid()

    def answer(_: Request) -> Response:
        if os.getpid() == parent:
            gate()
        return granted()

    auth = AuthClient(fake_config(), transport=always(answer), clock=FakeClock())
    leader = Background(auth.access_token)
    gate.wait_until_reached()
    said = in_a_child(lambda: text_of(auth))
    gate.open()
    leader.outcome()
    assert said == "access-1"


def test_starting_over_forgets_the_token_and_refills_the_quota() -> None:
    auth = AuthClient(fake_config(), transport=FakeTransport([granted("a"), granted("b")]), clock=FakeClock())
    quota = RetryQuota(capacity=5)
    assert quota.take(NotSentError("x"))
    auth.login()
    _fork._start_over()
    assert auth.access_token().value.reveal() == "b"
    assert quota.take(NotSentError("x"))


def test_what_is_gone_is_not_kept_for_a_fork() -> None:
    quota = RetryQuota()
    assert quota in _fork._things
    gone = weakref.ref(quota)
    del quota
    assert gone() is None
