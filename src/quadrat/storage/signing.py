"""Signed addresses of the disk store: an HMAC over all that an address allows. Pure but for the clock handed in."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage.types import SignedMethod

PATH_PREFIX = "/files/"
_CONTEXT = b"quadrat signed address 1\n"


@dataclass(frozen=True, slots=True)
class Permit:
    """What one address allows.

    Args:
        method: GET (and HEAD), or PUT.
        key: Of the blob.
        expires_at: Aware UTC, whole seconds.
        filename: For a GET: offered as the name of a download.
    """

    method: SignedMethod
    key: str
    expires_at: datetime
    filename: str | None = None


def address(permit: Permit, signing_key: bytes, base_url: str) -> str:
    """The absolute address; it holds no character that would need a percent sign."""
    query = f"method={permit.method}&expires={round(permit.expires_at.timestamp())}"
    if permit.filename is not None:
        query += f"&name={_encode(permit.filename)}"
    return f"{base_url}{PATH_PREFIX}{permit.key}?{query}&signature={_signature(permit, signing_key)}"


def verify(key: str, query: Mapping[str, str], signing_key: bytes, now: datetime) -> Permit:
    """What an address allows.

    Args:
        key: From the path.
        query: The parameters, each at most once; none beside those of `address`.
        signing_key: The installation's.
        now: Aware UTC.

    Raises:
        QuadratError: forbidden, for anything changed and for an address that has ended.
    """
    try:
        permit = Permit(
            SignedMethod(query["method"]),
            key,
            datetime.fromtimestamp(int(query["expires"]), now.tzinfo),
            _decode(query["name"]) if "name" in query else None,
        )
        known = {"method", "expires", "signature", *(("name",) if "name" in query else ())}
        valid = set(query) == known and hmac.compare_digest(
            query["signature"].encode(), _signature(permit, signing_key).encode()
        )
        # Another spelling of the same number or name is a changed address.
        valid = valid and query["expires"] == str(round(permit.expires_at.timestamp()))
        valid = valid and ("name" not in query or query["name"] == _encode(permit.filename or ""))
    except (KeyError, ValueError, OverflowError, OSError):
        valid = False
    if not valid:
        raise QuadratError(ErrorKind.FORBIDDEN, "The signature of this address is not valid.")
    if permit.expires_at <= now:
        raise QuadratError(ErrorKind.FORBIDDEN, "This address has expired; ask for a new one.")
    return permit


def _signature(permit: Permit, signing_key: bytes) -> str:
    fields = (permit.method, permit.key, str(round(permit.expires_at.timestamp())), permit.filename or "")
    # Lengths keep the fields apart, whatever they hold.
    message = b"".join(f"{len(field.encode())}:".encode() + field.encode() for field in fields)
    return hmac.digest(signing_key, _CONTEXT + message, "sha256").hex()


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _decode(text: str) -> str:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
