"""Every operation that the live server documents, asked in the ways in which a caller can be wrong."""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

CONTRACT = Path(__file__).resolve().parents[2] / "contract"
WRONG_TOKEN = "0" * 40
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PASSWORD = "Aa1!contract-walk"
#: Stands in every field of the owner's things that an address does not name.
HUSH = "hush-2f6c"


@dataclass(frozen=True, slots=True)
class Protocol:
    """How one API takes a credential and says no."""

    prefix: str
    sign: Callable[[str], dict[str, dict[str, str]]]
    without_token: int
    invalid: dict[str, int]
    error_keys: Callable[[int, dict[str, Any]], bool]


def lightly_error(status: int, body: dict[str, Any]) -> bool:
    return (
        set(body) <= {"code", "error", "message", "requestId"}
        and re.fullmatch(r"[A-Z_]+", body["code"]) is not None
        and body["error"] == body["message"] != ""
    )


def ubiops_error(status: int, body: dict[str, Any]) -> bool:
    return set(body) == {"error"} and isinstance(body["error"], str) and body["error"] != ""


def ecotaxa_error(status: int, body: dict[str, Any]) -> bool:
    if status == 422:
        return all(set(problem) >= {"loc", "msg", "type"} for problem in body["detail"])
    return isinstance(body["detail"], str) and body["detail"] != ""


def pupilcloud_error(status: int, body: dict[str, Any]) -> bool:
    return body["code"] == status and body["status"] == "error" and isinstance(body["message"], str)


PROTOCOLS = {
    "ubiops": Protocol(
        "/v2.1",
        lambda token: {"headers": {"Authorization": f"Token {token}"}},
        401,
        dict.fromkeys(METHODS, 400),
        ubiops_error,
    ),
    "lightly": Protocol(
        "/v1", lambda token: {"params": {"token": token}}, 401, dict.fromkeys(METHODS, 400), lightly_error
    ),
    "ecotaxa": Protocol(
        "/api",
        lambda token: {"headers": {"Authorization": f"Bearer {token}"}},
        403,
        dict.fromkeys(METHODS, 422),
        ecotaxa_error,
    ),
    "pupilcloud": Protocol(
        "/v2",
        lambda token: {"headers": {"api-key": token}},
        401,
        dict.fromkeys(METHODS, 400) | {"POST": 409},
        pupilcloud_error,
    ),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One implemented operation: its row of the contract and what the server's own document says about its body."""

    method: str
    path: str
    auth: str
    statuses: list[int]
    body: dict[str, Any] | None

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{([^}]*)}", self.path)

    def at(self, values: dict[str, str]) -> str:
        """The path with each parameter replaced: by what `values` has, else by something that does not exist."""
        return re.sub(r"{([^}]*)}", lambda match: values.get(match[1]) or placeholder(self.path, match[1]), self.path)


def placeholder(path: str, name: str) -> str:
    if path.startswith("/api/"):
        return "999999999" if name.endswith("_id") else "missing"
    if path.startswith("/v1/"):
        return "f" * 24 if name.endswith("Id") else "missing"
    if name == "metric":
        return "requests"
    return "00000000-0000-4000-8000-000000000000" if name == "id" or name.endswith("_id") else "missing"


