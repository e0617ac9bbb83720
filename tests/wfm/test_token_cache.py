"""The promises of `cxone_wfm._token_cache`: one token for all threads, renewed once and in time."""

import logging
import math
import random
import threading
from collections.abc import Callable
from itertools import count

import pytest
from support.threads import PATIENCE, Background, Gate, WatchedCondition, at_once

from cxone_wfm import (
    AccessToken,
    APIError,
    CertificateError,
    CredentialsRejectedError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RouteError,
    Secret,
    ServerError,
    SuspectAnswerError,
    SystemClock,
    TransportError,
)
from cxone_wfm._token_cache import Grant, RefreshRefusedError, TokenCache
from cxone_wfm.testing import FakeClock

NO_DEADLINE = math.inf
Step = Exception | Callable[[], None] | None


class Issuer:
    """Grants access-1 with refresh-1, access-2 with refresh-2, and so on, but for what `steps` say.

    A step is an exception to raise, a function to call before granting, or None.
    """

    def __init__(self, *steps: Step, life: float | None = 1000.0, clock: FakeClock | None = None) -> None:
        self.steps = list(steps)
        self.life = life
        self.clock = clock or FakeClock(now=0.0)
        self.log: list[str] = []
        self.granted = count(1)
        self.with_refresh_token = True
        self.cache = TokenCache(self.login, self.refresh, self.clock, lambda: 0.5)

    def login(self, deadline: float) -> Grant:
        return self._grant("login")

    def refresh(self, refresh_token: Secret, deadline: float) -> Grant:
        return self._grant(refresh_token.reveal())

    def _grant(self, what: str) -> Grant:
        self.log.append(what)
        asked_at = self.clock.monotonic()
        step = self.steps.pop(0) if self.steps else None
        if isinstance(step, BaseException):
            raise step
        if step is not None:
            step()
        number = next(self.granted)
        refresh = Secret(f"refresh-{number}") if self.with_refresh_token else None
        return Grant(access=Secret(f"access-{number}"), refresh=refresh, life=self.life, asked_at=asked_at)

    def get(self) -> str:
        return text_of(self.cache.get(NO_DEADLINE))


def text_of(token: object) -> str:
    assert isinstance(token, AccessToken)
    return token.value.reveal()


def wait_for(event: threading.Event) -> Callable[[], None]:
    def waiting() -> None:
        assert event.wait(PATIENCE)

    return waiting


def watch(cache: TokenCache, number: int) -> threading.Event:
    """An event that is set when the given number of threads wait for the token."""
    condition = WatchedCondition(number)
    cache._changed = condition
    return condition.enough


# --- the three parts of a token's life ----------------------------------------------------------------


def test_the_first_token_comes_from_a_login_and_is_kept() -> None:
    issuer = Issuer()
    assert [issuer.get(), issuer.get()] == ["access-1", "access-1"]
    assert issuer.log == ["login"]


def test_a_fresh_token_is_read_without_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer()
    issuer.get()
    monkeypatch.setattr(issuer.cache, "_changed", "no lock at all: entering it raises")
    assert issuer.get() == "access-1"
    issuer.clock.now = 750.0
    with pytest.raises((TypeError, AttributeError)):
        issuer.get()


@pytest.mark.parametrize(
    ("life", "refresh_at", "stale_at"),
    [(30.0, 22.5, 27.0), (400.0, 300.0, 360.0), (1200.0, 900.0, 1140.0), (3600.0, 3300.0, 3540.0)],
)
def test_both_windows_scale_with_the_life_up_to_their_bounds(
    life: float, refresh_at: float, stale_at: float
) -> None:
    token = Issuer(life=life).cache.get(NO_DEADLINE)
    assert (token.refresh_at, token.stale_at, token.expires_at) == (refresh_at, stale_at, life)


@pytest.mark.parametrize(("chance", "advisory", "mandatory"), [(0.0, 270, 54), (1.0, 330, 66)])
def test_clients_spread_their_windows_by_a_tenth(chance: float, advisory: float, mandatory: float) -> None:
    issuer = Issuer(life=3600.0)
    token = TokenCache(issuer.login, issuer.refresh, issuer.clock, lambda: chance).get(NO_DEADLINE)
    assert 3600 - token.refresh_at == pytest.approx(advisory)
    assert 3600 - token.stale_at == pytest.approx(mandatory)


