"""The fields of an object list as columns of tables, with the joins that they need."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Text, case, cast, func, literal, null, select, true

from quadrat.identity.tables import user
from quadrat.objects.rules.fields import Field, Table
from quadrat.objects.tables import acquisition, fact, feature, image, net_sample, object_, taxon

parent = taxon.alias("parent")
_shown = select(image).where(image.c.object_id == object_.c.id).order_by(image.c.rank).limit(1).lateral("shown")
_n_images = select(func.count()).where(image.c.object_id == object_.c.id).scalar_subquery()
author_name = func.coalesce(
    func.nullif(func.concat_ws(" ", func.nullif(user.c.name, ""), func.nullif(user.c.surname, "")), ""), user.c.email
)


def _vault(ending: ColumnElement[Any]) -> ColumnElement[Any]:
    """`rules.images.vault_name` in SQL."""
    folder, file = _shown.c.id // 10_000, _shown.c.id % 10_000
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


_thumbnailed = _shown.c.thumbnail_width_px.is_not(None)
_COLUMNS: dict[Table, dict[str, ColumnElement[Any]]] = {
    Table.OBJECT: {
        "objid": object_.c.id,
        "acquisid": object_.c.acquisition_id,
        "orig_id": fact.c.orig_id,
        "objdate": fact.c.date,
        "objtime": fact.c.time,
        "latitude": fact.c.latitude,
        "longitude": fact.c.longitude,
        "depth_min": fact.c.depth_min,
        "depth_max": fact.c.depth_max,
        "sunpos": fact.c.sun_position,
        "classif_id": object_.c.taxon_id,
        "classif_qual": func.nullif(object_.c.state, "U"),
        "classif_who": object_.c.author_id,
        "classif_when": object_.c.decided_at,
        "classif_auto_id": object_.c.predicted_taxon_id,
        "classif_auto_score": object_.c.predicted_score,
        "classif_auto_when": object_.c.predicted_at,
        "classif_crossvalidation_id": null(),
        "complement_info": fact.c.complement,
        "similarity": null(),
        "random_value": fact.c.random_value,
        "object_link": fact.c.link,
        "imgcount": _n_images,
    },
    Table.IMAGE: {
        "imgid": _shown.c.id,
        "objid": _shown.c.object_id,
        "imgrank": _shown.c.rank,
        "width": _shown.c.width_px,
        "height": _shown.c.height_px,
        "orig_file_name": _shown.c.file_name,
        "file_name": _vault(_shown.c.extension),
        "thumb_file_name": case((_thumbnailed, _vault(literal("_mini.jpg")))),
        "thumb_width": _shown.c.thumbnail_width_px,
        "thumb_height": _shown.c.thumbnail_height_px,
    },
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


def column(field: Field) -> ColumnElement[Any]:
    """The expression of a field, over the tables that `joined` joins."""
    if field.position is None:
        return _COLUMNS[field.table][field.name]
    arrays: dict[Table, Any] = {Table.SAMPLE: net_sample.c.free_texts, Table.ACQUISITION: acquisition.c.free_texts}
    if field.table is Table.FREE:
        array: Any = feature.c.numbers if field.kind == "number" else feature.c.texts
    else:
        array = arrays[field.table]
    element: ColumnElement[Any] = array[field.position + 1]
    return element


def joined(fields: Sequence[Field], also: Collection[Table] = ()) -> FromClause:
    """Objects with the tables that the fields stand in."""
    wanted = {field.table for field in fields} | set(also)
    source: FromClause = object_
    if Table.OBJECT in wanted:
        source = source.outerjoin(fact, fact.c.object_id == object_.c.id)
    if Table.FREE in wanted:
        source = source.outerjoin(feature, feature.c.object_id == object_.c.id)
    if Table.IMAGE in wanted:
        source = source.outerjoin(_shown, true())
    if wanted & {Table.TAXON, Table.PARENT}:
        source = source.outerjoin(taxon, taxon.c.id == object_.c.taxon_id)
    if Table.PARENT in wanted:
        source = source.outerjoin(parent, parent.c.id == taxon.c.parent_id)
    if Table.AUTHOR in wanted:
        source = source.outerjoin(user, user.c.id == object_.c.author_id)
    if Table.SAMPLE in wanted:
        source = source.outerjoin(net_sample, net_sample.c.id == object_.c.sample_id)
    if Table.ACQUISITION in wanted:
        source = source.outerjoin(acquisition, acquisition.c.id == object_.c.acquisition_id)
    return source
