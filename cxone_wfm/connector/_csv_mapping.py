"""What the columns of a CSV export mean: its mapping file, read and checked as a whole."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import get_args
from zoneinfo import ZoneInfo

from attrs import frozen

from .. import _json
from .._kinds import Kind, Seconds, describe
from .._wire import RecordClass, WireField, wire_fields
from ..errors import ConfigurationError, ValidationError
from ..models.historical import AgentQueueReport, AgentSystemPerformanceReport, QueueReport
from .presets import HistoricalMapping, MappingName, historical_mapping

Row = QueueReport | AgentQueueReport | AgentSystemPerformanceReport
RECORDS: Mapping[str, type[Row]] = MappingProxyType(
    {
        "queue_report": QueueReport,
        "agent_queue_report": AgentQueueReport,
        "agent_system_performance_report": AgentSystemPerformanceReport,
    }
)
PRESETS: Mapping[str, MappingName] = MappingProxyType({name: name for name in get_args(MappingName)})

CLOCK = "h:mm:ss"
UNITS = MappingProxyType({"s": Decimal(1), "ms": Decimal("0.001"), "min": Decimal(60)})

_SECONDS: Kind = get_args(Seconds)[1]
_KEYS = ["acd_type", "rows", "interval", "columns", "constants"]
_KEYS += ["preset", "without", "delimiter", "encoding"]
_INTERVAL_KEYS = ["columns", "format", "zone", "fold"]
_Object = Mapping[str, object]


@frozen(kw_only=True)
class Column:
    """Where a field comes from. `unit` is one of `UNITS` or `CLOCK` for a time, else None."""

    name: str
    unit: str | None = None


@frozen(kw_only=True)
class CsvMapping:
    """What the columns of one CSV export mean; read from JSON.

    `docs/how-to/connector-import.md` shows the file.
    """

    acd_type: str
    rows: str
    """Which part of the report a line is a row of: a key of `RECORDS`."""
    interval_columns: tuple[str, ...]
    """The columns whose texts, joined by a blank, are the start of the interval."""
    interval_format: str | None
    """As `datetime.strptime` takes it; None: ISO 8601."""
    zone: ZoneInfo | None
    """The zone of times that come without one."""
    fold: int | None
    """When the clocks go back and a time comes twice: whether the first (0) or the second (1) is meant."""
    columns: Mapping[str, Column]
    """By the name of the field."""
    constants: Mapping[str, object]
    """Fields that are the same in every line."""
    preset: HistoricalMapping | None
    without: tuple[str, ...]
    """Fields of the preset whose columns are not there."""
    delimiter: str
    encoding: str

    @classmethod
    def from_json(cls, text: str | bytes) -> "CsvMapping":
        """Read a mapping file. Raises `ConfigurationError`, which lists all that is wrong."""
        try:
            document = _json.parse(text, "The mapping")
        except ValidationError as error:
            raise ConfigurationError([f"the mapping: found {error.faults[0].found}"]) from error
        if not isinstance(document, dict):
            raise ConfigurationError(["the mapping must be a JSON object"])
        problems = [f"{key} is there more than once; keep one" for key in _repeated_keys(document)]
        mapping = _mapping(document, problems)
        if problems:
            raise ConfigurationError(problems)
        return mapping

    @property
    def needed(self) -> tuple[str, ...]:
        """Every column that must be there."""
        named = (column.name for column in self.columns.values())
        return tuple(dict.fromkeys((*self.interval_columns, *named, *self.preset_columns)))

    @property
    def preset_columns(self) -> tuple[str, ...]:
        """The columns that the preset's formulas need."""
        mapped = _mapped_by(self.preset, self.rows)
        return tuple(dict.fromkeys(column for name in self.preset_fields for column in mapped[name]))

    @property
    def preset_fields(self) -> tuple[str, ...]:
        """The fields that the preset fills."""
        return tuple(name for name in _mapped_by(self.preset, self.rows) if name not in self.without)


def fields_of(rows: str) -> dict[str, WireField]:
    """The fields of a row, by name."""
    record_class: RecordClass = RECORDS[rows]
    return {each.name: each for each in wire_fields(record_class)}


def _mapped_by(preset: HistoricalMapping | None, rows: str) -> dict[str, tuple[str, ...]]:
    """The fields that the preset fills, and the columns of each."""
    record = RECORDS[rows].__name__
    return {each.field: each.columns for each in (preset.fields if preset else ()) if each.record == record}


def _repeated_keys(document: object) -> list[str]:
    """Keys that an object has more than once, anywhere in the document: all but the last would be lost."""
    found: list[str] = []
    waiting = [document]
    for value in waiting:
        if isinstance(value, dict):
            waiting += value.values()
        if isinstance(value, _json.RepeatedKeys):
            found += value.keys_repeated
    return found