def test_the_advisory_window_begins_exactly_at_its_border() -> None:
    issuer = Issuer()
    issuer.get()
    issuer.clock.now = math.nextafter(750.0, 0)
    assert issuer.get() == "access-1"
    issuer.clock.now = 750.0
    assert issuer.get() == "access-2"
    assert issuer.log == ["login", "refresh-1"]


def test_in_the_advisory_window_one_renews_and_63_go_on_with_the_old_token() -> None:
    gate = Gate()
    issuer = Issuer(None, gate)
    issuer.get()
    issuer.clock.now = math.nextafter(940.0, 0)
    leader = Background(issuer.get)
    gate.wait_until_reached()
    others = at_once(63, lambda _: issuer.get())
    gate.open()
    assert others == ["access-1"] * 63
    assert leader.outcome() == "access-2"
    assert issuer.log == ["login", "refresh-1"]


def test_in_the_mandatory_window_all_wait_for_the_new_token() -> None:
    issuer = Issuer()
    issuer.get()
    issuer.clock.now = 940.0
    issuer.steps = [wait_for(watch(issuer.cache, 63))]
    assert at_once(64, lambda _: issuer.get()) == ["access-2"] * 64
    assert issuer.log == ["login", "refresh-1"]


@pytest.mark.parametrize("refused", [False, True], ids=["expired", "never had"])
def test_64_threads_at_an_expiry_make_exactly_one_request(refused: bool) -> None:
    issuer = Issuer()
    if not refused:
        issuer.get()
        issuer.clock.now = 1000.0
    issuer.log.clear()
    issuer.steps = [wait_for(watch(issuer.cache, 63))]
    assert len(set(map(str, at_once(64, lambda _: issuer.get())))) == 1
    assert issuer.log == ["login" if refused else "refresh-1"]


def test_a_token_that_lives_30_seconds_is_not_renewed_endlessly() -> None:
    issuer = Issuer(life=30.0)
    for second in range(3600):
        issuer.clock.now = float(second)
        issuer.get()
    assert 3600 / 30 <= len(issuer.log) <= 3600 / 22.5 + 1


def test_a_token_that_is_already_over_when_it_comes_is_given_once_and_never_kept() -> None:
    issuer = Issuer(life=30.0)
    issuer.steps = [lambda: issuer.clock.advance(31), lambda: issuer.clock.advance(31)]
    assert [issuer.get(), issuer.get(), issuer.get()] == ["access-1", "access-2", "access-3"]


@pytest.mark.parametrize(
    ("life", "kept"),
    [(None, 30.0), (0.5, 30.0), (29.9, 30.0), (86_400.5, 86_400.0), (1e9, 86_400.0), (math.inf, 86_400.0)],
)
def test_an_implausible_life_is_clamped_with_a_warning(
    life: float | None, kept: float, caplog: pytest.LogCaptureFixture
) -> None:
    assert Issuer(life=life).cache.get(NO_DEADLINE).expires_at == kept
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("life", [30.0, 3600.0, 86_400.0])
def test_a_plausible_life_is_taken_as_it_is(life: float, caplog: pytest.LogCaptureFixture) -> None:
    assert Issuer(life=life).cache.get(NO_DEADLINE).expires_at == life
    assert not caplog.records


# --- how long a caller waits --------------------------------------------------------------------------


def test_each_waits_at_most_until_its_own_deadline() -> None:
    gate, clock = Gate(), SystemClock()
    issuer = Issuer(gate, clock=FakeClock(now=clock.monotonic()))
    cache = TokenCache(issuer.login, issuer.refresh, clock, lambda: 0.5)
    enough = watch(cache, 1)
    leader = Background(lambda: cache.get(clock.monotonic() + 100))
    gate.wait_until_reached()
    patient = Background(lambda: cache.get(clock.monotonic() + 100))
    assert enough.wait(PATIENCE)
    with pytest.raises(NotSentError, match="total time was over while another thread"):
        cache.get(clock.monotonic() + 0.01)
    with pytest.raises(NotSentError):
        cache.renew("login", clock.monotonic() + 0.01)
    gate.open()
    assert text_of(leader.outcome()) == text_of(patient.outcome()) == "access-1"


