"""Predictions over HTTP, learned from real digits by the real process."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from quadrat.api.ecotaxa.app import create_app
from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.identity.permissions import PROJECT_VIEWER
from quadrat.objects.predicting import run
from support.digit_objects import FEATURES, Digits, make_digits, run_job
from support.extensions import without_extensions
from support.house import House, Person, open_house, open_objects

# Each learns in a process of low priority.
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]


@dataclass
class Desk:
    """Somebody's digits, seen by the owner, a viewer, and a stranger with an account."""

    house: House
    owner: Person
    digits: Digits
    http: httpx2.AsyncClient
    viewer: httpx2.AsyncClient
    other: httpx2.AsyncClient

    async def ask(self, **changes: Any) -> dict[str, Any]:
        answer = await self.http.post("/object_set/predict", json=self.digits.request(**changes))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def states(self) -> dict[int, tuple[Any, ...]]:
        async with self.house.db.begin() as tx:
            query = text("SELECT id, state, taxon_id, predicted_score FROM objects.object WHERE project_id = :p")
            return {row[0]: tuple(row[1:]) for row in await tx.execute(query, {"p": self.digits.project_id})}

    async def count(self, query: str) -> int:
        async with self.house.db.begin() as tx:
            return int((await tx.execute(text(query), {"p": self.digits.project_id})).scalar_one())


@pytest.fixture
async def desk(house: House, tmp_path: Path) -> Desk:
    return await open_desk(house, tmp_path)


async def open_desk(house: House, tmp_path: Path) -> Desk:
    open_objects(house, tmp_path)
    owner, viewer, other = [await house.make_person() for _ in range(3)]
    async with house.db.begin() as tx:
        digits = await make_digits(tx, owner.caller)
        await tx.execute(
            text(
                "INSERT INTO identity.role_assignment (uuid, project_id, user_id, role_id) "
                "SELECT gen_random_uuid(), :p, :u, id FROM identity.role WHERE name = :n"
            ),
            {"p": digits.project_id, "u": viewer.caller.user_id, "n": PROJECT_VIEWER},
        )
    return Desk(house, owner, digits, *(house.client_for(create_app, "/api", who) for who in (owner, viewer, other)))


async def test_prediction_tells_digits_apart_and_leaves_decisions_alone(desk: Desk):
    digits = desk.digits
    before = await desk.states()
    made = await desk.ask(features=[*FEATURES, "fre.constant", "fre.gappy"], learning_limit=0)
    assert made == {"errors": [], "warnings": [], "job_id": made["job_id"]}
    assert await run_job(desk.house.db, made["job_id"]) == {"rowcount": len(digits.targets)}
    after = await desk.states()
    assert all(after[id_] == before[id_] for id_ in digits.validated)
    assert {after[id_][0] for id_ in digits.targets} == {"P"}
    assert all(0 < after[id_][2] <= 1 for id_ in digits.targets)
    right = sum(after[id_][1] == digits.truth[id_] for id_ in digits.targets)
    assert right >= 0.8 * len(digits.targets)
    job = (await desk.http.get(f"/jobs/{made['job_id']}/")).json()
    assert (job["type"], job["state"], job["result"]) == ("Prediction", "F", {"rowcount": len(digits.targets)})
    assert set(job["params"]) == {"req", "filters"}
    assert job["params"]["req"]["project_id"] == digits.project_id
    counts = (await desk.http.post(f"/object_set/{digits.project_id}/summary?only_total=false", json={})).json()
    assert (counts["predicted_objects"], counts["validated_objects"]) == (60, 200)
    guesses = (await desk.http.post("/object_set/predictions", json=digits.targets[:1])).json()["result"]
    assert len(guesses) == 3
    assert [guess[2] for guess in guesses] == sorted((guess[2] for guess in guesses), reverse=True)


