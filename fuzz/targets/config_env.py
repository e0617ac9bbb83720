"""Settings from the environment: a configuration whose URLs can be requested, or every problem in words.

Lines of NAME=value. The key and the secret are fixed, and may stand in no refusal.
"""

from urllib.parse import urlsplit

import attrs
import requests

from cxone_wfm import ConfigurationError, WfmConfig

CANARY = "q7XkCanary"


def fuzz_one(data: bytes) -> None:
    """Read the settings, and prepare a request for each route."""
    lines = data.decode("utf-8", "surrogateescape").splitlines()
    environ = dict(line.split("=", 1) for line in lines if "=" in line)
    environ |= {"CXONE_ACCESS_KEY_ID": f"{CANARY} id", "CXONE_ACCESS_KEY_SECRET": f"{CANARY} secret"}
    try:
        config = WfmConfig.from_env(environ)
    except ConfigurationError as error:
        assert error.problems
        assert CANARY not in str(error)
        return
    assert CANARY not in repr(config)
    for route in attrs.asdict(config.endpoints, recurse=False).values():
        prepared = requests.Request(route.method, config.base_url + route.path, data=b"{}").prepare()
        assert prepared.url is not None
        assert urlsplit(prepared.url).hostname == urlsplit(config.base_url).hostname, prepared.url
