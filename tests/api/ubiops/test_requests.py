import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from support.desk import Desk
from support.serving import ECHO, ServingHouse

pytestmark = pytest.mark.anyio

CHOOSY = """
class Model:
    def request(self, data):
        if data["number"] < 0:
            raise ValueError("Asset ID not supported")
        return {"number": data["number"] * 2, "more": "not declared"}
"""


async def ended(desk: Desk, serving: ServingHouse, at: str, ids: list[str]) -> list[dict[str, Any]]:
    """The requests in the order of the ids, once all have ended."""

    async def look() -> list[dict[str, Any]] | None:
        collected = (await desk.client.post(f"{at}/request-batch-collect", json=ids)).json()
        done = all(item["status"] in {"completed", "failed"} for item in collected)
        return collected if done else None

    found = {item["id"]: item for item in await serving.until(look)}
    return [found[id_] for id_ in ids]


def ids_of(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()]


async def test_direct_request_answers_with_result_or_reason(running_desk: Desk, serving: ServingHouse):
    at = await running_desk.serve(serving, CHOOSY, plain=False)
    done = await running_desk.client.post(f"{at}/request", json={"number": 21})
    assert (done.status_code, done.headers["content-type"]) == (200, "application/json")
    assert UUID(done.json()["request_id"]).version == 7
    assert done.json() == {
        "request_id": done.json()["request_id"],
        "success": True,
        "result": {"number": 42},
        "error_message": None,
    }
    failed = await running_desk.client.post(f"{at}/request", json={"number": -1})
    assert (failed.status_code, failed.json()) == (
        200,
        {
            "request_id": failed.json()["request_id"],
            "success": False,
            "result": None,
            "error_message": "Asset ID not supported",
        },
    )


async def test_direct_request_with_data_that_does_not_fit_is_400(running_desk: Desk, serving: ServingHouse):
    at = await running_desk.serve(serving, CHOOSY, plain=False)
    values = [
        b"null",
        b"5",
        b'"text"',
        b"[]",
        b"{}",
        b'{"number": "1"}',
        b'{"number": null}',
        b'{"number": 1, "more": 2}',
    ]
    no_json = [b"", b"{", b"NaN", b'{"number": NaN}', b'{"number":' * 9999, b"\xff"]
    for content in (*values, *no_json):
        for headers in ({}, {"Content-Type": "application/json"}):
            refused = await running_desk.client.post(f"{at}/request", content=content, headers=headers)
            assert (refused.status_code, set(refused.json())) == (400, {"error"}), content


async def test_plain_request_is_a_json_string_or_a_text(running_desk: Desk, serving: ServingHouse):
    at = await running_desk.serve(serving, ECHO)
    text = {"Content-Type": "text/plain; charset=utf-8"}
    bodies: list[tuple[dict[str, Any], str]] = [
        ({"json": "text"}, "text"),
        ({"json": ""}, ""),
        ({"content": b"", "headers": text}, ""),
        ({"content": '"quoted" \\ ä\0'.encode(), "headers": text}, '"quoted" \\ ä\0'),
        ({"content": b'"no type"'}, "no type"),
    ]
    for body, expected in bodies:
        answer = await running_desk.client.post(f"{at}/request", **body)
        assert (answer.status_code, answer.json()["result"]) == (200, expected)
    for content, headers in ((b"\xff", text), (b"raw", {"Content-Type": "application/json"}), (b"{}", {})):
        refused = await running_desk.client.post(f"{at}/request", content=content, headers=headers)
        assert refused.status_code == 400


async def test_timeout_is_from_10_to_3600_seconds(running_desk: Desk, serving: ServingHouse):
    at = await running_desk.serve(serving, ECHO)
    for timeout, status in (("10", 200), ("3600", 200), ("9", 400), ("3601", 400), ("x", 400), ("", 400)):
        answer = await running_desk.client.post(f"{at}/request", params={"timeout": timeout}, json="x")
        assert answer.status_code == status, timeout


async def test_request_before_the_upload_is_400_in_the_known_words(desk: Desk):
    at = await desk.make_version()
    for path in ("request", "request-batch"):
        refused = await desk.client.post(f"{at}/{path}", json="x")
        assert (refused.status_code, refused.json()) == (
            400,
            {"error": "Version is not available: The version is currently in the initialised stage"},
        )


async def test_request_on_the_heels_of_a_role_finds_it_given_or_taken(running_desk: Desk, serving: ServingHouse):
    desk = running_desk
    at = await desk.serve(serving, ECHO)
    project = f"/projects/{desk.project.name}"
    robot = (await desk.client.post(f"{project}/service-users", json={"name": "robot"})).json()
    credential = {"Authorization": f"Token {robot['token']}"}
    given = {"user_id": robot["id"], "role": "project-editor"}
    for _ in range(10):
        made = await desk.client.post(f"{project}/role-assignments", json=given)
        assert (await desk.client.post(f"{at}/request", json="x", headers=credential)).status_code == 200
        await desk.client.delete(f"{project}/role-assignments/{made.json()['id']}")
        assert (await desk.client.post(f"{at}/request", json="x", headers=credential)).status_code == 403