@dataclass(frozen=True, slots=True)
class Door:
    """One API of the live server."""

    name: str
    http: httpx2.Client
    operations: list[Operation]
    schemas: dict[str, Any]
    protocol: Protocol = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "protocol", PROTOCOLS[self.name])

    def ask(self, operation: Operation, path: str, *, token: str | None = None, **body: Any) -> httpx2.Response:
        signed: dict[str, Any] = self.protocol.sign(token) if token else {}
        headers = signed.get("headers", {}) | body.pop("headers", {})
        # As bytes: a token that is no ASCII has to reach the server too.
        headers = {name: value.encode("latin-1") for name, value in headers.items()}
        return self.http.request(operation.method, path, params=signed.get("params"), headers=headers, **body)

    def problem(self, answer: httpx2.Response, allowed: set[int]) -> str | None:
        """What is wrong with a refusal, in one line; None when nothing is."""
        asked = f"{answer.request.method} {answer.request.url.path} -> {answer.status_code}"
        if answer.status_code not in allowed:
            return f"{asked}, expected {sorted(allowed)}: {answer.text[:200]}"
        if answer.status_code < 400 or answer.request.method == "HEAD":
            return None
        if not answer.headers.get("content-type", "").startswith("application/json"):
            return f"{asked} is {answer.headers.get('content-type')}"
        if not self.protocol.error_keys(answer.status_code, answer.json()):
            return f"{asked} has another body than this API's errors: {answer.text[:200]}"
        return None

    def sample_body(self, operation: Operation) -> dict[str, Any]:
        """Keyword arguments of a request whose body fits what the server documents."""
        if operation.body is None:
            return {}
        content = operation.body["content"]
        if "application/json" in content:
            return {"json": self.example(content["application/json"].get("schema", {}))}
        if "multipart/form-data" in content:
            return {"files": {"file": ("a.zip", b"PK\x05\x06" + bytes(18))}}
        return {"content": b"abc", "headers": {"Content-Type": next(iter(content))}}

    def example(self, schema: dict[str, Any]) -> Any:
        """The smallest value that a schema allows, as far as it says."""
        if "$ref" in schema:
            return self.example(self.schemas[schema["$ref"].rpartition("/")[2]])
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema:
                return self.example(schema[word][0])
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        return self._plain_example(schema)

    def _plain_example(self, schema: dict[str, Any]) -> Any:
        kind = schema.get("type", "object")
        if kind == "object":
            known = schema.get("properties", {})
            return {name: self.example(known.get(name, {})) for name in schema.get("required", [])}
        if kind == "array":
            return [self.example(schema.get("items", {})) for _ in range(schema.get("minItems", 0))]
        if kind == "string":
            text = {"uuid": placeholder("", "id"), "date-time": "2026-01-01T00:00:00Z", "date": "2026-01-01"}
            return text.get(schema.get("format", ""), "a" * max(3, schema.get("minLength", 0)))
        return {"integer": max(1, schema.get("minimum", 1)), "number": 1.0, "boolean": True}.get(kind)


@pytest.fixture(params=list(PROTOCOLS))
def door(request: pytest.FixtureRequest, http: httpx2.Client) -> Door:
    return open_door(request.param, http)


def open_door(name: str, http: httpx2.Client) -> Door:
    """Read which operations of the contract the server documents."""
    answer = http.get(f"{PROTOCOLS[name].prefix}/openapi.json")
    assert answer.status_code == 200, f"{name} has no OpenAPI document: {answer.status_code}"
    document = answer.json()
    documented = {
        key(method, PROTOCOLS[name].prefix + path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    operations = [
        Operation(row["method"], row["path"], row["auth"], row["statuses"], body)
        for row in json.loads((CONTRACT / name / "operations.json").read_text("utf-8"))
        if (known := documented.get(key(row["method"], row["path"]))) is not None
        for body in [known.get("requestBody")]
    ]
    assert operations, f"{name} documents no operation of the contract"
    return Door(name, http, operations, document.get("components", {}).get("schemas", {}))


def key(method: str, path: str) -> str:
    return f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path).rstrip('/')}"


def test_operation_without_a_token_is_refused_or_open_as_the_contract_says(door: Door):
    problems = []
    for operation in door.operations:
        answer = door.ask(operation, operation.at({}), **door.sample_body(operation))
        if operation.auth == "token":
            problems.append(door.problem(answer, {door.protocol.without_token}))
        else:
            problems.append(door.problem(answer, set(operation.statuses) - {401}))
    assert [problem for problem in problems if problem] == []


@pytest.mark.parametrize("token", [WRONG_TOKEN, "x", "ä" * 40, "Bearer", "' OR 1=1 --"])
def test_operation_with_a_wrong_token_is_refused(token: str, door: Door):
    if not token.isascii() and door.name != "lightly":
        token = token.encode().decode("latin-1")
    problems = []
    for operation in (operation for operation in door.operations if operation.auth == "token"):
        answer = door.ask(operation, operation.at({}), token=token, **door.sample_body(operation))
        problems.append(door.problem(answer, {401}))
        if door.name == "ecotaxa" and answer.headers.get("www-authenticate") != "Bearer":
            problems.append(f"{operation.path} does not ask for a bearer token")
    assert [problem for problem in problems if problem] == []


