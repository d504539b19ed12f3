"""Two who race for the last place: one of them gets it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import date
from typing import Any

import pytest

from quadrat.api.ubiops.app import PREFIX, create_app
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import organizations, projects, subscriptions
from quadrat.identity.actions.tokens import create_token
from quadrat.identity.types import Caller, MemberLevel, Organization, OrganizationChanges, SubscriptionEnd
from quadrat.serving.actions import models, versions
from quadrat.serving.actions.access import ModelPath
from quadrat.serving.actions.models import NewModel
from quadrat.serving.types import DataKind, VersionSettings
from support.house import House, Person, open_house
from support.people import make_caller, make_organization, make_project, unique, unique_email

pytestmark = pytest.mark.anyio
NONE = dict.fromkeys(("max_projects", "max_users", "logs_retention_days", "gb_seconds", "resources"))


async def limited(db: Database, **limits: int) -> tuple[Caller, Organization, str]:
    """An organization under a plan of its own."""
    async with db.begin() as tx:
        admin, owner = await make_caller(tx, admin=True), await make_caller(tx)
        organization = await make_organization(tx, owner)
        plan = await subscriptions.create_subscription(tx, admin, {"name": unique("plan"), **NONE, **limits})
        change = OrganizationChanges(subscription=plan.name, subscription_agreed=True)
        await organizations.update_organization(tx, admin, organization.name, change)
    return owner, organization, plan.name


async def outcomes(*attempts: Any) -> list[str]:
    results = await asyncio.gather(*attempts, return_exceptions=True)
    kinds = []
    for result in results:
        if isinstance(result, QuadratError):
            kinds.append(str(result.kind))
        elif isinstance(result, BaseException):
            raise result
        else:
            kinds.append("made")
    return sorted(kinds)


async def test_last_project_goes_to_one_of_many(db: Database):
    owner, organization, plan = await limited(db, max_projects=3)

    async def make() -> None:
        async with db.begin() as tx:
            await make_project(tx, owner, organization)

    assert await outcomes(*(make() for _ in range(5))) == [str(ErrorKind.LIMIT_REACHED)] * 2 + ["made"] * 3
    async with db.begin() as tx:
        admin = await make_caller(tx, admin=True)
        await subscriptions.update_subscription(tx, admin, plan, {"max_projects": 4})
    assert await outcomes(make(), make()) == [str(ErrorKind.LIMIT_REACHED), "made"]


async def test_last_member_is_one_of_many(db: Database):
    owner, organization, _ = await limited(db, max_users=2)

    async def add() -> None:
        async with db.begin() as tx:
            await organizations.add_member(tx, owner, organization.name, unique_email(), MemberLevel.MEMBER)

    assert await outcomes(*(add() for _ in range(4))) == [str(ErrorKind.LIMIT_REACHED)] * 3 + ["made"]


async def test_last_resource_goes_to_one_of_many_in_any_project(db: Database):
    owner, organization, _ = await limited(db, resources=2)
    paths = []
    for _ in range(2):
        async with db.begin() as tx:
            project = await make_project(tx, owner, organization)
            new = NewModel("m", "", DataKind.PLAIN, DataKind.PLAIN, (), ())
            await models.create_model(tx, owner, project.name, new)
            paths.append(ModelPath(project.name, "m"))

    async def make(path: ModelPath) -> None:
        async with db.begin() as tx:
            await versions.create_version(tx, owner, path, unique("v"), VersionSettings())

    assert (
        await outcomes(*(make(paths[number % 2]) for number in range(5)))
        == [str(ErrorKind.LIMIT_REACHED)] * 3 + ["made"] * 2
    )


@pytest.fixture
async def house(db: Database) -> AsyncIterator[House]:
    async with AsyncExitStack() as cleanup:
        yield await open_house(db, cleanup)


async def test_limit_is_refused_with_403_over_the_wire(house: House):
    owner, organization, _ = await limited(house.db, max_projects=0)
    async with house.db.begin() as tx:
        _, secret = await create_token(tx, owner.user_id, "test")
    client = house.client_for(create_app, PREFIX, Person(owner, secret))
    answer = await client.post("/projects", json={"name": unique("p"), "organization_name": organization.name})
    assert (answer.status_code, "allows 0 projects" in answer.json()["error"]) == (403, True)


async def test_ended_subscription_counts_as_the_free_one(db: Database):
    owner, organization, _ = await limited(db, max_projects=0)
    async with db.begin() as tx:
        with pytest.raises(QuadratError):
            await projects.create_project(tx, owner, organization=organization.name, name=unique("p"))
    async with db.begin() as tx:
        admin = await make_caller(tx, admin=True)
        change = OrganizationChanges(subscription_end=SubscriptionEnd(date(2020, 1, 1)))
        await organizations.update_organization(tx, admin, organization.name, change)
        await projects.create_project(tx, owner, organization=organization.name, name=unique("p"))
