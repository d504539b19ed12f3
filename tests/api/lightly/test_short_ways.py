"""What is answered before the framework: as the framework answers it, and nothing that is unusual."""

from typing import Any

import httpx2
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from quadrat.api.lightly.app import PREFIX, create_app
from quadrat.api.lightly.short_ways import ShortWays
from support.gallery import UNKNOWN, Gallery
from support.house import MAX_BODY_BYTES

pytestmark = pytest.mark.anyio
_PASSED_ON = 418


async def _framework(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(status_code=_PASSED_ON)(scope, receive, send)


def _said(answer: httpx2.Response) -> tuple[int, str, Any]:
    """What does not change from one request to the next."""
    body = answer.json()
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name != "requestId"}
    elif isinstance(body, str):
        body = body.split("&")[0]
    return answer.status_code, answer.headers["content-type"], body


@pytest.mark.parametrize("query", ["", "isThumbnail=False", "isThumbnail=true", "isThumbnail=1", "isThumbnail=None"])
async def test_addresses_and_refusals_are_those_of_the_framework(gallery: Gallery, query: str):
    dataset = await gallery.make_dataset()
    (sample,) = await gallery.make_samples(dataset, 1)
    plain = gallery.house.client_for(create_app, PREFIX, gallery.person)
    short = gallery.house.client_for(
        lambda: ShortWays(_framework, max_body_bytes=MAX_BODY_BYTES), PREFIX, gallery.person
    )
    for at, of in ((dataset, sample), (dataset, UNKNOWN), (UNKNOWN, sample)):
        path = f"/datasets/{at}/samples/{of}/writeurl?{query}"
        assert _said(await short.get(path)) == _said(await plain.get(path))
        unsigned = {"Authorization": ""}
        assert _said(await short.get(path, headers=unsigned)) == _said(await plain.get(path, headers=unsigned))
        by_query = f"{path}&token={gallery.person.token}"
        assert _said(await short.get(by_query, headers=unsigned)) == _said(await plain.get(by_query, headers=unsigned))
    for body in ({"fileName": "a.png"}, {"fileName": ""}, {}):
        path = f"/datasets/{dataset}/samples"
        assert _said(await short.post(path, json=body)) == _said(await plain.post(path, json=body))
        unsigned = {"Authorization": "Bearer x"}
        answers = [await client.post(path, json=body, headers=unsigned) for client in (short, plain)]
        assert _said(answers[0]) == _said(answers[1])


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "samples/{sample}/writeurl?isThumbnail=maybe", {}),
        ("GET", "samples/{sample}/writeurl?isThumbnail=1&isThumbnail=0", {}),
        ("GET", "samples/{sample}/writeurl?publicToken=x", {}),
        ("GET", "samples/{sample}/writeurl", {"Cookie": "quadrat_session=x"}),
        ("GET", "samples/{sample}/writeurl/", {}),
        ("PUT", "samples/{sample}/writeurl", {}),
        ("GET", "samples/1/writeurl", {}),
        ("GET", "samples", {}),
        ("POST", "samples", {"Cookie": "quadrat_session=x"}),
        ("POST", "samples", {"Content-Length": str(MAX_BODY_BYTES + 1)}),
        ("POST", "samples", {"Transfer-Encoding": "chunked"}),
    ],
)
async def test_what_is_unusual_is_left_to_the_framework(
    gallery: Gallery, method: str, path: str, headers: dict[str, str]
):
    short = gallery.house.client_for(
        lambda: ShortWays(_framework, max_body_bytes=MAX_BODY_BYTES), PREFIX, gallery.person
    )
    answer = await short.request(method, f"/datasets/{UNKNOWN}/{path.format(sample=UNKNOWN)}", headers=headers)
    assert answer.status_code == _PASSED_ON


async def test_our_own_fault_says_so_in_the_words_of_the_api(gallery: Gallery, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(gallery.house.state, "door")
    answer = await gallery.client.get(f"/datasets/{UNKNOWN}/samples/{UNKNOWN}/writeurl")
    assert (answer.status_code, answer.json()["requestId"]) == (500, answer.headers["x-request-id"])
    assert answer.json()["requestId"] in answer.json()["message"]
