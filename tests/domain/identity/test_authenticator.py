import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import event

from quadrat.db.engine import Database
from quadrat.db.notify import Listener, notify
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import projects, roles
from quadrat.identity.actions.tokens import create_token, revoke_token
from quadrat.identity.actions.users import create_user
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.changes import CHANNEL
from quadrat.identity.permissions import PROJECT_VIEWER
from quadrat.identity.types import NewUser
from support.people import make_caller, make_project, make_service_user, unique, unique_email

pytestmark = pytest.mark.anyio


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def authenticator(db: Database, clock: Clock) -> AsyncIterator[Authenticator]:
    listener = Listener(db.dsn)
    made = Authenticator(db, listener, clock)
    await listener.start()
    yield made
    await listener.stop()


@pytest.fixture
async def secret(db: Database) -> str:
    async with db.begin() as tx:
        user = await create_user(tx, NewUser(unique_email()))
        return (await create_token(tx, user.id, "test"))[1]


async def until_forgotten(authenticator: Authenticator, secret: str) -> None:
    async with asyncio.timeout(10):
        while authenticator.remembered(secret) is not None:
            await asyncio.sleep(0)


async def test_caller_is_remembered_for_seconds(authenticator: Authenticator, secret: str, clock: Clock):
    caller = await authenticator.caller(secret)
    assert authenticator.remembered(secret) == caller
    clock.at_s += 4.9
    assert authenticator.remembered(secret) == caller
    clock.at_s += 0.2
    assert authenticator.remembered(secret) is None
    assert await authenticator.caller(secret) == caller


async def test_many_at_the_same_moment_are_one_look_up(authenticator: Authenticator, secret: str, db: Database):
    looks = 0

    def count(*_what: object) -> None:
        nonlocal looks
        looks += 1

    event.listen(db._engine.sync_engine, "checkout", count)
    asking = [asyncio.create_task(authenticator.caller(secret)) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()  # whoever gives up takes nothing from the others
    first, *others = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    assert set(others) == {authenticator.remembered(secret)}
    assert looks == 1


async def test_refusal_reaches_all_who_asked_at_the_same_moment(authenticator: Authenticator):
    found = await asyncio.gather(*(authenticator.caller("0" * 40) for _ in range(5)), return_exceptions=True)
    assert {error.kind for error in found if isinstance(error, QuadratError)} == {ErrorKind.UNAUTHENTICATED}
    assert len(found) == 5


async def test_news_of_a_change_elsewhere_reaches_the_memory(db: Database, authenticator: Authenticator, secret: str):
    await authenticator.caller(secret)
    async with db.begin() as tx:
        await notify(tx, CHANNEL)
    await until_forgotten(authenticator, secret)


async def test_revocation_here_is_in_force_as_soon_as_it_is_done(
    db: Database, authenticator: Authenticator, secret: str
):
    caller = await authenticator.caller(secret)
    async with db.begin() as tx:
        await revoke_token(tx, caller.user_id, caller.token_id)
        # Looked up meanwhile by others, for whom it is not done yet.
        assert await authenticator.caller(secret) == caller
    with pytest.raises(QuadratError) as caught:
        await authenticator.caller(secret)
    assert caught.value.kind is ErrorKind.UNAUTHENTICATED


async def test_revocation_that_is_rolled_back_ends_nothing(db: Database, authenticator: Authenticator, secret: str):
    caller = await authenticator.caller(secret)
    with pytest.raises(RuntimeError):
        async with db.begin() as tx:
            await revoke_token(tx, caller.user_id, caller.token_id)
            raise RuntimeError
    authenticator.forget()
    assert await authenticator.caller(secret) == caller


async def test_unknown_token_is_refused_and_not_remembered(authenticator: Authenticator):
    with pytest.raises(QuadratError):
        await authenticator.caller("0" * 40)
    assert authenticator.remembered("0" * 40) is None


async def test_what_is_looked_up_while_identity_changes_is_not_remembered(
    authenticator: Authenticator, secret: str, db: Database
):
    lookup = asyncio.create_task(authenticator.caller(secret))
    await asyncio.sleep(0)
    authenticator.forget()
    await lookup
    assert authenticator.remembered(secret) is None


async def test_access_follows_a_role_that_is_taken_away(db: Database, authenticator: Authenticator, clock: Clock):
    async with db.begin() as tx:
        owner = await make_caller(tx)
        project = await make_project(tx, owner)
        robot, secret = await make_service_user(tx, owner, project)
        made = await roles.assign_role(tx, owner, project.name, robot.uuid, PROJECT_VIEWER)
    clock.at_s += 1  # nothing is remembered for so long after a change
    # The news of the assignment may come at any moment, and makes forget what was looked up before it.
    while authenticator.remembered(secret) is None:
        await authenticator.caller(secret)
    held = await authenticator.access(robot, project.name)
    while await authenticator.access(robot, project.name) is not held:
        held = await authenticator.access(robot, project.name)
    async with db.begin() as tx:
        await roles.delete_assignment(tx, owner, project.name, made.uuid)
    assert len(held.grants) == 1
    assert (await authenticator.access(robot, project.name)).grants == ()


async def test_access_under_the_old_name_of_a_project_is_gone(db: Database, authenticator: Authenticator, secret: str):
    caller = await authenticator.caller(secret)
    async with db.begin() as tx:
        project = await make_project(tx, caller)
    await authenticator.access(caller, project.name)
    async with db.begin() as tx:
        await projects.update_project(tx, caller, project.name, name=unique("renamed"))
    with pytest.raises(QuadratError) as caught:
        await authenticator.access(caller, project.name)
    assert caught.value.kind is ErrorKind.NOT_FOUND
