"""Object sets over HTTP: each operation as it should be, and in the ways in which a caller can be wrong."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from quadrat.api.ecotaxa.app import create_app
from quadrat.identity.permissions import PROJECT_VIEWER
from quadrat.identity.types import Caller
from support.house import House, Person, open_objects
from support.object_sets import ObjectSet, add_image, add_objects, make_object_set, random_row

FORBIDDEN, MISSING, NOT_FOUND = (
    ({"detail": "You can't do this."}, 403),
    ({"detail": "Object not found"}, 404),
    (
        {"detail": "Not found."},
        404,
    ),
)


@dataclass
class Bench:
    """Somebody's project, seen by its owner, a viewer, a stranger with an account, and one without."""

    house: House
    owner: Person
    made: ObjectSet
    http: httpx2.AsyncClient
    viewer: httpx2.AsyncClient
    other: httpx2.AsyncClient
    nobody: httpx2.AsyncClient

    def path(self, operation: str) -> str:
        return f"/object_set/{self.made.project_id}/{operation}"

    async def state_of(self, object_id: int) -> dict[str, Any]:
        return (await self.http.get(f"/object/{object_id}")).json()

    async def count(self, table: str) -> int:
        async with self.house.db.begin() as tx:
            statement = text(f"SELECT count(*) FROM objects.{table} WHERE object_id = ANY(:ids)")
            return int((await tx.execute(statement, {"ids": self.made.objects})).scalar_one())


@pytest.fixture
async def bench(house: House, tmp_path: Path) -> Bench:
    open_objects(house, tmp_path)
    owner, viewer, other = [await house.make_person() for _ in range(3)]
    async with house.db.begin() as tx:
        made = await make_object_set(tx, owner.caller, 6)
        role = (
            await tx.execute(text("SELECT id FROM identity.role WHERE name = :n"), {"n": PROJECT_VIEWER})
        ).scalar_one()
        await tx.execute(
            text(
                "INSERT INTO identity.role_assignment (uuid, project_id, user_id, role_id) "
                "VALUES (gen_random_uuid(), :p, :u, :r)"
            ),
            {"p": made.project_id, "u": viewer.caller.user_id, "r": role},
        )
    clients = [house.client_for(create_app, "/api", person) for person in (owner, viewer, other, None)]
    return Bench(house, owner, made, *clients)


def answered(answer: httpx2.Response) -> tuple[Any, int]:
    return answer.json(), answer.status_code


async def classify(bench: Bench, ids: list[int], taxa: list[int], qualification: str = "V") -> httpx2.Response:
    body = {"target_ids": ids, "classifications": taxa, "wanted_qualification": qualification}
    return await bench.http.post("/object_set/classify", json=body)


async def test_classify_then_again_counts_only_what_changes(bench: Bench):
    first, second, *_ = bench.made.objects
    taxon, other = bench.made.taxa[1:3]
    assert answered(await classify(bench, [first, second], [taxon, taxon])) == (2, 200)
    assert answered(await classify(bench, [first, second], [taxon, other])) == (1, 200)
    assert answered(await classify(bench, [first, second], [-1, -1], "D")) == (2, 200)
    state = await bench.state_of(second)
    assert (state["classif_id"], state["classif_qual"], state["classif_who"]) == (
        other,
        "D",
        bench.owner.caller.user_id,
    )
    history = (await bench.http.get(f"/object/{second}/history")).json()
    assert [(line["classif_id"], line["classif_qual"], line["classif_type"]) for line in history] == [
        (other, "V", "M"),
        (taxon, "V", "M"),
    ]
    assert history[0]["user_name"] == bench.owner.caller.email
    assert set(history[0]) == {
        "objid", "classif_id", "classif_date", "classif_who", "classif_type", "classif_qual", "classif_score",
        "user_name", "taxon_name",
    }  # fmt: skip


async def test_classify_keeping_an_unclassified_object_does_nothing(bench: Bench):
    assert answered(await classify(bench, bench.made.objects, [-1] * 6)) == (0, 200)
    assert answered(await classify(bench, bench.made.objects[:1], [bench.made.taxa[1]], "=")) == (0, 200)


