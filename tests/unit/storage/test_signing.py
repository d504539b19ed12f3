import string
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage.signing import Permit, address, verify
from quadrat.storage.types import SignedMethod

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = b"k" * 32
PERMIT = Permit(SignedMethod.GET, "samples/5f/full", NOW + timedelta(hours=1), "ä picture.png")
ALPHABET = string.ascii_letters + string.digits + "-_./=&?%"


def _open(url: str, now: datetime = NOW, signing_key: bytes = KEY) -> Permit:
    parts = urlsplit(url)
    return verify(parts.path.removeprefix("/files/"), dict(parse_qsl(parts.query)), signing_key, now)


def test_verify_own_address_gives_back_the_permit() -> None:
    url = address(PERMIT, KEY, "http://host:8000")
    assert url.startswith("http://host:8000/files/samples/5f/full?method=GET&")
    assert "%" not in url
    assert _open(url) == PERMIT


def test_verify_any_changed_character_is_refused() -> None:
    url = address(PERMIT, KEY, "http://h")
    start = url.index("/files/") + len("/files/")
    for position in range(start, len(url)):
        for other in ALPHABET:
            changed = url[:position] + other + url[position + 1 :]
            if changed == url:
                continue
            with pytest.raises(QuadratError) as refused:
                _open(changed)
            assert refused.value.kind is ErrorKind.FORBIDDEN


def test_verify_added_parameter_is_refused() -> None:
    with pytest.raises(QuadratError):
        _open(address(PERMIT, KEY, "http://h") + "&more=1")


def test_verify_after_its_end_is_refused() -> None:
    url = address(PERMIT, KEY, "http://h")
    assert _open(url, NOW + timedelta(minutes=59, seconds=59))
    with pytest.raises(QuadratError, match="expired"):
        _open(url, NOW + timedelta(hours=1))


def test_verify_with_another_key_of_the_installation_is_refused() -> None:
    with pytest.raises(QuadratError):
        _open(address(PERMIT, KEY, "http://h"), signing_key=b"o" * 32)
