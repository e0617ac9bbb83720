"""Records of CXone WFM: a text is the record or refused, and what a record writes reads back as the same.

The first byte chooses the record, "A" the first one; the rest is the text.
"""

import json

from cxone_wfm import ValidationError, _json, models
from cxone_wfm.models._record import Record, _to_object

RECORDS = [getattr(models, name) for name in models.__all__]


def fuzz_one(data: bytes) -> None:
    """Read a text as a record, write it with both writers, and read it again."""
    record = RECORDS[(data[0] - ord("A")) % len(RECORDS)] if data else RECORDS[0]
    try:
        read = record.from_json(data[1:])
    except ValidationError as error:
        assert error.faults, "a refusal names at least one fault"
        str(error).encode()
        return
    written = read.to_json()
    again = record.from_json(written)
    assert again == read, "the record reads back as another one"
    assert again.to_json() == written
    if isinstance(read, Record):  # the look-up's answer is kept as it came
        assert json.loads(_json.dump_plain(read, _to_object)) == json.loads(written), "the writers disagree"
