"""The text webhook: the utterances of a chat, as records and as a WSGI application.

CXone posts each utterance as JSON over HTTPS (vendor page). TLS is the business of the
server that runs the application.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import evolve, field, frozen

from . import _wire
from ._wire import ANYTHING, INTEGER, PARAMETERS, TEXT, JsonValue, choice, hidden, wire
from .errors import RemoteProtocolError
from .messages import NO_EXTRA, Name, key_count

if TYPE_CHECKING:
    from _typeshed.wsgi import ErrorStream, StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["AgentAssistUtteranceV1", "Participant", "WebHooksMessagesRequest", "utterance_app"]


class Participant(Name):
    """Who wrote or said an utterance (vendor page)."""

    PATRON = "patron"
    """The contact."""
    AGENT = "agent"
    SYSTEM = "system"


_PARTICIPANT = choice(Participant, {participant.value.upper(): participant for participant in Participant})


def _size(text: str | None) -> str:
    return "None" if text is None else f"<{len(text)} characters>"


@frozen(kw_only=True)
class WebHooksMessagesRequest:
    """One utterance of a chat, as the page's C# class has it: the body of the text webhook.

    Reading takes ``messageMetaData``, the other spelling on the page, into ``message_data``.
    """

    authorization_header: str = field(default="", metadata=wire("authorizationHeader", TEXT), repr=hidden)
    """A secret, sent only where one is configured."""
    contact_id: int | None = field(default=None, metadata=wire("contactId", INTEGER))
    bus_no: int | None = field(default=None, metadata=wire("busNo", INTEGER))
    participant_id: Participant | str | None = field(
        default=None, metadata=wire("participantId", _PARTICIPANT)
    )
    message_body: str | None = field(default=None, metadata=wire("messageBody", TEXT), repr=_size)
    message_data: JsonValue = field(default=None, metadata=wire("messageData", ANYTHING), repr=hidden)
    """Images, links and the like."""
    agent_assist_app_config: Mapping[str, JsonValue] | str | None = field(
        default=None, metadata=wire("agentAssistAppConfig", PARAMETERS), repr=hidden
    )
    """The configuration, or only its identifier where it is large (vendor page)."""
    extra: Mapping[str, JsonValue] = field(default=NO_EXTRA, repr=key_count)

    @classmethod
    def from_json(cls, text: str | bytes) -> WebHooksMessagesRequest:
        """Read an utterance in either of the page's two forms.

        Raises:
            RemoteProtocolError: the text is not a JSON object.
        """
        request = _wire.read(cls, _wire.load_object(_wire.decode_utf8(text)), [])
        for key in ("messageMetaData", "MessageMetaData"):
            if request.message_data is None and request.extra.get(key) is not None:
                rest = {name: value for name, value in request.extra.items() if name != key}
                request = evolve(request, message_data=request.extra[key], extra=rest)
        return request

    def to_json(self) -> str:
        """Return the body as CXone sends it.

        Raises:
            LocalProtocolError: naming every field that holds what it may not.
        """
        document = _wire.write(self)
        if not self.authorization_header:
            document.pop("authorizationHeader")
        return _wire.dump(document)


@frozen(kw_only=True)
class AgentAssistUtteranceV1:
    """One utterance of a chat, as the page's schema ``AgentAssistUtterance_V1`` has it."""

    contact_id: int | None = field(default=None, metadata=wire("contactId", INTEGER))
    bus_no: int | None = field(default=None, metadata=wire("busNo", INTEGER))
    tenant_id: str | None = field(default=None, metadata=wire("tenantId", TEXT))
    """Not needed (vendor page)."""
    participant_id: Participant | str | None = field(
        default=None, metadata=wire("participantId", _PARTICIPANT)
    )
    message_body: str | None = field(default=None, metadata=wire("messageBody", TEXT), repr=_size)
    message_meta_data: JsonValue = field(
        default=None, metadata=wire("messageMetaData", ANYTHING), repr=hidden
    )
    agent_assist_app_config: Mapping[str, JsonValue] | str | None = field(
        default=None, metadata=wire("agentAssistAppConfig", PARAMETERS), repr=hidden
    )
    extra: Mapping[str, JsonValue] = field(default=NO_EXTRA, repr=key_count)

    @classmethod
    def from_json(cls, text: str | bytes) -> AgentAssistUtteranceV1:
        """Read an utterance.

        Raises:
            RemoteProtocolError: the text is not a JSON object.
        """
        return _wire.read(cls, _wire.load_object(_wire.decode_utf8(text)), [])

    def to_json(self) -> str:
        """Return the body as the schema has it.

        Raises:
            LocalProtocolError: naming every field that holds what it may not.
        """
        return _wire.dump(_wire.write(self))


# --- the WSGI application ----------------------------------------------------------------------

OnUtterance: TypeAlias = "Callable[[WebHooksMessagesRequest], object]"

MAX_BODY: Final = 256 * 1024
"""Bytes of the largest body that is read by default. Ours; the vendor states no limit."""

_MAX_DIGITS: Final = 18  # of a length; int() itself refuses some thousands
_CHARSETS = frozenset(
    {"utf-8", "utf8", "us-ascii", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "windows-1252"}
)


class _Refusal(Exception):  # noqa: N818 - a way out of the reading functions, never seen outside
    def __init__(self, status: str, reason: str, *headers: tuple[str, str]) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers


