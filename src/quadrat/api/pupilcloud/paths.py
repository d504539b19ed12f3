"""What stands in the addresses of the areas-of-interest API."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.api.pupilcloud.auth import SignedIn
from quadrat.api.wire import Tx
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import EnrichmentPath
from quadrat.identity.actions.workspaces import Workspace, open_workspace
from quadrat.identity.types import Caller

IN_WORKSPACE = "/workspaces/{workspace_id}"
IN_PROJECT = IN_WORKSPACE + "/projects/{project_id}"
IN_ENRICHMENT = IN_PROJECT + "/enrichments/{enrichment_id}"
IN_MAPPER = IN_PROJECT + "/mappers/static/{enrichment_id}"
DEFAULT = "default"


def to_uuid(text: str, what: str) -> UUID:
    """Ids are opaque to clients: one that cannot be is one that does not exist.

    Raises:
        QuadratError: not_found.
    """
    try:
        return UUID(text)
    except ValueError:
        raise QuadratError(ErrorKind.NOT_FOUND, f"{what} {text[:60]} does not exist.") from None


async def workspace_of(tx: AsyncConnection, caller: Caller, workspace_id: str) -> Workspace:
    """The organization that a path names, by its id or as ``default``.

    Raises:
        QuadratError: not_found, forbidden.
    """
    return await open_workspace(tx, caller, None if workspace_id == DEFAULT else to_uuid(workspace_id, "Workspace"))


async def _workspace(tx: Tx, caller: SignedIn, workspace_id: str) -> Workspace:
    return await workspace_of(tx, caller, workspace_id)


InWorkspace = Annotated[Workspace, Depends(_workspace, scope="function")]
"""The workspace of the path, in the request's transaction."""


@dataclass(frozen=True, slots=True)
class RawPath:
    """An enrichment's address before anything of it was looked up, for requests that outlast a transaction."""

    workspace_id: str
    project_id: str
    enrichment_id: str

    async def open(self, tx: AsyncConnection, caller: Caller) -> EnrichmentPath:
        """The same with its workspace.

        Raises:
            QuadratError: not_found, forbidden.
        """
        workspace = await workspace_of(tx, caller, self.workspace_id)
        return EnrichmentPath(workspace, to_uuid(self.project_id, "Project"), to_uuid(self.enrichment_id, "Enrichment"))


async def _raw(workspace_id: str, project_id: str, enrichment_id: str) -> RawPath:
    return RawPath(workspace_id, project_id, enrichment_id)


AtEnrichment = Annotated[RawPath, Depends(_raw)]


async def _path(tx: Tx, caller: SignedIn, raw: AtEnrichment) -> EnrichmentPath:
    return await raw.open(tx, caller)


InEnrichment = Annotated[EnrichmentPath, Depends(_path, scope="function")]
"""The enrichment's address in the request's transaction."""
