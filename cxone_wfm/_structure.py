"""JSON values to records through cattrs, with every fault at its wire path.

cattrs finds what is missing, builds the records and gathers what went wrong. Its own converters for
plain values are not used: they would make 7 of "7" and "None" of null.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.errors import ClassValidationError
from cattrs.gen import make_dict_structure_fn, override

from ._json import RepeatedKeys, is_json
from ._kinds import ANY_JSON, describe_type
from ._wire import RecordClass, WireField, order_faults, step, wire_fields, wire_name
from .errors import Fault, ValidationError

Hook = Callable[[object, object], object]
Record = TypeVar("Record")

_converter = cattrs.Converter(detailed_validation=True)


class _RefusedError(Exception):
    """Faults of one value, their paths relative to it."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__()
        self.faults = faults


def structure(cls: type[Record], document: object) -> Record:
    """The record that the JSON value describes. Raises one `ValidationError` with every fault."""
    record_class: RecordClass = cls
    if isinstance(document, Mapping) and not isinstance(document, dict):
        document = dict(document)
    try:
        record = _record_hook(record_class)(document, cls)
    except (ClassValidationError, _RefusedError) as error:
        faults = list(dict.fromkeys(_faults(error, "$")))
    else:
        assert isinstance(record, cls)  # noqa: S101 - tells the type checker what the hook builds
        return record
    raise ValidationError(cls.__name__, faults)


@cache
def _record_hook(cls: RecordClass) -> Hook:
    fields = wire_fields(cls)
    overrides: dict[str, Any] = {
        field.name: override(rename=field.wire, struct_hook=_value_hook(field)) for field in fields
    }
    if cls.open_ended:
        overrides["extra"] = override(omit=True)
    inner = make_dict_structure_fn(
        cls,
        _converter,
        _cattrs_forbid_extra_keys=False,
        _cattrs_detailed_validation=True,
        **overrides,
    )

    optional = {field.wire: field.optional for field in fields}

    def hook(value: object, _: object) -> object:
        if not isinstance(value, dict):
            raise _RefusedError(Fault("$", describe_type(value), "an object"))
        extra = {key: value[key] for key in value if key not in optional}
        if cls.open_ended:  # a null is as good as left out, and is kept to be written back
            extra |= {key: None for key in value if value[key] is None and optional.get(key)}
        own = [*_repeated(value), *(_extra_faults(extra) if cls.open_ended else _unknown(extra))]
        try:
            record = inner({key: value[key] for key in value if key not in extra} if extra else value, cls)
        except ClassValidationError as group:
            own += _order(cls, value)
            raise ClassValidationError(group.message, [*group.exceptions, _RefusedError(*own)], cls) from None
        if own:
            raise _RefusedError(*own)
        return attrs.evolve(record, extra=extra) if extra else record

    return hook


def _value_hook(field: WireField) -> Hook:
    if field.record is not None:
        return _record_hook(field.record)
    if field.rows is not None:
        return _rows_hook(field.rows, optional=field.optional)
    kind = field.kind
    assert kind is not None  # noqa: S101 - a field is one of the three

    def hook(value: object, _: object) -> object:
        ours = value if kind.read is None else kind.read(value)
        if not kind.accepts(ours):
            fault = kind.fault("$", value)
            raise _RefusedError(_or_no_key(fault) if value is None and field.optional else fault)
        return ours

    return hook


def _or_no_key(fault: Fault) -> Fault:
    """A null where the key may be left out: say so, for many writers put null there."""
    return attrs.evolve(fault, expected=f"{fault.expected}, or no such key")


def _rows_hook(row: RecordClass, *, optional: bool) -> Hook:
    row_hook = _record_hook(row)

    def hook(value: object, _: object) -> object:
        if not isinstance(value, list):
            fault = Fault("$", describe_type(value), "a list")
            raise _RefusedError(_or_no_key(fault) if value is None and optional else fault)
        rows: list[object] = []
        faults: list[Fault] = []
        for index, item in enumerate(value):
            try:
                rows.append(row_hook(item, row))
            except (ClassValidationError, _RefusedError) as error:  # noqa: PERF203 - every row is to be judged
                faults += _faults(error, f"$[{index}]")
        if faults:
            raise _RefusedError(*faults)
        return tuple(rows)

    return hook


def _repeated(value: object) -> Iterator[Fault]:
    if isinstance(value, RepeatedKeys):
        for key in value.keys_repeated:
            yield Fault(f"${step(key)}", "the key more than once", "it once")


def _order(cls: RecordClass, value: dict[str, object]) -> Iterator[Fault]:
    """Start and end are compared even where something else is wrong, so that the list is whole."""
    if cls.earlier_later:
        kinds = {field.name: field.kind for field in wire_fields(cls)}
        found = []
        for name in cls.earlier_later:
            kind, text = kinds[name], value.get(wire_name(cls, name))
            found.append(kind.read(text) if kind is not None and kind.read is not None else text)
        yield from order_faults(cls, *found)


def _unknown(keys: Iterable[object]) -> Iterator[Fault]:
    for key in keys:
        yield Fault(f"${step(key)}", "an unknown key", "only the keys of the vendor's page")


def _extra_faults(extra: dict[str, object]) -> Iterator[Fault]:
    for key, item in extra.items():
        if not is_json({key: item}):
            yield ANY_JSON.fault(f"${step(key)}", item)


def _faults(error: BaseException, path: str) -> Iterator[Fault]:
    if isinstance(error, (_RefusedError, ValidationError)):
        for fault in error.faults:
            yield Fault(path + fault.path[1:], fault.found, fault.expected)
    elif isinstance(error, ClassValidationError):
        noted, others = error.group_exceptions()
        for cause, note in noted:
            place = f"{path}.{wire_name(error.cl, note.name)}"
            if isinstance(cause, KeyError):
                yield Fault(place, "nothing", "a value: the key is missing")
            else:
                yield from _faults(cause, place)
        for cause in others:
            yield from _faults(cause, path)
    else:
        raise error