def _mapping(document: _Object, problems: list[str]) -> CsvMapping:
    """The mapping, of use only where it has added no problem."""
    problems += [
        f"{key} is no key of a mapping; its keys are {', '.join(_KEYS)}"
        for key in document
        if key not in _KEYS
    ]
    rows = _choice(document, "rows", RECORDS, problems) or "queue_report"
    name = _choice(document, "preset", PRESETS, problems) if "preset" in document else None
    preset = historical_mapping(PRESETS[name]) if name else None
    interval = _object(document, "interval", problems)
    problems += [f"interval: {key} is no key of it" for key in interval if key not in _INTERVAL_KEYS]
    shape, fold = interval.get("format"), interval.get("fold")
    if not (shape is None or isinstance(shape, str)):
        problems.append("interval: format must be a text as strptime takes it, such as %d.%m.%Y %H:%M")
        shape = None
    if shape is not None and "%z" not in shape and interval.get("zone") is None:
        problems.append("interval: zone is missing, and the format has no %z: name the zone of the times")
    if not (fold is None or (type(fold) is int and fold in {0, 1})):
        problems.append("interval: fold must be 0 or 1")
        fold = None
    columns = _columns(document, rows, problems)
    constants = _object(document, "constants", problems) if "constants" in document else {}
    without = _texts(document.get("without", []), "without", problems)
    if name and not _mapped_by(preset, rows):
        problems.append(f"preset: {name} has no mapping of {rows}")
    _check_fields(rows, {**columns, **constants}, _mapped_by(preset, rows), without, problems)
    problems += [f"constants: {fault}" for fault in _constant_faults(rows, constants)]
    return CsvMapping(
        acd_type=_text(document, "acd_type", problems),
        rows=rows,
        interval_columns=_texts(interval.get("columns"), "interval: columns", problems),
        interval_format=shape,
        zone=_zone(interval.get("zone"), problems),
        fold=fold if isinstance(fold, int) else None,
        columns=columns,
        constants=constants,
        preset=preset,
        without=without,
        delimiter=_delimiter(document, problems),
        encoding=_encoding(document, problems),
    )


def _text(document: _Object, key: str, problems: list[str], default: str = "") -> str:
    value = document.get(key, default)
    if isinstance(value, str) and value:
        return value
    problems.append(f"{key} must be a text")
    return default


def _choice(document: _Object, key: str, choices: Mapping[str, object], problems: list[str]) -> str | None:
    value = document.get(key)
    if isinstance(value, str) and value in choices:
        return value
    problems.append(f"{key} must be one of {', '.join(choices)}")
    return None


def _object(document: _Object, key: str, problems: list[str]) -> _Object:
    value = document.get(key)
    if isinstance(value, dict):
        return value
    problems.append(f"{key} must be an object")
    return {}


def _texts(value: object, key: str, problems: list[str]) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if (
        isinstance(texts, list)
        and all(isinstance(text, str) for text in texts)
        and (texts or key == "without")
    ):
        return tuple(texts)
    problems.append(f"{key} must be a text or a list of texts")
    return ()


def _columns(document: _Object, rows: str, problems: list[str]) -> dict[str, Column]:
    columns = {}
    fields = fields_of(rows)
    for name, given in _object(document, "columns", problems).items():
        column = Column(name=given) if isinstance(given, str) else _column(given)
        if column is None:
            problems.append(f'columns: {name} must be a column, or {{"column": "...", "unit": "s"}}')
            continue
        columns[name] = column
        is_time = name in fields and fields[name].kind is _SECONDS
        units = ", ".join((*UNITS, CLOCK))
        if is_time and column.unit not in {*UNITS, CLOCK}:
            problems.append(f"columns: {name} is a time, and its unit must be said: one of {units}")
        elif not is_time and column.unit is not None:
            problems.append(f"columns: {name} is no time, and takes no unit")
    return columns


def _column(given: object) -> Column | None:
    if not isinstance(given, dict) or not given.keys() <= {"column", "unit"}:
        return None
    name, unit = given.get("column"), given.get("unit")
    if not isinstance(name, str) or not (unit is None or isinstance(unit, str)):
        return None
    return Column(name=name, unit=unit)


def _check_fields(
    rows: str,
    given: Mapping[str, object],
    mapped: Mapping[str, object],
    without: tuple[str, ...],
    problems: list[str],
) -> None:
    fields = fields_of(rows)
    problems += [
        f"{name} is no field of {rows}; there are {', '.join(fields)}" for name in given if name not in fields
    ]
    keys = [name for name, field in fields.items() if not field.optional]
    problems += [
        f"columns: {name} is missing, and no row goes without it" for name in keys if name not in given
    ]
    problems += [f"without: {name} is not mapped by the preset" for name in without if name not in mapped]
    problems += [
        f"{name} is mapped twice, by the preset and here; name it in `without` to take yours"
        for name in given
        if name in mapped and name not in without
    ]


def _constant_faults(rows: str, constants: _Object) -> list[str]:
    fields = fields_of(rows)
    return [
        f"{name} is {describe(value)}, expected {kind.expected}"
        for name, value in constants.items()
        if name in fields and (kind := fields[name].kind) is not None and not kind.accepts(value)
    ]


def _zone(name: object, problems: list[str]) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name if isinstance(name, str) else "")
    except (ValueError, KeyError, OSError):  # no such name; one that looks like a path; a folder
        problems.append("interval: zone must be a zone of the tz database, such as America/New_York")
        return None


def _delimiter(document: _Object, problems: list[str]) -> str:
    delimiter = _text(document, "delimiter", problems, ",")
    if len(delimiter) != 1 or not (delimiter.isprintable() or delimiter == "\t") or delimiter == '"':
        problems.append("delimiter must be one character: a comma, a semicolon, a tab or another, no quote")
    return delimiter


def _encoding(document: _Object, problems: list[str]) -> str:
    encoding = _text(document, "encoding", problems, "utf-8-sig")
    try:
        "a".encode(encoding)
    except (LookupError, ValueError):
        problems.append(f"encoding: there is none for text of the name {describe(encoding)}")
    return encoding
