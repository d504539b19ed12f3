"""What is open to everyone."""

from starlette.responses import PlainTextResponse, Response

from quadrat.api.guard import new_router

router = new_router("misc")


@router.get("/status", operation_id="system_status", tags=["WIP"], response_class=PlainTextResponse)
async def system_status() -> Response:
    """A word that says that the server is there."""
    return PlainTextResponse("UP!")


@router.get("/noop", operation_id="do_nothing")
async def do_nothing() -> None:
    """Nothing, for those who measure the way here."""
