"""Record: what the vendor's records have in common."""

from collections.abc import Mapping
from typing import ClassVar, TypeVar

from .. import _json
from .._wire import RecordClass, check_function, encode_function, faults_of, init_function
from ..errors import ValidationError

Self = TypeVar("Self", bound="Record")


class Record:
    """One of the vendor's records. It cannot be built wrong, and it cannot be changed.

    Building it checks every field at once and raises one `ValidationError` with all the faults.
    """

    __slots__ = ()

    snake_case: ClassVar[bool] = False
    """Whether the names on the wire are in snake_case; most are in camelCase."""
    open_ended: ClassVar[bool] = False
    """Whether unknown keys are kept in `extra`: so in what CXone sends. In what we send they are refused."""
    earlier_later: ClassVar[tuple[str, str] | None] = None
    """Two times of which the first must come before the second."""

    def __init_subclass__(cls, *, unfrozen: bool = False) -> None:
        if Record not in cls.__bases__ and not unfrozen:
            raise TypeError("a record holds what the vendor's page names, so it cannot be derived from")

    def __attrs_post_init__(self) -> None:
        # What checks a class is made when its first record is built, so that importing stays cheap.
        cls: RecordClass = type(self)
        cls.__attrs_post_init__ = check_function(cls, _refuse)
        if not cls.open_ended:  # those alone have a factory
            cls.__init__ = init_function(cls, _refuse)
        cls.__attrs_post_init__(self)

    @classmethod
    def from_json(cls: type[Self], document: str | bytes | bytearray | Mapping[str, object]) -> Self:
        """Read the record from JSON text (UTF-8), or from a JSON object that was parsed already.

        Raises one `ValidationError` that lists every fault with its path. Nothing is converted:
        "7" is not 7, null is not an empty text.
        """
        from .._structure import structure  # here, for cattrs is slow to import  # noqa: PLC0415

        if isinstance(document, (str, bytes, bytearray)):
            return structure(cls, _json.parse(document, cls.__name__))
        return structure(cls, document)

    def to_json(self) -> bytes:
        """The record as JSON in UTF-8, as it goes on the wire."""
        return _json.dump(self, _to_object)


def _refuse(record: object) -> None:
    raise ValidationError(type(record).__name__, list(faults_of(record, type(record))))


def _to_object(value: object) -> dict[str, object]:
    record_class: RecordClass = type(value)
    return encode_function(record_class)(value)
