"""The contract against what the server serves, both ways."""

import re
from collections import Counter
from types import ModuleType

import pytest

APIS = ("ubiops", "lightly", "ecotaxa", "pupilcloud")
SEED_OPERATIONS = {"ubiops": 125, "lightly": 9, "ecotaxa": 15, "pupilcloud": 10}
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}


@pytest.mark.parametrize("api", APIS)
def test_contract_holds_every_seed_operation_once(api: str, pages: ModuleType):
    operations = pages.load_operations(api)
    assert sum(operation.seed for operation in operations) == SEED_OPERATIONS[api]
    assert [name for name, count in Counter(o.operation_id for o in operations).items() if count > 1] == []
    assert [key for key, count in Counter(o.key for o in operations).items() if count > 1] == []


@pytest.mark.parametrize("api", APIS)
def test_contract_rows_use_known_words(api: str, pages: ModuleType):
    prefix, _ = pages.APIS[api]
    for operation in pages.load_operations(api):
        assert operation.method in METHODS, operation
        assert operation.path.startswith(prefix + "/"), operation
        assert operation.auth in {"none", "optional", "token"}, operation
        assert operation.seed == (operation.source == "seed"), operation
        assert operation.statuses == sorted(set(operation.statuses)), operation
        assert sum(status < 400 for status in operation.statuses) == 1, operation
        assert operation.auth == "none" or 401 in operation.statuses, operation


@pytest.mark.parametrize("api", APIS)
def test_server_serves_no_operation_outside_the_contract(api: str, pages: ModuleType):
    known = {operation.key for operation in pages.load_operations(api)}
    assert [route for route in pages.served_routes(api) if route.key not in known] == []


@pytest.mark.parametrize("api", APIS)
def test_server_serves_each_operation_from_one_route_under_the_contract_path(api: str, pages: ModuleType):
    routes = [route for route in pages.served_routes(api) if route.in_schema]
    assert [key for key, count in Counter(route.key for route in routes).items() if count > 1] == []
    spelled = {anonymous(f"{operation.method} {operation.path}") for operation in pages.load_operations(api)}
    assert [route for route in routes if anonymous(f"{route.method} {route.path}") not in spelled] == []


@pytest.mark.parametrize("api", APIS)
def test_openapi_document_lists_exactly_the_routes(api: str, pages: ModuleType):
    routes = pages.served_routes(api)
    prefix, _ = pages.APIS[api]
    documented = {
        pages.route_key(method.upper(), prefix + path)
        for path, methods in (pages.load_app(api).openapi()["paths"] if routes else {}).items()
        for method in methods
        if method.upper() in METHODS
    }
    assert documented == {route.key for route in routes}


def test_generated_pages_are_up_to_date(pages: ModuleType):
    assert pages.stale_pages() == []


def anonymous(path: str) -> str:
    """A path without the names of its parameters; a slash at its end counts."""
    return re.sub(r"{[^}]*}", "{}", path)
