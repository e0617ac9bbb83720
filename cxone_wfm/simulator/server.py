"""Simulator: the application behind a server on this machine, in a thread of its own."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any

from ..config import Endpoints, WfmConfig
from ..models import AccessKeyTokenRequest
from .app import TAKE_OVER, Application
from .faults import InjectedFault
from .state import Received, State

try:
    from cheroot import server as http
    from cheroot import wsgi
except ImportError as error:
    raise ImportError(
        'cxone_wfm.simulator needs cheroot, which is not installed: pip install "cxone-wfm-sdk[simulator]"'
    ) from error

_log = logging.getLogger("cxone_wfm.simulator")

# So many requests are worked on at a time, delayed ones among them: 64 clients, and some who read back.
_WORKERS = 80
_LARGEST_HEADER = 64 * 1024
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - how to reach it, not where to bind


class Simulator:
    """A local CXone WFM to develop and test against.

    ::

        with Simulator() as simulator:
            with WfmClient(simulator.config()) as wfm:
                wfm.heartbeat.send()
            assert simulator.received.heartbeats == 1

    It serves the operations of `endpoints`, gives out real tokens that live for `token_life`
    seconds, checks the data as the records do, and keeps all that it took until `reset()`.
    `one_time_refresh`: a refresh token is good for one use only. `clock` is what tokens expire by:
    seconds that never go back. A body of more than `max_body_bytes` is answered with 413.

    It listens at `host` and `port`; port 0 is any free one. Only with another `host` than the
    default can other machines reach it, and read back what it holds.

    The shapes of requests and answers are those of the vendor's page. Where the page is silent the
    simulator follows our assumptions: the paths, the error bodies, the life of a refresh token.

    Raises `ConfigurationError` where the endpoints cannot be served.
    """

    def __init__(
        self,
        *,
        endpoints: Endpoints = Endpoints(),  # noqa: B008 - frozen
        access_key_id: str = "simulator-key",
        access_key_secret: str = "simulator-secret",  # noqa: S107 - opens nothing but the simulator
        tenant_name: str = "Simulator_Tenant",
        token_life: int = 3600,
        one_time_refresh: bool = False,
        acd_types: Iterable[str] = ("Generic_acdName", "Generic_LiveVox"),
        max_body_bytes: int = 16 * 1024 * 1024,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoints = endpoints
        self._access_key = AccessKeyTokenRequest(
            access_key_id=access_key_id, access_key_secret=access_key_secret
        )
        self._tenant_name = tenant_name
        self._address = (host, port)
        self._stopping = threading.Event()
        self._running: tuple[_Server, threading.Thread] | None = None
        self._state = State(
            access_key=self._access_key,
            tenant_name=tenant_name,
            token_life=token_life,
            one_time_refresh=one_time_refresh,
            clock=clock,
        )
        self._application = Application(
            self._state,
            endpoints=endpoints,
            acd_types=tuple(acd_types),
            max_body_bytes=max_body_bytes,
            stopping=self._stopping,
        )

    def start(self) -> None:
        """Listen and serve.

        Raises `OSError` where the address cannot be had, `RuntimeError` where it runs already.
        """
        if self._running is not None:
            raise RuntimeError("the simulator runs already")
        self._stopping.clear()
        server = _Server(self._address, self._application)
        server.prepare()
        self._address = server.bind_addr
        thread = threading.Thread(target=server.serve, name="cxone-wfm-simulator", daemon=True)
        thread.start()
        self._running = server, thread

    def stop(self) -> None:
        """Close every connection and end every thread, at once. Does nothing where it does not run.

        What was received stays readable. After a new `start()` the simulator is at the same address,
        with the same tokens and data: that is how an outage is played.
        """
        if self._running is not None:
            server, thread = self._running
            self._running = None
            self._stopping.set()
            server.stop()
            thread.join()

    def __enter__(self) -> "Simulator":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """Where it listens, such as "http://127.0.0.1:40321". Known from the first `start()` on."""
        host, port = self._address
        if port == 0:
            raise RuntimeError("the simulator has no address yet; use it as `with Simulator() as simulator:`")
        host = _ANY_ADDRESS.get(host, host)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def config(self, **overrides: object) -> WfmConfig:
        """The settings of a client of this simulator. `overrides` are those of `WfmConfig` that shall differ.

        Raises `ConfigurationError` as `WfmConfig` does: also where `host` is not this machine.
        """
        settings: dict[str, Any] = {
            "base_url": self.base_url,
            "tenant_name": self._tenant_name,
            "access_key_id": self._access_key.access_key_id,
            "access_key_secret": self._access_key.access_key_secret,
            "endpoints": self._endpoints,
            **overrides,
        }
        return WfmConfig(**settings)

    @property
    def received(self) -> Received:
        """All that was received since the start or the last `reset()`. Reading it changes nothing."""
        return self._state.received()

    def fail(self, operation: str, fault: InjectedFault, *, times: int = 1) -> None:
        """Let the fault meet the next `times` requests of the operation, after the faults planted before.

        `operation` is a name in `Endpoints`, such as "historical_report", or "*" for any of them.
        Raises `ValueError` for an unknown operation or a number below 1, `TypeError` for what is no fault.
        """
        self._state.plant(operation, fault, times)

    def expire_tokens(self) -> None:
        """Make every access token that was given out invalid, at once. Refresh tokens stay good."""
        self._state.expire_tokens()

    def revoke_key(self) -> None:
        """Refuse every login from now on, until `reset()`."""
        self._state.revoke_key()

    def reset(self) -> None:
        """Forget what was received, the faults that are left, and a revoked key. Tokens stay as they are."""
        self._state.reset()


class _Gateway(wsgi.Gateway_10):
    """Lets the application take the connection over."""

    def __init__(self, request: http.HTTPRequest) -> None:
        super().__init__(request)
        self.env[TAKE_OVER] = self._take_over

    def _take_over(self) -> Callable[[bytes], object]:
        # cheroot believes the headers to be sent, so it sends nothing by itself.
        self.req.sent_headers = True
        self.req.close_connection = True
        write: Callable[[bytes], object] = self.req.conn.wfile.write
        return write


class _Connection(http.HTTPConnection):
    """A connection that the server can cut at any time."""

    def __init__(self, server: "_Server", *arguments: Any) -> None:  # noqa: ANN401 - as in cheroot
        super().__init__(server, *arguments)
        server.opened(self)

    def cut(self) -> None:
        """Wake whoever reads from it or writes to it."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.server.closed(self)
        super().close()
        self.wfile.raw.close()  # or what was not written would be tried again, in vain, when it is collected


