"""Pipelines, their objects and attachments over HTTP."""

from typing import Any

import pytest

from quadrat.identity.actions.roles import assign_role, create_service_user
from quadrat.identity.types import ObjectType, Target
from support.desk import Desk
from support.people import unique

pytestmark = pytest.mark.anyio

FIELDS = [{"name": "number", "data_type": "double"}]


def at(desk: Desk) -> str:
    return f"/projects/{desk.project.name}/pipelines"


async def make_pipeline(desk: Desk, **changes: Any) -> str:
    body = {"name": unique("p"), "input_type": "structured", "input_fields": FIELDS, **changes}
    made = await desk.client.post(at(desk), json=body)
    assert made.status_code == 201, made.text
    return f"{at(desk)}/{made.json()['name']}"


async def make_model(desk: Desk, inputs: Any = FIELDS, outputs: Any = FIELDS) -> str:
    """Name of a model with a version ``v1``; plain where there are no fields."""
    name = unique("m")
    body = {
        "name": name,
        "input_type": "structured" if inputs else "plain",
        "output_type": "structured" if outputs else "plain",
        "input_fields": inputs,
        "output_fields": outputs,
    }
    assert (await desk.client.post(desk.models, json=body)).status_code == 201
    version = {"version": "v1", "memory_allocation": 256}
    assert (await desk.client.post(f"{desk.models}/{name}/versions", json=version)).status_code == 201
    return name


async def add(desk: Desk, pipeline: str, name: str, model: str, version: str = "v1") -> None:
    body = {"name": name, "reference_type": "model", "reference_name": model, "version": version}
    made = await desk.client.post(f"{pipeline}/objects", json=body)
    assert made.status_code == 201, made.text


def straight(source: str, destination: str, *fields: str) -> dict[str, Any]:
    return {
        "source_name": source,
        "destination_name": destination,
        "mapping": [{"source_field_name": name, "destination_field_name": name} for name in fields or ("number",)],
    }


async def attach(desk: Desk, pipeline: str, body: dict[str, Any]) -> int:
    return (await desk.client.post(f"{pipeline}/attachments", json=body)).status_code


async def test_pipeline_lives_from_create_to_delete(desk: Desk):
    name = unique("p")
    body = {"name": name, "description": "first", "input_type": "structured", "input_fields": FIELDS}
    made = await desk.client.post(at(desk), json=body)
    shown = made.json()
    assert made.status_code == 201
    assert {key: shown[key] for key in body} == body
    assert shown["project"] == desk.project.name
    assert (await desk.client.get(f"{at(desk)}/{name}")).json() == shown
    assert (await desk.client.get(at(desk))).json() == [shown]
    renamed = await desk.client.patch(f"{at(desk)}/{name}", json={"name": f"{name}-2", "description": "second"})
    assert (renamed.json()["name"], renamed.json()["description"]) == (f"{name}-2", "second")
    assert renamed.json()["input_fields"] == FIELDS
    assert (await desk.client.get(f"{at(desk)}/{name}")).status_code == 404
    assert (await desk.client.delete(f"{at(desk)}/{name}-2")).status_code == 204
    assert (await desk.client.get(at(desk))).json() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "No Name"},
        {"name": "pipeline_start"},
        {"description": "x" * 201},
        {"input_type": "blob"},
        {"input_fields": []},
        {"input_type": "plain"},
        {"input_fields": [{"name": "a", "data_type": "int"}, {"name": "a", "data_type": "int"}]},
        {"input_fields": [{"name": "a", "data_type": "float"}]},
    ],
)
async def test_pipeline_with_a_bad_field_is_refused(desk: Desk, changes: dict[str, Any]):
    body = {"name": unique("p"), "input_type": "structured", "input_fields": FIELDS, **changes}
    assert (await desk.client.post(at(desk), json=body)).status_code == 400
    assert (await desk.client.get(at(desk))).json() == []


