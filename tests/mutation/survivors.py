"""A mutant in one line, and the list of those that are known to survive."""

import re
from difflib import SequenceMatcher
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/explanation/mutants.md"

_SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|VALUES|PRAGMA)\b")
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")


def function_of(name: str) -> str:
    """`cxone_wfm._retry.xǁRetryQuotaǁtake__mutmut_3` is one of `_retry.RetryQuota.take`."""
    module, _, mangled = name.partition("__mutmut_")[0].rpartition(".")
    function = mangled.removeprefix("x").strip("ǁ").replace("ǁ", ".") if "ǁ" in mangled else mangled[2:]
    return f"{module.rpartition('.')[2]}.{function}"


def _sides(diff: str) -> tuple[str, str]:
    """What was there and what the mutant has, each in one line."""
    lines = [line for line in diff.splitlines() if line[:3] not in {"---", "+++"}]
    before, after = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return before, after


def is_the_same_sql(diff: str) -> bool:
    """Whether only the case of a statement's letters differs: the same statement to the database."""
    before, after = _sides(diff)
    return before.casefold() == after.casefold() and _SQL.search(before) is not None


def change_of(diff: str) -> str:
    """The changed lines of a diff as one, with what was there and what the mutant has: `a [< → <=] b`."""
    before, after = map(_TOKEN.findall, _sides(diff))
    spans: list[list[int]] = []
    for kind, *span in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        if spans and not any(token.isalnum() for token in before[spans[-1][1] : span[0]]):
            spans[-1] = [spans[-1][0], span[1], spans[-1][2], span[3]]  # no word between: one change
        else:
            spans.append(span)
    text, reached = "", 0
    for i, j, k, m in spans:
        text += "".join(before[reached:i]) + f"[{''.join(before[i:j])} → {''.join(after[k:m])}]"
        reached = j
    return " ".join((text + "".join(before[reached:])).split())


def in_words(name: str, diff: str) -> str:
    """The line that stands for a mutant in the list: where it is, and what it has in place of what."""
    return f"{function_of(name)}: {change_of(diff)}"


def known() -> set[str]:
    """The survivors that the page argues for."""
    blocks = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return {line for block in blocks for line in block.splitlines()}