async def test_classify_an_object_given_twice_takes_the_last(bench: Bench):
    first = bench.made.objects[0]
    assert answered(await classify(bench, [first, first], bench.made.taxa[1:3])) == (1, 200)
    assert (await bench.state_of(first))["classif_id"] == bench.made.taxa[2]
    assert await bench.count("history") == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"wanted_qualification": "X"}, "wanted_qualification"),
        ({"wanted_qualification": ""}, "wanted_qualification"),
        ({"classifications": []}, "classifications"),
        ({"target_ids": [], "classifications": []}, "target_ids"),
        ({"classifications": [999999999]}, "classifications"),
        ({"classifications": ["a"]}, "classifications"),
        ({"target_ids": [2**63]}, "target_ids"),
        ({"target_ids": None}, "target_ids"),
    ],
)
async def test_classify_nonsense_is_refused_and_nothing_written(change: dict[str, Any], field: str, bench: Bench):
    body = {"target_ids": bench.made.objects[:1], "classifications": bench.made.taxa[1:2], "wanted_qualification": "V"}
    answer = await bench.http.post("/object_set/classify", json=body | change)
    assert answer.status_code == 422
    problem = answer.json()["detail"][0]
    assert set(problem) == {"loc", "msg", "type"}
    assert problem["loc"][:2] == ["body", field]
    assert (await bench.state_of(bench.made.objects[0]))["classif_qual"] is None


async def test_classify_unknown_object_or_objects_of_two_projects_writes_nothing(bench: Bench):
    async with bench.house.db.begin() as tx:
        second = await make_object_set(tx, bench.owner.caller, 1)
    first, taxon = bench.made.objects[0], bench.made.taxa[1]
    assert answered(await classify(bench, [first, 999999999], [taxon, taxon])) == MISSING
    assert (await classify(bench, [first, second.objects[0]], [taxon, taxon])).status_code == 422
    assert (await bench.state_of(first))["classif_qual"] is None


async def test_classify_auto_leaves_decisions_alone(bench: Bench):
    decided, free, *_ = bench.made.objects
    taxon, guess = bench.made.taxa[1:3]
    await classify(bench, [decided], [taxon])
    body = {"target_ids": [decided, free], "classifications": [guess, guess], "scores": [0.25, 1], "keep_log": True}
    assert answered(await bench.http.post("/object_set/classify_auto", json=body)) == (2, 200)
    state = await bench.state_of(decided)
    assert (state["classif_id"], state["classif_qual"], state["classif_auto_id"]) == (taxon, "V", guess)
    assert state["classif_auto_score"] == 0.25
    state = await bench.state_of(free)
    assert (state["classif_id"], state["classif_qual"], state["classif_who"]) == (guess, "P", None)
    assert await bench.count("history") == 0
    await bench.http.post("/object_set/classify_auto", json=body)
    assert await bench.count("history") == 1


@pytest.mark.parametrize("scores", [[1.5], [-0.1], [], [0.5, 0.5], ["x"], [None]])
async def test_classify_auto_wrong_scores_are_refused(scores: list[Any], bench: Bench):
    body = {"target_ids": bench.made.objects[:1], "classifications": bench.made.taxa[1:2], "scores": scores}
    answer = await bench.http.post("/object_set/classify_auto", json=body | {"keep_log": False})
    assert answer.status_code == 422
    body |= {"scores": [0.5], "classifications": [-1], "keep_log": False}
    assert (await bench.http.post("/object_set/classify_auto", json=body)).status_code == 422


