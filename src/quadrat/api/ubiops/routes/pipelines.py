"""Pipelines, their objects and attachments."""

from typing import Annotated

from fastapi import Depends, Request

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.pipelines import (
    to_attachments_list,
    to_links,
    to_new_object,
    to_new_pipeline,
    to_object_change,
    to_pipeline_change,
    to_pipeline_list,
    to_pipeline_object_list,
)
from quadrat.api.ubiops.convert.variables import to_inherited_list
from quadrat.api.ubiops.paths import PIPELINE, AtPipeline
from quadrat.api.ubiops.schemas.pipelines import (
    AttachmentsCreate,
    AttachmentsList,
    PipelineCreate,
    PipelineList,
    PipelineObjectCreate,
    PipelineObjectList,
    PipelineObjectUpdate,
    PipelineUpdate,
)
from quadrat.api.ubiops.schemas.variables import InheritedEnvironmentVariableList
from quadrat.api.wire import Tx
from quadrat.serving.actions import graphs, pipelines


async def _distrust(request: Request) -> None:
    """The caller's next request must see what this one changes."""
    if request.method != "GET":
        request.state.pipelines.plans.distrust()


router = new_router("Pipelines")
router.dependencies.append(Depends(_distrust))

_PIPELINES = "/projects/{project_name}/pipelines"
_OBJECTS = PIPELINE + "/objects"
_OBJECT = _OBJECTS + "/{name}"
_ATTACHMENTS = PIPELINE + "/attachments"
_FROM = _OBJECTS + "/{source_name}/attachments"
_BETWEEN = _FROM + "/{destination_name}"


async def _ends(source_name: str, destination_name: str) -> tuple[str, str]:
    return source_name, destination_name


Ends = Annotated[tuple[str, str], Depends(_ends)]


@router.get(_PIPELINES, operation_id="pipelines_list")
async def pipelines_list(project_name: str, caller: SignedIn, tx: Tx) -> list[PipelineList]:
    """By name; with roles on single pipelines only, just those."""
    project, found = await pipelines.list_pipelines(tx, caller, project_name)
    return [to_pipeline_list(project, item) for item in found]


@router.post(_PIPELINES, operation_id="pipelines_create", status_code=201)
async def pipelines_create(project_name: str, caller: SignedIn, body: PipelineCreate, tx: Tx) -> PipelineList:
    """An empty pipeline with the input that its requests have."""
    return to_pipeline_list(*await pipelines.create_pipeline(tx, caller, project_name, to_new_pipeline(body)))


@router.get(PIPELINE, operation_id="pipelines_get")
async def pipelines_get(path: AtPipeline, caller: SignedIn, tx: Tx) -> PipelineList:
    """One pipeline."""
    return to_pipeline_list(*await pipelines.get_pipeline(tx, caller, path))


@router.patch(PIPELINE, operation_id="pipelines_update")
async def pipelines_update(path: AtPipeline, caller: SignedIn, body: PipelineUpdate, tx: Tx) -> PipelineList:
    """Change name, description or input; another input must fit what is attached to the start."""
    return to_pipeline_list(*await pipelines.update_pipeline(tx, caller, path, to_pipeline_change(body)))


@router.delete(PIPELINE, operation_id="pipelines_delete", status_code=204)
async def pipelines_delete(path: AtPipeline, caller: SignedIn, tx: Tx) -> None:
    """With its objects, attachments, requests and schedules; models and connectors stay."""
    await pipelines.delete_pipeline(tx, caller, path)


@router.get(_OBJECTS, operation_id="pipeline_objects_list", response_model_exclude_unset=True)
async def pipeline_objects_list(path: AtPipeline, caller: SignedIn, tx: Tx) -> list[PipelineObjectList]:
    """By name."""
    return [to_pipeline_object_list(item) for item in await graphs.list_objects(tx, caller, path)]


