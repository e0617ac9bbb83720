"""Every exception of the library, and what each asks of the caller.

::

    CXoneError
    ├── ConfigurationError            the settings cannot work; nothing was sent
    ├── ValidationError               the data is not what the vendor page describes; nothing was sent
    ├── OutboxError                   the outbox did not do what was asked
    │   ├── ConflictingDuplicateError  an event with the same key and other data was accepted before
    │   ├── ForkedOutboxError         this is a forked child of the process that opened it
    │   ├── OutboxFull                no room within the time that the caller gave
    │   ├── OutboxLockedError         another process has it open
    │   └── OutboxUnavailable         it cannot be read or written now; nothing was accepted
    │       └── EnqueueOutcomeUnknown  the event may have been accepted; enqueue it again to be sure
    ├── TransportError                no trustworthy answer came
    │   ├── NotSentError              the request did not leave: sending it again cannot duplicate it
    │   │   └── CertificateError      the server's certificate was refused; never retried
    │   ├── OutcomeUnknownError       the request left, its answer did not arrive
    │   └── SuspectAnswerError        a 2xx that CXone would not give: HTML, not JSON, too long
    └── APIError                      CXone answered, and the answer is not success
        ├── CredentialsRejectedError  the access key was refused
        ├── TokenRejectedError        a fresh token was refused (401)
        ├── PermissionDeniedError     403
        ├── PayloadRejectedError      400, 409, 422: the data was refused
        │   └── PayloadTooLargeError  413: send less at once
        ├── RateLimitedError          429: `retry_after` says for how long
        ├── RouteError                404, 405, 410, 411, 415, 501, 505: the configured path is wrong
        │   └── RedirectError         3xx: redirects are never followed
        └── ServerError               408, 425, 5xx: CXone's own trouble, worth another try

Messages never hold a secret, are never empty, and say what to do. The data is in
the attributes, so a program need not read the text.
"""

import os
from collections.abc import Sequence
from typing import ClassVar

from attrs import frozen

__all__ = [
    "APIError",
    "CXoneError",
    "CertificateError",
    "ConfigurationError",
    "ConflictingDuplicateError",
    "CredentialsRejectedError",
    "EnqueueOutcomeUnknown",
    "Fault",
    "ForkedOutboxError",
    "NotSentError",
    "OutboxError",
    "OutboxFull",
    "OutboxLockedError",
    "OutboxUnavailable",
    "OutcomeUnknownError",
    "PayloadRejectedError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "RateLimitedError",
    "RedirectError",
    "RouteError",
    "ServerError",
    "SuspectAnswerError",
    "TokenRejectedError",
    "TransportError",
    "ValidationError",
]

_FAULTS_SHOWN = 50
_NO_TOKEN = "The data was not delivered: no token could be had."  # noqa: S105 - words, no secret


@frozen
class Fault:
    """One thing that is wrong with a document.

    `path` is the place as it is named on the wire (`$.reportData.queueReport[3].handleTime`),
    `found` what stands there, `expected` what may stand there.
    """

    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.path}: found {self.found}, expected {self.expected}"


class CXoneError(Exception):
    """The root of every error that this library raises on purpose."""


class ConfigurationError(CXoneError):
    """The settings cannot work. `problems` holds one sentence for each of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        return "\n".join([f"{len(self.problems)} settings are wrong:", *(f"  {p}" for p in self.problems)])


class ValidationError(CXoneError):
    """Data was refused before anything was sent. `faults` lists all that is wrong, not just the first.

    `record` is the name of the record that was read or built.
    """

    def __init__(self, record: str, faults: Sequence[Fault]) -> None:
        self.record = record
        self.faults = tuple(faults)
        super().__init__(record, self.faults)

    def __str__(self) -> str:
        count = len(self.faults)
        lines = [f"{self.record} was refused: {count} {'fault' if count == 1 else 'faults'}"]
        lines += [f"  {fault}" for fault in self.faults[:_FAULTS_SHOWN]]
        if count > _FAULTS_SHOWN:
            lines.append(f"  ... and {count - _FAULTS_SHOWN} more in .faults")
        return "\n".join(lines)


class OutboxError(CXoneError):
    """The outbox did not do what was asked."""


class OutboxFull(OutboxError):  # noqa: N818 - the state of the outbox, not a mistake
    """There was no room for the events within the time that the caller gave. They were not accepted.

    `reason` says which bound was met, in words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the outbox is full: {self.reason}. Nothing was accepted. See that the backlog drains, purge"
            " dead letters, or raise the bound"
        )


