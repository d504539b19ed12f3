"""What may be stored of a dataset and its samples, and what of it is shown. Pure."""

import math
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any

import msgspec

from quadrat.errors import ErrorKind, QuadratError
from quadrat.samples.types import (
    DatasetId,
    Documents,
    EmbeddingId,
    JsonText,
    NewSample,
    Rendition,
    SampleId,
    SampleKind,
)

MAX_FILE_NAME = 4096
MAX_DATASET_NAME = 255
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 100
BLOB_FOLDER = "samples"

_DATASET_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9 _-]{2,}")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_BLOB_KEY = re.compile(rf"{BLOB_FOLDER}/([a-f0-9]{{24}})/([a-f0-9]{{24}})/(full|thumb|auto)")
_CSV_KEY = re.compile(rf"{BLOB_FOLDER}/([a-f0-9]{{24}})/([a-f0-9]{{24}})/csv")
# From here on a float's text has an exponent or no fraction, and PostgreSQL would give it back as an integer.
_LARGE = 1e15
_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])

_NonNegative = Annotated[float, msgspec.Meta(ge=0)]
_Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Triple = msgspec.Meta(min_length=3, max_length=3)
_PER_CHANNEL = msgspec.json.Decoder(Annotated[list[_NonNegative], _Triple])
# Source: the models of the later client, which refuse anything else.
_SHOWN: Mapping[str, msgspec.json.Decoder[Any]] = {
    "custom": msgspec.json.Decoder(dict[str, msgspec.Raw]),
    "dynamic": msgspec.json.Decoder(dict[str, msgspec.Raw]),
    "sharpness": msgspec.json.Decoder(_NonNegative),
    "snr": msgspec.json.Decoder(_NonNegative),
    "sizeInBytes": msgspec.json.Decoder(_Count),
    "mean": msgspec.json.Decoder(Annotated[list[_Fraction], _Triple]),
    "std": _PER_CHANNEL,
    "sumOfValues": _PER_CHANNEL,
    "sumOfSquares": _PER_CHANNEL,
    "shape": msgspec.json.Decoder(Annotated[list[_Count], _Triple]),
    "luminance": msgspec.json.Decoder(Annotated[float, msgspec.Meta(ge=0, le=100)]),
    "uniformRowRatio": msgspec.json.Decoder(_Fraction),
}


def check_dataset_name(name: str) -> None:
    """Letters, digits, blanks, underscores and dashes; first a letter or digit; 3 to 255 characters.

    Raises:
        QuadratError: invalid.
    """
    if len(name) > MAX_DATASET_NAME or _DATASET_NAME.fullmatch(name) is None:
        raise QuadratError(
            ErrorKind.INVALID,
            f"A dataset name has 3 to {MAX_DATASET_NAME} letters, digits, blanks, underscores and dashes, "
            "and begins with a letter or digit.",
            field="name",
        )


def check_file_name(name: str) -> None:
    """Anything but nothing: names are opaque, as long as the database can hold them.

    Raises:
        QuadratError: invalid.
    """
    if not 1 <= len(name) <= MAX_FILE_NAME:
        raise QuadratError(ErrorKind.INVALID, f"A file name has 1 to {MAX_FILE_NAME} characters.", field="file_name")
    if _UNSTORABLE.search(name):
        raise QuadratError(
            ErrorKind.INVALID, "A file name may not contain NUL characters or lone surrogates.", field="file_name"
        )


def storable(text: str) -> str:
    """The text without what PostgreSQL cannot store: NUL and lone surrogates, as ordinary photographs carry them."""
    return _UNSTORABLE.sub("", text)


def clean(value: Any, depth: int = MAX_DEPTH) -> Any:
    """A JSON value that PostgreSQL takes and gives back equal.

    NaN and the infinities become null. NUL and lone surrogates disappear from strings and keys.

    Raises:
        QuadratError: invalid, when it is nested more than `MAX_DEPTH` deep.
    """
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float):
        return _clean_number(value)
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        raise QuadratError(ErrorKind.INVALID, f"JSON may be nested at most {MAX_DEPTH} deep.")
    if isinstance(value, dict):
        return {storable(key): clean(item, depth - 1) for key, item in value.items()}
    return [clean(item, depth - 1) for item in value]