@router.post(_OBJECTS, operation_id="pipeline_objects_create", status_code=201, response_model_exclude_unset=True)
async def pipeline_objects_create(
    path: AtPipeline, caller: SignedIn, body: PipelineObjectCreate, tx: Tx
) -> PipelineObjectList:
    """A model version or a connector; the same one may be added many times."""
    return to_pipeline_object_list(await graphs.create_object(tx, caller, path, to_new_object(body)))


@router.get(_OBJECT, operation_id="pipeline_objects_get", response_model_exclude_unset=True)
async def pipeline_objects_get(path: AtPipeline, name: str, caller: SignedIn, tx: Tx) -> PipelineObjectList:
    """One object."""
    return to_pipeline_object_list(await graphs.get_object(tx, caller, path, name))


@router.patch(_OBJECT, operation_id="pipeline_objects_update", response_model_exclude_unset=True)
async def pipeline_objects_update(
    path: AtPipeline, name: str, caller: SignedIn, body: PipelineObjectUpdate, tx: Tx
) -> PipelineObjectList:
    """Change its name, or the version of the same model; attachments stay."""
    return to_pipeline_object_list(await graphs.update_object(tx, caller, path, name, to_object_change(body)))


@router.delete(_OBJECT, operation_id="pipeline_objects_delete", status_code=204)
async def pipeline_objects_delete(path: AtPipeline, name: str, caller: SignedIn, tx: Tx) -> None:
    """With its attachments; what it stands for stays."""
    await graphs.delete_object(tx, caller, path, name)


@router.get(_OBJECT + "/environment-variables", operation_id="pipeline_object_environment_variables_list")
async def pipeline_object_environment_variables_list(
    path: AtPipeline, name: str, caller: SignedIn, tx: Tx
) -> list[InheritedEnvironmentVariableList]:
    """Those that count for the object's version, with where each is declared; none for a connector."""
    found = await graphs.list_variables_of_object(tx, caller, path, name)
    return [to_inherited_list(item, name_own=True) for item in found]


@router.get(_ATTACHMENTS, operation_id="pipeline_object_attachments_list")
async def pipeline_object_attachments_list(path: AtPipeline, caller: SignedIn, tx: Tx) -> list[AttachmentsList]:
    """All, oldest first."""
    return [to_attachments_list(item) for item in await graphs.list_attachments(tx, caller, path)]


@router.post(_ATTACHMENTS, operation_id="pipeline_object_attachments_create", status_code=201)
async def pipeline_object_attachments_create(
    path: AtPipeline, caller: SignedIn, body: AttachmentsCreate, tx: Tx
) -> AttachmentsList:
    """Let data flow from a source to a destination, each of whose fields the mapping fills once."""
    ends = (body.source_name, body.destination_name)
    return to_attachments_list(await graphs.create_attachment(tx, caller, path, ends, to_links(body.mapping)))


@router.get(_FROM + "/", operation_id="pipeline_object_attachments_source_get")
async def pipeline_object_attachments_source_get(
    path: AtPipeline, source_name: str, caller: SignedIn, tx: Tx
) -> list[AttachmentsList]:
    """Those of one source, oldest first."""
    return [to_attachments_list(item) for item in await graphs.list_attachments_of(tx, caller, path, source_name)]


@router.get(_BETWEEN, operation_id="pipeline_object_attachments_get")
async def pipeline_object_attachments_get(path: AtPipeline, ends: Ends, caller: SignedIn, tx: Tx) -> AttachmentsList:
    """The one between two objects."""
    return to_attachments_list(await graphs.get_attachment(tx, caller, path, ends))


@router.delete(_BETWEEN, operation_id="pipeline_object_attachments_delete", status_code=204)
async def pipeline_object_attachments_delete(path: AtPipeline, ends: Ends, caller: SignedIn, tx: Tx) -> None:
    """Detach two objects, which stay."""
    await graphs.delete_attachment(tx, caller, path, ends)
