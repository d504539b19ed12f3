"""Jobs of object sets."""

from collections.abc import Mapping
from typing import Any, Protocol

from quadrat.identity.types import ProjectId
from quadrat.jobs.registry import Handler, JobContext
from quadrat.objects.actions.objects import DELETE_IMAGES
from quadrat.objects.rules.images import image_key, thumbnail_key
from quadrat.objects.types import ImageId
from quadrat.storage.blobs import BlobStore


class ObjectResources(Protocol):
    """What a worker process has to offer these jobs."""

    @property
    def blobs(self) -> BlobStore:
        """Where images are stored."""
        ...


async def delete_images(context: JobContext[ObjectResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove the bytes of images that are gone. Safe to repeat."""
    project_id = ProjectId(params["project_id"])
    for id_, extension, has_thumbnail in params["images"]:
        await context.resources.blobs.delete(image_key(project_id, ImageId(id_), extension))
        if has_thumbnail:
            await context.resources.blobs.delete(thumbnail_key(project_id, ImageId(id_)))
    return {"removed": len(params["images"])}


HANDLERS = (Handler(DELETE_IMAGES, delete_images),)