def test_a_deadline_without_end_can_be_waited_for() -> None:
    issuer = Issuer()
    issuer.steps = [wait_for(watch(issuer.cache, 1))]
    assert at_once(2, lambda _: issuer.get()) == ["access-1"] * 2


# --- how a refresh may end ----------------------------------------------------------------------------


def in_the_window(*steps: Step) -> Issuer:
    """An issuer whose first token is in its advisory window."""
    issuer = Issuer(None, *steps)
    issuer.get()
    issuer.clock.now = 800.0
    return issuer


def expired(*steps: Step) -> Issuer:
    issuer = in_the_window(*steps)
    issuer.clock.now = 1000.0
    return issuer


def test_refresh_tokens_rotate() -> None:
    issuer = Issuer()
    for time in (0, 800, 1600, 2400):
        issuer.clock.now = time
        issuer.get()
    assert issuer.log == ["login", "refresh-1", "refresh-2", "refresh-3"]


def test_the_old_refresh_token_is_kept_where_a_refresh_brings_none() -> None:
    issuer = in_the_window()
    issuer.with_refresh_token = False
    issuer.get()
    issuer.clock.now = 1600.0
    issuer.get()
    assert issuer.log == ["login", "refresh-1", "refresh-1"]


def test_a_login_that_brings_no_refresh_token_ends_the_old_one() -> None:
    issuer = in_the_window()
    issuer.with_refresh_token = False
    issuer.cache.renew("login", NO_DEADLINE)
    issuer.clock.now = 1600.0
    issuer.get()
    assert issuer.log == ["login", "login", "login"]


@pytest.mark.parametrize("make", [in_the_window, expired])
def test_a_refused_refresh_is_followed_by_exactly_one_login(make: Callable[..., Issuer]) -> None:
    issuer = make(RefreshRefusedError("HTTP 401"))
    assert issuer.get() == "access-2"
    assert issuer.get() == "access-2"
    assert issuer.log == ["login", "refresh-1", "login"]


@pytest.mark.parametrize("make", [in_the_window, expired])
@pytest.mark.parametrize("error", [OutcomeUnknownError("x"), SuspectAnswerError("x")])
def test_after_an_unknown_outcome_the_refresh_token_is_never_sent_again(
    make: Callable[..., Issuer], error: Exception
) -> None:
    issuer = make(error)
    assert issuer.get() == "access-2"
    assert issuer.log == ["login", "refresh-1", "login"]


def test_not_even_where_the_login_after_it_fails() -> None:
    issuer = expired(OutcomeUnknownError("x"), ServerError("x", 503))
    with pytest.raises(ServerError):
        issuer.get()
    issuer.clock.advance(1.0)
    issuer.get()
    assert issuer.log == ["login", "refresh-1", "login", "login"]


def test_not_even_where_the_refresh_was_interrupted() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    issuer = expired(interrupt)
    with pytest.raises(KeyboardInterrupt):
        issuer.get()
    issuer.get()
    assert issuer.log == ["login", "refresh-1", "login"]


