import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.actions import sessions, users
from quadrat.identity.actions.access import authenticate
from quadrat.identity.actions.sessions import Attempt, sign_in, sign_out
from quadrat.identity.actions.tokens import create_token, list_tokens
from quadrat.identity.store import sign_ins
from quadrat.identity.store import tokens as token_store
from quadrat.identity.types import NewUser, TokenKind, User, UserChanges, UserStatus
from support.people import PASSWORD, unique, unique_email
from support.waiting import until_blocked

pytestmark = pytest.mark.anyio

LIMIT = 3
LIFE = timedelta(hours=1)


@pytest.fixture
async def person(db: Database) -> User:
    async with db.begin() as tx:
        return await users.create_user(tx, NewUser(unique_email(), PASSWORD))


def attempt_of(person: User, password: str = PASSWORD) -> Attempt:
    """From an address that no other test uses."""
    return Attempt(person.email, password, unique("address"))


async def try_in(db: Database, attempt: Attempt) -> ErrorKind | None:
    """How an attempt is refused; None when it succeeds."""
    try:
        await sign_in(db, attempt, limit=LIMIT, life=LIFE)
    except QuadratError as error:
        return error.kind
    return None


async def test_sign_in_with_the_password_gives_a_session_that_ends(db: Database, person: User):
    attempt = attempt_of(person)
    secret = await sign_in(db, replace(attempt, email=f" {person.email.upper()} "), limit=LIMIT, life=LIFE)
    async with db.begin() as tx:
        caller = await authenticate(tx, secret)
        (token,) = await token_store.list_tokens(tx, person.id, TokenKind.SESSION)
        assert await list_tokens(tx, person.id) == []
    assert caller.user_id == person.id
    assert token.expires_at is not None
    assert abs(token.expires_at - now() - LIFE) < timedelta(minutes=1)


async def test_ended_session_opens_nothing_and_goes_with_the_next_sign_in(db: Database, person: User):
    ended = await sign_in(db, attempt_of(person), limit=LIMIT, life=timedelta(seconds=-1))
    async with db.begin() as tx:
        with pytest.raises(QuadratError) as caught:
            await authenticate(tx, ended)
    assert caught.value.kind is ErrorKind.UNAUTHENTICATED
    await sign_in(db, attempt_of(person), limit=LIMIT, life=LIFE)
    async with db.begin() as tx:
        assert len(await token_store.list_tokens(tx, person.id, TokenKind.SESSION)) == 1


@pytest.mark.parametrize("password", ["", "correct-horse-1", "x" * 100_000, "\ud800", "a\x00b"])
async def test_sign_in_with_another_password_is_unauthenticated(db: Database, person: User, password: str):
    assert await try_in(db, attempt_of(person, password)) is ErrorKind.UNAUTHENTICATED


@pytest.mark.parametrize("email", ["", "nobody", "a\x00@example.org", "\ud800@example.org", "x" * 300 + "@a.org"])
async def test_sign_in_with_no_address_is_invalid(db: Database, email: str):
    assert await try_in(db, Attempt(email, PASSWORD, None)) is ErrorKind.INVALID


async def test_sign_in_without_a_password_set_is_unauthenticated(db: Database):
    async with db.begin() as tx:
        user = await users.create_user(tx, NewUser(unique_email()))
    assert await try_in(db, attempt_of(user)) is ErrorKind.UNAUTHENTICATED
    assert await try_in(db, attempt_of(user, "")) is ErrorKind.UNAUTHENTICATED


async def test_sign_in_of_a_pending_user_is_forbidden_only_with_the_right_password(db: Database):
    async with db.begin() as tx:
        user = await users.create_user(tx, NewUser(unique_email(), PASSWORD, status=UserStatus.PENDING))
    assert await try_in(db, attempt_of(user)) is ErrorKind.FORBIDDEN
    assert await try_in(db, attempt_of(user, "Wrong-horse-1")) is ErrorKind.UNAUTHENTICATED


async def test_failures_on_one_account_from_many_addresses_lock_it(db: Database, person: User):
    for _ in range(LIMIT):
        assert await try_in(db, attempt_of(person, "Wrong-horse-1")) is ErrorKind.UNAUTHENTICATED
    with pytest.raises(QuadratError) as caught:
        await sign_in(db, attempt_of(person), limit=LIMIT, life=LIFE)
    assert caught.value.kind is ErrorKind.LIMIT_REACHED
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= rules.SIGN_IN_WINDOW.total_seconds()


async def test_failures_on_unknown_accounts_lock_the_address_but_no_account(db: Database, person: User):
    address = unique("address")
    for _ in range(LIMIT):
        assert await try_in(db, Attempt(unique_email(), PASSWORD, address)) is ErrorKind.UNAUTHENTICATED
    assert await try_in(db, Attempt(person.email, PASSWORD, address)) is ErrorKind.LIMIT_REACHED
    assert await try_in(db, attempt_of(person)) is None


