"""Projects: the same as in the other APIs."""

from quadrat.api.ecotaxa.auth import SignedIn
from quadrat.api.ecotaxa.schemas.projects import CreateProjectReq
from quadrat.api.guard import new_router
from quadrat.api.wire import Tx
from quadrat.identity.actions import projects

router = new_router("projects")


@router.post("/projects/create", operation_id="create_project")
async def create_project(tx: Tx, caller: SignedIn, body: CreateProjectReq) -> int:
    """Make a project; the caller manages it. Answers its number."""
    return (await projects.create_project(tx, caller, title=body.title.strip())).id