@pytest.mark.parametrize(
    "error",
    [ServerError("x", 503), RateLimitedError("x", 429), NotSentError("x"), CertificateError("x")],
    ids=lambda error: type(error).__name__,
)
def test_a_refresh_that_fails_while_the_token_is_good_changes_nothing(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    issuer = in_the_window(error)
    assert issuer.get() == "access-1"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    issuer.clock.now = 900.0
    assert issuer.get() == "access-2"
    assert issuer.log == ["login", "refresh-1", "refresh-1"]


def test_between_two_such_failures_is_a_backoff_that_doubles_up_to_its_bound() -> None:
    issuer = in_the_window()
    issuer.steps = [ServerError("x", 503)] * 7
    issuer.life = 100_000.0
    moments = [800.0]
    for backoff in (1.0, 2.0, 4.0, 8.0, 15.0, 15.0):  # half of 2, 4, 8, 16, 30, 30
        issuer.get()
        issuer.clock.now = math.nextafter(moments[-1] + backoff, 0)
        issuer.get()
        moments.append(moments[-1] + backoff)
        issuer.clock.now = moments[-1]
    assert issuer.log == ["login"] + ["refresh-1"] * 6
    issuer.get()
    assert len(issuer.log) == 8


def test_a_success_ends_the_backoff() -> None:
    issuer = in_the_window(ServerError("x", 503), ServerError("x", 503), ServerError("x", 503))
    for now in (800.0, 810.0, 820.0, 830.0):
        issuer.clock.now = now
        issuer.get()
    assert issuer.get() == "access-2"
    issuer.clock.now = 1700.0
    issuer.steps = [ServerError("x", 503)]
    issuer.get()
    issuer.clock.now = 1701.0
    assert issuer.get() == "access-3"


def test_the_backoff_is_never_shorter_than_the_server_asks_for() -> None:
    error = RateLimitedError("x", 429)
    error.retry_after = 100.0
    issuer = in_the_window(error)
    issuer.get()
    issuer.clock.now = 904.9
    assert issuer.get() == "access-1"
    issuer.clock.now = 905.0
    assert issuer.get() == "access-2"


@pytest.mark.parametrize(
    "error",
    [ServerError("x", 503), RateLimitedError("x", 429), NotSentError("x")],
    ids=lambda e: type(e).__name__,
)
def test_a_refresh_that_fails_after_the_expiry_is_followed_by_a_login(error: Exception) -> None:
    issuer = expired(error)
    assert issuer.get() == "access-2"
    assert issuer.log == ["login", "refresh-1", "login"]


def test_waiters_of_a_failed_refresh_go_on_with_a_token_that_is_still_good() -> None:
    issuer = Issuer()
    issuer.get()
    issuer.clock.now = 950.0
    wait, error = wait_for(watch(issuer.cache, 15)), ServerError("x", 503)

    def fail() -> None:
        wait()
        raise error

    issuer.steps = [fail]
    assert at_once(16, lambda _: issuer.get()) == ["access-1"] * 16
    assert issuer.log == ["login", "refresh-1"]


@pytest.mark.parametrize("error", [ServerError("x", 503), NotSentError("x"), OutcomeUnknownError("x")])
def test_waiters_of_a_failed_login_fail_with_it_each_with_an_error_of_its_own(
    error: TransportError | APIError,
) -> None:
    issuer = Issuer()
    wait = wait_for(watch(issuer.cache, 15))

    def fail() -> None:
        wait()
        raise error

    issuer.steps = [fail]
    errors = at_once(16, lambda _: issuer.get())
    assert {type(each) for each in errors} == {type(error)}
    assert len({id(each) for each in errors}) == 16
    assert issuer.log == ["login"]
    issuer.clock.advance(1.0)
    assert issuer.get() == "access-1"


@pytest.mark.parametrize("error", [NotSentError("x"), OutcomeUnknownError("x")])
def test_waiters_do_not_fail_with_a_leader_whose_own_time_was_over(error: TransportError) -> None:
    issuer, gate = Issuer(), Gate()
    wait = wait_for(watch(issuer.cache, 15))

    def run_out_of_time() -> None:
        gate()
        wait()
        issuer.clock.advance(0.4)
        raise error

    issuer.steps = [run_out_of_time]
    leader = Background(lambda: issuer.cache.get(0.4))
    gate.wait_until_reached()
    gate.open()
    assert at_once(15, lambda _: issuer.get()) == ["access-1"] * 15
    assert leader.outcome() is error
    assert issuer.log == ["login", "login"]


# --- failures that a server answered ------------------------------------------------------------------


def test_after_a_passing_failure_the_next_caller_may_ask_at_once() -> None:
    issuer = Issuer(ServerError("x", 503))
    with pytest.raises(ServerError):
        issuer.get()
    assert issuer.get() == "access-1"


@pytest.mark.parametrize(
    "error",
    [RateLimitedError("x", 429), RouteError("x", 404), SuspectAnswerError("x")],
    ids=lambda e: type(e).__name__,
)
def test_a_login_that_a_server_answered_is_not_repeated_by_every_caller(
    error: TransportError | APIError,
) -> None:
    issuer = Issuer(error)
    errors = at_once(16, lambda _: issuer.get())
    issuer.clock.now = math.nextafter(1.0, 0)
    errors += [each for _ in range(50) for each in at_once(1, lambda _: issuer.get())]
    assert {type(each) for each in errors} == {type(error)}
    assert len({id(each) for each in errors}) == 66
    assert issuer.log == ["login"]
    issuer.clock.now = 1.0
    assert issuer.get() == "access-1"


@pytest.mark.parametrize("kind", [RateLimitedError, ServerError])
def test_without_a_token_retry_after_is_kept_and_each_caller_told_what_is_left(
    kind: type[RateLimitedError | ServerError],
) -> None:
    error = kind("x", 503)
    error.retry_after = 30.0
    issuer = Issuer(error)
    told = []
    for now in (0.0, 10.0, 31.0):
        issuer.clock.now = now
        with pytest.raises(kind) as caught:
            issuer.get()
        told.append(caught.value.retry_after)
    assert told == [30.0, 21.5, 0.5], "30 s and half of a tenth on top"
    assert issuer.log == ["login"]
    issuer.clock.now = 31.5
    assert issuer.get() == "access-1"


@pytest.mark.parametrize("error", [NotSentError("x"), CertificateError("x"), OutcomeUnknownError("x")])
def test_a_login_that_no_server_answered_is_tried_again_by_the_next_caller(error: Exception) -> None:
    issuer = Issuer(error)
    with pytest.raises(TransportError):
        issuer.get()
    assert issuer.get() == "access-1"


@pytest.mark.parametrize("how", ["login", "refresh"])
def test_an_explicit_renewal_asks_though_a_server_said_later(how: str) -> None:
    error = RateLimitedError("x", 429)
    error.retry_after = 30.0
    issuer = Issuer(error)
    with pytest.raises(RateLimitedError):
        issuer.get()
    assert text_of(issuer.cache.renew("login" if how == "login" else "refresh", NO_DEADLINE)) == "access-1"
    assert issuer.get() == "access-1"


def test_a_later_failure_does_not_shorten_what_the_server_asked_for() -> None:
    error = RateLimitedError("x", 429)
    error.retry_after = 30.0
    issuer = Issuer(error, ServerError("y", 503), NotSentError("z"))
    for kind in (RateLimitedError, ServerError, NotSentError):
        with pytest.raises(kind):
            issuer.cache.renew("login", NO_DEADLINE)
    issuer.clock.now = 31.0
    with pytest.raises(RateLimitedError):
        issuer.get()
    assert len(issuer.log) == 3


def test_a_refresh_that_fails_shortly_before_the_expiry_does_not_hold_back_the_login_after_it() -> None:
    issuer = in_the_window(*[ServerError("x", 503)] * 2)
    issuer.clock.now = 990.0
    issuer.get()
    issuer.clock.now = 999.0
    issuer.get()
    issuer.clock.now = 1000.0
    assert issuer.get() == "access-2"


def test_it_knows_the_tokens_of_the_last_four_generations() -> None:
    issuer = Issuer()
    for _ in range(6):
        issuer.cache.renew("login", NO_DEADLINE)
    known = {secret.reveal() for secret in issuer.cache.known()}
    assert known == {f"{kind}-{number}" for kind in ("access", "refresh") for number in (3, 4, 5, 6)}


def test_only_a_token_that_replaces_a_refused_one_is_not_to_be_renewed_for_10_seconds() -> None:
    issuer = Issuer()
    first = issuer.cache.get(NO_DEADLINE)
    issuer.cache.invalidate(first)
    second = issuer.cache.get(NO_DEADLINE)
    third = issuer.cache.renew("refresh", NO_DEADLINE)
    assert [each.renewable_at for each in (first, second, third)] == [-math.inf, 10.0, -math.inf]


# --- a refused access key -----------------------------------------------------------------------------


def refused() -> CredentialsRejectedError:
    error = CredentialsRejectedError("HTTP 401", 401)
    error.operation = "access_key_token"
    return error


def test_a_refused_login_is_told_to_all_waiters_at_once() -> None:
    issuer = Issuer()
    wait = wait_for(watch(issuer.cache, 63))

    def refuse() -> None:
        wait()
        raise refused()

    issuer.steps = [refuse]
    errors = at_once(64, lambda _: issuer.get())
    assert {type(error) for error in errors} == {CredentialsRejectedError}
    assert issuer.log == ["login"]


def test_a_refused_key_is_left_alone_for_30_seconds_then_longer_up_to_5_minutes() -> None:
    issuer = Issuer(*[refused()] * 7)
    tried_at = []
    for tenth in range(12_000):
        issuer.clock.now = tenth / 10
        before = len(issuer.log)
        with pytest.raises(CredentialsRejectedError):
            issuer.get()
        if len(issuer.log) > before:
            tried_at.append(issuer.clock.now)
    assert tried_at == [0, 30, 90, 210, 450, 750, 1050]


def test_a_success_sets_the_rejection_time_back() -> None:
    issuer = Issuer(refused(), refused())
    for now in (0.0, 30.0):
        issuer.clock.now = now
        with pytest.raises(CredentialsRejectedError):
            issuer.get()
    issuer.clock.now = 90.0
    assert issuer.get() == "access-1"
    issuer.clock.now = 2000.0
    issuer.steps = [RefreshRefusedError("HTTP 401"), refused()]
    with pytest.raises(CredentialsRejectedError):
        issuer.get()
    issuer.clock.now = 2030.0
    assert issuer.get() == "access-2"


def test_a_refused_login_keeps_a_token_that_is_still_good_and_is_not_repeated_for_30_seconds() -> None:
    issuer = in_the_window(RefreshRefusedError("HTTP 401"), refused())
    assert [issuer.get() for _ in range(3)] == ["access-1"] * 3
    issuer.clock.now = 829.9
    assert issuer.get() == "access-1"
    assert issuer.log == ["login", "refresh-1", "login"]
    issuer.clock.now = 830.0
    assert issuer.get() == "access-2"


def test_once_that_token_is_over_the_refusal_is_told() -> None:
    issuer = in_the_window(RefreshRefusedError("HTTP 401"), refused())
    issuer.clock.now = 990.0
    assert issuer.get() == "access-1"
    issuer.clock.now = 1000.0
    with pytest.raises(CredentialsRejectedError):
        issuer.get()
    assert issuer.log == ["login", "refresh-1", "login"]


def test_what_a_caller_writes_into_its_error_does_not_reach_others() -> None:
    issuer = Issuer(refused())
    for delivered in (500, 7, 1):
        with pytest.raises(CredentialsRejectedError) as caught:
            issuer.get()
        assert caught.value.delivered == 0
        assert caught.value.operation == "access_key_token"
        caught.value.delivered = delivered


def test_an_explicit_login_asks_even_while_the_key_is_left_alone() -> None:
    issuer = Issuer(refused())
    with pytest.raises(CredentialsRejectedError):
        issuer.get()
    assert text_of(issuer.cache.renew("login", NO_DEADLINE)) == "access-1"


# --- explicit renewals --------------------------------------------------------------------------------


def test_an_explicit_login_or_refresh_renews_a_fresh_token() -> None:
    issuer = Issuer()
    assert text_of(issuer.cache.renew("refresh", NO_DEADLINE)) == "access-1"
    assert text_of(issuer.cache.renew("refresh", NO_DEADLINE)) == "access-2"
    assert text_of(issuer.cache.renew("login", NO_DEADLINE)) == "access-3"
    assert issuer.get() == "access-3"
    assert issuer.log == ["login", "refresh-1", "login"]


@pytest.mark.parametrize("how", ["login", "refresh"])
def test_an_explicit_renewal_tells_its_failure_though_the_old_token_is_good(how: str) -> None:
    issuer = Issuer(None, ServerError("x", 503))
    issuer.get()
    with pytest.raises(ServerError):
        issuer.cache.renew("login" if how == "login" else "refresh", NO_DEADLINE)
    assert issuer.get() == "access-1"


def test_an_explicit_renewal_waits_for_the_one_on_its_way() -> None:
    issuer = Issuer()
    issuer.steps = [wait_for(watch(issuer.cache, 1))]
    tokens = at_once(2, lambda _: text_of(issuer.cache.renew("login", NO_DEADLINE)))
    assert sorted(map(str, tokens)) == ["access-1", "access-2"]


# --- invalidate ---------------------------------------------------------------------------------------


def test_an_invalidated_token_is_renewed_with_its_refresh_token() -> None:
    issuer = Issuer()
    issuer.cache.invalidate(issuer.cache.get(NO_DEADLINE))
    assert issuer.get() == "access-2"
    assert issuer.log == ["login", "refresh-1"]


def test_invalidating_an_older_token_or_before_there_is_one_does_nothing() -> None:
    issuer = Issuer()
    other = Issuer().cache.get(NO_DEADLINE)
    issuer.cache.invalidate(other)
    old = issuer.cache.get(NO_DEADLINE)
    issuer.cache.renew("refresh", NO_DEADLINE)
    issuer.cache.invalidate(old)
    issuer.cache.invalidate(old)
    assert issuer.get() == "access-2"
    assert issuer.log == ["login", "refresh-1"]


@pytest.mark.parametrize("step", [ServerError("x", 503), RefreshRefusedError("HTTP 401")])
def test_a_token_that_is_refused_during_its_renewal_stays_refused(step: Exception) -> None:
    issuer = Issuer()
    token = issuer.cache.get(NO_DEADLINE)
    issuer.clock.now = 800.0

    def refuse() -> None:
        issuer.cache.invalidate(token)
        raise step

    issuer.steps = [refuse, ServerError("y", 500)]
    with pytest.raises(ServerError, match="y"):
        issuer.get()
    assert issuer.log == ["login", "refresh-1", "login"]


# --- a leader that ends badly -------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_a_leader_that_is_torn_away_releases_the_others(error: type[BaseException]) -> None:
    issuer = Issuer()
    wait = wait_for(watch(issuer.cache, 7))

    def tear() -> None:
        wait()
        raise error

    issuer.steps = [tear]
    outcomes = at_once(8, lambda _: issuer.get())
    assert sorted(map(repr, outcomes)) == ["'access-1'"] * 7 + [f"{error.__name__}()"]
    assert issuer.log == ["login", "login"]


def test_an_interrupt_does_not_make_a_refused_key_be_tried_early() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    issuer = Issuer(refused(), interrupt, refused())
    with pytest.raises(CredentialsRejectedError):
        issuer.get()
    issuer.clock.now = 30.0
    with pytest.raises(KeyboardInterrupt):
        issuer.get()
    with pytest.raises(CredentialsRejectedError):
        issuer.get()
    issuer.clock.now = 89.0
    with pytest.raises(CredentialsRejectedError):
        issuer.get()
    assert len(issuer.log) == 3, "the second refusal counts 60 seconds"


# --- soak ---------------------------------------------------------------------------------------------


def test_500_expiries_under_16_threads_and_failing_refreshes_make_one_token_each() -> None:
    rounds, threads = 500, 16
    chance = random.Random(20261121)
    issuer = Issuer()
    failures = [
        RefreshRefusedError("HTTP 400"),
        ServerError("x", 503),
        OutcomeUnknownError("x"),
        NotSentError("x"),
    ]
    failed = 0

    def refresh(refresh_token: Secret, deadline: float) -> Grant:
        nonlocal failed
        if chance.random() < 0.3:
            failed += 1
            raise chance.choice(failures)
        return issuer.refresh(refresh_token, deadline)

    cache = TokenCache(issuer.login, refresh, issuer.clock, lambda: 0.5)
    next_round = threading.Barrier(threads, action=lambda: issuer.clock.advance(1000.0))

    def work(_: int) -> list[int]:
        generations = []
        for _ in range(rounds):
            next_round.wait(PATIENCE)
            generations.append(cache.get(NO_DEADLINE).generation)
        return generations

    assert at_once(threads, work) == [list(range(1, rounds + 1))] * threads
    assert len(issuer.log) == rounds
    assert 100 < failed < 200