async def test_classify_auto_multiple_keeps_the_three_best(bench: Bench):
    first, second, *_ = bench.made.objects
    a, b, c, d = bench.made.taxa[1:5]
    body = {
        "target_ids": [first, second],
        "classifications": [[a, b, c, d], [a]],
        "scores": [[0.1, 0.4, 0.3, 0.2], [1]],
    }
    assert answered(await bench.http.post("/object_set/classify_auto_multiple", json=body)) == (2, 200)
    assert (await bench.state_of(first))["classif_id"] == b
    expected = [[first, b, 0.4], [first, c, 0.3], [first, d, 0.2], [second, a, 1.0]]
    found = await bench.viewer.post("/object_set/predictions", json=[second, first, 999999999])
    assert answered(found) == ({"result": expected}, 200)
    single = {"target_ids": [first], "classifications": [c], "scores": [0.9], "keep_log": False}
    await bench.http.post("/object_set/classify_auto", json=single)
    found = await bench.http.post("/object_set/predictions", json=[first])
    assert found.json() == {"result": [[first, c, 0.9]]}
    assert answered(await bench.other.post("/object_set/predictions", json=[first])) == FORBIDDEN
    wrong = await bench.http.post("/object_set/classify_auto_multiple", json=body | {"scores": [[1], [1]]})
    assert wrong.status_code == 422


async def test_reclassify_one_whole_taxon_is_logged_and_counts_the_selected(bench: Bench):
    first, second, third, *_ = bench.made.objects
    taxon, into = bench.made.taxa[1:3]
    await classify(bench, [first, second], [taxon, taxon])
    await classify(bench, [third], [taxon], "P")
    path = bench.path("reclassify")
    for _ in range(2):
        await bench.http.post(path, params={"forced_id": into, "reason": "Worms"}, json={"taxo": str(taxon)})
        answer = await bench.http.post(path, params={"forced_id": taxon, "reason": "W"}, json={"taxo": str(into)})
        assert answered(answer) == (3, 200)
    async with bench.house.db.begin() as tx:
        rows = await tx.execute(
            text(
                "SELECT from_taxon_id, to_taxon_id, reason, n_objects FROM objects.reclassification "
                "WHERE project_id = :p"
            ),
            {"p": bench.made.project_id},
        )
        assert {tuple(row) for row in rows} == {(taxon, into, "W", 3), (into, taxon, "W", 3)}
    state = await bench.state_of(third)
    assert (state["classif_qual"], state["classif_auto_id"]) == ("P", taxon)


@pytest.mark.parametrize(
    "params", [{"forced_id": 999999999, "reason": "W"}, {"reason": "W"}, {"forced_id": 1, "reason": " "}]
)
async def test_reclassify_nonsense_is_refused(params: dict[str, Any], bench: Bench):
    assert (await bench.http.post(bench.path("reclassify"), params=params, json={})).status_code == 422


async def test_reset_and_revert_go_there_and_back(bench: Bench):
    first, second, *_ = bench.made.objects
    taxon = bench.made.taxa[1]
    await classify(bench, [first, second], [taxon, taxon])
    assert answered(await bench.http.post(bench.path("reset_to_predicted"), json={"statusfilter": "V"})) == (None, 200)
    state = await bench.state_of(first)
    assert (state["classif_qual"], state["classif_auto_score"], state["classif_who"]) == ("P", 1.0, None)
    path = bench.path("revert_to_history")
    dry = (await bench.http.post(path, params={"dry_run": True}, json={"taxo": str(taxon)})).json()
    assert [entry["histo_classif_qual"] for entry in dry["last_entries"]] == ["V", "V"]
    assert dry["last_entries"][0]["histo_classif_type"] == "M"
    assert list(dry["classif_info"]) == [str(taxon)]
    assert (await bench.state_of(first))["classif_qual"] == "P"
    real = (await bench.http.post(path, params={"dry_run": False}, json={"taxo": str(taxon)})).json()
    assert (real["last_entries"], real["classif_info"]) == (dry["last_entries"], {})
    assert (await bench.state_of(first))["classif_qual"] == "V"
    last = (await bench.http.post(path, params={"dry_run": False}, json={})).json()["last_entries"]
    assert {entry["histo_classif_type"] for entry in last} == {"n"}
    assert len(last) == 6
    assert (await bench.state_of(first))["classif_qual"] is None