async def test_pipeline_name_is_taken_once(desk: Desk):
    first, second = await make_pipeline(desk), await make_pipeline(desk)
    name = first.rpartition("/")[2]
    again = await desk.client.post(at(desk), json={"name": name, "input_type": "plain"})
    assert again.status_code == 400
    assert (await desk.client.patch(second, json={"name": name})).status_code == 400


async def test_pipeline_input_changes_while_it_fits_what_is_attached(desk: Desk):
    pipeline = await make_pipeline(desk)
    await add(desk, pipeline, "one", await make_model(desk))
    assert await attach(desk, pipeline, straight("pipeline_start", "one")) == 201
    other = {"input_fields": [{"name": "text", "data_type": "string"}]}
    refused = await desk.client.patch(pipeline, json=other)
    assert refused.status_code == 400
    assert "number" in refused.json()["error"]
    assert (await desk.client.patch(pipeline, json={"input_type": "plain"})).status_code == 400
    wider = {"input_fields": [*FIELDS, {"name": "text", "data_type": "string"}]}
    assert (await desk.client.patch(pipeline, json=wider)).json()["input_fields"] == wider["input_fields"]
    assert (await desk.client.delete(f"{pipeline}/objects/pipeline_start/attachments/one")).status_code == 204
    plain = await desk.client.patch(pipeline, json={"input_type": "plain"})
    assert (plain.json()["input_type"], plain.json()["input_fields"]) == ("plain", [])


async def test_object_lives_from_create_to_delete(desk: Desk):
    pipeline, model = await make_pipeline(desk), await make_model(desk)
    body = {"name": "one", "reference_type": "model", "reference_name": model, "version": "v1"}
    made = await desk.client.post(f"{pipeline}/objects", json=body)
    shown = made.json()
    assert made.status_code == 201
    assert shown.pop("id")
    kinds = {"input_type": "structured", "output_type": "structured"}
    assert shown == {**body, **kinds, "input_fields": FIELDS, "output_fields": FIELDS}
    assert (await desk.client.get(f"{pipeline}/objects/one")).json() == made.json()
    assert (await desk.client.get(f"{pipeline}/objects")).json() == [made.json()]
    version = {"version": "v2", "memory_allocation": 256}
    assert (await desk.client.post(f"{desk.models}/{model}/versions", json=version)).status_code == 201
    same = {"name": "two", "version": "v2", "reference_type": "model", "reference_name": model}
    changed = await desk.client.patch(f"{pipeline}/objects/one", json=same)
    assert (changed.json()["name"], changed.json()["version"]) == ("two", "v2")
    assert (await desk.client.get(f"{pipeline}/objects/one")).status_code == 404
    assert (await desk.client.delete(f"{pipeline}/objects/two")).status_code == 204
    assert (await desk.client.get(f"{pipeline}/objects")).json() == []
    assert (await desk.client.get(f"{desk.models}/{model}")).status_code == 200


async def test_object_with_timestamps_leaves_its_fields_out(desk: Desk):
    model = await make_model(desk, inputs=[{"name": "at", "data_type": "timestamp"}])
    pipeline = await make_pipeline(desk)
    await add(desk, pipeline, "one", model)
    shown = (await desk.client.get(f"{pipeline}/objects/one")).json()
    assert set(shown) == {"id", "name", "reference_type", "reference_name", "version", "input_type", "output_type"}


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "pipeline_start"},
        {"name": "No Name"},
        {"reference_type": "pipeline"},
        {"reference_name": "no-such-model"},
        {"reference_name": "\0"},
        {"version": "v9"},
        {"version": None},
        {"reference_type": "connector", "reference_name": "no-such-connector"},
    ],
)
async def test_object_with_a_bad_field_is_refused(desk: Desk, changes: dict[str, Any]):
    pipeline, model = await make_pipeline(desk), await make_model(desk)
    body = {"name": "one", "reference_type": "model", "reference_name": model, "version": "v1", **changes}
    refused = await desk.client.post(f"{pipeline}/objects", json=body)
    assert refused.status_code == 400, refused.text
    assert (await desk.client.get(f"{pipeline}/objects")).json() == []