async def test_request_to_what_is_not_there_is_told_what_is_missing(running_desk: Desk):
    desk = running_desk
    at = await desk.make_version()
    version, model = f"{at}9", f"{desk.models}/nosuch/versions/v1"
    for path, what in (
        (version, "Version v19 does not exist in this model."),
        (model, "Model nosuch does not exist in this project."),
    ):
        answer = await desk.client.post(f"{path}/request", json="x")
        assert (answer.status_code, answer.json()) == (404, {"error": what})


async def test_request_on_the_heels_of_a_change_sees_it(running_desk: Desk, serving: ServingHouse):
    desk = running_desk
    at = await desk.serve(serving, ECHO)
    assert (await desk.client.post(f"{at}/request", json="x")).status_code == 200
    await desk.client.patch(at, json={"version": "v2"})
    assert (await desk.client.post(f"{at}/request", json="x")).status_code == 404
    renamed = at.removesuffix("v1") + "v2"
    assert (await desk.client.post(f"{renamed}/request", json="x")).status_code == 200
    await desk.client.delete(renamed)
    assert (await desk.client.post(f"{renamed}/request", json="x")).status_code == 404


async def test_batch_is_accepted_worked_off_collected_and_deleted(running_desk: Desk, serving: ServingHouse):
    desk = running_desk
    at = await desk.serve(serving, CHOOSY, plain=False)
    created = await desk.client.post(f"{at}/request-batch", json=[{"number": 1}, {"number": -2}, {"number": 3}])
    ids = ids_of(created)
    assert {tuple(item) for item in created.json()} == {("id", "status", "time_created")}
    assert {item["status"] for item in created.json()} == {"pending"}
    found = await ended(desk, serving, at, ids)
    assert [(item["status"], item["success"], item["result"], item["error_message"]) for item in found] == [
        ("completed", True, {"number": 2}, None),
        ("failed", False, None, "Asset ID not supported"),
        ("completed", True, {"number": 6}, None),
    ]
    assert [item["request_data"] for item in found] == [{"number": 1}, {"number": -2}, {"number": 3}]
    assert all(item["time_last_updated"] > item["time_created"] for item in found)
    assert all(item["time_created"].endswith("Z") for item in found)
    one = await desk.client.get(f"{at}/request-batch/{ids[0]}")
    assert (one.status_code, one.json()) == (200, found[0])
    deleted = await desk.client.delete(f"{at}/request-batch/{ids[0]}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await desk.client.get(f"{at}/request-batch/{ids[0]}")).status_code == 404
    both = await desk.client.post(f"{at}/request-batch-delete", json=ids[1:])
    assert (both.status_code, both.json()) == (201, {})
    assert (await desk.client.get(f"{at}/request-batch")).json() == []


async def test_batch_list_is_filtered_sorted_and_paged(running_desk: Desk, serving: ServingHouse):
    desk = running_desk
    at = await desk.serve(serving, CHOOSY, plain=False)
    ids = ids_of(await desk.client.post(f"{at}/request-batch", json=[{"number": n} for n in (0, -1, 2)]))
    later = await desk.client.post(f"{at}/request-batch", json={"number": 3})
    ids += ids_of(later)
    await ended(desk, serving, at, ids)

    async def listed(**query: Any) -> list[int]:
        answer = await desk.client.get(f"{at}/request-batch", params=query)
        assert answer.status_code == 200, answer.text
        for item in answer.json():
            assert set(item) == {"id", "status", "success", "time_created", "time_last_updated"}
        return [ids.index(item["id"]) for item in answer.json()]

    assert await listed() == [3, 2, 1, 0]
    assert await listed(sort="asc") == [0, 1, 2, 3]
    assert await listed(status="failed") == [1]
    assert await listed(status="pending") == []
    assert await listed(success="True") == [3, 2, 0]
    assert await listed(success="false") == [1]
    assert await listed(success="True", status="failed") == []
    assert await listed(limit=2) == [3, 2]
    assert await listed(limit=2, offset=1, sort="asc") == [1, 2]
    assert await listed(offset=4) == []
    made = later.json()[0]["time_created"]
    assert await listed(start_time=made) == [3]
    assert await listed(end_time=made) == [2, 1, 0]
    assert await listed(end_time=made, status="failed") == [1]
    assert await listed(start_time="2031-01-01 00:00:00") == []
    for query in (
        {"status": "cancelled"},
        {"success": "x"},
        {"limit": 0},
        {"limit": "x"},
        {"offset": -1},
        {"sort": "up"},
        {"start_time": "soon"},
        {"end_time": ""},
    ):
        assert (await desk.client.get(f"{at}/request-batch", params=query)).status_code == 400


async def test_direct_requests_are_not_listed_among_batch_requests(running_desk: Desk, serving: ServingHouse):
    at = await running_desk.serve(serving, ECHO)
    await running_desk.client.post(f"{at}/request", json="x")
    assert (await running_desk.client.get(f"{at}/request-batch")).json() == []


async def test_plain_batch_takes_one_text_or_a_list(running_desk: Desk, serving: ServingHouse):
    desk = running_desk
    at = await desk.serve(serving, ECHO)
    bodies: list[dict[str, Any]] = [
        {"json": "one"},
        {"json": ["two", "three"]},
        {"content": b"[four]", "headers": {"Content-Type": "text/plain"}},
    ]
    ids = []
    for body in bodies:
        ids += ids_of(await desk.client.post(f"{at}/request-batch", **body))
    found = await ended(desk, serving, at, ids)
    assert [item["result"] for item in found] == ["one", "two", "three", "[four]"]


async def test_batch_of_wrong_size_or_with_a_bad_item_is_refused_as_a_whole(running_desk: Desk, serving: ServingHouse):
    desk = running_desk
    at = await desk.serve(serving, CHOOSY, plain=False)
    good = {"number": 1}
    bodies = [[], [good] * 251, [good, {"number": "1"}], [good, None], "text", 5, None, [[good]]]
    for body in bodies:
        refused = await desk.client.post(f"{at}/request-batch", content=json.dumps(body))
        assert (refused.status_code, set(refused.json())) == (400, {"error"}), body
    assert (await desk.client.get(f"{at}/request-batch")).json() == []
    assert len(ids_of(await desk.client.post(f"{at}/request-batch", json=[good] * 250))) == 250


async def test_unknown_id_among_others_collects_and_deletes_none(running_desk: Desk, serving: ServingHouse):
    desk = running_desk
    at, other = await desk.serve(serving, ECHO), await desk.serve(serving, ECHO)
    ids = ids_of(await desk.client.post(f"{at}/request-batch", json=["a", "b"]))
    foreign = ids_of(await desk.client.post(f"{other}/request-batch", json="c"))
    for wrong in (str(uuid4()), foreign[0]):
        for path in ("request-batch-collect", "request-batch-delete"):
            refused = await desk.client.post(f"{at}/{path}", json=[*ids, wrong])
            assert (refused.status_code, set(refused.json())) == (404, {"error"})
        assert (await desk.client.get(f"{at}/request-batch/{wrong}")).status_code == 404
        assert (await desk.client.delete(f"{at}/request-batch/{wrong}")).status_code == 404
    assert len(await ended(desk, serving, at, ids)) == 2


@pytest.mark.parametrize("path", ["request-batch-collect", "request-batch-delete"])
async def test_list_of_ids_that_is_none_is_400(desk: Desk, path: str):
    at = await desk.make_version()
    for content in (b"", b"{}", b"5", b'["no-uuid"]', b"[null]", b"[[]]", b"[" * 9999):
        refused = await desk.client.post(f"{at}/{path}", content=content)
        assert (refused.status_code, set(refused.json())) == (400, {"error"})
    too_many = await desk.client.post(f"{at}/{path}", json=[str(uuid4()) for _ in range(251)])
    assert too_many.status_code == 400
    assert (await desk.client.post(f"{at}/{path}", json=[])).status_code < 300


async def test_stranger_and_anonymous_learn_nothing(desk: Desk):
    at = await desk.make_version()
    for person, expected in ((await desk.house.make_person(), 404), (None, 401)):
        client = desk.client_of(person)
        answers = [
            await client.post(f"{at}/request", json="x"),
            await client.post(f"{at}/request-batch", json="x"),
            await client.get(f"{at}/request-batch"),
            await client.get(f"{at}/request-batch/{uuid4()}"),
            await client.delete(f"{at}/request-batch/{uuid4()}"),
            await client.post(f"{at}/request-batch-collect", json=[]),
            await client.post(f"{at}/request-batch-delete", json=[]),
        ]
        assert {answer.status_code for answer in answers} == {expected}


async def test_many_direct_requests_at_once_each_get_their_own_answer(running_desk: Desk, serving: ServingHouse):
    at = await running_desk.serve(serving, ECHO)
    answers = await asyncio.gather(
        *(running_desk.client.post(f"{at}/request", json=f"item {number}") for number in range(100))
    )
    assert [answer.json()["result"] for answer in answers] == [f"item {number}" for number in range(100)]
