"""The records of the vendor page "Custom agent assist resources", and the messages built of them.

Names are the vendor's, in snake_case. A field that did not arrive is ``None`` (a token:
the empty text). What arrived and fits no field stays in ``extra``. The audio
initialize message comes from CXone; ``CXoneWebSocketMessage`` goes to it. The records of
the text webhook are in ``utterance``.

Two dialects are on the wire. The documented one is the page's. The negotiated one was
observed with a CXone media server: its initialize message offers protocol versions and
capabilities, and it is answered in PascalCase, without ``command``.

``repr()`` of a record shows no token, no parameters and no spoken text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from attrs import Factory, evolve, field, frozen

from . import _wire
from ._wire import ANYTHING, INTEGER, OBJECT, PARAMETERS, TEXT, TEXTS, JsonValue, choice, hidden, nested, wire
from .errors import Fault, LocalProtocolError, RemoteProtocolError

__all__ = [
    "ActionExecutionInfo",
    "CXoneWebSocketCommandType",
    "CXoneWebSocketMessage",
    "Dialect",
    "JsonValue",
    "StreamPerspective",
    "SystemTelemetryData",
    "WebSocketHookInitializeMessage",
    "build_connected",
    "build_error",
    "build_message",
]

BEGIN_AUDIO_STREAM: Final = "BEGIN AUDIO STREAM"
PROTOCOL_VERSION: Final = 1
"""The one version of the negotiated dialect that was observed."""


class Dialect(Enum):
    """Which of the two known forms a stream speaks."""

    DOCUMENTED = "documented"
    NEGOTIATED = "negotiated"


class Name(str, Enum):
    """An enum whose members are the texts on the wire, on every Python the same."""

    __str__ = str.__str__


class StreamPerspective(Name):
    """Whose voice a stream carries, as seen from the agent's telephone (vendor page).

    The page prints ``MIX`` in its text and ``MX`` in its schema, and 0, 1, 2 beside the
    names; all of these are read.
    """

    TX = "TX"
    """What the agent hears: the contact, and in a conference everybody but the agent."""
    RX = "RX"
    """What the agent says."""
    MIX = "MIX"
    """Both in one mono signal."""


class CXoneWebSocketCommandType(Name):
    """What a message is for (vendor page)."""

    CONNECT = "CONNECT"
    CONNECTED = "CONNECTED"
    """The initialize message was accepted."""
    MESSAGE = "MESSAGE"
    ERROR = "ERROR"
    """The initialize message or its token is not valid."""


_PERSPECTIVE = choice(
    StreamPerspective,
    {
        "TX": StreamPerspective.TX,
        "0": StreamPerspective.TX,
        "RX": StreamPerspective.RX,
        "1": StreamPerspective.RX,
        "MIX": StreamPerspective.MIX,
        "MX": StreamPerspective.MIX,
        "2": StreamPerspective.MIX,
    },
)
_COMMAND = choice(
    CXoneWebSocketCommandType,
    {
        name: command
        for i, command in enumerate(CXoneWebSocketCommandType)
        for name in (command.value, str(i))
    },
)

NO_EXTRA: Final[Mapping[str, JsonValue]] = Factory(dict)


def key_count(extra: Mapping[str, JsonValue]) -> str:
    return f"<{len(extra)} keys>"


@frozen(kw_only=True)
class ActionExecutionInfo:
    """The Studio action that asked for the stream."""

    contact_id: int | None = field(default=None, metadata=wire("contactId", INTEGER))
    """Unique within a business unit only. Values beyond 32 bits are observed."""
    bus_no: int | None = field(default=None, metadata=wire("busNo", INTEGER))
    """The business unit."""
    request_id: int | None = field(default=None, metadata=wire("requestId", INTEGER))
    """The count of requests within the interaction."""
    action_type: str | None = field(default=None, metadata=wire("actionType", TEXT))
    action_id: int | None = field(default=None, metadata=wire("actionId", INTEGER))
    script_name: str | None = field(default=None, metadata=wire("scriptName", TEXT))
    """Path and name of the Studio script, with back-slashes."""
    extra: Mapping[str, JsonValue] = field(default=NO_EXTRA, repr=key_count)


@frozen(kw_only=True)
class SystemTelemetryData:
    """The machine and program that speak for CXone; nulls are observed in it."""

    consumer_process_host: str | None = field(default=None, metadata=wire("consumerProcessHost", TEXT))
    consumer_process_name: str | None = field(default=None, metadata=wire("consumerProcessName", TEXT))
    consumer_process_version: str | None = field(default=None, metadata=wire("consumerProcessVersion", TEXT))
    in_contact_cluster_alias: str | None = field(default=None, metadata=wire("inContactClusterAlias", TEXT))
    in_contact_script_engine_host: str | None = field(
        default=None, metadata=wire("inContactScriptEngineHost", TEXT)
    )
    consumer_meta_data: Mapping[str, JsonValue] | None = field(
        default=None, metadata=wire("consumerMetaData", OBJECT), repr=hidden
    )
    extra: Mapping[str, JsonValue] = field(default=NO_EXTRA, repr=key_count)


@frozen(kw_only=True)
class WebSocketHookInitializeMessage:
    """The first message on an audio socket, from CXone."""

    authentication_token: str = field(default="", metadata=wire("authenticationToken", TEXT), repr=hidden)
    """A secret: the header set up in the Custom Agent Assist Endpoints app, empty where none is."""
    execution_info: ActionExecutionInfo = field(
        factory=ActionExecutionInfo, metadata=wire("executionInfo", nested(ActionExecutionInfo))
    )
    system_telemetry_data: SystemTelemetryData = field(
        factory=SystemTelemetryData, metadata=wire("systemTelemetryData", nested(SystemTelemetryData))
    )
    stream_perspective: StreamPerspective | str | None = field(
        default=None, metadata=wire("streamPerspective", _PERSPECTIVE)
    )
    """The text that came, where it is none of the known ones."""
    streams_configuration: JsonValue = field(
        default=None, metadata=wire("streamsConfiguration", ANYTHING), repr=hidden
    )
    """Not used at present (vendor page)."""
    app_params: Mapping[str, JsonValue] | str | None = field(
        default=None, metadata=wire("appParams", PARAMETERS), repr=hidden
    )
    """What the Studio script passes: a mapping where an object or its JSON text came, else the
    text as it came. Scripts are seen to put access keys here: treat it as a secret."""
    app_config: Mapping[str, JsonValue] | str | None = field(
        default=None, metadata=wire("appConfig", PARAMETERS), repr=hidden
    )
    """What the administrator configured, read like ``app_params``."""
    minimum_version: int | None = field(default=None, metadata=wire("minimumVersion", INTEGER))
    """This and the next four belong to the negotiated dialect (observed)."""
    maximum_version: int | None = field(default=None, metadata=wire("maximumVersion", INTEGER))
    capabilities: tuple[str, ...] | None = field(default=None, metadata=wire("capabilities", TEXTS))
    required_capabilities: tuple[str, ...] | None = field(
        default=None, metadata=wire("requiredCapabilities", TEXTS)
    )
    format: str | None = field(default=None, metadata=wire("format", TEXT))
    extra: Mapping[str, JsonValue] = field(default=NO_EXTRA, repr=key_count)
    text: str = field(default="", eq=False, repr=hidden)
    """The message as it came, empty where none did: a secret, for the token is in it."""

    @property
    def dialect(self) -> Dialect:
        """Negotiated where protocol versions are offered, else documented."""
        offers_versions = self.minimum_version is not None or self.maximum_version is not None
        return Dialect.NEGOTIATED if offers_versions else Dialect.DOCUMENTED

    @classmethod
    def from_json(cls, text: str | bytes) -> WebSocketHookInitializeMessage:
        """Read an initialize message.

        Raises:
            RemoteProtocolError: the text is not JSON, or holds no initialize message.
        """
        return read_init(_wire.decode_utf8(text), [])

    def to_json(self) -> str:
        """Return the message as CXone sends it.

        Raises:
            LocalProtocolError: naming every field that holds what it may not.
        """
        return _wire.dump(_wire.write(self))


_INIT_KEYS = frozenset(
    {
        "executionInfo",
        "streamPerspective",
        "authenticationToken",
        "appParams",
        "appConfig",
        "systemTelemetryData",
    }
)
_INIT_KEYS |= {_wire.pascal(key) for key in _INIT_KEYS}


def is_init(document: Mapping[str, JsonValue]) -> bool:
    """Tell whether an object is an initialize message: it has at least one of that message's keys."""
    return not _INIT_KEYS.isdisjoint(document)


