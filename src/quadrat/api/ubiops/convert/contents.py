"""Data and results on their way out: those that lie in the store are only named here, and sent piece by piece."""

from dataclasses import dataclass
from uuid import UUID

import msgspec

from quadrat.serving.types import Content


@dataclass(frozen=True, slots=True)
class Stored:
    """The place in an answer of what lies in the store, as JSON text."""

    payload_id: UUID


def to_value(content: Content | None) -> msgspec.Raw | Stored | None:
    """What stands for a content in an answer."""
    if content is None:
        return None
    return msgspec.Raw(content) if isinstance(content, bytes) else Stored(content)
