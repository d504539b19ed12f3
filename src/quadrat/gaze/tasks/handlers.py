"""The jobs of gaze."""

from quadrat.gaze.actions.cleaning import PURGE
from quadrat.gaze.actions.exports import EXPORT, RAW_EXPORT
from quadrat.gaze.actions.imports import DROP_UPLOAD, IMPORT
from quadrat.gaze.tasks.cleaning import drop_upload, purge
from quadrat.gaze.tasks.exports import export_enrichment
from quadrat.gaze.tasks.imports import import_files
from quadrat.gaze.tasks.raw_exports import export_raw
from quadrat.jobs.registry import Handler

HANDLERS = (
    Handler(IMPORT, import_files, max_attempts=3),
    Handler(EXPORT, export_enrichment),
    Handler(RAW_EXPORT, export_raw),
    Handler(DROP_UPLOAD, drop_upload),
    Handler(PURGE, purge),
)
