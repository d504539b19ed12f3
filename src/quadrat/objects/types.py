"""Object sets: projects seen as such, taxa, where objects come from, objects and what is known of them."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from quadrat.identity.types import ProjectId, UserId

TaxonId = NewType("TaxonId", int)
NetSampleId = NewType("NetSampleId", int)
AcquisitionId = NewType("AcquisitionId", int)
ObjectId = NewType("ObjectId", int)
ImageId = NewType("ImageId", int)

UNCLASSIFIED_TAXON = TaxonId(-1)
"""Stands for "no taxon" in `project_taxon`, and in the wire API's lists of used taxa."""


class Permission(StrEnum):
    """Permission strings of object sets, as `identity` decides about them."""

    READ = "objects.read"
    EXPORT = "objects.export"
    CLASSIFY = "objects.classify"
    PREDICT = "objects.predict"
    IMPORT = "objects.import"
    UPDATE = "objects.update"
    DELETE = "objects.delete"


class ProjectStatus(StrEnum):
    """What goes on in a project."""

    ANNOTATE = "annotate"
    ANNOTATE_WITHOUT_PREDICTION = "annotate_without_prediction"
    EXPLORE = "explore"


class State(StrEnum):
    """How an object is classified; the letter is stored."""

    UNCLASSIFIED = "U"
    PREDICTED = "P"
    VALIDATED = "V"
    DUBIOUS = "D"


HUMAN_STATES = frozenset({State.VALIDATED, State.DUBIOUS})
"""States that have an author and a time of decision, and that predictions leave alone."""


class ChangeKind(StrEnum):
    """What a numbered change did to objects."""

    STATE = "state"
    CONTENT = "content"
    ADDED = "added"
    REMOVED = "removed"


class SunPosition(StrEnum):
    """Where the sun stood; nautical twilight (12 degrees)."""

    DAY = "D"
    DUSK = "U"
    NIGHT = "N"
    DAWN = "A"
    UNKNOWN = "?"


class TaxonKind(StrEnum):
    """A group of organisms, or a form that things have."""

    PHYLO = "phylo"
    MORPHO = "morpho"


class TaxonStatus(StrEnum):
    """Whether a taxon may be assigned."""

    ACTIVE = "active"
    NEW = "new"
    DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True)
class FreeColumns:
    """Names of a project's free columns; the position (from 0 here, from 1 on the wire) is where values stand.

    Args:
        object_numbers: Measured features.
        object_texts: Texts of objects.
        sample_texts: Of samples.
        acquisition_texts: Of acquisitions.
        process_texts: Of processes.
    """

    object_numbers: tuple[str, ...] = ()
    object_texts: tuple[str, ...] = ()
    sample_texts: tuple[str, ...] = ()
    acquisition_texts: tuple[str, ...] = ()
    process_texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """What a project is as an object set, beside its title and its members.

    Args:
        project_id: Of `identity.project`.
        visible: Anyone who is signed in may read, strangers the validated objects.
        status: What goes on in it.
        license: One of the wire API's texts, empty for none.
        contact_user_id: A manager whom others may ask.
        instrument: What took the images.
        instrument_url: A page about it.
        description: For readers.
        comments: For managers.
        classification_settings: Kept for clients' pages.
        sorted_fields: Kept for clients' pages.
        popover_fields: Kept for clients' pages.
        models_used: Kept for clients' pages.
        network: Name of the network that makes deep features.
        preset_taxa: Offered first.
        formulae: Name of a quantity to formula text.
        free_columns: Names of the free columns.
    """

    project_id: ProjectId
    visible: bool = False
    status: ProjectStatus = ProjectStatus.ANNOTATE
    license: str = ""
    contact_user_id: UserId | None = None
    instrument: str | None = None
    instrument_url: str | None = None
    description: str | None = None
    comments: str | None = None
    classification_settings: str | None = None
    sorted_fields: str | None = None
    popover_fields: str | None = None
    models_used: str | None = None
    network: str | None = None
    preset_taxa: tuple[TaxonId, ...] = ()
    formulae: Mapping[str, str] = field(default_factory=dict)
    free_columns: FreeColumns = FreeColumns()


