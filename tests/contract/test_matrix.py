"""Who may do what: contract/matrix.csv, one operation in each line, asked of the live server cell by cell.

A cell says how the answer must begin: with a status that refuses, or ``yes``: not refused, whatever else is said of
the values that were sent. Five operations of the object API name their things in the body alone; they are asked for
nothing at all, which nobody is refused. Only what the server does not serve yet is passed over.
"""

import csv
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.contract.doors import PROTOCOLS, Door, Operation, key, open_door
from support.contract.tenants import Tenant, settle, sign_up

pytestmark = pytest.mark.timeout(300)

CONTRACT = Path(__file__).resolve().parents[2] / "contract"
REFUSED = {401, 403}
ROLES = ("anonymous", "non-member", "viewer", "annotator", "editor", "admin", "service-user", "object-level")
#: These change nothing of the tenant's, so they can share one.
HARMLESS = ("anonymous", "non-member", "viewer", "service-user")
#: Their project stands in the body.
NAMES_A_PROJECT = {
    "predict_object_set",
    "export_object_set",
    "export_object_set_backup",
    "export_object_set_general",
    "export_object_set_summary",
}
#: Nothing has been uploaded for the tenant's version and sample.
WITHOUT_BYTES = (
    "model_versions_file_download",
    "get_sample_image_read_url_by_id",
    "get_sample_image_resource_redirect_by_id",
    # It went with the pipeline that it asks.
    "scheduled_requests_delete",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One operation, and what each role gets."""

    api: str
    name: str
    method: str
    path: str
    cells: dict[str, str]


def rows() -> list[Row]:
    found = []
    known = {
        (api, row["operation_id"]): row
        for api in PROTOCOLS
        for row in json.loads((CONTRACT / api / "operations.json").read_text("utf-8"))
    }
    with (CONTRACT / "matrix.csv").open(newline="") as file:
        for line in csv.DictReader(file):
            row = known[line["api"], line["operation"]]
            cells = {role: line[role] for role in ROLES}
            found.append(Row(line["api"], line["operation"], row["method"], row["path"], cells))
    return found


def test_matrix_names_every_operation_of_the_seeds_once():
    seeds = [
        (api, row["operation_id"])
        for api in PROTOCOLS
        for row in json.loads((CONTRACT / api / "operations.json").read_text("utf-8"))
        if row["seed"]
    ]
    assert sorted((row.api, row.name) for row in rows()) == sorted(seeds)
    assert len(seeds) == 159
    assert {cell for row in rows() for cell in row.cells.values()} <= {"yes", "400", "401", "403", "404"}


@dataclass(frozen=True, slots=True)
class Stage:
    """A tenant's things, and the token of someone who asks for them."""

    tenant: Tenant
    organization: str
    token: str | None


class Casting:
    """Makes tenants, and people who hold a role in all of their projects."""

    def __init__(self, http: httpx2.Client, doors: dict[str, Door], admin_token: str) -> None:
        self.http = http
        self.doors = doors
        self.admin_token = admin_token
        self.shared: Tenant | None = None

    def stage(self, role: str) -> Stage:
        if role not in HARMLESS or self.shared is None:
            tenant = settle(list(self.doors.values()), sign_up(self.http, self.admin_token))
            if role in HARMLESS:
                self.shared = tenant
        else:
            tenant = self.shared
        organization = tenant.things["/v2.1/organizations/{organization_name}"]
        return Stage(tenant, organization, self.cast(role, tenant))

    def cast(self, role: str, tenant: Tenant) -> str | None:
        if role == "anonymous":
            return None
        project = tenant.things["/v2.1/projects/{project_name}"]
        if role == "service-user":
            return str(self.ask(tenant, "POST", f"/projects/{project}/service-users", name="robot")["token"])
        token = sign_up(self.http, self.admin_token)
        if role == "non-member":
            return token
        user = self.http.get("/v2.1/user", headers={"Authorization": f"Bearer {token}"}).json()
        for organization in self.ask(tenant, "GET", "/organizations"):
            at = f"/organizations/{organization['name']}/users"
            self.ask(tenant, "POST", at, email=user["email"], admin=role == "admin")
        for found in self.ask(tenant, "GET", "/projects"):
            if role == "object-level" and found["name"] == project:
                model = tenant.things["/v2.1/projects/{project_name}/models/{model_name}"]
                on = {"role": "model-editor", "object_type": "model", "object_name": model}
            elif role in ("admin", "object-level"):
                continue
            else:
                on = {"role": f"project-{role}"}
            self.ask(tenant, "POST", f"/projects/{found['name']}/role-assignments", user_id=user["id"], **on)
        return token

    def ask(self, tenant: Tenant, method: str, path: str, **body: Any) -> Any:
        content = {"json": body} if body else {}
        answer = self.http.request(
            method, f"/v2.1{path}", headers={"Authorization": f"Bearer {tenant.token}"}, **content
        )
        assert answer.is_success, f"{method} {path} {answer.status_code} {answer.text}"
        return answer.json()


@pytest.fixture(scope="module")
def casting(http: httpx2.Client, server: Any) -> Casting:
    return Casting(http, {name: open_door(name, http) for name in PROTOCOLS}, server.token)


def in_order(door: Door, matrix: list[Row]) -> Iterator[tuple[Row, Operation]]:
    """What is served, the harmless first and what takes most with it last."""
    served = {key(operation.method, operation.path): operation for operation in door.operations}
    order = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    for row in sorted(matrix, key=lambda row: (order.index(row.method), -row.path.count("/"))):
        operation = served.get(key(row.method, row.path))
        if row.api == door.name and operation is not None:
            yield row, operation


@pytest.mark.parametrize("role", ROLES)
def test_every_operation_answers_each_role_as_the_matrix_says(role: str, casting: Casting):
    stage, matrix = casting.stage(role), rows()
    problems = []
    # The serving API last: there the caller is deleted in the end.
    for door in sorted(casting.doors.values(), key=lambda door: door.name == "ubiops"):
        for row, operation in in_order(door, matrix):
            values = stage.tenant.values(operation)
            body = door.sample_body(operation)
            if row.name == "projects_create":
                body["json"] = {"name": f"made-{secrets.token_hex(5)}", "organization_name": stage.organization}
            if row.name in NAMES_A_PROJECT:
                project = int(stage.tenant.things["/api/projects/{project_id}"])
                body["json"]["request"]["project_id"] = project
                if row.name == "predict_object_set":
                    body["json"]["request"]["source_project_ids"] = [project]
            answer = door.ask(operation, operation.at(values), token=stage.token, **body)
            is_missing = row.name in WITHOUT_BYTES or set(operation.parameters) - set(values) != set()
            if not fits(row.cells[role], answer.status_code, is_missing):
                problems.append(
                    f"{row.api} {row.name}: {answer.status_code}, not {row.cells[role]}: {answer.text[:120]}"
                )
    if problems:
        pytest.fail("\n".join(problems))


def fits(cell: str, status: int, is_missing: bool) -> bool:
    if cell != "yes":
        return status == int(cell)
    return status < 500 and status not in REFUSED and (status != 404 or is_missing)
