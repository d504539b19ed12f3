"""Environment variables of projects, models and versions."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class VariableLevel(StrEnum):
    """Where a variable is declared; one of a lower level hides one of the same name above it."""

    PROJECT = "project"
    MODEL = "model"
    VERSION = "model_version"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable.

    Args:
        level: Where it is declared.
        value: None for a secret one.
        sealed: The secret one's value; whoever may open it needs the installation's key. Sealed anew it is the same.
        updated_at: Of its value.
    """

    uuid: UUID
    level: VariableLevel
    name: str
    value: str | None = field(repr=False)
    sealed: bytes | None = field(repr=False, compare=False)
    secret: bool
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """One level: a project, a model in it, or a version of the model, by number."""

    project_id: int
    model_id: int | None = None
    version_id: int | None = None

    @property
    def level(self) -> VariableLevel:
        """Which it is."""
        if self.version_id is not None:
            return VariableLevel.VERSION
        return VariableLevel.PROJECT if self.model_id is None else VariableLevel.MODEL
