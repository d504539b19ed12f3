"""An export from its order to its bytes: made and taken at the same time, a few pieces apart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from quadrat.objects.exporting.summary import SummaryExport
from quadrat.objects.exporting.tables import TableExport
from quadrat.objects.exporting.types import Exporter, ExportOrder, SummaryPlan, TablePlan
from quadrat.objects.store.sets import read_settings

_PIECES_APART = 2

Take = Callable[[AsyncIterator[bytes]], Awaitable[object]]


async def run_export(exporter: Exporter, order: ExportOrder, plan: TablePlan | SummaryPlan, take: Take) -> int:
    """Make an export; how many lines it has.

    Args:
        exporter: With what it works.
        order: What is exported.
        plan: How.
        take: Stores the bytes; what they are worth is not known before it has had all of them.

    Raises:
        QuadratError: invalid filters or formulae; unavailable where the disk is full or the store is away.
    """
    made = await _made(exporter, order, plan)
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_PIECES_APART)

    async def make() -> int:
        try:
            n_lines = await made.write(pieces.put)
        except Exception:
            await pieces.put(None)
            raise
        await pieces.put(None)
        return n_lines

    making = asyncio.create_task(make())

    async def given() -> AsyncIterator[bytes]:
        while (piece := await pieces.get()) is not None:
            yield piece
        # Half an export must not look like a whole one: whoever takes it hears here why there is no more.
        await asyncio.shield(making)

    taking = asyncio.ensure_future(take(given()))
    try:
        await asyncio.wait({making, taking}, return_when=asyncio.FIRST_EXCEPTION)
        if making.done():
            await asyncio.wait({taking})
            n_lines = making.result()
            taking.result()
            return n_lines
        taking.result()
        raise RuntimeError("the bytes of an export were not taken to their end")
    finally:
        making.cancel()
        taking.cancel()
        await asyncio.gather(making, taking, return_exceptions=True)


async def _made(exporter: Exporter, order: ExportOrder, plan: TablePlan | SummaryPlan) -> TableExport | SummaryExport:
    if isinstance(plan, TablePlan):
        return TableExport(exporter, order, plan)
    async with exporter.db.begin() as tx:
        settings = (await read_settings(tx, [order.project_id]))[order.project_id]
    return SummaryExport(exporter, order, plan, settings.formulae)
