import pytest

from quadrat.base.sealing import MARK_BYTES, Sealer, SealError

OLD, NEW = b"o" * 32, b"n" * 32


def test_open_with_the_same_context_gives_back_the_text() -> None:
    sealer = Sealer(lambda: [NEW])
    for plain in ("", "s3cret", "zwölf\0", "\ud800", "x" * 65536):
        sealed = sealer.seal(plain, "here:1")
        assert plain == "" or plain.encode("utf-8", "surrogatepass") not in sealed
        assert sealer.open(sealed, "here:1") == plain


def test_seal_same_text_twice_differs() -> None:
    sealer = Sealer(lambda: [NEW])
    assert sealer.seal("again", "here") != sealer.seal("again", "here")


def test_open_in_another_place_is_refused() -> None:
    sealer = Sealer(lambda: [NEW])
    with pytest.raises(SealError, match="changed or moved"):
        sealer.open(sealer.seal("s3cret", "here:1"), "here:2")


def test_open_any_changed_byte_is_refused() -> None:
    sealer = Sealer(lambda: [NEW])
    sealed = sealer.seal("s3cret", "here")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(SealError) as refused:
            sealer.open(bytes(changed), "here")
        assert "s3cret" not in str(refused.value)
    for length in range(len(sealed)):
        with pytest.raises(SealError):
            sealer.open(sealed[:length], "here")


def test_key_put_in_front_is_used_at_once_and_the_old_one_still_opens() -> None:
    keys = [OLD]
    sealer = Sealer(lambda: keys)
    old = sealer.seal("s3cret", "here")
    assert old[:MARK_BYTES] == sealer.mark
    keys.insert(0, NEW)
    new = sealer.seal("s3cret", "here")
    assert old[:MARK_BYTES] != sealer.mark == new[:MARK_BYTES]
    assert [sealer.open(text, "here") for text in (old, new)] == ["s3cret", "s3cret"]
    keys.remove(OLD)
    with pytest.raises(SealError, match="does not have"):
        sealer.open(old, "here")


def test_sealer_shows_no_key() -> None:
    sealer = Sealer(lambda: [NEW])
    sealer.seal("s3cret", "here")
    assert "nnnn" not in repr(sealer)