def test_operation_with_a_method_that_is_not_served_is_refused(door: Door, tenants: "Tenants"):
    problems = []
    for path in sorted({operation.path for operation in door.operations}):
        operation = Operation("GET", path, "token", [], None)
        concrete = operation.at({})
        served = {other.method for other in door.operations if matches(other.path, concrete)}
        unserved = next(method for method in METHODS if method not in served)
        wrong = Operation(unserved, path, "token", [], None)
        problems.append(door.problem(door.ask(wrong, concrete, token=tenants.owner), {405}))
    assert [problem for problem in problems if problem] == []


def matches(template: str, concrete: str) -> bool:
    pattern = "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"({[^}]*})", template))
    return re.fullmatch(pattern, concrete) is not None


@pytest.mark.parametrize("path", ["nothing-here", "projects/a/b/c/d/e", "..%2f..%2fetc", "%00"])
def test_unknown_path_is_not_found_in_the_words_of_its_api(path: str, door: Door, tenants: "Tenants"):
    operation = Operation("GET", f"{door.protocol.prefix}/{path}", "token", [], None)
    assert door.problem(door.ask(operation, operation.path, token=tenants.owner), {404}) is None


@pytest.mark.parametrize("content", [b'{"broken', b"\xff\xfe", b"12", b'"text"', b"null", b"[[]]", b'{"a":' * 5000])
def test_operation_with_a_malformed_body_is_invalid_and_changes_nothing(content: bytes, door: Door, tenants: "Tenants"):
    problems = []
    for operation in door.operations:
        if operation.body is None or (door.name, operation.path, content) in WELL_FORMED_THERE:
            continue
        allowed = {door.protocol.invalid[operation.method]}
        if set(operation.parameters) - set(tenants.things):
            allowed |= {403, 404}
        answer = door.ask(
            operation,
            operation.at(tenants.things),
            token=tenants.owner,
            content=content,
            headers={"Content-Type": "application/json"},
        )
        problems.append(door.problem(answer, allowed))
    assert [problem for problem in problems if problem] == []


#: Bodies of the malformed ones that an operation takes: a plain request may be any JSON string.
WELL_FORMED_THERE: set[tuple[str, str, bytes]] = set()


@dataclass(frozen=True, slots=True)
class Tenants:
    """Two users who share nothing.

    Args:
        owner: Token of the one.
        things: What the one made, by the parameter names of the paths.
        stranger: Token of the other.
    """

    owner: str
    things: dict[str, str]
    stranger: str


@pytest.fixture(scope="module")
def tenants(http: httpx2.Client, server: Any) -> Tenants:
    owner, stranger = (sign_up(http, server.token) for _ in range(2))
    things = make_ubiops_things(http, owner) | make_lightly_things(http, owner)
    return Tenants(owner, things, stranger)


def sign_up(http: httpx2.Client, admin_token: str) -> str:
    """A user made by the administrator, hence active at once, signed in with a password."""
    email = f"user-{secrets.token_hex(6)}@contract.example"
    made = http.post(
        "/v2.1/user",
        headers={"Authorization": f"Token {admin_token}"},
        json={"email": email, "password": PASSWORD, "name": "Wal", "surname": "Ker", "terms_conditions": True},
    )
    assert made.status_code == 201, made.text
    signed_in = http.post("/v2.1/authorize", json={"email": email, "password": PASSWORD})
    assert signed_in.status_code == 200, signed_in.text
    return str(signed_in.json()["access"])


