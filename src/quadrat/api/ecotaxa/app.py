"""The object-set API under ``/api``."""

from fastapi import FastAPI

from quadrat.api.docs import install_docs
from quadrat.api.ecotaxa.errors import render, render_invalid_request, render_status
from quadrat.api.ecotaxa.routes import (
    exports,
    files,
    jobs,
    misc,
    object_sets,
    objects,
    parents,
    prediction,
    projects,
    taxa,
    users,
    vault,
)
from quadrat.api.wire import install_errors, serve_both_slashes

PREFIX = "/api"
_ROUTERS = (
    # Looked at first: what people wait for, but for addresses that `object_sets` would take for those of a project.
    exports.router,
    object_sets.router,
    misc.router,
    users.router,
    projects.router,
    taxa.router,
    parents.router,
    files.router,
    jobs.router,
    vault.router,
    objects.router,
    prediction.router,
)


def create_app() -> FastAPI:
    """The sub-application; the parent mounts it at `PREFIX` and opens what its routes need.

    Each path is served with and without a slash at its end, since clients disagree and a redirect may lose headers.
    """
    app = FastAPI(
        title="Quadrat object-set API",
        summary="Image objects, classified by people and models (EcoTaxa API 0.0.37)",
        # Clients check that this is 0.0.N with N >= 25.
        version="0.0.37",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in _ROUTERS:
        app.include_router(router)
    install_errors(app, render, on_invalid_request=render_invalid_request, render_status=render_status)
    serve_both_slashes(app)
    install_docs(app, PREFIX, '-H "Authorization: Bearer $TOKEN"')
    return app
