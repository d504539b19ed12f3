"""Files and imports in the words of the object-set API."""

from collections.abc import Sequence

from quadrat.api.ecotaxa.schemas.files import DirectoryEntryModel, DirectoryModel, ImportReq
from quadrat.objects.actions.files import Entry
from quadrat.objects.importing.types import ImportOptions, UpdateMode


def directory(path: str, entries: Sequence[Entry]) -> DirectoryModel:
    """A folder."""
    return DirectoryModel(
        path=path,
        entries=[
            DirectoryEntryModel(
                name=entry.name,
                type="D" if entry.is_folder else "F",
                size=entry.size_bytes,
                mtime=entry.modified_at.replace(tzinfo=None).isoformat(timespec="seconds"),
            )
            for entry in entries
        ],
    )


def import_options(body: ImportReq) -> ImportOptions:
    """How an archive is imported. An update is of known objects, so it passes over none."""
    return ImportOptions(
        skip_loaded_files=bool(body.skip_loaded_files),
        skip_existing_objects=bool(body.skip_existing_objects),
        update_mode=UpdateMode(body.update_mode or ""),
        mappings={name.lower(): text for name, text in (body.taxo_mappings or {}).items()},
    )
