"""Every setting and every default, once.

What the vendor does not publish is a setting here, and its default is **our assumption**: the
paths of the ASC Manager, the size of a request, the period of the heartbeat, all timeouts.
"""

import os
import re
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

import attrs
from attrs import field, frozen

from .errors import ConfigurationError
from .secrets import Secret, to_secret, to_secret_or_none

MAX_BATCH = 500
MAX_BATCH_BYTES = 512 * 1024
LONGEST_SECONDS = 24 * 3600
"""The longest time that a setting may name: a day. More is a slip of the unit."""

TokenRequestShape = Literal["nested", "flat"]
_SHAPES = ("nested", "flat")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_METHODS = ("GET", "POST", "PUT", "PATCH")
_HOST_AND_PORT = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")


@frozen
class Route:
    """How one operation is reached: `Route("POST", "/path")`. The path is relative to the base URL."""

    method: str
    path: str

    def problems(self, name: str) -> list[str]:
        """What is wrong with it, one sentence each. `name` is the operation's."""
        found = []
        if self.method not in _METHODS:
            found.append(f"route {name}: the method is {self.method!r}; use one of {', '.join(_METHODS)}")
        if not _is_path(self.path):
            found.append(f"route {name}: {self.path!r} is no path; it must look like /some/path")
        return found


@frozen(kw_only=True)
class Endpoints:
    """Where each operation is served.

    The two token paths are observed in public clients of the regional endpoint. **All others are
    assumptions of ours**: the vendor does not publish the ASC Manager's paths. Ask NICE for yours.
    """

    access_key_token: Route = Route("POST", "/authentication/v1/token/access-key")
    refresh_token: Route = Route("POST", "/public/user/refresh")
    agent_states: Route = Route("POST", "/asc-manager/v1/agent-states")
    agent_activity_report: Route = Route("POST", "/asc-manager/v1/agent-activity-report")
    historical_report: Route = Route("POST", "/asc-manager/v1/historical-report")
    acd_types: Route = Route("GET", "/asc-manager/v1/acd-types")
    heartbeat: Route = Route("POST", "/asc-manager/v1/heartbeat")


@frozen(kw_only=True)
class Timeouts:
    """How long a call may take, in seconds (our choice).

    `total` bounds the whole call: every attempt, the waits between them, and the token it needs.
    """

    connect: float = 5.0
    read: float = 30.0
    total: float = 45.0


@frozen(kw_only=True)
class RetryPolicy:
    """How a call is tried again (our choice): at most `attempts` requests in all.

    The wait before attempt n+1 is a random part of `first_wait * 2**(n-1)` seconds, at most
    `longest_wait`, and never shorter than what the server asks for in Retry-After.
    """

    attempts: int = 3
    first_wait: float = 0.5
    longest_wait: float = 60.0


def _base(url: str) -> str:
    try:
        return str.rstrip(url, "/")
    except TypeError:  # told with all other problems
        return url


def _base_or_none(url: str | None) -> str | None:
    return None if url is None else _base(url)