async def test_report_says_how_good_it_is_in_numbers_and_as_a_picture(desk: Desk):
    made = await desk.ask(features=[*FEATURES, "fre.constant", "fre.gappy"])
    assert (await desk.http.get(f"/jobs/{made['job_id']}/report")).status_code == 404
    await run_job(desk.house.db, made["job_id"])
    report = (await desk.http.get(f"/jobs/{made['job_id']}/report")).json()
    assert (report["classifier"], report["n_learned"], report["folds"]) == ("random_forest", 200, 5)
    assert {"fre.constant", "fre.gappy"} <= {each["feature"] for each in report["left_out"]}
    assert "fre.p20" in report["features"]
    assert sum(map(sum, report["confusion"])) == report["n_tested"] == 200
    assert report["accuracy"] == pytest.approx(sum(row[i] for i, row in enumerate(report["confusion"])) / 200)
    for i, each in enumerate(report["classes"]):
        assert each["recall"] == pytest.approx(report["confusion"][i][i] / sum(report["confusion"][i]))
    assert sum(each["importance"] for each in report["importances"]) == pytest.approx(1)
    assert [point["n_objects"] for point in report["learning_curve"]][-1] == 160
    picture = await desk.http.get(f"/jobs/{made['job_id']}/report.svg")
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert picture.text.startswith("<svg ")
    for path in ("report", "report.svg"):
        assert (await desk.other.get(f"/jobs/{made['job_id']}/{path}")).status_code == 403


async def test_second_prediction_logs_the_first_once(desk: Desk):
    for _ in range(2):
        await run_job(desk.house.db, (await desk.ask(features=FEATURES[16:48], learning_limit=10))["job_id"])
    lines = (
        "SELECT count(*) FROM objects.history h JOIN objects.object o ON o.id = h.object_id "
        "WHERE o.project_id = :p AND h.state = 'P'"
    )
    assert await desk.count(lines) == len(desk.digits.targets)


async def test_mapping_makes_one_taxon_of_two(desk: Desk):
    zero, one, *_ = desk.digits.taxa
    made = await desk.ask(pre_mapping={str(zero): one, str(one): 2**40}, features=FEATURES[16:48])
    assert made["warnings"] == [f"There is no taxon {2**40}: its entries in pre_mapping are ignored."]
    await run_job(desk.house.db, made["job_id"])
    states = await desk.states()
    assert zero not in {states[id_][1] for id_ in desk.digits.targets}
    assert one in {states[id_][1] for id_ in desk.digits.targets}


async def test_filters_choose_but_never_the_state(desk: Desk):
    body = desk.digits.request(features=FEATURES[16:48])
    body["filters"] = {"statusfilter": "V", "taxo": "1"}
    made = (await desk.http.post("/object_set/predict", json=body)).json()
    assert await run_job(desk.house.db, made["job_id"]) == {"rowcount": 0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": ["fre.p1", "fre.nothing"]}, "has no feature fre.nothing"),
        ({"features": ["obj.orig_id"]}, "no numbers"),
        ({"features": ["fre.constant"]}, "No feature is left"),
        ({"categories": [2**40]}, "nothing to learn from"),
    ],
)
async def test_prediction_that_cannot_be_fails_with_words(desk: Desk, changes: dict[str, Any], words: str):
    made = await desk.ask(**changes)
    with pytest.raises(QuadratError, match=words):
        await run_job(desk.house.db, made["job_id"])


@pytest.mark.parametrize(
    "changes",
    [
        {"features": []},
        {"categories": []},
        {"source_project_ids": []},
        {"pre_mapping": {"x": 1}},
        {"classifier": "oracle"},
        {"project_id": "x"},
        {"learning_limit": "many"},
    ],
)
async def test_request_that_is_none_is_refused(desk: Desk, changes: dict[str, Any]):
    answer = await desk.http.post("/object_set/predict", json=desk.digits.request(**changes))
    assert answer.status_code == 422
    assert {"loc", "msg", "type"} <= set(answer.json()["detail"][0])


@pytest.mark.parametrize("missing", ["features", "categories", "source_project_ids"])
async def test_request_without_what_it_learns_from_is_refused(desk: Desk, missing: str):
    body = desk.digits.request()
    del body["request"][missing]
    answer = await desk.http.post("/object_set/predict", json=body)
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", missing])


async def test_filter_that_is_none_is_refused(desk: Desk):
    body = desk.digits.request() | {"filters": {"taxo": "x"}}
    assert (await desk.http.post("/object_set/predict", json=body)).status_code == 422