@pytest.mark.parametrize(
    "change", [{"reference_type": "connector"}, {"reference_name": "other"}, {"version": "v9"}, {"name": "two"}]
)
async def test_object_change_that_cannot_be_is_refused(desk: Desk, change: dict[str, Any]):
    pipeline, model = await make_pipeline(desk), await make_model(desk)
    await add(desk, pipeline, "one", model)
    await add(desk, pipeline, "two", model)
    assert (await desk.client.patch(f"{pipeline}/objects/one", json=change)).status_code == 400


async def test_version_and_model_in_a_pipeline_stay(desk: Desk):
    pipeline, model = await make_pipeline(desk), await make_model(desk)
    await add(desk, pipeline, "one", model)
    for path in (f"{desk.models}/{model}", f"{desk.models}/{model}/versions/v1"):
        refused = await desk.client.delete(path)
        assert refused.status_code == 400
        assert pipeline.rpartition("/")[2] in refused.json()["error"]
    assert (await desk.client.delete(f"{pipeline}/objects/one")).status_code == 204
    assert (await desk.client.delete(f"{desk.models}/{model}/versions/v1")).status_code == 204
    assert (await desk.client.delete(f"{desk.models}/{model}")).status_code == 204


async def test_attachment_lives_from_create_to_delete(desk: Desk):
    pipeline, model = await make_pipeline(desk), await make_model(desk)
    for name in ("one", "two"):
        await add(desk, pipeline, name, model)
    first = await desk.client.post(f"{pipeline}/attachments", json=straight("pipeline_start", "one"))
    second = await desk.client.post(f"{pipeline}/attachments", json=straight("one", "two"))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json().pop("id")
    assert {key: value for key, value in second.json().items() if key != "id"} == straight("one", "two")
    assert (await desk.client.get(f"{pipeline}/attachments")).json() == [first.json(), second.json()]
    for slash in ("", "/"):
        assert (await desk.client.get(f"{pipeline}/objects/one/attachments{slash}")).json() == [second.json()]
    assert (await desk.client.get(f"{pipeline}/objects/pipeline_start/attachments/")).json() == [first.json()]
    assert (await desk.client.get(f"{pipeline}/objects/one/attachments/two")).json() == second.json()
    assert (await desk.client.patch(f"{pipeline}/objects/one", json={"name": "uno"})).status_code == 200
    assert (await desk.client.get(f"{pipeline}/objects/uno/attachments/two")).status_code == 200
    assert (await desk.client.delete(f"{pipeline}/objects/uno")).status_code == 204
    assert (await desk.client.get(f"{pipeline}/attachments")).json() == []


async def test_attachment_to_what_is_not_there_is_not_found(desk: Desk):
    pipeline, model = await make_pipeline(desk), await make_model(desk)
    await add(desk, pipeline, "one", model)
    for path in ("objects/none/attachments/", "objects/one/attachments/none", "objects/none"):
        assert (await desk.client.get(f"{pipeline}/{path}")).status_code == 404
    assert (await desk.client.delete(f"{pipeline}/objects/one/attachments/none")).status_code == 404
    assert (await desk.client.delete(f"{pipeline}/objects/none")).status_code == 404