async def test_refused_attempts_do_not_prolong_the_lock(db: Database, person: User):
    for _ in range(LIMIT):
        await try_in(db, attempt_of(person, "Wrong-horse-1"))
    for _ in range(3):
        assert await try_in(db, attempt_of(person, "Wrong-horse-1")) is ErrorKind.LIMIT_REACHED
    assert len(await failures_of(db, person)) == LIMIT


async def test_success_clears_the_account_but_not_the_address(db: Database, person: User):
    address = unique("address")
    for _ in range(LIMIT - 1):
        assert await try_in(db, Attempt(person.email, "Wrong-horse-1", address)) is ErrorKind.UNAUTHENTICATED
    assert await try_in(db, Attempt(person.email, PASSWORD, address)) is None
    assert await failures_of(db, person) == []
    assert await try_in(db, Attempt(unique_email(), PASSWORD, address)) is ErrorKind.UNAUTHENTICATED
    assert await try_in(db, Attempt(person.email, PASSWORD, address)) is ErrorKind.LIMIT_REACHED


async def test_old_failures_do_not_count_and_are_forgotten(db: Database, person: User):
    subject = rules.account_subject(person.email)
    long_ago = now() - rules.SIGN_IN_WINDOW - timedelta(seconds=1)
    async with db.begin() as tx:
        await sign_ins.insert_failures(tx, [subject] * LIMIT, long_ago)
    assert await try_in(db, attempt_of(person, "Wrong-horse-1")) is ErrorKind.UNAUTHENTICATED
    async with db.begin() as tx:
        since = long_ago - timedelta(hours=1)
        assert len(await sign_ins.list_failures(tx, subject, since, 10)) == 1


async def test_burst_of_wrong_attempts_gets_no_more_guesses_than_the_limit(db: Database, person: User):
    attempts = [attempt_of(person, f"Wrong-horse-{number}") for number in range(LIMIT + 5)]
    kinds = await asyncio.gather(*(try_in(db, attempt) for attempt in attempts))
    assert kinds.count(ErrorKind.UNAUTHENTICATED) == LIMIT
    assert kinds.count(ErrorKind.LIMIT_REACHED) == 5


async def test_sign_out_ends_this_session_only(db: Database, person: User):
    first, second = [await sign_in(db, attempt_of(person), limit=LIMIT, life=LIFE) for _ in range(2)]
    async with db.begin() as tx:
        await sign_out(tx, await authenticate(tx, first))
    async with db.begin() as tx:
        assert (await authenticate(tx, second)).user_id == person.id
        with pytest.raises(QuadratError):
            await authenticate(tx, first)


async def test_password_changed_while_a_sign_in_is_under_way_leaves_no_session(
    db: Database, person: User, monkeypatch: pytest.MonkeyPatch
):
    verify = sessions.verify_password

    async def verify_and_change(stored: str | None, password: str) -> bool:
        fits = await verify(stored, password)
        async with db.begin() as tx:
            _, secret = await create_token(tx, person.id, "test")
            caller = await authenticate(tx, secret)
            await users.update_user(tx, caller, UserChanges(password="Other-horse-2", previous_password=PASSWORD))
        return fits

    monkeypatch.setattr(sessions, "verify_password", verify_and_change)
    assert await try_in(db, attempt_of(person)) is ErrorKind.UNAUTHENTICATED
    async with db.begin() as tx:
        assert await token_store.list_tokens(tx, person.id, TokenKind.SESSION) == []


async def test_password_changed_while_a_session_is_being_made_ends_it(
    db: Database, person: User, monkeypatch: pytest.MonkeyPatch
):
    changing: list[asyncio.Task[User]] = []
    make = sessions.create_token

    async def change() -> User:
        async with db.begin() as tx:
            _, secret = await create_token(tx, person.id, "test")
            caller = await authenticate(tx, secret)
            changes = UserChanges(password="Other-horse-2", previous_password=PASSWORD)
            return await users.update_user(tx, caller, changes)

    async def make_and_let_change(*arguments: Any) -> Any:
        made = await make(*arguments)
        changing.append(asyncio.create_task(change()))
        await until_blocked(db, changing[0])
        return made

    monkeypatch.setattr(sessions, "create_token", make_and_let_change)
    assert await try_in(db, attempt_of(person)) is None
    await changing[0]
    async with db.begin() as tx:
        assert await token_store.list_tokens(tx, person.id, TokenKind.SESSION) == []


async def failures_of(db: Database, person: User) -> list[object]:
    async with db.begin() as tx:
        since = now() - rules.SIGN_IN_WINDOW
        return list(await sign_ins.list_failures(tx, rules.account_subject(person.email), since, 100))
