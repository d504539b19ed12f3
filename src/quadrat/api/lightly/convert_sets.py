"""Between domain values and the words of the samples API: tags, embeddings, settings."""

from typing import Any

from quadrat.api.lightly.schemas import embeddings as embedding_wire
from quadrat.api.lightly.schemas import settings as settings_wire
from quadrat.api.lightly.schemas import tags as wire
from quadrat.base.clock import to_unix_ms
from quadrat.samples.rules.masks import format_mask
from quadrat.samples.rules.samples import clean
from quadrat.samples.types import (
    ByteCounts,
    ByteState,
    DataSource,
    Embedding,
    MaskOperation,
    MetadataConfiguration,
    NewTag,
    Projection,
    ProjectionMethod,
    PublicLink,
    SampleBytes,
    Tag,
    TagId,
)

OPERATION = {
    wire.TagArithmeticsOperation.UNION: MaskOperation.UNION,
    wire.TagArithmeticsOperation.INTERSECTION: MaskOperation.INTERSECTION,
    wire.TagArithmeticsOperation.DIFFERENCE: MaskOperation.DIFFERENCE,
}
METHOD = {
    embedding_wire.DimensionalityReductionMethod.PCA: ProjectionMethod.PCA,
    embedding_wire.DimensionalityReductionMethod.TSNE: ProjectionMethod.TSNE,
    embedding_wire.DimensionalityReductionMethod.UMAP: ProjectionMethod.UMAP,
}
_METHOD_NAME = {method: name for name, method in METHOD.items()}
STATE = {state: ByteState(state.value) for state in settings_wire.UploadState}


def new_tag(body: wire.TagCreateRequest) -> NewTag:
    """What is said of a tag; its mask is read where the size of the dataset is known."""
    return NewTag(
        name=body.name,
        previous_id=TagId(body.prev_tag_id),
        query_id=None if body.query_tag_id is None else TagId(body.query_tag_id),
        preselected_id=None if body.preselected_tag_id is None else TagId(body.preselected_tag_id),
        creator=body.creator,
        changes=clean(body.changes),
        run_id=body.run_id,
    )


def combined_tag(body: wire.TagArithmeticsRequest, name: str) -> NewTag:
    """What is said of the tag that two others are made into."""
    return NewTag(name=name, previous_id=None, creator=body.creator, run_id=body.run_id)


def tag_data(found: Tag) -> dict[str, Any]:
    """A tag; the key of its parent is always there, the other optional ones where they were set."""
    data: dict[str, Any] = {
        "id": found.id,
        "datasetId": found.dataset_id,
        "prevTagId": found.previous_id,
        "name": found.name,
        "bitMaskData": format_mask(found.mask),
        "totSize": found.total,
        "createdAt": to_unix_ms(found.created_at),
        "lastModifiedAt": to_unix_ms(found.last_modified_at),
    }
    optional = {
        "queryTagId": found.query_id,
        "preselectedTagId": found.preselected_id,
        "changes": found.changes,
        "runId": found.run_id,
    }
    return data | {key: value for key, value in optional.items() if value is not None}


def embedding_data(found: Embedding) -> embedding_wire.DatasetEmbeddingData:
    """An embedding."""
    return embedding_wire.DatasetEmbeddingData(
        id=found.id,
        name=found.name,
        is_processed=found.is_processed,
        created_at=to_unix_ms(found.created_at),
        is2d=found.dimensions == 2,
    )


def projection_data(embedding: Embedding, found: Projection) -> embedding_wire.Embedding2dData:
    """A projection."""
    return embedding_wire.Embedding2dData(
        id=found.id,
        dataset_id=embedding.dataset_id,
        embedding_id=embedding.id,
        name=f"{embedding.name}__2d",
        created_at=to_unix_ms(found.created_at),
        dimensionality_reduction_method=_METHOD_NAME[found.method],
        coordinates_dimension1=list(found.x),
        coordinates_dimension2=list(found.y),
    )


def datasource_data(found: DataSource) -> dict[str, Any]:
    """A datasource, its secrets blacked out."""
    return {
        "id": found.id,
        "type": found.kind,
        "purpose": found.purpose,
        "fullPath": found.full_path,
        **found.settings,
    }


def configuration_data(found: MetadataConfiguration) -> settings_wire.ConfigurationData:
    """A metadata configuration."""
    return settings_wire.ConfigurationData(
        id=found.id,
        name=found.name,
        configs=[settings_wire.ConfigurationEntry.model_validate(entry) for entry in found.entries],
        created_at=to_unix_ms(found.created_at),
        last_modified_at=to_unix_ms(found.last_modified_at),
    )


def sample_upload(found: SampleBytes) -> settings_wire.SampleUpload:
    """A sample with the state of its bytes."""
    return settings_wire.SampleUpload(
        sample_id=found.id,
        file_name=found.file_name,
        state=settings_wire.UploadState(found.state.value),
        is_measured=found.is_measured,
        size_in_bytes=found.size_bytes,
        problem=found.problem,
    )


def upload_summary(counts: ByteCounts) -> settings_wire.UploadSummary:
    """How many samples are in which state."""
    return settings_wire.UploadSummary(
        missing=counts.missing, stored=counts.stored, undecodable=counts.undecodable, waiting=counts.waiting
    )


def public_token_data(found: PublicLink) -> settings_wire.PublicTokenData:
    """A public token without its secret."""
    return settings_wire.PublicTokenData(
        id=found.id,
        created_at=to_unix_ms(found.created_at),
        expires_at=None if found.expires_at is None else to_unix_ms(found.expires_at),
    )
