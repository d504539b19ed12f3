"""Scheduled requests over HTTP."""

from typing import Any

import pytest

from quadrat.identity.actions.roles import assign_role, create_service_user
from quadrat.identity.types import ObjectType, Target
from support.desk import Desk
from support.people import unique

pytestmark = pytest.mark.anyio


def at(desk: Desk) -> str:
    return f"/projects/{desk.project.name}/schedules"


async def make_objects(desk: Desk) -> tuple[str, str]:
    """Names of a structured model with a version ``v1``, and of a plain pipeline."""
    version = await desk.make_version(plain=False)
    pipeline = unique("p")
    body = {"name": pipeline, "input_type": "plain"}
    assert (await desk.client.post(f"/projects/{desk.project.name}/pipelines", json=body)).status_code == 201
    return version.split("/models/")[1].split("/")[0], pipeline


def planned(model: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": unique("s"),
        "object_type": "model",
        "object_name": model,
        "version": "v1",
        "schedule": "0 * 3 * *",
        "request_data": {"number": 1.5},
        **changes,
    }


async def test_schedule_lives_from_create_to_delete(desk: Desk):
    model, _pipeline = await make_objects(desk)
    body = planned(model, batch=False, timeout=60, enabled=False)
    made = await desk.client.post(at(desk), json=body)
    shown = made.json()
    assert made.status_code == 201
    assert shown.pop("creation_date").endswith("Z")
    assert shown.pop("id")
    assert shown == body
    one = f"{at(desk)}/{body['name']}"
    assert (await desk.client.get(one)).json() == made.json()
    assert (await desk.client.get(at(desk))).json() == [made.json()]
    change = {"name": "other", "schedule": "*/5 * * * *", "request_data": {"number": 2}, "batch": True, "enabled": True}
    changed = (await desk.client.patch(one, json=change)).json()
    assert {key: changed[key] for key in change} == change
    assert (changed["timeout"], changed["object_name"], changed["version"]) == (60, model, "v1")
    assert (await desk.client.get(one)).status_code == 404
    assert (await desk.client.delete(f"{at(desk)}/other")).status_code == 204
    assert (await desk.client.get(at(desk))).json() == []


async def test_schedule_of_a_pipeline_has_no_version_and_its_defaults(desk: Desk):
    _model, pipeline = await make_objects(desk)
    body = planned(pipeline, object_type="pipeline", version=None, request_data="tick")
    shown = (await desk.client.post(at(desk), json=body)).json()
    assert "version" not in shown
    assert (shown["batch"], shown["timeout"], shown["enabled"], shown["request_data"]) == (True, 300, True, "tick")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "No Name"},
        {"object_type": "connector"},
        {"object_name": "no-such"},
        {"version": "v9"},
        {"version": None},
        {"schedule": "* * * *"},
        {"schedule": "0 0 31 2 *"},
        {"request_data": {"number": "1"}},
        {"request_data": None},
        {"timeout": 9},
        {"timeout": 3601},
        {"batch": "perhaps"},
    ],
)
async def test_schedule_that_cannot_be_is_refused(desk: Desk, changes: dict[str, Any]):
    model, _pipeline = await make_objects(desk)
    assert (await desk.client.post(at(desk), json=planned(model, **changes))).status_code == 400
    assert (await desk.client.get(at(desk))).json() == []


async def test_change_that_cannot_be_is_refused(desk: Desk):
    model, _pipeline = await make_objects(desk)
    first, second = planned(model), planned(model)
    for body in (first, second):
        assert (await desk.client.post(at(desk), json=body)).status_code == 201
    assert (await desk.client.post(at(desk), json=first)).status_code == 400
    one = f"{at(desk)}/{first['name']}"
    for change in ({"name": second["name"]}, {"schedule": "x"}, {"request_data": {"n": 1}}, {"timeout": 1}):
        assert (await desk.client.patch(one, json=change)).status_code == 400
    assert (await desk.client.patch(f"{at(desk)}/none", json={})).status_code == 404
    assert (await desk.client.delete(f"{at(desk)}/none")).status_code == 404


async def test_schedules_go_with_their_object(desk: Desk):
    model, pipeline = await make_objects(desk)
    for body in (planned(model), planned(pipeline, object_type="pipeline", request_data="x")):
        assert (await desk.client.post(at(desk), json=body)).status_code == 201
    assert (await desk.client.delete(f"/projects/{desk.project.name}/pipelines/{pipeline}")).status_code == 204
    assert [item["object_name"] for item in (await desk.client.get(at(desk))).json()] == [model]
    assert (await desk.client.delete(f"{desk.models}/{model}")).status_code == 204
    assert (await desk.client.get(at(desk))).json() == []


async def test_permissions_on_the_object_decide(desk: Desk):
    model, pipeline = await make_objects(desk)
    mine, other = planned(pipeline, object_type="pipeline", request_data="x"), planned(model)
    for body in (mine, other):
        assert (await desk.client.post(at(desk), json=body)).status_code == 201
    uuid = (await desk.client.get(f"/projects/{desk.project.name}/pipelines/{pipeline}")).json()["id"]
    client = desk.client_of(None)
    async with desk.house.db.begin() as tx:
        caller, project = desk.person.caller, desk.project.name
        user, token = await create_service_user(tx, caller, project, "robot")
    client.headers["Authorization"] = f"Token {token}"
    assert (await client.get(at(desk))).status_code == 403
    async with desk.house.db.begin() as tx:
        await assign_role(tx, caller, project, user.uuid, "pipeline-editor", Target(ObjectType.PIPELINE, uuid))

    assert [item["name"] for item in (await client.get(at(desk))).json()] == [mine["name"]]
    assert (await client.get(f"{at(desk)}/{mine['name']}")).status_code == 200
    assert (await client.get(f"{at(desk)}/{other['name']}")).status_code == 403
    assert (await client.patch(f"{at(desk)}/{mine['name']}", json={"enabled": False})).status_code == 200
    assert (await client.patch(f"{at(desk)}/{other['name']}", json={"enabled": False})).status_code == 403
    assert (await client.post(at(desk), json=planned(model))).status_code == 403


async def test_others_see_nothing(desk: Desk):
    model, _pipeline = await make_objects(desk)
    body = planned(model)
    await desk.client.post(at(desk), json=body)
    stranger = desk.client_of(await desk.house.make_person())
    for path in ("", f"/{body['name']}"):
        assert (await stranger.get(at(desk) + path)).status_code == 404
        assert (await desk.client_of(None).get(at(desk) + path)).status_code == 401