class _Server(wsgi.Server):
    """cheroot's server, but it logs instead of writing to stderr, and stops at once."""

    ConnectionClass = _Connection
    expiration_interval = 0.05  # seconds that the listening thread needs at most to see stop()
    keep_alive_conn_limit = 1024
    max_request_header_size = _LARGEST_HEADER

    def __init__(self, address: tuple[str, int], application: Application) -> None:
        super().__init__(
            address,
            application,
            numthreads=_WORKERS,
            server_name="cxone-wfm-simulator",
            request_queue_size=128,
            shutdown_timeout=1,
        )
        self.gateway = _Gateway
        self._lock = threading.RLock()
        self._open: set[_Connection] = set()
        self._stopping = False
        self._idle_threads: list[threading.Thread] = []
        # cheroot's register of servers would keep this one, and all that it holds, for ever.
        getattr(logging, "statistics", {}).pop(f"Cheroot HTTPServer {id(self)}", None)

    def opened(self, connection: _Connection) -> None:
        with self._lock:
            self._open.add(connection)
            if self._stopping:
                connection.cut()

    def closed(self, connection: _Connection) -> None:
        with self._lock:
            self._open.discard(connection)

    def put_conn(self, conn: _Connection) -> None:
        # Under the lock, so that no connection is put back after stop() has begun.
        with self._lock:
            if self._stopping:
                conn.close()
            else:
                super().put_conn(conn)

    def stop(self) -> None:
        with self._lock:
            self._stopping = True
            for connection in self._open:
                connection.cut()
        super().stop()
        for thread in self._idle_threads:
            thread.join()

    def _serve_unservicable(self) -> None:
        # cheroot runs this in a thread that it does not join, for connections that a full queue
        # turns away. Our queue has no bound, so there is nothing to do; stop() joins it.
        self._idle_threads.append(threading.current_thread())

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: tuple[str, int]) -> socket.socket:
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()  # cheroot leaves it to the garbage collector
            raise
        if os.name != "nt":  # pragma: no branch - Windows needs no such thing
            # What a client still holds of an old connection would keep the next start() from this port.
            # After the bind, for with port 0 it could take a port from others; connections inherit it.
            socket_.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return socket_

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:  # noqa: FBT001, FBT002 - as in cheroot
        _log.log(level, "%s", msg, exc_info=traceback)
