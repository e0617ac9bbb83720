"""Where in a JSON text the values are that a path names: `$.reportData[3].agentValue` -> line and column."""

import json
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator

from attrs import define, frozen

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_LAST_STEP = re.compile(r"(?:\.\w+|\[\d+\])\Z")


@frozen(order=True)
class Position:
    """A place in a text: both count from 1, columns in characters."""

    line: int
    column: int


@define
class _Holder:
    """An object or a list that is being read, and the key or the number of the value to come."""

    path: str
    index: int | None
    key: str | None = None

    def next_path(self) -> str:
        return f"{self.path}.{self.key}" if self.index is None else f"{self.path}[{self.index}]"


def positions(text: str, paths: Collection[str], *, state_a_line: bool = False) -> dict[str, Position]:
    """Where each path's value begins; where it is missing, where that begins which should hold it.

    The text is JSON that was read without fault. With `state_a_line` it holds agent states one after the
    other, and the paths name them as they would stand in the page's list.
    """
    wanted = {each for path in paths for each in _outwards(path)}
    offsets = {path: at for path, at in _values(text, state_a_line=state_a_line) if path in wanted}
    line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
    found = {}
    for path in paths:
        offset = next((offsets[each] for each in _outwards(path) if each in offsets), 0)
        line = bisect_right(line_starts, offset)
        found[path] = Position(line, offset - line_starts[line - 1] + 1)
    return found


def _outwards(path: str) -> Iterator[str]:
    """The path, that of what holds it, and so on to the whole document."""
    yield path
    while (outer := _LAST_STEP.sub("", path)) != path:
        yield (path := outer)


def _values(text: str, *, state_a_line: bool) -> Iterator[tuple[str, int]]:
    """The path of every value, with its offset."""
    holders: list[_Holder] = []
    documents = 0
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in {"}", "]"}:
            holders.pop()
            documents += not holders
        elif word == ",":
            holder = holders[-1]
            holder.key = None
            holder.index = None if holder.index is None else holder.index + 1
        elif holders and holders[-1].index is None and holders[-1].key is None:
            holders[-1].key = json.loads(word)
        elif word != ":":
            outermost = f"$.agentStateList[{documents}]" if state_a_line else "$"
            path = holders[-1].next_path() if holders else outermost
            yield path, token.start()
            if word in {"{", "["}:
                holders.append(_Holder(path, index=0 if word == "[" else None))
