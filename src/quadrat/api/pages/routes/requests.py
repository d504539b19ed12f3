"""How often models are asked."""

from typing import Annotated

from fastapi import Query

from quadrat.api.guard import new_router
from quadrat.api.pages.auth import SignedIn
from quadrat.api.pages.convert import to_asked_card
from quadrat.api.pages.schemas import AskedCard, AskedQuery
from quadrat.api.wire import Tx
from quadrat.serving.actions import usage

router = new_router("Requests")


@router.get("/projects/{project_id}/requests", operation_id="page_requests_count")
async def page_requests_count(
    project_id: int, caller: SignedIn, tx: Tx, query: Annotated[AskedQuery, Query()]
) -> list[AskedCard]:
    """Requests of each version that was asked, and how many of them failed; for who may see metrics."""
    span = (query.interval, query.start_time, query.end_time)
    return [to_asked_card(asked) for asked in await usage.count_requests(tx, caller, project_id, span)]
