"""Wire models of projects."""

from pydantic import BaseModel


class CreateProjectReq(BaseModel):
    """A project to be made. Access and instrument belong to object sets and are kept with them later."""

    title: str
