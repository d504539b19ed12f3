"""Whether the service is well."""

from fastapi import APIRouter, Request

from quadrat.api.ubiops.schemas.status import Status
from quadrat.db.engine import Database

router = APIRouter(tags=["Status"])


@router.get("/status", operation_id="service_status")
async def service_status(request: Request) -> Status:
    """Open to everyone; ``fail`` while the database does not answer."""
    db: Database = request.state.db
    return Status(status="ok" if await db.answers() else "fail")