def read_init(text: str, warnings: list[str]) -> WebSocketHookInitializeMessage:
    """Return the initialize message in a text, and add to ``warnings`` what could not be read.

    Raises:
        RemoteProtocolError: as ``_wire.load_object()``, or ``NOT_AN_INIT``.
    """
    document = _wire.load_object(text)
    if not is_init(document):
        raise RemoteProtocolError(Fault.NOT_AN_INIT, "it has no executionInfo")
    init = _wire.read(WebSocketHookInitializeMessage, document, warnings)
    info = init.execution_info
    if info.contact_id is None or info.bus_no is None:
        warnings.append("executionInfo names no contactId and busNo; the call cannot be identified")
    if not isinstance(init.stream_perspective, StreamPerspective):
        warnings.append("streamPerspective is none of TX, RX, MIX")
    return evolve(init, text=text)


@frozen(kw_only=True)
class CXoneWebSocketMessage:
    """A message from the assist application to CXone."""

    command: CXoneWebSocketCommandType | str | None = field(default=None, metadata=wire("command", _COMMAND))
    """Absent in the negotiated dialect."""
    message_type: str | None = field(default=None, metadata=wire("messageType", TEXT))
    message: str | None = field(default=None, metadata=wire("message", TEXT), repr=hidden)
    parameters: JsonValue = field(default=None, metadata=wire("parameters", ANYTHING), repr=hidden)
    protocol_version: int | None = field(default=None, metadata=wire("protocolVersion", INTEGER))
    """This and the next two belong to the negotiated dialect (observed)."""
    format: str | None = field(default=None, metadata=wire("format", TEXT))
    agreed_capabilities: tuple[str, ...] | None = field(
        default=None, metadata=wire("agreedCapabilities", TEXTS)
    )
    extra: Mapping[str, JsonValue] = field(default=NO_EXTRA, repr=key_count)

    @classmethod
    def from_json(cls, text: str | bytes) -> CXoneWebSocketMessage:
        """Read a message of either dialect.

        Raises:
            RemoteProtocolError: the text is not a JSON object.
        """
        return _wire.read(cls, _wire.load_object(_wire.decode_utf8(text)), [])

    def to_json(self, dialect: Dialect = Dialect.DOCUMENTED) -> str:
        """Return the text to send; ``parameters`` is left out where there are none.

        The negotiated form has no ``command`` and always has ``Parameters``.

        Raises:
            LocalProtocolError: a field holds what it may not.
        """
        if dialect is Dialect.DOCUMENTED:
            return _wire.dump(_wire.write(self))
        document = _wire.write(evolve(self, command=None))
        parameters = document.pop("parameters", {})
        message_first = {"message": document.pop("message", ""), **document, "parameters": parameters}
        return _wire.dump({_wire.pascal(key): value for key, value in message_first.items()})


