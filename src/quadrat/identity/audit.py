"""Writes down every change of rights, tokens, members and secrets, in the transaction that makes it."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base import origin
from quadrat.identity.store import audit as store
from quadrat.identity.types import Organization, Project


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
