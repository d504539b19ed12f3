"""Which versions of the client the server works with. Open to everyone, since the client asks when it is imported."""

import re
from typing import Annotated

from fastapi import APIRouter, Query

from quadrat.errors import ErrorKind, QuadratError

router = APIRouter(tags=["Versioning"])

MINIMUM = "1.2.0"
"""The oldest client that was seen to work."""
_TESTED = "1.2.46"
_VERSION = re.compile(r"\d{1,9}\.\d{1,9}\.\d{1,9}")


@router.get("/versions/pip/latest", operation_id="get_latest_pip_version")
async def get_latest_pip_version(current_version: Annotated[str | None, Query(alias="currentVersion")] = None) -> str:
    """The caller's own version: no newer one is recommended."""
    if current_version is None or current_version == "None":
        return _TESTED
    if _VERSION.fullmatch(current_version) is None:
        raise QuadratError(ErrorKind.INVALID, "A version is three numbers with dots between.", field="currentVersion")
    return current_version


@router.get("/versions/pip/minimum", operation_id="get_minimum_compatible_pip_version")
async def get_minimum_compatible_pip_version() -> str:
    """The oldest version that works."""
    return MINIMUM
