"""The fenced blocks of the documentation, and a reader who does what they say.

Programs that collect tests from Markdown (sybil, pytest-markdown-docs, pytest-examples) want a conftest.py
beside the pages, or know Python alone. A page here also has commands, what they print, and files.
"""

import configparser
import doctest
import inspect
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import typer
from attrs import evolve, field, frozen, mutable
from support.threads import PATIENCE, Background
from typer.testing import CliRunner

import cxone_assist.cli.app
import cxone_wfm.cli.app
from cxone_assist.simulator import parse_scenario
from cxone_wfm.connector.csv_import import CsvMapping
from cxone_wfm.models import AgentStateList

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
APPS: dict[str, typer.Typer] = {"cxone-wfm": cxone_wfm.cli.app.app, "cxone-assist": cxone_assist.cli.app.app}
STARTS = {name: f"from {name.replace('-', '_')}.cli import main; main()" for name in APPS}

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="([^"]+)"')
_VARIES = {
    r"[╭╮╰╯│─├┤┼┬┴]+": " ",  # tables have lines on a terminal alone
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z?": "TIME",
    r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b": "ID",
    r"127\.0\.0\.1:\d+": "127.0.0.1:PORT",
    r"\b\d{8}T\d{6}Z": "TIME",
    r"\b\d+(\.\d+)? ms\b": "SOME ms",
    r"\bin \d+\.\d+s\b": "in SOME s",
}
"""What differs from run to run, in what commands print."""


@frozen
class Block:
    """What stands between two fences."""

    page: Path
    line: int
    language: str
    file: str | None
    """The name in `title="..."`: the block is the content of that file."""
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@frozen
class Command:
    """A line of a console, and what the page prints below it."""

    text: str
    said: str


def blocks_of(page: Path) -> list[Block]:
    """All fenced blocks of the page, in their order."""
    text = page.read_text(encoding="utf-8")
    return [_block(page, text, found) for found in _FENCE.finditer(text)]


def _block(page: Path, text: str, found: re.Match[str]) -> Block:
    title = _TITLE.search(found["info"])
    indent = len(found["indent"])
    lines = [line[indent:] for line in found["text"].splitlines(keepends=True)]
    number = text.count("\n", 0, found.start()) + 2
    return Block(page, number, found["language"], title and title[1], "".join(lines))


def commands_of(block: Block) -> list[Command]:
    """The commands of a console: lines that begin with `$ `, or all lines where none does."""
    text = block.text.replace("\\\n", " ")
    if not re.search(r"^\$ ", text, re.MULTILINE):
        return [Command(line, "") for line in text.splitlines() if line.strip()]
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert not parts[0], f"{block.place}: something stands before the first command"
    return [Command(text, said) for text, _, said in (part.partition("\n") for part in parts[1:])]


def same(want: str, got: str) -> bool:
    """Whether a command has said what the page prints: `...` stands for anything."""
    want, got = (_steady(text) for text in (want, got))
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(want, got, flags)


def _steady(text: str) -> str:
    for pattern, word in _VARIES.items():
        text = re.sub(pattern, word, text)
    return " ".join(text.split()) + "\n"