@frozen(kw_only=True)
class WfmConfig:
    """Everything that the clients need to know. Raises `ConfigurationError`, which lists all problems.

    `base_url`: where CXone's ASC Manager is served: https, or http to this machine for tests.
    `auth_url`: where the two token paths are served, if elsewhere; else `base_url`.
    `tenant_name`: the CXone tenant; sent in the nested login.
    `token_request`: "nested", as on the vendor's page, or "flat", as the regional endpoint takes it.
    `max_batch`: agent states in one request at most; `max_batch_bytes`: bytes of such a request at most.
    `lists_applied_in_order`: set it only where NICE confirms that CXone applies a list of states in its
    order, as a whole; then a request may hold several states of one agent.
    `heartbeat_interval`: seconds between two beats of `HeartbeatMonitor`.
    `ca_bundle`: path of a PEM file of certificates to trust instead of the default ones.
    `proxy`: URL of an HTTP proxy. Proxies of the environment and .netrc are not read.
    """

    base_url: str = field(converter=_base)
    tenant_name: str
    access_key_id: Secret = field(converter=to_secret)
    access_key_secret: Secret = field(converter=to_secret)
    auth_url: str | None = field(default=None, converter=_base_or_none)
    token_request: TokenRequestShape = "nested"  # noqa: S105 - the shape of a request
    endpoints: Endpoints = Endpoints()
    timeouts: Timeouts = Timeouts()
    retry: RetryPolicy = RetryPolicy()
    max_batch: int = MAX_BATCH
    max_batch_bytes: int = MAX_BATCH_BYTES
    lists_applied_in_order: bool = False
    heartbeat_interval: float = 30.0
    ca_bundle: str | None = None
    proxy: Secret | None = field(default=None, converter=to_secret_or_none)

    def __attrs_post_init__(self) -> None:
        problems = [
            *_url_problems("base_url", self.base_url),
            *(_url_problems("auth_url", self.auth_url) if self.auth_url is not None else []),
            *_text_problems(self),
            *_choice_problems(self),
            *_group_problems(self),
        ]
        if problems:
            raise ConfigurationError(problems)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "WfmConfig":
        """Read the settings from the environment, or from the mapping given.

        Needed: CXONE_BASE_URL, CXONE_TENANT, CXONE_ACCESS_KEY_ID, CXONE_ACCESS_KEY_SECRET.
        Optional: CXONE_AUTH_URL, CXONE_TOKEN_REQUEST, CXONE_CA_BUNDLE, CXONE_PROXY, CXONE_MAX_BATCH,
        CXONE_MAX_BATCH_BYTES, CXONE_LISTS_APPLIED_IN_ORDER (true or false), CXONE_HEARTBEAT_INTERVAL,
        CXONE_CONNECT_TIMEOUT, CXONE_READ_TIMEOUT, CXONE_TOTAL_TIMEOUT, CXONE_ATTEMPTS, and for each
        operation CXONE_ROUTE_<OPERATION>, such as CXONE_ROUTE_HEARTBEAT="POST /some/path".

        Raises `ConfigurationError`, which names every variable that is missing or unreadable.
        """
        environ = os.environ if environ is None else environ
        missing = [name for name in _NEEDED if not environ.get(name)]
        problems = [f"the environment variable {name} is not set" for name in missing]
        settings: dict[str, Any] = {_NEEDED[name]: environ[name] for name in _NEEDED if name not in missing}
        groups: dict[str, dict[str, Any]] = {"": settings, "timeouts": {}, "retry": {}, "endpoints": {}}
        for name, (group, setting, read) in _optional().items():
            if text := environ.get(name):
                try:
                    groups[group][setting] = read(text)
                except (ValueError, KeyError):
                    problems.append(f"the environment variable {name} cannot be read as {_READABLE[read]}")
        if problems:
            raise ConfigurationError(problems)
        return cls(
            **settings,
            timeouts=Timeouts(**groups["timeouts"]),
            retry=RetryPolicy(**groups["retry"]),
            endpoints=Endpoints(**groups["endpoints"]),
        )


def _route(text: str) -> Route:
    method, path = text.split()
    return Route(method.upper(), path)


