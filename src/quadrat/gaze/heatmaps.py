"""Draws heatmaps of plans that are allowed already."""

import asyncio
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.files import read_reference_picture
from quadrat.gaze.analysis import Analyst, Plan, plane_of
from quadrat.gaze.pictures.pool import Pictures
from quadrat.gaze.rules import heatmaps
from quadrat.gaze.rules.heatmaps import Grid, HeatmapOptions
from quadrat.gaze.rules.label_image import on_plane
from quadrat.gaze.rules.statistics import Fixations
from quadrat.gaze.types import MappedRecording, MappingId, Size
from quadrat.storage.blobs import BlobStore


@dataclass(frozen=True, slots=True)
class Heatmap:
    """A drawn map.

    Args:
        grid: Values 0..1, row 0 at the top.
        png: The map alone.
        overlay: The map over the reference image.
    """

    grid: Grid
    png: bytes
    overlay: bytes


def aspect_of(plan: Plan) -> float:
    """Width by height of the plane; square where it has no picture."""
    reference = plan.enrichment.reference
    size = None if reference is None or reference.size is None else reference.size
    return 1.0 if size is None else size.width / size.height


async def compute_grid(analyst: Analyst, plan: Plan, options: HeatmapOptions) -> Grid:
    """The values of a heatmap.

    Raises:
        QuadratError: invalid.
    """
    options.check()
    found = await analyst.fixations_of(plan)
    return await asyncio.to_thread(_grid, plan, found, options)


def _grid(plan: Plan, found: dict[MappingId, Fixations], options: HeatmapOptions) -> Grid:
    bins = heatmaps.bins_of(aspect_of(plan), options.n_bins)
    grid = np.zeros((bins[1], bins[0]))
    for mapping in plan.mappings:
        grid += _collect(plan, mapping, found[mapping.id], (bins, options.by_duration))
    return heatmaps.smooth(grid, options.sigma)


def _collect(plan: Plan, mapping: MappedRecording, fixations: Fixations, how: tuple[tuple[int, int], bool]) -> Grid:
    bins, by_duration = how
    width, height = plane_of(plan.enrichment, mapping.unit)
    on = fixations.detected & on_plane(fixations.x, fixations.y, (width, height))
    lengths = (fixations.end_ns - fixations.start_ns)[on].astype(np.float64)
    weights = lengths if by_duration else np.ones(len(lengths))
    return heatmaps.collect(fixations.x[on] / width, fixations.y[on] / height, weights, bins)


async def draw(sources: tuple[BlobStore, Pictures], plan: Plan, grid: Grid, options: HeatmapOptions) -> Heatmap:
    """The map as pictures, alone and over the reference image, or over white where there is none."""
    blobs, pictures = sources
    size = heatmaps.picture_size(aspect_of(plan), options)
    reference = plan.enrichment.reference
    picture = None if reference is None else await read_reference_picture(blobs, reference)
    if picture is None:
        background = np.full((size.height, size.width, 3), 255, np.uint8)
    else:
        background = await pictures.resize(picture, size)
    png, overlay = await asyncio.to_thread(_draw_both, grid, background, options)
    return Heatmap(grid, png, overlay)


def _draw_both(grid: Grid, background: NDArray[np.uint8], options: HeatmapOptions) -> tuple[bytes, bytes]:
    size = Size(background.shape[1], background.shape[0])
    values = heatmaps.enlarge(grid, size)
    return heatmaps.draw_png(values, options.colormap), heatmaps.lay_over(values, background, options.colormap)


async def read_background(blobs: BlobStore, plan: Plan) -> bytes:
    """The reference image of an enrichment.

    Raises:
        QuadratError: not_found for a plane without a picture.
    """
    reference = plan.enrichment.reference
    picture = None if reference is None else await read_reference_picture(blobs, reference)
    if picture is None:
        raise QuadratError(ErrorKind.NOT_FOUND, "This enrichment has no reference image.")
    return picture
