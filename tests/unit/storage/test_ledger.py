"""Notes of what is being taken in: they outlive whoever wrote them, until they are taken back."""

import errno
import os
from pathlib import Path

import pytest

from quadrat.storage.ledger import Ledger


def test_notes_of_a_killed_server_are_found_and_ended_by_the_next(tmp_path: Path):
    path = tmp_path / "ledger"
    killed = Ledger(path)
    assert killed.list_open() == []
    first, second, third = (killed.begin(key) for key in ("a/1", "a/2", "a/1"))
    for _ in range(2):
        killed.end(second)
    left = [(first, "a/1"), (third, "a/1")]
    assert killed.list_open() == left
    following = Ledger(path)
    assert following.list_open() == left
    following.end(first)
    new = following.begin("b")
    assert Ledger(path).list_open() == [(third, "a/1"), (new, "b")]


def test_line_that_a_server_was_killed_over_spoils_no_other(tmp_path: Path):
    path = tmp_path / "ledger"
    first = Ledger(path).begin("a")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:7])
    second = Ledger(path).begin("b")
    assert Ledger(path).list_open() == [(first, "a"), (second, "b")]


def test_file_stays_short_and_keeps_what_is_open(tmp_path: Path):
    path = tmp_path / "ledger"
    ledger = Ledger(path, long_bytes=500)
    kept = ledger.begin("kept")
    for number in range(100):
        ledger.end(ledger.begin(f"key/{number}"))
        assert path.stat().st_size < 600
        assert Ledger(path).list_open() == [(kept, "kept")]
    assert [found.name for found in tmp_path.iterdir()] == ["ledger"]


def test_full_disk_refuses_a_beginning_and_not_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    note = ledger.begin("a")
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:5]))
        with pytest.raises(OSError) as refused:
            ledger.begin("b")
        assert refused.value.errno == errno.ENOSPC
        ledger.end(note)
    assert ledger.list_open() == []
    later = ledger.begin("c")
    # What could not be taken back is looked into once more, which changes nothing.
    assert Ledger(path).list_open() == [(note, "a"), (later, "c")]
