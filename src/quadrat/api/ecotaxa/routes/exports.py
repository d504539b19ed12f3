"""Exports of object sets: each answers the job that makes the file."""

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.api.ecotaxa.auth import SignedIn
from quadrat.api.ecotaxa.convert import exports as convert
from quadrat.api.ecotaxa.schemas.exports import (
    BackupExportBody,
    ExportBody,
    ExportRsp,
    GeneralExportBody,
    SummaryExportBody,
)
from quadrat.api.guard import new_router
from quadrat.api.state import Limits
from quadrat.api.wire import Tx
from quadrat.identity.types import Caller
from quadrat.objects.actions import exports

router = new_router("objects")


@router.post("/object_set/export", operation_id="export_object_set", deprecated=True)
async def export_object_set(request: Request, tx: Tx, caller: SignedIn, body: ExportBody) -> ExportRsp:
    """Tables, a backup or sums, as they were asked for before the three below."""
    return await _asked(request, tx, caller, exports.EXPORT_ANY, body)


@router.post("/object_set/export/general", operation_id="export_object_set_general")
async def export_object_set_general(request: Request, tx: Tx, caller: SignedIn, body: GeneralExportBody) -> ExportRsp:
    """Tables as a zip, with images or without."""
    return await _asked(request, tx, caller, exports.EXPORT_TABLES, body)


@router.post("/object_set/export/summary", operation_id="export_object_set_summary")
async def export_object_set_summary(request: Request, tx: Tx, caller: SignedIn, body: SummaryExportBody) -> ExportRsp:
    """Abundances, concentrations or biovolumes as a table."""
    return await _asked(request, tx, caller, exports.EXPORT_SUMMARY, body)


@router.post("/object_set/export/backup", operation_id="export_object_set_backup")
async def export_object_set_backup(request: Request, tx: Tx, caller: SignedIn, body: BackupExportBody) -> ExportRsp:
    """A zip that can be imported again."""
    return await _asked(request, tx, caller, exports.EXPORT_BACKUP, body)


async def _asked(request: Request, tx: AsyncConnection, caller: Caller, kind: str, body: convert.Body) -> ExportRsp:
    limits: Limits = request.state.limits
    needed = convert.RIGHTS[limits.export_right]
    return convert.answer(*await exports.request_export(tx, caller, kind, convert.request(body), needed))
