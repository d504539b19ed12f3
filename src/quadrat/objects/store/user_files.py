"""What users have uploaded to import from."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import UserId
from quadrat.objects.tables import user_file


async def put_file(
    tx: AsyncConnection, id_: UUID, user_id: UserId, place: tuple[str, str], *, blob_key: str, size_bytes: int
) -> str | None:
    """Note an upload at a place (tag and path); the key of the bytes that it replaces, if any."""
    tag, path = place
    same = (user_file.c.user_id == user_id) & (user_file.c.tag == tag) & (user_file.c.path == path)
    replaced = (await tx.execute(delete(user_file).where(same).returning(user_file.c.blob_key))).scalar_one_or_none()
    await tx.execute(
        insert(user_file).values(id=id_, user_id=user_id, tag=tag, path=path, blob_key=blob_key, size_bytes=size_bytes)
    )
    return replaced


async def list_files(
    tx: AsyncConnection, user_id: UserId, tag: str, folder: str
) -> Sequence[tuple[str, str, int, datetime]]:
    """Path, key, size and time of a user's files in a folder of a group, and below it; of one file, when it is one."""
    query = select(user_file.c.path, user_file.c.blob_key, user_file.c.size_bytes, user_file.c.created_at).where(
        user_file.c.user_id == user_id, user_file.c.tag == tag
    )
    if folder:
        below = user_file.c.path.startswith(f"{folder}/", autoescape=True)
        query = query.where(or_(user_file.c.path == folder, below))
    return [(row[0], row[1], row[2], row[3]) for row in await tx.execute(query.order_by(user_file.c.path))]


async def list_tags(tx: AsyncConnection, user_id: UserId) -> Sequence[str]:
    """The groups of a user's files."""
    query = select(user_file.c.tag).where(user_file.c.user_id == user_id).distinct().order_by(user_file.c.tag)
    return list((await tx.execute(query)).scalars())


async def delete_files(tx: AsyncConnection, user_id: UserId, tag: str, folder: str) -> list[str]:
    """Forget a file, or a folder with all below it; the keys of their bytes."""
    same = (user_file.c.user_id == user_id) & (user_file.c.tag == tag)
    if folder:
        below = user_file.c.path.startswith(f"{folder}/", autoescape=True)
        same &= or_(user_file.c.path == folder, below)
    return list((await tx.execute(delete(user_file).where(same).returning(user_file.c.blob_key))).scalars())
