"""JSON text to values and back, within bounds. Uses orjson to write where it is installed (extra `fast`)."""

import json
from collections.abc import Callable

from .errors import Fault, ValidationError

Dumps = Callable[[object, Callable[[object], object]], bytes]

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
MAX_NESTING = 64


class RepeatedKeys(dict[str, object]):
    """A JSON object in which a key stood more than once; `keys_repeated` names those keys."""

    keys_repeated: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    marked = RepeatedKeys(plain)
    names = [name for name, _ in pairs]
    marked.keys_repeated = tuple(name for name in plain if names.count(name) > 1)
    return marked


def _refuse(record: str, found: str, expected: str) -> ValidationError:
    return ValidationError(record, [Fault("$", found, expected)])


def parse(text: str | bytes | bytearray, record: str, limit: int = MAX_DOCUMENT_BYTES) -> object:
    """The JSON value that the text holds. `record` names what is read, for the error.

    Raises `ValidationError` where it is not JSON, not UTF-8, longer than `limit` bytes or
    characters, or nested beyond what can be read.
    """
    if len(text) > limit:
        raise _refuse(record, f"a document of {len(text)} bytes", f"at most {limit} bytes")
    try:
        return json.loads(
            text if isinstance(text, str) else text.decode("utf-8-sig"), object_pairs_hook=_object
        )
    except UnicodeDecodeError as error:
        found = f"a byte that is not UTF-8 at offset {error.start}"
    except json.JSONDecodeError as error:
        found = f"text that is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
    except RecursionError:
        found = "lists or objects nested too deep"
    except ValueError:
        found = "a number with too many digits"
    raise _refuse(record, found, "a JSON document in UTF-8")


def nesting(value: object) -> int:
    """How deep lists and objects stand in each other; a plain value is 0. Stops counting beyond the bound."""
    deepest = 0
    waiting = [(value, 0)]
    while waiting and deepest <= MAX_NESTING:
        item, depth = waiting.pop()
        children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else None
        if children is not None:
            deepest = max(deepest, depth + 1)
            waiting.extend((child, depth + 1) for child in children)
    return deepest


def dump_plain(value: object, default: Callable[[object], object]) -> bytes:
    """Write with the standard library."""
    text = json.dumps(value, default=default, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


try:
    import orjson
except ImportError:  # the extra `fast` is not installed
    dump: Dumps = dump_plain
else:
    dump = orjson.dumps
"""The value as JSON in UTF-8, without spaces. `default` gives a JSON value for what JSON does not know."""
