"""``cxone-assist check``: does an endpoint do what CXone needs?"""

from __future__ import annotations

import ssl as ssl_module
from pathlib import Path

from attrs import asdict

from ..messages import WebSocketHookInitializeMessage
from ..simulator.check import CheckResult, Outcome, exit_code, junit
from ..simulator.check import check as run_check
from .output import Output

_OK = {Outcome.PASSED: True, Outcome.WARNING: None, Outcome.SKIPPED: None}


def check(
    output: Output,
    url: str,
    *,
    init: WebSocketHookInitializeMessage,
    ssl: ssl_module.SSLContext | None,
    silence: float,
    junit_file: Path | None,
) -> int:
    """Check the endpoint.

    Gives the exit code: 0, 1 where something failed, 4 where the XML cannot be written, 5 where nobody
    answered.
    """

    def show(result: CheckResult) -> None:
        output.step(result.name.replace("-", " "), result.found, ok=_OK.get(result.outcome, False))
        if result.outcome in (Outcome.FAILED, Outcome.WARNING):
            output.line(f"       {result.why}")

    results = run_check(url, init, silence=silence, ssl=ssl, on_result=show)
    passed = sum(result.outcome is Outcome.PASSED for result in results)
    code = exit_code(results)
    output.line(f"\n{passed} of {len(results)} passed" + ("" if code == 0 else "; the endpoint needs work"))
    output.document({"ok": code == 0, "cases": [asdict(result) for result in results]})
    if junit_file is not None:
        try:
            junit_file.write_text(junit(results), encoding="utf-8")
        except OSError as error:
            output.failure(str(error))
            return 4
    return code
