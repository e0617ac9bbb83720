"""Records from and to the vendor's JSON: tolerant in what arrives, exact in what leaves.

A record is an attrs class. Each field names its key on the wire and the kind of value
it holds; everything else is done here, once. Arriving:

* a missing key and ``null`` both leave the field at its default;
* a key may be in lowerCamel or in PascalCase, the two spellings .NET emits;
* a value that the field cannot hold, and a key that no field has, stay in ``extra``;
  the former is also named in a warning.

Leaving: keys in the order of the page, ``None`` left out, and a value that is not of the
field's kind is refused with its path. ``extra`` comes last; a key in it takes the place of
the field's value, which is how what could not be read goes out as it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, TypeAlias, TypeVar

from attrs import AttrsInstance, fields, frozen

from .errors import Fault, LocalProtocolError, RemoteProtocolError

__all__: list[str] = []

JsonValue: TypeAlias = "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

MAX_DEPTH: Final = 64
"""Levels of nesting that are read. Ours; the deepest object on the page has three."""

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_INT64 = range(-(2**63), 2**63)
_LARGEST_EXACT_FLOAT = 2.0**53
_BOM = "\ufeff"


class _Unreadable(Enum):
    UNREADABLE = "unreadable"


UNREADABLE: Final = _Unreadable.UNREADABLE


@frozen(kw_only=True)
class Kind:
    """How a field's value is read, and what it may hold when it leaves."""

    wanted: str
    read: Callable[[object], object]
    holds: Callable[[object], bool]
    record: type[AttrsInstance] | None = None


def wire(key: str, kind: Kind) -> dict[str, tuple[str, Kind]]:
    """Return the attrs metadata that ties a field to its key on the wire."""
    return {"wire": (key, kind)}


# --- text to JSON and back ---------------------------------------------------------------------


def _finite(literal: str) -> float | None:
    number = float(literal)
    return number if abs(number) != float("inf") else None


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        deeper: list[object] = []
        for node in level:
            if isinstance(node, dict):
                deeper.extend(node.values())
            elif isinstance(node, list):
                deeper.extend(node)
        if not deeper:
            return False
        level = deeper
    return True


def load(text: str) -> JsonValue:
    """Return the value of a JSON text; control characters in strings and a BOM are let pass.

    NaN and infinities, which are not JSON, are read as null.

    Raises:
        RemoteProtocolError: ``NOT_JSON`` or ``TOO_DEEP``.
    """
    try:
        value: JsonValue = json.loads(
            text.removeprefix(_BOM), strict=False, parse_constant=lambda _: None, parse_float=_finite
        )
    except RecursionError:
        raise RemoteProtocolError(Fault.TOO_DEEP, f"at most {MAX_DEPTH} levels are read") from None
    except json.JSONDecodeError as error:
        raise RemoteProtocolError(Fault.NOT_JSON, f"at character {error.pos}") from None
    except ValueError:  # a number with thousands of digits
        raise RemoteProtocolError(Fault.NOT_JSON, "a number is too long") from None
    if _too_deep(value):
        raise RemoteProtocolError(Fault.TOO_DEEP, f"at most {MAX_DEPTH} levels are read")
    return value


def load_object(text: str) -> Mapping[str, JsonValue]:
    """Return the object that a JSON text holds.

    Raises:
        RemoteProtocolError: ``NOT_JSON``, ``TOO_DEEP`` or ``NOT_AN_OBJECT``.
    """
    value = load(text)
    if not isinstance(value, dict):
        raise RemoteProtocolError(Fault.NOT_AN_OBJECT)
    return value


def decode_utf8(text: str | bytes) -> str:
    """Return the text itself, or the text of UTF-8 bytes.

    Raises:
        RemoteProtocolError: ``NOT_JSON``, the bytes are not UTF-8.
    """
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(Fault.NOT_JSON, f"byte {error.start} is not UTF-8") from None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def dump(value: object) -> str:
    """Return compact JSON in ASCII, which a reader that counts characters as bytes gets right too.

    Raises:
        LocalProtocolError: the value holds something that JSON cannot.
    """
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False, default=_plain)
    except RecursionError:
        raise LocalProtocolError("the value to send is nested too deeply for JSON") from None
    except (TypeError, ValueError) as error:
        raise LocalProtocolError(f"the value to send cannot be written as JSON: {error}") from None


# --- the kinds ---------------------------------------------------------------------------------


def _read_integer(raw: object) -> object:
    if isinstance(raw, float) and raw.is_integer() and abs(raw) <= _LARGEST_EXACT_FLOAT:
        number: object = int(raw)
    elif isinstance(raw, str) and _INTEGER.fullmatch(digits := raw.strip()):
        number = int(digits)  # of the stripped text: int() knows fewer kinds of white space than strip()
    else:
        number = raw
    return number if _is_integer(number) else UNREADABLE


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in _INT64