async def test_update_corrects_facts_features_and_the_sun(bench: Bench):
    first, second, *_ = bench.made.objects
    updates = {
        "objdate": "2024-06-21", "objtime": "12:00:00", "latitude": "43.5", "longitude": "7.25", "depth_min": "0",
        "object_link": "http://x", "area": "12.5", "fractal": "nan", "note": "seen", "orig_id": "renamed",
        "objid": "7", "classif_id": "9", "acquisid": "1", "unknown": "x",
    }  # fmt: skip
    body = {"target_ids": [first, second], "updates": [{"ucol": c, "uval": v} for c, v in updates.items()]}
    assert answered(await bench.http.post("/object_set/update", json=body)) == (2, 200)
    state = await bench.state_of(second)
    assert (state["objdate"], state["objtime"], state["latitude"], state["sunpos"]) == (
        "2024-06-21",
        "12:00:00",
        43.5,
        "D",
    )
    assert state["free_columns"] == {
        "area": 12.5,
        "mean": None,
        "n03": None,
        "fractal": None,
        "note": "seen",
        "tag": None,
    }
    assert (state["orig_id"], state["classif_id"], state["objid"]) == ("renamed", None, second)
    found = await bench.http.post(
        bench.path("query"),
        params={"fields": "fre.area", "order_field": "-fre.area", "window_size": 2},
        json={"freenum": "on01", "freenumst": "12"},
    )
    assert found.json()["details"] == [[12.5], [12.5]]
    nothing = {"target_ids": [first], "updates": [{"ucol": "objid", "uval": "1"}]}
    assert answered(await bench.http.post("/object_set/update", json=nothing)) == (0, 200)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("latitude", "91"),
        ("longitude", "x"),
        ("objdate", "2024-02-30"),
        ("objtime", "25:00"),
        ("area", "big"),
        ("sunpos", "X"),
        ("orig_id", ""),
        ("orig_id", " "),
        ("object_link", "x" * 256),
    ],
)
async def test_update_with_a_value_that_is_none_of_its_column_is_refused(column: str, value: str, bench: Bench):
    body = {
        "target_ids": bench.made.objects[:1],
        "updates": [{"ucol": "complement_info", "uval": "x"}, {"ucol": column, "uval": value}],
    }
    assert (await bench.http.post("/object_set/update", json=body)).status_code == 422
    assert (await bench.state_of(bench.made.objects[0]))["complement_info"] is None


async def test_erase_takes_everything_and_counts_it(bench: Bench):
    first, second, *_ = bench.made.objects
    async with bench.house.db.begin() as tx:
        await add_image(tx, bench.made, first, thumbnail=True)
        await add_image(tx, bench.made, first, 1)
    await classify(bench, [first], [bench.made.taxa[1]])
    await classify(bench, [first], [bench.made.taxa[2]])
    answer = await bench.http.request("DELETE", "/object_set/", json=[first, second, second, 999999999])
    assert answered(answer) == ([2, 0, 2, 3], 200)
    assert answered(await bench.http.get(f"/object/{first}")) == MISSING
    assert answered(await bench.http.get(f"/object/{first}/history")) == ([], 200)
    assert [await bench.count(table) for table in ("history", "image", "fact", "feature")] == [0, 0, 4, 4]
    assert answered(await bench.http.request("DELETE", "/object_set/", json=[first])) == ([0, 0, 0, 0], 200)
    assert answered(await bench.http.request("DELETE", "/object_set/", json=[])) == ([0, 0, 0, 0], 200)
    left = await bench.http.post(bench.path("summary"), params={"only_total": True}, json={})
    assert left.json() == {
        "total_objects": 4,
        "validated_objects": None,
        "dubious_objects": None,
        "predicted_objects": None,
    }
    async with bench.house.db.begin() as tx:
        rows = await tx.execute(
            text("SELECT params FROM jobs.job WHERE kind = 'objects.delete_images' AND params->>'project_id' = :p"),
            {"p": str(bench.made.project_id)},
        )
        (params,) = [row[0] for row in rows]
    assert sorted(thumbnail for _, _, thumbnail in params["images"]) == [False, True]


