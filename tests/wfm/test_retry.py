"""The promises of `cxone_wfm._retry`: what an answer means, whether it is tried again, and when."""

import logging
import math
import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.threads import at_once

from cxone_wfm import (
    APIError,
    CertificateError,
    NotSentError,
    OutcomeUnknownError,
    PayloadRejectedError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitedError,
    RedirectError,
    RetryPolicy,
    RouteError,
    ServerError,
    SuspectAnswerError,
    TokenRejectedError,
    TransportError,
)
from cxone_wfm._retry import LONGEST_RETRY_AFTER, RetryQuota, error_class, retry_after, run, wait_before_next
from cxone_wfm.testing import FakeClock

ANSWERED = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)
properties = settings(max_examples=80, deadline=None)

MEANING: dict[int, type[APIError]] = {
    **dict.fromkeys((*range(100, 200), *range(400, 500)), APIError),
    **dict.fromkeys(range(300, 400), RedirectError),
    **dict.fromkeys((408, 425, *range(500, 600)), ServerError),
    **dict.fromkeys((404, 405, 410, 411, 415, 501, 505), RouteError),
    **dict.fromkeys((400, 409, 422), PayloadRejectedError),
    413: PayloadTooLargeError,
    401: TokenRejectedError,
    403: PermissionDeniedError,
    429: RateLimitedError,
}
TRIED_AGAIN = {429, 408, 425, *range(500, 600)} - {501, 505}


# --- what a status means ------------------------------------------------------------------------------


def test_every_status_has_the_class_of_the_contract() -> None:
    assert {status: error_class(status) for status in MEANING} == MEANING
    assert set(MEANING) == set(range(100, 600)) - set(range(200, 300))


def test_only_throttling_and_the_servers_own_trouble_are_tried_again() -> None:
    assert {status for status in MEANING if error_class(status).retryable} == TRIED_AGAIN


def test_no_trustworthy_answer_is_tried_again_but_for_a_refused_certificate() -> None:
    kinds = (NotSentError, OutcomeUnknownError, SuspectAnswerError, CertificateError)
    assert [kind.retryable for kind in kinds] == [True, True, True, False]


# --- Retry-After --------------------------------------------------------------------------------------


def asked(value: str, date: str | None = format_datetime(ANSWERED, usegmt=True)) -> dict[str, str]:
    return {"retry-after": value, **({} if date is None else {"date": date})}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("900", 900.0),
        ("901", 900.0),
        ("999999999", 900.0),
        ("9999999999", 900.0),
        ("9" * 5000, 900.0),
    ],
)
def test_whole_seconds_are_taken_up_to_the_bound(value: str, seconds: float) -> None:
    assert retry_after(asked(value, date=None)) == seconds
    assert LONGEST_RETRY_AFTER == 900.0


@pytest.mark.parametrize(
    ("later", "seconds"),
    [(120, 120.0), (0, 0.0), (-60, 0.0), (86_400 * 365, 900.0)],
    ids=["to come", "now", "past", "far away"],
)
def test_a_date_counts_from_the_answers_own_date(later: float, seconds: float) -> None:
    until = ANSWERED + timedelta(seconds=later)
    assert retry_after(asked(format_datetime(until, usegmt=True))) == seconds


def test_a_date_in_another_zone_and_one_that_names_none_are_the_same_moment() -> None:
    assert retry_after(asked("Sat, 21 Nov 2026 14:01:00 +0200")) == 60.0
    assert retry_after(asked("Sat, 21 Nov 2026 12:01:00 -0000")) == 60.0


