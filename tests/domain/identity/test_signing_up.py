import asyncio
from collections.abc import Awaitable
from functools import partial

import pytest

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.actions import users
from quadrat.identity.actions.signing_up import sign_up
from quadrat.identity.types import NewUser, UserStatus
from support.people import PASSWORD, make_caller, unique, unique_email

pytestmark = pytest.mark.anyio


async def refused(awaitable: Awaitable[object]) -> QuadratError:
    with pytest.raises(QuadratError) as caught:
        await awaitable
    return caught.value


async def test_sign_up_by_a_stranger_is_pending_and_by_an_administrator_active(db: Database) -> None:
    async with db.begin() as tx:
        admin, other = await make_caller(tx, admin=True), await make_caller(tx)
    statuses = []
    for caller in (None, other, admin):
        new = NewUser(unique_email(), PASSWORD, is_platform_admin=True)
        user = await sign_up(db, caller, new, address=unique("address"), terms_accepted=True)
        statuses.append(user.status)
        assert not user.is_platform_admin
    assert statuses == [UserStatus.PENDING, UserStatus.PENDING, UserStatus.ACTIVE]


@pytest.mark.parametrize(
    ("new", "accepted", "field"),
    [
        (NewUser("a@example.org", PASSWORD), False, "terms_conditions"),
        (NewUser("a@example.org"), True, "password"),
        (NewUser("a@example.org", "short"), True, "password"),
        (NewUser("nobody", PASSWORD), True, "email"),
    ],
    ids=["terms", "no password", "short password", "no address"],
)
async def test_sign_up_that_cannot_be_is_invalid(db: Database, new: NewUser, accepted: bool, field: str) -> None:
    error = await refused(sign_up(db, None, new, address=None, terms_accepted=accepted))
    assert (error.kind, error.field) == (ErrorKind.INVALID, field)


async def test_sign_ups_from_one_place_are_limited_also_at_the_same_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "SIGN_UPS", 3)
    address = unique("address")
    ask = partial(sign_up, db, None, address=address, terms_accepted=True)
    results = await asyncio.gather(*(ask(NewUser(unique_email(), PASSWORD)) for _ in range(6)), return_exceptions=True)
    errors = [result for result in results if isinstance(result, QuadratError)]
    assert [error.kind for error in errors] == [ErrorKind.LIMIT_REACHED] * 3
    assert all(error.retry_after_s and error.retry_after_s > 60 for error in errors)
    async with db.begin() as tx:
        admin = await make_caller(tx, admin=True)
    await ask(NewUser(unique_email(), PASSWORD), address=unique("address"))
    await sign_up(db, admin, NewUser(unique_email(), PASSWORD), address=address, terms_accepted=True)


async def test_sign_up_with_a_taken_address_counts_as_well(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SIGN_UPS", 2)
    async with db.begin() as tx:
        taken = await users.create_user(tx, NewUser(unique_email(), PASSWORD))
    address, kinds = unique("address"), []
    for _ in range(3):
        again = NewUser(taken.email, PASSWORD)
        kinds.append((await refused(sign_up(db, None, again, address=address, terms_accepted=True))).kind)
    assert kinds == [ErrorKind.ALREADY_EXISTS, ErrorKind.ALREADY_EXISTS, ErrorKind.LIMIT_REACHED]
