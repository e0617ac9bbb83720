"""How many values a statement takes, and in how many shapes."""

import pytest

from cxone_wfm.outbox._schema import listed


@pytest.mark.parametrize("count", [0, 1, 2, 3, 500, 512, 513, 1025])
def test_all_values_are_listed_in_few_shapes(count: int) -> None:
    found = list(listed(range(count)))
    assert {value for _, values in found for value in values} == set(range(count))
    for marks, values in found:
        assert marks == ",".join("?" * len(values))
        assert len(values) in {1, 2, 4, 8, 16, 32, 64, 128, 256, 512}
