"""The fields of an object list: how callers name them, of which kind they are. Pure.

Source: spec of the object-set API, section 1.9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from quadrat.objects.rules.columns import position_of
from quadrat.objects.types import FreeColumns


class Table(StrEnum):
    """Where a field stands, as callers write it before the dot."""

    OBJECT = "obj"
    FREE = "fre"
    IMAGE = "img"
    TAXON = "txo"
    PARENT = "txp"
    AUTHOR = "usr"
    SAMPLE = "sam"
    ACQUISITION = "acq"


class Kind(StrEnum):
    """What a field's values are."""

    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    LETTER = "letter"
    DATE = "date"
    TIME = "time"
    MOMENT = "moment"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object or of what belongs to it.

    Args:
        table: Where it stands.
        name: As callers call it; for free columns the name that the importer gave.
        kind: Of its values.
        position: Of a free column; None for the others.
    """

    table: Table
    name: str
    kind: Kind
    position: int | None = None

    @property
    def nulls_first(self) -> bool:
        """Where missing values stand in ascending order: last, but first for moments."""
        return self.kind is Kind.MOMENT


_I, _N, _T, _L, _M = Kind.INTEGER, Kind.NUMBER, Kind.TEXT, Kind.LETTER, Kind.MOMENT
_TAXON_FIELDS: Mapping[str, Kind] = {
    "id": _I,
    "name": _T,
    "display_name": _T,
    "parent_id": _I,
    "taxotype": _L,
    "taxostatus": _L,
    "rename_to": _I,
    "nbrobj": _I,
    "nbrobjcum": _I,
    "source_url": _T,
    "source_desc": _T,
    "creator_email": _T,
    "id_source": _T,
    "id_instance": Kind.NOTHING,
    "creation_datetime": _M,
    "lastupdate_datetime": _M,
}
FIELDS: Mapping[Table, Mapping[str, Kind]] = {
    Table.OBJECT: {
        "objid": _I,
        "acquisid": _I,
        "orig_id": _T,
        "objdate": Kind.DATE,
        "objtime": Kind.TIME,
        "latitude": _N,
        "longitude": _N,
        "depth_min": _N,
        "depth_max": _N,
        "sunpos": _L,
        "classif_id": _I,
        "classif_qual": _L,
        "classif_who": _I,
        "classif_when": _M,
        "classif_auto_id": _I,
        "classif_auto_score": _N,
        "classif_auto_when": _M,
        "classif_crossvalidation_id": Kind.NOTHING,
        "complement_info": _T,
        "similarity": Kind.NOTHING,
        "random_value": _I,
        "object_link": _T,
        "imgcount": _I,
    },
    Table.IMAGE: {
        "imgid": _I,
        "objid": _I,
        "imgrank": _I,
        "width": _I,
        "height": _I,
        "orig_file_name": _T,
        "file_name": _T,
        "thumb_file_name": _T,
        "thumb_width": _I,
        "thumb_height": _I,
    },
    Table.TAXON: _TAXON_FIELDS,
    Table.PARENT: _TAXON_FIELDS,
    # Nothing else of a user may be read here.
    Table.AUTHOR: {"id": _I, "name": _T, "email": _T},
    Table.SAMPLE: {
        "sampleid": _I,
        "projid": _I,
        "orig_id": _T,
        "latitude": _N,
        "longitude": _N,
        "dataportal_descriptor": _T,
    },
    Table.ACQUISITION: {"acquisid": _I, "acq_sample_id": _I, "orig_id": _T, "instrument": _T},
}
OBJECT_ID = Field(Table.OBJECT, "objid", Kind.INTEGER)


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted; ties by the object's number in the same direction."""

    field: Field = OBJECT_ID
    descending: bool = False


def find_field(text: str, free: FreeColumns) -> Field | None:
    """The field that a caller names ``prefix.name``; None for what is none."""
    prefix, _, name = text.strip().partition(".")
    try:
        table = Table(prefix)
    except ValueError:
        return None
    if table is Table.FREE:
        if name in free.object_numbers:
            return Field(table, name, Kind.NUMBER, free.object_numbers.index(name))
        if name in free.object_texts:
            return Field(table, name, Kind.TEXT, free.object_texts.index(name))
        return None
    if name in FIELDS[table]:
        return Field(table, name, FIELDS[table][name])
    known = {Table.SAMPLE: free.sample_texts, Table.ACQUISITION: free.acquisition_texts}.get(table, ())
    named = position_of(name)
    if named is None or named[0] != "t" or named[1] >= len(known):
        return None
    return Field(table, name, Kind.TEXT, named[1])


def read_fields(text: str | None, free: FreeColumns) -> Sequence[Field]:
    """The fields of a list with commas; what is none is left out."""
    found = (find_field(part, free) for part in (text or "").split(","))
    return [field for field in found if field is not None]


def read_order(text: str | None, free: FreeColumns) -> Order:
    """The order that a caller wants; by the object's number where it names no field."""
    wanted = (text or "").strip()
    field = find_field(wanted.removeprefix("-"), free)
    return Order() if field is None or field.kind is Kind.NOTHING else Order(field, wanted.startswith("-"))
