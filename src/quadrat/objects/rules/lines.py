"""One line of an import file: one image of one object. Pure.

Source: spec of the object-set API, section 4.6; the key phrases of its messages are those that scripts look for.
"""

import math
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar

from quadrat.objects.rules import values
from quadrat.objects.rules.header import FreeColumn, Header, Part

Value = TypeVar("Value")
_MAX_TEXT = 255
_MAX_FREE_TEXT = 8000
_STATUS = {"validated": "V", "predicted": "P", "dubious": "D", "noid": None}
_MAX_RANK = 2**15 - 1


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a line says of the classification, before names are looked up.

    Args:
        qualification: ``V``, ``P`` or ``D``.
        taxon_id: The category's number, when the line has one.
        taxon: Its name in lower case, else.
        when: Date and time; None for when the import began.
        person_name: In lower case.
        person_email: In lower case.
    """

    qualification: str
    taxon_id: int | None
    taxon: str | None
    when: datetime | None
    person_name: str | None
    person_email: str | None


@dataclass(frozen=True, slots=True)
class Parent:
    """The sample, acquisition or process of a line.

    Args:
        orig_id: As its lab names it; empty when the file does not say.
        fixed: Predefined columns besides.
        free: Values by position.
    """

    orig_id: str
    fixed: Mapping[str, str] = field(default_factory=dict)
    free: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """One line, read.

    Args:
        object_id: As its lab names the object.
        image: File name of the image, relative to the file; empty in an update without images.
        rank: Place of the image among the object's.
        columns: Predefined columns of the object that the file has a value for, by their name in the store.
        annotation: None when the line says nothing of it.
        numbers: Free numbers, at `LineReader.number_positions`.
        texts: Free texts, at `LineReader.text_positions`.
    """

    object_id: str
    image: str
    rank: int | None
    columns: Mapping[str, Any]
    annotation: Annotation | None
    numbers: list[float | None]
    texts: list[str]


@dataclass(frozen=True, slots=True)
class _FixedColumn:
    name: str
    phrase: str
    read: Callable[[str], Any]


def _text(text: str) -> str:
    if len(text) > _MAX_TEXT:
        message = f"more than {_MAX_TEXT} characters"
        raise ValueError(message)
    return text


def _free_text(text: str) -> str:
    return text


#: What a value has to look like, by the phrase that says it does not.
_HINTS = {
    "Invalid Lat. value": "decimal degrees from -90 to 90, or as 43°41 N",
    "Invalid Long. value": "decimal degrees from -180 to 180, or as 7°18 E",
    "Invalid Date value": "a day as 2014-04-20 or 20140420",
    "Invalid Time value": "a time as 12:30:00, 123000 or 1230",
    "Invalid float value": "a finite number with a decimal point, or nothing",
    "Invalid Annotation Status": f"one of {', '.join(_STATUS)}, or nothing",
    "Invalid Rank value": f"a whole number from 0 to {_MAX_RANK}",
    "Invalid Category Id value": "the number of a taxon",
    "Invalid text": f"at most {_MAX_TEXT} characters",
}
_FIXED = {
    "object_lat": _FixedColumn("latitude", "Invalid Lat. value", values.to_latitude),
    "object_lon": _FixedColumn("longitude", "Invalid Long. value", values.to_longitude),
    "object_date": _FixedColumn("date", "Invalid Date value", values.to_date),
    "object_time": _FixedColumn("time", "Invalid Time value", values.to_time),
    "object_depth_min": _FixedColumn("depth_min", "Invalid float value", values.to_number),
    "object_depth_max": _FixedColumn("depth_max", "Invalid float value", values.to_number),
    "object_link": _FixedColumn("link", "Invalid text", _text),
    "complement_info": _FixedColumn("complement", "Invalid text", _free_text),
}


class LineReader:
    """Reads the lines of one file.

    Args:
        header: The file's.
        mappings: Category text in lower case to the text to use instead.
    """

    def __init__(self, header: Header, mappings: Mapping[str, str] | None = None) -> None:
        self._header = header
        self._mappings = mappings or {}
        self._at = header.fixed
        object_columns = [column for column in header.free if column.part is Part.OBJECT]
        self._numbers = [column for column in object_columns if column.is_number]
        self._texts = [column for column in object_columns if not column.is_number]
        self._number_indexes = [column.at for column in self._numbers]
        self._text_indexes = [column.at for column in self._texts]
        self._free = {part: [column for column in header.free if column.part is part] for part in Part}
        self.number_positions = [column.position for column in self._numbers]
        self.text_positions = [column.position for column in self._texts]
        self._fixed = [(header.fixed[name], name, _FIXED[name]) for name in _FIXED if name in header.fixed]

    def read(self, cells: Sequence[str], problems: list[str], *, needs_image: bool = True) -> Line | None:
        """The line; None, and what is wrong with it added to the problems, when it cannot be used.

        Args:
            cells: As many as there are columns, trimmed.
            problems: Sentences without file and line.
            needs_image: Whether a line without an image is a mistake.
        """
        before = len(problems)
        object_id = self.cell(cells, "object_id")
        image = self.cell(cells, "img_file_name")
        if not object_id:
            problems.append("Missing object_id")
        elif len(object_id) > _MAX_TEXT:
            problems.append(f"Invalid object_id: more than {_MAX_TEXT} characters")
        if not image and needs_image and "img_file_name" in self._at:
            problems.append("Missing Image: img_file_name is empty")
        columns = self._read_fixed(cells, problems)
        numbers = self._read_numbers(cells, problems)
        texts = self._read_texts(cells, problems)
        annotation = self._read_annotation(cells, problems)
        rank = self._parsed(cells, "img_rank", "Invalid Rank value", _to_rank, problems)
        if len(problems) > before:
            return None
        return Line(object_id, image, rank, columns, annotation, numbers, texts)

    def parent(self, cells: Sequence[str], part: Part) -> Parent:
        """What the line says of its sample, acquisition or process."""
        free = {column.position: cells[column.at] for column in self._free[part] if cells[column.at]}
        names = {Part.SAMPLE: "sample_dataportal_descriptor", Part.ACQUISITION: "acq_instrument"}
        name = names.get(part)
        value = self.cell(cells, name) if name is not None else ""
        return Parent(self.cell(cells, f"{part}_id"), {name: value} if name and value else {}, free)

    def cell(self, cells: Sequence[str], name: str) -> str:
        """The text of a predefined column; empty when the file does not have it."""
        at = self._at.get(name)
        return "" if at is None else cells[at]

    def _read_fixed(self, cells: Sequence[str], problems: list[str]) -> dict[str, Any]:
        found = {}
        for at, name, column in self._fixed:
            text = cells[at]
            if text:
                try:
                    found[column.name] = column.read(text)
                except ValueError:
                    problems.append(_invalid(column.phrase, text, name))
        return found

    def _read_numbers(self, cells: Sequence[str], problems: list[str]) -> list[float | None]:
        try:
            texts = [cells[at] for at in self._number_indexes]
            found: list[float | None] = (
                [*map(float, texts)] if all(texts) else [float(text) if text else None for text in texts]
            )
            # One test for all: a sum with anything infinite or undefined in it is not finite.
            if math.isfinite(math.fsum(filter(None, found))):
                return found
        except (ValueError, OverflowError):
            pass
        return [self._read_number(cells, column, problems) for column in self._numbers]

    def _read_number(self, cells: Sequence[str], column: FreeColumn, problems: list[str]) -> float | None:
        text = cells[column.at]
        if not text:
            return None
        try:
            return values.to_number(text)
        except ValueError:
            problems.append(_invalid("Invalid float value", text, f"object_{column.name}"))
            return None

    def _read_texts(self, cells: Sequence[str], problems: list[str]) -> list[str]:
        found = [cells[at] for at in self._text_indexes]
        for text, column in zip(found, self._texts, strict=True):
            if len(text) > _MAX_FREE_TEXT:
                problems.append(f"Invalid text for Field 'object_{column.name}': more than {_MAX_FREE_TEXT} characters")
        return found

    def _parsed(
        self, cells: Sequence[str], name: str, phrase: str, read: Callable[[str], Value], problems: list[str]
    ) -> Value | None:
        text = self.cell(cells, name)
        if not text:
            return None
        try:
            return read(text)
        except ValueError:
            problems.append(_invalid(phrase, text, name))
            return None

    def _read_annotation(self, cells: Sequence[str], problems: list[str]) -> Annotation | None:
        status = self.cell(cells, "object_annotation_status").lower()
        if status and status not in _STATUS:
            problems.append(_invalid("Invalid Annotation Status", status, "object_annotation_status"))
            return None
        day = self._parsed(cells, "object_annotation_date", "Invalid Date value", values.to_date, problems)
        at = self._parsed(cells, "object_annotation_time", "Invalid Time value", values.to_time, problems)
        taxon_id = self._parsed(
            cells, "object_annotation_category_id", "Invalid Category Id value", values.to_whole_number, problems
        )
        name = self.cell(cells, "object_annotation_category").lower()
        qualification = _STATUS.get(status)
        if qualification is None:
            if name or taxon_id is not None:
                problems.append("A category has to be with a status: object_annotation_status is empty")
            return None
        if not name and taxon_id is None:
            problems.append(f"As object_annotation_status is {status}, there has to be a category")
            return None
        return Annotation(
            qualification,
            taxon_id,
            None if taxon_id is not None else self._mappings.get(name, name).lower(),
            _moment(day, at),
            self.cell(cells, "object_annotation_person_name").lower() or None,
            self.cell(cells, "object_annotation_person_email").lower() or None,
        )


def _moment(day: date | None, at: time | None) -> datetime | None:
    return None if day is None else datetime.combine(day, at or time(), UTC)


def _to_rank(text: str) -> int:
    rank = values.to_whole_number(text)
    if not 0 <= rank <= _MAX_RANK:
        message = f"{text} is no rank"
        raise ValueError(message)
    return rank


def _invalid(phrase: str, text: str, name: str) -> str:
    return f"{phrase} '{text[:100]}' for Field '{name}' (it takes {_HINTS[phrase]})"


def image_member(tsv: str, image: str) -> str | None:
    """The member of the archive that an image name means; None for one that leads out of it.

    Args:
        tsv: The member in which the name stands.
        image: Relative to that.
    """
    name = posixpath.normpath(posixpath.join(posixpath.dirname(tsv), image.replace("\\", "/")))
    return None if name.startswith(("../", "/")) or name in {".", ".."} else name


def is_index(name: str) -> bool:
    """Whether a member describes objects: ``ecotaxa*.txt`` or ``ecotaxa*.tsv``, in any case."""
    last = posixpath.basename(name).lower()
    return last.startswith("ecotaxa") and last.endswith((".txt", ".tsv"))
