"""Connector: one loop that looks at the agents, extracts the intervals, sends, and beats."""

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ..errors import ConfigurationError
from ..intervals import Interval
from ._clock import ConnectorClock, SystemConnectorClock
from ._failures import told
from ._progress import Progress, differences, load, save
from ._reports_job import ReportsJob
from ._schedule import Backoff, Period
from ._states_job import StatesJob
from .health import ConnectorHealth, Troubles
from .sender import Sender
from .settings import ConnectorSettings
from .source import AcdSource

__all__ = ["Connector"]

_STOP_SECONDS = 0.8
_LOOK_EVERY = 0.1


class Connector:
    """Sends what an ACD does to CXone WFM, until it is told to stop.

    - **States**: a snapshot of the agents every `states_every`, through a `StateFeed`.
    - **Reports**: each interval is extracted `report_lag` after its end, and again `look_again_after` its
      end. A report that differs from the last one that the sender took goes out as a correction.
    - **Heartbeat**: every `sender.beat_every` seconds.

    What fails is tried again after 1 s, 2 s, 4 s ... at most a minute, while the rest goes on. A failed
    extract is no report, never one of zeros.

    The file `progress` holds what a restart must know: only one connector may use it at a time. With it,
    what was missed meanwhile is made up for, as far back as `reach`. Without the file, the connector
    begins with the interval that is going on.

    `docs/tutorials/connector.md` draws all this and says what happens to whom when something fails.

    Raises `ConfigurationError` where the file is another's or damaged, or cannot be written.
    """

    def __init__(
        self,
        source: AcdSource,
        sender: Sender,
        settings: ConnectorSettings,
        *,
        progress: str | Path,
        clock: ConnectorClock | None = None,
    ) -> None:
        self._settings = settings
        self._sender = sender
        self._path = Path(progress).absolute()  # a daemon may change its folder later
        self._clock: ConnectorClock = SystemConnectorClock() if clock is None else clock
        now = self._clock.now()
        known = load(self._path, "connector") or Progress(
            acd_type=settings.acd_type, acd_id=settings.acd_id, first=Interval.containing(now)
        )
        if problems := differences(self._path, known, acd_type=settings.acd_type, acd_id=settings.acd_id):
            raise ConfigurationError(problems)
        self._first = known.first
        self._troubles = Troubles()
        self._states = StatesJob(
            source, sender, settings, self._troubles, last_sent=known.last_sent, pending=known.pending
        )
        self._reports = ReportsJob(source, sender, settings, self._troubles, progress=known, now=now)
        self._beats = Period(sender.beat_every)
        self._last_heartbeat: datetime | None = None
        self._unsaved = False
        self._saving = threading.Lock()
        self._save_rests = Backoff()
        self._is_given_up = False
        try:
            save(self._path, known)
        except OSError as error:
            raise ConfigurationError(
                [f"the progress file {self._path} cannot be written: {error.strerror}"]
            ) from error
        self._health = self._health_now()

    def health(self) -> ConnectorHealth:
        """How the connector was after its last step. May be asked from any thread."""
        return self._health

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, from a signal handler or another thread. Returns within a second.

        What a signal handler raises, such as KeyboardInterrupt, ends it in the same way, and is raised.

        A call of the source or the sender that takes longer is given up; the thread that is in it ends with
        the call, and sends and writes nothing more. If its data arrived all the same, it is sent again after
        the next start. Raises RuntimeError where a call of an earlier `run` was given up, as `step` does.
        """
        self._refuse_if_given_up()
        mishaps: list[BaseException] = []
        left = threading.Event()  # also where a signal handler raises out of here, such as Ctrl-C
        # Not Thread.is_alive(): before Python 3.13 a signal that raises in join() makes it say "ended".
        ended = threading.Event()

        def work() -> None:
            try:
                while not (stop.is_set() or left.is_set()):
                    self._clock.wait(left, self._step(lambda: stop.is_set() or left.is_set()))
            except BaseException as mishap:  # noqa: BLE001 - raised again where somebody sees it
                mishaps.append(mishap)
            finally:
                ended.set()

        worker = threading.Thread(target=work, name="cxone-wfm-connector", daemon=True)
        try:
            worker.start()
            while not (ended.is_set() or stop.is_set()):
                ended.wait(_LOOK_EVERY)
        finally:
            left.set()
            if ended.wait(_STOP_SECONDS):
                worker.join()
            with self._saving:  # so a file that is being written is written
                self._is_given_up = not ended.is_set()
        if mishaps:
            raise mishaps[0]

    def step(self) -> float:
        """Do what is due now, at most one extract and one report. Give the seconds until more is due.

        `run` does nothing else, again and again. Not for several threads at once.
        """
        self._refuse_if_given_up()
        return self._step(lambda: False)

    def _refuse_if_given_up(self) -> None:
        if self._is_given_up:
            raise RuntimeError("this connector was stopped in the middle of a call: make a new one")

    def _step(self, is_stopped: Callable[[], bool]) -> float:
        states, reports = self._states, self._reports
        for jobs in ((self._beat,), (states.look, states.send), (reports.extract, reports.send)):
            for job in jobs:
                if not is_stopped():
                    self._unsaved |= job(self._clock.now(), self._clock.monotonic())
            self._save()
        self._health = self._health_now()
        now, monotonic = self._clock.now(), self._clock.monotonic()
        waits = [
            self._beats.due_at - monotonic,
            states.wait(now, monotonic),
            reports.wait(now, monotonic),
            *([self._save_rests.until - monotonic] if self._unsaved else []),
        ]
        return max(0.0, min(waits))

    def _beat(self, now: datetime, monotonic: float) -> bool:
        if self._beats.is_due(monotonic):
            self._beats.begun(monotonic)
            try:
                self._sender.beat()
            except Exception as error:  # noqa: BLE001 - whatever the sender raises, the other jobs go on
                self._troubles.begin("heartbeat", f"the heartbeat fails: {told(error)}", now, error=error)
            else:
                self._last_heartbeat = now
                self._troubles.end("heartbeat", now)
        return False

    def _save(self) -> None:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        if not self._unsaved or not self._save_rests.is_over(monotonic):
            return
        progress = Progress(
            acd_type=self._settings.acd_type,
            acd_id=self._settings.acd_id,
            first=self._first,
            confirmed=self._reports.confirmed,
            last_sent=self._states.feed.last_sent(),
            pending=tuple(self._states.pending),
        )
        with self._saving:
            if self._is_given_up:
                return
            try:
                save(self._path, progress)
            except OSError as error:
                self._save_rests.failed(monotonic)
                sentence = f"the progress file {self._path} cannot be written, a restart will send twice: "
                self._troubles.begin("progress file", sentence + told(error), now, error=error)
                return
        self._unsaved = False
        self._save_rests.succeeded()
        self._troubles.end("progress file", now)

    def _health_now(self) -> ConnectorHealth:
        return ConnectorHealth(
            at=self._clock.now(),
            status=self._troubles.status,
            causes=self._troubles.causes,
            last_agents=self._states.last_agents,
            last_states=self._states.last_states,
            last_report=self._reports.last_report,
            last_heartbeat=self._last_heartbeat,
            source_failing_since=self._troubles.source_failing_since,
            without_data=self._reports.without_data,
            unsent_states=len(self._states.pending),
            unsent_reports=len(self._reports.unsent),
        )
