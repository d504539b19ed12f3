"""For whoever runs the server: does it live, can it work, what does it count."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from quadrat.db.engine import Database
from quadrat.storage.blobs import BlobStore


async def healthz(_request: Request) -> Response:
    """200 as long as the process answers at all; it says nothing of the database."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 when requests can be served, else 503 with what is missing."""
    db: Database = request.state.db
    blobs: BlobStore = request.state.blobs
    checks = {"database": await db.answers(), "store": await blobs.answers()}
    ready = all(checks.values())
    body = {
        "status": "ok" if ready else "fail",
        "checks": {name: "ok" if ok else "fail" for name, ok in checks.items()},
    }
    return JSONResponse(body, status_code=200 if ready else 503, headers={} if ready else {"Retry-After": "2"})


async def metrics(_request: Request) -> Response:
    """Prometheus' text format."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


ROUTES = (Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics))
