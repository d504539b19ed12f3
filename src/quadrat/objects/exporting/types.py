"""What an export is asked to write."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from quadrat.db.engine import Database
from quadrat.identity.types import ProjectId, UserId
from quadrat.storage.blobs import BlobStore


class Split(StrEnum):
    """By what objects are put into tables of their own."""

    NONE = "none"
    SAMPLE = "sample"
    ACQUISITION = "acquisition"
    TAXON = "taxon"


class Images(StrEnum):
    """Which images of each object are named; with `ALL` an object has a line for each of them."""

    NONE = "none"
    FIRST = "first"
    ALL = "all"


class Layout(StrEnum):
    """Where tables and images stand in the archive.

    `TABLES`: tables at the root, images in a folder for each. `FOLDERS`: a folder for each table, with its images
    beside it, as imports want it. `TAXA`: one table, images in folders by taxon.
    """

    TABLES = "tables"
    FOLDERS = "folders"
    TAXA = "taxa"


class Columns(StrEnum):
    """Groups of columns beside those that every table has; the value is the wire API's letter."""

    OBJECT = "O"
    PROCESS = "P"
    ACQUISITION = "A"
    SAMPLE = "S"
    COMMENT = "C"


@dataclass(frozen=True, slots=True)
class TablePlan:
    """A zip of tables, with or without images.

    Args:
        columns: Which groups, as letters.
        layout: Where things stand.
        split: Into several tables.
        images: Which are named.
        with_bytes: Whether they are in the archive, too.
        category_id: The category's number instead of its ancestors.
        only_annotations: Nothing but what objects are classified as.
        internal_ids: Our own numbers at the end of each line.
        object_id: Our number of the object.
        types_row: A second line with the types of the columns.
        formatted_dates: ``2014-04-20`` and ``12:00:00`` instead of ``20140420`` and ``120000``.
        decimal_comma: Instead of a point.
        latin1: Instead of UTF-8.
        extras: A file besides with what tables have no columns for, so that imports make the same objects again.
    """

    columns: str = "OPASC"
    layout: Layout = Layout.TABLES
    split: Split = Split.NONE
    images: Images = Images.NONE
    with_bytes: bool = False
    category_id: bool = False
    only_annotations: bool = False
    internal_ids: bool = False
    object_id: bool = False
    types_row: bool = False
    formatted_dates: bool = True
    decimal_comma: bool = False
    latin1: bool = False
    extras: bool = False


BACKUP = TablePlan(
    columns="OPAS",
    layout=Layout.FOLDERS,
    split=Split.SAMPLE,
    images=Images.ALL,
    with_bytes=True,
    category_id=True,
    types_row=True,
    formatted_dates=False,
    extras=True,
)
"""What imports make the same objects of again."""


class Measure(StrEnum):
    """What a summary adds up: objects by status, or by taxon alone; per volume of water; their volume in that."""

    ABUNDANCE = "abundance"
    CONCENTRATION = "concentration"
    BIOVOLUME = "biovolume"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class SummaryPlan:
    """One table of sums.

    Args:
        measure: Of what.
        by: `NONE`, `SAMPLE` or `ACQUISITION`.
        mapping: Taxon to the taxon that it counts as; 0 leaves its objects out.
        formulae: By the name of the quantity; those of the project where there is none.
    """

    measure: Measure = Measure.ABUNDANCE
    by: Split = Split.SAMPLE
    mapping: Mapping[int, int] = field(default_factory=dict)
    formulae: Mapping[str, str] = field(default_factory=dict)


Progress = Callable[[float, str], Awaitable[None]]
Log = Callable[[str], Awaitable[None]]
Put = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Exporter:
    """With what an export works.

    Args:
        db: The database.
        blobs: Where images are.
        progress: Told how far it is, 0 to 100; may end the export by raising.
        log: Told what whoever reads the result should know.
    """

    db: Database
    blobs: BlobStore
    progress: Progress
    log: Log


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What is to be exported.

    Args:
        project_id: From where.
        user_id: Whose "mine" the filters mean; None for nobody's.
        filters: Texts by the names of the wire API.
        at: When it was asked for; in the names of the files, so that a second attempt makes the same.
        log_name: Of the member that holds the log; none is written without.
        read_log: Gives its text.
    """

    project_id: ProjectId
    user_id: UserId | None
    filters: Mapping[str, str | None]
    at: datetime
    log_name: str
    read_log: Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class ExportFile:
    """What an export makes.

    Args:
        name: Of the file.
        media_type: Of its bytes.
    """

    name: str
    media_type: str


def file_of(plan: TablePlan | SummaryPlan, project_id: ProjectId, at: datetime) -> ExportFile:
    """Name and type of an export's file."""
    if isinstance(plan, SummaryPlan):
        return ExportFile(f"export_summary_{project_id}_{at:%Y%m%d_%H%M}.tsv", "text/tab-separated-values")
    return ExportFile(f"export_{project_id}_{at:%Y%m%d_%H%M}.zip", "application/zip")


def delivered_name(job_id: int, name: str) -> str:
    """What a copy in the operator's folder is called; a client's program looks for it."""
    return f"task_{job_id}_{name}"
