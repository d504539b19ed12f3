"""Wire models of environment variables."""

from pydantic import BaseModel, SecretStr


class EnvironmentVariableCreate(BaseModel):
    """A variable to be made; without a value it is empty."""

    name: str
    value: SecretStr | None = None
    secret: bool


class EnvironmentVariableUpdate(BaseModel):
    """What changes; what is left out or null stays."""

    name: str | None = None
    value: SecretStr | None = None
    secret: bool | None = None


class EnvironmentVariableList(BaseModel):
    """A variable; the value of a secret one is null."""

    id: str
    name: str
    value: str | None
    secret: bool


class InheritedEnvironmentVariableList(BaseModel):
    """A variable as it counts at a level; where it is declared there, type and name are null.

    Clients refuse empty texts here, so an empty value is null too.
    """

    id: str
    name: str
    value: str | None
    secret: bool
    inheritance_type: str | None
    inheritance_name: str | None
