import asyncio
import re
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from quadrat.cli.tokens import token
from quadrat.cli.users import user
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import authenticate
from quadrat.identity.actions.users import create_user, get_user_by_email
from quadrat.identity.types import Caller, NewUser, UserStatus
from quadrat.settings import Settings
from support.people import PASSWORD, unique_email

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str) -> Run:
    """Runs one command against the tests' database."""
    settings = Settings(database_url=SecretStr(database_url))

    def invoke(group: click.Group, *arguments: str) -> Result:
        return CliRunner().invoke(group, arguments, obj=settings)

    return invoke


def look_up(database_url: str, secret: str) -> Caller:
    async def find() -> Caller:
        db = Database(database_url, pool_size=1)
        try:
            async with db.begin() as tx:
                return await authenticate(tx, secret)
        finally:
            await db.close()

    return asyncio.run(find())


def made(run: Run, *options: str) -> str:
    email = unique_email()
    result = run(user, "create", "--email", email, *options)
    assert result.exit_code == 0, result.output
    return email


def test_token_create_prints_the_token_alone_and_it_opens(run: Run, database_url: str):
    email = made(run, "--password", PASSWORD)
    result = run(token, "create", "--user", email.upper(), "--name", "script")
    assert re.fullmatch(r"[0-9a-f]{40}\n", result.stdout)
    caller = look_up(database_url, result.stdout.strip())
    assert (caller.email, caller.is_platform_admin) == (email, False)


def test_user_create_with_admin_makes_a_platform_administrator(run: Run, database_url: str):
    email = made(run, "--admin", "--name", "Ada")
    secret = run(token, "create", "--user", email, "--name", "script").stdout.strip()
    assert look_up(database_url, secret).is_platform_admin


def test_token_list_shows_names_and_no_secrets(run: Run):
    email = made(run)
    secrets = [run(token, "create", "--user", email, "--name", name).stdout.strip() for name in ("one", "two")]
    lines = run(token, "list", "--user", email).stdout.splitlines()
    assert [line.split("  ")[1] for line in lines] == ["two", "one"]
    assert all("never used" in line for line in lines)
    assert not any(secret in line for secret in secrets for line in lines)


@pytest.mark.parametrize("by", ["--name", "--id"])
def test_token_revoke_ends_the_named_token_only(run: Run, database_url: str, by: str):
    email = made(run)
    kept, ended = (run(token, "create", "--user", email, "--name", name).stdout.strip() for name in ("kept", "ended"))
    id_ = run(token, "list", "--user", email).stdout.splitlines()[0].split("  ")[0]
    result = run(token, "revoke", "--user", email, by, "ended" if by == "--name" else id_)
    assert result.stdout == "Revoked 1 token.\n"
    assert look_up(database_url, kept).email == email
    with pytest.raises(QuadratError) as caught:
        look_up(database_url, ended)
    assert caught.value.kind is ErrorKind.UNAUTHENTICATED


def test_token_revoke_of_another_users_token_is_refused(run: Run, database_url: str):
    email, other = made(run), made(run)
    secret = run(token, "create", "--user", other, "--name", "script").stdout.strip()
    id_ = run(token, "list", "--user", other).stdout.split("  ")[0]
    result = run(token, "revoke", "--user", email, "--id", id_)
    assert isinstance(result.exception, QuadratError)
    assert look_up(database_url, secret).email == other


@pytest.mark.parametrize("options", [[], ["--name", "a", "--id", "01a20e28-06da-7b33-89ba-b5752d8820af"]])
def test_token_revoke_without_exactly_one_choice_is_a_usage_error(run: Run, options: list[str]):
    assert run(token, "revoke", "--user", made(run), *options).exit_code == 2


def test_commands_for_an_unknown_user_say_so(run: Run):
    for result in (
        run(token, "create", "--user", unique_email(), "--name", "script"),
        run(token, "list", "--user", unique_email()),
        run(user, "activate", "--email", unique_email()),
    ):
        assert isinstance(result.exception, QuadratError)
        assert result.exception.kind is ErrorKind.NOT_FOUND
        assert result.stdout == ""


def test_user_create_twice_is_refused(run: Run):
    email = made(run)
    result = run(user, "create", "--email", email)
    assert isinstance(result.exception, QuadratError)
    assert result.exception.kind is ErrorKind.ALREADY_EXISTS


def test_user_activate_lets_one_in_who_signed_up(run: Run, database_url: str):
    email = unique_email()

    async def in_database(activated: bool) -> UserStatus:
        db = Database(database_url, pool_size=1)
        try:
            async with db.begin() as tx:
                if activated:
                    return (await get_user_by_email(tx, email)).status
                return (await create_user(tx, NewUser(email, PASSWORD, status=UserStatus.PENDING))).status
        finally:
            await db.close()

    assert asyncio.run(in_database(activated=False)) is UserStatus.PENDING
    assert run(user, "activate", "--email", email).exit_code == 0
    assert asyncio.run(in_database(activated=True)) is UserStatus.ACTIVE


def test_token_create_in_a_new_database_prints_the_token_alone(new_database: Callable[[], str]):
    settings = Settings(database_url=SecretStr(new_database()))
    runner = CliRunner()
    assert runner.invoke(user, ["create", "--email", "a@example.org"], obj=settings).exit_code == 0
    result = runner.invoke(token, ["create", "--user", "a@example.org", "--name", "script"], obj=settings)
    assert re.fullmatch(r"[0-9a-f]{40}\n", result.stdout)
