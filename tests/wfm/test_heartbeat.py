"""The promises of `HeartbeatClient` and `HeartbeatMonitor`."""

import logging
import queue
import threading
import time
from collections.abc import Iterator

import attrs
import pytest
from support.exchange import always, granted, operation_of, operations
from support.threads import PATIENCE, Background

from cxone_wfm import (
    AuthClient,
    ConfigurationError,
    HeartbeatClient,
    HeartbeatMonitor,
    HeartbeatStatus,
    PermissionDeniedError,
    Request,
    Response,
    RetryPolicy,
    ServerError,
    WfmConfig,
    heartbeat,
)
from cxone_wfm.testing import Answer, FakeClock, FakeTransport, fake_config, reply

THREAD = "cxone-wfm-heartbeat"
SHORT = 0.001
"""Seconds between two beats of a monitor under test: they are answered by hand, one by one."""


def monitor_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert monitor_threads() == []


class Beats:
    """A CXone whose heartbeats are answered one by one, as the test says, with a status or an exception."""

    def __init__(self) -> None:
        self._answers: queue.Queue[int | Exception] = queue.Queue()
        self._arrived = threading.Semaphore(0)
        self._over = False
        self.clock = FakeClock(now=100.0)
        self.transport = always(self)
        config: WfmConfig = attrs.evolve(fake_config(), retry=RetryPolicy(attempts=1))
        self.auth = AuthClient(config, transport=self.transport, clock=self.clock)
        self.client = HeartbeatClient(config, auth=self.auth)
        self.changes: queue.Queue[HeartbeatStatus] = queue.Queue()

    def __call__(self, request: Request) -> Response:
        if operation_of(request) == "access_key_token":
            return granted()
        if self._over:
            return reply(200)
        self._arrived.release()
        answer = self._answers.get(timeout=PATIENCE)
        if isinstance(answer, Exception):
            raise answer
        return reply(answer)

    def monitor(self, interval: float = SHORT) -> HeartbeatMonitor:
        return HeartbeatMonitor(
            self.client, interval=interval, on_up=self.changes.put, on_down=self.changes.put
        )

    def wait_for_one(self) -> None:
        """Wait until a beat has arrived; all that came before it has been noted by then."""
        assert self._arrived.acquire(timeout=PATIENCE)

    def answer(self, *answers: int | Exception) -> None:
        """Answer the beat that waits, and each that follows."""
        for answer in answers:
            self._answers.put(answer)
            self.wait_for_one()

    def seen(self) -> list[bool | None]:
        return [self.changes.get_nowait().up for _ in range(self.changes.qsize())]

    def end(self, monitor: HeartbeatMonitor) -> None:
        """Stop a monitor whose beat waits for its answer."""
        stopping = Background(monitor.stop)
        self._over = True
        self._answers.put(200)
        stopping.outcome()


# --- the client ---------------------------------------------------------------------------------------


def client(*answers: Answer) -> tuple[HeartbeatClient, FakeTransport]:
    transport = FakeTransport([granted(), *answers])
    auth = AuthClient(fake_config(), transport=transport, clock=FakeClock())
    return HeartbeatClient(fake_config(), auth=auth), transport


def test_a_beat_is_a_request_without_a_body() -> None:
    beat, transport = client(reply(200))
    beat.send()
    assert operations(transport)[1:] == ["heartbeat"]
    assert transport.requests[1].body is None


@pytest.mark.parametrize(("given", "kept"), [(1010.0, 1010.0), (1234.5, 1045.0), (None, 1045.0)])
def test_a_beat_ends_at_its_deadline_or_with_the_total_time_if_that_is_sooner(
    given: float | None, kept: float
) -> None:
    beat, transport = client(reply(200))
    beat.send(deadline=given)
    assert transport.attempts[1].deadline == kept


def test_a_refused_beat_is_told() -> None:
    beat, _ = client(reply(403))
    with pytest.raises(PermissionDeniedError):
        beat.send()


def test_the_acd_types_are_looked_up() -> None:
    beat, transport = client(reply(200, [{"acdType": "Generic_LiveVox"}, {"acdType": "Other"}]))
    assert beat.acd_types().names == ("Generic_LiveVox", "Other")
    assert operations(transport)[1:] == ["acd_types"]


