"""Projects: the same as in the other APIs."""

from fastapi import APIRouter

from quadrat.api.ecotaxa.auth import SignedIn
from quadrat.api.ecotaxa.schemas.projects import CreateProjectReq
from quadrat.api.wire import Tx
from quadrat.identity.actions import projects

router = APIRouter(tags=["projects"])


@router.post("/projects/create", operation_id="create_project")
async def create_project(tx: Tx, caller: SignedIn, body: CreateProjectReq) -> int:
    """Make a project; the caller manages it. Answers its number."""
    return (await projects.create_project(tx, caller, title=body.title.strip())).id
