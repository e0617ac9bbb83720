"""A record's fields as they stand on the wire, and the two functions generated from them.

The generated functions are the hot path: one says whether every field of a record is what its
kind accepts, the other gives the record as a JSON object. Both are written out from the same
table, so a rule exists once.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache, update_wrapper
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import frozen

from ._kinds import NAMES, UTC, Kind, describe, describe_type
from .errors import Fault

RecordClass: TypeAlias = Any
"""A class derived from `models._record.Record`, which stands above this module."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_KEY_SHOWN = 60


@frozen
class WireField:
    """One field: its name here and on the wire, whether it may be None (left out), and what it holds.

    Exactly one of `kind`, `record` (one nested record) and `rows` (a list of records) is set.
    """

    name: str
    wire: str
    optional: bool
    kind: Kind | None = None
    record: type | None = None
    rows: type | None = None


def wire_name(cls: RecordClass, name: str) -> str:
    """`queue_value` -> `queueValue`; records that are snake_case on the wire keep their names."""
    first, *rest = name.split("_")
    return name if cls.snake_case else first + "".join(word.capitalize() for word in rest)


def step(key: object) -> str:
    """The step to a key in a path: `.queueReport`, or `['queue report']` where the key is no plain name."""
    if isinstance(key, str) and _PLAIN_KEY.fullmatch(key):
        return f".{key}"
    text = ascii(key)
    return f"[{text if len(text) <= _KEY_SHOWN else text[:_KEY_SHOWN] + '...'}]"


@cache
def wire_fields(cls: RecordClass) -> tuple[WireField, ...]:
    """The fields of a record's class that have a key of their own, in the order in which they are written."""
    return tuple(field for field in _fields(cls) if not (cls.open_ended and field.name == "extra"))


@cache
def _fields(cls: RecordClass) -> tuple[WireField, ...]:
    hints = get_type_hints(cls, include_extras=True)
    return tuple(_wire_field(cls, a, hints[a.name]) for a in attrs.fields(cls))


def _wire_field(cls: RecordClass, attribute: "attrs.Attribute[object]", hint: object) -> WireField:
    optional = get_origin(hint) in (Union, UnionType)
    if optional:
        (hint,) = (arm for arm in get_args(hint) if arm is not NoneType)
    row = get_args(hint)[0] if get_origin(hint) is tuple else None
    kind = get_args(hint)[1] if get_origin(hint) is Annotated else None
    record = hint if isinstance(hint, type) and row is None else None  # in 3.10 a tuple[...] is a type
    return WireField(
        attribute.name,
        wire_name(cls, attribute.name),
        optional,
        kind=kind,
        record=record,
        rows=row,
    )


Refuse = Callable[[object], None]
"""Raises the error of a record in which any field is not what it may be."""


def check_function(cls: RecordClass, refuse: Refuse) -> Callable[[object], None]:
    """The function that checks a record which attrs has filled."""
    names: dict[str, Any] = {**NAMES, "refuse": refuse}
    lines = ["def made(self):", *_test_lines(cls, names, "self.")]
    check: Callable[[object], None] = _generate(lines, names)
    return check


def init_function(cls: RecordClass, refuse: Refuse) -> Callable[..., None]:
    """An `__init__` that fills and checks a record in less than two thirds of the time that attrs takes.

    attrs fills a frozen, slotted object with one call for each field; that is most of what a row of
    a report costs. This one fills it while it is of a class with the same slots that is not frozen,
    and turns it into the frozen one before anybody sees it. Not for records with factories.
    """
    thawed = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    unfrozen: type = type(cls)(cls.__name__, (cls,), thawed, unfrozen=True)
    names: dict[str, Any] = {
        **NAMES, "refuse": refuse, "frozen": cls, "unfrozen": unfrozen, "set_attribute": object.__setattr__
    }  # fmt: skip
    parameters, converted, filled = [], [], []
    for a in attrs.fields(cls):
        parameters.append(a.name if a.default is attrs.NOTHING else f"{a.name}=default_of_{a.name}")
        names[f"default_of_{a.name}"] = a.default
        if a.converter is not None:
            names[f"convert_{a.name}"] = a.converter
            converted.append(f" {a.name} = convert_{a.name}({a.name})")
        filled.append(f" self.{a.name} = {a.name}")
    lines = [
        f"def made(self, *, {', '.join(parameters)}):",
        *converted,
        " set_attribute(self, '__class__', unfrozen)",
        *filled,
        " self.__class__ = frozen",
        *_test_lines(cls, names, ""),
    ]
    init: Callable[..., None] = update_wrapper(_generate(lines, names), cls.__init__)
    return init


