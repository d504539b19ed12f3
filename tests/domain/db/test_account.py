import multiprocessing
import os
import pwd
import secrets
import subprocess
from collections.abc import Iterator

import pytest

from quadrat.db.account import Account, AccountError, ensure_system_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes users")
AT_ONCE = 8


@pytest.fixture
def name() -> Iterator[str]:
    name = f"quadrat-{secrets.token_hex(4)}"
    yield name
    subprocess.run(["userdel", name], check=False, capture_output=True)


def test_ensure_system_user_made_by_many_at_once_is_the_same_for_all(name: str) -> None:
    with multiprocessing.get_context("spawn").Pool(AT_ONCE) as pool:
        accounts = pool.map(ensure_system_user, [name] * AT_ONCE, chunksize=1)
    entry = pwd.getpwnam(name)
    assert set(accounts) == {Account(entry.pw_uid, entry.pw_gid)}
    assert entry.pw_shell == "/usr/sbin/nologin"


def test_ensure_system_user_with_a_name_that_cannot_be_says_why() -> None:
    with pytest.raises(AccountError, match="invalid user name"):
        ensure_system_user("no such:name")
