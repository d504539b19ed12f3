"""Settings of visualizations, kept for programs that draw them."""

from typing import Annotated

from fastapi import Depends

from quadrat.api.guard import new_router
from quadrat.api.pupilcloud.auth import SignedIn
from quadrat.api.pupilcloud.convert import visualizations as convert
from quadrat.api.pupilcloud.paths import IN_PROJECT, InWorkspace, to_uuid
from quadrat.api.pupilcloud.schemas.envelope import Success, success
from quadrat.api.pupilcloud.schemas.visualizations import Visualization, VisualizationPatch, VisualizationPost
from quadrat.api.wire import Tx
from quadrat.gaze.actions import visualizations
from quadrat.gaze.actions.visualizations import VisualizationPath

router = new_router("Visualizations")

_ALL = IN_PROJECT + "/visualization_configs"
_ONE = _ALL + "/{visualization_config_id}"


async def _path(workspace: InWorkspace, project_id: str, visualization_config_id: str) -> VisualizationPath:
    return VisualizationPath(
        workspace, to_uuid(project_id, "Project"), to_uuid(visualization_config_id, "Visualization")
    )


InVisualization = Annotated[VisualizationPath, Depends(_path, scope="function")]


@router.get(_ALL, operation_id="get_visualization_configs")
async def get_visualization_configs(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, project_id: str
) -> Success[list[Visualization]]:
    """All settings of visualizations that a project keeps."""
    found = await visualizations.list_visualizations(tx, caller, workspace, to_uuid(project_id, "Project"))
    return success([convert.visualization(one) for one in found])


@router.post(_ALL, operation_id="post_visualization_config")
async def post_visualization_config(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, project_id: str, body: VisualizationPost
) -> Success[Visualization]:
    """Keep settings for a project, or for one of its enrichments."""
    place = (workspace, to_uuid(project_id, "Project"))
    made = await visualizations.create_visualization(tx, caller, place, convert.content(body))
    return success(convert.visualization(made))


@router.get(_ONE, operation_id="get_visualization_config")
async def get_visualization_config(tx: Tx, caller: SignedIn, path: InVisualization) -> Success[Visualization]:
    """Settings of one visualization."""
    return success(convert.visualization(await visualizations.get_visualization(tx, caller, path)))


@router.patch(_ONE, operation_id="patch_visualization_config")
async def patch_visualization_config(
    tx: Tx, caller: SignedIn, path: InVisualization, body: VisualizationPatch
) -> Success[Visualization]:
    """Change settings."""
    change = convert.content(body, str(path.visualization))
    return success(convert.visualization(await visualizations.update_visualization(tx, caller, path, change)))


@router.delete(_ONE, operation_id="delete_visualization_config")
async def delete_visualization_config(tx: Tx, caller: SignedIn, path: InVisualization) -> Success[Visualization]:
    """Remove settings; answers with what they were, which the client's model requires."""
    return success(convert.visualization(await visualizations.delete_visualization(tx, caller, path)))
