"""``cxone-assist load``: how many streams does an endpoint take?"""

from __future__ import annotations

import ssl as ssl_module
from contextlib import ExitStack

from attrs import asdict

from ..messages import WebSocketHookInitializeMessage
from ..simulator.load import (
    LoadError,
    LoadReport,
    MeasuredEndpoint,
    OtherEndpoint,
    find_ceiling,
    measured_endpoint,
)
from .output import Output

__all__ = ["load"]

_BOTTLENECK = 0.01
"""Seconds that frames may leave late before the figures say more about this machine than the endpoint."""


def load(
    output: Output,
    url: str | None,
    *,
    init: WebSocketHookInitializeMessage,
    ssl: ssl_module.SSLContext | None,
    streams: int,
    seconds: float,
    ramp: int | None,
) -> int:
    """Load the endpoint, or without ``url`` one of our own.

    Gives the exit code: 0 where nothing was lost or late, or with ``ramp`` where that is so of the first
    run; 1 where something was; 5 where nobody answered.
    """
    reports: list[LoadReport] = []
    fault = ""
    with ExitStack() as stack:
        try:
            endpoint: OtherEndpoint | MeasuredEndpoint
            if url is None:
                endpoint = stack.enter_context(measured_endpoint())
            else:
                endpoint = OtherEndpoint(url, init, ssl)
            runs = find_ceiling(endpoint, start=streams, step=ramp or 0, seconds=seconds)
            for report in runs:
                reports.append(report)
                _show(output, report)
                if ramp is None:
                    break
        except (LoadError, OSError) as error:
            fault = str(error) or type(error).__name__
            output.failure(fault)
    clean = [report.streams for report in reports if report.clean]
    if ramp is not None:
        output.line(f"\nNothing lost and nothing late with up to {max(clean, default=0)} streams.")
    output.document(
        {
            "ceiling": max(clean, default=0),
            "fault": fault,
            "runs": [asdict(report) | {"clean": report.clean} for report in reports],
        }
    )
    if clean:
        return 0
    return 1 if reports else 5


def _show(output: Output, report: LoadReport) -> None:
    output.line(
        f"{report.streams} streams for {report.seconds:g} s: {report.sent:,} frames sent,"
        f" {report.blocked} not, {report.lost_streams} streams lost;"
        f" CONNECTED p50 {report.handshake_p50 * 1000:.2f} ms, p99 {report.handshake_p99 * 1000:.2f} ms;"
        f" this side {report.generator_cpu:.0%} of a core,"
        f" {report.worst_send_lateness * 1000:.1f} ms late at worst"
    )
    if report.worst_send_lateness > _BOTTLENECK:
        output.line("    this side was late itself: the figures say little about the endpoint")
    seen = report.endpoint
    if seen:
        output.line(
            f"    arrived {seen['frames']:,.0f}, late {seen['late']:.0f} of {seen['measured']:,.0f} measured;"
            f" delivery p50 {seen['p50'] * 1000:.2f} ms, p99 {seen['p99'] * 1000:.2f} ms,"
            f" worst {seen['worst'] * 1000:.1f} ms; endpoint {seen['cpu']:.0%} of a core,"
            f" {seen['megabytes']:.0f} MB"
        )
