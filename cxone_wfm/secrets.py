"""Secret: a text that is used, and never shown."""

import hmac
import os
from hashlib import blake2b
from typing import NoReturn

__all__ = ["Secret"]

_FINGERPRINT_KEY = os.urandom(16)


class Secret:
    """A secret text: an access key, its secret, a token.

    Its `repr`, `str` and `format` show four digits that tell two secrets apart within this
    process and say nothing of the text. It cannot be pickled or copied into JSON. Two
    secrets compare in constant time. `reveal()` gives the text, for the wire only.
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a secret is a str, not {type(text).__name__}")
        self.__text = text

    def reveal(self) -> str:
        """The text itself. Do not store or log what this gives."""
        return self.__text

    def __repr__(self) -> str:
        digest = blake2b(self.__text.encode("utf-8", "surrogatepass"), key=_FINGERPRINT_KEY, digest_size=2)
        return f"Secret(***{digest.hexdigest()})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (s.__text.encode("utf-8", "surrogatepass") for s in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self.__text))

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied: pass its source (environment, vault) instead")


def to_secret(value: str | Secret) -> Secret:
    """A text as a `Secret`; whatever else as it came, for who takes it to refuse."""
    return Secret(value) if isinstance(value, str) else value


def to_secret_or_none(value: str | Secret | None) -> Secret | None:
    """The same where there may be none."""
    return None if value is None else to_secret(value)