@dataclass(frozen=True, slots=True)
class Taxon:
    """A node of the taxonomy.

    Args:
        id: Its number.
        parent_id: None for a root.
        path: Numbers from the root down to this one.
        name: Its own name.
        display_name: As people see it: the name, or ``name<parent`` where that is taken.
        kind: Organism or form.
        status: Whether it may be assigned.
        renamed_to_id: What to use instead of a deprecated one.
        n_objects: Validated objects in it.
        n_objects_below: Validated objects in it and all below it.
    """

    id: TaxonId
    parent_id: TaxonId | None
    path: tuple[TaxonId, ...]
    name: str
    display_name: str
    kind: TaxonKind
    status: TaxonStatus
    renamed_to_id: TaxonId | None
    n_objects: int
    n_objects_below: int


@dataclass(frozen=True, slots=True)
class NetSample:
    """A haul of a net, or whatever else was sampled at one place and time. Free texts stand by position."""

    id: NetSampleId
    project_id: ProjectId
    orig_id: str
    latitude: float | None
    longitude: float | None
    descriptor: str | None
    free_texts: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One run of an instrument over a sample. Free texts stand by position."""

    id: AcquisitionId
    project_id: ProjectId
    sample_id: NetSampleId
    orig_id: str
    instrument: str | None
    free_texts: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Process:
    """How the images of an acquisition were treated; its id is the acquisition's."""

    id: AcquisitionId
    orig_id: str
    free_texts: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Classification:
    """The state of an object with the memory of what was predicted.

    Args:
        state: Unclassified, predicted, validated or dubious.
        taxon_id: None while unclassified.
        author_id: Who decided; None unless validated or dubious.
        decided_at: When; None unless validated or dubious.
        predicted_taxon_id: What a machine said last.
        predicted_score: How sure it was, 0 to 1.
        predicted_at: When.
    """

    state: State = State.UNCLASSIFIED
    taxon_id: TaxonId | None = None
    author_id: UserId | None = None
    decided_at: datetime | None = None
    predicted_taxon_id: TaxonId | None = None
    predicted_score: float | None = None
    predicted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FormerState:
    """A line of history: a state that an object has left.

    Args:
        entered_at: When the object came into it; the epoch when unknown.
        state: Predicted, validated or dubious.
        taxon_id: What it was taken for.
        author_id: Who had decided; None for a prediction.
        score: Of a prediction.
    """

    entered_at: datetime
    state: State
    taxon_id: TaxonId
    author_id: UserId | None
    score: float | None


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What is known of an object from its import, and may be corrected.

    Args:
        orig_id: As the importer calls it.
        latitude: Degrees.
        longitude: Degrees.
        depth_min: Metres.
        depth_max: Metres.
        date: UTC.
        time: UTC.
        sun_position: From the four above.
        link: An address.
        complement: A remark.
    """

    orig_id: str
    latitude: float | None = None
    longitude: float | None = None
    depth_min: float | None = None
    depth_max: float | None = None
    date: dt.date | None = None
    time: dt.time | None = None
    sun_position: SunPosition | None = None
    link: str | None = None
    complement: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """An image of an object; its bytes are stored under `rules.images.image_key`."""

    id: ImageId
    object_id: ObjectId
    rank: int
    file_name: str
    extension: str
    width_px: int
    height_px: int
    size_bytes: int
    thumbnail_width_px: int | None
    thumbnail_height_px: int | None


@dataclass(frozen=True, slots=True)
class TaxonCounts:
    """How many objects of a project are in one taxon, by state; `UNCLASSIFIED_TAXON` has all the others."""

    taxon_id: TaxonId
    n_objects: int
    n_predicted: int
    n_validated: int
    n_dubious: int


@dataclass(frozen=True, slots=True)
class UserProfile:
    """What is known of a user beside what signs the user in.

    Args:
        organisation: As the user writes it.
        country: As the user writes it.
        orcid: Number of a researcher.
        reason: Why the user wanted to come in.
        status_comment: Why the user was let in or kept out.
        status_at: When that was.
    """

    organisation: str | None = None
    country: str | None = None
    orcid: str | None = None
    reason: str | None = None
    status_comment: str | None = None
    status_at: datetime | None = None