def _clean_number(value: float) -> Any:
    if not math.isfinite(value):
        return None
    if abs(value) < _LARGE:
        return value
    return msgspec.Raw(f"{value:.1f}".encode())


def encode_document(value: Mapping[str, Any], field: str) -> JsonText:
    """A free JSON object as it is stored.

    Args:
        value: From the caller, uncleaned.
        field: What it is, for the refusal.

    Raises:
        QuadratError: invalid, when it is nested too deep or too long.
    """
    encoded = _encoder.encode(clean(dict(value)))
    if len(encoded) > MAX_DOCUMENT_BYTES:
        raise QuadratError(
            ErrorKind.INVALID,
            f"{field} has {len(encoded)} bytes as JSON; at most {MAX_DOCUMENT_BYTES} are stored.",
            field=field,
            detail={"code": "CUSTOM_METADATA_AT_MAX_SIZE"} if field == "custom_metadata" else None,
        )
    return JsonText(encoded.decode())


def new_sample(file_name: str, thumb_name: str | None, documents: Documents) -> NewSample:
    """What is said of a sample, checked, with the digest by which its repetition is known.

    Raises:
        QuadratError: invalid.
    """
    check_file_name(file_name)
    thumb_name = None if thumb_name is None else storable(thumb_name)
    said = (
        file_name,
        thumb_name,
        documents.exif,
        documents.metadata,
        documents.custom_metadata,
        documents.video_frame,
        documents.crop,
    )
    return NewSample(file_name, thumb_name, documents, sha256(_encoder.encode(said)).digest())


def name_digest(file_name: str) -> bytes:
    """By what a file name is found: names may be longer than an index entry."""
    return sha256(file_name.encode()).digest()


def kind_of(documents: Documents) -> SampleKind:
    """A crop when it was cut out, else a frame when it comes from a video, else an image."""
    if documents.crop is not None:
        return SampleKind.CROP
    return SampleKind.IMAGE if documents.video_frame is None else SampleKind.VIDEO_FRAME


def shown_metadata(stored: JsonText | None, measured: JsonText | None = None) -> dict[str, Any]:
    """The part of the stored metadata that clients accept: twelve keys, each within its bounds.

    Anything else stays stored: other keys, grayscale values with one channel, a mean outside 0..1.

    Args:
        stored: What a client sent.
        measured: What the server found, for keys that no client sent.
    """
    given = {} if stored is None else _decoder.decode(stored)
    found = {} if measured is None else _decoder.decode(measured)
    shown = {}
    for key, raw in {**found, **given}.items():
        decoder = _SHOWN.get(key)
        if decoder is None:
            continue
        try:
            shown[key] = decoder.decode(raw)
        except msgspec.ValidationError:
            continue
    return shown


def dataset_folder(dataset_id: DatasetId) -> str:
    """The prefix of all blob keys of a dataset."""
    return f"{BLOB_FOLDER}/{dataset_id}"


def blob_key(dataset_id: DatasetId, sample_id: SampleId, rendition: Rendition) -> str:
    """Where the bytes of a rendition lie; made from ids alone."""
    return f"{dataset_folder(dataset_id)}/{sample_id}/{rendition}"


def parse_blob_key(key: str) -> tuple[DatasetId, SampleId, Rendition] | None:
    """What a key names; None when it is not the key of an image sample."""
    match = _BLOB_KEY.fullmatch(key)
    if match is None:
        return None
    dataset_id, sample_id, rendition = match.groups()
    return DatasetId(dataset_id), SampleId(sample_id), Rendition(rendition)


def csv_key(dataset_id: DatasetId, embedding_id: EmbeddingId) -> str:
    """Where the CSV of an embedding lies."""
    return f"{dataset_folder(dataset_id)}/{embedding_id}/csv"


def parse_csv_key(key: str) -> tuple[DatasetId, EmbeddingId] | None:
    """What a key names; None when it is not the key of an embedding's CSV."""
    match = _CSV_KEY.fullmatch(key)
    return None if match is None else (DatasetId(match[1]), EmbeddingId(match[2]))
