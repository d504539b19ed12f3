"""Wire model of the service status."""

from typing import Literal

from pydantic import BaseModel


class Status(BaseModel):
    """``ok`` or ``fail``."""

    status: Literal["ok", "fail"]
