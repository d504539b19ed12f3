"""Jobs of jobs."""

from collections.abc import Mapping
from typing import Any, Protocol

from quadrat.jobs.actions import DELETE_FILE
from quadrat.jobs.registry import Handler, JobContext
from quadrat.storage.blobs import BlobStore


class JobResources(Protocol):
    """What a worker process has to offer these jobs."""

    @property
    def blobs(self) -> BlobStore:
        """Where result files are stored."""
        ...


async def delete_file(context: JobContext[JobResources], params: Mapping[str, Any]) -> None:
    """Remove the file of a job that is gone. Safe to repeat."""
    await context.resources.blobs.delete(params["key"])


HANDLERS = (Handler(DELETE_FILE, delete_file),)
