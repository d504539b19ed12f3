"""Models of a project."""

from fastapi import Request

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.models import to_model_list, to_new_model
from quadrat.api.ubiops.paths import MODEL, AtModel
from quadrat.api.ubiops.schemas.models import ModelCreate, ModelList, ModelUpdate
from quadrat.api.wire import Tx
from quadrat.serving.actions import models

router = new_router("Models")

_MODELS = "/projects/{project_name}/models"


@router.get(_MODELS, operation_id="models_list")
async def models_list(project_name: str, caller: SignedIn, tx: Tx) -> list[ModelList]:
    """By name; with roles on single models only, just those."""
    project, found = await models.list_models(tx, caller, project_name)
    return [to_model_list(project, model) for model in found]


@router.post(_MODELS, operation_id="models_create", status_code=201)
async def models_create(project_name: str, caller: SignedIn, body: ModelCreate, tx: Tx) -> ModelList:
    """Declare what a model takes and gives; this cannot be changed later."""
    return to_model_list(*await models.create_model(tx, caller, project_name, to_new_model(body)))


@router.get(MODEL, operation_id="models_get")
async def models_get(path: AtModel, caller: SignedIn, tx: Tx) -> ModelList:
    """One model."""
    return to_model_list(*await models.get_model(tx, caller, path))


@router.patch(MODEL, operation_id="models_update")
async def models_update(request: Request, path: AtModel, caller: SignedIn, body: ModelUpdate, tx: Tx) -> ModelList:
    """Change name or description; the old name is gone at once."""
    request.state.engine.directory.distrust()
    changed = await models.update_model(tx, caller, path, name=body.name, description=body.description)
    return to_model_list(*changed)


@router.delete(MODEL, operation_id="models_delete", status_code=204)
async def models_delete(request: Request, path: AtModel, caller: SignedIn, tx: Tx) -> None:
    """With its versions, packages and requests."""
    request.state.engine.directory.distrust()
    await models.delete_model(tx, caller, path)