class OutboxUnavailable(OutboxError):  # noqa: N818 - the state of the outbox, not a mistake
    """The store cannot be read or written now. Nothing was accepted. `reason` says why, in words.

    But for its subclass `EnqueueOutcomeUnknown`, which says that something may have been.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the outbox cannot be used now: {self.reason}. Nothing was accepted; try again"


class EnqueueOutcomeUnknown(OutboxUnavailable):
    """The store failed in the middle of a commit, and could not be asked. Enqueue the same events again."""

    def __str__(self) -> str:
        return (
            f"the events may have been accepted or not: {self.reason}. Enqueue them again: what was accepted"
            " is known by its key and not stored twice"
        )


class OutboxLockedError(OutboxError):
    """A process has this outbox open, maybe this very one. `pid` is its number, None if it cannot be read."""

    def __init__(self, path: str, pid: int | None) -> None:
        super().__init__(path, pid)
        self.path = path
        self.pid = pid

    def __str__(self) -> str:
        owner = "another process" if self.pid is None else f"process {self.pid}"
        if self.pid == os.getpid():
            return f"the outbox {self.path} is open in this process already: use that one, or close it first"
        return (
            f"the outbox {self.path} is open in {owner}. One process owns it: end that one, or use another"
            " path; several processes share an outbox on PostgreSQL"
        )


class ConflictingDuplicateError(OutboxError):
    """An event with the same key and other data was accepted before. Nothing of this call was accepted.

    `index` is the event's place in the call, from 0. `event_id` is the earlier event's.
    """

    def __init__(self, index: int, event_id: str) -> None:
        super().__init__(index, event_id)
        self.index = index
        self.event_id = event_id

    def __str__(self) -> str:
        return (
            f"event {self.index} of this call has the dedupe key of event {self.event_id}, and other data."
            " Nothing was accepted. Give another key to what is another event"
        )


class ForkedOutboxError(OutboxError):
    """This process was forked from the one that opened the outbox. It must not touch it."""

    def __str__(self) -> str:
        return (
            "this outbox was opened before the fork and belongs to the parent process. Open it after the"
            " fork, in one process only"
        )


class _CallError(CXoneError):
    """What errors of a call have in common: which call it was, and how often it was tried."""

    advice: ClassVar[str]
    retryable: ClassVar[bool] = False
    """Whether the library itself tries again."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.operation = ""
        """The operation's name in `Endpoints`, such as `historical_report`."""
        self.request_id = ""
        """The id that every attempt of this call carried in `X-Request-Id`."""
        self.attempts = 1
        """How many requests were made."""
        self.delivered = 0
        """How many agent states of the same `send()` CXone had already confirmed."""
        self.no_token = False
        """True where a data call failed because no token could be had: its data was not delivered."""

    def __str__(self) -> str:
        facts = [f"attempts {self.attempts}", *([f"request id {self.request_id}"] if self.request_id else [])]
        if self.delivered:
            facts.append(f"{self.delivered} states confirmed before")
        where = f"{self.operation}: " if self.operation else ""
        return f"{where}{self.detail} ({', '.join(facts)}). {self._what_to_do()}"

    def _what_to_do(self) -> str:
        return f"{_NO_TOKEN} {self.advice}" if self.no_token else self.advice


