"""The four APIs of a live server, as their own documents describe them."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from support.contract.examples import UUID, Schemas

CONTRACT = Path(__file__).resolve().parents[3] / "contract"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PARAMETER = re.compile(r"{([^}]*)}")
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Protocol:
    """How one API takes a credential and says no.

    Args:
        prefix: Where it is mounted.
        sign: Arguments of a request that carry a token.
        without_token: Status for a caller without one.
        invalid: Status for a malformed body by method.
        is_error: Whether a body is one of this API's errors.
    """

    prefix: str
    sign: Callable[[str], dict[str, dict[str, str]]]
    without_token: int
    invalid: dict[str, int]
    is_error: Callable[[int, dict[str, Any]], bool]


def _lightly_error(status: int, body: dict[str, Any]) -> bool:
    return (
        set(body) <= {"code", "error", "message", "requestId"}
        and re.fullmatch(r"[A-Z_]+", body["code"]) is not None
        and body["error"] == body["message"] != ""
    )


def _ubiops_error(status: int, body: dict[str, Any]) -> bool:
    return set(body) == {"error"} and isinstance(body["error"], str) and body["error"] != ""


def _ecotaxa_error(status: int, body: dict[str, Any]) -> bool:
    if status == 422:
        return body["detail"] != [] and all(set(problem) >= {"loc", "msg", "type"} for problem in body["detail"])
    return isinstance(body["detail"], str) and body["detail"] != ""


def _pupilcloud_error(status: int, body: dict[str, Any]) -> bool:
    return body["code"] == status and body["status"] == "error" and isinstance(body["message"], str)


PROTOCOLS = {
    "ubiops": Protocol(
        "/v2.1",
        lambda token: {"headers": {"Authorization": f"Token {token}"}},
        401,
        dict.fromkeys(METHODS, 400),
        _ubiops_error,
    ),
    "lightly": Protocol(
        "/v1", lambda token: {"params": {"token": token}}, 401, dict.fromkeys(METHODS, 400), _lightly_error
    ),
    "ecotaxa": Protocol(
        "/api",
        lambda token: {"headers": {"Authorization": f"Bearer {token}"}},
        403,
        dict.fromkeys(METHODS, 422),
        _ecotaxa_error,
    ),
    "pupilcloud": Protocol(
        "/v2",
        lambda token: {"headers": {"api-key": token}},
        401,
        dict.fromkeys(METHODS, 400) | {"POST": 409},
        _pupilcloud_error,
    ),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One implemented operation: its row of the contract and what the server's own document says about it.

    Args:
        method: HTTP method.
        path: Template under which clients call it.
        auth: ``token``, ``optional`` or ``none``.
        statuses: What it may answer, by the contract.
        body: The document's ``requestBody``, if there is one.
        path_schemas: Schemas of the parameters in the path, in their order.
        query: Schemas of the query's parameters that must be there.
        headers: Schemas of the headers that must be there.
    """

    method: str
    path: str
    auth: str = "token"
    statuses: tuple[int, ...] = ()
    body: dict[str, Any] | None = None
    path_schemas: tuple[dict[str, Any], ...] = ()
    query: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    headers: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def parameters(self) -> list[str]:
        """Names of the path's parameters."""
        return _PARAMETER.findall(self.path)

    @property
    def json_schema(self) -> dict[str, Any] | None:
        """What a JSON body has to look like; None when this operation takes none."""
        schema: dict[str, Any] | None = (self.body or {}).get("content", {}).get(_JSON, {}).get("schema")
        return schema

    def at(self, values: Mapping[str, str]) -> str:
        """The path with each parameter replaced: by what `values` has, else by something that does not exist."""
        schemas = iter(self.path_schemas)

        def value(match: re.Match[str]) -> str:
            return values.get(match[1]) or _missing(self.path, match[1], next(schemas, {}))

        return _PARAMETER.sub(value, self.path)


def _missing(path: str, name: str, schema: Mapping[str, Any]) -> str:
    """Something that fits a parameter of a path and names nothing."""
    if "enum" in schema:
        return str(schema["enum"][0])
    if schema.get("type") == "integer":
        return "999999999"
    if schema.get("format") == "uuid":
        return UUID
    if path.startswith("/api/"):
        return "999999999" if name.endswith("_id") else "missing"
    if path.startswith("/v1/"):
        return "f" * 24 if name.endswith("Id") else "missing"
    if name == "metric":
        return "requests"
    return UUID if name == "id" or name.endswith("_id") else "missing"


