"""A worker under strace, whose system calls can be made to fail, or to be its last.

strace is attached to a worker that a `Nursery` has forked, before it does anything: so no import is traced.
It counts the calls of each thread for itself: "the k-th" is the k-th of whichever thread gets there.
"""

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import attrs

from faults.nursery import Nursery
from faults.waiting import wait_for
from faults.worker import Job, process_status

MISSING = "strace is not installed, or may not be used here"
PATIENCE = 60.0
_LINE = re.compile(r"(\d+) +(\w+)\(")


def can_trace() -> bool:
    """strace is there, and may be used."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], check=False).returncode == 0


def _strace(nursery: Nursery, job: Job, *options: str, timeout: float) -> int:
    """Run the worker; its exit code, -9 where it was killed or took too long."""
    pid = nursery.start(attrs.evolve(job, stopped=True))
    if wait_for(lambda: process_status(pid, "State").startswith("T"), PATIENCE) >= PATIENCE:
        raise RuntimeError(f"the worker does not stop: {nursery.last_words()}")
    command = ["strace", "-f", "-e", "signal=none", *options, "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        if "attached" not in said:
            raise RuntimeError(f"strace cannot be attached: {said}")
        nursery.go_on()
        code = nursery.ended(timeout)
        if code is None:
            nursery.kill()
        tracer.stderr.read()  # to its end, which comes with the worker's
    return -9 if code is None else code


def count_calls(nursery: Nursery, job: Job, calls: tuple[str, ...], log: Path) -> dict[str, int]:
    """Run it undisturbed; for each call, how often the busiest thread made it."""
    if _strace(nursery, job, "-e", f"trace={','.join(calls)}", "-o", str(log), timeout=PATIENCE):
        raise RuntimeError(f"the worker fails even undisturbed: {nursery.last_words()}")
    made: Counter[tuple[str, str]] = Counter()
    for line in log.read_text(encoding="ascii", errors="replace").splitlines():
        if match := _LINE.match(line):
            made[match[2], match[1]] += 1
    return {call: max((n for (name, _), n in made.items() if name == call), default=0) for call in calls}


def inject(nursery: Nursery, job: Job, at: tuple[str, str], effect: str, timeout: float = PATIENCE) -> int:
    """Run it with an effect on a call: "signal=KILL" or "error=EIO". `at`: its name and "3", or "3+" on."""
    call, when = at
    injection = f"inject={call}:{effect}:when={when}"
    return _strace(nursery, job, "-e", f"trace={call}", "-e", injection, "-o", os.devnull, timeout=timeout)