@mutable
class Reader:
    """Does in an empty folder what a page says, from its first block to its last.

    Raises `AssertionError` where something else comes out than the page shows.
    """

    folder: Path
    names: dict[str, Any]
    """What the page's Python takes for granted, and what it has named so far."""
    replaced: dict[str, str]
    """Text of the page, such as a port, and what takes its place."""
    endless: tuple[str, ...] = ()
    """Beginnings of commands that run until Ctrl-C. They are left running until the page ends."""
    not_run: tuple[str, ...] = ()
    """Beginnings of commands that no test can run."""
    faster: Mapping[str, str] = field(factory=dict)
    """Beginnings of commands, and what options they are given besides."""
    until: Callable[[], object] = object
    """Whether an endless program has done its work, and may be ended."""
    fixture: Callable[[str], Any] = repr
    """Gives what the tests on the page ask for."""
    dialogue: dict[str, Any] = field(factory=dict)
    """The names of the page's dialogues. Its programs see them; what a program names, no dialogue sees."""
    code: int = 0
    """The exit code of the last command, as `echo $?` prints it."""
    _running: list["Running"] = field(factory=list)

    def follow(self, block: Block) -> None:
        """Do what the block says."""
        text = block.text
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        block = evolve(block, text=text)
        if block.file is not None:
            file = self.folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        if block.language == "console":
            self._console(block)
        elif block.language == "sh":
            self._say(["bash", "-euo", "pipefail", "-c", block.text])
        elif block.language == "python" and block.file is None:
            self._python(block)
        elif block.language == "json" and block.file is None:
            _record(block.text)
        else:
            PARSERS[block.language](block.text)
        assert self.code == 0, f"{block.place}: the last command ended with {self.code}"

    def close(self) -> None:
        """End what still runs, as Ctrl-C does."""
        if self._running:
            self._wait()
        for running in reversed(self._running):
            running.interrupt()

    # Python

    def _python(self, block: Block) -> None:
        if block.text.startswith(">>>"):
            self._dialogue(block)
            return
        self.names = self.dialogue | self.names
        before = set(self.names)
        program = compile("\n" * (block.line - 1) + block.text, str(block.page), "exec")
        if ".run(stop)" in block.text:
            Background(self._stop_when_done)
        exec(program, self.names)
        for name in [name for name in self.names if name.startswith("test_") and name not in before]:
            test = self.names[name]
            test(**{each: self.fixture(each) for each in inspect.signature(test).parameters})

    def _dialogue(self, block: Block) -> None:
        parser = doctest.DocTestParser()
        test = parser.get_doctest(block.text, self.dialogue, block.place, str(block.page), block.line - 1)
        told: list[str] = []
        runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
        runner.run(test, out=told.append, clear_globs=False)
        self.dialogue |= test.globs
        assert not runner.failures, "".join(told)

    def _stop_when_done(self) -> None:
        self._wait("stop")
        self.names["stop"].set()

    def _wait(self, *names: str) -> None:
        end = time.monotonic() + PATIENCE
        while not (set(names) <= set(self.names) and self.until()) and time.monotonic() < end:
            time.sleep(0.005)

    # Commands

    def _console(self, block: Block) -> None:
        if "^C\n" in block.text:  # typed into the terminal of the program that was started last
            before, after = block.text.split("^C\n")
            program = self._running.pop()
            program.wait_for(before)
            self._wait()
            self._compare(after, program.interrupt(), block.place)
            return
        for command in commands_of(block):
            *others, last = command.text.split(" && ")
            for part, said in [*((other, "") for other in others), (last, command.said)]:
                self._do(part, said, block.place)

    def _do(self, text: str, wanted: str, place: str) -> None:
        if text.startswith(self.not_run):
            return
        if text.startswith(self.endless):
            self._running.append(Running(self._arguments(text), wanted, place))
        elif text == "echo $?":
            said, self.code = f"{self.code}\n", 0
            self._compare(wanted, said, place)
        else:
            assert self.code == 0, f"{place}: the command before {text!r} ended with {self.code}"
            self._compare(wanted, self._run(text), f"{place}: {text}")

    def _compare(self, wanted: str, said: str, place: str) -> None:
        assert not wanted.strip() or same(wanted, said), f"{place}\n{said}"

    def _run(self, text: str) -> str:
        setting = re.fullmatch(r"export (\w+)=(.*)", text)
        if setting:
            os.environ[setting[1]] = shlex.split(setting[2])[0]
            return ""
        program, *arguments = shlex.split(text, comments=True)
        if program not in APPS:
            return self._say(["bash", "-c", f"python() {{ '{sys.executable}' \"$@\"; }}; {text}"])
        file = None
        if ">" in arguments:
            *arguments, _, file = arguments
        extra = next((more for start, more in self.faster.items() if text.startswith(start)), "")
        files = [name for each in arguments for name in self._expanded(each)]
        done = CliRunner().invoke(APPS[program], [*files, *extra.split()], prog_name=program)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        self.code = done.exit_code
        if file is None:
            return done.output
        (self.folder / file).write_text(done.stdout, encoding="utf-8")
        return done.stderr

    def _expanded(self, argument: str) -> list[str]:
        """The argument, or the files that it means, as a shell does it."""
        return sorted(map(str, Path().glob(argument))) if "*" in argument else [argument]

    def _say(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.code = done.returncode
        return done.stdout

    def _arguments(self, text: str) -> list[str]:
        program, *arguments = shlex.split(text, comments=True)
        return [sys.executable, *(["-c", STARTS[program]] if program in STARTS else ["-u"]), *arguments]


class Running:
    """A program that does not end. It has begun when it has said what the page prints, or a line."""

    def __init__(self, command: list[str], said: str, place: str) -> None:
        self._place = place
        self._said = ""
        self._seen = 0
        self._more = threading.Condition()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._listening = Background(self._listen)
        self.wait_for(said if said.strip() else "...\n")

    def wait_for(self, said: str) -> None:
        """Wait until it has said this since the last time."""
        with self._more:
            came = self._more.wait_for(lambda: self._has_said(said), PATIENCE)
            assert came, f"{self._place}: the program has said\n{self._said}"
            self._seen = len(self._said)

    def interrupt(self) -> str:
        """End it as Ctrl-C does. Returns what it still said."""
        try:
            self._process.send_signal(signal.SIGINT)
            assert self._process.wait(PATIENCE) == 0, f"{self._place}: it ended badly\n{self._said}"
        finally:
            self._process.kill()
            self._listening.outcome()
        return self._said[self._seen :]

    def _has_said(self, said: str) -> bool:
        new = self._said[self._seen :]
        return not said or (new.endswith("\n") and same(said, new))

    def _listen(self) -> None:
        with closing(self._process.stdout) as lines:  # type: ignore[type-var]
            for line in lines:
                with self._more:
                    self._said += line
                    self._more.notify_all()


def _ini(text: str) -> object:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.read_string(text)
    return parser


def _record(text: str) -> object:
    document = json.loads(text)
    (read,) = (read for key, read in RECORDS.items() if key in document)
    return read(text)


def _csv(text: str) -> object:
    widths = {len(line.split(",")) for line in text.splitlines()}
    assert len(widths) == 1
    return widths


def _shown(text: str) -> object:
    return text


def _python(text: str) -> object:
    return compile(text, "a file", "exec")


RECORDS: dict[str, Callable[[str], object]] = {
    "agentStateList": AgentStateList.from_json,
    "rows": CsvMapping.from_json,
    "steps": parse_scenario,
}
"""A key that only one kind of document has, and what reads that kind."""

PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "ini": _ini,
    "csv": _csv,
    "python": _python,
    "text": _shown,
    "mermaid": _shown,
    "sql": _shown,
    "dockerfile": _shown,
}
"""What is read, and not run. `text`, diagrams, SQL and container files are only looked at."""


def commands_in(pages: list[Path]) -> Iterator[str]:
    """Every command of the pages, each part of `a && b` for itself."""
    for page in pages:
        for block in blocks_of(page):
            if block.language == "console":
                for command in commands_of(block):
                    yield from command.text.split(" && ")