def build_connected(
    init: WebSocketHookInitializeMessage | None = None, *, agreed_capabilities: Sequence[str] | None = None
) -> str:
    """Return the message that accepts a stream, in the dialect of the initialize message.

    In the negotiated dialect it agrees to all capabilities on offer, as the observed
    receiver does, unless ``agreed_capabilities`` says which.

    Raises:
        LocalProtocolError: capabilities are given, but the dialect is the documented one;
            or a text is given in place of a list of texts.
    """
    if init is None or init.dialect is Dialect.DOCUMENTED:
        if agreed_capabilities is not None:
            raise LocalProtocolError("the documented dialect has no capabilities to agree to")
        return _COMMAND_CONNECTED.to_json()
    if isinstance(agreed_capabilities, str):
        raise LocalProtocolError("agreed_capabilities must be a list of texts, not one text")
    if agreed_capabilities is None:
        agreed_capabilities = (*(init.capabilities or ()), *(init.required_capabilities or ()))
    return evolve(
        _COMMAND_CONNECTED,
        protocol_version=agreed_version(init),
        format=init.format or "MONO",
        agreed_capabilities=tuple(dict.fromkeys(agreed_capabilities)),
    ).to_json(Dialect.NEGOTIATED)


_COMMAND_CONNECTED = CXoneWebSocketMessage(
    command=CXoneWebSocketCommandType.CONNECTED, message_type="COMMAND", message=BEGIN_AUDIO_STREAM
)


def agreed_version(init: WebSocketHookInitializeMessage) -> int | None:
    """Return the newest version on offer that is known to us, or None where none is.

    Version 0 is taken to be what the documented dialect is (our choice; only offers of
    0 to 1, answered by 1, were observed).
    """
    lowest = 0 if init.minimum_version is None else init.minimum_version
    highest = PROTOCOL_VERSION if init.maximum_version is None else init.maximum_version
    version = min(PROTOCOL_VERSION, highest)
    return version if version >= max(lowest, 0) else None


def build_error(reason: str, dialect: Dialect = Dialect.DOCUMENTED) -> str:
    """Return the message that refuses a stream.

    The page names the command ERROR but prints no sample: the message type is our choice.
    """
    message_type = "COMMAND" if dialect is Dialect.DOCUMENTED else "ERROR"
    error = CXoneWebSocketMessage(
        command=CXoneWebSocketCommandType.ERROR, message_type=message_type, message=reason
    )
    return error.to_json(dialect)


def build_message(
    message_type: str,
    message: str,
    *,
    parameters: JsonValue = None,
    dialect: Dialect = Dialect.DOCUMENTED,
) -> str:
    """Return a message of the application's own kind.

    Raises:
        LocalProtocolError: the parameters cannot be written as JSON, or a text is none.
    """
    return CXoneWebSocketMessage(
        command=CXoneWebSocketCommandType.MESSAGE,
        message_type=message_type,
        message=message,
        parameters=parameters,
    ).to_json(dialect)
