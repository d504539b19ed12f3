"""Jobs of samples."""

from collections.abc import Mapping
from typing import Any, Protocol

from quadrat.jobs.registry import Handler, JobContext
from quadrat.samples.actions import DELETE_BLOBS
from quadrat.samples.rules import dataset_folder
from quadrat.samples.types import DatasetId
from quadrat.storage.blobs import BlobStore


class SampleResources(Protocol):
    """What a worker process has to offer these jobs."""

    @property
    def blobs(self) -> BlobStore:
        """Where images are stored."""
        ...


async def delete_blobs(context: JobContext[SampleResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove the bytes of a dataset that is gone. Safe to repeat."""
    removed = await context.resources.blobs.delete_prefix(dataset_folder(DatasetId(params["dataset_id"])))
    return {"removed": removed}


HANDLERS = (Handler(DELETE_BLOBS, delete_blobs),)
