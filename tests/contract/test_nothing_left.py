"""Who is gone is gone: after a role, projects and a user with everything in them, tables and store are searched."""

import io
import secrets
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from psycopg import sql

from quadrat.db.embedded import EmbeddedPostgres
from support.archives import archive_of, picture, row
from support.contract.doors import PROTOCOLS, open_door
from support.contract.tenants import Tenant, settle, sign_up

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

MODEL = "class Model:\n    def request(self, data):\n        print(data)\n        return str(data)\n"
#: Who did what is kept for two years; jobs that are over, with their numbers, as long as there is a trail of them.
TRAILS = ("identity.audit", "jobs.job", "jobs.job_log")
#: Jobs due within the first are waited for; the second is long enough for one that becomes due at its end.
SOON_S, DEADLINE_S = 60, 120
#: Counts what the taxonomy shows, a minute after each start and then by the hour; nobody's data hangs on it.
BY_THE_HOUR = "objects.recount_taxa"


@dataclass
class Cellar:
    """What lies under a server: its database and its store."""

    folder: Path
    conn: psycopg.Connection[Any]

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.conn.execute(statement.encode(), values).fetchall()

    def files(self) -> set[str]:
        found = {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}
        return found - {".begun.ledger"}  # of uploads that are on their way, of whomever

    def waiting(self) -> list[tuple[Any, ...]]:
        """Jobs that wait or run, but for those of later."""
        return self.rows(
            "SELECT job.kind, job.state, job.attempt, job.errors"
            " FROM procrastinate_jobs queued JOIN jobs.job ON job.id = (queued.args->>'job_id')::bigint"
            " WHERE queued.status IN ('todo', 'doing') AND job.kind <> %s"
            " AND (queued.scheduled_at IS NULL OR queued.scheduled_at < now() + make_interval(secs => %s))",
            BY_THE_HOUR,
            SOON_S,
        )

    def columns(self) -> list[tuple[str, str, str]]:
        """Schema, table and name of each column with whole numbers."""
        return self.rows(
            "SELECT table_schema, table_name, column_name FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_schema, table_name)"
            " WHERE table_type = 'BASE TABLE' AND data_type = 'bigint'"
            " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        )

    def tables(self) -> list[tuple[str, str]]:
        query = (
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
            " AND table_schema NOT IN ('pg_catalog', 'information_schema') AND table_name NOT LIKE 'procrastinate%%'"
        )
        return self.rows(query)

    def mentions(self, words: list[str]) -> list[str]:
        """Tables with rows in which one of the words stands."""
        found = []
        for schema, table in self.tables():
            name = sql.Identifier(schema, table)
            query = sql.SQL("SELECT t::text FROM {} t WHERE t::text ILIKE ANY(%s) LIMIT 1").format(name)
            rows = self.conn.execute(query, [[f"%{word}%" for word in words]]).fetchall()
            if rows and f"{schema}.{table}" not in TRAILS:
                found.append(f"{schema}.{table}: {rows[0][0][:300]}")
        return found

    def numbers(self, named: dict[str, list[int]]) -> list[str]:
        """Columns called so, or the key of a table called so, that hold one of the numbers."""
        found = []
        for schema, table, column in self.columns():
            numbers = named.get(f"{table}_id" if column == "id" else column)
            if numbers and f"{schema}.{table}" not in TRAILS:
                query = sql.SQL("SELECT 1 FROM {} WHERE {} = ANY(%s) LIMIT 1").format(
                    sql.Identifier(schema, table), sql.Identifier(column)
                )
                if self.conn.execute(query, [numbers]).fetchone():
                    found.append(f"{schema}.{table}.{column} in {numbers}")
        return found


@pytest.fixture(scope="module")
def cellar(server: Any) -> Iterator[Cellar]:
    if server.data_dir is None:
        pytest.skip("somebody else's server cannot be looked into")
    with psycopg.connect(EmbeddedPostgres(server.data_dir).url, autocommit=True) as conn:
        yield Cellar(server.data_dir / "store", conn)


def until(look: Callable[[], Any], what: Callable[[], Any] = str) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := look()):
        assert time.monotonic() < deadline, f"it did not become so: {what()}"
        time.sleep(0.1)
    return found


