"""A CSV export and its mapping: reports that read back as they are, or every fault in words.

The first line is the mapping, the rest the export.
"""

from cxone_wfm import ConfigurationError, ValidationError
from cxone_wfm.connector.csv_import import CsvMapping, import_tables, read_table
from cxone_wfm.models import HistoricalReport


def fuzz_one(data: bytes) -> None:
    """Import one export by its mapping."""
    mapping_text, _, content = data.partition(b"\n")
    try:
        mapping = CsvMapping.from_json(mapping_text)
    except ConfigurationError as error:
        assert error.problems
        return
    try:
        imported = import_tables([read_table(content, mapping, "export.csv")])
    except ValidationError as error:
        assert error.faults
        return
    assert imported, "a table without a line is refused"
    for each in imported:
        assert HistoricalReport.from_json(each.report.to_json()) == each.report
        assert each.place("$.reportData") is None
