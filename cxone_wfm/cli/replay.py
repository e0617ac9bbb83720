"""`cxone-wfm replay`: intervals of the past, extracted once more, shown and sent."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..client import WfmClient
from ..connector._failures import told
from ..connector.replaying import Replayed, replay
from ..connector.settings import ConnectorSettings
from ..connector.source import AcdSource
from ..errors import ConfigurationError, CXoneError
from ..intervals import Interval
from ..models.historical import QueueReport
from .output import Output

_METHODS = ("agents", "contacts", "agent_time")


def read_interval_start(text: str, *, after: datetime | None = None) -> datetime:
    """The moment that the text names. Raises ValueError where it is not on the grid, or not after `after`."""
    from dateutil.parser import isoparse  # here, for it is slow to import  # noqa: PLC0415

    start = Interval(start=isoparse(text)).start
    if after is not None and start <= after:
        raise ValueError(f"{text} is not after the start, {after.isoformat()}")
    return start


def run_replay(
    output: Output,
    *,
    start: datetime,
    end: datetime,
    source: str,
    settings: str,
    send: bool,
    progress: str | None,
) -> int:
    """Replay the intervals and show what has become of each. Gives the exit code."""
    intervals: list[Interval] = []
    done: list[Replayed] = []
    failure = None
    with ExitStack() as open_things:
        try:
            if end > datetime.now(timezone.utc):
                raise ConfigurationError(["the last interval is not over yet: give an earlier --to"])
            intervals += Interval.between(start, end)
            acd, meant = _source(_object(source, "--source")), _settings(_object(settings, "--settings"))
            wfm = open_things.enter_context(WfmClient.from_env()) if send else None
            send_report = wfm.reports.send_historical if wfm else None
            steps = replay(acd, meant, intervals, send_report=send_report, progress=progress)
            for step in _with_bar(output, steps, len(intervals)):
                done.append(step)  # noqa: PERF402 - what was done before an error counts
        except CXoneError as error:
            failure = str(error)
        except KeyboardInterrupt:
            failure = "Stopped."
    _show(output, done, intervals, send=send, failure=failure)
    if failure is not None:
        output.failure(failure)
        if done and send:
            output.failure(f"{_sent(done)} of {len(intervals)} reports were sent. {_how_to_go_on(progress)}")
    return int(failure is not None or any(step.no_data is not None for step in done))


def _with_bar(output: Output, steps: Iterator[Replayed], total: int) -> Iterator[Replayed]:
    """The steps, with a bar that shows how far they are, on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    if output.as_json or not output.errors.is_terminal:
        yield from steps  # a bar that is disabled prints an empty line with older releases of rich
        return
    with Progress(*columns, console=output.errors, transient=True) as bar:
        yield from bar.track(steps, total=total, description="intervals")


def _object(name: str, option: str) -> object:
    """What stands at `module:object`. Raises `ConfigurationError` where nothing does."""
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise ConfigurationError([f"{option} is {name!r}; it must look like module:object"])
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return getattr(import_module(module_name), attribute)
    except Exception as error:  # whatever the module does when it is imported
        raise ConfigurationError([f"{option}: {name} cannot be had: {told(error)}"]) from error


def _source(found: object) -> AcdSource:
    if isinstance(found, type) or (callable(found) and not _is_source(found)):
        try:
            found = found()
        except Exception as error:
            raise ConfigurationError([f"--source: calling it failed: {told(error)}"]) from error
    if not _is_source(found):
        raise ConfigurationError([f"--source has no methods {', '.join(_METHODS)}: it must be an AcdSource"])
    source: AcdSource = found  # type: ignore[assignment]  # it has the methods; what they give is checked
    return source


def _is_source(found: object) -> bool:
    return all(callable(getattr(found, method, None)) for method in _METHODS)


def _settings(found: object) -> ConnectorSettings:
    if not isinstance(found, ConnectorSettings):
        raise ConfigurationError([f"--settings is a {type(found).__name__}, and not a ConnectorSettings"])
    return found


def _show(
    output: Output,
    done: Sequence[Replayed],
    intervals: Sequence[Interval],
    *,
    send: bool,
    failure: str | None,
) -> None:
    missing = [step for step in done if step.no_data is not None]
    output.document(
        {
            "ok": failure is None and not missing,
            "error": failure,
            "intervals": [
                {
                    "interval": str(step.interval),
                    **_figures(step),
                    "result": _result(step),
                    "no data": step.no_data,
                }
                for step in done
            ],
        }
    )
    if not done:
        return
    rows = [
        (
            f"{step.interval.start:%Y-%m-%dT%H:%MZ}",
            *(f"{'' if figure is None else figure:>{len(name)}}" for name, figure in _figures(step).items()),
            _result(step),
        )
        for step in done
    ]
    title = "The replay:" if send else "A dry run, nothing was sent:"
    output.table(title, ("interval", *_figures(done[0]), "result"), rows)
    for step in missing:
        output.line(f"{step.interval}: {step.no_data}")
    if missing:
        output.line(f"No data: {len(missing)} of {len(intervals)} intervals. Repeat the command for them.")
    if send:
        before = sum(_result(step) == "sent before" for step in done)
        told = f" {before} were sent before." if before else ""
        output.line(f"CXone confirmed {_sent(done)} of {len(intervals)} reports.{told}")
    else:
        output.line("To send them, add --send, and --progress FILE to be able to go on after a stop.")


def _result(step: Replayed) -> str:
    if step.no_data is not None:
        return "NO DATA"
    if step.report is None:
        return "sent before"
    return "sent" if step.sent else "not sent"


def _figures(step: Replayed) -> dict[str, int | None]:
    """What is in the report; None where there is no report to look at."""
    if step.report is None:
        return dict.fromkeys(("received", "handled", "queues", "agents"))
    data = step.report.report_data
    queues = data.queue_report or ()
    return {
        "received": sum(row.contacts_received or 0 for row in queues),
        "handled": sum(map(_handled, queues)),
        "queues": len(queues),
        "agents": len(data.agent_system_performance_report or ()),
    }


def _handled(row: QueueReport) -> int:
    parts = (row.handled_short, row.handled_long, row.right_party_contacts, row.wrong_party_contacts)
    return sum(part or 0 for part in parts)


def _sent(done: Sequence[Replayed]) -> int:
    return sum(step.sent for step in done)


def _how_to_go_on(progress: str | None) -> str:
    if progress is None:
        return "Give the intervals that are left with --from and --to."
    return "The same command goes on where it stopped."
