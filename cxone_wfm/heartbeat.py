"""HeartbeatClient, and HeartbeatMonitor, which beats by itself and says when the link changes."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType

from attrs import frozen

from ._http import Clock
from .auth import AuthClient
from .config import WfmConfig, seconds_problems
from .errors import ConfigurationError
from .models.acd_types import AcdTypes

_STOP_SECONDS = 0.9
_log = logging.getLogger(__name__)


class HeartbeatClient:
    """Tells CXone WFM that the ACD is there, and asks which ACD types it knows.

    Both methods raise a `TransportError` where no trustworthy answer came, and an `APIError` where
    CXone refused. A heartbeat says "alive now": a missed one is never made up for.
    """

    def __init__(self, config: WfmConfig, *, auth: AuthClient) -> None:
        self._config = config
        self._calls = auth.calls_for(config)

    @property
    def interval(self) -> float:
        """Seconds between two beats of a monitor, from the configuration."""
        return self._config.heartbeat_interval

    @property
    def clock(self) -> Clock:
        """The clock that the calls use."""
        return self._calls.clock

    def send(self, *, deadline: float | None = None) -> None:
        """Send one heartbeat within `timeouts.total`, or until `deadline` if that is sooner.

        `deadline` is a moment of the clock's `monotonic()`.
        """
        own = self.clock.monotonic() + self._config.timeouts.total
        self._calls.make("heartbeat", deadline=own if deadline is None else min(deadline, own))

    def acd_types(self) -> AcdTypes:
        """The ACD types that CXone WFM knows."""
        return AcdTypes.from_json(self._calls.make("acd_types").strip() or b"[]")


@frozen(kw_only=True)
class HeartbeatStatus:
    """How the link to CXone WFM is.

    `up` is None before the first beat was answered or failed. `since` and `last_success` are moments
    of the clock's `monotonic()`, None where there is none yet. `failures` counts the failed beats in
    a row, `last_error` is the last of them.
    """

    up: bool | None = None
    since: float | None = None
    last_success: float | None = None
    failures: int = 0
    last_error: Exception | None = None


class HeartbeatMonitor:
    """Beats in a thread of its own, from `start()` to `stop()`, or inside a `with` block.

    `on_up(status)` and `on_down(status)` are called in that thread, only when the link has changed,
    the first beat included. What they raise is logged, and the monitor goes on. `interval` is in
    seconds above 0, that of the configuration where it is left out; the first beat leaves at once.
    Whatever a beat raises counts as failed. Raises `ConfigurationError` for another `interval`.
    """

    def __init__(
        self,
        heartbeat: HeartbeatClient,
        *,
        interval: float | None = None,
        on_up: Callable[[HeartbeatStatus], object] | None = None,
        on_down: Callable[[HeartbeatStatus], object] | None = None,
    ) -> None:
        self._heartbeat = heartbeat
        self._interval = heartbeat.interval if interval is None else interval
        if problems := seconds_problems("interval", self._interval):
            raise ConfigurationError(problems)
        self._on_up = on_up
        self._on_down = on_down
        self._status = HeartbeatStatus()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def __enter__(self) -> "HeartbeatMonitor":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def status(self) -> HeartbeatStatus:
        """How the link is now, as far as the last beat told."""
        return self._status

    def start(self) -> None:
        """Begin to beat. After `stop()` it may be started again, and knows nothing of the link as yet.

        Raises RuntimeError where it runs already.
        """
        if self._thread is not None:
            raise RuntimeError("this monitor is running already")
        self._status = HeartbeatStatus()
        self._stopped = stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(stopped,), name="cxone-wfm-heartbeat", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End within a second. A beat on its way is given up: no callback begins after this returns.

        The thread of a beat that is given up ends with the beat's own time-out.
        """
        self._stopped.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(_STOP_SECONDS)

    def _run(self, stopped: threading.Event) -> None:
        clock = self._heartbeat.clock
        pause = 0.0
        while not stopped.wait(pause):
            began = clock.monotonic()
            try:
                self._heartbeat.send(deadline=began + self._interval)
            except Exception as error:  # noqa: BLE001 - a monitor that dies in silence says "up" for ever
                failure: Exception | None = error
            else:
                failure = None
            if not stopped.is_set():
                self._note(failure, clock.monotonic())
            pause = max(0.0, self._interval - (clock.monotonic() - began))

    def _note(self, failure: Exception | None, now: float) -> None:
        before = self._status
        up = failure is None
        changed = up is not before.up
        self._status = HeartbeatStatus(
            up=up,
            since=now if changed else before.since,
            last_success=now if up else before.last_success,
            failures=0 if up else before.failures + 1,
            last_error=failure,
        )
        callback = self._on_up if up else self._on_down
        if changed and callback is not None:
            try:
                callback(self._status)
            except Exception:  # noqa: BLE001 - whatever the callback raises, the beats go on
                _log.exception("a callback of the heartbeat monitor raised; the monitor goes on")
