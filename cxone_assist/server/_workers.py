"""``serve()``: a server as a program, in this process or in several that share a port."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import ssl as ssl_module
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ._delivery import OnAudio, OnCall, OnStream
from ._server import LOOK_SECONDS, Server, bind
from .limits import Limits
from .stream import Authorize

__all__ = ["serve"]

_log = logging.getLogger("cxone_assist.server")
_RETRY_SECONDS = 1.0
"""Until a worker is started again that ended before it served."""
_LONGEST_END = 15.0
"""Seconds beyond the drain for a worker to close its sockets and see its callbacks return."""


def serve(
    *,
    authorize: Authorize,
    on_start: OnStream | None = None,
    on_audio: OnAudio | None = None,
    on_call: OnCall | None = None,
    on_end: OnStream | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    ssl: ssl_module.SSLContext | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    inline: bool = False,
    place_audio: bool = False,
    workers: int = 1,
    drain_seconds: float = 30.0,
    ready: Callable[[int], object] | None = None,
) -> None:
    """Serve until Ctrl-C (KeyboardInterrupt), then drain; the callbacks are those of ``Server``.

    While it drains, new calls are refused, and running ones may go on and come back. A second Ctrl-C
    closes what is open at once. SIGTERM does the same as Ctrl-C in a program that asks for it:
    ``signal.signal(signal.SIGTERM, signal.default_int_handler)``.

    With several ``workers`` each is a process of its own, forked from this one, which must have no
    other threads then; the kernel spreads the sockets over them (``SO_REUSEPORT``, Linux and BSD).
    The two sockets of a call may land in two processes, and so may a resumed stream: ``on_call``
    joins what reaches one process. A worker that dies is replaced; the streams of the others go on.

    Args:
        drain_seconds: how long running calls may go on after the end was asked for.
        ready: called with the port once it is listened on.

    Raises:
        OSError: the address cannot be listened on.
        RuntimeError: a worker could not be started; its error is on standard error.
        ValueError: ``workers`` is less than 1, or there is no such port.
    """
    if workers < 1:
        raise ValueError("workers must be at least 1")
    make = partial(
        Server,
        authorize=authorize,
        on_start=on_start,
        on_audio=on_audio,
        on_call=on_call,
        on_end=on_end,
        host=host,
        ssl=ssl,
        limits=limits,
        inline=inline,
        place_audio=place_audio,
    )
    if workers == 1:
        _serve_here(make(port=port), drain_seconds, ready or _nothing)
    else:
        _Workers(make, host, port, workers, drain_seconds).run(ready or _nothing)


def _nothing(port: int) -> None:
    """What is called with the port where the program does not ask for it."""


def _serve_here(server: Server, drain_seconds: float, ready: Callable[[int], object]) -> None:
    with server:
        with suppress(KeyboardInterrupt):
            ready(server.port)
            while True:
                time.sleep(LOOK_SECONDS)
        try:
            server.close(drain_seconds)
        except KeyboardInterrupt:  # the second one
            server.close()


class _Workers:
    """The processes that share a port, and the one that looks after them."""

    def __init__(
        self, make: Callable[..., Server], host: str, port: int, count: int, drain_seconds: float
    ) -> None:
        # Bound and never listening: it holds the port for as long as a worker may have to be replaced.
        self._reserved = bind(host, port, reuse_port=True)
        self._port = self._reserved.getsockname()[1]
        self._make = partial(make, port=self._port, reuse_port=True)
        self._count = count
        self._drain_seconds = drain_seconds
        self._fork = multiprocessing.get_context("fork")
        self._workers: list[BaseProcess] = []
        # Nothing is ever sent: each worker waits for the end of it, which comes with that of this process.
        self._life, self._living = self._fork.Pipe(duplex=False)

    def run(self, ready: Callable[[int], object]) -> None:
        try:
            with suppress(KeyboardInterrupt):
                self._serve(ready)
            with suppress(KeyboardInterrupt):  # the second one
                self._end(self._drain_seconds + _LONGEST_END)
            with suppress(KeyboardInterrupt):  # the third
                # Again and again: two signals are one to a process that has not seen the first yet.
                self._end(_LONGEST_END, insist=True)
        finally:
            for worker in self._workers:
                worker.kill()
                worker.join()
            self._life.close()
            self._living.close()
            self._reserved.close()

    def _serve(self, ready: Callable[[int], object]) -> None:
        for _ in range(self._count):
            if not self._start():
                raise RuntimeError("a worker ended before it served; its error is on standard error")
        ready(self._port)
        while True:
            ended = wait([worker.sentinel for worker in self._workers], LOOK_SECONDS)
            for dead in [worker for worker in self._workers if worker.sentinel in ended]:
                dead.join()
                _log.error("worker %s died with %s; another takes its place", dead.pid, dead.exitcode)
                self._workers.remove(dead)
                while not self._start():
                    time.sleep(_RETRY_SECONDS)

    def _start(self) -> bool:
        """Start a worker, and tell whether it came to serve."""
        started, starts = self._fork.Pipe(duplex=False)
        worker = self._fork.Process(target=self._work, args=(starts,))
        worker.start()
        self._workers.append(worker)
        starts.close()  # so that the pipe ends where the worker does
        with started, suppress(EOFError):
            started.recv()
            return True
        worker.join()
        self._workers.remove(worker)
        return False

    def _work(self, starts: Connection) -> None:
        """Serve until SIGTERM, or the parent is gone: the whole life of a worker process, which is ours."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of the group; the parent says when
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # raises KeyboardInterrupt
        self._living.close()
        with suppress(KeyboardInterrupt), self._make() as server:
            with suppress(KeyboardInterrupt):
                starts.send(None)
                starts.close()
                parent_gone: Sequence[object] = ()
                while not parent_gone:
                    parent_gone = wait([self._life], LOOK_SECONDS)
            try:
                server.close(self._drain_seconds)
            except KeyboardInterrupt:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it comes again and again
                server.close()

    def _end(self, patience: float, *, insist: bool = False) -> None:
        """Ask the workers to end, and wait for them."""
        until = time.monotonic() + patience
        alive, asked = self._workers, False
        while alive and time.monotonic() < until:
            if insist or not asked:
                for worker in alive:
                    worker.terminate()
                asked = True
            # Not by `is_alive()`: interrupted by a signal, it may take an ended worker for alive for ever.
            ended = wait([worker.sentinel for worker in alive], LOOK_SECONDS)
            alive = [worker for worker in alive if worker.sentinel not in ended]
