"""Formulae of a project, such as ``4/3*math.pi*(obj.major*sam.pixel/2)**3``: read, checked, applied to columns. Pure.

A formula is arithmetic over references and the functions of `math`, in Python's notation. Python's own parser reads it,
and only the kinds of nodes that are listed here are taken; nothing is ever handed to `eval`. All numbers are 64-bit
floats, so that no power grows without bound (docs/decisions/060-exports.md).

Source: spec of the object-set API, section 1.12.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from quadrat.errors import ErrorKind, QuadratError

Values = npt.NDArray[np.float64] | np.float64
_MAX_CHARACTERS = 1000
_MAX_NODES = 300


class Quantity(StrEnum):
    """What a formula may say of an object; the value is the wire API's name."""

    WATER_VOLUME = "total_water_volume"
    SUBSAMPLE = "subsample_coef"
    INDIVIDUAL_VOLUME = "individual_volume"


class Scope(StrEnum):
    """Where a reference looks: free columns of the sample, of the acquisition or process, of the object."""

    SAMPLE = "sam"
    SUBSAMPLE = "ssm"
    OBJECT = "obj"


class Reference(NamedTuple):
    """A column that a formula reads."""

    scope: Scope
    name: str

    def __str__(self) -> str:
        """As it stands in the formula."""
        return f"{self.scope}.{self.name}"


_OPERATORS: Mapping[type[ast.operator], Callable[[Values, Values], Values]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
}
_CONSTANTS = {"pi": np.pi, "e": np.e, "tau": 2 * np.pi}
_FUNCTIONS: Mapping[str, Callable[[Values], Values]] = {
    "sqrt": np.sqrt, "cbrt": np.cbrt, "exp": np.exp, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "expm1": np.expm1, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin,
    "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "floor": np.floor,
    "ceil": np.ceil, "trunc": np.trunc, "fabs": np.abs, "degrees": np.degrees, "radians": np.radians,
}  # fmt: skip
_OF_TWO: Mapping[str, Callable[[Values, Values], Values]] = {
    "pow": np.power,
    "atan2": np.arctan2,
    "hypot": np.hypot,
    "fmod": np.fmod,
    "log": lambda value, base: np.divide(np.log(value), np.log(base)),
}


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that was read; see `read_formula`.

    Args:
        text: As it was given.
        references: The columns that it reads.
        tree: Its checked nodes.
    """

    text: str
    references: frozenset[Reference]
    tree: ast.expr

    def apply(self, columns: Mapping[Reference, npt.NDArray[np.float64]]) -> Values:
        """The value for each row; NaN where a column has none, or where the result is no finite number.

        Args:
            columns: One array for each reference, all of one length.
        """
        with np.errstate(all="ignore"):
            found = _evaluate(self.tree, columns)
            return np.where(np.isfinite(found), found, np.nan)


def read_formula(text: str) -> Formula:
    """Read a formula.

    Raises:
        QuadratError: invalid, for all that is more than arithmetic.
    """
    if len(text) > _MAX_CHARACTERS:
        raise _refuse(text, f"it has more than {_MAX_CHARACTERS} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _refuse(text, "it cannot be read as arithmetic") from error
    if sum(1 for _ in ast.walk(tree)) > _MAX_NODES:
        raise _refuse(text, "it is too long")
    references: set[Reference] = set()
    _check(tree, text, references)
    return Formula(text, frozenset(references), tree)


def read_formulae(given: Mapping[str, str]) -> dict[Quantity, Formula]:
    """Formulae by the names of the quantities that they give.

    Raises:
        QuadratError: invalid; for an unknown name as well.
    """
    known = {quantity.value for quantity in Quantity}
    for name in given:
        if name not in known:
            raise QuadratError(
                ErrorKind.INVALID,
                f"{name[:50]!r} is no quantity; formulae are given for {', '.join(sorted(known))}.",
                field="formulae",
            )
    return {Quantity(name): read_formula(text) for name, text in given.items()}


def _refuse(text: str, reason: str) -> QuadratError:
    return QuadratError(
        ErrorKind.INVALID,
        f"The formula {text[:100]!r} is not used: {reason}. It may hold numbers, + - * / // % **, brackets, math.pi "
        "and functions like math.sqrt(x), and columns as sam.x, ssm.x or obj.x.",
        field="formulae",
    )


def _check(node: ast.expr, text: str, references: set[Reference]) -> None:
    match node:
        case ast.Constant(value=bool() | complex()):
            raise _refuse(text, "it holds something that is no number")
        case ast.Constant(value=int() | float() as value):
            if not np.isfinite(_float(value)):
                raise _refuse(text, "a number is too large")
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            _check(operand, text, references)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            _check(left, text, references)
            _check(right, text, references)
        case ast.Attribute(value=ast.Name(id="math"), attr=name) if name in _CONSTANTS:
            pass
        case ast.Attribute(value=ast.Name(id=scope), attr=name) if scope in set(Scope):
            references.add(Reference(Scope(scope), name))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="math"), attr=name), args=arguments, keywords=[]) if (
            _is_function(name, len(arguments))
        ):
            for argument in arguments:
                _check(argument, text, references)
        case _:
            raise _refuse(text, f"{ast.unparse(node)[:60]!r} is no arithmetic")


def _is_function(name: str, arguments: int) -> bool:
    return (arguments == 1 and name in _FUNCTIONS) or (arguments == 2 and name in _OF_TWO)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _evaluate(node: ast.expr, columns: Mapping[Reference, npt.NDArray[np.float64]]) -> Values:
    match node:
        case ast.Constant(value=int() | float() as value):
            return np.float64(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return np.negative(_evaluate(operand, columns))
        case ast.UnaryOp(operand=operand):
            return _evaluate(operand, columns)
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_evaluate(left, columns), _evaluate(right, columns))
        case ast.Attribute(value=ast.Name(id="math"), attr=name):
            return np.float64(_CONSTANTS[name])
        case ast.Attribute(value=ast.Name(id=scope), attr=name):
            return columns[Reference(Scope(scope), name)]
        case ast.Call(func=ast.Attribute(attr=name), args=[argument]):
            return _FUNCTIONS[name](_evaluate(argument, columns))
        case ast.Call(func=ast.Attribute(attr=name), args=[first, second]):
            return _OF_TWO[name](_evaluate(first, columns), _evaluate(second, columns))
        case _:  # pragma: no cover - `_check` has let nothing else pass
            raise TypeError(ast.dump(node))
