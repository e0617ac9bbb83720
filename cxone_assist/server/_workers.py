"""``serve()``: a server as a program, in this process or in several that share a port."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import ssl as ssl_module
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Semaphore
from threading import Event

from ._delivery import OnAudio, OnCall, OnStream
from ._server import Server, bind
from .limits import Limits
from .stream import Authorize

__all__ = ["serve"]

_log = logging.getLogger("cxone_assist.server")
_LOOK_SECONDS = 0.5
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

    With several ``workers`` each is a process of its own, forked from this one, which must have no
    other threads then; the kernel spreads the sockets over them (``SO_REUSEPORT``, Linux and BSD).
    The two sockets of a call may land in two processes, and so may a resumed stream: ``on_call``
    joins what reaches one process. A worker that dies is replaced; the streams of the others go on.

    Args:
        drain_seconds: how long running calls may go on after the end was asked for.
        ready: called with the port once it is listened on.

    Raises:
        OSError: the address cannot be listened on.
        ValueError: ``workers`` is less than 1.
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
        try:
            ready(server.port)
            Event().wait()
        except KeyboardInterrupt:
            server.close(drain_seconds)


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
        self._started = self._fork.Semaphore(0)

    def run(self, ready: Callable[[int], object]) -> None:
        workers = [self._start() for _ in range(self._count)]
        try:
            for _ in workers:
                self._started.acquire()
            ready(self._port)
            while True:
                wait([worker.sentinel for worker in workers])
                for dead in [worker for worker in workers if not worker.is_alive()]:
                    _log.error("worker %s died with %s; another takes its place", dead.pid, dead.exitcode)
                    workers.remove(dead)
                    workers.append(self._start())
                    self._started.acquire()
        except KeyboardInterrupt:
            pass
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.join(self._drain_seconds + _LONGEST_END)
                worker.kill()
                worker.join()
            self._reserved.close()

    def _start(self) -> BaseProcess:
        worker = self._fork.Process(target=work, args=(self._make, self._started, self._drain_seconds))
        worker.start()
        return worker


def work(make: Callable[[], Server], started: Semaphore, drain_seconds: float) -> None:
    """Serve until SIGTERM or until the parent is gone: the whole life of a worker process, which is ours."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of the group; the parent says when
    parent = multiprocessing.parent_process()
    with make() as server:
        started.release()
        while not stop.wait(_LOOK_SECONDS) and (parent is None or parent.is_alive()):
            pass
        server.close(drain_seconds)
