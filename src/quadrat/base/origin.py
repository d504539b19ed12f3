"""Where what happens now comes from: known to the outermost layer, needed by the audit trail at the innermost."""

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID


@dataclass(slots=True)
class Origin:
    """One request, command or job.

    Args:
        door: Which API, or ``command``.
        address: Network address of whoever asks; None where there is none.
        request_id: As it stands in the server's log.
        actor: UUID and address of the user who asks, once that is known; None for the operator of the server.
    """

    door: str
    address: str | None = None
    request_id: str | None = None
    actor: tuple[UUID, str] | None = None


_origin: ContextVar[Origin | None] = ContextVar("quadrat_origin", default=None)


def begin(origin: Origin) -> None:
    """From here on, in this task and those that it starts, everything comes from there."""
    _origin.set(origin)


def current() -> Origin:
    """Where the present work comes from."""
    return _origin.get() or Origin("command")


def identified(uuid: UUID, email: str) -> None:
    """Whoever asks has shown who it is."""
    origin = _origin.get()
    if origin is not None:
        origin.actor = (uuid, email)
