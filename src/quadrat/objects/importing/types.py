"""What an import is asked to do, and what it finds."""

import datetime as dt
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from quadrat.db.engine import Database
from quadrat.identity.types import ProjectId, UserId
from quadrat.jobs.types import JobId
from quadrat.objects.archive.types import Place
from quadrat.objects.rules.extras import Extra
from quadrat.objects.rules.lines import Line, Parent
from quadrat.storage.blobs import BlobStore

MAX_KEPT_PROBLEMS = 1000


class UpdateMode(StrEnum):
    """Whether known objects are changed instead of new ones made, and whether their classification is, too."""

    CREATE = ""
    FACTS = "Yes"
    CLASSIFICATION = "Cla"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How an archive is imported.

    Args:
        skip_loaded_files: Pass over index files of which one of the same name has been imported into the project.
        skip_existing_objects: Pass over images that the project has.
        update_mode: See there.
        mappings: Category text in lower case to the text to use instead.
    """

    skip_loaded_files: bool = False
    skip_existing_objects: bool = False
    update_mode: UpdateMode = UpdateMode.CREATE
    mappings: Mapping[str, str] = field(default_factory=dict)

    @property
    def updates(self) -> bool:
        """Whether nothing new is made."""
        return self.update_mode is not UpdateMode.CREATE


@dataclass
class Problems:
    """All that is wrong with an import: every mistake is counted, the first thousand are kept."""

    kept: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, sentence: str) -> None:
        """One more."""
        self.count += 1
        if len(self.kept) < MAX_KEPT_PROBLEMS:
            self.kept.append(sentence)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.count > 0


class ScannedLine(NamedTuple):
    """One line of an index file.

    Args:
        file: Name of the index file.
        number: Of the line, from 1.
        line: What it says.
        sample: Name of its sample.
        acquisition: Name of its acquisition.
        place: Where its image is; None in an update.
        numbers_at: Positions of `line.numbers`; None for 0, 1, 2 and so on.
        texts_at: Positions of `line.texts`; None as well.
        extra: What a backup adds about the object.
    """

    file: str
    number: int
    line: Line
    sample: str
    acquisition: str
    place: Place | None
    numbers_at: list[int] | None
    texts_at: list[int] | None
    extra: Extra | None = None

    @property
    def image(self) -> str:
        """The name that the image had before it was called otherwise for an archive; empty for none."""
        names = {} if self.extra is None or self.line.rank is None else self.extra.image_names
        return names.get(self.line.rank or 0, self.line.image) if self.line.image else ""

    @property
    def where(self) -> str:
        """As users find it again."""
        return f"in line {self.number} of {self.file}"


@dataclass
class FoundParents:
    """Samples, acquisitions and processes of an archive, each as its first line describes it.

    Args:
        samples: By name.
        acquisitions: By name: name of the sample, the acquisition, its process.
        positions: Latitude and longitude of samples by name, where a backup says them.
    """

    samples: dict[str, Parent] = field(default_factory=dict)
    acquisitions: dict[str, tuple[str, Parent, Parent]] = field(default_factory=dict)
    positions: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)


class MissingNames(NamedTuple):
    """What a person has to say before the import can go on."""

    users: list[str]
    taxa: list[str]


@dataclass(frozen=True, slots=True)
class ImportPlace:
    """Into what an import goes.

    Args:
        project_id: The project.
        importer_id: Who imports.
        began_at: When the import began.
    """

    project_id: ProjectId
    importer_id: UserId
    began_at: dt.datetime


@dataclass
class Answers:
    """What a person has said about names that were unknown, by the name in lower case."""

    users: Mapping[str, int] = field(default_factory=dict)
    taxa: Mapping[str, int] = field(default_factory=dict)


Progress = Callable[[float, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Workshop:
    """With what an import works.

    Args:
        db: The database.
        blobs: Where images are stored.
        processes: Picture processes, at most.
        progress: Told how far it is, 0 to 100.
    """

    db: Database
    blobs: BlobStore
    processes: int
    progress: Progress


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be imported.

    Args:
        place: Into what.
        archive: A zip or a folder of this machine.
        options: How.
        answers: About unknown names.
        job_id: The job that does it, if one does.
    """

    place: ImportPlace
    archive: Path
    options: ImportOptions = field(default_factory=ImportOptions)
    answers: Answers = field(default_factory=Answers)
    job_id: JobId | None = None


class Scan(Protocol):
    """Reads what is imported, in blocks of lines."""

    takes_tiff: bool
    problems: Problems
    parents: FoundParents
    files: list[str]
    passed_over: list[str]
    bytes_total: int
    bytes_done: int

    def blocks(self) -> Iterator[list[ScannedLine]]:
        """The lines without mistakes."""
        ...


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import.

    Args:
        n_objects: New ones.
        n_images: New ones.
        n_updates: Lines that changed a known object.
    """

    n_objects: int
    n_images: int
    n_updates: int

    @property
    def n_lines(self) -> int:
        """Lines that had an effect."""
        return self.n_images + self.n_updates
