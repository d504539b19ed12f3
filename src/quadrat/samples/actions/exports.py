"""Lists of a tag's samples with links to their images, for the programs that people label with."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.sealing import Sealer
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.samples.actions.datasets import Page
from quadrat.samples.actions.links import link_token
from quadrat.samples.actions.tags import get_tag
from quadrat.samples.rules.masks import indexes_of
from quadrat.samples.store import settings
from quadrat.samples.store.selection import iterate_selected
from quadrat.samples.types import DatasetId, ImageSample, SampleName, TagId

MAX_LIFE = timedelta(days=36500)


@dataclass(frozen=True, slots=True)
class Export:
    """A part of a tag's samples that the caller may read, with what their links need.

    Args:
        dataset_id: Whose samples.
        indexes: Which ones, in order.
        public_token: For links that work without an account.
        folder: Where the images lie outside of Quadrat, if somebody said so.
    """

    dataset_id: DatasetId
    indexes: Sequence[int]
    public_token: str
    folder: str | None


async def prepare_export(
    tx: AsyncConnection,
    caller: Caller,
    tag: tuple[DatasetId, TagId],
    page: Page,
    sealer: Sealer,
    life: timedelta | None,
) -> Export:
    """Decide what an export holds, and mint what its links need. The caller's own token is never in it.

    Args:
        tx: The transaction.
        caller: Who asks.
        tag: Dataset and tag.
        page: Which part; rows are samples of the tag.
        sealer: Keeps public tokens.
        life: Of the links; None for no end.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    if life is not None and not timedelta(0) < life <= MAX_LIFE:
        raise QuadratError(ErrorKind.INVALID, "expiresIn is a number of seconds above 0.", field="expiresIn")
    found = await get_tag(tx, caller, *tag)
    indexes = indexes_of(found.mask)
    stop = None if page.limit is None else page.offset + page.limit
    source = await settings.find_datasource(tx, found.dataset_id)
    return Export(
        dataset_id=found.dataset_id,
        indexes=indexes[page.offset : stop],
        public_token=await link_token(tx, caller, found.dataset_id, sealer, life),
        folder=None if source is None or not source.full_path else source.full_path,
    )


async def stream_export(
    db: Database, allowed: Export, *, full: bool
) -> AsyncIterator[tuple[int, ImageSample | SampleName]]:
    """The samples of an export with their indexes, all from one moment, in a transaction of their own."""
    async with db.snapshot() as conn:
        async for index, found in iterate_selected(conn, allowed.dataset_id, allowed.indexes, full=full):
            yield index, found
