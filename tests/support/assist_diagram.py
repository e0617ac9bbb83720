"""Draw the state machines into docs/explanation/assist-protocol.md.

Run this file after a change of the tables.
"""

from pathlib import Path

from cxone_assist._states import ASSIST, PLATFORM, State

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "assist-protocol.md"
TABLES = {"assist": ASSIST, "platform": PLATFORM}


def draw(table):
    """Return a Mermaid diagram of the moves, and a list of what is a fault of the peer."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {next(iter(table)).name}"]
    faults = []
    for state, row in table.items():
        targets = {}
        for occurrence, outcome in row.items():
            if isinstance(outcome, State):
                targets.setdefault(outcome, []).append(occurrence.value)
            elif state is not State.CLOSED:  # the row is that of ENDING
                faults.append(f"| {state.name} | {occurrence.value} | `{outcome.name}` |")
        for target, occurrences in targets.items():
            if (state, target) != (State.CLOSED, State.CLOSED):
                lines.append(f"    {state.name} --> {target.name}: {', '.join(occurrences)}")
    lines += ["    CLOSED --> [*]", "```", "", "| in state | this from the peer is ignored | and told as |"]
    return "\n".join([*lines, "|---|---|---|", *faults])


def updated(text):
    """Return the document with its diagrams drawn anew."""
    for name, table in TABLES.items():
        start, end = f"<!-- {name}: drawn from the table -->\n", f"\n<!-- {name}: end -->"
        head, _, rest = text.partition(start)
        _, _, tail = rest.partition(end)
        text = head + start + draw(table) + end + tail
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(updated(DOCUMENT.read_text("utf-8")), "utf-8")
