"""Images by the names that the wire API gives them."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import Caller
from quadrat.objects.actions.access import not_found, open_set
from quadrat.objects.rules.images import image_key, read_vault_name, thumbnail_key
from quadrat.objects.store import vault as store
from quadrat.objects.types import Permission
from quadrat.storage.blobs import BlobStore

_MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif"}


class VaultImage(NamedTuple):
    """Where the bytes of an image are, and what they are."""

    key: str
    media_type: str


async def open_image(
    tx: AsyncConnection, caller: Caller | None, name: str, blobs: BlobStore, query: Mapping[str, str]
) -> VaultImage:
    """An image or a thumbnail, for those who may read its project and for whoever has a signed address.

    Args:
        tx: The transaction.
        caller: None for a stranger.
        name: As the wire API calls it.
        blobs: Knows its signatures.
        query: May hold a signature.

    Raises:
        QuadratError: not_found, forbidden.
    """
    file = read_vault_name(name)
    found = None if file is None else await store.find_image(tx, file.image_id)
    if file is None or found is None:
        raise not_found()
    project_id, extension, has_thumbnail = found
    if (file.is_thumbnail and not has_thumbnail) or (not file.is_thumbnail and file.extension != extension):
        raise not_found()
    key = (
        thumbnail_key(project_id, file.image_id)
        if file.is_thumbnail
        else image_key(project_id, file.image_id, extension)
    )
    if "signature" in query:
        blobs.permit(key, query)
    else:
        await open_set(tx, caller, project_id, Permission.READ)
    return VaultImage(key, _MEDIA_TYPES[".jpg" if file.is_thumbnail else extension])
