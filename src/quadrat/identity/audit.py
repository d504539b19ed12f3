"""Writes down every change of rights, tokens, members and secrets, in the transaction that makes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base import origin
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.store import audit as store
from quadrat.identity.types import AuditEntry, Organization, Project


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries to read; None leaves a thing open.

    Args:
        organization: Its present name.
        project: Its present name.
        email: Of a user who did something or had it done to.
        before: Only entries older than this one.
    """

    organization: str | None = None
    project: str | None = None
    email: str | None = None
    since: datetime | None = None
    limit: int = 100
    before: int | None = None


async def list_all(tx: AsyncConnection, wanted: Wanted) -> Sequence[AuditEntry]:
    """Entries for the operator of the server, newest first.

    Raises:
        QuadratError: not_found for an unknown organization or project.
    """
    organization_id, project_id = await store.find_places(tx, wanted.organization, wanted.project)
    if wanted.organization is not None and organization_id is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Organization {wanted.organization} does not exist.")
    if wanted.project is not None and project_id is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Project {wanted.project} does not exist.")
    return await store.list_entries(
        tx,
        organization_id=organization_id,
        project_id=project_id,
        user=wanted.email,
        since=wanted.since,
        before=wanted.before,
        limit=wanted.limit,
    )


async def record(
    tx: AsyncConnection,
    action: str,
    subject: str = "",
    *,
    organization: Organization | None = None,
    project: Project | None = None,
    **detail: Any,
) -> None:
    """Add to the audit trail who did what, from where; the origin of the request says who and where.

    Args:
        tx: The transaction that makes the change: both are there, or none.
        action: What was done, e.g. ``member.added``.
        subject: To whom or what: an address, a name.
        organization: Where.
        project: Where.
        detail: More facts, JSON values; never a secret.
    """
    where = origin.current()
    values: dict[str, Any] = {
        "action": action,
        "subject": subject,
        "detail": detail,
        "door": where.door,
        "address": where.address,
        "request_id": where.request_id,
    }
    if where.actor is not None:
        values["actor_uuid"], values["actor"] = where.actor
    if project is not None:
        values |= {
            "organization_id": project.organization_id,
            "organization": project.organization_name,
            "project_id": project.id,
            "project": project.name,
        }
    elif organization is not None:
        values |= {"organization_id": organization.id, "organization": organization.name}
    await store.insert_entry(tx, values)
