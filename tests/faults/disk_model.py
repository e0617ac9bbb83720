"""A disk that forgets: what a power cut may leave of a folder, from the log of its system calls.

A write is safe when an fsync of the file that began after it has ended; a name when the same is
true of its folder. All else may be there, or not, or in part: a disk writes sectors of 512 bytes
whole, in any order. That is more than one file system in use does to us, on purpose.
"""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from attrs import define, field, frozen

SECTOR = 512
TRACED = (
    "openat,write,pwrite64,pwritev,writev,fsync,fdatasync,ftruncate,truncate,fallocate,"
    "unlink,unlinkat,rename,renameat,renameat2"
)
"""What strace is to log. Memory maps are not seen: SQLite uses one for -shm only, which it makes anew."""

_LINE = re.compile(r"(\d+) +(.*)")
_WHOLE = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
_UNFINISHED = " <unfinished ...>"


@frozen
class Call:
    """One system call that succeeded. `began` and `ended` are line numbers of the log."""

    name: str
    arguments: tuple[str, ...]
    result: int
    began: int
    ended: int


def read_calls(lines: Iterator[str]) -> Iterator[Call]:
    """The calls of a log of `strace -f -y -xx`, in the order in which they ended."""
    open_calls: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        match = _LINE.match(line)
        if match is None:
            continue
        process, text = match.groups()
        began = number
        if text.endswith(_UNFINISHED):
            open_calls[process] = number, text.removesuffix(_UNFINISHED)
            continue
        if resumed := _RESUMED.match(text):
            began, first = open_calls.pop(process)
            text = first + resumed[2]
        whole = _WHOLE.match(text)
        if whole and whole[3] != "?" and int(whole[3]) >= 0:
            yield Call(whole[1], tuple(whole[2].split(", ")), int(whole[3]), began, number)


def _data(text: str) -> bytes:
    assert not text.endswith("..."), "strace cut a string short"
    return bytes.fromhex(text.strip('"').replace("\\x", ""))


def _path(text: str) -> str:
    """The path in `4<...>` or in quotes; empty where the file has no name any more."""
    if text.endswith("(deleted)"):
        return ""
    if "<" in text:
        return _data(text[text.index("<") + 1 : text.rindex(">")]).decode()
    return _data(text).decode()


@frozen
class Change:
    """What is not safe yet. `offset` and `data` of a write, or only `size` of a truncation."""

    at: int
    data: bytes = field(default=b"", repr=False)
    offset: int = 0
    size: int | None = None

    @property
    def takes_away(self) -> bool:
        """It deletes something."""
        return self.size is not None

    def apply(self, content: bytearray, keep: Callable[[], bool] | None = None) -> None:
        """Do it to the content; with `keep`, sector by sector as that says."""
        if self.size is not None:
            del content[self.size :]
            content.extend(bytes(self.size - len(content)))
            return
        start, end = self.offset, self.offset + len(self.data)
        while start < end:
            stop = end if keep is None else min(end, start - start % SECTOR + SECTOR)
            if keep is None or keep():
                content.extend(bytes(max(0, start - len(content))))
                content[start:stop] = self.data[start - self.offset : stop - self.offset]
            start = stop


@define(eq=False)
class File:
    """The content that is safe, and what came after it."""

    safe: bytearray = field(factory=bytearray)
    pending: list[Change] = field(factory=list)

    def sync(self, began: int) -> None:
        """An fsync that began at that line has ended."""
        for change in self.pending:
            if change.at < began:
                change.apply(self.safe)
        self.pending = [change for change in self.pending if change.at >= began]


@frozen(eq=False)
class Naming:
    """A change of a folder: `name` now means `file`, or nothing; `gone` is what a rename takes away."""

    at: int
    name: str
    file: File | None
    gone: str | None = None

    @property
    def takes_away(self) -> bool:
        """It deletes something."""
        return self.file is None

    def apply(self, names: dict[str, File]) -> None:
        """Do it to the names."""
        if self.gone is not None:
            names.pop(self.gone, None)
        if self.file is None:
            names.pop(self.name, None)
        else:
            names[self.name] = self.file


Image = dict[str, bytes]
KINDS = ("nothing", "all", "nameless", "empty", "resurrected", "prefix", "torn")
"""Nothing unsynced; all; all but names; names without content; all but what was deleted; two random ones."""


