"""`cxone-wfm import`: an ACD's CSV exports, linted and sent as historical reports."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from ..client import WfmClient
from ..connector.csv_import import CsvMapping, CsvTable, ImportedReport, import_tables, read_table
from ..connector.linting import Finding, Media, Severity, lint
from ..errors import ConfigurationError, CXoneError, ValidationError
from ._findings import show_findings
from .output import UNREADABLE, Output

_SHOWN = 50
"""How many faults, and how many findings, are shown to people."""


def run_import(
    output: Output,
    pairs: Sequence[tuple[str, str]],
    *,
    send: bool,
    allow: Collection[str],
    media: Media | Mapping[str, Media] | None,
    now: datetime,
) -> int:
    """Read CSV files, each with its mapping, lint, show, and with `send` also send. Gives the exit code."""
    faults: list[str] = []
    tables = [
        table for csv_file, mapping in pairs if (table := _table(csv_file, mapping, faults)) is not None
    ]
    imported: list[ImportedReport] = []
    if not faults:
        try:
            imported = import_tables(tables)
        except ValidationError as error:
            faults += map(str, error.faults)
    if faults:
        output.document({"ok": False, "faults": faults})
        _list(output.failure, faults, "faults")
        return UNREADABLE
    findings = lint(*(each.report for each in imported), media=media, now=now)
    sent, failure = 0, _refusal(findings, allow)
    if send and failure is None:
        sent, failure = _send(imported)
    _show(output, imported, findings, sent=sent, failure=failure)
    if not send and failure is None:
        output.line("Nothing was sent. To send the reports, add --send.")
    return int(failure is not None)


def _table(csv_file: str, mapping_file: str, faults: list[str]) -> CsvTable | None:
    try:
        mapping = CsvMapping.from_json(Path(mapping_file).read_bytes())
        return read_table(Path(csv_file).read_bytes(), mapping, csv_file)
    except OSError as error:
        faults.append(f"{error.filename} cannot be read: {error.strerror}")
    except ConfigurationError as error:
        faults += [f"{mapping_file}: {problem}" for problem in error.problems]
    except ValidationError as error:
        faults += [f"{csv_file} {fault}" for fault in error.faults]
    return None


def _refusal(findings: Sequence[Finding], allow: Collection[str]) -> str | None:
    stopping = Counter(
        each.rule for each in findings if each.severity is Severity.ERROR and each.rule not in allow
    )
    if not stopping:
        return None
    rules = ", ".join(f"{count} of {rule}" for rule, count in stopping.items())
    options = " ".join(f"--allow {rule}" for rule in stopping)
    return (
        f"Nothing was sent, for the lint found errors: {rules}. Correct the export or the mapping;"
        f" where you are sure that the figures are right, add {options}."
    )


def _send(imported: Sequence[ImportedReport]) -> tuple[int, str | None]:
    """How many reports were sent, and why not all of them."""
    sent = 0
    try:
        with WfmClient.from_env() as wfm:
            for each in imported:
                wfm.reports.send_historical(each.report)
                sent += 1
    except CXoneError as error:
        left = imported[sent].report.start_date
        told = f"{sent} of {len(imported)} reports were sent; those from {_iso(left)} on were not."
        return sent, f"{error}\n{told}"
    return sent, None


def _show(
    output: Output,
    imported: Sequence[ImportedReport],
    findings: Sequence[Finding],
    *,
    sent: int,
    failure: str | None,
) -> None:
    places = [_place(imported, each) for each in findings]
    output.document(
        {
            "ok": failure is None,
            "error": failure,
            "reports": len(imported),
            "sent": sent,
            "findings": [
                {
                    "place": place,
                    "rule": each.rule,
                    "severity": each.severity.value,
                    "problem": each.problem,
                    "advice": each.advice,
                }
                for place, each in zip(places, findings, strict=True)
            ],
        }
    )
    if findings and output.console.is_terminal and not output.as_json:
        show_findings(output, zip(places, findings, strict=True), more="--json has them all")
    else:
        shown = [
            f"{place}: {each.severity.value} {each.rule}: {each.problem} {each.advice}"
            for place, each in zip(places, findings, strict=True)
        ]
        _list(output.line, shown, "findings")
    first, last = imported[0].report, imported[-1].report
    output.line(
        f"{len(imported)} reports from {_iso(first.start_date)} to {_iso(last.end_date)},"
        f" {len(findings) or 'no'} finding{'' if len(findings) == 1 else 's'}"
    )
    if failure is not None:
        output.failure(failure)
    elif sent:
        output.line(f"CXone confirmed all {sent} reports")


def _place(imported: Sequence[ImportedReport], finding: Finding) -> str:
    """Where it is in the files; of what is no single line's, the interval."""
    of = imported[finding.document]
    return of.place(finding.path) or f"the report from {_iso(of.report.start_date)}"


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"


def _list(show: Callable[[str], None], lines: Sequence[str], what: str) -> None:
    for line in lines[:_SHOWN]:
        show(line)
    if len(lines) > _SHOWN:
        show(f"... and {len(lines) - _SHOWN} more {what}; --json has them all")