@pytest.mark.parametrize("body", [b"", b"  \r\n"])
def test_an_empty_answer_names_no_acd_types(body: bytes) -> None:
    beat, _ = client(Response(status=200, body=body))
    assert beat.acd_types().names == ()


def test_its_interval_and_clock_are_those_of_its_settings() -> None:
    auth = AuthClient(fake_config(), transport=FakeTransport(), clock=(clock := FakeClock()))
    beat = HeartbeatClient(attrs.evolve(fake_config(), heartbeat_interval=7.0), auth=auth)
    assert beat.interval == 7.0
    assert beat.clock is clock


# --- the monitor --------------------------------------------------------------------------------------


def test_callbacks_come_only_when_the_link_changes_and_the_first_beat_is_a_change() -> None:
    beats = Beats()
    monitor = beats.monitor()
    monitor.start()
    beats.wait_for_one()
    beats.answer(200, 200, 503, 503, 200)
    assert beats.seen() == [True, False, True]
    beats.end(monitor)
    assert beats.seen() == []


def test_a_link_that_is_down_from_the_first_beat_on_is_told() -> None:
    beats = Beats()
    monitor = beats.monitor()
    monitor.start()
    beats.wait_for_one()
    beats.answer(503, 503)
    assert beats.seen() == [False]
    beats.end(monitor)


def test_callbacks_are_optional() -> None:
    beats = Beats()
    monitor = HeartbeatMonitor(beats.client, interval=SHORT)
    monitor.start()
    beats.wait_for_one()
    beats.answer(200, 503)
    assert monitor.status().up is False
    beats.end(monitor)


def test_the_status_tells_since_when_how_often_and_why() -> None:
    beats = Beats()
    monitor = beats.monitor()
    assert monitor.status() == HeartbeatStatus()
    monitor.start()
    beats.wait_for_one()
    assert monitor.status() == HeartbeatStatus(up=None, since=None, last_success=None, failures=0)
    beats.answer(200)
    assert monitor.status() == HeartbeatStatus(up=True, since=100.0, last_success=100.0)
    beats.clock.now = 110.0
    beats.answer(200)
    assert monitor.status() == HeartbeatStatus(up=True, since=100.0, last_success=110.0)
    beats.clock.now = 120.0
    beats.answer(503)
    status = monitor.status()
    assert isinstance(status.last_error, ServerError)
    assert attrs.evolve(status, last_error=None) == HeartbeatStatus(
        up=False, since=120.0, last_success=110.0, failures=1
    )
    beats.clock.now = 130.0
    beats.answer(500)
    status = monitor.status()
    assert (status.since, status.failures) == (120.0, 2)
    assert isinstance(status.last_error, ServerError)
    assert status.last_error.status == 500
    beats.clock.now = 140.0
    beats.answer(200)
    assert monitor.status() == HeartbeatStatus(up=True, since=140.0, last_success=140.0)
    beats.end(monitor)


def test_a_callback_is_given_the_status_that_it_is_about() -> None:
    beats = Beats()
    monitor = beats.monitor()
    monitor.start()
    beats.wait_for_one()
    beats.answer(503)
    told = beats.changes.get_nowait()
    assert told is monitor.status()
    assert told.failures == 1
    beats.end(monitor)


def test_a_callback_that_raises_is_logged_and_the_monitor_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: HeartbeatStatus) -> None:
        raise ValueError("the caller's own fault")

    beats = Beats()
    monitor = HeartbeatMonitor(beats.client, interval=SHORT, on_up=broken, on_down=beats.changes.put)
    monitor.start()
    beats.wait_for_one()
    beats.answer(200, 503)
    assert beats.seen() == [False]
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    beats.end(monitor)


@pytest.mark.parametrize("error", [RuntimeError("this client is closed"), OSError("x"), ValueError("y")])
def test_whatever_a_beat_raises_the_link_counts_as_down_and_the_monitor_goes_on(error: Exception) -> None:
    beats = Beats()
    monitor = beats.monitor()
    monitor.start()
    beats.wait_for_one()
    beats.answer(200, error)
    assert monitor.status().last_error is error
    beats.answer(200)
    assert beats.seen() == [True, False, True]
    beats.end(monitor)


