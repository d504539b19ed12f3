"""Formulae: arithmetic is done, everything else is refused and never run."""

import math
from pathlib import Path

import numpy as np
import pytest

from quadrat.errors import QuadratError
from quadrat.objects.rules.formulae import Quantity, Reference, Scope, read_formula, read_formulae

AREA, VOLUME, PART = Reference(Scope.OBJECT, "area"), Reference(Scope.SAMPLE, "vol"), Reference(Scope.SUBSAMPLE, "part")


def value(text: str, **columns: float) -> float:
    places = {"area": AREA, "vol": VOLUME, "part": PART}
    found = read_formula(text).apply({places[name]: np.array([number]) for name, number in columns.items()})
    return float(np.broadcast_to(found, (1,))[0])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1", 1),
        (" 2 + 3*4 ", 14),
        ("(2+3)*4", 20),
        ("-2**2", -4),
        ("+7//2 - 7%4", 0),
        ("1/4", 0.25),
        ("4/3*math.pi*(math.sqrt(obj.area/math.pi))**3", 4 / 3 * math.pi * math.sqrt(12 / math.pi) ** 3),
        ("sam.vol/ssm.part", 20),
        ("math.log(8, 2) + math.log(math.e)", 4),
        ("math.pow(2, 3) + math.hypot(3, 4)", 13),
        ("1e-3*1_000", 1),
    ],
)
def test_arithmetic_is_done(text: str, wanted: float):
    assert value(text, area=12, vol=50, part=2.5) == pytest.approx(wanted, rel=1e-14)


def test_references_are_known_before_anything_is_computed():
    assert read_formula("sam.vol/ssm.part + obj.area").references == {AREA, VOLUME, PART}
    assert str(PART) == "ssm.part"


def test_columns_are_computed_row_by_row():
    found = read_formula("1/obj.area").apply({AREA: np.array([1.0, 4.0, 0.0, np.nan])})
    np.testing.assert_array_equal(found, [1.0, 0.25, np.nan, np.nan])


@pytest.mark.parametrize(
    "text",
    ["math.sqrt(0-1)", "math.log(0)", "9.0**9**9**9", "10**400", "(0-8)**(1/3)", "1e308*10", "1/0", "0%0", "1//0"],
)
def test_what_is_no_finite_number_is_none(text: str):
    assert math.isnan(value(text))


HOSTILE = [
    "__import__('os').system('touch {mark}')",
    "().__class__.__bases__[0].__subclasses__()",
    "obj.__class__.__init__",
    "obj.area.__class__",
    "math.__loader__.load_module('os')",
    "math.factorial(100000)",
    "math.pi()",
    "math.sqrt",
    "math.sqrt(x=4)",
    "math.sqrt(*[4])",
    "open('{mark}', 'w')",
    "eval('1')",
    "exec",
    "lambda: 1",
    "[x for x in (1, 2)]",
    "1 if 1 else 2",
    "1 < 2",
    "not 1",
    "~1",
    "1 and 2",
    "1 << 100000",
    "'a' * 1000000000",
    "b'a'",
    "True",
    "None",
    "1j",
    "...",
    "obj",
    "obj['area']",
    "usr.password",
    "area",
    "x := 1",
    "1; 2",
    "import os",
    "await 1",
    "f'{{1}}'",
    "",
    "1 +",
    "(" * 500 + "1" + ")" * 500,
    "-" * 900 + "1",
    "1+" * 499 + "1",
    "1" * 5000,
    "9" * 999,
    "obj.area\0",
    "\ud800",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_everything_else_is_refused_and_never_run(text: str, tmp_path: Path):
    mark = tmp_path / "mark"
    with pytest.raises(QuadratError, match="formula"):
        read_formula(text.replace("{mark}", str(mark)))
    assert not mark.exists()


def test_quantities_are_three():
    given = {quantity.value: "1" for quantity in Quantity}
    assert set(read_formulae(given)) == set(Quantity)
    with pytest.raises(QuadratError, match="no quantity"):
        read_formulae({"volume": "1"})