@pytest.mark.parametrize(
    "headers",
    [
        asked("-5"),
        asked("1.5"),
        asked("soon"),
        asked("٣"),
        asked("Sat, 21 Nov 2026 12:01:00 +999999999999999"),
        asked("Sat, 21 Nov 2026 12:01:00 GMT", date=None),
        asked("Sat, 21 Nov 2026 12:01:00 GMT", date="today"),
    ],
    ids=["negative", "fraction", "word", "foreign digit", "zone beyond", "no Date", "broken Date"],
)
def test_what_cannot_be_read_is_ignored_with_a_warning(
    headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert retry_after(headers) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "the Retry-After header cannot be read" in caplog.text


def test_no_retry_after_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert retry_after({"date": "today"}) is None
    assert retry_after({"retry-after": "  "}) is None
    assert not caplog.records


@properties
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_the_reading(value: str, date: str) -> None:
    seconds = retry_after({"retry-after": value, "date": date})
    assert seconds is None or 0.0 <= seconds <= LONGEST_RETRY_AFTER


# --- how long to wait ---------------------------------------------------------------------------------

policies = st.builds(
    RetryPolicy, first_wait=st.floats(1e-6, 1e300), longest_wait=st.floats(1e-6, 1e300), attempts=st.just(3)
)


@properties
@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), policies)
def test_full_jitter_lies_between_nothing_and_the_doubling_bound(
    attempt: int, chance: float, policy: RetryPolicy
) -> None:
    wait = wait_before_next(NotSentError("x"), attempt, policy, chance)
    assert 0.0 <= wait <= min(policy.longest_wait, policy.first_wait * 2.0 ** min(attempt - 1, 1000))


