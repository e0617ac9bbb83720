"""Draw what the code says of itself: `python docs/site/diagrams.py`, with Graphviz's `dot` installed.

Which room imports which, read from the import statements; and the states of a stream, read from the tables
that move it. Each picture holds the text that it was drawn from, so a test can tell that it is still so
without drawing it.
"""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from html import escape
from importlib.util import resolve_name
from pathlib import Path

import cxone_assist
import cxone_wfm
from cxone_assist._states import ASSIST, PLATFORM, Input, State, Table
from cxone_assist.errors import Fault

PICTURES = Path(__file__).parents[1] / "pictures"
_SOURCE = re.compile(r"<metadata>(.*?)</metadata>", re.DOTALL)
_NODE = 'shape=box style="rounded,filled" fillcolor="#e8f3f1" color="#2a9d8f"'
_STYLE = (
    f'bgcolor="white"; pad=0.2; node [fontname="sans-serif" fontsize=12 {_NODE}];'
    ' edge [fontname="sans-serif" fontsize=10 color="#777777" arrowsize=0.6];'
)


def rooms(package: str, folder: Path) -> str:
    """Which module or subpackage of a package imports which, without what follows from the rest."""
    graph: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[0] != "__init__":
            graph.setdefault(parts[0], set()).update(_imported(path, package, parts))
    graph = {room: (others & set(graph)) - {room} for room, others in graph.items()}
    arrows = [
        f'"{room}" -> "{other}"'
        for room in sorted(graph)
        for other in sorted(graph[room])
        if not any(other in _below(graph, between) for between in graph[room] - {other})
    ]
    folders = [
        f'"{room}" [fillcolor="#fdf0e6" color="#e76f51"]'
        for room in sorted(graph)
        if (folder / room).is_dir()
    ]
    return _digraph(package, "ranksep=0.35; nodesep=0.2", [*folders, *arrows])


def _imported(path: Path, package: str, parts: tuple[str, ...]) -> Iterator[str]:
    """The rooms that a module names in its imports; those for type checkers alone are none."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    own = [package, *parts] if path.name == "__init__.py" else [package, *parts[:-1], ""]
    here = ".".join(own[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            source = resolve_name("." * node.level + (node.module or ""), here).split(".")
            yield from [source[1]] if len(source) > 1 else [alias.name for alias in node.names]


def _below(graph: dict[str, set[str]], room: str) -> set[str]:
    found: set[str] = set()
    todo = [room]
    while todo:
        new = graph[todo.pop()] - found
        found |= new
        todo += new
    return found


def states(title: str, table: Table) -> str:
    """The moves between the states of a stream, and what makes each of them; once what all states share."""
    living = {state: row for state, row in table.items() if state is not State.CLOSED}
    shared = set.intersection(*({*row.items()} for row in living.values()))
    lines = [f'start [shape=point width=0.12 color="#333333"]; start -> {next(iter(table)).name}']
    for state, row in living.items():
        lines += _moves(
            state.name, {each: outcome for each, outcome in row.items() if (each, outcome) not in shared}
        )
    any_state = '"any state" [style="rounded,dashed" color="#777777"]'
    return _digraph(
        title, "ranksep=0.4; nodesep=0.5", [*lines, any_state, *_moves('"any state"', dict(shared))]
    )


def faults(table: Table) -> str:
    """What of the peer is ignored in each state, and told as a fault."""
    lines = ["| in state | this from the peer is ignored | and told as |", "|---|---|---|"]
    for state, row in table.items():
        for occurrence, outcome in row.items():
            if isinstance(outcome, Fault) and state is not State.CLOSED:  # its row is that of ENDING
                lines.append(f"| {state.name} | {occurrence.value} | `{outcome.name}` |")
    return "\n".join(lines)


def _moves(state: str, row: Mapping[Input, State | Fault]) -> Iterator[str]:
    moves: dict[State, list[str]] = {}
    for occurrence, outcome in row.items():
        if isinstance(outcome, State):
            moves.setdefault(outcome, []).append(occurrence.value)
    for target, occurrences in moves.items():
        label = "\\l".join(f" {each} " for each in occurrences)
        yield f'{state} -> {target.name} [label="{label}\\l"]'


def _digraph(title: str, layout: str, lines: list[str]) -> str:
    return "\n".join([f'digraph "{title}" {{', f"{layout}; {_STYLE}", *lines, "}"])


DIAGRAMS: dict[str, Callable[[], str]] = {
    f"rooms-{package.__name__}": partial(rooms, package.__name__, Path(str(package.__file__)).parent)
    for package in (cxone_wfm, cxone_assist)
}
DIAGRAMS["states-assist"] = partial(states, "AssistConnection", ASSIST)
DIAGRAMS["states-platform"] = partial(states, "PlatformConnection", PLATFORM)


def drawn_from(svg: str) -> str:
    """The text that a picture was drawn from, as it stands in the picture."""
    found = _SOURCE.search(svg)
    return found[1] if found else ""


def draw(source: str) -> str:
    """The SVG of a text in Graphviz's language, with that text in it."""
    dot = ["dot", "-Tsvg"]
    drawing = subprocess.run(dot, input=source, capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours
    drawing = re.sub(r"<!--.*?-->\n?", "", drawing, flags=re.DOTALL)
    head, _, rest = drawing.partition("\n<g ")
    return f"{head}\n<metadata>{escape(source)}</metadata>\n<g {rest}"


if __name__ == "__main__":
    for name, make in DIAGRAMS.items():
        (PICTURES / f"{name}.svg").write_text(draw(make()), "utf-8")