class TransportError(_CallError):
    """No trustworthy answer came."""

    advice = "Check the network path to CXone."
    retryable = True


class NotSentError(TransportError):
    """The request did not leave this machine: name look-up, connection or TLS set-up failed."""

    advice = "Nothing was sent. Check base_url, DNS, firewall (port 443) and proxy, then send again."


class CertificateError(NotSentError):
    """The server's certificate could not be verified. Verification cannot be switched off."""

    advice = "Nothing was sent. If a company proxy re-signs traffic, set ca_bundle to its certificates."
    retryable = False


class OutcomeUnknownError(TransportError):
    """The request left, and no whole answer came back in time: CXone may have taken it or not."""

    advice = "CXone may have taken it. Sending the same data again is the way to be sure."

    def _what_to_do(self) -> str:
        return _NO_TOKEN if self.no_token else self.advice  # what left was the request for a token


class SuspectAnswerError(TransportError):
    """A 2xx answer that CXone would not give: HTML, not JSON, encoded, or too long."""

    advice = "Not delivered: a proxy or a login page may have answered for CXone. Check base_url and proxy."


class APIError(_CallError):
    """CXone answered, and the answer is not success.

    `status` is the HTTP status. `server_message` is the server's own explanation where it gave
    one, cut short. `correlation_id` is the server's id of the request, for NICE's support.
    """

    advice = "See the server's message."

    def __init__(self, detail: str, status: int, server_message: str = "", correlation_id: str = "") -> None:
        super().__init__(detail)
        self.args = (detail, status, server_message, correlation_id)
        self.status = status
        self.server_message = server_message
        self.correlation_id = correlation_id

    def __str__(self) -> str:
        said = f" The server said {self.server_message!r}." if self.server_message else ""
        correlation = f" Correlation id {self.correlation_id}." if self.correlation_id else ""
        return f"{super().__str__()}{said}{correlation}"


class CredentialsRejectedError(APIError):
    """The access key was refused. The library does not try it again for a while, so as not to lock it."""

    advice = (
        "Check access_key_id, access_key_secret, tenant_name and token_request; create a new key if need be."
    )


class TokenRejectedError(APIError):
    """The API refused a token that had just been issued."""

    advice = "The key works, its token does not: check tenant_name and base_url, and the key's employee."


class PermissionDeniedError(APIError):
    """The key may not do this (403)."""

    advice = (
        "Check that the tenant has CXone WFM's third-party ACD integration and the key's employee is active."
    )


class PayloadRejectedError(APIError):
    """CXone refused the data (400, 409, 422). The same data will be refused again."""

    advice = "Correct the data; sending it again as it is will not help."


class PayloadTooLargeError(PayloadRejectedError):
    """The request was too large (413)."""

    advice = "Send fewer rows at once: lower max_batch or max_batch_bytes."


class RateLimitedError(APIError):
    """CXone asked for fewer requests (429). `retry_after` is in seconds, None if it did not say."""

    advice = "Send less often, and wait before the next try."
    retryable = True
    retry_after: float | None = None

    def _what_to_do(self) -> str:
        wait = f" The server asks for {self.retry_after:g} seconds." if self.retry_after else ""
        return f"{super()._what_to_do()}{wait}"


class RouteError(APIError):
    """The path or method is not what the server serves. Our default paths are assumptions."""

    advice = "Set the right path in Endpoints or in CXONE_ROUTE_...; the defaults are assumptions."


class RedirectError(RouteError):
    """The server answered with a redirect. It is never followed: it would carry the token elsewhere."""

    advice = "Set base_url to the address that CXone really serves; redirects are never followed."


class ServerError(APIError):
    """CXone could not do it now (408, 425, 5xx). `retry_after` is in seconds, None if it did not say."""

    advice = "CXone's own trouble; try again later."
    retryable = True
    retry_after: float | None = None
