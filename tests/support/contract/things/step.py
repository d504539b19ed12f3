"""How the walk over all operations makes what paths can name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from support.contract.doors import Operation

#: Stands in every field of a tenant's things that an address does not name.
HUSH = "hush-2f6c"

Values = Mapping[str, str]
Read = Callable[[Any, str], Any]


@dataclass(frozen=True, slots=True)
class Step:
    """How a thing is made, and where its id or name stands in paths.

    Args:
        item: Path of the thing; its last parameter is the one that this step finds a value for.
        made_by: The operation that makes it (or lists it).
        request: Arguments of the request, given a name of this tenant's own.
        read: The value, from the answer and that name.
        beside: Further paths that begin with the same thing.
    """

    item: str
    made_by: tuple[str, str]
    request: Callable[[str, Values], dict[str, Any]]
    read: Read
    beside: tuple[str, ...] = ()

    @property
    def parameter(self) -> str:
        return Operation("GET", self.item).parameters[-1]


def named(_answer: Any, name: str) -> str:
    return name


def own_id(answer: Any, _name: str) -> Any:
    return answer["id"]


def json_body(**fields: Any) -> Callable[[str, Values], dict[str, Any]]:
    """A JSON body; a field that is a function gets the name and what was made before."""
    return lambda name, values: {
        "json": {key: field(name, values) if callable(field) else field for key, field in fields.items()}
    }


def own_name(name: str, _values: Values) -> str:
    return name
