"""The web app's built files under ``/ui/``, as the wheel carries them."""

import gzip
import mimetypes
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

_ROOT = Path(__file__).parents[2] / "webui"
_GZIP_FROM_BYTES = 1024
_COMPRESSIBLE = ("text/", "application/javascript", "application/json", "image/svg+xml")
_SECURITY = {
    # Pictures may come from a bucket's signed addresses; everything else is ours. Svelte Flow and uPlot set styles
    # through the DOM, which this allows; no inline script, no inline style sheet.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {store}; "
    "img-src 'self' blob: data: {store}; font-src 'self'; manifest-src 'self'; worker-src 'self' blob:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PROVIDERS = {
    "s3": ("https://*.amazonaws.com",),
    "gs": ("https://storage.googleapis.com",),
    "az": ("https://*.blob.core.windows.net",),
}
_NOT_BUILT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Quadrat</title></head><body>
<h1>The pages are not built</h1><p>This is a source checkout without its built web app. Run <code>make web</code> (it
needs no Node.js of yours) and reload. The four APIs work all the same: <a href="/v2.1/docs">/v2.1</a>,
<a href="/v1/docs">/v1</a>, <a href="/api/docs">/api</a>, <a href="/v2/docs">/v2</a>.</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    zipped: bytes | None
    media_type: str
    etag: str


@cache
def _load(name: str, _changed_ns: int) -> _File:
    body = (_ROOT / name).read_bytes()
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type == "text/javascript":
        media_type = "application/javascript"
    zipped = None
    if len(body) >= _GZIP_FROM_BYTES and media_type.startswith(_COMPRESSIBLE):
        zipped = gzip.compress(body, 9, mtime=0)
    return _File(body, zipped, media_type, f'"{sha256(body).hexdigest()[:24]}"')


def is_built() -> bool:
    """Whether this installation has the app's files."""
    return (_ROOT / "index.html").is_file()


def store_origins(store_url: str | None, store_endpoint: str | None) -> tuple[str, ...]:
    """Where a browser is sent for signed addresses besides this server, as sources of the content policy."""
    if store_url is None:
        return ()
    if store_endpoint is not None:
        return (store_endpoint,)
    return _PROVIDERS[store_url.partition(":")[0]]


async def page(request: Request) -> Response:
    """One file; anything that is none is 404, since the app's addresses lie behind the ``#``."""
    name = request.path_params.get("path") or "index.html"
    if not is_built():
        return HTMLResponse(_NOT_BUILT, status_code=503)
    path = (_ROOT / name).resolve()
    if not path.is_relative_to(_ROOT.resolve()) or not path.is_file():
        return HTMLResponse("<!doctype html><title>Not found</title><p>There is no such page.</p>", status_code=404)
    found = _load(str(path.relative_to(_ROOT.resolve())), path.stat().st_mtime_ns)
    immutable = name.startswith("assets/")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if immutable else "no-cache",
        "ETag": found.etag,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if name == "index.html":
        origin = " ".join(request.state.page_origins)
        headers |= {key: value.format(store=origin) for key, value in _SECURITY.items()}
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    body = found.body
    if found.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body = found.zipped
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=found.media_type)


async def to_pages(_request: Request) -> Response:
    """``/`` and ``/ui`` lead to the app."""
    return RedirectResponse("/ui/", status_code=307)


ROUTES = (
    Route("/ui", to_pages),
    Route("/ui/", page),
    Route("/ui/{path:path}", page),
)
