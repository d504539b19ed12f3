"""What an operator does in a shell about secrets and the audit trail."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.sealing import Sealer, SealError
from quadrat.cli.audit import audit
from quadrat.cli.keys import open_sealer
from quadrat.cli.secrets import secrets
from quadrat.db.engine import Database
from quadrat.identity.types import Caller, Project
from quadrat.serving.actions.connectors import create_credentials, get_credentials, open_values
from quadrat.settings import Settings
from support.people import make_caller, make_member, make_organization, make_project

Found = TypeVar("Found")
VALUES = {"username": "u", "password": "very-secret", "host": "127.0.0.1", "port": "5432"}


class Shell:
    """Commands on a database and a data directory of their own, and a look into these."""

    def __init__(self, url: str, data_dir: Path) -> None:
        self.settings = Settings(database_url=SecretStr(url), data_dir=data_dir)
        self._url = url

    def run(self, command: click.Command, *arguments: str, fails: bool = False) -> str:
        done = CliRunner().invoke(command, arguments, obj=self.settings)
        assert (done.exit_code != 0) is fails, (done.output, done.exception)
        return done.stdout

    def look(self, work: Callable[[AsyncConnection], Awaitable[Found]]) -> Found:
        async def run() -> Found:
            db = Database(self._url, pool_size=1)
            try:
                async with db.begin() as tx:
                    return await work(tx)
            finally:
                await db.close()

        return asyncio.run(run())


@pytest.fixture
def shell(new_migrated_database: Callable[[], str], tmp_path: Path) -> Shell:
    url = new_migrated_database()
    return Shell(url, tmp_path)


def make_secret(shell: Shell) -> tuple[Caller, Project]:
    async def work(tx: AsyncConnection) -> tuple[Caller, Project]:
        caller = await make_caller(tx)
        project = await make_project(tx, caller)
        new = ("keys", "postgresql", VALUES)
        await create_credentials(tx, caller, project.name, open_sealer(shell.settings), new)
        return caller, project

    return shell.look(work)


def read(shell: Shell, owner: tuple[Caller, Project], sealer: Sealer) -> dict[str, str]:
    async def work(tx: AsyncConnection) -> dict[str, str]:
        _, found = await get_credentials(tx, owner[0], owner[1].name, "keys")
        return open_values(sealer, found)

    return shell.look(work)


def test_rotation_seals_every_secret_under_a_new_key(shell: Shell, tmp_path: Path):
    owner = make_secret(shell)
    key_file = tmp_path / "secret.key"
    old = key_file.read_text().split()
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert "Sealed 1 secret under the current key" in shell.run(secrets, "rotate")
    new = key_file.read_text().split()
    assert (new[0] not in old, new[1:]) == (True, old)
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert read(shell, owner, open_sealer(shell.settings)) == VALUES
    # The new key alone opens it, the old one no more.
    assert read(shell, owner, Sealer(lambda: [new[0].encode()])) == VALUES
    with pytest.raises(SealError):
        read(shell, owner, Sealer(lambda: [old[0].encode()]))
    shell.run(secrets, "rotate", "--keep-key")
    assert key_file.read_text().split() == new
    (rotated, *_) = [json.loads(line) for line in shell.run(audit, "--json").splitlines()]
    assert (rotated["action"], rotated["actor"], rotated["detail"]["failed"]) == ("secrets.rotated", None, 0)


def test_rotation_with_keys_from_the_settings_needs_both(shell: Shell):
    made = shell.settings.model_copy(update={"secret_key": SecretStr("the old key, which is long enough")})
    shell.settings = made
    owner = make_secret(shell)
    shell.run(secrets, "rotate", fails=True)
    keys = {"secret_key": SecretStr("a new key, which is long enough, too"), "previous_secret_key": made.secret_key}
    shell.settings = made.model_copy(update=keys)
    assert "Sealed 1 secret" in shell.run(secrets, "rotate")
    shell.settings = shell.settings.model_copy(update={"previous_secret_key": None})
    assert read(shell, owner, open_sealer(shell.settings)) == VALUES


def test_secret_that_no_key_opens_is_counted_and_the_rest_is_sealed(shell: Shell):
    make_secret(shell)

    async def spoil(tx: AsyncConnection) -> None:
        await tx.execute(text("UPDATE serving.credentials SET sealed_values = '\\x00'"))

    shell.look(spoil)
    owner = make_secret(shell)
    shell.run(secrets, "rotate", fails=True)
    assert read(shell, owner, open_sealer(shell.settings)) == VALUES


def test_audit_shows_who_did_what_to_whom_and_where(shell: Shell):
    async def work(tx: AsyncConnection) -> tuple[Caller, Any, Caller, Project]:
        owner = await make_caller(tx)
        organization = await make_organization(tx, owner)
        member = await make_member(tx, owner, organization, "editor")  # type: ignore[arg-type]
        return owner, organization, member, await make_project(tx, owner, organization)

    _owner, organization, member, project = shell.look(work)

    def actions(*options: str) -> list[str]:
        return [json.loads(line)["action"] for line in shell.run(audit, "--json", *options).splitlines()]

    assert actions("--project", project.name) == ["project.created"]
    assert set(actions("--organization", organization.name)) >= {"member.added", "organization.created"}
    assert "member.added" in actions("--user", member.email)
    assert actions("--user", "nobody@example.org") == []
    assert actions("--since", "2999-01-01") == []
    assert len(actions("--limit", "2")) == 2
    (line,) = [line for line in shell.run(audit).splitlines() if "member.added" in line]
    assert f"{member.email}  ({organization.name})  level=editor" in line
