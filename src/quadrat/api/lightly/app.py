"""The samples API under ``/v1``."""

from fastapi import FastAPI

from quadrat.api.docs import install_docs
from quadrat.api.lightly.errors import render
from quadrat.api.lightly.routes import (
    creation,
    datasets,
    embeddings,
    exports,
    imports,
    samples,
    settings,
    tags,
    versions,
)
from quadrat.api.wire import install_errors

PREFIX = "/v1"
_ROUTERS = (
    creation.router,
    samples.router,
    datasets.router,
    tags.router,
    exports.router,
    embeddings.router,
    settings.router,
    imports.router,
    versions.router,
)


def create_app() -> FastAPI:
    """The sub-application; the parent mounts it at `PREFIX` and opens what its routes need."""
    app = FastAPI(
        title="Quadrat samples API",
        summary="Datasets of image samples, signed addresses of their bytes (Lightly API of client 1.2.46)",
        version="1.2.46",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in _ROUTERS:
        app.include_router(router)
    install_errors(app, render)
    install_docs(app, PREFIX, '-H "Authorization: Bearer $TOKEN"')
    return app
