"""A historical report of many rows, built and written, and read, beside plain dicts, msgspec and pydantic.

msgspec checks nothing when a record is built in Python; pydantic checks the same bounds as we do, and a dict
is checked by nobody. Where a JDK and Jackson are installed (Debian: libjackson2-databind-java), the full size
also has the same rows as Jackson beans, in a new JVM and in a warm one.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

from cxone_wfm import AgentQueueReport, HistoricalReport, HistoricalReportData, _json

from .rows import Row, Size, Way, against, found, in_turns

COMPARED = ("orjson", "msgspec", "pydantic")
ROWS: dict[Size, int] = {"tiny": 50, "quick": 2000, "full": 50_000}
ROUNDS: dict[Size, int] = {"tiny": 1, "quick": 5, "full": 9}
START = datetime(2024, 4, 17, 10, 0, tzinfo=timezone.utc)
END = datetime(2024, 4, 17, 10, 15, tzinfo=timezone.utc)
JARS = ("jackson-annotations.jar", "jackson-core.jar", "jackson-databind.jar")
FIELDS = (
    *(("queueValue", str), ("queueName", str), ("isOutbound", bool), ("agentValue", str), ("agentId", str)),
    *(("handled", int), ("handledTime", float), ("workTime", float), ("rightPartyHandleTime", float)),
    *(("rightPartyContacts", int), ("wrongPartyHandleTime", float), ("wrongPartyContacts", int)),
    *(("holdTime", float), ("active", int)),
)
MOST = 2**31 - 1


def records(count: int) -> HistoricalReport:
    """The report in records of ours."""
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
                for i in range(count)
            ]
        ),
    )


def dicts(count: int, row: type = dict) -> dict[str, object]:
    """The same in dicts, or with rows of another class."""
    return {
        "acdType": "Generic_LiveVox",
        "reportVersion": "0",
        "startDate": "2024-04-17T10:00:00.000Z",
        "endDate": "2024-04-17T10:15:00.000Z",
        "status": "SUCCESS",
        "statusReason": "",
        "reportData": {
            "agentQueueReport": [
                row(
                    queueValue="8057",
                    queueName="ChatSkill_11",
                    isOutbound=False,
                    agentValue=str(967382 + i),
                    agentId="11eceb46-1527-7bf0-8adf-0242ac110002",
                    handled=i % 7,
                    handledTime=276.5,
                    workTime=3.25,
                    rightPartyHandleTime=0,
                    rightPartyContacts=0,
                    wrongPartyHandleTime=0,
                    wrongPartyContacts=0,
                    holdTime=0,
                    active=0,
                )
                for i in range(count)
            ]
        },
    }


@contextmanager
def writer(dump: object) -> Iterator[None]:
    """Use one of the two writers, whichever is installed."""
    before, _json.dump = _json.dump, dump
    try:
        yield
    finally:
        _json.dump = before


def add_msgspec(build: dict[str, Way], read: dict[str, Way], count: int, text: bytes) -> None:
    """Structs, whose bounds are checked when they are read."""
    import msgspec  # noqa: PLC0415 - it may not be there

    bounds = {
        str: Annotated[str, msgspec.Meta(min_length=1, max_length=256)],
        int: Annotated[int, msgspec.Meta(ge=0, le=MOST)],
        float: Annotated[float, msgspec.Meta(ge=0)],
        bool: bool,
    }
    row = msgspec.defstruct("Row", [(name, bounds[kind]) for name, kind in FIELDS], kw_only=True)
    data = msgspec.defstruct("Data", [("agentQueueReport", list[row])])
    heads = ("acdType", "reportVersion", "startDate", "endDate", "status", "statusReason")
    report = msgspec.defstruct("Report", [*((name, str) for name in heads), ("reportData", data)])
    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(report)
    build["msgspec"] = lambda: encoder.encode(dicts(count, row))
    read["msgspec"] = lambda: decoder.decode(text)


def add_pydantic(build: dict[str, Way], read: dict[str, Way], count: int, text: bytes) -> None:
    """Models, whose bounds are checked both when they are built and when they are read."""
    import pydantic  # noqa: PLC0415 - it may not be there

    bounds = {
        str: (str, pydantic.Field(min_length=1, max_length=256)),
        int: (int, pydantic.Field(ge=0, le=MOST)),
        float: (float, pydantic.Field(ge=0)),
        bool: (bool, ...),
    }
    config = pydantic.ConfigDict(strict=True, extra="forbid", frozen=True)
    row = pydantic.create_model("Row", __config__=config, **{name: bounds[kind] for name, kind in FIELDS})
    data = pydantic.create_model("Data", __config__=config, agentQueueReport=(list[row], ...))
    heads = ("acdType", "reportVersion", "startDate", "endDate", "status", "statusReason")
    report = pydantic.create_model(
        "Report", __config__=config, reportData=(data, ...), **dict.fromkeys(heads, (str, ...))
    )
    build["pydantic"] = lambda: report(**dicts(count, row)).model_dump_json().encode()
    read["pydantic"] = lambda: report.model_validate_json(text)


def add_orjson(build: dict[str, Way], read: dict[str, Way], count: int, text: bytes) -> None:
    """Plain dicts through the writer of the extra `fast`."""
    import orjson  # noqa: PLC0415 - it may not be there

    build["dicts, orjson"] = lambda: orjson.dumps(dicts(count))
    read["dicts, orjson"] = lambda: orjson.loads(text)


def jackson(count: int) -> dict[str, float]:
    """Seconds a row in a new JVM and in a warm one; nothing where there is no JDK or no Jackson."""
    jars = [Path("/usr/share/java") / jar for jar in JARS]
    if not (shutil.which("javac") and all(jar.exists() for jar in jars)):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = ":".join([folder, *map(str, jars)])
        source = Path(__file__).parent / "jackson" / "Rows.java"
        subprocess.run(["javac", "-cp", path, "-d", folder, source], check=True)
        printed = subprocess.run(
            ["java", "-cp", path, "Rows", str(count)], check=True, capture_output=True, text=True
        ).stdout
    first, warm = (float(nanoseconds) * 1e-9 for nanoseconds in printed.split())
    return {"Jackson, a new JVM": first, "Jackson, a warm JVM": warm}


def measure(size: Size) -> list[Row]:
    """Building and writing with each of our writers, and reading."""
    count, rounds = ROWS[size], ROUNDS[size]
    text = records(count).to_json()
    build: dict[str, Way] = {
        "standard library": lambda: plain(count),
        "dicts, json": lambda: json.dumps(dicts(count)).encode(),
    }
    read: dict[str, Way] = {
        "ours": lambda: HistoricalReport.from_json(text),
        "dicts, json": lambda: json.loads(text),
    }
    if found("orjson"):
        build["extra fast"] = lambda: records(count).to_json()
        add_orjson(build, read, count, text)
    if found("msgspec"):
        add_msgspec(build, read, count, text)
    if found("pydantic"):
        add_pydantic(build, read, count, text)
    times = in_turns(build, items=count, rounds=rounds)
    if size == "full":
        times |= jackson(count)
    rows = against(times, "standard library", "row", "build, standard library", others=("dicts, json",))
    if "extra fast" in times:
        others = tuple(
            name for name in times if name not in {"standard library", "extra fast", "dicts, json"}
        )
        rows += against(times, "extra fast", "row", "build, extra fast", others=others)
    return rows + against(in_turns(read, items=count, rounds=rounds), "ours", "row", "read and check")


def plain(count: int) -> bytes:
    """Build and write without the extra."""
    with writer(_json.dump_plain):
        return records(count).to_json()
