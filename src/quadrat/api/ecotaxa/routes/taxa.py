"""The taxonomy."""

from typing import Annotated, Literal

from fastapi import Query

from quadrat.api.ecotaxa.auth import Anyone, SignedIn
from quadrat.api.ecotaxa.convert import taxa as convert
from quadrat.api.ecotaxa.numbers import Number
from quadrat.api.ecotaxa.routes.object_sets import Columns
from quadrat.api.ecotaxa.schemas.taxa import (
    NewTaxonRsp,
    ReclassificationModel,
    TaxaSearchRsp,
    TaxonModel,
    TaxonomyTreeStatus,
    TaxonUsageModel,
)
from quadrat.api.guard import new_router
from quadrat.api.wire import Tx
from quadrat.identity.types import ProjectId
from quadrat.objects.actions import taxa
from quadrat.objects.rules.searching import listed_ids

router = new_router("Taxonomy Tree")


@router.get("/taxa", operation_id="query_root_taxa")
async def query_root_taxa(tx: Tx, _caller: Anyone) -> list[TaxonModel]:
    """The roots of the tree."""
    return [convert.taxon(view) for view in await taxa.list_roots(tx)]


@router.get("/taxa/status", operation_id="taxa_tree_status")
async def taxa_tree_status(tx: Tx, _caller: Anyone) -> TaxonomyTreeStatus:
    """When the tree last changed."""
    return convert.status(await taxa.last_change(tx))


@router.get("/taxa/reclassification_history/{project_id}", operation_id="reclassif_project_stats")
async def reclassif_project_stats(tx: Tx, caller: SignedIn, project_id: Number) -> list[ReclassificationModel]:
    """Which taxon was turned into which in a whole project."""
    found = await taxa.list_reclassifications(tx, caller, ProjectId(project_id))
    return [convert.reclassification(line) for line in found]


@router.get("/taxon/{taxon_id}", operation_id="query_taxa")
async def query_taxa(tx: Tx, _caller: Anyone, taxon_id: Number) -> TaxonModel | None:
    """A taxon; null when there is none of this number."""
    return next((convert.taxon(view) for view in await taxa.get_taxa(tx, [taxon_id])), None)


@router.get("/taxon/{taxon_id}/usage", operation_id="query_taxa_usage")
async def query_taxa_usage(tx: Tx, caller: Anyone, taxon_id: Number) -> list[TaxonUsageModel]:
    """Projects with validated objects of the taxon."""
    return [convert.usage(line) for line in await taxa.list_usage(tx, caller, taxon_id)]


@router.get("/taxon_set/search", operation_id="search_taxa")
async def search_taxa(
    tx: Tx,
    columns: Columns,
    caller: Anyone,
    query: Annotated[str, Query(max_length=200)],
    project_id: Annotated[Number | None, Query()] = None,
) -> list[TaxaSearchRsp]:
    """Taxa by the beginning of their names; space and * stand for anything."""
    place = None if project_id is None or project_id < 0 else ProjectId(project_id)
    found = await taxa.search(tx, columns, caller, query, place)
    return [convert.found(taxon, is_preset) for taxon, is_preset in found]


@router.get("/taxon_set/query", operation_id="query_taxa_set")
async def query_taxa_set(tx: Tx, _caller: Anyone, ids: str) -> list[TaxonModel]:
    """Taxa by number."""
    return [convert.taxon(view) for view in await taxa.get_taxa(tx, listed_ids(ids))]


@router.put("/taxon/central", operation_id="add_taxon_in_central")
async def add_taxon_in_central(  # noqa: PLR0913, PLR0917 - one for each parameter of the query
    tx: Tx,
    caller: SignedIn,
    name: str,
    parent_id: Number,
    taxotype: Literal["P", "M"],
    creator_email: str,
    source_desc: str | None = None,
    source_url: str | None = None,
) -> NewTaxonRsp:
    """Make a taxon; for those who manage a project."""
    new = taxa.NewTaxon(name, parent_id, convert.KINDS[taxotype], creator_email, source_url, source_desc)
    return NewTaxonRsp(msg="ok", id=await taxa.add_taxon(tx, caller, new))
