"""Columns that hold sealed secrets, and how they are sealed anew when the key changes."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Column, Table, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.sealing import MARK_BYTES, Sealer, SealError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """One column of sealed secrets. List it in its domain's ``store/sealed.py`` so that a change of keys reaches it.

    Args:
        table: The table.
        id: Its column with the id to which the secret is tied; unique, and never changed.
        column: Bytes from `Sealer.seal`, or null.
    """

    table: Table
    id: Column[UUID]
    column: Column[Any]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.table.schema}.{self.table.name}.{self.column.name}"

    def context(self, id_: UUID) -> str:
        """What ties a secret to its row: the context for `Sealer.seal` and `Sealer.open`."""
        return f"{self.name}:{id_}"


@dataclass(frozen=True, slots=True)
class ResealedBlock:
    """What one step did.

    Args:
        last: Id of the last row; None when there was none left.
        sealed: Rows sealed anew.
        failed: Rows that no key opens.
    """

    last: UUID | None
    sealed: int
    failed: int


async def reseal_block(
    tx: AsyncConnection, sealer: Sealer, sealed: SealedColumn, after: UUID | None, limit: int
) -> ResealedBlock:
    """Seal the next rows under the current key that stand under another one; a run that was cut off can be repeated.

    Args:
        tx: The transaction; its rows stay locked until it ends.
        sealer: Knows the old key and the new.
        sealed: Where.
        after: Id of the last row of the step before; None to begin.
        limit: Most rows.
    """
    begins = func.substring(sealed.column, 1, MARK_BYTES)
    query = select(sealed.id, sealed.column).where(begins != sealer.mark).order_by(sealed.id).limit(limit)
    if after is not None:
        query = query.where(sealed.id > after)
    rows = (await tx.execute(query.with_for_update(of=sealed.table))).all()
    failed = 0
    for id_, old in rows:
        context = sealed.context(id_)
        try:
            plain = sealer.open(bytes(old), context)
        except SealError as error:
            _log.error("secret.unreadable", place=context, reason=str(error))
            failed += 1
            continue
        new = sealer.seal(plain, context)
        await tx.execute(update(sealed.table).where(sealed.id == id_).values({sealed.column: new}))
    return ResealedBlock(rows[-1][0] if rows else None, len(rows) - failed, failed)