def until_idle(cellar: Cellar) -> None:
    until(lambda: not cellar.waiting(), cellar.waiting)


class Caller:
    """The tenant's requests, all of which succeed."""

    def __init__(self, http: httpx2.Client, token: str) -> None:
        self._http, self._token = http, token

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self._http.request(method, path, headers={"Authorization": f"Bearer {self._token}"}, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def package() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("model_package/model.py", MODEL)
    return target.getvalue()


def use(caller: Caller, http: httpx2.Client, tenant: Tenant, folder: Path) -> None:
    """Leave bytes, lines, counts and results everywhere."""
    version = next(path for path in tenant.things if path.endswith("/versions/{version}"))
    project, model = (tenant.things[version.rpartition(part)[0]] for part in ("/models", "/versions"))
    at = f"/v2.1/projects/{project}/models/{model}/versions/{tenant.things[version]}"
    caller.ask("PUT", f"{at}/upload", files={"file": ("package.zip", package())})
    dataset, sample = (
        tenant.things["/v1/datasets/{datasetId}"],
        tenant.things["/v1/datasets/{datasetId}/samples/{sampleId}"],
    )
    signed = caller.ask("GET", f"/v1/datasets/{dataset}/samples/{sample}/writeurl", params={"isThumbnail": "False"})
    assert httpx2.put(signed, content=picture()).is_success
    objects = tenant.things["/api/projects/{project_id}"]
    archive = archive_of(folder / "archive.zip", [row(1), row(2)])
    with archive.open("rb") as file:
        source = caller.ask(
            "POST", "/api/my_files/", files={"file": ("archive.zip", file)}, data={"path": "archive.zip"}
        )
    job = caller.ask("POST", f"/api/file_import/{objects}", json={"source_path": source})["job_id"]
    until(lambda: caller.ask("GET", f"/api/jobs/{job}/")["state"] == "F")
    until(lambda: caller.ask("GET", at)["status"] == "available")
    assert caller.ask("POST", f"{at}/request", json={"number": 1})["success"]
    caller.ask("POST", f"{at}/request-batch", json=[{"number": 2}])
    pipeline = tenant.things["/v2.1/projects/{project_name}/pipelines/{pipeline_name}"]
    caller.ask("POST", f"/v2.1/projects/{project}/pipelines/{pipeline}/request-batch", json=[{"number": 3}])
    assert http.get("/readyz").is_success


def delete_role(cellar: Cellar, caller: Caller, tenant: Tenant) -> None:
    """With an assignment of it."""
    project = tenant.things["/v2.1/projects/{project_name}"]
    role = tenant.things["/v2.1/projects/{project_name}/roles/{role_name}"]
    body = {"user_id": tenant.things["/v2.1/projects/{project_name}/service-users/{service_user_id}"], "role": role}
    caller.ask("POST", f"/v2.1/projects/{project}/role-assignments", json=body)
    ((role_id,),) = cellar.rows("SELECT id FROM identity.role WHERE name = %s", role)
    assert len(cellar.numbers({"role_id": [role_id]})) >= 2
    caller.ask("DELETE", f"/v2.1/projects/{project}/roles/{role}")
    assert cellar.numbers({"role_id": [role_id]}) == []


@pytest.mark.slow
def test_nothing_is_left_of_who_is_gone(http: httpx2.Client, server: Any, cellar: Cellar, tmp_path: Path):
    until_idle(cellar)
    before = cellar.files()
    token = sign_up(http, server.token)
    tenant, caller = settle([open_door(name, http) for name in PROTOCOLS], token), Caller(http, token)
    assert tenant.failed == []
    use(caller, http, tenant, tmp_path)
    until_idle(cellar)

    me = caller.ask("GET", "/v2.1/user")
    ((user_id,),) = cellar.rows("SELECT id FROM identity.user WHERE uuid = %s", me["id"])
    mine = "SELECT organization_id FROM identity.member WHERE user_id = %s"
    organizations = [id_ for (id_,) in cellar.rows(mine, user_id)]
    query = "SELECT id, uuid, name FROM identity.project WHERE organization_id = ANY(%s)"
    projects = cellar.rows(query, organizations)
    assert len(projects) >= 4
    project_ids = [id_ for id_, _uuid, _name in projects]
    assert {path.split("/")[0] for path in cellar.files() - before} >= {
        "packages",
        "blobs",
        "samples",
        "objects",
        "gaze",
    }

    delete_role(cellar, caller, tenant)

    # Projects, each through the door through which it was made.
    caller.ask("DELETE", f"/v2.1/projects/{tenant.things['/v2.1/projects/{project_name}']}")
    caller.ask("DELETE", f"/api/projects/{tenant.things['/api/projects/{project_id}']}")
    workspace = tenant.things["/v2/workspaces/{workspace_id}"]
    gaze = tenant.things["/v2/workspaces/{workspace_id}/projects/{project_id}"]
    caller.ask("DELETE", f"/v2/workspaces/{workspace}/projects/{gaze}")
    left = caller.ask("GET", "/v2.1/projects")
    for item in left:
        caller.ask("DELETE", f"/v2.1/projects/{item['name']}")

    # The user, with the personal organization.
    until_idle(cellar)
    caller.ask("DELETE", "/v2.1/user")

    def mentioned() -> Any:
        numbers = {"project_id": project_ids, "user_id": [user_id], "owner_id": [user_id]}
        return cellar.waiting() or cellar.numbers(numbers)

    until(lambda: not mentioned(), mentioned)
    words = [me["email"], me["id"], *(str(uuid) for _id, uuid, _name in projects)]
    words += [name for _id, _uuid, name in projects if name.startswith("secret-")]
    assert cellar.mentions(words) == []
    until(lambda: not cellar.files() - before, lambda: cellar.files() - before)


def test_lines_and_counts_are_purged_when_they_are_old(http: httpx2.Client, server: Any, cellar: Cellar):
    """Lines as the subscription says, counts of minutes after five weeks, the audit trail after two years."""
    until_idle(cellar)
    admin, name = Caller(http, server.token), f"retention-{secrets.token_hex(5)}"
    limits = dict.fromkeys(("max_projects", "max_users", "gb_seconds", "resources"), 1000)
    admin.ask("POST", "/v2.1/subscriptions", json={"name": name, "logs_retention_days": 1, **limits})
    body = {"name": name, "subscription": name, "subscription_agreed": True}
    admin.ask("POST", "/v2.1/organizations", json=body)
    for project in (name, f"{name}-x"):
        admin.ask("POST", "/v2.1/projects", json={"name": project, "organization_name": name})
    ((project_id,),) = cellar.rows("SELECT id FROM identity.project WHERE name = %s", name)
    ((source,),) = cellar.rows(
        "INSERT INTO serving.log_source (project_id, system) VALUES (%s, true) RETURNING id", project_id
    )
    for days in (0, 3):
        at_ns = (int(time.time()) - days * 86_400) * 10**9
        line = "INSERT INTO serving.log (source_id, id, project_id, system, text) VALUES (%s, %s, %s, true, %s)"
        cellar.conn.execute(line.encode(), (source, at_ns.to_bytes(8, "big") + bytes(4), project_id, f"{days} old"))
    for grain, days in (("minute", 1), ("minute", 40), ("hour", 40)):
        cellar.conn.execute(
            b"INSERT INTO serving.metric (project_id, metric, grain, bucket, object_id, total, times) VALUES"
            b" (%s, 'pipeline.requests', %s, date_trunc('hour', now()) - make_interval(days => %s),"
            b" gen_random_uuid(), 1, 1)",
            (project_id, grain, days),
        )
    cellar.conn.execute(
        b"UPDATE identity.audit SET at = now() - interval '3 years' WHERE project_id = %s",
        [project_id],
    )
    # Whatever is deleted has everything purged.
    admin.ask("DELETE", f"/v2.1/projects/{name}-x")
    until_idle(cellar)
    assert cellar.rows("SELECT text FROM serving.log WHERE project_id = %s", project_id) == [("0 old",)]
    counted = "SELECT grain FROM serving.metric WHERE project_id = %s ORDER BY grain"
    assert cellar.rows(counted, project_id) == [("hour",), ("minute",)]
    assert cellar.rows("SELECT action FROM identity.audit WHERE project_id = %s", project_id) == []
