"""Wire models of signing in."""

from pydantic import BaseModel


class Authorize(BaseModel):
    """E-mail address and password."""

    email: str
    password: str


class Authorization(BaseModel):
    """The token to send as ``Authorization: Bearer <access>``."""

    access: str
