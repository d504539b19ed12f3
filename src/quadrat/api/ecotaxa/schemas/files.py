"""Wire models of files and imports."""

from typing import Literal

from pydantic import BaseModel, Field


class DirectoryEntryModel(BaseModel):
    """A name in a folder: D for a folder, F for a file."""

    name: str
    type: str
    size: int
    mtime: str


class DirectoryModel(BaseModel):
    """A folder."""

    path: str
    entries: list[DirectoryEntryModel]


class ImportReq(BaseModel):
    """An archive to be imported, and how."""

    source_path: str = Field(min_length=1, max_length=2000)
    taxo_mappings: dict[str, str] | None = {}
    skip_loaded_files: bool | None = False
    skip_existing_objects: bool | None = False
    update_mode: Literal["", "Yes", "Cla"] | None = ""


class ImportRsp(BaseModel):
    """The job that imports."""

    job_id: int
    errors: list[str]


class SimpleImportReq(BaseModel):
    """Images to be imported, and what all of them share."""

    source_path: str = Field(min_length=1, max_length=2000)
    values: dict[str, str]
    possible_values: list[str] | None = None


class SimpleImportRsp(BaseModel):
    """The job that imports, 0 when there is none; and what is wrong."""

    job_id: int
    errors: list[str]
