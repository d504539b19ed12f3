"""Environment variables between the wire and the house."""

from uuid import UUID

from quadrat.api.ubiops.schemas.variables import (
    EnvironmentVariableCreate,
    EnvironmentVariableList,
    EnvironmentVariableUpdate,
    InheritedEnvironmentVariableList,
)
from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.actions.variables import Inherited, VariableChange
from quadrat.serving.variable_types import Variable


def to_change(body: EnvironmentVariableCreate | EnvironmentVariableUpdate) -> VariableChange:
    """Null counts as left out."""
    return VariableChange(body.name, None if body.value is None else body.value.get_secret_value(), body.secret)


def to_variable_list(variable: Variable) -> EnvironmentVariableList:
    """One, where it is declared."""
    return EnvironmentVariableList(
        id=str(variable.uuid), name=variable.name, value=variable.value, secret=variable.secret
    )


def to_inherited_list(found: Inherited, *, name_own: bool = False) -> InheritedEnvironmentVariableList:
    """One, as it counts; with `name_own` also an own one names where it is declared, as a pipeline shows it."""
    variable = found.variable
    is_shown = name_own or not found.is_own
    return InheritedEnvironmentVariableList(
        id=str(variable.uuid),
        name=variable.name,
        value=variable.value or None,
        secret=variable.secret,
        inheritance_type=variable.level if is_shown else None,
        inheritance_name=found.from_name if is_shown else None,
    )


def to_variable_id(text: str) -> UUID:
    """The id in an address.

    Raises:
        QuadratError: not_found, since nothing has an id that is none.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Environment variable {text} does not exist.", field="id") from error
