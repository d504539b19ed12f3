"""`quadrat user`: people of this server."""

import asyncio

import click

from quadrat.cli.opening import open_database
from quadrat.identity.actions import users
from quadrat.identity.types import NewUser, User
from quadrat.settings import Settings


@click.group()
def user() -> None:
    """People of this server."""


@user.command()
@click.option("--email", required=True, help="E-mail address to sign in with.")
@click.option("--password", help="Password of 8 to 128 characters; without one the user comes with tokens only.")
@click.option("--name", help="First name.")
@click.option("--surname", help="Family name.")
@click.option("--admin", is_flag=True, help="May do everything on this server.")
@click.pass_obj
def create(
    settings: Settings, email: str, password: str | None, name: str | None, surname: str | None, *, admin: bool
) -> None:
    """Make a user, who is active at once."""
    made = asyncio.run(_create(settings, NewUser(email, password, name, surname, is_platform_admin=admin)))
    click.echo(f"Made {made.email}.")


@user.command()
@click.option("--email", required=True, help="E-mail address of a user who signed up, or who was blocked.")
@click.pass_obj
def activate(settings: Settings, email: str) -> None:
    """Let a user sign in who signed up alone, without the letter that is sent where mail is set up."""
    changed = asyncio.run(_activate(settings, email))
    click.echo(f"{changed.email} is active.")


async def _create(settings: Settings, new: NewUser) -> User:
    async with open_database(settings) as db, db.begin() as tx:
        return await users.create_user(tx, new)


async def _activate(settings: Settings, email: str) -> User:
    async with open_database(settings) as db, db.begin() as tx:
        return await users.activate_user(tx, (await users.get_user_by_email(tx, email)).id)
