"""Every kind of error in the words of every API; no answer that a client of that API could not read."""

import errno
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from quadrat.api.ecotaxa import app as ecotaxa
from quadrat.api.lightly import app as lightly
from quadrat.api.middleware import RequestMiddleware
from quadrat.api.pupilcloud import app as pupilcloud
from quadrat.api.ubiops import app as ubiops
from quadrat.app import _FILE_UPLOADS
from quadrat.errors import ErrorKind, QuadratError

DOORS = {"ubiops": ubiops, "lightly": lightly, "ecotaxa": ecotaxa, "pupilcloud": pupilcloud}
LIMIT = 2048
# unauthenticated forbidden not_found already_exists invalid wrong_state too_large limit_reached unavailable unsupported
STATUS = {
    # A limit that ends by itself, as of sign-ins, is 429 there; the test's refusal says when to come back.
    "ubiops": [401, 403, 404, 400, 400, 400, 413, 429, 503, 400],
    "lightly": [401, 403, 404, 400, 400, 400, 413, 403, 503, 400],
    "ecotaxa": [401, 403, 404, 422, 422, 422, 413, 429, 503, 422],
    "pupilcloud": [401, 403, 404, 409, 400, 409, 413, 403, 503, 405],
}


class _Body(BaseModel):
    number: int


def _app(door: ModuleType) -> FastAPI:
    app: FastAPI = door.create_app()

    @app.get("/raise/{kind}")
    async def refuse(kind: str) -> None:
        raise QuadratError(ErrorKind(kind), "The sentence.", field="name", retry_after_s=7)

    @app.get("/break")
    async def fail() -> None:
        raise RuntimeError("secret: hunter2")

    @app.get("/fill")
    async def fill() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/srv/hunter2")

    @app.post("/body")
    @app.patch("/body")
    async def take(body: _Body) -> int:
        return body.number

    return app


@pytest.fixture(params=sorted(DOORS))
def api(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def client(api: str) -> Iterator[TestClient]:
    door = DOORS[api]
    parent = Starlette(routes=[Mount(door.PREFIX, _app(door))])
    outer = RequestMiddleware(parent, max_body_bytes=LIMIT, unlimited=_FILE_UPLOADS)
    with TestClient(outer, base_url=f"http://test{door.PREFIX}", raise_server_exceptions=False) as made:
        yield made


def _sentence(api: str, status: int, body: Any) -> str:
    """The sentence in a body, after its shape has been checked."""
    if api == "ubiops":
        assert set(body) == {"error"}
        return str(body["error"])
    if api == "lightly":
        assert set(body) == {"code", "error", "message", "requestId"}
        assert body["code"] == body["code"].upper()
        assert body["error"] == body["message"]
        return str(body["message"])
    if api == "pupilcloud":
        assert body["code"] == status
        assert isinstance(body["code"], int)
        assert body["status"] == "error"
        return str(body["message"])
    assert set(body) == {"detail"}
    if status == 422:
        for problem in body["detail"]:
            assert set(problem) == {"loc", "msg", "type"}
            assert all(isinstance(part, str) for part in problem["loc"])
        return str(body["detail"][0]["msg"])
    return str(body["detail"])


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_refusal_of_every_kind_has_the_api_status_and_body(client: TestClient, api: str, kind: ErrorKind) -> None:
    answer = client.get(f"raise/{kind.value}")
    assert answer.status_code == STATUS[api][list(ErrorKind).index(kind)]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["x-request-id"]
    assert _sentence(api, answer.status_code, answer.json()) == "The sentence."


def test_unknown_path_is_404_in_the_words_of_the_api(client: TestClient, api: str) -> None:
    answer = client.get("no/such/thing")
    assert answer.status_code == 404
    assert _sentence(api, 404, answer.json())


def test_wrong_method_is_405_with_the_allowed_ones(client: TestClient, api: str) -> None:
    answer = client.delete("break")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert "DELETE" in _sentence(api, 405, answer.json())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"number": "x"}', b"{}", b"\xff\xfe", b"null", b"1e999"])
def test_bad_body_is_refused_as_the_api_does_it(client: TestClient, api: str, content: bytes) -> None:
    for method in ("POST", "PATCH"):
        answer = client.request(method, "body", content=content, headers={"Content-Type": "application/json"})
        expected = {"ubiops": 400, "lightly": 400, "ecotaxa": 422, "pupilcloud": 409 if method == "POST" else 400}
        assert answer.status_code == expected[api]
        assert _sentence(api, answer.status_code, answer.json())


def test_bad_body_of_nested_depth_is_refused(client: TestClient, api: str) -> None:
    answer = client.post("body", content=b"[" * 2000, headers={"Content-Type": "application/json"})
    assert answer.status_code < 500
    assert _sentence(api, answer.status_code, answer.json())


@pytest.mark.parametrize("declared", [True, False])
def test_body_over_the_limit_is_413(client: TestClient, api: str, declared: bool) -> None:
    content = json.dumps({"number": 1, "more": "x" * LIMIT}).encode()
    body = content if declared else iter([content])
    answer = client.post("body", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert str(LIMIT) in _sentence(api, 413, answer.json())


def test_own_fault_is_500_with_a_number_and_without_a_trace(client: TestClient, api: str, capfd: Any) -> None:
    answer = client.get("break", headers={"X-Request-ID": "given-by-the-caller"})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "given-by-the-caller"
    assert "given-by-the-caller" in _sentence(api, 500, answer.json())
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text


def test_full_disk_is_503_that_says_so_and_where_it_is_not(client: TestClient, api: str) -> None:
    answer = client.get("fill")
    assert answer.status_code == 503
    assert "disk is full" in _sentence(api, 503, answer.json())
    assert answer.headers["retry-after"] == "30"
    assert "hunter2" not in answer.text


def test_request_id_that_is_no_id_is_replaced(client: TestClient) -> None:
    answer = client.get("no/such/thing", headers={"X-Request-ID": "a b\tc<script>"})
    assert answer.headers["x-request-id"].isalnum()


def test_paths_with_and_without_a_slash_are_the_same(client: TestClient, api: str) -> None:
    answer = client.get("break/", follow_redirects=False)
    assert answer.status_code == (404 if api == "lightly" else 500)


def test_docs_page_names_every_operation_and_asks_no_other_origin(client: TestClient, api: str) -> None:
    page = client.get("docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    document = client.get("openapi.json").json()
    for methods in document["paths"].values():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<script" not in page.text


def test_mounts_of_similar_prefixes_do_not_collide() -> None:
    parent = Starlette(routes=[Mount(door.PREFIX, door.create_app()) for door in DOORS.values()])
    with TestClient(parent) as client:
        titles = {
            name: client.get(f"{door.PREFIX}/openapi.json").json()["info"]["title"] for name, door in DOORS.items()
        }
    assert len(set(titles.values())) == len(DOORS)
    assert "serving" in titles["ubiops"]
    assert "areas-of-interest" in titles["pupilcloud"]