@dataclass(frozen=True, slots=True)
class Door:
    """One API of the live server.

    Args:
        name: Its name in ``contract/``.
        http: A client of the server.
        operations: Those of the contract that the server documents.
        schemas: What their bodies look like.
    """

    name: str
    http: httpx2.Client
    operations: list[Operation]
    schemas: Schemas

    @property
    def protocol(self) -> Protocol:
        return PROTOCOLS[self.name]

    def serves(self, method: str, path: str) -> bool:
        """Whether an operation is among those of the server, whatever its parameters are called."""
        return any(key(method, path) == key(other.method, other.path) for other in self.operations)

    def ask(self, operation: Operation, path: str, *, token: str | None = None, **body: Any) -> httpx2.Response:
        """One request, with what the operation must have besides a body."""
        signed: dict[str, Any] = self.protocol.sign(token) if token else {}
        asked_headers = {name: str(self.schemas.example(schema)) for name, schema in operation.headers.items()}
        headers = asked_headers | signed.get("headers", {}) | body.pop("headers", {})
        params = {name: self.schemas.example(schema) for name, schema in operation.query.items()}
        return self.http.request(
            operation.method,
            path,
            params=params | signed.get("params", {}),
            # As bytes: a token that is no ASCII has to reach the server too.
            headers={name: value.encode("latin-1") for name, value in headers.items()},
            **body,
        )

    def problem(self, answer: httpx2.Response, allowed: set[int]) -> str | None:
        """What is wrong with a refusal, in one line; None when nothing is."""
        asked = f"{answer.request.method} {answer.request.url.path} -> {answer.status_code}"
        if answer.status_code not in allowed:
            return f"{asked}, expected {sorted(allowed)}: {answer.text[:200]}"
        if answer.status_code < 400 or answer.request.method == "HEAD":
            return None
        if not answer.headers.get("content-type", "").startswith(_JSON):
            return f"{asked} is {answer.headers.get('content-type')}"
        if not self.protocol.is_error(answer.status_code, answer.json()):
            return f"{asked} has another body than this API's errors: {answer.text[:200]}"
        return None

    def sample_body(self, operation: Operation) -> dict[str, Any]:
        """Keyword arguments of a request whose body fits what the server documents."""
        if operation.body is None:
            return {}
        if operation.json_schema is not None:
            return {"json": self.schemas.example(operation.json_schema)}
        content = operation.body["content"]
        if "multipart/form-data" in content:
            return self._form(content["multipart/form-data"].get("schema", {}))
        return {"content": b"abc", "headers": {"Content-Type": next(iter(content))}}

    def _form(self, schema: dict[str, Any]) -> dict[str, Any]:
        fields = self.schemas.example(schema) or {"file": "abc"}
        # An empty zip archive where a text stands for a file, so that the request is multipart in any case.
        files = {name: ("a.zip", b"PK\x05\x06" + bytes(18)) for name, value in fields.items() if value == "abc"}
        return {"files": files, "data": {name: str(value) for name, value in fields.items() if name not in files}}

    def takes(self, operation: Operation, content: bytes) -> bool:
        """Whether the operation's own document lets these bytes through as its JSON body."""
        if operation.body is None or operation.json_schema is None:
            return False
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            return False
        optional = not operation.body.get("required", False)
        return (value is None and optional) or self.schemas.accepts(operation.json_schema, value)


def open_door(name: str, http: httpx2.Client) -> Door:
    """Read which operations of the contract the server documents."""
    prefix = PROTOCOLS[name].prefix
    answer = http.get(f"{prefix}/openapi.json")
    assert answer.status_code == 200, f"{name} has no OpenAPI document: {answer.status_code}"
    document = answer.json()
    documented = {
        key(method, prefix + path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    operations = [
        _operation(row, known)
        for row in json.loads((CONTRACT / name / "operations.json").read_text("utf-8"))
        if (known := documented.get(key(row["method"], row["path"]))) is not None
    ]
    assert operations, f"{name} documents no operation of the contract"
    return Door(name, http, operations, Schemas(document.get("components", {}).get("schemas", {})))


def _operation(row: Mapping[str, Any], known: Mapping[str, Any]) -> Operation:
    parameters = known.get("parameters", [])
    in_path = {parameter["name"]: parameter["schema"] for parameter in parameters if parameter["in"] == "path"}

    def needed(place: str) -> dict[str, dict[str, Any]]:
        return {
            parameter["name"]: parameter["schema"]
            for parameter in parameters
            if parameter["in"] == place and parameter.get("required")
        }

    return Operation(
        row["method"],
        row["path"],
        row["auth"],
        tuple(row["statuses"]),
        known.get("requestBody"),
        tuple(in_path.get(name, {}) for name in _PARAMETER.findall(row["path"])),
        needed("query"),
        needed("header"),
    )


def key(method: str, path: str) -> str:
    """Method and path without what a client cannot see: names of parameters, a slash at the end."""
    return f"{method.upper()} {_PARAMETER.sub('{}', path).rstrip('/')}"


def matches(template: str, concrete: str) -> bool:
    """Whether a path is one of a template; a slash at the end makes no difference."""
    parts = re.split(r"({[^}]*})", template.rstrip("/"))
    pattern = "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in parts)
    return re.fullmatch(pattern, concrete.rstrip("/")) is not None
