#!/usr/bin/env python3
"""Writes the pages that are derived from the code: docs/coverage.md and docs/settings.md.

``generate.py --check`` writes nothing and fails when a committed page differs from what would be written.
"""

import argparse
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from quadrat.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
#: API -> where the server mounts it, and what its clients call it.
APIS = {
    "ubiops": ("/v2.1", "UbiOps Core API"),
    "lightly": ("/v1", "Lightly API"),
    "ecotaxa": ("/api", "EcoTaxa API"),
    "pupilcloud": ("/v2", "Pupil Cloud API"),
}
#: What FastAPI adds to every app by itself.
_OWN_PAGES = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of a contract/<api>/operations.json; decision 005 says what each field means."""

    operation_id: str
    method: str
    path: str
    auth: str
    statuses: list[int]
    seed: bool
    source: str
    client: str | None

    @property
    def key(self) -> str:
        """Method and path as `route_key` writes them."""
        return route_key(self.method, self.path)


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one route that an app serves, under the path that clients use."""

    method: str
    path: str
    in_schema: bool

    @property
    def key(self) -> str:
        """Method and path as `route_key` writes them."""
        return route_key(self.method, self.path)


def route_key(method: str, path: str) -> str:
    """Method and path without what a client cannot see: names of parameters, a slash at the end."""
    return f"{method} {re.sub(r'{[^}]*}', '{}', path).rstrip('/')}"


def load_operations(api: str) -> list[Operation]:
    """The contract of one API."""
    rows = json.loads((ROOT / "contract" / api / "operations.json").read_text("utf-8"))
    return [Operation(**row) for row in rows]


def load_app(api: str) -> FastAPI:
    """The sub-app of one API, as the server mounts it."""
    app: FastAPI = importlib.import_module(f"quadrat.api.{api}.app").create_app()
    return app


def served_routes(api: str) -> list[Route]:
    """What the sub-app of one API serves, aliases included, FastAPI's own pages left out."""
    prefix, _ = APIS[api]
    if importlib.util.find_spec(f"quadrat.api.{api}.app") is None:
        return []
    return [
        Route(method, prefix + path, bool(context.include_in_schema))
        for context in iter_route_contexts(load_app(api).routes)
        if (path := context.path_format or "") not in _OWN_PAGES
        for method in sorted(context.methods or {"ANY"})
    ]


def coverage_page() -> str:
    """Which operations of which API answer today."""
    tables = []
    totals = [
        "| API | base path | operations of the seed | with those that clients call besides |",
        "|---|---|---|---|",
    ]
    for api, (prefix, title) in APIS.items():
        served = {route.key for route in served_routes(api)}
        operations = load_operations(api)
        seed = [operation for operation in operations if operation.seed]
        totals.append(f"| {title} | `{prefix}` | {_share(seed, served)} | {_share(operations, served)} |")
        tables += [
            f"\n## {title}\n",
            "| operation | method | path | state | client method |",
            "|---|---|---|---|---|",
        ]
        tables += [_coverage_row(operation, prefix, operation.key in served) for operation in operations]
    head = [
        "# Coverage",
        "",
        "Written by `make docs` from `contract/*/operations.json` and the routes of the server; a test keeps",
        "it true. An operation is done when the server has a route for it. Paths are relative to the base path.",
        "",
    ]
    return "\n".join([*head, *totals, *tables]) + "\n"


def _share(operations: Sequence[Operation], served: set[str]) -> str:
    return f"{sum(operation.key in served for operation in operations)} of {len(operations)}"


def _coverage_row(operation: Operation, prefix: str, done: bool) -> str:
    client = f"`{operation.client}`" if operation.client else ""
    state = "done" if done else "not yet"
    path = operation.path.removeprefix(prefix)
    return f"| {operation.operation_id} | {operation.method} | `{path}` | {state} | {client} |"


def settings_page() -> str:
    """Every setting of the server with its default and what it may be."""
    lines = [
        "# Settings",
        "",
        "Written by `make docs` from `quadrat.settings.Settings`. Each is read once, at the start, from the",
        f"environment. A variable that begins with `{PREFIX}` and is not in the list stops the start.",
        "",
        "| variable | default | may be | meaning |",
        "|---|---|---|---|",
    ]
    for name, schema in Settings.model_json_schema()["properties"].items():
        default = schema.get("default")
        shown = "" if default is None else f"`{default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {shown} | {_allowed(schema)} | {_cell(schema['description'])} |")
    return "\n".join(lines) + "\n"


def _allowed(schema: dict[str, Any]) -> str:
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    return " or ".join(_kind(kind) for kind in kinds)


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    word = schema.get("format", schema["type"]).replace("password", "secret string")
    if "pattern" in schema:
        return _cell(f"{word} like `{schema['pattern']}`")
    if "exclusiveMinimum" in schema:
        return f"{word}, more than {schema['exclusiveMinimum']}"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{word}, {low} to {high}"
    return f"{word}, at least {low}" if low is not None else word


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {"docs/coverage.md": coverage_page, "docs/settings.md": settings_page}


def stale_pages() -> list[str]:
    """Names of the pages that are not what `make docs` would write."""
    return [
        name for name, page in PAGES.items() if not (ROOT / name).exists() or (ROOT / name).read_text("utf-8") != page()
    ]


def main() -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a page is out of date")
    if not parser.parse_args().check:
        for name, page in PAGES.items():
            (ROOT / name).write_text(page(), "utf-8")
    elif stale := stale_pages():
        sys.exit(f"Out of date, run `make docs`: {', '.join(stale)}")


if __name__ == "__main__":
    main()
