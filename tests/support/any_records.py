"""Hypothesis strategies for valid records whose rows meet: few ids and moments, figures small and extreme."""

from datetime import datetime, timedelta, timezone
from functools import cache
from typing import get_args

from hypothesis import strategies as st

from cxone_wfm import _kinds
from cxone_wfm._wire import wire_fields

_TEN = datetime(2024, 4, 17, 10, tzinfo=timezone.utc)
_MOMENTS = st.integers(-40, 40).map(lambda step: _TEN + step * timedelta(seconds=450)) | st.datetimes(
    min_value=datetime(1, 1, 1),  # noqa: DTZ001 - the zone is beside it
    max_value=datetime(9999, 12, 31),  # noqa: DTZ001 - naive on purpose
    timezones=st.just(timezone.utc),
)
_IDS = st.sampled_from(["8057", "8056", " 1", "\x1b[31m"]) | st.text(
    st.characters(max_codepoint=127), min_size=1, max_size=100
)
_NAMES = st.sampled_from(["20", "30", "x "]) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256
)
_NOTES = st.sampled_from(["", "1", "99"]) | st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
_FIGURES = st.sampled_from([0, 1, 2, 10, 60, 300, 900])
_BY_KIND = {
    get_args(kind)[1]: strategy
    for kind, strategy in [
        (_kinds.QueueKey, _IDS),
        (_kinds.AgentKey, _IDS),
        (_kinds.Name, _NAMES),
        (_kinds.Note, _NOTES),
        (_kinds.Flag, st.booleans()),
        (_kinds.Count, _FIGURES | st.integers(0, _kinds.MAX_COUNT)),
        (_kinds.Milliseconds, _FIGURES | st.integers(0, _kinds.MAX_EXACT)),
        (_kinds.Seconds, _FIGURES | st.floats(0, _kinds.MAX_EXACT) | st.integers(0, _kinds.MAX_EXACT)),
        (_kinds.Percent, st.floats(0, 100)),
        (_kinds.Instant, _MOMENTS),
    ]
}


@cache
def records(record):
    """Any valid instance of a record that users write."""
    fields = {}
    for field in wire_fields(record):
        if field.kind is not None:
            values = _BY_KIND[field.kind]
        elif field.record is not None:
            values = records(field.record)
        else:
            values = st.lists(records(field.rows), max_size=4)
        fields[field.name] = st.none() | values if field.optional else values
    if record.earlier_later is None:
        return st.builds(record, **fields)
    earlier, later = record.earlier_later
    before_the_last = _MOMENTS.filter(lambda moment: moment.year < 9999)
    fields[earlier] = before_the_last
    fields[later] = st.sampled_from([timedelta(minutes=15), timedelta(milliseconds=1), timedelta(days=300)])
    return st.fixed_dictionaries(fields).map(
        lambda made: record(**{**made, later: made[earlier] + made[later]})
    )
