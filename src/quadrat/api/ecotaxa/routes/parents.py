"""Samples, acquisitions, processes and instruments."""

from typing import Annotated

from fastapi import Query

from quadrat.api.ecotaxa.auth import Anyone, SignedIn
from quadrat.api.ecotaxa.convert import parents as convert
from quadrat.api.ecotaxa.numbers import Number
from quadrat.api.ecotaxa.schemas.parents import (
    AcquisitionModel,
    BulkUpdateReq,
    ProcessModel,
    SampleModel,
    SampleTaxoStatsModel,
)
from quadrat.api.guard import new_router
from quadrat.api.wire import Tx
from quadrat.identity.types import ProjectId
from quadrat.objects.actions import parents, sets
from quadrat.objects.rules.searching import listed_ids

router = new_router("samples")
_ALL = "all"


@router.get("/samples/search", operation_id="samples_search")
async def samples_search(
    tx: Tx, caller: Anyone, project_ids: str, id_pattern: Annotated[str, Query(max_length=300)]
) -> list[SampleModel]:
    """Samples by name, in which * stands for anything."""
    ids = [ProjectId(id_) for id_ in listed_ids(project_ids)]
    return [convert.sample(found, {}) for found in await parents.search_samples(tx, caller, ids, id_pattern)]


@router.get("/sample_set/taxo_stats", operation_id="sample_set_get_stats")
async def sample_set_get_stats(tx: Tx, caller: Anyone, sample_ids: str) -> list[SampleTaxoStatsModel]:
    """Objects of samples by state."""
    found = await parents.count_by_sample(tx, caller, listed_ids(sample_ids))
    return [convert.sample_stats(id_, rows) for id_, rows in found.items()]


@router.get("/sample/{sample_id}", operation_id="sample_query")
async def sample_query(tx: Tx, caller: Anyone, sample_id: Number) -> SampleModel:
    """One sample."""
    return convert.sample(*await parents.get_sample(tx, caller, sample_id))


@router.post("/sample_set/update", operation_id="update_samples")
async def update_samples(tx: Tx, caller: SignedIn, body: BulkUpdateReq) -> int:
    """Set columns of samples. Answers how many."""
    return await parents.update_parents(tx, caller, "sample", body.target_ids, _changes(body))


@router.get("/acquisitions/search", operation_id="acquisitions_search", tags=["acquisitions"])
async def acquisitions_search(tx: Tx, caller: Anyone, project_id: Number) -> list[AcquisitionModel]:
    """Acquisitions of a project."""
    found = await parents.list_acquisitions(tx, caller, ProjectId(project_id))
    return [convert.acquisition(acquisition, {}) for acquisition in found]


@router.get("/acquisition/{acquisition_id}", operation_id="acquisition_query", tags=["acquisitions"])
async def acquisition_query(tx: Tx, caller: Anyone, acquisition_id: Number) -> AcquisitionModel:
    """One acquisition."""
    return convert.acquisition(*await parents.get_acquisition(tx, caller, acquisition_id))


@router.post("/acquisition_set/update", operation_id="update_acquisitions", tags=["acquisitions"])
async def update_acquisitions(tx: Tx, caller: SignedIn, body: BulkUpdateReq) -> int:
    """Set columns of acquisitions. Answers how many."""
    return await parents.update_parents(tx, caller, "acquisition", body.target_ids, _changes(body))


@router.get("/process/{process_id}", operation_id="process_query", tags=["processes"])
async def process_query(tx: Tx, caller: Anyone, process_id: Number) -> ProcessModel:
    """One process."""
    return convert.process(*await parents.get_process(tx, caller, process_id))


@router.post("/process_set/update", operation_id="update_processes", tags=["processes"])
async def update_processes(tx: Tx, caller: SignedIn, body: BulkUpdateReq) -> int:
    """Set columns of processes. Answers how many."""
    return await parents.update_parents(tx, caller, "process", body.target_ids, _changes(body))


@router.get("/instruments/", operation_id="instrument_query", tags=["instruments"])
async def instrument_query(tx: Tx, caller: Anyone, project_ids: str) -> list[str]:
    """Instruments of projects, or of all."""
    ids = None if project_ids == _ALL else [ProjectId(id_) for id_ in listed_ids(project_ids)]
    return list(await sets.list_instruments(tx, caller, ids))


def _changes(body: BulkUpdateReq) -> list[tuple[str, str]]:
    return [(change.ucol, change.uval) for change in body.updates]
