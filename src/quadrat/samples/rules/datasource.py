"""What is kept of a description of where images lie. Pure.

Source: spec of the samples API, section 2.2; the later client's models, which refuse an empty secret.
"""

from collections.abc import Mapping
from typing import Any

from quadrat.errors import ErrorKind, QuadratError

HIDDEN = "********"
"""Stands for a secret wherever one was given: it never comes back, and is never stored."""
SECRETS = frozenset({"s3SecretAccessKey", "gcsCredentials", "accountKey", "obsSecretAccessKey"})
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "LIGHTLY": (),
    "LOCAL": (),
    "S3": ("s3Region", "s3AccessKeyId", "s3SecretAccessKey"),
    "S3DelegatedAccess": ("s3Region", "s3ExternalId", "s3ARN"),
    "GCS": ("gcsProjectId", "gcsCredentials"),
    "AZURE": ("accountName", "accountKey"),
    "OBS": ("obsEndpoint", "obsAccessKeyId", "obsSecretAccessKey"),
}
_OPTIONAL = ("thumbSuffix", "s3ServerSideEncryptionKMSKey")
_PURPOSES = ("INPUT_OUTPUT", "INPUT", "LIGHTLY")
_MAX_TEXT = 4096


def kept_settings(kind: str, purpose: str, given: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a kind with their secrets blacked out; other keys are left out.

    Raises:
        QuadratError: invalid.
    """
    if kind not in _NEEDED:
        raise QuadratError(ErrorKind.INVALID, f"type is one of {', '.join(_NEEDED)}.", field="type")
    if purpose not in _PURPOSES:
        raise QuadratError(ErrorKind.INVALID, f"purpose is one of {', '.join(_PURPOSES)}.", field="purpose")
    kept = {}
    for name in (*_NEEDED[kind], *_OPTIONAL):
        value = given.get(name)
        if value is None and name in _OPTIONAL:
            continue
        if not isinstance(value, str) or not (value or name == "thumbSuffix") or len(value) > _MAX_TEXT:
            raise QuadratError(ErrorKind.INVALID, f"A datasource of type {kind} needs the text {name}.", field=name)
        kept[name] = HIDDEN if name in SECRETS else value
    return kept
