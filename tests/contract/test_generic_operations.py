"""Every operation that the live server documents, asked in the ways in which a caller can be wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from support.contract.doors import METHODS, PROTOCOLS, Door, Operation, matches, open_door
from support.contract.tenants import Tenant, settle, sign_up
from support.contract.things.step import HUSH

WRONG_TOKEN = "0" * 40
ODD_TOKENS = ("x", "ä" * 40, "Bearer", "' OR 1=1 --")
#: The credential is read by one piece of code for each API: strange ones need not knock at every door of it.
KNOCKS = 5


@pytest.fixture(scope="module")
def doors(http: httpx2.Client) -> dict[str, Door]:
    return {name: open_door(name, http) for name in PROTOCOLS}


@pytest.fixture(params=list(PROTOCOLS))
def door(request: pytest.FixtureRequest, doors: dict[str, Door]) -> Door:
    return doors[request.param]


@dataclass(frozen=True, slots=True)
class Tenants:
    """Two users who share nothing."""

    owner: Tenant
    stranger: Tenant


@pytest.fixture(scope="module")
def tenants(http: httpx2.Client, server: Any, doors: dict[str, Door]) -> Tenants:
    owner, stranger = (settle(list(doors.values()), sign_up(http, server.token)) for _ in range(2))
    return Tenants(owner, stranger)


def found(problems: Iterable[str | None]) -> list[str]:
    return [problem for problem in problems if problem]


def test_tenants_own_one_of_each_thing_that_the_server_makes(tenants: Tenants):
    assert tenants.owner.failed == [], "mend the body in tests/support/contract/things"


def test_operation_without_a_token_is_refused_or_open_as_the_contract_says(door: Door):
    def allowed(operation: Operation) -> set[int]:
        return {door.protocol.without_token} if operation.auth == "token" else set(operation.statuses) - {401}

    assert (
        found(
            door.problem(door.ask(operation, operation.at({}), **door.sample_body(operation)), allowed(operation))
            for operation in door.operations
        )
        == []
    )


def test_operation_with_a_wrong_token_is_refused_or_open_as_the_contract_says(door: Door):
    problems = []
    for operation in door.operations:
        answer = door.ask(operation, operation.at({}), token=WRONG_TOKEN, **door.sample_body(operation))
        if operation.auth != "token":  # a token that opens nothing is as good as none
            problems.append(door.problem(answer, set(operation.statuses) - {401}))
            continue
        problems.append(door.problem(answer, {401}))
        if door.name == "ecotaxa" and answer.headers.get("www-authenticate") != "Bearer":
            problems.append(f"{operation.path} does not ask for a bearer token")
    assert found(problems) == []


@pytest.mark.parametrize("token", ODD_TOKENS)
def test_operation_with_an_odd_token_is_refused(token: str, door: Door):
    if not token.isascii() and door.name != "lightly":
        token = token.encode().decode("latin-1")
    signed = [operation for operation in door.operations if operation.auth == "token"]
    answers = [door.ask(operation, operation.at({}), token=token) for operation in signed[:KNOCKS]]
    assert found(door.problem(answer, {401}) for answer in answers) == []


def test_operation_with_a_method_that_is_not_served_is_refused(door: Door, tenants: Tenants):
    problems = []
    for path in sorted({operation.path for operation in door.operations}):
        concrete = next(operation for operation in door.operations if operation.path == path).at({})
        served = {other.method for other in door.operations if matches(other.path, concrete)}
        for unserved in [method for method in METHODS if method not in served][:1]:
            answer = door.ask(Operation(unserved, path), concrete, token=tenants.owner.token)
            problems.append(door.problem(answer, {405}))
    assert found(problems) == []


@pytest.mark.parametrize("path", ["nothing-here", "projects/a/b/c/d/e", "..%2f..%2fetc", "%00"])
def test_unknown_path_is_not_found_in_the_words_of_its_api(path: str, door: Door, tenants: Tenants):
    operation = Operation("GET", f"{door.protocol.prefix}/{path}")
    assert door.problem(door.ask(operation, operation.path, token=tenants.owner.token), {404}) is None


@pytest.mark.parametrize("content", [b'{"broken', b"\xff\xfe", b"12", b'"text"', b"null", b"[[]]", b'{"a":' * 5000])
def test_operation_with_a_malformed_body_is_invalid(content: bytes, door: Door, tenants: Tenants):
    problems = []
    for operation in door.operations:
        if operation.body is None or door.takes(operation, content):
            continue
        usual = door.protocol.invalid[operation.method]
        allowed = {400 if usual == 409 and usual not in operation.statuses else usual}
        if operation.json_schema is None:  # a body that is no JSON is refused for its type, or for what is missing
            allowed |= {415, *(status for status in operation.statuses if status >= 400)} - {401}
        values = tenants.owner.values(operation)
        if set(operation.parameters) - set(values):
            allowed |= {403, 404}
        answer = door.ask(
            operation,
            operation.at(values),
            token=tenants.owner.token,
            content=content,
            headers={"Content-Type": "application/json"},
        )
        problems.append(door.problem(answer, allowed))
    assert found(problems) == []


def test_operation_on_another_tenants_things_gives_nothing_away(door: Door, tenants: Tenants):
    assert found(_ask_as_stranger(door, tenants, ())) == []


def test_operation_on_another_tenants_thing_below_an_own_one_gives_nothing_away(door: Door, tenants: Tenants):
    """The way to a thing leads through the stranger's own project, dataset or workspace."""
    assert found(_ask_as_stranger(door, tenants, tenants.stranger.things)) == []


