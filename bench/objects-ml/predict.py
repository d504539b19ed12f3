"""Predictions of object sets: how often they are right on real plankton, and what a job costs beside bare fitting.

``python bench/objects-ml/predict.py accuracy [--boosting]`` tests every classifier on 5,058 plankton objects of 24
classes by 5-fold cross-validation, beside the plain forest of the original.

``python bench/objects-ml/predict.py job`` learns from 20,000 objects with 50 features and predicts 100,000: once with
scikit-learn alone on arrays in memory, once as the whole job, which reads and writes PostgreSQL and makes the report.
"""

import argparse
import asyncio
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import psutil
import psycopg
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import Database, psycopg_dsn
from quadrat.identity.actions.access import caller_in_name_of
from quadrat.identity.actions.users import create_user
from quadrat.identity.types import NewUser, ProjectId, UserId
from quadrat.jobs import actions as jobs
from quadrat.jobs import store as job_store
from quadrat.jobs.registry import JobContext
from quadrat.migrations.upgrade import upgrade
from quadrat.objects.actions.prediction import PREDICT
from quadrat.objects.actions.sets import create_set
from quadrat.objects.learning.classifiers import make_classifier
from quadrat.objects.learning.cleaning import learn_cleaning
from quadrat.objects.learning.sampling import folds
from quadrat.objects.predicting.run import predict
from quadrat.objects.prediction_types import Classifier, PredictionRequest

DATA = Path(__file__).parent / "data" / "stonehaven.tsv.gz"
# Names and places of an object say nothing of what it is.
PLACES = {"!Item", "Label", "Ident", "Status", "Tag", "X", "Y", "XM", "YM", "BX", "BY", "XStart", "YStart"}
LEARNED, TARGETS, FEATURES, SEED = 20_000, 100_000, 50, 0
CORES = os.cpu_count() or 1


