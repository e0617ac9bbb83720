"""A worker under strace, whose system calls can be made to fail, or to be its last.

strace counts the calls of each thread for itself: "the k-th" is the k-th of whichever thread gets there.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from faults.worker import Job, environment

MISSING = "strace is not installed, or may not be used here"
_LINE = re.compile(r"(\d+) +(\w+)\(")


def can_trace() -> bool:
    """strace is there, and may be used."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], check=False).returncode == 0


def _strace(job: Job, *options: str, timeout: float) -> int:
    """Run the worker; its exit code, -9 where it was killed or took too long."""
    tracer = ["strace", "-f", "-qq", "-e", "signal=none", *options]
    process = subprocess.Popen(
        [*tracer, sys.executable, "-m", "faults.worker"],
        env=environment(job, PYTHONDONTWRITEBYTECODE="1"),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        return process.wait()


def count_calls(job: Job, calls: tuple[str, ...], log: Path, timeout: float = 60.0) -> dict[str, int]:
    """Run it undisturbed; for each call, how often the busiest thread made it."""
    if _strace(job, "--seccomp-bpf", "-e", f"trace={','.join(calls)}", "-o", str(log), timeout=timeout):
        raise RuntimeError("the worker fails even undisturbed")
    made: Counter[tuple[str, str]] = Counter()
    for line in log.read_text(encoding="ascii", errors="replace").splitlines():
        if match := _LINE.match(line):
            made[match[2], match[1]] += 1
    return {call: max((n for (name, _), n in made.items() if name == call), default=0) for call in calls}


def inject(job: Job, call: str, effect: str, when: str, timeout: float = 60.0) -> int:
    """Run it with an effect on the call: "signal=KILL" or "error=EIO". `when` is "3", or "3+" for ever."""
    injection = f"inject={call}:{effect}:when={when}"
    # The quick way to trace lets errors in, but no signals (strace 6.1).
    quick = [] if effect.startswith("signal") else ["--seccomp-bpf"]
    return _strace(job, *quick, "-e", f"trace={call}", "-e", injection, "-o", os.devnull, timeout=timeout)