def test_a_beat_has_until_the_next_one_is_due() -> None:
    beats = Beats()
    monitor = beats.monitor(interval=30.0)
    monitor.start()
    beats.wait_for_one()
    assert [attempt.deadline for attempt in beats.transport.attempts] == [130.0, 130.0]
    beats.end(monitor)


def test_a_beat_that_took_longer_than_the_interval_is_followed_at_once() -> None:
    beats = Beats()
    monitor = beats.monitor(interval=3600.0)
    monitor.start()
    beats.wait_for_one()
    beats.clock.advance(3601.0)
    beats.answer(200)
    beats.end(monitor)


def test_without_an_interval_that_of_the_settings_counts() -> None:
    beats = Beats()
    monitor = HeartbeatMonitor(beats.client)
    monitor.start()
    beats.wait_for_one()
    assert beats.transport.attempts[-1].deadline == 100.0 + beats.client.interval
    beats.end(monitor)


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf")])
def test_an_interval_that_cannot_be_kept_is_refused(interval: float) -> None:
    with pytest.raises(ConfigurationError, match="seconds above 0"):
        HeartbeatMonitor(Beats().client, interval=interval)


# --- start and stop -----------------------------------------------------------------------------------


def test_stop_ends_the_thread_while_it_waits_for_the_next_beat() -> None:
    beats = Beats()
    monitor = beats.monitor(interval=3600.0)
    monitor.start()
    beats.wait_for_one()
    beats._answers.put(200)
    beats.changes.get(timeout=PATIENCE)
    [thread] = monitor_threads()
    began = time.monotonic()
    monitor.stop()
    assert not thread.is_alive()
    assert time.monotonic() - began < 0.9


def test_stop_returns_within_a_second_though_a_beat_hangs_and_nothing_comes_after_it() -> None:
    beats = Beats()
    monitor = beats.monitor()
    monitor.start()
    beats.wait_for_one()
    beats.answer(200)
    assert beats.seen() == [True]
    [thread] = monitor_threads()
    status, began = monitor.status(), time.monotonic()
    monitor.stop()
    assert 0.5 < time.monotonic() - began < 1.5  # a busy machine may be late to wake up
    assert heartbeat._STOP_SECONDS < 1.0
    assert thread.is_alive()
    beats._answers.put(503)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert beats.seen() == []
    assert monitor.status() is status


def test_stop_may_be_called_from_a_callback() -> None:
    beats = Beats()

    def stop(status: HeartbeatStatus) -> None:
        monitor.stop()
        beats.changes.put(status)

    monitor = HeartbeatMonitor(beats.client, interval=SHORT, on_up=stop)
    monitor.start()
    beats.wait_for_one()
    [thread] = monitor_threads()
    beats._answers.put(200)
    thread.join(PATIENCE)
    assert beats.seen() == [True]
    assert operations(beats.transport) == ["access_key_token", "heartbeat"]


def test_stop_before_start_and_a_second_stop_do_nothing() -> None:
    beats = Beats()
    monitor = beats.monitor()
    monitor.stop()
    monitor.start()
    beats.wait_for_one()
    beats.end(monitor)
    monitor.stop()


def test_it_cannot_be_started_twice() -> None:
    beats = Beats()
    monitor = beats.monitor()
    monitor.start()
    with pytest.raises(RuntimeError, match="running already"):
        monitor.start()
    beats.wait_for_one()
    assert len(monitor_threads()) == 1
    beats.end(monitor)


def test_it_can_be_started_again_and_then_the_first_beat_is_a_change() -> None:
    beats = Beats()
    monitor = beats.monitor()
    for _ in range(2):
        beats._over = False
        monitor.start()
        assert monitor.status() == HeartbeatStatus()
        beats.wait_for_one()
        beats.answer(200)
        assert beats.seen() == [True]
        beats.end(monitor)


def test_a_with_block_starts_and_stops_it() -> None:
    beats = Beats()
    with beats.monitor(interval=3600.0) as monitor:
        beats.wait_for_one()
        beats._answers.put(200)
        beats.changes.get(timeout=PATIENCE)
    assert monitor_threads() == []
    assert monitor.status().up is True


def test_its_thread_does_not_keep_the_program_alive() -> None:
    beats = Beats()
    monitor = beats.monitor()
    monitor.start()
    assert [thread.daemon for thread in monitor_threads()] == [True]
    beats.wait_for_one()
    beats.end(monitor)