def _test_lines(cls: RecordClass, names: dict[str, Any], where: str) -> list[str]:
    lines = []
    for field in _fields(cls):
        if field.kind is not None:
            test = field.kind.test
        else:
            names[f"class_of_{field.name}"] = field.record or field.rows
            test = (
                "type(v) is {}" if field.record else "type(v) is tuple and set(map(type, v)) <= {{{}}}"
            ).format(f"class_of_{field.name}")
        absent = "v is None or " if field.optional else ""
        lines += [f" v = {where}{field.name}", f" if not ({absent}{test}): return refuse(self)"]
    if cls.earlier_later:
        earlier, later = cls.earlier_later
        lines.append(f" if not {where}{earlier} < {where}{later}: refuse(self)")
    return lines


@cache
def encode_function(cls: RecordClass) -> Callable[[object], dict[str, object]]:
    """The function that gives a record as a JSON object, nested records left as they are."""
    names: dict[str, Any] = {}
    reads, items, removals = [], [], []
    for number, field in enumerate(wire_fields(cls)):
        value = f"v{number}"
        reads.append(f" {value} = self.{field.name}")
        if field.optional:
            removals.append(f" if {value} is None: del d[{field.wire!r}]")
        if field.kind is not None and field.kind.write is not None:
            names[f"write{number}"] = field.kind.write
            value = f"None if {value} is None else write{number}({value})"
        items.append(f"{field.wire!r}: {value}")
    result = "{**self.extra, **d}" if cls.open_ended else "d"
    lines = ["def made(self):", *reads, f" d = {{{', '.join(items)}}}", *removals, f" return {result}"]
    encode: Callable[[object], dict[str, object]] = _generate(lines, names)
    return encode


def _generate(lines: list[str], names: dict[str, Any]) -> Any:  # noqa: ANN401 - each caller says what it has made
    exec("\n".join(lines), names)  # noqa: S102 - written from our own field tables, never from data
    return names["made"]


def faults_of(record: object, cls: RecordClass) -> Iterator[Fault]:
    """Every fault of a record that was built in Python, one level deep: nested records are valid already."""
    for field in _fields(cls):
        value = getattr(record, field.name)
        if not (value is None and field.optional):
            yield from _value_faults(field, value)
    if cls.earlier_later:
        earlier, later = (getattr(record, name) for name in cls.earlier_later)
        yield from order_faults(cls, earlier, later)


def _value_faults(field: WireField, value: object) -> Iterator[Fault]:
    path = f"$.{field.wire}"
    if field.kind is not None:
        if not field.kind.accepts(value):
            yield field.kind.fault(path, value)
        return
    if field.record is not None:
        yield from _instance_faults(path, value, field.record)
        return
    assert field.rows is not None  # noqa: S101 - a field is one of the three
    if isinstance(value, tuple):
        for index, row in enumerate(value):
            yield from _instance_faults(f"{path}[{index}]", row, field.rows)
    else:
        yield Fault(path, describe_type(value), f"a list of {field.rows.__name__}")


def _instance_faults(path: str, value: object, cls: type) -> Iterator[Fault]:
    if type(value) is not cls:
        yield Fault(path, describe_type(value), f"an instance of {cls.__name__}")


def order_faults(cls: RecordClass, earlier: object, later: object) -> Iterator[Fault]:
    """The fault of an end that does not come after its start, where the two can be compared."""
    if not (isinstance(earlier, datetime) and isinstance(later, datetime)):
        return
    if earlier.tzinfo is later.tzinfo is UTC and not earlier < later:
        start, end = (wire_name(cls, name) for name in cls.earlier_later)
        yield Fault(f"$.{end}", describe(later), f"a time after {start}, {describe(earlier)}")
