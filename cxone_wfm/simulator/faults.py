"""Faults on demand: what they are, how they are read from JSON, and how they spoil an answer.

A fault meets the next request of its operation, whatever that request holds. The simulator either
answers with the fault *instead of* handling the request, and then stores nothing; or it handles the
request as ever, stores the data, and spoils the *answer*.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
from attrs import field, frozen

from .answer import BODILESS, JSON, Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

_PIECES_PER_SECOND = 50
_PIECE = 64 * 1024
_OWN_HEADERS = ("connection", "content-length", "content-type", "transfer-encoding")
_LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Log in</title></head><body>Please log in.</body></html>"

TakeOver: TypeAlias = Callable[[], Callable[[bytes], object]]
"""Called once it gives the function that writes to the connection: from then on the bytes given to that
function are all that the client gets, and the connection ends with the request."""


def _must_be(expected: str, test: Callable[[Any], bool]) -> Callable[[object, Any, Any], None]:
    def check(_: object, attribute: "attrs.Attribute[object]", value: object) -> None:
        if not test(value):
            raise ValueError(f"{attribute.name} is {value!r}; it must be {expected}")

    return check


def _is_number(value: object) -> bool:
    return type(value) in {int, float}


def _is_header_text(text: object) -> bool:
    return isinstance(text, str) and text.isprintable() and all(ord(letter) < 256 for letter in text)  # noqa: PLR2004 - Latin-1


def _are_headers(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        _is_header_text(name) and _is_header_text(text) and name.lower() not in _OWN_HEADERS
        for name, text in value.items()
    )


_code = _must_be("an HTTP status from 200 to 599", lambda v: type(v) is int and 200 <= v <= 599)  # noqa: PLR2004 - HTTP's own numbers
_seconds = _must_be("a number of seconds from 0", lambda v: _is_number(v) and 0 <= v < float("inf"))
_rate = _must_be("a number above 0", lambda v: _is_number(v) and 0 < v < float("inf"))
_size = _must_be("a whole number of bytes from 2", lambda v: type(v) is int and v >= 2)  # noqa: PLR2004 - "[]"
_flag = _must_be("true or false", lambda v: type(v) is bool)
_header_text = _must_be("printable text", _is_header_text)
_headers = _must_be(f"a mapping of printable texts without {', '.join(_OWN_HEADERS)}", _are_headers)
_bytes = _must_be("bytes", lambda v: isinstance(v, bytes))
_wait = _must_be(
    "a whole number of seconds or an HTTP date", lambda v: (type(v) is int and v >= 0) or _is_header_text(v)
)


@frozen
class Status:
    """Instead of handling: this status, with these headers and this body. 204 and 304 have no body."""

    code: int = field(validator=_code)
    headers: Mapping[str, str] = field(factory=dict, validator=_headers)
    body: bytes = field(default=b"", validator=_bytes)
    content_type: str = field(default=JSON, validator=_header_text)

    def __attrs_post_init__(self) -> None:
        if self.body and self.code in BODILESS:
            raise ValueError(f"body is given, but an answer with status {self.code} has none")


@frozen
class RateLimit:
    """Instead of handling: 429 with Retry-After, in whole seconds or as the text of an HTTP date."""

    retry_after: int | str = field(validator=_wait)


@frozen
class Html:
    """Instead of handling: 200 with a login page in HTML, as a captive portal or a proxy gives it."""


@frozen
class Redirect:
    """Instead of handling: 307 to `location`, the redirect that would take the body and the method along."""

    location: str = field(validator=_header_text)


@frozen
class TooLong:
    """Instead of handling: 200 with a JSON body of `size` bytes."""

    size: int = field(validator=_size)


@frozen
class CutBefore:
    """Instead of handling: the connection is closed without a byte of an answer. Nothing is stored."""


@frozen
class ExpireToken:
    """First every access token that was given out becomes invalid, then the request is handled as ever."""


@frozen
class Delay:
    """The request is handled at once; the answer comes `seconds` later."""

    seconds: float = field(validator=_seconds)


@frozen
class Drip:
    """The request is handled; the answer's body comes at `bytes_per_second`, its headers too if `headers`.

    Of an answer without a body the headers drip in any case.
    """

    bytes_per_second: float = field(validator=_rate)
    headers: bool = field(default=False, validator=_flag)


@frozen
class CutInside:
    """The request is handled; the answer's headers promise a body of which the first half comes.

    An answer without a body promises two bytes and gives one.
    """


@frozen
class AnswerLost:
    """The request is handled and its data stored; the connection is closed without a byte of the answer."""


InjectedFault: TypeAlias = (
    Status
    | RateLimit
    | Html
    | Redirect
    | TooLong
    | CutBefore
    | ExpireToken
    | Delay
    | Drip
    | CutInside
    | AnswerLost
)
"""Any of the faults."""

KINDS: Mapping[str, type[InjectedFault]] = {
    "status": Status,
    "rate_limit": RateLimit,
    "html": Html,
    "redirect": Redirect,
    "too_long": TooLong,
    "cut_before": CutBefore,
    "expire_token": ExpireToken,
    "delay": Delay,
    "drip": Drip,
    "cut_inside": CutInside,
    "answer_lost": AnswerLost,
}
"""The kinds by their names in JSON."""


def read_fault(kind: object, settings: Mapping[str, object]) -> InjectedFault:
    """The fault that JSON describes by the name of its kind and its fields.

    Raises `ValueError`, which says what is wrong.
    """
    fault_class = KINDS.get(kind) if isinstance(kind, str) else None
    if fault_class is None:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    fields = attrs.fields_dict(fault_class)
    if unknown := sorted(set(settings) - set(fields)):
        raise ValueError(f"{kind} has no {', '.join(unknown)}; it has {', '.join(fields) or 'no fields'}")
    if missing := [name for name, a in fields.items() if a.default is attrs.NOTHING and name not in settings]:
        raise ValueError(f"{kind} needs {', '.join(missing)}")
    values: dict[str, Any] = dict(settings)
    if "body" in values:
        if not isinstance(values["body"], str):
            raise ValueError(f"body is {values['body']!r}; it must be text")
        values["body"] = values["body"].encode()
    return fault_class(**values)


def answer_instead(fault: InjectedFault | None) -> Answer | None:
    """The answer of a fault that keeps the request from being handled; None for every other."""
    answer = None
    match fault:
        case Status():
            answer = Answer(
                status=fault.code,
                body=fault.body,
                content_type=fault.content_type,
                headers=tuple(fault.headers.items()),
            )
        case RateLimit():
            answer = Answer(status=429, headers=(("Retry-After", str(fault.retry_after)),))
        case Html():
            answer = Answer(status=200, body=_LOGIN_PAGE, content_type="text/html; charset=utf-8")
        case Redirect():
            answer = Answer(status=307, headers=(("Location", fault.location),))
        case TooLong():
            answer = Answer(status=200, body=b"[]".ljust(fault.size))
        case CutBefore():
            answer = Answer(status=200)  # no byte of it is sent
    return answer


def deliver(
    answer: Answer,
    fault: InjectedFault | None,
    start_response: "StartResponse",
    take_over: TakeOver,
    stopping: threading.Event,
) -> Iterable[bytes]:
    """Give the answer to the client, spoilt by the fault. Every wait ends when the simulator stops."""
    match fault:
        case CutBefore() | AnswerLost():
            take_over()
            return []
        case CutInside():
            whole = answer if answer.body else attrs.evolve(answer, body=b"{}")
            take_over()(whole.head() + whole.body[: len(whole.body) // 2])
            return []
        case Drip():
            dripped = fault.headers or not answer.body
            at_once, slowly = (b"", answer.head() + answer.body) if dripped else (answer.head(), answer.body)
            _drip(at_once, slowly, fault.bytes_per_second, take_over(), stopping)
            return []
        case Delay() if stopping.wait(min(fault.seconds, threading.TIMEOUT_MAX)):
            take_over()
            return []
    start_response(answer.status_line(), answer.all_headers())
    return (answer.body[at : at + _PIECE] for at in range(0, len(answer.body), _PIECE))


def _drip(
    at_once: bytes, slowly: bytes, rate: float, write: Callable[[bytes], object], stopping: threading.Event
) -> None:
    write(at_once)
    piece = max(1, round(rate / _PIECES_PER_SECOND))
    for start in range(0, len(slowly), piece):
        if stopping.wait(piece / rate):
            return
        write(slowly[start : start + piece])
