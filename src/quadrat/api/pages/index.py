"""The front page until the web app stands here: what this is and where the documentation is."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quadrat</title>
<style>
:root { color-scheme: light dark; --line: #8884; --accent: light-dark(#0b6e5f, #5fd0bd); }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 12vh auto; padding: 0 1.5rem; }
h1 { font-size: 2.2rem; letter-spacing: -.02em; margin: 0 0 .25rem; }
h1::before { content: ""; display: inline-block; width: .72em; height: .72em; margin-right: .4em;
  border: .13em solid var(--accent); }
table { border-collapse: collapse; width: 100%; margin: 2rem 0; }
td { border-top: 1px solid var(--line); padding: .7rem .75rem .7rem 0; vertical-align: top; }
code { white-space: nowrap; font: .92em ui-monospace, monospace; }
a { color: var(--accent); }
</style>
</head>
<body>
<h1>Quadrat</h1>
<p>From raw image samples to labelled objects, measured regions and served models. This server speaks four APIs, with
one token for all of them.</p>
<table>
<tr><td><code>/v2.1</code></td><td>Serving: models, versions, requests, pipelines</td>
<td><a href="/v2.1/docs">documentation</a></td></tr>
<tr><td><code>/v1</code></td><td>Samples: datasets of images, signed URLs</td>
<td><a href="/v1/docs">documentation</a></td></tr>
<tr><td><code>/api</code></td><td>Objects: classified by people and models</td>
<td><a href="/api/docs">documentation</a></td></tr>
<tr><td><code>/v2</code></td><td>Gaze: areas of interest and statistics</td>
<td><a href="/v2/docs">documentation</a></td></tr>
</table>
<p>For operators: <a href="/readyz">readiness</a>, <a href="/metrics">metrics</a>. Tokens are made with
<code>quadrat token create --user EMAIL --name NAME</code>.</p>
</body>
</html>
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


async def index(_request: Request) -> Response:
    """The page; it asks nothing of anyone."""
    return HTMLResponse(_PAGE, headers=_HEADERS)


ROUTES = (Route("/", index),)
