"""What one field on the wire may hold: each kind once, as a test and in words.

A kind's `test` is a Python expression over `v`, not a function: `_wire` joins the tests of a
record into one generated function, which is what makes a report of 50,000 rows cheap to check.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, TypeVar, overload

from attrs import define

from ._json import MAX_NESTING, encodable, is_json
from .errors import Fault
from .secrets import Secret

UTC = timezone.utc
Row = TypeVar("Row")

MAX_COUNT = 2**31 - 1
MAX_EXACT = 2**53
"""The largest whole number that a double holds exactly: readers of JSON may round beyond it."""
_SHOWN = 60
"""The longest text that a fault shows, in characters."""


NAMES = {
    "UTC": UTC,
    "Secret": Secret,
    "datetime": datetime,
    "Mapping": Mapping,
    "encodable": encodable,
    "is_json": is_json,
}
"""What the tests may name beside the builtins."""


@define(frozen=True, slots=False)
class Kind:
    """One kind of field.

    `expected` says in words what `test` accepts. `read` turns a JSON value into ours, and gives
    what it cannot read back as it came, for `test` to refuse. `write` turns ours into JSON.
    `shown` is whether a fault may show the value: never where it may be a secret.
    """

    expected: str
    test: str
    read: Callable[[object], object] | None = None
    write: Callable[[object], object] | None = None
    shown: bool = True

    @cached_property
    def accepts(self) -> Callable[[object], bool]:
        """The test as a function, for one value at a time."""
        accepts: Callable[[object], bool] = eval(f"lambda v: {self.test}", dict(NAMES))  # noqa: S307 - our own constants, never data
        return accepts

    def fault(self, path: str, value: object) -> Fault:
        """The fault of a value that the test refused."""
        return Fault(path, describe(value) if self.shown else describe_type(value), self.expected)


def _text(shortest: int, longest: int, *, ascii_only: bool = False) -> Kind:
    span = f"{shortest} to {longest}" if shortest else f"at most {longest}"
    return Kind(
        expected=f"text of {span} {'ASCII ' if ascii_only else ''}characters",
        test=f"(type(v) is str or isinstance(v, str)) and {shortest} <= len(v) <= {longest} and "
        + ("v.isascii()" if ascii_only else "(v.isascii() or encodable(v))"),
    )


def _range(largest: int) -> str:
    return "of at least 0" if largest == MAX_EXACT else f"from 0 to {largest}"


def _whole(largest: int, what: str) -> Kind:
    return Kind(
        expected=f"{what}: a whole number {_range(largest)}", test=f"type(v) is int and 0 <= v <= {largest}"
    )


def _number(largest: int, what: str) -> Kind:
    return Kind(
        expected=f"{what}: a number {_range(largest)}",
        test=f"((t := type(v)) is int or t is float) and 0 <= v <= {largest}",
    )


def _read_instant(value: object) -> object:
    if not isinstance(value, str):
        return value
    from dateutil.parser import isoparse  # here, for it is slow to import  # noqa: PLC0415

    try:
        return to_instant(isoparse(value))
    except (ValueError, OverflowError):  # no time; one after the year 9999, such as 24:00 on its last day
        return value


def _write_instant(value: object) -> str:
    assert isinstance(value, datetime)  # noqa: S101 - tells the type checker what the kind's test has made sure of
    return value.isoformat(timespec="milliseconds")[:-6] + "Z"


def _is_aware(value: object) -> bool:
    return isinstance(value, datetime) and isinstance(value.utcoffset(), timedelta)


def to_instant(value: datetime) -> datetime:
    """The same moment in UTC, cut to whole milliseconds, which is all that the wire carries.

    What is no time, has no offset, or is in no year of UTC is given back as it came, for the test to refuse.
    """
    if not _is_aware(value):
        return value
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        return value
    return datetime(
        moment.year,
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
        moment.microsecond // 1000 * 1000,
        UTC,
    )


def to_milliseconds(value: int | timedelta) -> int:
    """A `timedelta` as whole milliseconds; a number as it came."""
    return value // timedelta(milliseconds=1) if isinstance(value, timedelta) else value


@overload
def as_tuple(rows: None) -> None: ...
@overload
def as_tuple(rows: Iterable[Row]) -> tuple[Row, ...]: ...
def as_tuple(rows: object) -> object:
    """Rows as a tuple, so that a record cannot be changed later; what is no row list as it came."""
    if isinstance(rows, (str, bytes, bytearray, Mapping)):
        return rows
    return tuple(rows) if isinstance(rows, Iterable) else rows


def read_only(items: Mapping[str, object]) -> Mapping[str, object]:
    """A copy that cannot be changed; what is no mapping as it came."""
    try:
        return MappingProxyType(dict(items))
    except (TypeError, ValueError):
        return items


def _read_secret(value: object) -> object:
    return Secret(value) if isinstance(value, str) else value


def _write_secret(value: object) -> str:
    assert isinstance(value, Secret)  # noqa: S101 - tells the type checker what the kind's test has made sure of
    return value.reveal()


QueueKey = Annotated[str, _text(1, 100, ascii_only=True)]
AgentKey = Annotated[str, _text(1, 256, ascii_only=True)]
Name = Annotated[str, _text(1, 256)]
Note = Annotated[str, _text(0, 4096)]
Flag = Annotated[bool, Kind(expected="true or false", test="type(v) is bool")]
Count = Annotated[int, _whole(MAX_COUNT, "a count")]
Milliseconds = Annotated[int, _whole(MAX_EXACT, "milliseconds")]
Seconds = Annotated[float, _number(MAX_EXACT, "seconds")]
Percent = Annotated[float, _number(100, "a percentage")]
Instant = Annotated[
    datetime,
    Kind(
        expected="a time with its offset: a datetime in Python, 2024-04-17T10:00:00.000Z in JSON",
        test="type(v) is datetime and v.tzinfo is UTC",
        read=_read_instant,
        write=_write_instant,
    ),
]
SecretText = Annotated[
    Secret,
    Kind(
        expected="text (a secret: it is not shown)",
        test="type(v) is Secret and encodable(v.reveal())",
        read=_read_secret,
        write=_write_secret,
        shown=False,
    ),
]
_JSON = (
    f"JSON of at most {MAX_NESTING} levels, numbers in the range of a double, text without lone surrogates"
)
ANY_JSON = Kind(expected=_JSON, test="is_json(v)", shown=False)
AnyJson = Annotated[object, ANY_JSON]
Extra = Annotated[
    Mapping[str, object],
    Kind(expected=f"an object of {_JSON}", test="isinstance(v, Mapping) and is_json(dict(v))", shown=False),
]


def describe(value: object) -> str:
    """What was found, in the words of JSON, cut short."""
    if isinstance(value, str):
        return _describe_text(value)
    if type(value) is int:
        huge = abs(value) > MAX_EXACT
        return f"a whole number of {value.bit_length()} bits" if huge else str(value)
    if type(value) in {float, bool}:
        return json.dumps(value)
    if isinstance(value, datetime):
        if value.tzinfo is UTC:
            return _write_instant(value)
        return value.isoformat() + ("" if _is_aware(value) else ", a time without its offset")
    return describe_type(value)


def _describe_text(text: str) -> str:
    if not encodable(text):
        return f"text of {len(text)} characters with a lone surrogate"
    if len(text) > _SHOWN:
        return f"text of {len(text)} characters{'' if text.isascii() else ', not all ASCII'}"
    return ascii(text[:])  # a plain str also of a subclass, whose own repr() is somebody else's


def describe_type(value: object) -> str:
    """What kind of value was found, without the value."""
    names = {type(None): "null", bool: "true or false", dict: "an object", list: "a list"}
    names |= {str: "text", int: "a number", float: "a number"}
    return names.get(type(value), f"a Python {type(value).__name__}")
