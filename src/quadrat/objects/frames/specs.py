"""The columns that can be held in memory: of what type their arrays are, and what stands for a missing value."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from quadrat.objects.rules.fields import Field, Kind, Order, Table

Array = npt.NDArray[Any]
Ids = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
NO_ID = -1
NO_MOMENT = np.iinfo(np.int64).min
NO_TIME = np.iinfo(np.int64).max
NO_DATE = np.iinfo(np.int32).max
NO_LETTER = ord(" ")
UNCLASSIFIED = ord("U")


class Source(StrEnum):
    """Where a column comes from: `STATE` changes with classification, the others do not."""

    STATE = "state"
    FACT = "fact"
    NUMBER = "number"
    TEXT = "text"


class Form(StrEnum):
    """How one value is packed."""

    ID = "id"
    FLOAT = "float"
    INTEGER = "integer"
    LETTER = "letter"
    MOMENT = "moment"
    DATE = "date"
    TIME = "time"
    RANK = "rank"


PACKED: dict[Form, str] = {
    Form.ID: ">i8",
    Form.FLOAT: ">f8",
    Form.INTEGER: ">i4",
    Form.LETTER: "u1",
    Form.MOMENT: ">i8",
    Form.DATE: ">i4",
    Form.TIME: ">i8",
    Form.RANK: ">i4",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a project's objects.

    Args:
        source: Where it comes from.
        name: Of the table's column; empty for free columns.
        form: What its values are.
        position: Of a free column.
    """

    source: Source
    name: str
    form: Form
    position: int = -1

    @property
    def file_name(self) -> str:
        """A name for a file of it."""
        return f"{self.source}-{self.name or self.position}"


SAMPLE = Column(Source.STATE, "sample_id", Form.ID)
ACQUISITION = Column(Source.STATE, "acquisition_id", Form.ID)
TAXON = Column(Source.STATE, "taxon_id", Form.ID)
STATE = Column(Source.STATE, "state", Form.LETTER)
AUTHOR = Column(Source.STATE, "author_id", Form.ID)
DECIDED_AT = Column(Source.STATE, "decided_at", Form.MOMENT)
PREDICTED_TAXON = Column(Source.STATE, "predicted_taxon_id", Form.ID)
PREDICTED_SCORE = Column(Source.STATE, "predicted_score", Form.FLOAT)
PREDICTED_AT = Column(Source.STATE, "predicted_at", Form.MOMENT)
CORE = (SAMPLE, ACQUISITION, TAXON, STATE)

LATITUDE = Column(Source.FACT, "latitude", Form.FLOAT)
LONGITUDE = Column(Source.FACT, "longitude", Form.FLOAT)
DEPTH_MIN = Column(Source.FACT, "depth_min", Form.FLOAT)
DEPTH_MAX = Column(Source.FACT, "depth_max", Form.FLOAT)
DATE = Column(Source.FACT, "date", Form.DATE)
TIME = Column(Source.FACT, "time", Form.TIME)
SUN_POSITION = Column(Source.FACT, "sun_position", Form.LETTER)
RANDOM_VALUE = Column(Source.FACT, "random_value", Form.INTEGER)
ORIG_ID = Column(Source.FACT, "orig_id", Form.RANK)
LINK = Column(Source.FACT, "link", Form.RANK)
COMPLEMENT = Column(Source.FACT, "complement", Form.RANK)

_BY_FIELD: dict[str, Column] = {
    "acquisid": ACQUISITION,
    "orig_id": ORIG_ID,
    "objdate": DATE,
    "objtime": TIME,
    "latitude": LATITUDE,
    "longitude": LONGITUDE,
    "depth_min": DEPTH_MIN,
    "depth_max": DEPTH_MAX,
    "sunpos": SUN_POSITION,
    "classif_id": TAXON,
    "classif_qual": STATE,
    "classif_who": AUTHOR,
    "classif_when": DECIDED_AT,
    "classif_auto_id": PREDICTED_TAXON,
    "classif_auto_score": PREDICTED_SCORE,
    "classif_auto_when": PREDICTED_AT,
    "complement_info": COMPLEMENT,
    "random_value": RANDOM_VALUE,
    "object_link": LINK,
}
_OWNERS = {Table.TAXON: TAXON, Table.PARENT: TAXON, Table.AUTHOR: AUTHOR, Table.SAMPLE: SAMPLE}


def moment_of(moment: datetime) -> int:
    """A time as columns of moments have it: microseconds after 2000."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def number(position: int) -> Column:
    """A measured feature."""
    return Column(Source.NUMBER, "", Form.FLOAT, position)


def text(position: int) -> Column:
    """A free text of objects: the rank of each among the different ones."""
    return Column(Source.TEXT, "", Form.RANK, position)


def of_field(field: Field) -> Column | None:
    """The column that has the values of a field, in an order that is that of the values."""
    if field.table is Table.FREE and field.position is not None:
        return number(field.position) if field.kind is Kind.NUMBER else text(field.position)
    return _BY_FIELD.get(field.name) if field.table is Table.OBJECT else None


def owner_of_field(field: Field) -> Column | None:
    """The column of ids of the things that a field belongs to, for fields of taxa, authors, samples, acquisitions."""
    return ACQUISITION if field.table is Table.ACQUISITION else _OWNERS.get(field.table)


def is_sortable(order: Order) -> bool:
    """Whether columns in memory can sort so; images are not held."""
    field = order.field
    by_id = field.table is Table.OBJECT and field.name == "objid"
    return by_id or of_field(field) is not None or owner_of_field(field) is not None
