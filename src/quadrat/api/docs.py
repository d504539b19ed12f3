"""A readable page of one API's operations, made from its OpenAPI document; it asks nothing of any other origin."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_METHODS = ("get", "head", "post", "put", "patch", "delete")
_OTHER = "Other"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#16201e, #e4ece9); --soft: light-dark(#5b6b67, #9aaba6);
  --line: light-dark(#dde5e2, #2c3835); --field: light-dark(#f4f7f6, #171f1d); --paper: light-dark(#fff, #101614);
  --accent: light-dark(#0b6e5f, #5fd0bd); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; }
main { display: grid; grid-template-columns: 17rem minmax(0, 52rem); gap: 3rem; max-width: 76rem; margin: 0 auto;
  padding: 2.5rem 1.5rem 6rem; }
nav { position: sticky; top: 1.5rem; align-self: start; max-height: calc(100vh - 3rem); overflow: auto; }
nav h2 { font-size: .78rem; letter-spacing: .06em; text-transform: uppercase; color: var(--soft);
  margin: 1.2rem 0 .3rem; }
nav a { display: block; padding: .1rem 0; color: inherit; text-decoration: none; overflow-wrap: anywhere; }
nav a:hover, a:focus-visible { color: var(--accent); text-decoration: underline; }
a { color: var(--accent); }
h1 { font-size: 1.9rem; letter-spacing: -.02em; margin: 0; }
section > h2 { margin: 3rem 0 .5rem; font-size: 1.25rem; }
article { border-top: 1px solid var(--line); padding: 1.4rem 0 .6rem; scroll-margin-top: 1rem; }
article h3 { font: 600 .98rem/1.4 ui-monospace, monospace; margin: 0; overflow-wrap: anywhere; }
.method { color: var(--accent); margin-right: .6em; }
.soft, caption { color: var(--soft); }
code, pre { font: .9em/1.5 ui-monospace, monospace; }
pre { background: var(--field); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem;
  overflow: auto; }
table { border-collapse: collapse; width: 100%; margin: .8rem 0; }
caption { text-align: left; font-size: .82rem; }
th { text-align: left; font-weight: 600; font-size: .82rem; color: var(--soft); }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; vertical-align: top; }
td:first-child { white-space: nowrap; }
@media (max-width: 60rem) { main { grid-template-columns: minmax(0, 1fr); }
  nav { position: static; max-height: none; } }
"""


def install_docs(app: FastAPI, prefix: str, credential: str) -> None:
    """Serve the page at ``<prefix>/docs``.

    Args:
        app: The API, with all its routes.
        prefix: Where the parent mounts it.
        credential: How curl sends a token to it, with ``$TOKEN`` in the place of the token.
    """

    @cache
    def page() -> str:
        return render_page(app.openapi(), prefix, credential)

    async def docs(_request: Request) -> Response:
        return HTMLResponse(page(), headers=_HEADERS)

    app.add_route("/docs", docs, include_in_schema=False)


def render_page(document: Mapping[str, Any], prefix: str, credential: str) -> str:
    """The whole page as HTML; everything from the document is escaped."""
    facts = document["info"]
    groups = _by_tag(document)
    navigation = "".join(
        f"<h2>{escape(tag)}</h2>"
        + "".join(
            f'<a href="#{escape(operation["operationId"])}">{escape(operation["operationId"])}</a>'
            for _, _, operation in operations
        )
        for tag, operations in groups.items()
    )
    sections = "".join(
        f"<section><h2>{escape(tag)}</h2>"
        + "".join(
            _article(document, prefix + path, method, operation, credential) for path, method, operation in operations
        )
        + "</section>"
        for tag, operations in groups.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(facts['title'])}</title><style>{_STYLE}</style></head><body><main>"
        f'<nav aria-label="Operations"><a href="/">Quadrat</a>{navigation}</nav><div>'
        f'<h1>{escape(facts["title"])}</h1><p>{escape(facts.get("summary", ""))} <span class="soft">version '
        f'{escape(facts["version"])}, <a href="{escape(prefix)}/openapi.json">OpenAPI document</a></span></p>'
        f"{sections}</div></main></body></html>"
    )


def _by_tag(document: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
    groups: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                tag = (methods[method].get("tags") or [_OTHER])[0]
                groups.setdefault(tag, []).append((path, method, methods[method]))
    return groups


def _article(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any], credential: str) -> str:
    body = _content_schema(operation.get("requestBody", {}))
    answers = {
        status: _content_schema(answer)
        for status, answer in operation.get("responses", {}).items()
        if status.startswith("2")
    }
    parts = [
        f'<article id="{escape(operation["operationId"])}">',
        f'<h3><span class="method">{method.upper()}</span>{escape(path)}</h3>',
        f"<p>{_prose(operation.get('description') or operation.get('summary') or '')}</p>",
        _table(
            "Parameters", ((p["name"], f"{p['in']}, {_type(p.get('schema', {}))}", p) for p in _parameters(operation))
        ),
        _schema_table(document, "Body", body),
    ]
    for status, schema in answers.items():
        parts.append(_schema_table(document, f"Answer {status}", schema))
    parts.append(f"<pre>{escape(_curl(path, method, operation, credential))}</pre></article>")
    return "".join(parts)


def _prose(text: str) -> str:
    """A docstring's words, what stands in backquotes as code."""
    return re.sub(r"``?([^`]+)``?", r"<code>\1</code>", escape(text))


def _parameters(operation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(operation.get("parameters", []))


def _content_schema(holder: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for content in holder.get("content", {}).values():
        schema: Mapping[str, Any] = content.get("schema", {})
        return schema
    return None


def _table(caption: str, rows: Iterator[tuple[str, str, Mapping[str, Any]]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(type_)}</td><td>{'yes' if entry.get('required') else ''}"
        f"</td><td>{escape(str(entry.get('description', '')))}</td></tr>"
        for name, type_, entry in rows
    )
    if not cells:
        return ""
    heads = "<tr><th>name</th><th>type</th><th>required</th><th></th></tr>"
    return f"<table><caption>{escape(caption)}</caption>{heads}{cells}</table>"


def _schema_table(document: Mapping[str, Any], caption: str, schema: Mapping[str, Any] | None) -> str:
    if not schema:
        return ""
    item = schema.get("items", schema) if schema.get("type") == "array" else schema
    resolved = _resolve(document, item)
    properties = resolved.get("properties")
    if not properties:
        return f'<p class="soft">{escape(caption)}: {escape(_type(schema))}</p>'
    required = set(resolved.get("required", ()))
    rows = (
        (name, _type(entry), {"required": name in required, "description": entry.get("description", "")})
        for name, entry in properties.items()
    )
    return _table(f"{caption}: {_type(schema)}", rows)


def _resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][reference.rsplit("/", 1)[1]]
    return found


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return repr(schema["const"])
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return " or ".join(_type(option) for option in schema[word])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    type_ = str(schema.get("type", "any"))
    return f"{type_} ({schema['format']})" if "format" in schema else type_


def _curl(path: str, method: str, operation: Mapping[str, Any], credential: str) -> str:
    address = re.sub(r"{(\w+)}", lambda found: "$" + found.group(1).upper(), path)
    command = "curl" if method == "get" else f"curl -X {method.upper()}"
    lines = [f'{command} "$QUADRAT{address}"']
    if operation.get("security"):
        lines.append(credential)
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        lines.append("-H 'Content-Type: application/json' -d @body.json")
    return " \\\n  ".join(lines)
