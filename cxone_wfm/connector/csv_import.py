"""From an ACD's CSV exports, aggregated by interval already, to historical reports.

Pure: text in, records out. Every fault of a file is found at once, with its line and its column.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Context, Decimal
from typing import Any

from attrs import define, field, frozen

from .._kinds import describe
from .._wire import step, wire_name
from ..errors import Fault, ValidationError
from ..intervals import Interval
from ..models.historical import HistoricalReport, HistoricalReportData
from ._csv_mapping import CLOCK, RECORDS, UNITS, CsvMapping, Row, fields_of
from .presets import HistoricalMapping

__all__ = ["CsvMapping", "CsvTable", "ImportedReport", "import_tables", "read_table"]

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_CLOCK = re.compile(r"([0-9]{1,6}):([0-5][0-9]):([0-5][0-9])")
_EXACT = Context(prec=40)
"""For more digits than a cell can have: the precision that the program has set must not round a figure."""
_PLACE = re.compile(r"\$\.reportData\.(\w+)\[(\d+)\](?:\.(\w+))?")


@frozen(kw_only=True)
class _Line:
    number: int
    interval: Interval
    row: Row


@frozen(kw_only=True)
class CsvTable:
    """A CSV file that was read without a fault."""

    name: str
    mapping: CsvMapping
    _lines: tuple[_Line, ...] = field(repr=False)


@define(kw_only=True)
class ImportedReport:
    """The report of one interval, and where its rows come from."""

    report: HistoricalReport
    _places: Mapping[str, list[tuple[CsvTable, int]]]

    def place(self, path: str) -> str | None:
        """The file and line, and the column where there is one, of what stands at a path of the report.

        `path` is as in `Finding.path`. None: it is no single line's, or not from a file.
        """
        found = _PLACE.match(path)
        if found is None:
            return None
        table, line = self._places[found[1]][int(found[2])]
        column = next(
            (
                f", column {column.name}"
                for name, column in table.mapping.columns.items()
                if wire_name(RECORDS[table.mapping.rows], name) == found[3]
            ),
            "",
        )
        return f"{table.name} line {line}{column}"


def read_table(content: bytes, mapping: CsvMapping, name: str) -> CsvTable:
    """Read a CSV file. `name` is what it is called in faults.

    Blanks around a text are dropped. An empty cell of a measure says "not known": the measure is left out.
    Raises one `ValidationError` with all faults.
    """
    faults: list[Fault] = []
    try:
        text = content.decode(mapping.encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        found = f"something else ({error})"
        raise ValidationError(name, [Fault("the file", found, f"text in {mapping.encoding}")]) from error
    lines = tuple(_Reader(mapping, faults).lines(text))
    if not faults and not lines:
        faults.append(Fault("the file", "no line of data", "a header and a line for each interval and row"))
    if faults:
        raise ValidationError(name, faults)
    return CsvTable(name=name, mapping=mapping, lines=lines)


def import_tables(tables: Iterable[CsvTable]) -> list[ImportedReport]:
    """One report for each interval, with the rows of all tables, in the order of time.

    A part for which no table has a row is left out. Raises `ValidationError` where the tables are of
    different types of ACD.
    """
    known = list(tables)
    types = sorted({table.mapping.acd_type for table in known})
    if len(types) > 1:
        raise ValidationError("import", [Fault("acd_type", ", ".join(types), "the same in all mappings")])
    by_interval: dict[Interval, dict[str, list[tuple[CsvTable, _Line]]]] = {}
    for table in known:
        for line in table._lines:
            parts = by_interval.setdefault(line.interval, {})
            parts.setdefault(table.mapping.rows, []).append((table, line))
    return [_report(types[0], interval, by_interval[interval]) for interval in sorted(by_interval)]


def _report(
    acd_type: str, interval: Interval, parts: Mapping[str, list[tuple[CsvTable, _Line]]]
) -> ImportedReport:
    rows: dict[str, Any] = {part: [line.row for _, line in lines] for part, lines in parts.items()}
    report = HistoricalReport(
        acd_type=acd_type,
        start_date=interval.start,
        end_date=interval.end,
        report_data=HistoricalReportData(**rows),
    )
    places = {
        wire_name(HistoricalReportData, part): [(table, line.number) for table, line in lines]
        for part, lines in parts.items()
    }
    return ImportedReport(report=report, places=places)


@define
class _Reader:
    """Reads line by line, and notes every fault."""

    _mapping: CsvMapping
    _faults: list[Fault]
    _line: int = 1

    def lines(self, text: str) -> Iterator[_Line]:
        """Every line without a fault; those are of use only where no line has one."""
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self._mapping.delimiter, strict=True)
        header: list[str] | None = None
        while True:
            try:
                cells = [cell.strip() for cell in next(reader)]
            except StopIteration:
                return
            except csv.Error as error:
                self._line = reader.line_num
                self._fault(None, str(error), "CSV with balanced quotes")
                return
            self._line = reader.line_num
            if not any(cells):
                continue
            if header is None:
                header = cells
                if not self._header_is_good(header):
                    return
            elif len(cells) != len(header):
                self._fault(None, f"{len(cells)} cells", f"{len(header)}, as the header has")
            elif (line := self._read(dict(zip(header, cells, strict=True)))) is not None:
                yield line

    def _header_is_good(self, header: list[str]) -> bool:
        before = len(self._faults)
        for column in self._mapping.needed:
            if (times := header.count(column)) != 1:
                found = f"it {times} times" if times else "no such column"
                self._fault(f"column {column}", found, "it once in the header")
        return len(self._faults) == before

    def _read(self, cells: Mapping[str, str]) -> _Line | None:
        before = len(self._faults)
        mapping = self._mapping
        interval = self._interval(" ".join(cells[column] for column in mapping.interval_columns))
        values: dict[str, Any] = dict(mapping.constants)
        fields = fields_of(mapping.rows)
        for name, column in mapping.columns.items():
            cell, target = cells[column.name], fields[name]
            if cell == "" and target.optional:
                continue
            value = _value(
                cell, column.unit, expects_text=target.kind is not None and target.kind.accepts("x")
            )
            if target.kind is not None and not target.kind.accepts(value):
                expected = _expected(target.kind.expected, column.unit)
                self._fault(f"column {column.name}", describe(cell), expected)
            values[name] = value
        if mapping.preset is not None:
            values |= self._from_preset(mapping.preset, cells)
        if interval is None or len(self._faults) > before:
            return None
        return _Line(number=self._line, interval=interval, row=RECORDS[mapping.rows](**values))

    def _from_preset(self, preset: HistoricalMapping, cells: Mapping[str, str]) -> dict[str, object]:
        mapping = self._mapping
        numbers: dict[str, Any] = {
            column: cells[column] if (number := _number(cells[column])) is None else number
            for column in mapping.preset_columns
        }
        keys = {name: "any" for name, target in fields_of(mapping.rows).items() if not target.optional}
        try:
            row = getattr(preset, mapping.rows)(numbers, without=mapping.without, **keys)
        except ValidationError as error:
            places = {f"${step(column)}": f"column {column}" for column in mapping.preset_columns}
            for fault in error.faults:  # what a formula gives belongs to no column, but to its field
                place = places.get(fault.path, f"field {fault.path.removeprefix('$.')}")
                self._fault(place, fault.found, fault.expected)
            return {}
        return {name: value for name in mapping.preset_fields if (value := getattr(row, name)) is not None}

    def _interval(self, text: str) -> Interval | None:
        place = f"column {', '.join(self._mapping.interval_columns)}"
        try:
            interval = Interval(start=_moment(text, self._mapping))
            interval.next()  # there is none after the last of the year 9999, and so that one has no end
        except _UnclearTimeError as error:
            self._fault(place, f"{describe(text)}, {error}", error.expected)
        except (ValueError, OverflowError, re.error) as error:  # the last: a directive that stands twice
            reason = str(error).partition(";")[0]  # what follows is advice for programs
            self._fault(place, describe(text), f"the start of an interval: {reason}")
        else:
            return interval
        return None

    def _fault(self, place: str | None, found: str, expected: str) -> None:
        line = f"line {self._line}"
        self._faults.append(Fault(line if place is None else f"{line}, {place}", found, expected))


class _UnclearTimeError(Exception):
    """A local time that does not say which moment it is."""

    def __init__(self, problem: str, expected: str) -> None:
        super().__init__(problem)
        self.expected = expected


def _moment(text: str, mapping: CsvMapping) -> datetime:
    from dateutil.parser import isoparse  # here, for it is slow to import  # noqa: PLC0415
    from dateutil.tz import datetime_ambiguous, datetime_exists  # likewise  # noqa: PLC0415

    shape = mapping.interval_format
    moment = isoparse(text) if shape is None else datetime.strptime(text, shape)  # noqa: DTZ007 - the zone follows
    if moment.tzinfo is not None:
        return moment
    if mapping.zone is None:
        raise _UnclearTimeError(
            "a time without its zone", "the zone of the times in the mapping: interval.zone"
        )
    local = moment.replace(tzinfo=mapping.zone)
    if not datetime_exists(local):
        raise _UnclearTimeError(f"which {mapping.zone} skips", "a time that there is: check interval.zone")
    if datetime_ambiguous(local):
        if mapping.fold is None:
            raise _UnclearTimeError(
                f"which comes twice in {mapping.zone}", "interval.fold: 0 for the first, 1 for the second"
            )
        return local.replace(fold=mapping.fold)
    return local


def _number(cell: str) -> int | float | None:
    return _plain(Decimal(cell)) if _NUMBER.fullmatch(cell) else None


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _value(cell: str, unit: str | None, *, expects_text: bool) -> object:
    """What the cell says; the cell itself where it says nothing of the kind."""
    if expects_text:
        return cell
    if unit == CLOCK:
        found = _CLOCK.fullmatch(cell)
        return cell if found is None else int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])
    if cell.lower() in {"true", "false"}:
        return cell.lower() == "true"
    if not _NUMBER.fullmatch(cell):
        return cell
    return _plain(_EXACT.multiply(Decimal(cell), UNITS[unit] if unit else 1))


def _expected(expected: str, unit: str | None) -> str:
    return f"{expected}, in the column's unit {unit}" if unit else expected
