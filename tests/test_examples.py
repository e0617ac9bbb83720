"""Every file in examples/ runs, as its first lines say, in a process of its own.

Those of Custom Agent Assist, ``assist_*.py``, are run by the tests in tests/assist.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.threads import PATIENCE, Background

import cxone_wfm
from cxone_wfm.connector._progress import Progress, save
from cxone_wfm.intervals import INTERVAL_LENGTH, Interval
from cxone_wfm.simulator import Simulator, Status

FOLDER = Path(__file__).parents[1] / "examples"


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A local CXone WFM with its settings in the environment, and no other settings there."""
    for name in [name for name in os.environ if name.startswith(("CXONE_", "COV_", "PYTEST_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(Path(cxone_wfm.__file__).parents[1]))
    with Simulator() as simulator:
        config = simulator.config()
        monkeypatch.setenv("CXONE_BASE_URL", config.base_url)
        monkeypatch.setenv("CXONE_TENANT", config.tenant_name)
        monkeypatch.setenv("CXONE_ACCESS_KEY_ID", config.access_key_id.reveal())
        monkeypatch.setenv("CXONE_ACCESS_KEY_SECRET", config.access_key_secret.reveal())
        yield simulator


def said_by(*command: str) -> str:
    """What a Python program that ends well has printed."""
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def local_day(file: str, _: Simulator) -> None:
    lines = said_by(file).splitlines()
    assert lines[0] == "2024-11-03 in America/New_York has 100 intervals:"
    assert len(lines) == 101
    assert sum(line.startswith("01:30 E") for line in lines) == 2


def push_states(file: str, simulator: Simulator) -> None:
    assert said_by(file) == "CXone confirmed 2 agent states\n"
    assert [state.login_id for state in simulator.received.agent_states] == [
        "ann@shop.example",
        "bob@shop.example",
    ]


def push_reports(file: str, simulator: Simulator) -> None:
    assert said_by(file).startswith("CXone confirmed both reports of ")
    (historical,) = simulator.received.historical_reports
    (activity,) = simulator.received.agent_activity_reports
    assert historical.start_date == activity.start_date
    assert activity.report_data[0].agent_activity[0].duration == 139_000


def heartbeat(file: str, simulator: Simulator) -> None:
    with subprocess.Popen(
        [sys.executable, file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert Background(process.stdout.readline).outcome() == "CXone WFM is there\n"
            if sys.platform != "win32":  # where one process cannot send Ctrl-C to another
                process.send_signal(signal.SIGINT)
                assert process.communicate(timeout=PATIENCE) == ("no more beats\n", "")
                assert process.returncode == 0
        finally:
            process.kill()
    assert simulator.received.heartbeats == 1


def durable_connector(file: str, simulator: Simulator) -> None:
    feed = [
        json.dumps(
            {"agent": f"agent{number % 3}", "code": "READY", "at": f"2026-11-21T12:00:{number:02}+00:00"}
        )
        for number in range(25)
    ]
    with TemporaryDirectory() as folder:
        command = [sys.executable, file, str(Path(folder) / "outbox.db")]
        simulator.fail("agent_states", Status(503), times=10_000)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("".join(f"{line}\n" for line in feed[:20]))
            process.stdin.flush()
            for number in range(20):
                said = Background(process.stdout.readline).outcome()
                assert said == f"accepted state:My_ACD:agent{number % 3} {number // 3 + 1}\n"
            process.kill()
        assert simulator.received.agent_states == ()
        simulator.reset()
        done = subprocess.run(
            command,
            input="\n".join(feed),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
    words = [line.split()[0] for line in done.stdout.splitlines()]
    assert words == ["known"] * 20 + ["accepted"] * 5 + ["delivered"]
    for agent in range(3):
        moments = [
            state.event_utc_time.second
            for state in simulator.received.agent_states
            if state.login_id == f"agent{agent}"
        ]
        assert moments == list(range(agent, 25, 3))


def with_simulator(file: str, _: Simulator) -> None:
    said = said_by("-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider", "-W", "error", file)
    assert said.splitlines()[-1].startswith("4 passed")


def avaya_cms_connector(file: str, simulator: Simulator) -> None:
    with TemporaryDirectory() as folder:
        lines = said_by(file, folder).splitlines()
    assert [line[:31] for line in lines] == ["CXone confirmed the report from"] * 2
    first, second = simulator.received.historical_reports
    assert second.start_date == first.end_date
    for report in (first, second):
        data = report.report_data
        assert data.queue_report is not None
        assert data.agent_queue_report is not None
        assert data.agent_system_performance_report is not None
        queue, agent = data.queue_report[0], data.agent_queue_report[0]
        assert (queue.handled_short, queue.handled_long, queue.handle_time, queue.work_time) == (
            2,
            1,
            450,
            45,
        )
        assert (agent.agent_value, agent.handled, agent.handled_time) == ("4711", 3, 450)
        assert data.agent_system_performance_report[0].login_time == 900


def realtime_states(file: str, simulator: Simulator) -> None:
    lines = said_by(file).splitlines()
    assert [line.split() for line in lines] == [
        ["0.000", "s", "ann@shop.example", "READY"],
        ["0.000", "s", "bob@shop.example", "BREAK"],
        ["12.000", "s", "ann@shop.example", "IN", "CALL"],
        ["29.999", "s", "cas@shop.example", "LOGIN"],
        ["30.000", "s", "cas@shop.example", "READY"],
        ["97.000", "s", "ann@shop.example", "READY"],
        ["120.000", "s", "bob@shop.example", "LOGOFF"],
    ]
    assert len(simulator.received.agent_states) == len(lines)


def polling_connector(file: str, simulator: Simulator) -> None:
    now = Interval.containing(datetime.now(timezone.utc))
    missed = [Interval(start=now.start - number * INTERVAL_LENGTH) for number in (4, 3, 2)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "progress.json"
        save(path, Progress(acd_type="Generic_acdName", acd_id="My_ACD", first=missed[0]))
        with subprocess.Popen(
            [sys.executable, file, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                said = [Background(process.stdout.readline).outcome() for _ in missed]
                assert said == [f"INFO {interval}: the report was sent\n" for interval in missed]
                if sys.platform != "win32":  # where one process cannot send such a signal to another
                    process.send_signal(signal.SIGTERM)
                    out, err = process.communicate(timeout=PATIENCE)
                    assert (process.returncode, err) == (0, "")
                    assert out.splitlines()[-1].startswith("stopped: ok, last report at 20")
            finally:
                process.kill()
    starts = [report.start_date for report in simulator.received.historical_reports]
    assert starts[:3] == [interval.start for interval in missed]
    assert {state.login_id for state in simulator.received.agent_states} == {
        "ann@shop.example",
        "bob@shop.example",
    }
    assert simulator.received.heartbeats >= 1


EXAMPLES: dict[str, Callable[[str, Simulator], None]] = {
    "avaya_cms_connector": avaya_cms_connector,
    "durable_connector": durable_connector,
    "heartbeat": heartbeat,
    "local_day": local_day,
    "polling_connector": polling_connector,
    "push_reports": push_reports,
    "push_states": push_states,
    "realtime_states": realtime_states,
    "test_with_simulator": with_simulator,
}


def test_every_example_is_run_here() -> None:
    files = {file.stem for file in FOLDER.glob("*.py")}
    assert {name for name in files if not name.startswith("assist_")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_runs(name: str, simulator: Simulator) -> None:
    EXAMPLES[name](str(FOLDER / f"{name}.py"), simulator)


@pytest.mark.parametrize(
    "name", ["durable_connector", "heartbeat", "push_reports", "push_states", "realtime_states"]
)
def test_without_settings_the_example_says_what_is_missing(name: str, simulator: Simulator) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "CXONE_TENANT"}
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py")],
        capture_output=True,
        env=environment,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "the environment variable CXONE_TENANT is not set" in done.stderr
    assert simulator.received.requests == ()
