"""Checks somebody's endpoint: plays CXone's part in many short scenes, and tells what to act on."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
import time
from collections.abc import Callable, Sequence
from enum import Enum
from xml.etree.ElementTree import Element, SubElement, tostring

from attrs import frozen
from websockets.exceptions import ConnectionClosed, WebSocketException

from .._wire import printable
from ..messages import WebSocketHookInitializeMessage
from ._cases import CASES, Case
from ._endpoint import CheckFailed, Endpoint

__all__ = ["CheckResult", "Outcome", "check", "exit_code", "junit"]


class Outcome(str, Enum):
    """How a case went."""

    PASSED = "passed"
    WARNING = "warning"
    """The vendor page does not ask for it, but it is wise."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It needs the right token to tell a wrong one from it."""
    UNREACHABLE = "unreachable"


@frozen(kw_only=True)
class CheckResult:
    """One case."""

    name: str
    outcome: Outcome
    found: str
    """What was found wrong, empty where nothing was."""
    why: str
    """What CXone does, and where that is known from."""
    seconds: float


def check(
    url: str,
    init: WebSocketHookInitializeMessage,
    *,
    silence: float = 1.0,
    ssl: ssl_module.SSLContext | None = None,
    on_result: Callable[[CheckResult], object] | None = None,
) -> Sequence[CheckResult]:
    """Run every case against an endpoint; the rest is left out where it cannot be reached.

    A checked endpoint takes the streams for real calls: use one that nobody relies on.

    Args:
        url: of the endpoint.
        init: the initialize message, with the right token where the endpoint wants one.
        silence: seconds that a stream is silent, as on hold, and must not be closed. A proxy that ends
            idle connections after a minute is found with 70.
        ssl: for ``wss``, in place of the default context.
        on_result: called with each result as it comes.
    """
    return asyncio.run(_check(Endpoint(url, init, silence, ssl), on_result))


async def _check(
    endpoint: Endpoint, on_result: Callable[[CheckResult], object] | None
) -> Sequence[CheckResult]:
    results: list[CheckResult] = []
    for case in CASES:
        result = await _run(case, endpoint)
        results.append(result)
        if on_result is not None:
            on_result(result)
        if result.outcome is Outcome.UNREACHABLE:
            break
    return results


async def _run(case: Case, endpoint: Endpoint) -> CheckResult:
    outcome, found = Outcome.PASSED, ""
    began = time.monotonic()
    if case.needs_token and not endpoint.init.authentication_token:
        outcome, found = Outcome.SKIPPED, "give the endpoint's token to have this checked"
    else:
        try:
            await case.scene(endpoint)
        except (CheckFailed, ConnectionClosed) as fault:
            outcome = Outcome.FAILED if case.required else Outcome.WARNING
            found = str(fault) if isinstance(fault, CheckFailed) else f"it closed the socket: {fault}"
        except (OSError, WebSocketException, asyncio.TimeoutError) as error:
            outcome, found = Outcome.UNREACHABLE, str(error) or type(error).__name__
    seconds = time.monotonic() - began
    return CheckResult(name=case.name, outcome=outcome, found=found, why=case.why, seconds=seconds)


def exit_code(results: Sequence[CheckResult]) -> int:
    """Return 0 where nothing failed (warnings may be), 1 where something did, 5 where nobody answered."""
    outcomes = {result.outcome for result in results}
    if Outcome.UNREACHABLE in outcomes:
        return 5
    return 1 if Outcome.FAILED in outcomes else 0


def junit(results: Sequence[CheckResult]) -> str:
    """Return the results as JUnit XML, the form that build servers read.

    What the endpoint sent may hold characters that XML does not know: they are escaped as in Python.
    """
    bad = (Outcome.FAILED, Outcome.UNREACHABLE)
    suite = Element(
        "testsuite",
        name="cxone-assist check",
        tests=str(len(results)),
        failures=str(sum(result.outcome in bad for result in results)),
        skipped=str(sum(result.outcome is Outcome.SKIPPED for result in results)),
    )
    for result in results:
        case = SubElement(
            suite, "testcase", classname="cxone-assist", name=result.name, time=f"{result.seconds:.3f}"
        )
        if result.outcome in bad:
            SubElement(case, "failure", message=printable(result.found)).text = result.why
        elif result.outcome is Outcome.SKIPPED:
            SubElement(case, "skipped", message=result.found)
        elif result.outcome is Outcome.WARNING:
            SubElement(case, "system-out").text = f"warning: {printable(result.found)}. {result.why}"
    return tostring(suite, encoding="unicode")
