"""What is open to everyone."""

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

router = APIRouter()


@router.get("/status", operation_id="system_status", tags=["WIP"], response_class=PlainTextResponse)
async def system_status() -> Response:
    """A word that says that the server is there."""
    return PlainTextResponse("UP!")


@router.get("/noop", operation_id="do_nothing", tags=["misc"])
async def do_nothing() -> None:
    """Nothing, for those who measure the way here."""
