"""A process that forks workers: a thousand of them start in milliseconds each, and are killed for real."""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, Queue

import attrs

from faults.worker import Job, run

LAZY = ("cxone_wfm._transport", "cxone_wfm._structure", "tenacity")
"""What the library imports only when it is needed."""

EXTRA = 60.0
"""Seconds that a worker may take beyond those for which it waits."""


class Nursery:
    """One worker at a time. Use it in a `with` block. What workers write to stderr goes to a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.errors = folder / "stderr"
        self._stderr = self.errors.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)},
            text=True,
        )
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.pid = 0

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: object) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._reader.join()
        self._process.stdout.close()  # type: ignore[union-attr]
        self._stderr.close()

    def start(self, job: Job) -> int:
        """Fork a worker; its pid."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(attrs.asdict(job)) + "\n")
        self._process.stdin.flush()
        self.pid = int(self._lines.get(timeout=30))
        return self.pid

    def is_over(self) -> bool:
        """Whether the worker has ended."""
        return not Path(f"/proc/{self.pid}").exists()

    def ended(self, timeout: float) -> int | None:
        """The worker's exit code, negative for a signal; None where it runs on after the time."""
        try:
            code = int(self._lines.get(timeout=timeout))
        except Empty:
            return None
        self.pid = 0
        return code

    def go_on(self) -> None:
        """SIGCONT to a worker that has stopped."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        if self.ended(30) is None:
            raise RuntimeError("a killed worker does not end")

    def finish(self, job: Job) -> str:
        """Run a worker to its own end. What went wrong, empty where nothing did."""
        self.start(job)
        timeout = job.patience + EXTRA
        code = self.ended(timeout)
        if code is None:
            self.kill()
            return f"a worker did not end in {timeout:.0f} s"
        return f"a worker failed with {code}: {self.last_words()}" if code else ""

    def last_words(self) -> str:
        """The last line that a worker wrote to stderr."""
        return (self.errors.read_text(encoding="utf-8").strip().splitlines() or [""])[-1][:300]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)


def main() -> None:
    """Fork one worker for each line of stdin, tell its pid, wait for it, tell how it ended."""
    signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGTERM}
    )  # the worker waits for it, and must not die of it before
    for name in LAZY:  # once here, not in each worker
        importlib.import_module(name)
    for line in sys.stdin:
        job = Job(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = run(job)
            finally:
                if code:
                    sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
                sys.stderr.flush()
                os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
