"""What can be done with tags: named subsets of a dataset that form a tree."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_object_id
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.samples.actions.datasets import open_dataset
from quadrat.samples.rules import masks, tags
from quadrat.samples.rules.common import refusal, this_moment
from quadrat.samples.store import tags as store
from quadrat.samples.store.datasets import lock_dataset
from quadrat.samples.types import DatasetId, ImageKind, MaskOperation, NewTag, Tag, TagId


async def list_tags(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId) -> Sequence[Tag]:
    """All tags of a dataset, in the order of creation.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    return await store.list_tags(tx, dataset_id)


async def get_tag(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, tag_id: TagId, permission: str = "samples.read"
) -> Tag:
    """One tag.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, permission)
    return await _known(tx, dataset_id, tag_id)


async def create_initial(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, image_kind: ImageKind, creator: str | None
) -> TagId:
    """Put all samples that there are into the root of the tags, and note which bytes the dataset holds.

    Raises:
        QuadratError: not_found, forbidden; already_exists.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    n_samples = await _lock(tx, dataset_id)
    if await store.find_initial(tx, dataset_id) is not None:
        raise refusal(ErrorKind.ALREADY_EXISTS, "TAG_INITIAL_EXISTS", "The dataset has its initial tag already.")
    new = NewTag(tags.INITIAL_NAME, None, masks.all_of(n_samples), creator=creator)
    made = await _insert(tx, dataset_id, new, n_samples)
    await store.set_image_kind(tx, dataset_id, image_kind)
    return made


async def create_tag(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, new: NewTag, mask: str) -> TagId:
    """Make a tag from another one.

    Args:
        tx: The transaction.
        caller: Who asks.
        dataset_id: Where.
        new: What is said of it; its mask is not looked at.
        mask: Its samples, as hex.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    tags.check_name(new.name)
    n_samples = await _lock(tx, dataset_id)
    if new.previous_id is None or await store.find_tag(tx, dataset_id, new.previous_id) is None:
        raise refusal(
            ErrorKind.INVALID,
            "TAG_PREVTAG_NOT_IN_DATASET",
            f"The dataset has no tag {new.previous_id} to make this one from.",
            "previous_id",
        )
    return await _insert(tx, dataset_id, replace(new, mask=masks.parse_mask(mask, n_samples)), n_samples)


async def rename_tag(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, tag_id: TagId, name: str) -> None:
    """Give a tag another name; not the initial one.

    Raises:
        QuadratError: not_found, forbidden, invalid, wrong_state, already_exists.
    """
    found = await get_tag(tx, caller, dataset_id, tag_id, "samples.update")
    tags.check_changeable(found)
    tags.check_name(name)
    try:
        async with tx.begin_nested():
            await store.rename_tag(tx, found, name, this_moment())
    except IntegrityError:
        raise _name_taken(name) from None


async def delete_tag(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, tag_id: TagId) -> None:
    """Remove a tag from which no other was made; its samples stay.

    Raises:
        QuadratError: not_found, forbidden, wrong_state.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    await _lock(tx, dataset_id)
    found = await _known(tx, dataset_id, tag_id)
    tags.check_changeable(found)
    if await store.has_children(tx, tag_id):
        raise refusal(
            ErrorKind.WRONG_STATE,
            "TAG_UNDELETABLE_NOT_A_LEAF",
            f"Other tags were made from {found.name}; delete them first.",
        )
    await store.delete_tag(tx, found, this_moment())


async def upsize(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, name: str, creator: str, run_id: str | None
) -> TagId:
    """Take the samples that came since the initial tag was made into it, and into a new tag of their own.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists; wrong_state without an initial tag.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    tags.check_name(name)
    n_samples = await _lock(tx, dataset_id)
    initial = await _initial(tx, dataset_id)
    everything = masks.all_of(n_samples)
    new = NewTag(name, initial.id, everything & ~initial.mask, creator=creator, run_id=run_id)
    made = await _insert(tx, dataset_id, new, n_samples)
    await store.upsize(tx, dataset_id, initial, everything, n_samples, this_moment())
    return made


async def combine(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, pair: tuple[TagId, TagId], operation: MaskOperation
) -> int:
    """The samples of two tags together, of both, or of the first alone.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    first, second = [await _known(tx, dataset_id, tag_id) for tag_id in pair]
    return masks.combine(first.mask, second.mask, operation)


async def combine_into(
    tx: AsyncConnection,
    caller: Caller,
    dataset_id: DatasetId,
    pair: tuple[TagId, TagId],
    operation: MaskOperation,
    new: NewTag,
) -> TagId:
    """As `combine`, into a new tag, whose mask and parent follow from the operation.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    tags.check_name(new.name)
    mask = await combine(tx, caller, dataset_id, pair, operation)
    n_samples = await _lock(tx, dataset_id)
    first = await _known(tx, dataset_id, pair[0])
    parent = tags.parent_of_result(first, operation, (await _initial(tx, dataset_id)).id)
    return await _insert(tx, dataset_id, replace(new, previous_id=parent, mask=mask), n_samples)


async def _lock(tx: AsyncConnection, dataset_id: DatasetId) -> int:
    """Number of samples, which stays until the transaction ends."""
    n_samples = await lock_dataset(tx, dataset_id)
    if n_samples is None:
        raise refusal(ErrorKind.NOT_FOUND, "DATASET_UNKNOWN", f"Dataset {dataset_id} does not exist.")
    return n_samples


async def _known(tx: AsyncConnection, dataset_id: DatasetId, tag_id: TagId) -> Tag:
    found = await store.find_tag(tx, dataset_id, tag_id)
    if found is None:
        raise refusal(ErrorKind.NOT_FOUND, "TAG_UNKNOWN", f"Tag {tag_id} does not exist in this dataset.")
    return found


async def _initial(tx: AsyncConnection, dataset_id: DatasetId) -> Tag:
    initial = await store.find_initial(tx, dataset_id)
    if initial is None:
        raise refusal(ErrorKind.WRONG_STATE, "TAG_NO_TAG_IN_DATASET", "The dataset has no initial tag yet.")
    return initial


async def _insert(tx: AsyncConnection, dataset_id: DatasetId, new: NewTag, total: int) -> TagId:
    at = this_moment()
    made = Tag(
        id=TagId(new_object_id()),
        dataset_id=dataset_id,
        previous_id=new.previous_id,
        query_id=new.query_id,
        preselected_id=new.preselected_id,
        name=new.name,
        mask=new.mask,
        total=total,
        changes=new.changes,
        run_id=new.run_id,
        created_at=at,
        last_modified_at=at,
    )
    if not await store.insert_tag(tx, made, new.creator):
        raise _name_taken(new.name)
    return made.id


def _name_taken(name: str) -> QuadratError:
    return refusal(ErrorKind.ALREADY_EXISTS, "TAG_NAME_EXISTS", f"The dataset has a tag called {name} already.", "name")
