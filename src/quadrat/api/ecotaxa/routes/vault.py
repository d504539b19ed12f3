"""Images by name."""

from fastapi import Request
from starlette.responses import Response

from quadrat.api.ecotaxa.auth import Anyone
from quadrat.api.ecotaxa.downloads import send_blob
from quadrat.api.guard import new_router
from quadrat.api.wire import Tx
from quadrat.objects.actions.vault import open_image

router = new_router("vault")
# A number names one image for good.
_CACHE = "private, max-age=86400, immutable"


@router.get("/vault/{dir}/{file}", operation_id="get_vault_file", response_class=Response)
async def get_vault_file(request: Request, tx: Tx, caller: Anyone, dir: str, file: str) -> Response:
    """An image or a thumbnail."""
    found = await open_image(tx, caller, f"{dir}/{file}", request.state.blobs, dict(request.query_params))
    return await send_blob(request, found.key, found.media_type, cache=_CACHE)
