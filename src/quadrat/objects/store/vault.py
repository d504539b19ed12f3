"""Images by number."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
from quadrat.objects.tables import image
from quadrat.objects.types import ImageId


async def find_image(tx: AsyncConnection, image_id: ImageId) -> tuple[ProjectId, str, bool] | None:
    """Project and extension of an image, and whether it has a thumbnail."""
    query = select(image.c.project_id, image.c.extension, image.c.thumbnail_width_px.is_not(None)).where(
        image.c.id == image_id
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else (ProjectId(row[0]), row[1], row[2])


async def measure_images(tx: AsyncConnection) -> tuple[int, int]:
    """How many images there are, and their bytes."""
    query = select(func.count(), func.coalesce(func.sum(image.c.size_bytes), 0)).select_from(image)
    count, size = (await tx.execute(query)).one()
    return count, int(size)
