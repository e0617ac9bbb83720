"""A historical report of 50,000 agent-queue rows: build, validate, serialise.

    python benchmarks/records.py            (pyperf's options work too, such as --fast or -o FILE)

Prints the time of one row, and the ratio to a dict that is written by hand and not validated at all.
Where a JDK and Jackson are installed (Debian: libjackson2-databind-java), the same rows as Jackson
beans are timed in the same run, in a new JVM and in a warm one.
"""

import json
import shutil
import subprocess
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import pyperf

from cxone_wfm import AgentQueueReport, HistoricalReport, HistoricalReportData, _json

try:
    import orjson
except ImportError:
    orjson = None

ROWS = 50_000
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


def records_to_json(dump: object) -> bytes:
    _json.dump = dump  # the two writers, whichever is installed
    return records().to_json()


def main() -> None:
    runner = pyperf.Runner(processes=6, values=3, warmups=1)
    benchmarks = {
        "dict, json": runner.bench_func("dict, json", lambda: json.dumps(dicts()), inner_loops=ROWS),
        "records": runner.bench_func("records", records_to_json, _json.dump_plain, inner_loops=ROWS),
    }
    if orjson is not None:
        fast = _json.dump
        benchmarks["dict, orjson"] = runner.bench_func(
            "dict, orjson", lambda: orjson.dumps(dicts()), inner_loops=ROWS
        )
        benchmarks["records, fast"] = runner.bench_func(
            "records, fast", records_to_json, fast, inner_loops=ROWS
        )
    if runner.args.worker:
        return
    means = {name: benchmark.mean() * 1e6 for name, benchmark in benchmarks.items()}
    print(f"\n{ROWS} agent-queue rows: build, validate, serialise; microseconds a row")
    for name, base in (("records", "dict, json"), ("records, fast", "dict, orjson")):
        if name in means:
            ratio = means[name] / means[base]
            print(f"{name:<16} {means[name]:6.2f}   {base:<14} {means[base]:6.2f}   {ratio:5.2f} x the dict")
    if java := jackson():
        ours = means.get("records, fast", means["records"])
        for name, figure in zip(("a new JVM", "a warm JVM"), java, strict=True):
            print(f"Jackson beans in {name:<10} {figure:6.2f}   records are {ours / figure:5.2f} x that")


if __name__ == "__main__":
    main()
