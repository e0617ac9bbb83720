"""A historical report of 50,000 agent-queue rows: build, validate, serialise.

    python benchmarks/records.py

Prints microseconds a row (the best of several runs) and the ratio to a dict that is written by hand
and not validated at all. Where a JDK and Jackson are installed (Debian: libjackson2-databind-java),
the same rows as Jackson beans are timed in the same run, in a new JVM and in a warm one.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from cxone_wfm import AgentQueueReport, HistoricalReport, HistoricalReportData, _json

try:
    import orjson
except ImportError:
    orjson = None

ROWS = 50_000
RUNS = 9
START = datetime(2024, 4, 17, 10, 0, tzinfo=timezone.utc)
END = datetime(2024, 4, 17, 10, 15, tzinfo=timezone.utc)
JARS = ("jackson-annotations.jar", "jackson-core.jar", "jackson-databind.jar")


def records() -> HistoricalReport:
    return HistoricalReport(
        acd_type="Generic_LiveVox",
        start_date=START,
        end_date=END,
        report_data=HistoricalReportData(
            agent_queue_report=[
                AgentQueueReport(
                    queue_value="8057",
                    queue_name="ChatSkill_11",
                    is_outbound=False,
                    agent_value=str(967382 + i),
                    agent_id="11eceb46-1527-7bf0-8adf-0242ac110002",
                    handled=i % 7,
                    handled_time=276.5,
                    work_time=3.25,
                    right_party_handle_time=0,
                    right_party_contacts=0,
                    wrong_party_handle_time=0,
                    wrong_party_contacts=0,
                    hold_time=0,
                    active=0,
                )
                for i in range(ROWS)
            ]
        ),
    )


def dicts() -> dict[str, object]:
    return {
        "acdType": "Generic_LiveVox",
        "reportVersion": "0",
        "startDate": "2024-04-17T10:00:00.000Z",
        "endDate": "2024-04-17T10:15:00.000Z",
        "status": "SUCCESS",
        "statusReason": "",
        "reportData": {
            "agentQueueReport": [
                {
                    "queueValue": "8057",
                    "queueName": "ChatSkill_11",
                    "isOutbound": False,
                    "agentValue": str(967382 + i),
                    "agentId": "11eceb46-1527-7bf0-8adf-0242ac110002",
                    "handled": i % 7,
                    "handledTime": 276.5,
                    "workTime": 3.25,
                    "rightPartyHandleTime": 0,
                    "rightPartyContacts": 0,
                    "wrongPartyHandleTime": 0,
                    "wrongPartyContacts": 0,
                    "holdTime": 0,
                    "active": 0,
                }
                for i in range(ROWS)
            ]
        },
    }


def best(work: Callable[[], object]) -> float:
    """Microseconds a row, the best of the runs."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - began)
        del result
    return min(times) / ROWS * 1e6


def jackson() -> tuple[float, float] | None:
    """Microseconds a row in a new JVM and in a warm one; None where there is no JDK or no Jackson."""
    jars = [Path("/usr/share/java") / jar for jar in JARS]
    if not (shutil.which("javac") and all(jar.exists() for jar in jars)):
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = ":".join([folder, *map(str, jars)])
        source = Path(__file__).parent / "jackson" / "Rows.java"
        subprocess.run(["javac", "-cp", path, "-d", folder, source], check=True)
        printed = subprocess.run(
            ["java", "-cp", path, "Rows", str(ROWS)], check=True, capture_output=True, text=True
        ).stdout
    first, warm = (float(nanoseconds) / 1000 for nanoseconds in printed.split())
    return first, warm


def main() -> None:
    plain = best(lambda: json.dumps(dicts()))
    _json.dump = _json.dump_plain
    ours_plain = best(lambda: records().to_json())
    print(f"Python {sys.version.split()[0]}, {ROWS} rows, best of {RUNS} runs, microseconds a row\n")
    print(f"{'a hand-written dict, json':<44} {plain:6.2f}")
    print(
        f"{'records: build, validate, serialise':<44} {ours_plain:6.2f}   {ours_plain / plain:5.2f} x the dict"
    )
    ours = ours_plain
    if orjson is not None:
        _json.dump = orjson.dumps
        fast = best(lambda: orjson.dumps(dicts()))
        ours = best(lambda: records().to_json())
        print(f"{'a hand-written dict, orjson':<44} {fast:6.2f}")
        print(f"{'records: the same with the extra `fast`':<44} {ours:6.2f}   {ours / fast:5.2f} x the dict")
    if java := jackson():
        for name, figure in zip(("Jackson beans, a new JVM", "Jackson beans, a warm JVM"), java, strict=True):
            print(f"{name:<44} {figure:6.2f}   ours is {ours / figure:5.2f} x that")


if __name__ == "__main__":
    main()
