"""A change that may meet a unique constraint."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError


@asynccontextmanager
async def refuse_taken(tx: AsyncConnection, message: str, *, field: str) -> AsyncIterator[None]:
    """Statements in the block are undone and refused when another row has the name; the transaction stays usable.

    Raises:
        QuadratError: already_exists.
    """
    try:
        async with tx.begin_nested():
            yield
    except IntegrityError as error:
        if not isinstance(error.orig, psycopg.errors.UniqueViolation):
            raise
        raise QuadratError(ErrorKind.ALREADY_EXISTS, message, field=field) from error