def test_full_jitter_uses_the_whole_range() -> None:
    policy = RetryPolicy(first_wait=0.5, longest_wait=60.0)
    waits = [wait_before_next(NotSentError("x"), attempt, policy, 1.0) for attempt in range(1, 10)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert wait_before_next(NotSentError("x"), 10_000, policy, 1.0) == 60.0
    assert wait_before_next(NotSentError("x"), 10_000, policy, 0.0) == 0.0


@properties
@given(
    st.sampled_from([RateLimitedError, ServerError]),
    st.floats(0, 900),
    st.floats(0, 1, exclude_max=True),
    st.integers(1, 10_000),
)
def test_the_servers_time_is_never_undercut_and_stretched_by_a_tenth_at_most(
    kind: type[RateLimitedError | ServerError], seconds: float, chance: float, attempt: int
) -> None:
    error = kind("x", 503)
    error.retry_after = seconds
    wait = wait_before_next(error, attempt, RetryPolicy(), chance)
    backoff = wait_before_next(NotSentError("x"), attempt, RetryPolicy(), chance)
    assert seconds <= wait <= max(backoff, seconds * 1.1)


# --- the quota ----------------------------------------------------------------------------------------


def retries_left(quota: RetryQuota) -> int:
    count = 0
    while quota.take(NotSentError("x")):
        count += 1
    return count


def test_a_quota_pays_for_a_hundred_retries_and_not_a_bit_more() -> None:
    quota = RetryQuota()
    assert retries_left(quota) == 100
    for _ in range(4):
        quota.give_back()
    assert retries_left(quota) == 0


def test_a_retry_after_an_unknown_outcome_costs_double() -> None:
    quota = RetryQuota(capacity=20)
    assert [quota.take(OutcomeUnknownError("x")) for _ in range(3)] == [True, True, False]
    quota = RetryQuota(capacity=20)
    quota.take(OutcomeUnknownError("x"))
    assert retries_left(quota) == 2


def test_five_successes_pay_for_one_retry_and_the_budget_never_grows_beyond_its_size() -> None:
    quota = RetryQuota(capacity=10)
    quota.give_back()
    assert retries_left(quota) == 2
    for _ in range(4):
        quota.give_back()
    assert retries_left(quota) == 0
    quota.give_back()
    assert retries_left(quota) == 1


def test_threads_cannot_overdraw_the_quota() -> None:
    quota = RetryQuota(capacity=500)
    outcomes = at_once(16, lambda _: sum(quota.take(NotSentError("x")) for _ in range(20)))
    assert sum(taken for taken in outcomes if isinstance(taken, int)) == 100


# --- the loop -----------------------------------------------------------------------------------------


THREE = RetryPolicy(attempts=3, first_wait=1.0)


class Failing:
    """Fails as often as it is told, then gives "done"."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def run_it(
    attempt: Failing,
    *,
    clock: FakeClock,
    policy: RetryPolicy = THREE,
    deadline: float = math.inf,
    quota: RetryQuota | None = None,
) -> str:
    return run(
        attempt,
        policy=policy,
        clock=clock,
        deadline=deadline,
        quota=quota or RetryQuota(),
        chance=lambda: 1.0,
    )


def test_it_waits_through_the_clock_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: float) -> None:
        raise AssertionError("slept past the clock")

    monkeypatch.setattr(time, "sleep", never)
    clock = FakeClock()
    assert run_it(Failing(NotSentError("a"), NotSentError("b")), clock=clock) == "done"
    assert clock.sleeps == [1.0, 2.0]


def test_the_last_error_comes_out_as_it_is_when_the_attempts_are_used_up() -> None:
    last = NotSentError("c")
    attempt = Failing(NotSentError("a"), NotSentError("b"), last, NotSentError("d"))
    with pytest.raises(NotSentError) as caught:
        run_it(attempt, clock=FakeClock())
    assert caught.value is last
    assert attempt.calls == 3


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_at_most_so_many_attempts_as_the_policy_says(attempts: int) -> None:
    attempt = Failing(*[NotSentError("x")] * 10)
    with pytest.raises(NotSentError):
        run_it(attempt, clock=FakeClock(), policy=RetryPolicy(attempts=attempts))
    assert attempt.calls == attempts


@pytest.mark.parametrize(
    "error",
    [CertificateError("x"), PayloadRejectedError("x", 400), RedirectError("x", 302), KeyError("x")],
    ids=lambda error: type(error).__name__,
)
def test_what_will_fail_again_is_not_tried_again(error: Exception) -> None:
    attempt, clock = Failing(error), FakeClock()
    with pytest.raises(type(error)):
        run_it(attempt, clock=clock)
    assert (attempt.calls, clock.sleeps) == (1, [])


def test_an_interrupt_ends_it_at_once() -> None:
    attempt = Failing(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run_it(attempt, clock=FakeClock())
    assert attempt.calls == 1


def test_a_wait_that_would_end_at_or_after_the_deadline_is_not_begun() -> None:
    error = ServerError("x", 503)
    error.retry_after = 10.0
    clock = FakeClock(now=0.0)
    attempt = Failing(error)
    with pytest.raises(ServerError):
        run_it(attempt, clock=clock, deadline=11.0)  # 10 s and a tenth on top: exactly the deadline
    assert (attempt.calls, clock.sleeps) == (1, [])
    assert run_it(Failing(error), clock=clock, deadline=11.001) == "done"
    assert clock.sleeps == [11.0]


def test_an_exhausted_quota_stops_the_retries() -> None:
    quota = RetryQuota(capacity=5)
    attempt = Failing(NotSentError("a"), NotSentError("b"))
    with pytest.raises(NotSentError, match="b"):
        run_it(attempt, clock=FakeClock(), quota=quota)
    assert attempt.calls == 2


def test_the_retry_of_a_call_with_an_unknown_outcome_costs_double() -> None:
    quota = RetryQuota(capacity=14)
    attempt = Failing(*[OutcomeUnknownError("x")] * 2)
    with pytest.raises(OutcomeUnknownError):
        run_it(attempt, clock=FakeClock(), quota=quota)
    assert attempt.calls == 2
    quota.give_back()
    assert retries_left(quota) == 1


def test_a_success_gives_one_back_and_a_failure_nothing() -> None:
    quota = RetryQuota(capacity=10)
    retries_left(quota)
    with pytest.raises(CertificateError):
        run_it(Failing(CertificateError("x")), clock=FakeClock(), quota=quota)
    for _ in range(4):
        run_it(Failing(), clock=FakeClock(), quota=quota)
    assert retries_left(quota) == 0
    for _ in range(5):
        run_it(Failing(), clock=FakeClock(), quota=quota)
    assert retries_left(quota) == 1


def test_a_retry_that_the_attempts_or_the_deadline_forbid_costs_nothing() -> None:
    quota = RetryQuota(capacity=5)
    with pytest.raises(NotSentError):
        run_it(Failing(NotSentError("x")), clock=FakeClock(), quota=quota, policy=RetryPolicy(attempts=1))
    with pytest.raises(NotSentError):
        run_it(Failing(NotSentError("x")), clock=FakeClock(), quota=quota, deadline=0.0)
    assert retries_left(quota) == 1


def test_loops_in_many_threads_share_nothing() -> None:
    meeting = threading.Barrier(64)

    class Meeting(Failing):
        def __call__(self) -> str:
            meeting.wait(20)
            return super().__call__()

    def work(number: int) -> tuple[int, list[float]]:
        errors: list[TransportError] = [NotSentError(str(number))] * 2
        attempt, clock = Meeting(*errors), FakeClock(now=float(number))
        assert run_it(attempt, clock=clock, quota=RetryQuota()) == "done"
        return attempt.calls, clock.sleeps

    assert at_once(64, work) == [(3, [1.0, 2.0])] * 64
