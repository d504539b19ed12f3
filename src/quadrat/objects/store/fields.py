"""The fields of an object list as columns of tables, with the joins that they need."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    select,
    true,
)
from sqlalchemy import column as named
from sqlalchemy.dialects.postgresql import ARRAY

from quadrat.identity.tables import user
from quadrat.objects.rules.fields import Field, Table
from quadrat.objects.tables import acquisition, fact, feature, image, net_sample, object_, taxon

parent = taxon.alias("parent")
author_name = func.coalesce(
    func.nullif(func.concat_ws(" ", func.nullif(user.c.name, ""), func.nullif(user.c.surname, "")), ""), user.c.email
)


def _vault(id_: ColumnElement[Any], ending: ColumnElement[Any]) -> ColumnElement[Any]:
    """`rules.images.vault_name` in SQL."""
    folder, file = id_ // 10_000, id_ % 10_000
    digits = func.greatest(4, func.length(cast(folder, Text)))
    return func.lpad(cast(folder, Text), digits, "0") + "/" + func.lpad(cast(file, Text), 4, "0") + ending


def _taxon_columns(node: Any) -> dict[str, ColumnElement[Any]]:
    return {
        "id": node.c.id,
        "name": node.c.name,
        "display_name": node.c.display_name,
        "parent_id": node.c.parent_id,
        "taxotype": case((node.c.kind == "phylo", "P"), (node.c.kind == "morpho", "M")),
        "taxostatus": case(
            (node.c.status == "active", "A"), (node.c.status == "new", "N"), (node.c.status == "deprecated", "D")
        ),
        "rename_to": node.c.renamed_to_id,
        "nbrobj": node.c.n_objects,
        "nbrobjcum": node.c.n_objects_below,
        "source_url": node.c.source_url,
        "source_desc": node.c.source_description,
        "creator_email": node.c.creator_email,
        "id_source": node.c.source_id,
        "id_instance": null(),
        "creation_datetime": node.c.created_at,
        "lastupdate_datetime": node.c.updated_at,
    }


_OTHERS: dict[Table, dict[str, ColumnElement[Any]]] = {
    Table.TAXON: _taxon_columns(taxon),
    Table.PARENT: _taxon_columns(parent),
    Table.AUTHOR: {"id": user.c.id, "name": author_name, "email": user.c.email},
    Table.SAMPLE: {
        "sampleid": net_sample.c.id,
        "projid": net_sample.c.project_id,
        "orig_id": net_sample.c.orig_id,
        "latitude": net_sample.c.latitude,
        "longitude": net_sample.c.longitude,
        "dataportal_descriptor": net_sample.c.descriptor,
    },
    Table.ACQUISITION: {
        "acquisid": acquisition.c.id,
        "acq_sample_id": acquisition.c.sample_id,
        "orig_id": acquisition.c.orig_id,
        "instrument": acquisition.c.instrument,
    },
}


class Objects:
    """Where the objects of a list come from, with what else is known of them.

    Args:
        source: The table of objects, or those of its columns that the asker has given.
    """

    def __init__(self, source: FromClause) -> None:
        self.source = source
        own = source.c
        self._shown = select(image).where(image.c.object_id == own.id).order_by(image.c.rank).limit(1).lateral("shown")
        self._columns = {
            Table.OBJECT: self._own_columns(),
            Table.IMAGE: self._image_columns(),
            **_OTHERS,
        }

    def _own_columns(self) -> dict[str, ColumnElement[Any]]:
        own = self.source.c
        is_given = "letter" in own
        columns: dict[str, ColumnElement[Any]] = {
            "objid": own.id,
            "acquisid": own.acquisition_id,
            "orig_id": fact.c.orig_id,
            "objdate": fact.c.date,
            "objtime": fact.c.time,
            "latitude": fact.c.latitude,
            "longitude": fact.c.longitude,
            "depth_min": fact.c.depth_min,
            "depth_max": fact.c.depth_max,
            "sunpos": fact.c.sun_position,
            "classif_id": func.nullif(own.taxon_id, -1) if is_given else own.taxon_id,
            "classif_qual": func.nullif(func.chr(cast(own.letter, Integer)) if is_given else own.state, "U"),
            "classif_crossvalidation_id": null(),
            "complement_info": fact.c.complement,
            "similarity": null(),
            "random_value": fact.c.random_value,
            "object_link": fact.c.link,
            "imgcount": select(func.count()).where(image.c.object_id == own.id).scalar_subquery(),
        }
        columns |= {name: own[held] for name, held in _DECISIONS.items() if held in own}
        return columns

    def _image_columns(self) -> dict[str, ColumnElement[Any]]:
        shown = self._shown.c
        return {
            "imgid": shown.id,
            "objid": shown.object_id,
            "imgrank": shown.rank,
            "width": shown.width_px,
            "height": shown.height_px,
            "orig_file_name": shown.file_name,
            "file_name": _vault(shown.id, shown.extension),
            "thumb_file_name": case((shown.thumbnail_width_px.is_not(None), _vault(shown.id, literal("_mini.jpg")))),
            "thumb_width": shown.thumbnail_width_px,
            "thumb_height": shown.thumbnail_height_px,
        }

    def has(self, field: Field) -> bool:
        """Whether the source tells what the field needs."""
        if field.table is Table.AUTHOR:
            return "author_id" in self.source.c
        return field.position is not None or field.name in self._columns[field.table]

    def column(self, field: Field) -> ColumnElement[Any]:
        """The expression of a field, over the tables that `joined` joins."""
        if field.position is None:
            return self._columns[field.table][field.name]
        arrays: dict[Table, Any] = {Table.SAMPLE: net_sample.c.free_texts, Table.ACQUISITION: acquisition.c.free_texts}
        if field.table is Table.FREE:
            array: Any = feature.c.numbers if field.kind == "number" else feature.c.texts
        else:
            array = arrays[field.table]
        element: ColumnElement[Any] = array[field.position + 1]
        return element

    def joined(self, fields: Sequence[Field], also: Collection[Table] = ()) -> FromClause:
        """Objects with the tables that the fields stand in."""
        wanted = {field.table for field in fields} | set(also)
        source, own = self.source, self.source.c
        if Table.OBJECT in wanted:
            source = source.outerjoin(fact, fact.c.object_id == own.id)
        if Table.FREE in wanted:
            source = source.outerjoin(feature, feature.c.object_id == own.id)
        if Table.IMAGE in wanted:
            source = source.outerjoin(self._shown, true())
        if wanted & {Table.TAXON, Table.PARENT}:
            source = source.outerjoin(taxon, taxon.c.id == own.taxon_id)
        if Table.PARENT in wanted:
            source = source.outerjoin(parent, parent.c.id == taxon.c.parent_id)
        if Table.AUTHOR in wanted:
            source = source.outerjoin(user, user.c.id == own.author_id)
        if Table.SAMPLE in wanted:
            source = source.outerjoin(net_sample, net_sample.c.id == own.sample_id)
        if Table.ACQUISITION in wanted:
            source = source.outerjoin(acquisition, acquisition.c.id == own.acquisition_id)
        return source


# What a decision or prediction has left, by the name of the field.
_DECISIONS = {
    "classif_who": "author_id",
    "classif_when": "decided_at",
    "classif_auto_id": "predicted_taxon_id",
    "classif_auto_score": "predicted_score",
    "classif_auto_when": "predicted_at",
}
OBJECTS = Objects(object_)
"""All objects."""
GIVEN_COLUMNS = ("id", "sample_id", "acquisition_id", "taxon_id", "letter")
GIVEN = Objects(
    func.unnest(*(bindparam(f"{name}s", type_=ARRAY(BigInteger)) for name in GIVEN_COLUMNS))
    .table_valued(*(named(name, BigInteger) for name in GIVEN_COLUMNS), name="given")
    .render_derived()
)
"""Objects of which columns in memory have told the rest: parameters are lists of numbers called as the columns, in the
plural; no taxon is NULL, the letter is its code."""
column, joined = OBJECTS.column, OBJECTS.joined
