"""Single objects."""

from quadrat.api.ecotaxa import convert_objects as convert
from quadrat.api.ecotaxa.auth import Anyone
from quadrat.api.ecotaxa.schemas.object_sets import Id
from quadrat.api.ecotaxa.schemas.objects import HistoricalClassification, ObjectModel
from quadrat.api.guard import new_router
from quadrat.api.wire import Tx
from quadrat.objects.actions import objects
from quadrat.objects.types import ObjectId

router = new_router("object")


@router.get("/object/{object_id}", operation_id="object_query")
async def object_query(tx: Tx, caller: Anyone, object_id: Id) -> ObjectModel:
    """All that is known of an object."""
    return convert.object_model(await objects.get_object(tx, caller, ObjectId(object_id)))


@router.get("/object/{object_id}/history", operation_id="object_query_history")
async def object_query_history(tx: Tx, caller: Anyone, object_id: Id) -> list[HistoricalClassification]:
    """The former states of an object, the newest first; nothing for an unknown one."""
    return [convert.history_line(line) for line in await objects.list_history(tx, caller, ObjectId(object_id))]
