"""Heatmaps: where fixations lie, blurred, in colours. Pure.

Source: spec of the areas-of-interest API, section 2.6: a histogram with 300 bins on the wider side, a Gaussian blur,
division by the maximum, Lanczos to the size of the picture. The colour maps are published approximations: Turbo by
Google (Apache-2.0), Viridis, Magma and Inferno as polynomials by Matt Zucker (CC0), Cividis as one fitted to the map of
Nunez, Anderton and Renslow (2018, CC0), Jet by its piecewise definition.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.rules.png import write_png
from quadrat.gaze.types import Size

Grid = NDArray[np.float64]

MAX_BINS = 2000
MAX_SIDE_PX = 8192
_DEFAULT_SIDE_PX = 512
_LOBES = 3


class Colormap(StrEnum):
    """By the names that clients send."""

    TURBO = "Turbo"
    JET = "Jet"
    MAGMA = "Magma"
    VIRIDIS = "Viridis"
    INFERNO = "Inferno"
    CIVIDIS = "Cividis"
    TRAFFIC_LIGHT = "Traffic Light"


_POLYNOMIALS: dict[Colormap, tuple[tuple[float, float, float], ...]] = {
    Colormap.TURBO: (
        (0.13572138, 0.09140261, 0.10667330),
        (4.61539260, 2.19418839, 12.64194608),
        (-42.66032258, 4.84296658, -60.58204836),
        (132.13108234, -14.18503333, 110.36276771),
        (-152.94239396, 4.27729857, -89.90310912),
        (59.28637943, 2.82956604, 27.34824973),
    ),
    Colormap.VIRIDIS: (
        (0.2777273272, 0.0054073445, 0.3340998053),
        (0.1050930431, 1.4046135299, 1.3845901626),
        (-0.3308618287, 0.2148475595, 0.0950951630),
        (-4.6342304990, -5.7991009734, -19.3324409563),
        (6.2282699363, 14.1799333668, 56.6905526007),
        (4.7763849977, -13.7451453777, -65.3530326334),
        (-5.4354558559, 4.6458526122, 26.3124352496),
    ),
    Colormap.INFERNO: (
        (0.0002189404, 0.0016510046, -0.0194808984),
        (0.1065134195, 0.5639564368, 3.9327123889),
        (11.6024930825, -3.9728539657, -15.9423941063),
        (-41.7039961314, 17.4363988821, 44.3541451987),
        (77.1629356994, -33.4023589421, -81.8073092574),
        (-71.3194282450, 32.6260642640, 73.2095198580),
        (25.1311262248, -12.2426689524, -23.0703250029),
    ),
    Colormap.CIVIDIS: (
        (-0.0089734425, 0.1367558936, 0.2941701871),
        (-0.3846890463, 0.6394937024, 2.9826539258),
        (15.4292103485, 0.3855616507, -22.3637603722),
        (-58.9770314611, -1.4041971194, 74.8635610980),
        (102.3704915104, 2.6009142965, -121.3031642206),
        (-83.1872389608, -2.1407503893, 93.9742163957),
        (25.7760701436, 0.6881223150, -28.2625330184),
    ),
    Colormap.MAGMA: (
        (-0.0021364851, -0.0007496551, -0.0053861279),
        (0.2516605407, 0.6775232437, 2.4940265993),
        (8.3537172792, -3.5777195150, 0.3144679030),
        (-27.6687330877, 14.2647307810, -13.6492131881),
        (52.1761398123, -27.9436060717, 12.9441694424),
        (-50.7685253647, 29.0465828213, 4.2341529938),
        (18.6557050659, -11.4897735200, -5.6019615087),
    ),
}


@dataclass(frozen=True, slots=True)
class HeatmapOptions:
    """How to draw.

    Args:
        n_bins: On the wider side.
        sigma: Of the blur, as a fraction of the wider side.
        width: In pixels; None follows from the height, else the map fits in 512 x 512.
        height: As width.
        max_size: Caps the longer side.
        by_duration: Weigh each fixation with its duration; otherwise all count alike.
    """

    n_bins: int = 300
    sigma: float = 0.05
    width: int | None = None
    height: int | None = None
    max_size: int | None = None
    colormap: Colormap = Colormap.TURBO
    by_duration: bool = False

    def check(self) -> None:
        """Refuse what cannot be drawn.

        Raises:
            QuadratError: invalid.
        """
        limits = {"n_bins": MAX_BINS, "width": MAX_SIDE_PX, "height": MAX_SIDE_PX, "max_size": MAX_SIDE_PX}
        for field, highest in limits.items():
            value = getattr(self, field)
            if value is not None and not 1 <= value <= highest:
                raise QuadratError(ErrorKind.INVALID, f"{field} is a number from 1 to {highest}.", field=field)
        if not 0 <= self.sigma <= 1:
            raise QuadratError(ErrorKind.INVALID, "sigma is a number from 0 to 1.", field="sigma")


def bins_of(aspect: float, n_bins: int) -> tuple[int, int]:
    """Bins along x and y: `n_bins` on the wider side, the other by the aspect ratio (width / height)."""
    if aspect >= 1:
        return n_bins, max(1, round(n_bins / aspect))
    return max(1, round(n_bins * aspect)), n_bins


def collect(x: Grid, y: Grid, weights: Grid, bins: tuple[int, int]) -> Grid:
    """A histogram of positions in 0..1, indexed [row from the top, column]."""
    columns = np.minimum((x * bins[0]).astype(np.int64), bins[0] - 1)
    rows = np.minimum((y * bins[1]).astype(np.int64), bins[1] - 1)
    flat = np.bincount(rows * bins[0] + columns, weights, minlength=bins[0] * bins[1])
    return flat.reshape(bins[1], bins[0]).astype(np.float64)


def smooth(grid: Grid, sigma: float) -> Grid:
    """Blur with a Gaussian whose sigma is a fraction of the wider side, and divide by the maximum."""
    blurred = grid
    sigma_bins = sigma * max(grid.shape)
    if sigma_bins > 0:
        for axis in (0, 1):
            blurred = _blur(blurred, sigma_bins, axis)
    highest = blurred.max(initial=0.0)
    return blurred / highest if highest > 0 else blurred


def _blur(grid: Grid, sigma: float, axis: int) -> Grid:
    """One direction; beyond the edge there is nothing to look at, hence zeros."""
    length = grid.shape[axis]
    places = np.arange(length)
    kernel = np.exp(-0.5 * ((places[:, None] - places[None, :]) / sigma) ** 2)
    kernel /= np.exp(-0.5 * (np.arange(-4 * length, 4 * length + 1) / sigma) ** 2).sum()
    blurred: Grid = kernel @ grid if axis == 0 else grid @ kernel
    return blurred


def picture_size(aspect: float, options: HeatmapOptions) -> Size:
    """Pixels of the picture."""
    width, height = options.width, options.height
    if width is None and height is None:
        width = _DEFAULT_SIDE_PX if aspect >= 1 else max(1, round(_DEFAULT_SIDE_PX * aspect))
        height = max(1, round(width / aspect))
    elif height is None and width is not None:
        height = max(1, round(width / aspect))
    elif width is None and height is not None:
        width = max(1, round(height * aspect))
    assert width is not None and height is not None  # noqa: S101, PT018 - one of the branches has set both
    longest = max(width, height)
    cap = min(options.max_size or MAX_SIDE_PX, MAX_SIDE_PX)
    if longest > cap:
        width, height = max(1, round(width * cap / longest)), max(1, round(height * cap / longest))
    return Size(width, height)


def colors(values: Grid, colormap: Colormap) -> NDArray[np.uint8]:
    """RGB of values in 0..1."""
    v = np.clip(values, 0, 1)
    if colormap in _POLYNOMIALS:
        rgb = np.zeros((*v.shape, 3))
        for coefficients in reversed(_POLYNOMIALS[colormap]):
            rgb = rgb * v[..., None] + np.asarray(coefficients)
    elif colormap is Colormap.JET:
        rgb = np.stack([1.5 - np.abs(4 * v - 3), 1.5 - np.abs(4 * v - 2), 1.5 - np.abs(4 * v - 1)], axis=-1)
    else:
        # Green over yellow to red.
        rgb = np.stack([np.minimum(1, 2 * v), np.minimum(1, 2 - 2 * v), np.zeros_like(v)], axis=-1)
    return (np.clip(rgb, 0, 1) * 255).round().astype(np.uint8)


def enlarge(grid: Grid, size: Size) -> Grid:
    """The map at the size of a picture, by a Lanczos filter; values stay within 0..1."""
    rows = _lanczos(grid.shape[0], size.height)
    columns = _lanczos(grid.shape[1], size.width)
    return np.clip(rows @ grid @ columns.T, 0, 1)


def _lanczos(n_in: int, n_out: int) -> Grid:
    """Weights of each input for each output along one side; a side that shrinks is smoothed as far as it shrinks."""
    scale = max(1.0, n_in / n_out)
    centers = (np.arange(n_out) + 0.5) * n_in / n_out - 0.5
    distance = (np.arange(n_in)[None, :] - centers[:, None]) / scale
    weights = np.where(np.abs(distance) < _LOBES, np.sinc(distance) * np.sinc(distance / _LOBES), 0.0)
    normalized: Grid = weights / weights.sum(axis=1, keepdims=True)
    return normalized


def draw_png(values: Grid, colormap: Colormap) -> bytes:
    """The map alone: RGBA, its alpha grows with the value."""
    alpha = (values * 255).round().astype(np.uint8)
    return write_png(np.dstack([colors(values, colormap), alpha]))


def lay_over(values: Grid, background: NDArray[np.uint8], colormap: Colormap) -> bytes:
    """The map over the reference image, RGB at the same size."""
    shown = values[..., None]
    mixed = colors(values, colormap) * shown + background * (1 - shown)
    return write_png(mixed.round().astype(np.uint8))
