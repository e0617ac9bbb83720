"""JSON text to values and back, within bounds. Uses orjson to write where it is installed (extra `fast`)."""

import json
import sys
from collections import Counter
from collections.abc import Callable

from .errors import Fault, ValidationError

Default = Callable[[object], object]

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
"""The longest text that is read, in bytes, or in characters where it is a `str` (our choice)."""
MAX_NESTING = 64
"""How many lists and objects may be inside one another (our choice)."""
_MAX_DOUBLE = sys.float_info.max


class RepeatedKeys(dict[str, object]):
    """A JSON object in which a key stood more than once; `keys_repeated` names those keys."""

    keys_repeated: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    marked = RepeatedKeys(plain)
    times = Counter(name for name, _ in pairs)
    marked.keys_repeated = tuple(name for name in plain if times[name] > 1)
    return marked


def _refuse(record: str, found: str, expected: str) -> ValidationError:
    return ValidationError(record, [Fault("$", found, expected)])


def parse(text: str | bytes | bytearray, record: str) -> object:
    """The JSON value that the text holds. `record` names what is read, for the error.

    A byte order mark is skipped. NaN and Infinity are read, for the record to refuse at their place.

    Raises `ValidationError` where it is not JSON, not UTF-8, longer than `MAX_DOCUMENT_BYTES`, or
    nested beyond what can be read.
    """
    if len(text) > MAX_DOCUMENT_BYTES:
        unit = "characters" if isinstance(text, str) else "bytes"
        raise _refuse(record, f"a document of {len(text)} {unit}", f"at most {MAX_DOCUMENT_BYTES} {unit}")
    try:
        plain = text if isinstance(text, str) else text.decode()
        return json.loads(plain.removeprefix("\ufeff"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        found = f"a byte that is not UTF-8 at offset {error.start}"
    except json.JSONDecodeError as error:
        found = f"text that is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
    except RecursionError:
        found = "lists or objects nested too deep"
    except ValueError:
        found = "a number with too many digits"
    raise _refuse(record, found, "a JSON document in UTF-8")


def encodable(text: str) -> bool:
    """Whether the text can be written as UTF-8; a lone surrogate cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_json(value: object) -> bool:
    """Whether JSON can hold it: at most `MAX_NESTING` deep, numbers in the range of a double."""
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, dict):
            fits = depth < MAX_NESTING and all(isinstance(key, str) and encodable(key) for key in item)
            waiting.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            fits = depth < MAX_NESTING
            waiting.extend((child, depth + 1) for child in item)
        elif isinstance(item, str):
            fits = encodable(item)
        elif isinstance(item, (int, float)):
            fits = type(item) in {int, float, bool} and -_MAX_DOUBLE <= item <= _MAX_DOUBLE
        else:
            fits = item is None
        if not fits:
            return False
    return True


def dump_plain(value: object, default: Default) -> bytes:
    """Write with the standard library."""
    text = json.dumps(
        value,
        default=default,
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
        check_circular=False,  # a record holds no circle, and looking for one costs with every row
    )
    return text.encode()


try:
    import orjson
except ImportError:  # the extra `fast` is not installed
    dump = dump_plain
else:

    def dump(value: object, default: Default) -> bytes:
        """The value as JSON in UTF-8, without spaces. `default` turns what JSON does not know."""
        try:
            return orjson.dumps(value, default)
        except orjson.JSONEncodeError:  # such as a whole number beyond 64 bits
            return dump_plain(value, default)