async def test_only_annotators_predict_and_only_readers_learn(desk: Desk):
    body = desk.digits.request()
    for http in (desk.viewer, desk.other):
        answer = await http.post("/object_set/predict", json=body)
        assert (answer.status_code, answer.json()) == (403, {"detail": "You can't do this."})
    stranger = await desk.house.make_person()
    async with desk.house.db.begin() as tx:
        hidden = await make_digits(tx, stranger.caller, 2, 0)
    body = desk.digits.request(source_project_ids=[desk.digits.project_id, hidden.project_id])
    assert (await desk.http.post("/object_set/predict", json=body)).status_code == 403
    body = desk.digits.request(source_project_ids=[2**40])
    assert (await desk.http.post("/object_set/predict", json=body)).status_code == 404
    body = desk.digits.request(project_id=2**40)
    assert (await desk.http.post("/object_set/predict", json=body)).status_code == 404


async def test_project_without_predictions_says_so(desk: Desk):
    async with desk.house.db.begin() as tx:
        await tx.execute(
            text("UPDATE objects.project SET status = 'annotate_without_prediction' WHERE project_id = :p"),
            {"p": desk.digits.project_id},
        )
    made = await desk.ask()
    assert made["job_id"] == 0
    assert made["errors"] == ["Predictions are switched off in the settings of this project."]


async def test_suggestions_are_predicted_objects_the_most_uncertain_first(desk: Desk):
    path = f"/object_set/{desk.digits.project_id}/suggest"
    assert (await desk.http.post(path, json={})).json() == []  # nothing is predicted yet
    await run_job(desk.house.db, (await desk.ask(features=FEATURES[16:48], learning_limit=10))["job_id"])
    chosen = (await desk.http.post(f"{path}?n=10", json={})).json()
    assert len(set(chosen)) == 10
    assert set(chosen) <= set(desk.digits.targets)
    found = (await desk.http.post("/object_set/predictions", json=desk.digits.targets)).json()["result"]
    scores: dict[int, list[float]] = {}
    for object_id, _, score in found:
        scores.setdefault(object_id, []).append(score)
    margins = {object_id: best - second for object_id, (best, second, *_) in scores.items()}
    assert margins[chosen[0]] == min(margins.values())
    review = {"target_ids": chosen[:1], "classifications": [desk.digits.truth[chosen[0]]], "wanted_qualification": "V"}
    assert (await desk.http.post("/object_set/classify", json=review)).json() == 1
    everything = (await desk.http.post(f"{path}?n=1000", json={"statusfilter": "V"})).json()
    assert sorted(everything) == sorted(set(desk.digits.targets) - {chosen[0]})
    assert (await desk.viewer.post(path, json={})).status_code == 403
    assert (await desk.http.post(f"{path}?n=0", json={})).status_code == 422


async def test_object_without_deep_features_cannot_be_compared(desk: Desk):
    path = f"/object_set/{desk.digits.project_id}/query?order_field=ss-I{desk.digits.targets[0]}"
    answer = await desk.http.post(path, json={})
    assert answer.status_code == 422
    is_offered = await desk.count("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector' AND :p > 0")
    reason = "no deep features" if is_offered else "pgvector"
    assert reason in answer.json()["detail"][0]["msg"]


async def test_database_without_pgvector_says_that_it_cannot_compare(new_database: Callable[[], str], tmp_path: Path):
    async with AsyncExitStack() as cleanup:
        db = Database(without_extensions(new_database()), pool_size=5)
        cleanup.push_async_callback(db.close)
        desk = await open_desk(await open_house(db, cleanup), tmp_path)
        path = f"/object_set/{desk.digits.project_id}/query?order_field=ss-I{desk.digits.targets[0]}"
        answer = await desk.http.post(path, json={})
        assert answer.status_code == 422
        assert "pgvector" in answer.json()["detail"][0]["msg"]
        assert (await desk.http.post(path.replace("ss-I", "objid&x="), json={})).status_code == 200


async def test_objects_decided_on_while_the_job_runs_are_left_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    made = await desk.ask(features=FEATURES[16:48], learning_limit=10)
    decided, taxon = desk.digits.targets[:3], desk.digits.taxa[0]
    insert = run.store.insert_training

    async def insert_then_decide(*given: Any) -> Any:
        kept = await insert(*given)
        body = {"target_ids": decided, "classifications": [taxon] * 3, "wanted_qualification": "D"}
        assert (await desk.http.post("/object_set/classify", json=body)).json() == 3
        return kept

    monkeypatch.setattr(run.store, "insert_training", insert_then_decide)
    assert await run_job(desk.house.db, made["job_id"]) == {"rowcount": len(desk.digits.targets) - 3}
    states = await desk.states()
    assert {states[id_] for id_ in decided} == {("D", taxon, None)}
