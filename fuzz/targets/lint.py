"""`cxone-wfm lint`: any file is judged or refused, and each finding has a place in it."""

from datetime import datetime, timezone

from cxone_wfm import ValidationError
from cxone_wfm.cli._positions import positions
from cxone_wfm.cli.lint import _guess, _is_list_of_states
from cxone_wfm.cli.send import Kind, read
from cxone_wfm.connector.linting import lint

NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)


def fuzz_one(data: bytes) -> None:
    """Judge a file as the command does."""
    try:
        kind = _guess(data)
        document = read(kind, data)
    except ValidationError as error:
        assert error.faults
        return
    text = data.decode("utf-8-sig")
    findings = lint(document, now=NOW)
    state_a_line = kind is Kind.states and not _is_list_of_states(text)
    places = positions(text, {each.path for each in findings}, state_a_line=state_a_line)
    for each in findings:
        assert each.problem
        assert each.advice
        assert 1 <= places[each.path].line <= text.count("\n") + 1
