"""Answers of CXone, and a look at what was sent to it, in the words of the tests."""

import json
from collections.abc import Callable, Iterable
from itertools import repeat
from urllib.parse import urlsplit

import attrs

from cxone_wfm import Request, Response
from cxone_wfm.config import Endpoints
from cxone_wfm.testing import Answer, FakeTransport, reply

_OPERATIONS = {getattr(Endpoints(), a.name).path: a.name for a in attrs.fields(Endpoints)}


def granted(access: str = "access-1", refresh: str | None = "refresh-1", life: object = 3600) -> Response:
    """A login's answer as the vendor's page prints it."""
    return reply(
        200, {"token_type": "Bearer", "expires_in": life, "refresh_token": refresh, "access_token": access}
    )


def renewed(access: str = "access-2", refresh: str | None = "refresh-2", life: object = 3600) -> Response:
    """A refresh's answer as the vendor's page prints it."""
    return reply(200, {"token": access, "tokenExpirationTimeSec": life, "refreshToken": refresh})


def operation_of(request: Request) -> str:
    """Which of the seven operations a request is."""
    return str(_OPERATIONS[urlsplit(request.url).path])


def operations(transport: FakeTransport) -> list[str]:
    """The operations that were asked for, in order."""
    return [operation_of(request) for request in transport.requests]


def document(request: Request) -> dict[str, object]:
    """The JSON object in a request's body."""
    found = json.loads(request.body or b"null")
    assert isinstance(found, dict)
    return found


def token_of(request: Request) -> str:
    """The token that a request carries."""
    assert request.token is not None
    return request.token.reveal()


def always(answer: Callable[[Request], Response], times: int = 20_000) -> FakeTransport:
    """A transport that asks the same function each time."""
    answers: Iterable[Answer] = repeat(answer, times)
    return FakeTransport(answers)
