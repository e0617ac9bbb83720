"""F15, secrets: canaries as key and tokens, a server that says them back, and a search of all that is left.

The worker logs everything at DEBUG, with the locals of every traceback, in Python's development mode.
Then its log, its stderr, the store and whatever lies beside it are searched for each canary: as it is,
and as it looks in a URL, in base64, in hexadecimal digits and in JSON.
"""

import base64
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from faults.answers import PLAIN, Fault, Line
from faults.kill import Books, note, streams
from faults.ledger import compare
from faults.report import Count, Outcome, command, timed
from faults.server import LOGIN, REFRESH, Cxone, Request
from faults.stock import stock_of
from faults.waiting import wait_for
from faults.worker import Job, environment

COUNTS = {
    "events": Count(300, 3_000, "events of each run"),
    "runs": Count(2, 6, "runs, each ended in another way"),
}
PATIENCE = 300.0
MARK = "+canary/=="
KEY = f"key{MARK}"
SECRETS = (f"{KEY}-id", f"{KEY}-secret", f"access{MARK}", f"refresh{MARK}")


def forms(secret: str) -> set[bytes]:
    """The secret as it is, in a URL, in base64 at each of three shifts, in hexadecimal digits, in JSON."""
    raw = secret.encode()
    shifted = [base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)]
    written = [quote(secret), quote(secret, safe=""), json.dumps(secret).replace("/", "\\/").strip('"')]
    return {raw, raw.hex().encode(), *shifted, *(text.encode() for text in written)}


FORMS = {form for secret in SECRETS for form in forms(secret)}


def parrot(status: int, *, takes: bool = False) -> Fault:
    """A fault that says the secrets back, in its body and in its headers."""
    said = f"{KEY}-id {KEY}-secret refresh{MARK}-1 Bearer access{MARK}-1"

    def spoil(line: Line) -> None:
        body = json.dumps({"message": said, "error_description": said}).encode()
        line.answer(status, body, PLAIN, f"X-Correlation-Id: {said}", f"Retry-After: access{MARK}-1")

    return Fault(f"parrot_{status}", takes, spoil, keeps_open=True)


class Rule:
    """Every third data request is answered badly, in turn; one answer is a 401."""

    def __init__(self) -> None:
        self._faults: list[Fault | str] = [
            parrot(500),
            parrot(503),
            "html",
            "reset_inside",
            "answer_lost",
        ]
        self._asked = 0
        self._bad = 0

    def __call__(self, request: Request) -> Fault | str | None:
        if request.number == 12:  # once, for a token that is refused again and again stops the sending
            return parrot(401)
        self._asked += 1
        if request.path in {LOGIN, REFRESH} or self._asked % 3:
            return None
        self._bad += 1
        return self._faults[self._bad % len(self._faults)]


def hits(folder: Path) -> tuple[list[str], int]:
    """The files below a folder that hold a canary, and how many bytes were searched."""
    found, size = [], 0
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            size += len(content)
            found += [f"{path.name} holds {form.decode()!r}" for form in FORMS if form in content]
    return found, size


def once(number: int, count: int, outcome: Outcome, work: Path) -> int:
    """One run, ended by itself, by SIGTERM or by SIGKILL. Gives how many bytes were searched."""
    books = Books(work / "receipts", streams(20))
    (work / "store").mkdir(mode=0o700)
    with Cxone(Rule(), mark=MARK) as server:
        job = Job(
            store=str(work / "store" / "outbox.db"),
            url=server.url,
            receipts=str(books.path),
            refused=str(work / "refused"),
            start=books.start(),
            count=count,
            then=("drain", "stop", "wait")[number % 3],
            key=KEY,
            patience=PATIENCE - 60,
            log=str(work / "log"),
        )
        with (work / "said").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-X", "dev", "-m", "faults.worker"],
                stdout=said,
                stderr=said,
                env=environment(job),
            )
            if job.then != "drain":
                wait_for(lambda: bool(server.data()), PATIENCE)
                time.sleep(0.5)
                process.send_signal(signal.SIGTERM if job.then == "stop" else signal.SIGKILL)
            code = process.wait(PATIENCE)
        outcome.expect(code == (-9 if job.then == "wait" else 0), f"the worker ended with {code}")
        books.update()
        if job.then == "drain":
            stock = stock_of(Path(job.store))
            note(outcome, compare(books.accepted(), server.deliveries(), stock.events), stock)
        outcome.expect(bool(server.data()), "nothing was sent")
    found, size = hits(work)
    outcome.problems += found[:5]
    outcome.done["hits"] = int(str(outcome.done.get("hits", 0))) + len(found)
    return size


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """All runs."""
    outcome, searched = Outcome(fault="F15 secrets"), 0
    with timed(outcome):
        for number in range(counts["runs"]):
            with tempfile.TemporaryDirectory() as name:
                searched += once(number, counts["events"], outcome, Path(name))
    outcome.done |= {"runs": counts["runs"], "KiB searched": searched // 1024, "forms": len(FORMS)}
    outcome.expect(searched > 50_000, "hardly anything was searched")
    return [outcome]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))
