"""One of the runner's jobs: extract each interval when it is time, and send its report and corrections."""

import logging
from datetime import datetime

from attrs import define

from ..errors import PayloadRejectedError
from ..intervals import INTERVAL_LENGTH, Interval
from ..models.historical import HistoricalReport
from ._failures import asked_wait, told
from ._progress import Progress, digest
from ._schedule import Backoff, Looks
from .aggregation import NoDataError
from .health import Troubles
from .sender import Sender
from .settings import ConnectorSettings
from .source import AcdSource, extract

_log = logging.getLogger(__name__)
_NEVER_FAILED = Backoff()


@define
class _Unsent:
    report: HistoricalReport
    digest: str


class ReportsJob:
    """Of each interval at most one report waits to be sent: the latest. So none can overtake another."""

    def __init__(
        self,
        source: AcdSource,
        sender: Sender,
        settings: ConnectorSettings,
        troubles: Troubles,
        *,
        progress: Progress,
        now: datetime,
    ) -> None:
        self._source = source
        self._sender = sender
        self._settings = settings
        self._troubles = troubles
        self._first = progress.first
        self.confirmed = dict(progress.confirmed)
        self.last_report: datetime | None = None
        self.unsent: dict[Interval, _Unsent] = {}
        self._looks = Looks(
            lag=settings.report_lag,
            again=settings.look_again_after,
            correctable=settings.correctable,
            reach=settings.reach,
        )
        self._aggregator = settings.aggregator()
        self._extracted: dict[Interval, datetime] = {}
        self._failing: dict[Interval, Backoff] = {}
        self._refused: dict[Interval, str] = {}
        self._due: list[Interval] = []
        self._last_now = self._plan_again_at = now
        self._source_rests, self._sender_rests = Backoff(), Backoff()
        self._tell_what_is_out_of_reach(now)

    @property
    def without_data(self) -> tuple[Interval, ...]:
        """The intervals whose extract failed."""
        return tuple(sorted(self._failing))

    def extract(self, now: datetime, monotonic: float) -> bool:
        """Extract one interval, if one is due. The progress never changes by it."""
        if now >= self._plan_again_at or now < self._last_now:
            self._plan(now)
        self._last_now = now
        if not self._source_rests.is_over(monotonic):
            return False
        may_be_tried = [i for i in self._due if self._failing.get(i, _NEVER_FAILED).is_over(monotonic)]
        if not may_be_tried:
            return False
        # Oldest first; but one that has failed comes after all that have not: it must not hold them up.
        interval = min(may_be_tried, key=lambda i: (self._failing.get(i, _NEVER_FAILED).failures, i))
        try:
            reports = self._reports_after_extract(interval)
        except NoDataError as error:
            self._failing.setdefault(interval, Backoff()).failed(monotonic)
            self._source_rests.failed(monotonic)
            self._troubles.begin("extracts", str(error), now, error=error, of_source=True)
            return False
        self._due.remove(interval)
        self._extracted[interval] = now
        self._source_rests.succeeded()
        self._failing.pop(interval, None)
        self._end_of_failing(now)
        for report in reports:
            self._note(report)
        return False

    def _reports_after_extract(self, interval: Interval) -> list[HistoricalReport]:
        aggregator = self._aggregator
        try:
            aggregator.failed(interval, "it is being extracted")
        except NoDataError:  # older than what the aggregator holds: by itself, and never corrected again
            aggregator = self._settings.aggregator()
        too_late = extract(self._source, interval, aggregator)
        if too_late:
            _log.warning(
                "%d contacts, such as %s, came too late for a correction; replay their intervals",
                len(too_late),
                too_late[0].contact_id,
            )
        return [aggregator.report(interval), *aggregator.corrections()]

    def _note(self, report: HistoricalReport) -> None:
        interval, found = Interval(start=report.start_date), digest(report)
        if found in {self.confirmed.get(interval), self._refused.get(interval)}:
            self.unsent.pop(interval, None)  # a revision that waits is out of date, and never went on its way
        else:
            self.unsent[interval] = _Unsent(report, found)

    def send(self, now: datetime, monotonic: float) -> bool:
        """Send one report, the oldest that may go. Whether the progress has changed."""
        interval = self._next_to_send()
        if interval is None or not self._sender_rests.is_over(monotonic):
            return False
        waiting = self.unsent[interval]
        try:
            self._sender.send_report(waiting.report)
        except PayloadRejectedError as error:
            del self.unsent[interval]
            self._refused[interval] = waiting.digest
            sentence = f"the report of {interval} was refused, and waits for a correction: {told(error)}"
            self._troubles.begin(f"report of {interval}", sentence, now, error=error)
            return False
        except Exception as error:  # noqa: BLE001 - whatever the sender raises, it has not taken the report
            self._sender_rests.failed(monotonic, at_least=asked_wait(error))
            self._troubles.begin("reports", f"reports cannot be sent: {told(error)}", now, error=error)
            return self.confirmed.pop(interval, None) is not None  # CXone may hold this revision, or the last
        _log.info("%s: the %s was sent", interval, "correction" if interval in self.confirmed else "report")
        del self.unsent[interval]
        self.confirmed[interval] = waiting.digest
        self.last_report = now
        self._sender_rests.succeeded()
        self._refused.pop(interval, None)
        self._troubles.end("reports", now)
        self._troubles.end(f"report of {interval}", now)
        return True

    def wait(self, now: datetime, monotonic: float) -> float:
        """Seconds until there is something to do."""
        waits = [(self._plan_again_at - now).total_seconds()]
        for interval in self._due:
            rests_until = self._failing.get(interval, _NEVER_FAILED).until
            waits.append(max(self._source_rests.until, rests_until, monotonic) - monotonic)
        if self._next_to_send() is not None:
            waits.append(self._sender_rests.until - monotonic)
        return min(waits)

    def _next_to_send(self) -> Interval | None:
        # A correction waits until all that is due was asked for once: what one extract seems to take away,
        # for after a start the aggregator is empty, another may bring back.
        is_whole = self._failing.keys() >= set(self._due)
        return min((i for i in self.unsent if is_whole or i not in self.confirmed), default=None)

    def _plan(self, now: datetime) -> None:
        oldest = self._looks.oldest(now)
        for interval in sorted(i for i in {*self._failing, *self.unsent} if i < oldest):
            _log.error("%s is given up: it is beyond the reach of %s", interval, self._settings.reach)
            self._failing.pop(interval, None)
            self.unsent.pop(interval, None)
        self._end_of_failing(now)
        for interval in [i for i in self._refused if i < oldest]:
            del self._refused[interval]
            self._troubles.end(f"report of {interval}", now)
        # What was extracted later than now, before the clock was set back, may not have ended by then.
        self._extracted = {i: then for i, then in self._extracted.items() if i >= oldest and then <= now}
        # By number, not by time: a clock that was ahead for a moment must not make it forget.
        most = 2 * (self._settings.reach // INTERVAL_LENGTH) + 16
        for interval in sorted(self.confirmed)[:-most]:
            del self.confirmed[interval]
        self._due = self._looks.due(
            now, first=self._first, reported=self.confirmed.keys(), extracted=self._extracted
        )
        self._plan_again_at = self._looks.next(now)

    def _end_of_failing(self, now: datetime) -> None:
        if not self._failing:
            self._troubles.end("extracts", now)

    def _tell_what_is_out_of_reach(self, now: datetime) -> None:
        newest = max(self.confirmed, default=self._first.previous())
        oldest = self._looks.oldest(now)
        if newest.end < oldest.start:
            _log.warning(
                "the intervals from %s to %s were missed and are beyond the reach of %s: replay them",
                newest.next(),
                oldest.previous(),
                self._settings.reach,
            )
