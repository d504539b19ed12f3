"""Wire models of projects."""

from datetime import date

from pydantic import BaseModel


class ProjectCreate(BaseModel):
    """A project to be made."""

    name: str
    organization_name: str


class ProjectUpdate(BaseModel):
    """What changes; what is left out or null stays."""

    name: str | None = None


class ProjectList(BaseModel):
    """A project."""

    id: str
    name: str
    creation_date: date
    organization_name: str
