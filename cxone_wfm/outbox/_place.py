"""Where an outbox lies: what the text that names it means."""

import os
from pathlib import Path

from ..errors import ConfigurationError

_POSTGRESQL = ("postgresql", "postgres")


def server_of(url: str | Path) -> str | None:
    """The URL of the PostgreSQL database that is named, None where it is a file.

    Raises `ConfigurationError` for any other URL. It is not shown, for it may hold a password.
    """
    if isinstance(url, Path):
        return None
    scheme, colon, rest = url.partition(":")
    if colon and scheme.lower() in _POSTGRESQL:
        return f"{scheme.lower()}:{rest}"
    if "://" in url:
        raise ConfigurationError(
            [
                "the outbox is named by a URL of an unknown kind; give a file's path, or postgresql://host/database"
            ]
        )
    return None


def file_of(url: str | Path) -> Path:
    """The file that is named, from the root on; `~` is the home folder."""
    # pathlib's own would refuse a name such as "~old.db".
    return Path(os.path.expanduser(url)).absolute()  # noqa: PTH111