@define
class Disk:
    """One folder, as the running system sees it and as a power cut would leave it. `ignored`: suffixes."""

    root: str
    ignored: tuple[str, ...] = ("-shm",)
    live: dict[str, File] = field(factory=dict)
    safe: dict[str, File] = field(factory=dict)
    namings: list[Naming] = field(factory=list)
    _positions: dict[str, int] = field(factory=dict)

    def play(self, call: Call) -> bool:
        """Follow one call. True where it changed what a power cut would leave."""
        given, changed = call.arguments, False
        match call.name:
            case "openat":
                changed = self._open(call)
            case "pwrite64":
                changed = self._write(call, int(given[3]))
            case "write":
                path = self._name(given[0]) or ""
                changed = self._write(call, self._positions.get(path, 0))
                self._positions[path] = self._positions.get(path, 0) + call.result
            case "ftruncate" | "truncate":
                changed = self._change(call, Change(call.ended, size=int(given[1])))
            case "fsync" | "fdatasync":
                changed = self._sync(call)
            case "unlink" | "unlinkat":
                changed = self._rename(call, given[call.name == "unlinkat"], None)
            case "rename":
                changed = self._rename(call, given[1], given[0])
            case "renameat" | "renameat2":
                changed = self._rename(call, given[3], given[1])
            case _ if self._name(given[0]) is not None:
                raise NotImplementedError(f"{call.name} on a file of the store is not modelled")
        return changed

    def image(self, kind: str, chance: random.Random) -> Image:
        """The folder after a power cut now."""
        survives = self._survival(kind, chance)
        names = dict(self.safe)
        for naming in self.namings:
            if survives(naming):
                naming.apply(names)
        image = {}
        for name, file in names.items():
            content = bytearray(file.safe)
            for change in file.pending:
                if kind == "torn" and change.size is None:
                    change.apply(content, lambda: chance.random() < 0.5)
                elif survives(change):
                    change.apply(content)
            image[name] = bytes(content)
        return image

    def _survival(self, kind: str, chance: random.Random) -> "Callable[[Change | Naming], bool]":
        """What of the unsafe a power cut leaves, in an image of that kind."""
        moments = [change.at for file in self._files() for change in file.pending]
        cut = chance.choice([0, *moments, *(naming.at for naming in self.namings)])
        return {
            "nothing": lambda _: False,
            "all": lambda _: True,
            "nameless": lambda each: isinstance(each, Change),
            "empty": lambda each: isinstance(each, Naming),
            "resurrected": lambda each: not each.takes_away,
            "prefix": lambda each: each.at <= cut,
            "torn": lambda _: chance.random() < 0.5,
        }[kind]

    def _files(self) -> list[File]:
        return list({id(file): file for file in [*self.live.values(), *self.safe.values()]}.values())

    def _name(self, text: str) -> str | None:
        path = PurePosixPath(_path(text))
        if not path.is_relative_to(self.root) or path.name.endswith(self.ignored):
            return None
        return str(path.relative_to(self.root))

    def _open(self, call: Call) -> bool:
        name, flags = self._name(call.arguments[1]), call.arguments[2]
        if name is None or name == ".":
            return False
        changed = False
        if "O_CREAT" in flags and name not in self.live:
            file = self.live[name] = File()
            self.namings.append(Naming(call.ended, name, file))
            changed = True
        elif "O_TRUNC" in flags:
            self.live[name].pending.append(Change(call.ended, size=0))
            changed = True
        if name in self.live and "O_APPEND" not in flags:
            self._positions[name] = 0
        return changed

    def _write(self, call: Call, offset: int) -> bool:
        if self._name(call.arguments[0]) is None:
            return False
        data = _data(call.arguments[1])[: call.result]
        return self._change(call, Change(call.ended, data=data, offset=offset))

    def _change(self, call: Call, change: Change) -> bool:
        name = self._name(call.arguments[0])
        if name is None or name not in self.live:
            return False
        self.live[name].pending.append(change)
        return True

    def _sync(self, call: Call) -> bool:
        name = self._name(call.arguments[0])
        if name is None:
            return False
        if name != ".":
            self.live[name].sync(call.began)
            return True
        for naming in self.namings:
            if naming.at < call.began:
                naming.apply(self.safe)
        self.namings = [naming for naming in self.namings if naming.at >= call.began]
        return True

    def _rename(self, call: Call, new: str, old: str | None) -> bool:
        name, gone = self._name(new), None if old is None else self._name(old)
        if name is None:
            return False
        file = None if gone is None else self.live[gone]
        naming = Naming(call.ended, name, file, gone)
        naming.apply(self.live)
        self.namings.append(naming)
        return True
