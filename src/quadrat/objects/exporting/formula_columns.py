"""Formulae of a summary, and the columns of objects that they read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from quadrat.errors import ErrorKind, QuadratError
from quadrat.objects.exporting.types import Measure, SummaryPlan
from quadrat.objects.rules.formulae import Formula, Quantity, Reference, Scope, read_formulae
from quadrat.objects.types import FreeColumns

NEEDED: Mapping[Measure, Sequence[Quantity]] = {
    Measure.ABUNDANCE: (),
    Measure.COUNT: (),
    Measure.CONCENTRATION: (Quantity.SUBSAMPLE, Quantity.WATER_VOLUME),
    Measure.BIOVOLUME: (Quantity.INDIVIDUAL_VOLUME, Quantity.SUBSAMPLE, Quantity.WATER_VOLUME),
}
_FACTS = ("depth_min", "depth_max", "latitude", "longitude")


@dataclass(frozen=True, slots=True)
class ObjectColumns:
    """Which columns of objects formulae read.

    Args:
        numbers: Reference, and the position of the feature or the name of the fact.
        texts: Reference and position.
    """

    numbers: Sequence[tuple[Reference, int | str]]
    texts: Sequence[tuple[Reference, int]]


def choose_formulae(plan: SummaryPlan, of_project: Mapping[str, str]) -> dict[Quantity, Formula]:
    """The formulae that a summary needs.

    Raises:
        QuadratError: invalid; for one that is missing as well.
    """
    given = read_formulae({**of_project, **plan.formulae})
    missing = [quantity for quantity in NEEDED[plan.measure] if quantity not in given]
    if missing:
        raise QuadratError(
            ErrorKind.INVALID,
            f"For {plan.measure} there has to be a formula for {', '.join(missing)}: in the request, or in the "
            "settings of the project (bodc_variables).",
            field="formulae",
        )
    return {quantity: given[quantity] for quantity in NEEDED[plan.measure]}


def find_columns(formulae: Iterable[Formula], free: FreeColumns) -> ObjectColumns:
    """The columns of objects that formulae read, once all that they read is known to be there.

    Raises:
        QuadratError: invalid.
    """
    numbers: list[tuple[Reference, int | str]] = []
    texts: list[tuple[Reference, int]] = []
    for reference in sorted({reference for formula in formulae for reference in formula.references}):
        if reference.scope is Scope.OBJECT:
            if reference.name in free.object_numbers:
                numbers.append((reference, free.object_numbers.index(reference.name)))
            elif reference.name in free.object_texts:
                texts.append((reference, free.object_texts.index(reference.name)))
            elif reference.name in _FACTS:
                numbers.append((reference, reference.name))
            else:
                raise _no_column(reference, [*free.object_numbers, *free.object_texts])
        elif reference.scope is Scope.SAMPLE:
            if reference.name not in free.sample_texts:
                raise _no_column(reference, free.sample_texts)
        else:
            _check_subsample(reference, free)
    return ObjectColumns(numbers, texts)


def _check_subsample(reference: Reference, free: FreeColumns) -> None:
    there = [reference.name in names for names in (free.acquisition_texts, free.process_texts)]
    if all(there):
        raise QuadratError(
            ErrorKind.INVALID,
            f"{reference} means nothing certain: acquisitions and processes have a column of that name.",
            field="formulae",
        )
    if not any(there):
        raise _no_column(reference, [*free.acquisition_texts, *free.process_texts])


def _no_column(reference: Reference, names: Sequence[str]) -> QuadratError:
    known = ", ".join(f"{reference.scope}.{name}" for name in names[:50]) or "none"
    return QuadratError(
        ErrorKind.INVALID, f"The project has no column {reference}. There are: {known}.", field="formulae"
    )
