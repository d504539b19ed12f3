"""Wire models of jobs."""

from typing import Any

from pydantic import BaseModel


class JobModel(BaseModel):
    """A job: P waits, R runs, A asks, E has failed, F is done."""

    params: dict[str, Any]
    result: dict[str, Any]
    errors: list[str]
    question: dict[str, Any]
    reply: dict[str, Any]
    inside: dict[str, Any]
    id: int
    owner_id: int
    type: str
    state: str
    step: int | None
    progress_pct: int | None
    progress_msg: str | None
    creation_date: str
    updated_on: str