async def test_attachment_that_breaks_a_rule_is_refused(desk: Desk):
    pipeline, model = await make_pipeline(desk), await make_model(desk)
    plain = await make_model(desk, None, None)
    texts = await make_model(desk, [{"name": "number", "data_type": "string"}], FIELDS)
    for name, reference in (("one", model), ("two", model), ("plain", plain), ("texts", texts)):
        await add(desk, pipeline, name, reference)
    for body in (straight("pipeline_start", "one"), straight("one", "two")):
        assert await attach(desk, pipeline, body) == 201
    twice = {"source_field_name": "number", "destination_field_name": "number"}
    for words, body in {
        "cycle": straight("two", "one"),
        "itself": straight("one", "one"),
        "already": straight("one", "two"),
        "only be a source": straight("one", "pipeline_start"),
        "no object none": straight("none", "one"),
        "no object nil": straight("one", "nil"),
        "leaves out": {"source_name": "pipeline_start", "destination_name": "two", "mapping": []},
        "no field other": straight("pipeline_start", "two", "other"),
        "more than once": {**straight("pipeline_start", "two"), "mapping": [twice, twice]},
        "string": straight("pipeline_start", "texts"),
        "plain data": straight("pipeline_start", "plain"),
    }.items():
        refused = await desk.client.post(f"{pipeline}/attachments", json=body)
        assert refused.status_code == 400, body
        assert words in refused.json()["error"], body
    assert len((await desk.client.get(f"{pipeline}/attachments")).json()) == 2


async def test_plain_objects_are_attached_without_a_mapping(desk: Desk):
    pipeline = await make_pipeline(desk, input_type="plain", input_fields=None)
    await add(desk, pipeline, "one", await make_model(desk, None, None))
    assert await attach(desk, pipeline, straight("pipeline_start", "one")) == 400
    body = {"source_name": "pipeline_start", "destination_name": "one"}
    assert (await desk.client.post(f"{pipeline}/attachments", json=body)).json()["mapping"] == []


async def test_graph_that_multiplies_without_bounds_is_refused(desk: Desk):
    """Ten diamonds in a row have 1,024 ways through."""
    pipeline, model = await make_pipeline(desk), await make_model(desk)
    await add(desk, pipeline, "join-0", model)
    assert await attach(desk, pipeline, straight("pipeline_start", "join-0")) == 201
    for number in range(1, 20):
        for name in (f"a-{number}", f"b-{number}", f"join-{number}"):
            await add(desk, pipeline, name, model)
        for side in "ab":
            assert await attach(desk, pipeline, straight(f"join-{number - 1}", f"{side}-{number}")) in {201, 400}
        codes = [await attach(desk, pipeline, straight(f"{side}-{number}", f"join-{number}")) for side in "ab"]
        if 400 in codes:
            break
    assert 7 <= number <= 9


async def test_others_see_nothing(desk: Desk):
    pipeline, model = await make_pipeline(desk), await make_model(desk)
    await add(desk, pipeline, "one", model)
    await attach(desk, pipeline, straight("pipeline_start", "one"))
    stranger = desk.client_of(await desk.house.make_person())
    for path in ("", "/objects", "/objects/one", "/attachments", "/objects/pipeline_start/attachments/one"):
        assert (await stranger.get(pipeline + path)).status_code == 404
    assert (await stranger.delete(pipeline)).status_code == 404
    assert (await desk.client_of(None).get(pipeline)).status_code == 401


async def test_role_on_one_pipeline_reaches_only_that_one(desk: Desk):
    mine, _other = await make_pipeline(desk), await make_pipeline(desk)
    uuid = (await desk.client.get(mine)).json()["id"]
    async with desk.house.db.begin() as tx:
        user, token = await create_service_user(tx, desk.person.caller, desk.project.name, "robot")
        await assign_role(
            tx, desk.person.caller, desk.project.name, user.uuid, "pipeline-viewer", Target(ObjectType.PIPELINE, uuid)
        )
    client = desk.client_of(None)
    client.headers["Authorization"] = f"Token {token}"
    assert [item["id"] for item in (await client.get(at(desk))).json()] == [uuid]
    assert (await client.get(f"{mine}/objects")).status_code == 200
    assert (await client.get(f"{_other}/objects")).status_code == 403
    assert (await client.delete(mine)).status_code == 403
    assert (await client.post(at(desk), json={"name": "x", "input_type": "plain"})).status_code == 403