#: Operations that make a thing of the caller's own under an id that the caller chooses; others may use it too.
CHOOSES_ITS_ID = {
    "/v2/workspaces/{workspace_id}/labels/{label_id}",
    "/v2/workspaces/{workspace_id}/projects/{project_id}/enrichments/{enrichment_id}/aois/{aoi_id}",
}


def _ask_as_stranger(door: Door, tenants: Tenants, own: Iterable[str]) -> Iterable[str | None]:
    for operation in door.operations:
        theirs = tenants.owner.values(operation)
        if operation.auth == "none" or not theirs:
            continue
        last = [name for name in operation.parameters if name in theirs][-1]
        mine = tenants.stranger.values(operation)
        above = {name: value for name, value in mine.items() if name != last}
        if own and (not above or mine.get(last) == theirs[last]):
            continue  # nothing stands above it, or the stranger has one of that name
        if own and operation.method == "POST" and operation.path in CHOOSES_ITS_ID:
            continue
        answer = door.ask(
            operation,
            operation.at({**theirs, **(above if own else {})}),
            token=tenants.stranger.token,
            **door.sample_body(operation),
        )
        yield door.problem(answer, {403, 404})
        if HUSH in answer.text:
            yield f"{operation.method} {operation.path} tells of another tenant's thing: {answer.text[:200]}"


def test_things_survive_what_the_stranger_asked(door: Door, tenants: Tenants):
    for own in ((), tenants.stranger.things):
        for _ in _ask_as_stranger(door, tenants, own):
            pass
    gone = []
    for item, value in tenants.owner.things.items():
        reading = [operation for operation in door.operations if operation.method == "GET" and operation.path == item]
        for operation in reading:
            answer = door.ask(operation, operation.at(tenants.owner.values(operation)), token=tenants.owner.token)
            if answer.status_code != 200:
                gone.append(f"{item} {value}: {answer.status_code} {answer.text[:200]}")
    assert gone == []


def test_lists_show_the_stranger_nothing_of_the_owner(http: httpx2.Client, tenants: Tenants):
    def listed(path: str, **signed: Any) -> str:
        answer = http.get(path, **signed)
        assert answer.status_code == 200, answer.text
        return answer.text

    bearer = {"headers": {"Authorization": f"Bearer {tenants.stranger.token}"}}
    for path, item in (
        ("/v2.1/projects", "/v2.1/projects/{project_name}"),
        ("/v2.1/organizations", "/v2.1/organizations/{organization_name}"),
        ("/v2/workspaces/", "/v2/workspaces/{workspace_id}"),
    ):
        text = listed(path, **bearer)
        assert tenants.owner.things[item] not in text
        assert tenants.stranger.things[item] in text
    for query in ({}, {"shared": "True"}):
        text = listed("/v1/datasets", params={"token": tenants.stranger.token, **query})
        assert tenants.owner.things["/v1/datasets/{datasetId}"] not in text
