from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.ids import new_token
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import authenticate
from quadrat.identity.actions.tokens import create_token, list_tokens, revoke_token
from quadrat.identity.store import access, tokens
from quadrat.identity.types import TokenKind
from support.people import make_caller

pytestmark = pytest.mark.anyio


async def test_create_token_makes_40_hex_digits_and_stores_only_their_hash(tx: AsyncConnection):
    caller = await make_caller(tx)
    token, secret = await create_token(tx, caller.user_id, " script ", TokenKind.API, now() + timedelta(days=1))
    assert (token.name, token.kind, token.last_used_at) == ("script", TokenKind.API, None)
    assert len(secret) == 40
    assert secret not in repr(token)
    assert (await authenticate(tx, secret)).token_id == token.id


async def test_create_token_with_a_chosen_secret_in_use_is_refused(tx: AsyncConnection):
    caller, other, secret = await make_caller(tx), await make_caller(tx), new_token()
    await create_token(tx, caller.user_id, "first", secret=secret)
    with pytest.raises(QuadratError) as caught:
        await create_token(tx, other.user_id, "second", secret=secret)
    assert caught.value.kind is ErrorKind.ALREADY_EXISTS
    assert (await authenticate(tx, secret)).user_id == caller.user_id


async def test_token_after_its_end_is_unauthenticated(tx: AsyncConnection):
    caller = await make_caller(tx)
    _, secret = await create_token(tx, caller.user_id, "old", expires_at=now() - timedelta(seconds=1))
    with pytest.raises(QuadratError) as caught:
        await authenticate(tx, secret)
    assert caught.value.kind is ErrorKind.UNAUTHENTICATED


async def test_list_tokens_shows_own_api_tokens_newest_first(tx: AsyncConnection):
    caller, other = await make_caller(tx), await make_caller(tx)
    await create_token(tx, caller.user_id, "second")
    await create_token(tx, caller.user_id, "session", TokenKind.SESSION)
    await create_token(tx, other.user_id, "foreign")
    assert [token.name for token in await list_tokens(tx, caller.user_id)] == ["second", "test"]


async def test_revoke_token_of_another_user_is_not_found_and_ends_nothing(tx: AsyncConnection):
    caller, other = await make_caller(tx), await make_caller(tx)
    token, secret = await create_token(tx, other.user_id, "foreign")
    with pytest.raises(QuadratError) as caught:
        await revoke_token(tx, caller.user_id, token.id)
    assert caught.value.kind is ErrorKind.NOT_FOUND
    assert (await authenticate(tx, secret)).user_id == other.user_id


async def test_use_is_noted_once_a_minute(tx: AsyncConnection, monkeypatch: pytest.MonkeyPatch):
    caller = await make_caller(tx)
    start = now()
    seen = []
    for later_s in (0, 59, 61):
        monkeypatch.setattr(access, "now", lambda at=start + timedelta(seconds=later_s): at)
        await access.touch_token(tx, caller.token_id)
        (token,) = await tokens.list_tokens(tx, caller.user_id, TokenKind.API)
        assert token.last_used_at is not None
        seen.append(token.last_used_at)
    # The fixture authenticated with it already, less than a minute before `start`.
    assert seen[0] == seen[1] <= start
    assert seen[2] == start + timedelta(seconds=61)
