"""Replay: extract intervals of the past once more, look at them, and send them."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from attrs import evolve, frozen

from ..errors import ConfigurationError
from ..intervals import Interval
from ..models.historical import HistoricalReport
from ._progress import Progress, differences, digest, load, save
from .aggregation import NoDataError
from .settings import ConnectorSettings
from .source import AcdSource, extract

__all__ = ["Replayed", "replay"]


@frozen(kw_only=True)
class Replayed:
    """What has become of one interval."""

    interval: Interval
    report: HistoricalReport | None = None
    """None: it was sent by an earlier run, or there is no data."""
    no_data: str | None = None
    """Why there is nothing to send. None: there is, or was."""
    sent: bool = False
    """Whether this run sent it."""


def replay(
    source: AcdSource,
    settings: ConnectorSettings,
    intervals: Iterable[Interval],
    *,
    send_report: Callable[[HistoricalReport], object] | None = None,
    progress: str | Path | None = None,
) -> Iterator[Replayed]:
    """Extract the intervals in their order, each by itself, and send their reports.

    Without `send_report` it is a dry run: nothing is sent, and nothing is written. With `progress`, a file
    of its own and not the connector's, intervals that an earlier run sent are not extracted again.

    An interval whose extract fails is told with `no_data`, and the next one follows. What `send_report`
    raises ends the replay; call it again with the same `progress` to go on. Raises `ConfigurationError`
    where that file is another's or damaged, or cannot be written.
    """
    wanted = sorted(set(intervals))
    if not wanted:
        return iter(())
    done = _Done(None if progress is None else Path(progress).absolute(), settings, wanted[0])
    if send_report is not None:
        done.save()  # before anything is sent that could not be noted
    return _replayed(source, settings, wanted, send_report, done)


class _Done:
    """The intervals that were sent, in a file where there is to be one."""

    def __init__(self, path: Path | None, settings: ConnectorSettings, first: Interval) -> None:
        self._path = path
        acd_type, acd_id = settings.acd_type, settings.acd_id
        known = None if path is None else load(path, "replay")
        self._progress = known or Progress(owner="replay", acd_type=acd_type, acd_id=acd_id, first=first)
        if path and (problems := differences(path, self._progress, acd_type=acd_type, acd_id=acd_id)):
            raise ConfigurationError(problems)

    def __contains__(self, interval: Interval) -> bool:
        return interval in self._progress.confirmed

    def add(self, report: HistoricalReport, interval: Interval) -> None:
        """Note that the report was sent."""
        confirmed = {**self._progress.confirmed, interval: digest(report)}
        self._progress = evolve(self._progress, confirmed=confirmed)
        self.save()

    def save(self) -> None:
        """Write the file, where there is to be one."""
        if self._path is None:
            return
        try:
            save(self._path, self._progress)
        except OSError as error:
            problem = f"the progress file {self._path} cannot be written: {error.strerror}"
            raise ConfigurationError([problem]) from error


def _replayed(
    source: AcdSource,
    settings: ConnectorSettings,
    wanted: list[Interval],
    send_report: Callable[[HistoricalReport], object] | None,
    done: _Done,
) -> Iterator[Replayed]:
    for interval in wanted:
        if interval in done:
            yield Replayed(interval=interval)
            continue
        aggregator = settings.aggregator()
        try:
            extract(source, interval, aggregator)
        except NoDataError as error:
            yield Replayed(interval=interval, no_data=error.reason)
            continue
        report = aggregator.report(interval)
        if send_report is not None:
            send_report(report)
            done.add(report, interval)
        yield Replayed(interval=interval, report=report, sent=send_report is not None)
