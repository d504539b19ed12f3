"""What several commands read from their options."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import ProjectId
from quadrat.objects.store.sets import find_project_number


def pair(text: str) -> tuple[str, str]:
    """``name=value`` apart.

    Raises:
        click.BadParameter: There is no ``=``.
    """
    name, separator, value = text.partition("=")
    if not separator:
        raise click.BadParameter(f"{text} has no '='.")
    return name.strip(), value.strip()


async def find_project(tx: AsyncConnection, ref: str) -> ProjectId:
    """A project by number or name, for who runs the server.

    Raises:
        QuadratError: not_found.
    """
    found = await find_project_number(tx, ref)
    if found is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"There is no project {ref}.")
    return found