def _read_text(raw: object) -> object:
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return str(raw)
    return raw if isinstance(raw, str) else UNREADABLE


def _read_object(raw: object) -> object:
    value = _read_parameters(raw)
    return value if isinstance(value, Mapping) else UNREADABLE


def _read_parameters(raw: object) -> object:
    value = raw
    for _ in range(2):  # scripts are seen to encode twice
        if not isinstance(value, str):
            break
        try:
            value = load(value)
        except RemoteProtocolError:
            break
    if isinstance(value, dict):
        return value
    return raw if isinstance(raw, str) else UNREADABLE


def _read_texts(raw: object) -> object:
    if isinstance(raw, list) and all(isinstance(item, str) for item in raw):
        return tuple(raw)
    return UNREADABLE


INTEGER: Final = Kind(wanted="a 64-bit integer", read=_read_integer, holds=_is_integer)
TEXT: Final = Kind(wanted="text", read=_read_text, holds=lambda value: isinstance(value, str))
OBJECT: Final = Kind(wanted="an object", read=_read_object, holds=lambda value: isinstance(value, Mapping))
PARAMETERS: Final = Kind(
    wanted="an object or text",
    read=_read_parameters,
    holds=lambda value: isinstance(value, (str, Mapping)),
)
ANYTHING: Final = Kind(wanted="a JSON value", read=lambda raw: raw, holds=lambda _: True)
TEXTS: Final = Kind(
    wanted="a list of texts",
    read=_read_texts,
    holds=lambda value: isinstance(value, tuple) and all(isinstance(item, str) for item in value),
)


def choice(enum: type[Enum], names: Mapping[str, Enum]) -> Kind:
    """Return the kind of an enum that is known by several names; other text is kept as text."""

    def read(raw: object) -> object:
        if isinstance(raw, list) and len(raw) == 1:
            raw = raw[0]
        text = _read_text(raw)
        return names.get(text.strip().upper(), text) if isinstance(text, str) else UNREADABLE

    return Kind(
        wanted=f"a {enum.__name__} or text", read=read, holds=lambda value: isinstance(value, (enum, str))
    )


def nested(record: type[AttrsInstance]) -> Kind:
    """Return the kind of a field that holds another record."""
    return Kind(
        wanted="an object",
        read=lambda raw: raw if isinstance(raw, dict) else UNREADABLE,
        holds=lambda value: isinstance(value, record),
        record=record,
    )


# --- records -----------------------------------------------------------------------------------

R = TypeVar("R", bound=AttrsInstance)


def read(record: type[R], source: Mapping[str, JsonValue], warnings: list[str], path: str = "") -> R:
    """Return a record of what arrived; what it cannot hold goes to ``extra`` and to ``warnings``."""
    rest = dict(source)
    values: dict[str, Any] = {}
    for attribute in fields(record):
        if "wire" not in attribute.metadata:
            continue
        key, kind = attribute.metadata["wire"]
        if key not in rest:
            key = pascal(key)
        raw = rest.get(key)
        if raw is None:
            rest.pop(key, None)
            continue
        value = kind.read(raw)
        if value is UNREADABLE:
            warnings.append(f"{path}{key} is not {kind.wanted}; it was ignored")
            continue
        if kind.record is not None:
            value = read(kind.record, value, warnings, f"{path}{key}.")
        values[attribute.name] = value
        del rest[key]
    build: Callable[..., R] = record
    return build(**values, extra=rest)


def write(record: AttrsInstance) -> dict[str, object]:
    """Return the JSON object of a record.

    Raises:
        LocalProtocolError: naming every field that holds what its key may not.
    """
    faults: list[str] = []
    document = _write(record, faults, "")
    if faults:
        raise LocalProtocolError(f"{type(record).__name__} cannot be sent: {'; '.join(faults)}")
    return document


def _write(record: AttrsInstance, faults: list[str], path: str) -> dict[str, object]:
    document: dict[str, object] = {}
    extra: Mapping[str, object] = {}
    for attribute in fields(type(record)):
        value = getattr(record, attribute.name)
        if attribute.name == "extra":
            extra = value
        if "wire" not in attribute.metadata:
            continue
        key, kind = attribute.metadata["wire"]
        if value is None:
            continue
        if not kind.holds(value):
            faults.append(f"{path}{key} must be {kind.wanted}, not {type(value).__name__}")
        elif kind.record is not None:
            document[key] = _write(value, faults, f"{path}{key}.")
        else:
            document[key] = value
    return document | dict(extra)


def pascal(key: str) -> str:
    """Return the PascalCase spelling of a lowerCamel key."""
    return key[:1].upper() + key[1:]


# --- what people are shown ---------------------------------------------------------------------


def hidden(value: object) -> str:
    """Return a repr that tells whether there is a value, and nothing of it."""
    return repr(value) if value in (None, "", {}) else "<hidden>"


def printable(text: str) -> str:
    """Return a text that others wrote without what would steer a terminal or break an XML file."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