def _flag(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


_READABLE = {
    _flag: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    _route: 'a route like "POST /some/path"',
}

_NEEDED = {
    "CXONE_BASE_URL": "base_url",
    "CXONE_TENANT": "tenant_name",
    "CXONE_ACCESS_KEY_ID": "access_key_id",
    "CXONE_ACCESS_KEY_SECRET": "access_key_secret",
}


def _optional() -> dict[str, tuple[str, str, Callable[[str], object]]]:
    """Variable -> group of settings, name of the setting, how to read it."""
    return {
        "CXONE_AUTH_URL": ("", "auth_url", str),
        "CXONE_TOKEN_REQUEST": ("", "token_request", str),
        "CXONE_CA_BUNDLE": ("", "ca_bundle", str),
        "CXONE_PROXY": ("", "proxy", str),
        "CXONE_MAX_BATCH": ("", "max_batch", int),
        "CXONE_MAX_BATCH_BYTES": ("", "max_batch_bytes", int),
        "CXONE_LISTS_APPLIED_IN_ORDER": ("", "lists_applied_in_order", _flag),
        "CXONE_HEARTBEAT_INTERVAL": ("", "heartbeat_interval", float),
        "CXONE_CONNECT_TIMEOUT": ("timeouts", "connect", float),
        "CXONE_READ_TIMEOUT": ("timeouts", "read", float),
        "CXONE_TOTAL_TIMEOUT": ("timeouts", "total", float),
        "CXONE_ATTEMPTS": ("retry", "attempts", int),
        **{f"CXONE_ROUTE_{a.name.upper()}": ("endpoints", a.name, _route) for a in attrs.fields(Endpoints)},
    }


def _is_path(path: object) -> bool:
    if not isinstance(path, str) or not _PATH.fullmatch(path) or "//" in path:
        return False
    return ".." not in path.partition("?")[0].split("/")


def _revealed(value: object) -> object:
    return value.reveal() if isinstance(value, Secret) else value


def _split(url: object) -> SplitResult | None:
    """The parts of a URL, or None. `urlsplit` alone lets line breaks and text after a bracket pass."""
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        if ":" in host:
            IPv6Address(host)
    except ValueError:
        return None
    return parts if _HOST_AND_PORT.fullmatch(parts.netloc.rpartition("@")[2]) else None


def _url_problems(name: str, url: str) -> list[str]:
    parts = _split(url)
    if parts is None or parts.scheme not in {"http", "https"}:
        return [f"{name} is no URL; it must look like https://host"]
    if "@" in parts.netloc or "?" in url or "#" in url:
        return [f"{name} must hold neither user, password, query nor fragment"]
    if parts.path and not _is_path(parts.path):
        return [f"{name}: the path in it is not one that can be sent"]
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        return [f"{name} must be https; plain http is only for this machine ({', '.join(_LOOPBACK)})"]
    return []


def _text_problems(config: WfmConfig) -> list[str]:
    found = []
    for name in ("tenant_name", "access_key_id", "access_key_secret"):
        text = _revealed(getattr(config, name))
        if not isinstance(text, str):
            found.append(f"{name} must be text, not {type(text).__name__}")
        elif not text:
            found.append(f"{name} is empty")
        elif text != text.strip() or not text.isprintable():
            found.append(f"{name} starts or ends with white space, or holds what cannot be printed")
    return found


def _choice_problems(config: WfmConfig) -> list[str]:
    found = []
    if config.token_request not in _SHAPES:
        found.append(f"token_request is {config.token_request!r}; it must be {' or '.join(_SHAPES)}")
    if not _is_flag(config.lists_applied_in_order):
        found.append("lists_applied_in_order must be True or False")
    if config.ca_bundle is not None:
        found += _ca_bundle_problems(config.ca_bundle)
    if config.proxy is not None:
        parts = _split(_revealed(config.proxy))
        if parts is None or parts.scheme != "http":
            found.append("proxy must look like http://host:port or http://user:password@host:port")
    return found


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _ca_bundle_problems(path: object) -> list[str]:
    import ssl  # here, for it is slow to import  # noqa: PLC0415

    try:
        if not isinstance(path, str) or path == "" or not Path(path).exists():
            return [f"ca_bundle: there is no file {path!r}"]
        if not Path(path).is_dir():  # what is in a folder is looked up by name when it is needed
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (ssl.SSLError, ValueError):
        return [f"ca_bundle: {path!r} holds no certificates in PEM form"]
    except OSError as error:
        return [f"ca_bundle: {path!r} cannot be read: {error.strerror}"]
    return []


def _group_problems(config: WfmConfig) -> list[str]:
    groups = {"endpoints": Endpoints, "timeouts": Timeouts, "retry": RetryPolicy}
    found = [
        f"{name} must be {group.__name__}(...), not {type(getattr(config, name)).__name__}"
        for name, group in groups.items()
        if not isinstance(getattr(config, name), group)
    ]
    if found:
        return found
    for name, route in attrs.asdict(config.endpoints, recurse=False).items():
        found += (
            route.problems(name)
            if isinstance(route, Route)
            else [f"route {name} must be Route(method, path)"]
        )
    return found + _number_problems(config)


def _number_problems(config: WfmConfig) -> list[str]:
    positive = {
        "timeouts.connect": config.timeouts.connect,
        "timeouts.read": config.timeouts.read,
        "timeouts.total": config.timeouts.total,
        "retry.first_wait": config.retry.first_wait,
        "retry.longest_wait": config.retry.longest_wait,
        "heartbeat_interval": config.heartbeat_interval,
    }
    counts = {
        "retry.attempts": config.retry.attempts,
        "max_batch": config.max_batch,
        "max_batch_bytes": config.max_batch_bytes,
    }
    found = [problem for name, value in positive.items() for problem in seconds_problems(name, value)]
    return found + [
        f"{name} is {value!r}; it must be a whole number of at least 1"
        for name, value in counts.items()
        if type(value) is not int or value < 1
    ]


def seconds_problems(name: str, value: object) -> list[str]:
    """What is wrong with a number of seconds, as a list of one sentence or none. A day is the longest."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= LONGEST_SECONDS:
        return []
    return [f"{name} is {value!r}; it must be a number of seconds above 0, at most {LONGEST_SECONDS}"]
