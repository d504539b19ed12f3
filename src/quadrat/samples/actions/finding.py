"""Looking for samples by their names and by what is known of them."""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import Caller
from quadrat.samples.actions.datasets import open_dataset
from quadrat.samples.rules.finding import fields_of, split_path
from quadrat.samples.store import finding as store
from quadrat.samples.types import DatasetId, SampleQuestion

_LOOKED_AT = 500


async def list_fields(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId) -> Mapping[str, str]:
    """Fields that the newest samples have, each with ``number`` or ``text``.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    return fields_of(await store.some_documents(tx, dataset_id, _LOOKED_AT))


async def find_samples(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, wanted: SampleQuestion
) -> Sequence[int]:
    """Indexes of the samples that fit, in order.

    Raises:
        QuadratError: not_found, forbidden; invalid for a field that cannot be.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    place = split_path(wanted.field) if wanted.field else None
    return await store.find_indexes(tx, dataset_id, wanted, place)
