"""pyecotaxa 0.0.5 against the live server."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.clients


def test_current_user_is_the_caller_and_the_version_is_accepted(run_script: Callable[..., Any]):
    result = run_script("pyecotaxa", "current_user.py")
    assert result["version_warnings"] == []
    assert result["refused"] is None
    assert isinstance(result["user"]["id"], int)
    assert "@" in result["user"]["email"]
    assert result["user"]["password"] == "?"


def test_current_user_with_a_wrong_token_is_refused(run_script: Callable[..., Any]):
    result = run_script("pyecotaxa", "current_user.py", token="0" * 40)
    assert result["user"] is None
    assert "401" in result["refused"]


def test_pull_fetches_a_project_as_an_archive_and_clears_up(run_script: Callable[..., Any]):
    result = run_script("pyecotaxa", "pull.py")
    assert (result["without"]["file"], result["with"]["file"]) == (True, True)
    assert result["without"]["members"] == ["s/ecotaxa_s.tsv"]
    assert result["with"]["members"] == ["quadrat.jsonl", "s/a.png", "s/b.png", "s/ecotaxa_s.tsv"]
    assert result["with"]["columns"][:3] == ["img_file_name", "img_rank", "object_id"]
    assert result["without"]["area"] == result["with"]["area"] == [1.5, 2.0]
    assert result["left"] == []
