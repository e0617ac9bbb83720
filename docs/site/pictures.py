"""Make the pictures of docs/pictures anew: `python docs/site/pictures.py`, with both commands installed.

What a terminal shows is recorded from real runs, so times and ports differ from run to run; look at each
picture before you commit it. The day is what a simulator holds after it was pushed.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import interval_day
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

PICTURES = Path(__file__).parents[1] / "pictures"
COMMANDS = Path(sys.executable).parent
COLUMNS = 100
TERMINAL = os.environ | {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": "40"}
_WITHOUT_FONTS_OF_OTHER_HOSTS = re.sub(r"@font-face {{.*?}}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def start(command: str, *, shown: bool = True) -> "subprocess.Popen[str]":
    """Start one of our commands as if in a terminal of this size."""
    name, *words = command.split()
    output = subprocess.PIPE if shown else subprocess.DEVNULL
    return subprocess.Popen([COMMANDS / name, *words], stdout=output, text=True, env=TERMINAL)  # noqa: S603 - ours


def draw(name: str, command: str, said: str) -> None:
    """Write what a terminal showed below a command as an SVG."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, color_system="truecolor")
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        console.print(Text.from_ansi(said.rstrip()))
        svg = console.export_svg(title="", code_format=_WITHOUT_FONTS_OF_OTHER_HOSTS, unique_id=name)
    (PICTURES / f"{name}.svg").write_text(svg, "utf-8")


def whole_run(name: str, command: str) -> None:
    """Draw all that a command says."""
    draw(name, command, start(command).communicate()[0])


def live_table() -> None:
    """Draw three calls on an endpoint: one talks, one is on hold without sockets, one is and keeps them."""
    command = "cxone-assist serve --token T --port 0"
    with start(command) as server:
        assert server.stdout is not None  # noqa: S101 - it was asked for
        url = re.search(r"ws://[^;]+", server.stdout.readline())
        assert url is not None  # noqa: S101 - the first line has it
        play = f"cxone-assist call {url[0]} --token T --contact-id"
        calls = [
            start(f"{play} 506314056968", shown=False),
            start(f"{play} 506314056971 --hold 3:19", shown=False),
            start(f"{play} 506314056984 --hold 4:19 --silent-hold", shown=False),
        ]
        said = ""
        while not both_talk_while_others_wait(last_table(said)):
            said += server.stdout.readline()
        for process in (*calls, server):
            process.terminate()
        server.stdout.read()
    draw("assist-live", command, last_table(said))


def last_table(said: str) -> str:
    """The last table that was drawn to its end, or nothing."""
    tables: list[str] = re.findall(r"╭.*?╯", said, re.DOTALL)
    return tables[-1] if tables else ""


def both_talk_while_others_wait(table: str) -> bool:
    """Whether a table is worth a picture."""
    return "no socket for" in table and "silent for" in table and table.count(" dB") == 2  # noqa: PLR2004


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    os.chdir(tempfile.mkdtemp())
    whole_run("wfm-demo", "cxone-wfm demo")
    whole_run("assist-demo", "cxone-assist demo --directory .")
    live_table()
    (PICTURES / "interval-day.svg").write_text(interval_day.picture(), "utf-8")
