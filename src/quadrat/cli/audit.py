"""`quadrat audit`: who changed rights, tokens, members and secrets."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime

import click

from quadrat.cli.opening import open_database
from quadrat.identity import audit as trail
from quadrat.identity.types import AuditEntry
from quadrat.settings import Settings


@click.command()
@click.option("--organization", help="Only of the organization that has this name now.")
@click.option("--project", help="Only of the project that has this name now.")
@click.option("--user", "email", help="Only what this user did, or had done to it.")
@click.option("--since", type=click.DateTime(), help="Only from this moment on, in local time.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Most entries.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object in each line.")
@click.pass_obj
def audit(settings: Settings, /, as_json: bool, **wanted: object) -> None:
    """Show changes of rights, tokens, members and secrets, newest first: when, who, what, from where."""
    for entry in asyncio.run(_list(settings, wanted)):
        click.echo(_as_json(entry) if as_json else _as_text(entry))


async def _list(settings: Settings, wanted: dict[str, object]) -> Sequence[AuditEntry]:
    since = wanted.pop("since")
    async with open_database(settings) as db, db.begin() as tx:
        chosen = trail.Wanted(since=since.astimezone() if isinstance(since, datetime) else None, **wanted)  # type: ignore[arg-type]
        return await trail.list_all(tx, chosen)


def _as_text(entry: AuditEntry) -> str:
    place = " in ".join(name for name in (entry.project, entry.organization) if name)
    facts = " ".join(f"{name}={value}" for name, value in entry.detail.items())
    source = f"{entry.door} {entry.address or ''}".strip()
    parts = (
        entry.at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        entry.actor or "operator",
        entry.action,
        entry.subject,
        f"({place})" if place else "",
        facts,
        f"[{source}]",
    )
    return "  ".join(part for part in parts if part)


def _as_json(entry: AuditEntry) -> str:
    return json.dumps(
        {
            "at": entry.at.isoformat(),
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "organization": entry.organization,
            "project": entry.project,
            "detail": dict(entry.detail),
            "door": entry.door,
            "address": entry.address,
            "request_id": entry.request_id,
        }
    )