async def test_parents_are_found_for_what_exists(bench: Bench):
    ids = [*bench.made.objects[:3], 999999999]
    found = (await bench.viewer.post("/object_set/parents", json=ids)).json()
    rows = zip(found["object_ids"], found["acquisition_ids"], found["sample_ids"], found["project_ids"], strict=True)
    made = bench.made
    assert sorted(rows) == [
        (id_, made.acquisitions[i % 2], made.samples[i % 2], made.project_id) for i, id_ in enumerate(made.objects[:3])
    ]
    assert (found["details"], found["total_ids"]) == ([], 3)
    empty = (await bench.viewer.post("/object_set/parents", json=[])).json()
    assert empty["object_ids"] == []
    assert answered(await bench.other.post("/object_set/parents", json=ids)) == FORBIDDEN


async def test_query_answers_the_accepted_fields_in_their_order(bench: Bench):
    async with bench.house.db.begin() as tx:
        rows = [random_row(random.Random(1), bench.made, [bench.owner.caller.user_id]) for _ in range(5)]
        await add_objects(tx, bench.made, rows)
        image = await add_image(tx, bench.made, bench.made.objects[0], 3)
        await add_image(tx, bench.made, bench.made.objects[0], 5, thumbnail=True)
    fields = "obj.objid,usr.password,obj.imgcount,nothing,img.file_name,img.thumb_file_name,obj.similarity,sam.orig_id"
    fields += ",acq.t01"
    answer = await bench.viewer.post(bench.path("query"), params={"fields": fields, "window_size": 2}, json={})
    found = answer.json()
    first, second = bench.made.objects[:2]
    name = f"{image // 10000:04d}/{image % 10000:04d}.png"
    assert found["details"] == [
        [first, 2, name, None, None, "haul 0", "net 0"],
        [second, 0, None, None, None, "haul 1", "net 1"],
    ]
    assert (found["total_ids"], found["project_ids"]) == (11, [bench.made.project_id] * 2)
    bare = (await bench.viewer.post(bench.path("query"), params={"window_start": 10, "window_size": 9}, json={})).json()
    assert bare["details"] == [[]]
    past = (await bench.viewer.post(bench.path("query"), params={"window_start": 11}, json={})).json()
    assert (past["object_ids"], past["details"], past["total_ids"]) == ([], [], 11)
    every = [f"obj.{name}" for name in ("objdate", "objtime", "classif_when", "classif_auto_when", "sunpos")]
    rows_ = (await bench.viewer.post(bench.path("query"), params={"fields": ",".join(every)}, json={})).json()[
        "details"
    ]
    for day, at, decided, predicted, _ in rows_:
        assert day is None or len(day) == 10
        assert at is None or len(at) == 8
        assert all(moment is None or ("T" in moment and "+" not in moment) for moment in (decided, predicted))


async def test_summary_counts_unclassified_objects_too(bench: Bench):
    await classify(bench, bench.made.objects[:2], bench.made.taxa[1:3])
    await classify(bench, bench.made.objects[2:3], bench.made.taxa[1:2], "D")
    await classify(bench, bench.made.objects[3:4], bench.made.taxa[1:2], "P")
    expected = {"total_objects": 6, "validated_objects": 2, "dubious_objects": 1, "predicted_objects": 1}
    for filters in ({}, {"samples": ",".join(map(str, bench.made.samples))}):
        answer = await bench.viewer.post(bench.path("summary"), params={"only_total": False}, json=filters)
        assert answered(answer) == (expected, 200)
    assert (await bench.viewer.post(bench.path("summary"), json={})).status_code == 422


MANAGED = [
    ("POST", "reset_to_predicted", {}, {}),
    ("POST", "revert_to_history", {"dry_run": "true"}, {}),
    ("POST", "reclassify", {"forced_id": "1", "reason": "W"}, {}),
]