def make_ubiops_things(http: httpx2.Client, token: str) -> dict[str, str]:
    """An organization, a project and a model with a version that no one else may see."""
    name = f"secret-{secrets.token_hex(6)}"

    def make(path: str, **body: Any) -> Any:
        answer = http.post(f"/v2.1{path}", headers={"Authorization": f"Bearer {token}"}, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    make("/organizations", name=name, subscription="free", subscription_agreed=True)
    make("/projects", name=name, organization_name=name)
    make(
        f"/projects/{name}/models",
        name="secret-model",
        description=HUSH,
        input_type="structured",
        output_type="plain",
        input_fields=[{"name": "number", "data_type": "int"}],
    )
    make(f"/projects/{name}/models/secret-model/versions", version="v1", description=HUSH, memory_allocation=256)
    things = {"organization_name": name, "project_name": name, "model_name": "secret-model", "version": "v1"}
    return things | make_pipeline_things(make, f"/projects/{name}")


def make_pipeline_things(make: Callable[..., Any], project: str) -> dict[str, str]:
    """A pipeline with the model and a connector in it, beside them credentials."""
    number = [{"name": "number", "data_type": "int"}]
    opens = {"username": HUSH, "password": HUSH, "host": "127.0.0.1", "port": "1"}
    make(f"{project}/credentials", name="secret-credentials", type="postgresql", configuration=opens)
    make(
        f"{project}/connectors",
        name="secret-connector",
        type="postgresql",
        credentials="secret-credentials",
        configuration={"database": HUSH, "table": HUSH},
        input_fields=number,
    )
    pipeline = f"{project}/pipelines/secret-pipeline"
    body = {"description": HUSH, "input_type": "structured", "input_fields": number}
    make(f"{project}/pipelines", name="secret-pipeline", **body)
    model = {"reference_type": "model", "reference_name": "secret-model", "version": "v1"}
    make(f"{pipeline}/objects", name="secret-object", **model)
    mapping = [{"source_field_name": "number", "destination_field_name": "number"}]
    make(f"{pipeline}/attachments", source_name="pipeline_start", destination_name="secret-object", mapping=mapping)
    return {
        "pipeline_name": "secret-pipeline",
        "name": "secret-object",
        "source_name": "pipeline_start",
        "destination_name": "secret-object",
        "connector_name": "secret-connector",
        "credentials_name": "secret-credentials",
    }


def make_lightly_things(http: httpx2.Client, token: str) -> dict[str, str]:
    """A dataset with one sample."""

    def make(path: str, **body: Any) -> str:
        answer = http.post(f"/v1{path}", params={"token": token}, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    dataset = make("/datasets", name=f"secret-{secrets.token_hex(6)}", type="Images")
    sample = make(f"/datasets/{dataset}/samples", fileName="secret.png", customMetaData={"note": HUSH})
    return {"datasetId": dataset, "sampleId": sample}


def test_operation_on_another_tenants_things_gives_nothing_away(door: Door, tenants: Tenants):
    problems = []
    for operation in door.operations:
        if operation.auth == "none" or not set(operation.parameters) & set(tenants.things):
            continue
        answer = door.ask(
            operation, operation.at(tenants.things), token=tenants.stranger, **door.sample_body(operation)
        )
        problems.append(door.problem(answer, {403, 404}))
        if HUSH in answer.text:
            problems.append(f"{operation.method} {operation.path} tells of another tenant's thing: {answer.text}")
    assert [problem for problem in problems if problem] == []


def test_things_survive_what_the_stranger_asked(http: httpx2.Client, tenants: Tenants, door: Door):
    for operation in (operation for operation in door.operations if operation.method != "GET" and operation.parameters):
        if operation.auth == "token" and set(operation.parameters) <= set(tenants.things):
            door.ask(operation, operation.at(tenants.things), token=tenants.stranger, **door.sample_body(operation))
    model = http.get(
        f"/v2.1/projects/{tenants.things['project_name']}/models/secret-model/versions/v1",
        headers={"Authorization": f"Bearer {tenants.owner}"},
    )
    sample = http.get(
        f"/v1/datasets/{tenants.things['datasetId']}/samples/{tenants.things['sampleId']}",
        params={"token": tenants.owner},
    )
    assert (model.status_code, sample.status_code) == (200, 200)
    assert (model.json()["status"], sample.json()["fileName"]) == ("initialised", "secret.png")


def test_lists_show_the_stranger_nothing_of_the_owner(http: httpx2.Client, tenants: Tenants):
    def listed(path: str, **signed: Any) -> str:
        answer = http.get(path, **signed)
        assert answer.status_code == 200, answer.text
        return answer.text

    bearer = {"headers": {"Authorization": f"Bearer {tenants.stranger}"}}
    assert "secret" not in listed("/v2.1/projects", **bearer)
    assert "secret" not in listed("/v2.1/organizations", **bearer)
    assert tenants.things["datasetId"] not in listed("/v1/datasets", params={"token": tenants.stranger})
    assert tenants.things["datasetId"] not in listed(
        "/v1/datasets", params={"token": tenants.stranger, "shared": "True"}
    )
