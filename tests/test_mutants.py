"""What mutation testing rests on: parts that name what is there, and mutants that can be told apart."""

from pathlib import Path

import pytest
from mutation.parts import PARTS, Part
from mutation.survivors import change_of, function_of, is_the_same_sql, known

import cxone_wfm

ROOT = Path(__file__).parents[1]
PACKAGES = Path(cxone_wfm.__file__).parents[1]
"""Elsewhere than the tests, where an installed package is tested."""


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_part_names_modules_and_tests_that_are_there(part: Part) -> None:
    assert [name for name in part.modules if not (PACKAGES / name).is_file()] == []
    assert [name for name in part.tests if not (ROOT / name).is_file()] == []
    for test in part.leave_out:
        path, _, name = test.partition("::")
        assert path in part.tests
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_every_survivor_that_is_argued_for_is_of_a_module_of_some_part() -> None:
    modules = {Path(name).stem for part in PARTS for name in part.modules}
    assert known()
    assert {line.partition(".")[0] for line in known()} <= modules


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("return a < b", "return a <= b", "return a <[ → =] b"),
        ("f(a, b)", "f(a, None)", "f(a, [b → None])"),
        (
            'log("Two words, no more")',
            'log("TWO WORDS, NO MORE")',
            'log("[Two words, no more → TWO WORDS, NO MORE]")',
        ),
        ("x = a if b else c", "x = a if (b) and False else c", "x = a if [ → (]b[ → ) and False] else c"),
    ],
)
def test_a_mutant_is_told_in_one_line(before: str, after: str, told: str) -> None:
    assert (
        change_of(f"--- a.py\n+++ a.py\n@@ -1,3 +1,3 @@\n def f():\n-    {before}\n+    {after}\n     pass")
        == told
    )


def test_a_mutant_is_told_by_its_function() -> None:
    assert function_of("cxone_wfm._retry.xǁRetryQuotaǁtake__mutmut_3") == "_retry.RetryQuota.take"
    assert function_of("cxone_wfm._retry.x__seconds__mutmut_12") == "_retry._seconds"


def test_only_the_case_of_a_statement_is_no_change() -> None:
    assert is_the_same_sql('-  "SELECT a FROM b"\n+  "select a from b"')
    assert not is_the_same_sql('-  "SELECT a FROM b"\n+  "XXSELECT a FROM bXX"')
    assert not is_the_same_sql('-  "an agent"\n+  "AN AGENT"')
