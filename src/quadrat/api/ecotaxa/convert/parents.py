"""Samples, acquisitions and processes in the words of the object-set API."""

from collections.abc import Sequence

from quadrat.api.ecotaxa.convert.projects import state_counts
from quadrat.api.ecotaxa.schemas.parents import AcquisitionModel, ProcessModel, SampleModel, SampleTaxoStatsModel
from quadrat.objects.actions.parents import Named
from quadrat.objects.types import Acquisition, NetSample, Process, TaxonCounts


def sample(found: NetSample, free: Named) -> SampleModel:
    """A sample."""
    return SampleModel(
        sampleid=found.id,
        projid=found.project_id,
        orig_id=found.orig_id,
        latitude=found.latitude,
        longitude=found.longitude,
        dataportal_descriptor=found.descriptor,
        free_columns=dict(free),
    )


def sample_stats(sample_id: int, rows: Sequence[TaxonCounts]) -> SampleTaxoStatsModel:
    """Objects of a sample."""
    return SampleTaxoStatsModel(sample_id=sample_id, **state_counts(rows))


def acquisition(found: Acquisition, free: Named) -> AcquisitionModel:
    """An acquisition."""
    return AcquisitionModel(
        acquisid=found.id,
        acq_sample_id=found.sample_id,
        orig_id=found.orig_id,
        instrument=found.instrument,
        free_columns=dict(free),
    )


def process(found: Process, free: Named) -> ProcessModel:
    """A process."""
    return ProcessModel(processid=found.id, orig_id=found.orig_id, free_columns=dict(free))
