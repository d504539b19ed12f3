"""Builds of a model version."""

from quadrat.api.guard import new_router
from quadrat.api.pages.auth import SignedIn
from quadrat.api.pages.convert import to_build_card
from quadrat.api.pages.schemas import BuildCard
from quadrat.api.wire import Tx
from quadrat.serving.actions import packages
from quadrat.serving.actions.access import VersionPath

router = new_router("Builds")


@router.get("/projects/{project_id}/models/{model}/versions/{version}/builds", operation_id="page_builds_list")
async def page_builds_list(project_id: int, model: str, version: str, caller: SignedIn, tx: Tx) -> list[BuildCard]:
    """Newest first, as long as their jobs are kept; for who may see the version."""
    runs = await packages.list_builds(tx, caller, VersionPath(project_id, model, version))
    return [to_build_card(run) for run in runs]
