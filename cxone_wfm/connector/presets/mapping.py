"""Historical columns of four ACDs to the fields of the reports, without the traps between them.

What is mapped, from what, and how sure it is stands in data files, one for each ACD; the formula in the
file is the one that runs. No name of an ACD's column gets past this module. In a formula the count by
which an average is multiplied stands on the right: where it is 0 the average is not looked at, for
an average of nothing is null in many an ACD.
"""

import ast
import math
import operator
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, Literal, TypeVar, get_args

from attrs import frozen

from ..._kinds import describe
from ..._wire import RecordClass, step, wire_fields
from ...errors import Fault, ValidationError
from ...models.historical import AgentQueueReport, AgentSystemPerformanceReport, QueueReport
from ._data import Confidence, load

__all__ = ["HistoricalMapping", "MappedField", "MappingName", "historical_mapping", "mapping_table"]

MappingName = Literal["amazon_connect", "avaya_cms", "five9", "genesys_cloud"]
RecordName = Literal["QueueReport", "AgentQueueReport", "AgentSystemPerformanceReport"]
Report = TypeVar("Report", QueueReport, AgentQueueReport, AgentSystemPerformanceReport)

_OPERATIONS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@frozen(kw_only=True)
class MappedField:
    """Where one field of a report comes from in one ACD."""

    acd: str
    record: RecordName
    field: str
    formula: str
    """Over the ACD's columns; the result has the field's unit."""
    source: str
    confidence: Confidence
    trap: str
    """What goes wrong with another formula; empty where nothing is known to."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The ACD's columns that the formula needs, in its order."""
        return _columns(_parse(self.formula))


@frozen(kw_only=True)
class HistoricalMapping:
    """What makes report rows of one ACD's rows.

    A row maps column names to numbers. What an ACD has no column for stays None; add what else you know
    with `attrs.evolve`. `without` names fields whose columns you do not have: they stay None too.

    Each method raises a `ValidationError` with a fault for every column that is missing or holds no
    number of at least 0, and for every result that the field cannot hold; and ValueError where the ACD
    has no mapping for that record, or `without` names a field that is not mapped.
    """

    acd: str
    rows: str
    """What the rows are in that ACD, and the unit of their times."""
    fields: tuple[MappedField, ...]

    def queue_report(
        self, row: Mapping[str, float], *, queue_value: str, without: Collection[str] = ()
    ) -> QueueReport:
        """The row of a queue."""
        return self._report(QueueReport, row, without, {"queue_value": queue_value})

    def agent_queue_report(
        self, row: Mapping[str, float], *, queue_value: str, agent_value: str, without: Collection[str] = ()
    ) -> AgentQueueReport:
        """The row of an agent on a queue."""
        keys = {"queue_value": queue_value, "agent_value": agent_value}
        return self._report(AgentQueueReport, row, without, keys)

    def agent_system_performance_report(
        self, row: Mapping[str, float], *, agent_value: str, without: Collection[str] = ()
    ) -> AgentSystemPerformanceReport:
        """The row of an agent over all queues."""
        return self._report(AgentSystemPerformanceReport, row, without, {"agent_value": agent_value})

    def _report(
        self, record: type[Report], row: Mapping[str, float], without: Collection[str], keys: dict[str, Any]
    ) -> Report:
        mapped = {each.field: each for each in self.fields if each.record == record.__name__}
        if not mapped:
            raise ValueError(f"there is no mapping of {self.acd} to {record.__name__}")
        if unknown := [name for name in without if name not in mapped]:
            raise ValueError(f"not mapped in {record.__name__} of {self.acd}: {', '.join(unknown)}")
        record_class: RecordClass = record
        kinds = {field.name: field.kind for field in wire_fields(record_class)}
        faults: dict[str, Fault] = {}
        values: dict[str, Any] = {}
        for name in mapped.keys() - set(without):
            found = _Found(row)
            value = found.value_of(_parse(mapped[name].formula))
            kind = kinds[name]
            if found.faults:
                faults |= found.faults
            elif kind is not None and not kind.accepts(value):
                path = f"$.{name}"
                faults[path] = Fault(path, f"{describe(value)} as {mapped[name].formula}", kind.expected)
            values[name] = value
        if faults:
            raise ValidationError(f"{self.acd} row", [faults[path] for path in sorted(faults)])
        return record(**keys, **values)


class _Found:
    """The values of a formula over one row, and what is wrong with its columns."""

    def __init__(self, row: Mapping[str, float]) -> None:
        self._row = row
        self.faults: dict[str, Fault] = {}

    def value_of(self, node: ast.expr) -> float:
        for column in _columns(node):
            if column not in self._row:
                self._fault(column, "nothing", "a number: the column is missing")
        value = 0.0 if self.faults else self._value(node)
        return int(value) if float(value).is_integer() else value

    def _value(self, node: ast.expr) -> float:
        if isinstance(node, ast.BinOp):
            right = self._value(node.right)
            if right == 0 and isinstance(node.op, ast.Mult):
                return 0
            return _OPERATIONS[type(node.op)](self._value(node.left), right)
        if isinstance(node, ast.Constant):
            number: float = ast.literal_eval(node)
            return number
        return self._column(ast.unparse(node))

    def _column(self, column: str) -> float:
        value: object = self._row[column]
        if type(value) is bool or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            self._fault(column, describe(value), "a number of at least 0")
            return 0
        return value

    def _fault(self, column: str, found: str, expected: str) -> None:
        path = f"${step(column)}"
        self.faults[path] = Fault(path, found, expected)


@cache
def _parse(formula: str) -> ast.expr:
    return ast.parse(formula, mode="eval").body


def _columns(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.BinOp):
        return tuple(dict.fromkeys((*_columns(node.left), *_columns(node.right))))
    return () if isinstance(node, ast.Constant) else (ast.unparse(node),)


def historical_mapping(name: MappingName) -> HistoricalMapping:
    """The mapping of an ACD. Raises ValueError where there is none of that name."""
    return _historical_mapping(name)


@cache  # not the public function: type checkers do not see what a cached one takes
def _historical_mapping(name: MappingName) -> HistoricalMapping:
    document = load("mapping", name, get_args(MappingName))
    rows: list[dict[str, Any]] = document.pop("fields")
    fields = tuple(MappedField(acd=document["acd"], **row) for row in rows)
    return HistoricalMapping(fields=fields, **document)


def mapping_table() -> tuple[MappedField, ...]:
    """Every field that is mapped, of all ACDs, each with its source and how sure it is."""
    return tuple(field for name in get_args(MappingName) for field in historical_mapping(name).fields)
