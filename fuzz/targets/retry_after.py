"""A server's Retry-After and Date, a line each, give seconds within our bound, or none."""

from cxone_wfm import RateLimitedError, RetryPolicy
from cxone_wfm._retry import LONGEST_RETRY_AFTER, retry_after, wait_before_next


def fuzz_one(data: bytes) -> None:
    """Read the two headers, and compute the wait."""
    asked, _, date = data.decode("latin-1").partition("\n")
    seconds = retry_after({"retry-after": asked, "date": date})
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER
    error = RateLimitedError("HTTP 429", 429, "", "")
    error.retry_after = seconds
    assert 0 <= wait_before_next(error, 1, RetryPolicy(), 1.0) <= 1.1 * LONGEST_RETRY_AFTER