@pytest.mark.parametrize(("method", "operation", "params", "body"), MANAGED)
async def test_filtered_operation_without_the_right_is_refused(
    method: str, operation: str, params: dict[str, str], body: Any, bench: Bench
):
    path = bench.path(operation)
    assert answered(await bench.viewer.request(method, path, params=params, json=body)) == FORBIDDEN
    assert answered(await bench.other.request(method, path, params=params, json=body)) == FORBIDDEN
    assert answered(await bench.nobody.request(method, path, params=params, json=body)) == (
        {"detail": "Not authenticated"},
        403,
    )
    unknown = f"/object_set/999999999/{operation}"
    assert answered(await bench.http.request(method, unknown, params=params, json=body)) == NOT_FOUND
    assert (await bench.http.request(method, path, params=params, json={"taxo": "x"})).status_code == 422
    assert (await bench.http.request(method, path, params=params)).status_code == 422


async def test_operation_on_named_objects_without_the_right_is_refused(bench: Bench):
    ids, taxa = bench.made.objects[:1], bench.made.taxa[1:2]
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/object_set/classify", {"target_ids": ids, "classifications": taxa, "wanted_qualification": "V"}),
        (
            "POST",
            "/object_set/classify_auto",
            {"target_ids": ids, "classifications": taxa, "scores": [1], "keep_log": False},
        ),
        ("POST", "/object_set/update", {"target_ids": ids, "updates": [{"ucol": "area", "uval": "1"}]}),
        ("DELETE", "/object_set/", ids),
    ]
    for method, path, body in calls:
        for client in (bench.viewer, bench.other):
            assert answered(await client.request(method, path, json=body)) == FORBIDDEN
        assert (await bench.nobody.request(method, path, json=body)).status_code == 403
    assert (await bench.state_of(ids[0]))["classif_qual"] is None


async def test_reading_a_hidden_project_is_refused_and_an_unknown_one_not_found(bench: Bench):
    for operation, params in (("query", {}), ("summary", {"only_total": "true"})):
        for client in (bench.other, bench.nobody):
            assert answered(await client.post(bench.path(operation), params=params, json={})) == FORBIDDEN
        unknown = f"/object_set/999999999/{operation}"
        assert answered(await bench.http.post(unknown, params=params, json={})) == NOT_FOUND
        assert (await bench.http.post(bench.path(operation), params=params, json={"fromdate": "x"})).status_code == 422
    assert answered(await bench.other.get(f"/object/{bench.made.objects[0]}")) == FORBIDDEN
    assert answered(await bench.other.get(f"/object/{bench.made.objects[0]}/history")) == FORBIDDEN
    assert answered(await bench.other.get("/object/999999999")) == MISSING
    assert (await bench.http.get("/object/abc")).status_code == 422


async def test_visible_project_shows_validated_objects_to_everybody(house: House, tmp_path: Path):
    open_objects(house, tmp_path)
    owner = await house.make_person()
    async with house.db.begin() as tx:
        made = await make_object_set(tx, owner.caller, 2, visible=True)
    signed, nobody = (house.client_for(create_app, "/api", person) for person in (owner, None))
    nobody.headers["Authorization"] = f"Bearer {'0' * 40}"  # a wrong token counts as none
    body = {"target_ids": made.objects[:1], "classifications": made.taxa[1:2], "wanted_qualification": "V"}
    assert (await signed.post("/object_set/classify", json=body)).json() == 1
    found = await nobody.post(f"/object_set/{made.project_id}/query", json={"statusfilter": "U"})
    assert found.json()["object_ids"] == made.objects[:1]
    assert (await nobody.get(f"/object/{made.objects[0]}")).json()["classif_qual"] == "V"
    assert answered(await nobody.get(f"/object/{made.objects[1]}")) == MISSING


async def test_classified_taxa_are_remembered_latest_first(bench: Bench):
    first, second = bench.made.taxa[1:3]
    for taxon in (first, second, first):
        await classify(bench, bench.made.objects[:1], [taxon])
    caller: Caller = bench.owner.caller
    async with bench.house.db.begin() as tx:
        row = await tx.execute(
            text("SELECT recent_taxa FROM objects.user_project WHERE user_id = :u AND project_id = :p"),
            {"u": caller.user_id, "p": bench.made.project_id},
        )
        assert row.scalar_one() == [first, second]
