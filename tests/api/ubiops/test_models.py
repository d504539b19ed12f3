from datetime import UTC, datetime
from typing import Any

import pytest

from quadrat.identity.actions.roles import assign_role, create_service_user
from quadrat.identity.types import ObjectType, Target
from support.desk import Desk
from support.people import unique

pytestmark = pytest.mark.anyio

INPUTS = [{"name": "input-field-1", "data_type": "int"}, {"name": "param2", "data_type": "timestamp"}]
OUTPUTS = [{"name": "output-field", "data_type": "array_double"}]


def declared(model_name: str, /, **changes: Any) -> dict[str, Any]:
    """A body; three dots take a key out."""
    body = {
        "name": model_name,
        "description": "Model one",
        "input_type": "structured",
        "output_type": "structured",
        "input_fields": INPUTS,
        "output_fields": OUTPUTS,
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not ...}


async def test_model_lives_from_create_to_delete(desk: Desk):
    base, name = desk.models, unique("m")
    made = await desk.client.post(base, json={**declared(name), "unknown": 1})
    body = made.json()
    assert made.status_code == 201
    created = datetime.fromisoformat(body.pop("creation_date"))
    assert abs((datetime.now(UTC) - created).total_seconds()) < 60
    assert body.pop("last_updated").endswith("Z")
    assert body.pop("id")
    assert body == {
        "name": name,
        "project": desk.project.name,
        "description": "Model one",
        "input_type": "structured",
        "output_type": "structured",
        "input_fields": INPUTS,
        "output_fields": OUTPUTS,
        "number_of_versions": 0,
    }
    assert (await desk.client.get(f"{base}/{name}")).json() == made.json()
    assert (await desk.client.get(base)).json() == [made.json()]
    deleted = await desk.client.delete(f"{base}/{name}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await desk.client.get(f"{base}/{name}")).status_code == 404
    assert (await desk.client.get(base)).json() == []


@pytest.mark.parametrize("fields", [..., None, []])
async def test_plain_model_has_empty_lists_of_fields(desk: Desk, fields: Any):
    body = declared(unique("m"), input_type="plain", output_type="plain", input_fields=fields, output_fields=fields)
    made = await desk.client.post(desk.models, json=body)
    assert made.status_code == 201
    assert (made.json()["input_fields"], made.json()["output_fields"]) == ([], [])


async def test_description_left_out_or_null_is_empty(desk: Desk):
    for description in (..., None):
        body = declared(unique("m"), description=description)
        made = await desk.client.post(desk.models, json=body)
        assert made.json()["description"] == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Not a Name"},
        {"name": "a\n"},
        {"name": "x" * 65},
        {"name": ...},
        {"name": 5},
        {"description": "x" * 201},
        {"description": "a\u0000"},
        {"input_type": "blob"},
        {"input_type": ...},
        {"output_type": None},
        {"input_fields": []},
        {"input_fields": ...},
        {"output_type": "plain"},
        {"input_fields": [{"name": "a", "data_type": "file"}]},
        {"input_fields": [{"name": "a"}]},
        {"input_fields": [{"name": "a b", "data_type": "int"}]},
        {"input_fields": [{"name": "a", "data_type": "int"}, {"name": "a", "data_type": "bool"}]},
        {"input_fields": {"a": "int"}},
    ],
)
async def test_model_that_cannot_be_is_400_and_made_by_no_half(desk: Desk, changes: dict[str, Any]):
    base = desk.models
    refused = await desk.client.post(base, json=declared(unique("m"), **changes))
    assert refused.status_code == 400
    assert set(refused.json()) == {"error"}
    assert (await desk.client.get(base)).json() == []


async def test_name_is_taken_once_per_project(desk: Desk):
    name = unique("m")
    other = await desk.house.make_project(desk.person)
    answers = [
        await desk.client.post(f"/projects/{project}/models", json=declared(name))
        for project in (desk.project.name, desk.project.name, other.name)
    ]
    assert [answer.status_code for answer in answers] == [201, 400, 201]


