"""The answer to the ACD type look-up."""

from attrs import field, frozen

from .. import _json
from .._kinds import ANY_JSON
from ..errors import ValidationError


@frozen(kw_only=True)
class AcdTypes:
    """The types of ACD that CXone WFM knows, such as "Generic_LiveVox".

    The vendor does not publish the shape of this answer. `names` holds the texts that were found in
    a list, or under `acdType` in a list of objects, be it the whole answer or one of its values.
    `document` is the whole answer as it came, so that nothing is lost where the shape is another.
    """

    names: tuple[str, ...]
    document: object = field(hash=False)

    @classmethod
    def from_json(cls, document: str | bytes | bytearray) -> "AcdTypes":
        """Read the answer. Raises `ValidationError` where it is not JSON."""
        value = _json.parse(document, cls.__name__)
        if not ANY_JSON.accepts(value):
            raise ValidationError(cls.__name__, [ANY_JSON.fault("$", value)])
        lists = value.values() if isinstance(value, dict) else [value]
        items = [item for each in lists if isinstance(each, list) for item in each]
        found = [item.get("acdType") if isinstance(item, dict) else item for item in items]
        return cls(names=tuple(name for name in found if isinstance(name, str)), document=value)

    def to_json(self) -> bytes:
        """The whole answer as it came, as JSON in UTF-8."""
        return _json.dump(self.document, _nothing_else)


def _nothing_else(value: object) -> object:
    raise TypeError(f"a JSON document cannot hold a {type(value).__name__}")
