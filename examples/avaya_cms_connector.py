"""Avaya CMS: CSV extracts of hsplit and hagent to historical reports, linted before they leave.

Run it with `python examples/avaya_cms_connector.py FOLDER`, against CXone or `cxone-wfm simulate`. It makes
the extracts itself, of the last two complete intervals; have CMS write yours, and leave that line out. The
formulas, such as talk and hold without after-call work, are the preset's: see
docs/reference/connector-presets.md.
"""

import csv
import json
import sys
from datetime import datetime, timezone
from pathlib import Path

from cxone_wfm import Interval, WfmClient
from cxone_wfm.connector import Media, Severity, lint
from cxone_wfm.connector.csv_import import CsvMapping, import_tables, read_table

COMMON = {
    "acd_type": "Generic_acdName",
    "preset": "avaya_cms",
    "interval": {"columns": ["row_date", "starttime"], "format": "%Y-%m-%d %H%M", "zone": "UTC"},
}
MAPPINGS = {
    "hsplit.csv": {
        "rows": "queue_report",
        "columns": {"queue_value": "split"},
        "constants": {"is_outbound": False, "active": 0},  # CMS has no column for it
    },
    "hagent.csv": {
        "rows": "agent_queue_report",
        "columns": {"queue_value": "split", "agent_value": "logid"},
        "constants": {"is_outbound": False},
    },
    "hagent_time.csv": {"rows": "agent_system_performance_report", "columns": {"agent_value": "logid"}},
}


def make_extracts(folder: Path) -> None:
    """Two intervals of one split and one agent, as CMS would write them."""
    last = Interval.containing(datetime.now(timezone.utc)).previous()
    for interval in (last.previous(), last):
        when = {"row_date": f"{interval.start:%Y-%m-%d}", "starttime": f"{interval.start:%H%M}"}
        calls = {"acdcalls": 3, "acdtime": 420, "holdtime": 30, "acwtime": 45}
        split = {"callsoffered": 4, "acceptable": 2, "abncalls": 1, "slvlabns": 0, "anstime": 66}
        times = {"i_stafftime": 900, "i_availtime": 345, "ti_auxtime": 60}
        _append(folder / "hsplit.csv", {**when, "split": 12, **calls, **split})
        _append(folder / "hagent.csv", {**when, "split": 12, "logid": 4711, **calls})
        _append(folder / "hagent_time.csv", {**when, "logid": 4711, **times})


def _append(file: Path, row: dict[str, object]) -> None:
    is_new = not file.exists()
    with file.open("a", newline="") as lines:
        writer = csv.DictWriter(lines, row)
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def main() -> None:
    folder = Path(sys.argv[1])
    make_extracts(folder)
    tables = [
        read_table(
            (folder / name).read_bytes(), CsvMapping.from_json(json.dumps({**COMMON, **mapping})), name
        )
        for name, mapping in MAPPINGS.items()
    ]
    imported = import_tables(tables)
    findings = lint(*(each.report for each in imported), media=Media.IMMEDIATE_RESPONSE)
    for finding in findings:
        print(imported[finding.document].place(finding.path), finding.rule, finding.problem)
    if any(finding.severity is Severity.ERROR for finding in findings):
        sys.exit("nothing was sent: correct the extracts")
    with WfmClient.from_env() as wfm:
        for each in imported:
            wfm.reports.send_historical(each.report)
            print(f"CXone confirmed the report from {each.report.start_date:%H:%M} UTC")


if __name__ == "__main__":
    main()