class _AnswerThenWork:
    """A WSGI body that is empty, and calls back when the server closes it.

    A server calls ``close()`` after it has sent the response (PEP 3333).
    """

    def __init__(
        self, on_utterance: OnUtterance, utterance: WebHooksMessagesRequest, errors: ErrorStream
    ) -> None:
        self._on_utterance = on_utterance
        self._utterance = utterance
        self._errors = errors

    def __iter__(self) -> Iterator[bytes]:
        yield b""  # a server that waits for the first chunk sends the headers now

    def close(self) -> None:
        try:
            self._on_utterance(self._utterance)
        except Exception:  # noqa: BLE001 - the answer is out, and the server's error log is all there is to tell
            traceback.print_exc(file=self._errors)


def utterance_app(
    on_utterance: OnUtterance,
    *,
    authenticate: Callable[[str], bool] | None = None,
    max_body: int = MAX_BODY,
) -> WSGIApplication:
    """Return a WSGI application that hands each utterance posted to it to a callback.

    The response, 204, is sent first and the callback runs after it, in the server's
    worker thread: slow work delays no answer, but takes up a worker. An error in the
    callback is written to ``wsgi.errors``, the server's error log. CXone may deliver an utterance
    twice; both are handed over, since nothing in it tells a repeat.

    Refused, with a JSON object that has a ``reason``: a body that is no utterance (400),
    a wrong or missing authorization (401), another method than POST (405), a body that is
    too large (413), another content type than JSON, a content encoding or a character set
    that is not read (415).

    Args:
        on_utterance: called with each utterance.
        authenticate: called with the ``Authorization`` header, and where that does not
            do, with the ``authorizationHeader`` of the body; only ``True`` lets pass.
            ``StaticTokens(...).matches`` is one. Without it everybody may post.
        max_body: bytes of the largest body that is read.
    """

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            utterance = _read_request(environ, authenticate, max_body)
        except _Refusal as refusal:
            body = json.dumps({"reason": refusal.reason}).encode()
            headers = [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                *refusal.headers,
            ]
            start_response(refusal.status, headers)
            return [body]
        start_response("204 No Content", [])
        return _AnswerThenWork(on_utterance, utterance, environ["wsgi.errors"])

    return app


def _read_request(
    environ: WSGIEnvironment, authenticate: Callable[[str], bool] | None, max_body: int
) -> WebHooksMessagesRequest:
    if environ["REQUEST_METHOD"] != "POST":
        raise _Refusal("405 Method Not Allowed", "only POST is answered", ("Allow", "POST"))
    charset = _charset(environ)
    body = _body(environ, max_body)
    try:
        text = body.decode(charset or json.detect_encoding(body))
        utterance = WebHooksMessagesRequest.from_json(text)
    except UnicodeDecodeError as error:
        raise _Refusal("400 Bad Request", f"the body is not {error.encoding} text") from None
    except RemoteProtocolError as error:
        raise _Refusal("400 Bad Request", str(error)) from None
    if authenticate is not None and not _authorized(environ, utterance, authenticate):
        challenge = ("WWW-Authenticate", "Bearer")
        raise _Refusal("401 Unauthorized", "the authorization is missing or wrong", challenge)
    return utterance


def _authorized(
    environ: WSGIEnvironment, utterance: WebHooksMessagesRequest, authenticate: Callable[[str], bool]
) -> bool:
    header: str = environ.get("HTTP_AUTHORIZATION", "")
    try:
        return authenticate(header) is True or authenticate(utterance.authorization_header) is True
    except Exception:  # noqa: BLE001 - the callback is not ours; whatever it raises must not let anybody in
        traceback.print_exc(file=environ["wsgi.errors"])
        return False


def _charset(environ: WSGIEnvironment) -> str | None:
    """Return the character set that the request names, None where it names none."""
    content_type, *parameters = str(environ.get("CONTENT_TYPE", "")).lower().split(";")
    content_type = content_type.strip()
    is_json = content_type in ("", "application/json", "text/json") or content_type.endswith("+json")
    if not is_json:
        raise _Refusal("415 Unsupported Media Type", "the content type must be application/json")
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise _Refusal("415 Unsupported Media Type", "a content encoding is not read")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"')
        if name.strip() == "charset":
            if charset not in _CHARSETS:
                raise _Refusal("415 Unsupported Media Type", "the character set is not read; send UTF-8")
            return charset
    return None


def _body(environ: WSGIEnvironment, max_body: int) -> bytes:
    declared = environ.get("CONTENT_LENGTH") or ""
    if not declared and environ.get("wsgi.input_terminated"):  # a chunked body
        length = None
    elif declared.isascii() and declared.isdigit() and len(declared) <= _MAX_DIGITS:
        length = int(declared)
    else:
        raise _Refusal("400 Bad Request", "the request has no valid Content-Length")
    too_large = _Refusal("413 Content Too Large", f"at most {max_body} bytes are read")
    if length is not None and length > max_body:
        raise too_large
    body: bytes = environ["wsgi.input"].read(max_body + 1 if length is None else length)
    if len(body) > max_body:
        raise too_large
    if length is not None and len(body) < length:
        raise _Refusal("400 Bad Request", "the body is shorter than its Content-Length")
    return body
