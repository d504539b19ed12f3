"""The head of an import file: which columns there are, and which free columns of a project they fill. Pure.

Source: spec of the object-set API, sections 4.6 and 5.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Part(StrEnum):
    """What a free column belongs to; the value is the prefix of its name in a file."""

    OBJECT = "object"
    SAMPLE = "sample"
    ACQUISITION = "acq"
    PROCESS = "process"


ID = "id"
#: Columns with a meaning of their own; every other one with a prefix is free.
PREDEFINED = frozenset(
    {
        "object_id",
        "object_lat",
        "object_lon",
        "object_date",
        "object_time",
        "object_link",
        "object_depth_min",
        "object_depth_max",
        "object_annotation_status",
        "object_annotation_category",
        "object_annotation_category_id",
        "object_annotation_date",
        "object_annotation_time",
        "object_annotation_person_name",
        "object_annotation_person_email",
        "complement_info",
        "sample_id",
        "sample_dataportal_descriptor",
        "acq_id",
        "acq_instrument",
        "process_id",
        "img_file_name",
        "img_rank",
    }
)
#: Written by exports, worth nothing on the way in.
IGNORED = frozenset(
    {
        "object_annotation_hierarchy",
        "objid",
        "processid_internal",
        "classif_id",
        "classif_who",
        "classif_auto_id",
        "classif_auto_name",
        "classif_auto_score",
        "classif_auto_when",
    }
)
_SAMPLE_NUMBER = "sample_id_internal"
#: Those of an export with our own numbers that have names which a lab may use, too: they are free without the first.
_IGNORED_WITH_NUMBERS = frozenset(
    {_SAMPLE_NUMBER, "acq_id_internal", "sample_lat", "sample_long", "object_random_value", "object_sunpos"}
)
#: A line without these is no line. The image is not needed by an update.
OBJECT_ID, IMAGE_NAME = "object_id", "img_file_name"
_LIMITS = {
    (Part.OBJECT, True): 500,
    (Part.OBJECT, False): 20,
    (Part.SAMPLE, False): 60,
    (Part.ACQUISITION, False): 30,
    (Part.PROCESS, False): 30,
}
_MAX_NAME = 255
_NUMBER, _TEXT = "[f]", "[t]"


@dataclass(frozen=True, slots=True)
class FreeColumn:
    """One free column of a file.

    Args:
        at: Its index in a line.
        part: What it belongs to.
        name: Without the prefix.
        is_number: Whether it holds numbers; else text.
        position: Among the project's free columns of this part and type, from 0.
    """

    at: int
    part: Part
    name: str
    is_number: bool
    position: int


@dataclass(frozen=True, slots=True)
class Header:
    """The head of one file.

    Args:
        width: Number of columns.
        fixed: Index of each predefined column that is there.
        free: The others, in their order.
    """

    width: int
    fixed: Mapping[str, int]
    free: Sequence[FreeColumn]


@dataclass
class ColumnBook:
    """The free columns of a project, each at its position; an import appends to them.

    Args:
        numbers: Numeric columns of objects.
        texts: Text columns by part.
    """

    numbers: list[str] = field(default_factory=list)
    texts: dict[Part, list[str]] = field(default_factory=lambda: {part: [] for part in Part})
    _positions: dict[tuple[Part, str], tuple[bool, int]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for part, names in self.texts.items():
            self._positions |= {(part, name): (False, position) for position, name in enumerate(names)}
        self._positions |= {(Part.OBJECT, name): (True, position) for position, name in enumerate(self.numbers)}

    def place(self, part: Part, name: str, *, is_number: bool) -> tuple[bool, int] | None:
        """Type and position of the column, appended when it is new; None when there is no place left for it.

        The type is that of the project, whatever was asked for.
        """
        known = self._positions.get((part, name))
        if known is not None:
            return known
        names = self.numbers if is_number else self.texts[part]
        if len(names) >= _LIMITS[part, is_number]:
            return None
        names.append(name)
        self._positions[part, name] = (is_number, len(names) - 1)
        return is_number, len(names) - 1


def read_header(
    names: Sequence[str], types: Sequence[str], book: ColumnBook, *, needs_image: bool = True
) -> tuple[Header, list[str]]:
    """The head of a file, and all that is wrong with it.

    Args:
        names: First line.
        types: Second line.
        book: The project's columns; new ones are added.
        needs_image: False for an update.

    Returns:
        The header, which is of use only when there are no problems; and the problems, in sentences without the file.
    """
    clean = [name.strip().lower() for name in names]
    kinds = [type_.strip().lower() for type_ in types]
    if not {_NUMBER, _TEXT}.intersection(kinds):
        return Header(len(names), {}, []), [
            "Invalid Type: the second line has no types. Put a line below the names, with [f] for each column of "
            "numbers and [t] for the others; exports write it with with_types_row"
        ]
    reader = _HeaderReader(book, IGNORED | _IGNORED_WITH_NUMBERS if _SAMPLE_NUMBER in clean else IGNORED)
    for at, name in enumerate(clean):
        reader.add(at, name, kinds[at] if at < len(kinds) else "")
    reader.check_ids()
    reader.check_mandatory([OBJECT_ID, IMAGE_NAME] if needs_image else [OBJECT_ID])
    return Header(len(names), reader.fixed, reader.free), reader.problems


class _HeaderReader:
    def __init__(self, book: ColumnBook, ignored: frozenset[str]) -> None:
        self.fixed: dict[str, int] = {}
        self.free: list[FreeColumn] = []
        self.problems: list[str] = []
        self._book = book
        self._ignored = ignored
        self._seen: set[str] = set()
        self._parts: dict[Part, list[str]] = {part: [] for part in Part}

    def add(self, at: int, name: str, type_: str) -> None:
        if not name:
            # A tab too many at the end of the line.
            return
        if name in self._seen:
            self.problems.append(f"Invalid Header '{name}': it is there twice")
            return
        self._seen.add(name)
        if name in self._ignored:
            return
        part, free_name = _split(name)
        if part is not None:
            self._parts[part].append(name)
        if name in PREDEFINED:
            self.fixed[name] = at
        elif part is None or not free_name or len(free_name) > _MAX_NAME:
            self.problems.append(
                f"Invalid Header '{name}': a column is named like object_x, sample_x, acq_x, process_x or img_x"
            )
        else:
            self._add_free(at, part, free_name, type_)

    def _add_free(self, at: int, part: Part, name: str, type_: str) -> None:
        header = f"{part}_{name}"
        is_number = False
        if part is Part.OBJECT:
            if type_ not in {_NUMBER, _TEXT}:
                self.problems.append(
                    f"Invalid Type '{type_}' for Field '{header}': the second line has [f] for numbers, [t] for text"
                )
                return
            is_number = type_ == _NUMBER
        place = self._book.place(part, name, is_number=is_number)
        if place is None:
            self.problems.append(f"Field '{header}' cannot be mapped. Too many custom fields, or bad type")
        elif place[0] != is_number:
            known = _NUMBER if place[0] else _TEXT
            self.problems.append(f"Invalid Type '{type_}' for Field '{header}': it is {known} in this project")
        else:
            self.free.append(FreeColumn(at, part, name, *place))

    def check_ids(self) -> None:
        for part, names in self._parts.items():
            mandatory = f"{part}_{ID}"
            if part is not Part.OBJECT and names and mandatory not in self._seen:
                self.problems.append(
                    f"Field '{mandatory}' is mandatory as there are some {part} columns: {', '.join(sorted(names))}"
                )

    def check_mandatory(self, names: Iterable[str]) -> None:
        self.problems += [f"Missing {name}: the column is not there" for name in names if name not in self._seen]


def _split(name: str) -> tuple[Part | None, str]:
    prefix, _, rest = name.partition("_")
    try:
        return Part(prefix), rest
    except ValueError:
        return None, ""
