"""Wire models of embeddings."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_BY_ALIAS = ConfigDict(populate_by_name=True)


class DimensionalityReductionMethod(StrEnum):
    """How embeddings are laid out on a plane."""

    PCA = "PCA"
    TSNE = "TSNE"
    UMAP = "UMAP"


class Trigger2dEmbeddingJobRequest(BaseModel):
    """By which method."""

    model_config = _BY_ALIAS

    dimensionality_reduction_method: Annotated[
        DimensionalityReductionMethod, Field(alias="dimensionalityReductionMethod")
    ]


class DatasetEmbeddingData(BaseModel):
    """An embedding; `is2d` once it has been laid out on a plane or read as one."""

    model_config = _BY_ALIAS

    id: str
    name: str
    is_processed: Annotated[bool, Field(alias="isProcessed")]
    created_at: Annotated[int, Field(alias="createdAt")]
    is2d: bool


class WriteCsvUrlData(BaseModel):
    """Where to PUT the CSV."""

    model_config = _BY_ALIAS

    signed_write_url: Annotated[str, Field(alias="signedWriteUrl")]
    embedding_id: Annotated[str, Field(alias="embeddingId")]


class Embedding2dData(BaseModel):
    """A projection. The n-th coordinates belong to the n-th row of the CSV."""

    model_config = _BY_ALIAS

    id: str
    dataset_id: Annotated[str, Field(alias="datasetId")]
    embedding_id: Annotated[str, Field(alias="embeddingId")]
    name: str
    created_at: Annotated[int, Field(alias="createdAt")]
    dimensionality_reduction_method: Annotated[
        DimensionalityReductionMethod, Field(alias="dimensionalityReductionMethod")
    ]
    coordinates_dimension1: Annotated[list[float], Field(alias="coordinatesDimension1")]
    coordinates_dimension2: Annotated[list[float], Field(alias="coordinatesDimension2")]


class SimilarSample(BaseModel):
    """A sample and how far its vector is from the one asked for: cosine distance, 0 to 2."""

    model_config = _BY_ALIAS

    sample_id: Annotated[str, Field(alias="sampleId")]
    file_name: Annotated[str, Field(alias="fileName")]
    distance: float


class DuplicateKind(StrEnum):
    """By what samples are compared: their bytes, what they look like, or their vectors."""

    BYTES = "bytes"
    LOOK = "look"
    EMBEDDING = "embedding"


class DuplicatePair(BaseModel):
    """A sample and an earlier one that it is like.

    The distance is 0 for the same bytes, a number of differing bits for looks, a cosine distance for vectors.
    """

    model_config = _BY_ALIAS

    sample_id: Annotated[str, Field(alias="sampleId")]
    duplicate_of: Annotated[str, Field(alias="duplicateOf")]
    distance: float
