"""``cxone-assist load``: how many streams does an endpoint take?"""

from __future__ import annotations

from attrs import asdict

from ..messages import WebSocketHookInitializeMessage
from ..simulator.load import LoadError, LoadReport, find_ceiling, measured_endpoint
from ..simulator.load import load as put_load
from .output import Output

__all__ = ["load"]


def load(
    output: Output,
    url: str | None,
    *,
    init: WebSocketHookInitializeMessage,
    streams: int,
    seconds: float,
    ramp: int | None,
) -> int:
    """Load the endpoint, or without ``url`` one of our own.

    Gives the exit code: 0 where nothing was lost or late, 5 where nobody answered.
    """
    reports: list[LoadReport] = []

    def show(report: LoadReport) -> None:
        reports.append(report)
        _show(output, report)

    try:
        if url is not None:
            show(put_load(url, streams=streams, seconds=seconds, init=init))
        else:
            with measured_endpoint() as endpoint:
                if ramp is None:
                    show(endpoint.load(streams=streams, seconds=seconds))
                else:
                    for report in find_ceiling(endpoint, start=streams, step=ramp, seconds=seconds):
                        show(report)
    except (LoadError, OSError) as error:
        output.failure(str(error))
        return 5
    clean = [report.streams for report in reports if report.clean]
    if ramp is not None:
        output.line(f"\nNothing lost and nothing late with up to {max(clean, default=0)} streams.")
    output.document({"ceiling": max(clean, default=0), "runs": [asdict(report) for report in reports]})
    return 0 if clean else 1


def _show(output: Output, report: LoadReport) -> None:
    output.line(
        f"{report.streams} streams for {report.seconds:g} s: {report.sent:,} frames sent,"
        f" {report.blocked} not, {report.lost_streams} streams lost;"
        f" CONNECTED p50 {report.handshake_p50 * 1000:.2f} ms, p99 {report.handshake_p99 * 1000:.2f} ms;"
        f" this side {report.generator_cpu:.0%} of a core,"
        f" {report.worst_send_lateness * 1000:.1f} ms late at worst"
    )
    seen = report.endpoint
    if seen:
        output.line(
            f"    arrived {seen['frames']:,.0f}, late {seen['late']:.0f} of {seen['measured']:,.0f} measured;"
            f" delivery p50 {seen['p50'] * 1000:.2f} ms, p99 {seen['p99'] * 1000:.2f} ms,"
            f" worst {seen['worst'] * 1000:.1f} ms; endpoint {seen['cpu']:.0%} of a core,"
            f" {seen['megabytes']:.0f} MB"
        )
