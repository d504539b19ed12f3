"""What is open to everyone."""

from starlette.responses import PlainTextResponse, Response

from quadrat.api.ecotaxa.convert.constants import constants
from quadrat.api.ecotaxa.schemas.constants import Constants, MLModel
from quadrat.api.guard import new_router
from quadrat.api.wire import Tx
from quadrat.identity.actions.sharing import list_administrators

router = new_router("misc")


@router.get("/status", operation_id="system_status", tags=["WIP"], response_class=PlainTextResponse)
async def system_status() -> Response:
    """A word that says that the server is there."""
    return PlainTextResponse("UP!")


@router.get("/noop", operation_id="do_nothing")
async def do_nothing() -> None:
    """Nothing, for those who measure the way here."""


@router.get("/constants", operation_id="used_constants")
async def used_constants(tx: Tx) -> Constants:
    """Texts and rules that clients' pages show."""
    return constants(await list_administrators(tx))


@router.get("/ml_models", operation_id="query_ml_models")
async def query_ml_models() -> list[MLModel]:
    """Networks that make deep features; this server has none of its own, it asks deployed models."""
    return []
