"""What an answer means, whether to try again, and when. Pure, but for the tenacity adapter at the end."""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import TypeVar

from ._fork import start_over_in_child
from ._http import Clock
from .config import RetryPolicy
from .errors import (
    APIError,
    OutcomeUnknownError,
    PayloadRejectedError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitedError,
    RedirectError,
    RouteError,
    ServerError,
    TokenRejectedError,
    TransportError,
)

LONGEST_RETRY_AFTER = 900.0
"""Seconds; a server that asks for more is taken at this (our choice)."""

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

_CLASSES: dict[int, type[APIError]] = {
    400: PayloadRejectedError,
    401: TokenRejectedError,
    403: PermissionDeniedError,
    404: RouteError,
    405: RouteError,
    408: ServerError,
    409: PayloadRejectedError,
    410: RouteError,
    411: RouteError,
    413: PayloadTooLargeError,
    415: RouteError,
    422: PayloadRejectedError,
    425: ServerError,
    429: RateLimitedError,
    501: RouteError,
    505: RouteError,
}


def error_class(status: int) -> type[APIError]:
    """Which error an HTTP status that is not 2xx means."""
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's own classes
        return RedirectError
    if status >= 500:  # noqa: PLR2004 - HTTP's own classes
        return _CLASSES.get(status, ServerError)
    return _CLASSES.get(status, APIError)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How many seconds the server asks to wait, or None where it does not say so in a readable way.

    A date counts from the same answer's own Date, so the two clocks need not agree.
    """
    asked = headers.get("retry-after", "").strip()
    if not asked:
        return None
    if asked.isascii() and asked.isdigit():
        return min(float(asked), LONGEST_RETRY_AFTER)
    try:
        dates = [parsedate_to_datetime(text) for text in (asked, headers.get("date", ""))]
        until, answered = [each.replace(tzinfo=each.tzinfo or timezone.utc) for each in dates]
        seconds = (until - answered).total_seconds()
    except (ValueError, TypeError, OverflowError):
        _log.warning("the Retry-After header cannot be read; it is ignored")
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def wait_before_next(
    error: TransportError | APIError, attempt: int, policy: RetryPolicy, chance: float
) -> float:
    """Seconds to wait after the given attempt (1 is the first). `chance` is a random number from 0 to 1.

    Full jitter, so that many clients do not come back at the same moment; where the server asks for
    a time, that time and up to a tenth of it on top.
    """
    backoff = chance * min(policy.longest_wait, policy.first_wait * 2.0 ** min(attempt - 1, 30))
    asked = error.retry_after if isinstance(error, (RateLimitedError, ServerError)) else None
    return backoff if asked is None else max(backoff, asked * (1 + chance / 10))


class RetryQuota:
    """A budget of retries that all calls of a client share, so that an outage is not made worse.

    A retry costs 5, one after an unknown outcome 10, a success gives 1 back (our choice, after the
    scheme that cloud SDKs use).
    """

    def __init__(self, capacity: int = 500) -> None:
        self._capacity = capacity
        self.start_over()
        start_over_in_child(self)

    def start_over(self) -> None:
        """Begin with the whole budget."""
        self._left = self._capacity
        self._lock = threading.Lock()

    def take(self, error: BaseException | None) -> bool:
        """Pay for one retry after this error; False where nothing is left."""
        cost = 10 if isinstance(error, OutcomeUnknownError) else 5
        with self._lock:
            if cost > self._left:
                return False
            self._left -= cost
            return True

    def give_back(self) -> None:
        """A call succeeded."""
        with self._lock:
            self._left = min(self._left + 1, self._capacity)


def run(
    attempt: Callable[[], _Result],
    *,
    policy: RetryPolicy,
    clock: Clock,
    deadline: float,
    quota: RetryQuota,
    chance: Callable[[], float],
) -> _Result:
    """Call `attempt` until it succeeds, fails for good, or tries, time or quota are used up.

    A wait that would end after the deadline is not begun: the error is raised at once.
    """
    import tenacity  # here, for it is slow to import  # noqa: PLC0415

    def retryable(error: BaseException) -> bool:
        return isinstance(error, (TransportError, APIError)) and error.retryable

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, (TransportError, APIError))  # noqa: S101 - only these are retried
        return wait_before_next(error, state.attempt_number, policy, chance())

    def stop(state: tenacity.RetryCallState) -> bool:
        if state.attempt_number >= policy.attempts or clock.monotonic() + state.upcoming_sleep >= deadline:
            return True
        return not quota.take(state.outcome.exception() if state.outcome else None)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(retryable), wait=wait, stop=stop, sleep=clock.sleep, reraise=True
    )
    result = retrying(attempt)
    quota.give_back()
    return result