def plankton() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Features, classes by number, and the names of the classes."""
    table = pl.read_csv(io.BytesIO(gzip.decompress(DATA.read_bytes())), separator="\t", infer_schema_length=10_000)
    names = [name for name in table.columns if name not in PLACES and table[name].dtype.is_numeric()]
    classes, labels = np.unique(table["Ident"].to_numpy().astype(str), return_inverse=True)
    return table.select(names).to_numpy().astype(float), labels.astype(np.int64), classes.tolist()


def plain_forest() -> RandomForestClassifier:
    """What the original uses."""
    return RandomForestClassifier(300, min_samples_leaf=5, class_weight="balanced", n_jobs=CORES, random_state=0)


def accuracy(*, boosting: bool) -> None:
    values, labels, classes = plankton()
    print(f"{len(labels)} objects, {values.shape[1]} features, {len(classes)} classes; {CORES} cores")
    fold = folds(labels, 5)
    tried: dict[str, Any] = {"plain forest": plain_forest}
    tried |= {kind.value: lambda kind=kind: make_classifier(kind, CORES) for kind in Classifier}
    if boosting:
        tried["gradient boosting"] = lambda: HistGradientBoostingClassifier(
            learning_rate=0.1, max_iter=60, max_leaf_nodes=15, l2_regularization=1.0, class_weight="balanced"
        )
    print(f"{'classifier':18} accuracy  balanced  seconds")
    for name, make in tried.items():
        began = time.perf_counter()
        said = np.empty_like(labels)
        for number in range(5):
            out = fold == number
            cleaning = learn_cleaning(values[~out])
            trained = make().fit(cleaning.apply(values[~out]), labels[~out])
            said[out] = trained.predict(cleaning.apply(values[out]))
        recall = [np.mean(said[labels == each] == each) for each in range(len(classes))]
        spent = time.perf_counter() - began
        print(f"{name:18} {np.mean(said == labels):8.4f}  {np.mean(recall):8.4f}  {spent:7.1f}", flush=True)


def enlarged(n: int) -> tuple[np.ndarray, np.ndarray]:
    """As many objects like the plankton, with 50 features: drawn again, each feature moved by a tenth of its spread."""
    values, labels, _ = plankton()
    values = learn_cleaning(values).apply(values)
    chance = np.random.default_rng(SEED)
    chosen = chance.integers(0, len(labels), n)
    drawn = values[chosen]
    more = drawn[:, : FEATURES - drawn.shape[1]] * drawn[:, 1 : 1 + FEATURES - drawn.shape[1]]
    drawn = np.concatenate([drawn, more], axis=1)[:, :FEATURES]
    return drawn + chance.normal(0, 0.1, drawn.shape) * drawn.std(axis=0), labels[chosen]


def bare() -> None:
    """In a process of its own, as the job learns in one."""
    values, labels = enlarged(LEARNED + TARGETS)
    began = time.perf_counter()
    trained = plain_forest().fit(values[:LEARNED], labels[:LEARNED])
    trained.predict_proba(values[LEARNED:])
    peak = psutil.Process().memory_info().rss
    print(json.dumps({"seconds": time.perf_counter() - began, "rss": peak}))


async def settle(url: str) -> tuple[ProjectId, UserId]:
    """A project and its owner."""
    db = Database(url, pool_size=2)
    async with db.begin() as tx:
        user = await create_user(tx, NewUser("bench@example.org"))
        caller = await caller_in_name_of(tx, user.id)
        assert caller is not None
        project = await create_set(tx, caller, "Bench", instrument=None, is_visible=False)
    await db.close()
    return project, user.id


def fill(conn: psycopg.Connection[Any], project: ProjectId, user: UserId) -> list[int]:
    """The objects to learn from, validated, and those to predict; the taxa."""
    values, labels = enlarged(LEARNED + TARGETS)

    def one(query: str, *given: object) -> Any:
        row = conn.execute(query, given).fetchone()
        assert row is not None
        return row[0]

    taxa = [
        one("INSERT INTO objects.taxon (path, name, display_name) VALUES ('{}', %s, %s) RETURNING id", name, name)
        for name in (f"bench {number}" for number in range(labels.max() + 1))
    ]
    conn.execute(
        "UPDATE objects.project SET object_numbers = %s WHERE project_id = %s",
        [[f"f{i}" for i in range(FEATURES)], project],
    )
    conn.execute("INSERT INTO objects.clock (project_id, last, horizon) VALUES (%s, 1, 1)", [project])
    with conn.cursor().copy(
        "COPY objects.object (id, project_id, sample_id, acquisition_id, taxon_id, state, author_id, "
        "decided_at) FROM STDIN"
    ) as copy:
        for number, label in enumerate(labels.tolist(), 1):
            known = (taxa[label], "V", user, "2026-01-01") if number <= LEARNED else (None, "U", None, None)
            copy.write_row((number, project, 1, 1, *known))
    with conn.cursor().copy("COPY objects.feature (object_id, project_id, numbers) FROM STDIN") as copy:
        for number, row in enumerate(values.tolist(), 1):
            copy.write_row((number, project, row))
    conn.execute(
        "INSERT INTO objects.project_taxon SELECT project_id, coalesce(taxon_id, -1), count(*), 0, "
        "count(*) FILTER (WHERE state = 'V'), 0 FROM objects.object GROUP BY 1, 2"
    )
    conn.execute("ANALYZE objects.object")
    conn.execute("ANALYZE objects.feature")
    return taxa


class Peak:
    """The most memory that this process and its children have held together."""

    def __init__(self) -> None:
        self.rss, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.2):
            with suppress(psutil.Error):  # one that has just ended
                learners = [each for each in me.children() if "quadrat.objects.learning.child" in each.cmdline()]
                self.rss = max(self.rss, sum(each.memory_info().rss for each in [me, *learners]))

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self.rss


async def whole_job(url: str, project: ProjectId, user: UserId, taxa: list[int]) -> tuple[float, int, dict[str, Any]]:
    db = Database(url, pool_size=4)
    features = [f"fre.f{i}" for i in range(FEATURES)]
    request = PredictionRequest(project, {}, [project], None, features, taxa)
    peak, began = Peak(), time.perf_counter()
    async with db.begin() as tx:
        job_id = await jobs.enqueue(tx, PREDICT, msgspec.to_builtins(request), owner_id=user, project_id=project)
    async with db.begin() as tx:
        job = await job_store.begin_attempt(tx, job_id)
    assert job is not None
    result = await predict(JobContext(job, db, None), job.params)
    spent = time.perf_counter() - began
    assert result == {"rowcount": TARGETS}, result
    await db.close()
    return spent, peak.stop(), dict(result)


def job() -> None:
    with tempfile.TemporaryDirectory(prefix="quadrat-bench-") as folder:
        server = EmbeddedPostgres(Path(folder))
        server.start()
        try:
            upgrade(server.url)
            with psycopg.connect(psycopg_dsn(server.url), autocommit=True) as conn:
                project, user = asyncio.run(settle(server.url))
                taxa = fill(conn, project, user)
            done = subprocess.run([sys.executable, __file__, "bare"], capture_output=True, text=True, check=True)
            alone = json.loads(done.stdout)
            spent, rss, _ = asyncio.run(whole_job(server.url, project, user, taxa))
        finally:
            server.stop()
    print(f"{LEARNED} learned x {FEATURES} features, {TARGETS} predicted; {CORES} cores")
    print(f"bare fit and predict  {alone['seconds']:6.1f} s  {alone['rss'] / 2**20:6.0f} MiB")
    print(f"whole job             {spent:6.1f} s  {rss / 2**20:6.0f} MiB  ratio {spent / alone['seconds']:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["accuracy", "job", "bare"])
    parser.add_argument("--boosting", action="store_true", help="try gradient boosting too; it takes minutes")
    given = parser.parse_args()
    if given.part == "accuracy":
        accuracy(boosting=given.boosting)
    else:
        {"job": job, "bare": bare}[given.part]()
