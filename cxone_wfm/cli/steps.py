"""A command that goes step by step, and shows and remembers how each went."""

import time
from collections.abc import Callable

from attrs import define, field

from ..errors import CXoneError
from .output import Output


@define
class Steps:
    """The steps so far. `ok` says whether all went well."""

    output: Output
    ok: bool = True
    results: list[dict[str, object]] = field(factory=list)

    def run(self, name: str, step: Callable[[], str]) -> bool:
        """Run the step, show what it says or how it failed, and tell whether it went well."""
        began = time.monotonic()
        try:
            result, ok = step(), True
        except CXoneError as error:
            result, ok = str(error), False
        seconds = time.monotonic() - began
        self.ok = self.ok and ok
        self.output.step(name, result, seconds, ok=ok)
        self.results.append({"step": name, "ok": ok, "milliseconds": round(seconds * 1000), "result": result})
        return ok
