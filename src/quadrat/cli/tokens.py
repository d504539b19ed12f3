"""`quadrat token`: API tokens of people."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import click

from quadrat.cli.opening import open_database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import tokens, users
from quadrat.identity.types import Token
from quadrat.settings import Settings

_email = click.option("--user", "email", required=True, help="E-mail address of the user.")


@click.group()
def token() -> None:
    """API tokens of people."""


@token.command()
@_email
@click.option("--name", required=True, help="What the token is for.")
@click.pass_obj
def create(settings: Settings, email: str, name: str) -> None:
    """Make a token and print it, alone and only this once."""
    click.echo(asyncio.run(_create(settings, email, name)))


@token.command("list")
@_email
@click.pass_obj
def list_(settings: Settings, email: str) -> None:
    """Show the tokens of a user, newest first, without their secrets."""
    for found in asyncio.run(_list(settings, email)):
        used = "never used" if found.last_used_at is None else f"last used {_minute(found.last_used_at)}"
        ends = "" if found.expires_at is None else f", ends {_minute(found.expires_at)}"
        click.echo(f"{found.id}  {found.name}  made {_minute(found.created_at)}, {used}{ends}")


@token.command()
@_email
@click.option("--name", help="Name of the token; all tokens of this name are revoked.")
@click.option("--id", "token_id", type=click.UUID, help="Id of the token, as `token list` shows it.")
@click.pass_obj
def revoke(settings: Settings, email: str, name: str | None, token_id: UUID | None) -> None:
    """End a token at once."""
    if (name is None) == (token_id is None):
        raise click.UsageError("Give either --name or --id.")
    count = asyncio.run(_revoke(settings, email, name, token_id))
    click.echo(f"Revoked {count} token{'' if count == 1 else 's'}.")


async def _create(settings: Settings, email: str, name: str) -> str:
    async with open_database(settings) as db, db.begin() as tx:
        user = await users.get_user_by_email(tx, email)
        _, secret = await tokens.create_token(tx, user.id, name)
        return secret


async def _list(settings: Settings, email: str) -> Sequence[Token]:
    async with open_database(settings) as db, db.begin() as tx:
        user = await users.get_user_by_email(tx, email)
        return await tokens.list_tokens(tx, user.id)


async def _revoke(settings: Settings, email: str, name: str | None, token_id: UUID | None) -> int:
    async with open_database(settings) as db, db.begin() as tx:
        user = await users.get_user_by_email(tx, email)
        found = await tokens.list_tokens(tx, user.id)
        chosen = [item.id for item in found if item.id == token_id or item.name == name]
        if not chosen:
            raise QuadratError(ErrorKind.NOT_FOUND, f"{user.email} has no such token.")
        for id_ in chosen:
            await tokens.revoke_token(tx, user.id, id_)
        return len(chosen)


def _minute(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M")
