"""The page of the commands, from the signatures that typer reads: names, help, defaults, values."""

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from typing import get_args, get_origin

import typer
from typer.models import ArgumentInfo, OptionInfo, ParameterInfo


def page(name: str, app: typer.Typer) -> str:
    """All commands of an application, those of its groups too, each with a table of what it takes."""
    parts = []
    for command in app.registered_commands:
        function = command.callback
        assert function is not None  # noqa: S101 - each of ours is a decorated function
        called = f"{name} {command.name or function.__name__.replace('_', '-')}"
        parts.append(
            f"### {called}\n\n{_usage(called, function)}\n\n{inspect.cleandoc(function.__doc__ or '')}"
        )
        if rows := list(_rows(function)):
            parts.append(
                "\n".join(["| argument or option | value | default | |", "|---|---|---|---|", *rows])
            )
    for group in app.registered_groups:
        inner = group.typer_instance
        assert inner is not None  # noqa: S101 - typer sets it
        parts.append(f"### {name} {group.name}\n\n{inner.info.help}")
        parts.append(page(f"{name} {group.name}", inner))
    return "\n\n".join(parts)


class _Parameter:
    """What a command takes: one parameter of its function."""

    def __init__(self, parameter: inspect.Parameter) -> None:
        hint, *notes = get_args(parameter.annotation)
        (info,) = (note for note in notes if isinstance(note, ParameterInfo))
        self.info: ParameterInfo = info
        self.default = parameter.default
        self.is_option = isinstance(info, OptionInfo)
        self.needed = parameter.default is inspect.Parameter.empty
        arms = [arm for arm in get_args(hint) if arm is not type(None)] or [hint]
        self.several = get_origin(arms[0]) is list or get_origin(hint) is list
        self.type = get_args(arms[0])[0] if get_origin(arms[0]) is list else arms[0]
        self.name = parameter.name.replace("_", "-")

    @property
    def shown(self) -> str:
        """`--port` or `FILE`."""
        if not self.is_option:
            return self.info.metavar or self.name.upper()
        # In an Annotated hint typer keeps the first name where the default would be.
        decls = [
            decl for decl in (self.info.default, *(self.info.param_decls or ())) if isinstance(decl, str)
        ]
        negation = "" if decls or self.type is not bool else f" / --no-{self.name}"
        return (", ".join(decls) or f"--{self.name}") + negation

    @property
    def value(self) -> str:
        """`TEXT`, `0 to 65535`, or the words to choose from."""
        if self.type is bool:
            return ""
        if isinstance(self.type, type) and issubclass(self.type, Enum):
            return ", ".join(f"`{member.value}`" for member in self.type)
        low, high = getattr(self.info, "min", None), getattr(self.info, "max", None)
        if low is not None or high is not None:
            return f"{low:g} to {high:g}" if high is not None else f"at least {low:g}"
        plain = {int: "a whole number", float: "a number", str: "text"}.get(self.type, "a path")
        return f"`{self.info.metavar}`" if self.info.metavar and self.is_option else plain

    @property
    def default_shown(self) -> str:
        """`8080`, or nothing where nothing is taken."""
        if self.needed:
            return "needed"
        value = self.default.value if isinstance(self.default, Enum) else self.default
        if value is None or value is False or value == "":
            return ""
        return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _parameters(function: Callable[..., object]) -> Iterator[_Parameter]:
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        made = _Parameter(parameter)
        if not made.info.hidden:
            yield made


def _usage(called: str, function: Callable[..., object]) -> str:
    parameters = list(_parameters(function))
    words = [called, *(["[OPTIONS]"] if any(p.is_option for p in parameters) else [])]
    for p in parameters:
        if isinstance(p.info, ArgumentInfo):
            word = p.shown + ("..." if p.several else "")
            words.append(word if p.needed else f"[{word}]")
    return f"```text\n{' '.join(words)}\n```"


def _rows(function: Callable[..., object]) -> Iterator[str]:
    for p in _parameters(function):
        several = ", may be given again" if p.several and p.is_option else ""
        text = inspect.cleandoc(p.info.help or "")
        if p.info.envvar:
            text += f" Or the environment's `{p.info.envvar}`."
        cells = (f"`{p.shown}`", p.value + several, p.default_shown, text)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
