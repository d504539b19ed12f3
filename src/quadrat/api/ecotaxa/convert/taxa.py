"""Taxa in the words of the object-set API."""

from datetime import datetime

from quadrat.api.ecotaxa.schemas.taxa import (
    ReclassificationModel,
    TaxaSearchRsp,
    TaxonModel,
    TaxonomyTreeStatus,
    TaxonUsageModel,
)
from quadrat.objects.actions.taxa import TaxonView
from quadrat.objects.types import Taxon, TaxonKind

KINDS = {"P": TaxonKind.PHYLO, "M": TaxonKind.MORPHO}
_LETTERS = {kind: letter for letter, kind in KINDS.items()}


def taxon(view: TaxonView) -> TaxonModel:
    """A taxon with its place in the tree."""
    found = view.taxon
    return TaxonModel(
        id=found.id,
        renm_id=found.renamed_to_id,
        name=found.name,
        type=_LETTERS[found.kind],
        nb_objects=found.n_objects,
        nb_children_objects=found.n_objects_below - found.n_objects,
        display_name=found.display_name,
        lineage=list(view.lineage),
        id_lineage=list(reversed(found.path)),
        children=list(view.children),
    )


def found(taxon: Taxon, is_preset: bool) -> TaxaSearchRsp:
    """A line of a search."""
    return TaxaSearchRsp(id=taxon.id, renm_id=taxon.renamed_to_id, text=taxon.display_name, pr=int(is_preset))


def status(at: datetime | None) -> TaxonomyTreeStatus:
    """When the tree last changed."""
    return TaxonomyTreeStatus(last_refresh=None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S"))


def usage(line: tuple[int, str, int]) -> TaxonUsageModel:
    """A project that uses a taxon."""
    project_id, title, count = line
    return TaxonUsageModel(projid=project_id, title=title, nb_validated=count)


def reclassification(line: tuple[int, int, str]) -> ReclassificationModel:
    """One taxon turned into another."""
    return ReclassificationModel(from_=line[0], to=line[1], name=line[2])