async def test_update_changes_name_and_description_only(desk: Desk):
    base, name = desk.models, unique("m")
    made = (await desk.client.post(base, json=declared(name))).json()
    changed = await desk.client.patch(
        f"{base}/{name}", json={"name": f"{name}-2", "description": "", "input_type": "plain", "output_fields": []}
    )
    assert changed.status_code == 200
    assert changed.json() == {
        **made,
        "name": f"{name}-2",
        "description": "",
        "last_updated": changed.json()["last_updated"],
    }
    assert changed.json()["last_updated"] > made["last_updated"]
    assert (await desk.client.get(f"{base}/{name}")).status_code == 404
    kept = await desk.client.patch(f"{base}/{name}-2", json={"name": None, "description": None})
    assert (kept.json()["name"], kept.json()["description"]) == (f"{name}-2", "")


async def test_update_to_a_name_in_use_is_400_and_changes_nothing(desk: Desk):
    base, name = desk.models, unique("m")
    await desk.client.post(base, json=declared(name))
    await desk.client.post(base, json=declared(f"{name}-taken"))
    refused = await desk.client.patch(f"{base}/{name}", json={"name": f"{name}-taken", "description": "changed"})
    assert refused.status_code == 400
    assert (await desk.client.get(f"{base}/{name}")).json()["description"] == "Model one"


async def test_number_of_versions_counts(desk: Desk):
    base, name = desk.models, unique("m")
    await desk.client.post(base, json=declared(name))
    for version in ("v1", "v2"):
        assert (await desk.client.post(f"{base}/{name}/versions", json={"version": version})).status_code == 201
    assert (await desk.client.get(f"{base}/{name}")).json()["number_of_versions"] == 2


@pytest.mark.parametrize("name", ["missing", "a%2Fb", "%00", "A%20B", "x" * 300])
async def test_unknown_model_is_404_for_every_method(desk: Desk, name: str):
    at = f"/projects/{desk.project.name}/models/{name}"
    answers = [
        await desk.client.get(at),
        await desk.client.patch(at, json={"description": "x"}),
        await desk.client.delete(at),
        await desk.client.get(f"{at}/versions"),
        await desk.client.post(f"{at}/versions", json={"version": "v1"}),
    ]
    assert {answer.status_code for answer in answers} == {404}


async def test_stranger_and_anonymous_learn_nothing(desk: Desk):
    base, name = desk.models, unique("m")
    await desk.client.post(base, json=declared(name))
    stranger = desk.client_of(await desk.house.make_person())
    for at in (f"{base}/{name}", f"{base}/missing", base):
        assert (await stranger.get(at)).status_code == 404
        assert (await desk.client_of(None).get(at)).status_code == 401
    assert (await stranger.delete(f"{base}/{name}")).status_code == 404
    assert (await stranger.post(base, json=declared(unique("m")))).status_code == 404
    assert (await desk.client.get(f"{base}/{name}")).status_code == 200


async def test_role_on_one_model_opens_that_one_alone(desk: Desk):
    base = desk.models
    mine, other = unique("m"), unique("m")
    for name in (mine, other):
        await desk.client.post(base, json=declared(name))
    model_id = (await desk.client.get(f"{base}/{mine}")).json()["id"]
    async with desk.house.db.begin() as tx:
        robot, secret = await create_service_user(tx, desk.person.caller, desk.project.name, "robot")
    header = {"Authorization": f"Token {secret}"}
    assert (await desk.client_of(None).get(base, headers=header)).status_code == 403
    async with desk.house.db.begin() as tx:
        target = Target(ObjectType.MODEL, model_id)
        await assign_role(tx, desk.person.caller, desk.project.name, robot.uuid, "model-viewer", target)
    client = desk.client_of(None)
    assert [model["name"] for model in (await client.get(base, headers=header)).json()] == [mine]
    assert (await client.get(f"{base}/{mine}", headers=header)).status_code == 200
    assert (await client.get(f"{base}/{mine}/versions", headers=header)).status_code == 200
    assert (await client.get(f"{base}/{other}", headers=header)).status_code == 403
    assert (await client.get(f"{base}/missing", headers=header)).status_code == 403
    assert (await client.delete(f"{base}/{mine}", headers=header)).status_code == 403
    assert (await desk.client.delete(f"{base}/{mine}")).status_code == 204
    assert (await client.get(base, headers=header)).status_code == 403
