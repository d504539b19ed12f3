"""Asking for an import, and answering what it asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, ProjectId
from quadrat.jobs import actions as jobs
from quadrat.jobs.types import JobId, JobState, Queueing
from quadrat.objects.actions.access import open_set
from quadrat.objects.actions.files import check_source
from quadrat.objects.importing.types import ImportOptions
from quadrat.objects.rules.simple import SameValues, read_values
from quadrat.objects.store import imports as store
from quadrat.objects.store.sets import note_use
from quadrat.objects.types import Permission

IMPORT_ARCHIVE = "objects.import_archive"
IMPORT_IMAGES = "objects.import_images"
_QUESTIONS = ("users", "taxa")
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Source:
    """Where an import comes from.

    Args:
        path: As the wire API calls it.
        common_dir: The folder that all share, if there is one.
    """

    path: str
    common_dir: Path | None


async def request_import(
    tx: AsyncConnection, caller: Caller, project_id: ProjectId, source: Source, options: ImportOptions
) -> JobId:
    """Import an archive; the job that does it.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    await open_set(tx, caller, project_id, Permission.IMPORT)
    await check_source(tx, caller, source.common_dir, source.path)
    params = {
        "source": source.path,
        "mappings": dict(options.mappings),
        "skip_loaded_files": options.skip_loaded_files,
        "skip_existing_objects": options.skip_existing_objects,
        "update_mode": options.update_mode.value,
    }
    return await _enqueue(tx, caller, project_id, IMPORT_ARCHIVE, params)


async def request_simple_import(
    tx: AsyncConnection,
    caller: Caller,
    project_id: ProjectId,
    source: Source,
    values: Mapping[str, str],
    *,
    dry_run: bool,
) -> tuple[JobId | None, list[str]]:
    """Import a folder or zip of images that share all they have; the job, or what is wrong with the values.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    await open_set(tx, caller, project_id, Permission.IMPORT)
    values = await _with_address(tx, values)
    same, problems = read_values(values)
    problems += await _unknown_names(tx, same)
    if problems or dry_run:
        return None, problems
    await check_source(tx, caller, source.common_dir, source.path)
    params: dict[str, Any] = {"source": source.path, "values": dict(values)}
    return await _enqueue(tx, caller, project_id, IMPORT_IMAGES, params), []


async def _enqueue(
    tx: AsyncConnection, caller: Caller, project_id: ProjectId, kind: str, params: Mapping[str, Any]
) -> JobId:
    await note_use(tx, caller.user_id, project_id)
    one_at_a_time = Queueing(lock=f"objects.import:{project_id}")
    return await jobs.enqueue(tx, kind, params, owner_id=caller.user_id, project_id=project_id, queueing=one_at_a_time)


async def _with_address(tx: AsyncConnection, values: Mapping[str, str]) -> Mapping[str, str]:
    """The values with the address of a person that they name by number."""
    number = values.get("userlb", "").strip()
    address = await store.email_of(tx, int(number)) if _is_number(number) else None
    return values if address is None else {**values, "userlb": address}


async def _unknown_names(tx: AsyncConnection, same: SameValues) -> list[str]:
    problems = []
    if same.taxon is not None and not await _taxon_exists(tx, same.taxon):
        problems.append(f"'{same.taxon}' is not a valid value for taxolb")
    if same.person is not None and not await store.find_people(tx, [same.person]):
        problems.append(f"'{same.person}' is not a valid value for userlb")
    return problems


async def _taxon_exists(tx: AsyncConnection, taxon: str) -> bool:
    if _is_number(taxon):
        return bool(await store.existing_taxa(tx, [int(taxon)]))
    return bool(await store.find_taxa(tx, [taxon]))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


async def answer_import(tx: AsyncConnection, caller: Caller, job_id: JobId, reply: Mapping[str, Any]) -> None:
    """Say which users and taxa are meant; the import goes on.

    Raises:
        QuadratError: not_found; wrong_state; invalid for what is no user or taxon.
    """
    job = await jobs.get_job(tx, caller, job_id, for_update=True)
    if job.kind not in {IMPORT_ARCHIVE, IMPORT_IMAGES} or job.state is not JobState.ASKING:
        raise QuadratError(ErrorKind.WRONG_STATE, f"This job is {job.state}; it asks nothing.")
    given = {name: _numbers(reply.get(name, {}), name) for name in _QUESTIONS}
    for name, known in (
        ("users", await store.existing_users(tx, given["users"].values())),
        ("taxa", await store.existing_taxa(tx, given["taxa"].values())),
    ):
        unknown = sorted(set(given[name].values()) - known)
        if unknown:
            raise QuadratError(ErrorKind.INVALID, f"There is no {name} {unknown[0]}.", field=name)
    merged = {name: {**job.reply.get(name, {}), **given[name]} for name in _QUESTIONS}
    await jobs.answer(tx, caller, job_id, merged)


def _numbers(given: Any, field: str) -> dict[str, int]:
    if not isinstance(given, Mapping):
        raise QuadratError(ErrorKind.INVALID, f"{field} has to be a map from names to numbers.", field=field)
    found = {}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
            raise QuadratError(ErrorKind.INVALID, f"The number for {name} is none.", field=field)
        found[str(name).lower()] = value
    return found
