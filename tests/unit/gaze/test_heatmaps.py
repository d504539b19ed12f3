import io

import numpy as np
import pytest
from PIL import Image

from quadrat.errors import QuadratError
from quadrat.gaze.rules import heatmaps
from quadrat.gaze.rules.heatmaps import Colormap, HeatmapOptions
from quadrat.gaze.types import Size


def test_wider_side_has_the_bins_and_the_other_follows():
    assert heatmaps.bins_of(4 / 3, 300) == (300, 225)
    assert heatmaps.bins_of(0.5, 300) == (150, 300)


def test_histogram_counts_rows_from_the_top():
    x, y = np.array([0.0, 0.99, 0.5]), np.array([0.0, 0.99, 0.99])
    assert heatmaps.collect(x, y, np.ones(3), (2, 2)).tolist() == [[1, 0], [0, 2]]


def test_blur_is_a_gaussian_of_the_wider_side_and_its_highest_value_is_one():
    grid = np.zeros((21, 41))
    grid[10, 20] = 5
    blurred = heatmaps.smooth(grid, 0.05)
    assert blurred.max() == 1
    sigma = 0.05 * 41
    assert blurred[10, 22] == pytest.approx(np.exp(-0.5 * (2 / sigma) ** 2))
    assert blurred[12, 20] == pytest.approx(np.exp(-0.5 * (2 / sigma) ** 2))
    assert (heatmaps.smooth(np.zeros((3, 3)), 0.05) == 0).all()


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (HeatmapOptions(), Size(512, 384)),
        (HeatmapOptions(width=200), Size(200, 150)),
        (HeatmapOptions(height=300), Size(400, 300)),
        (HeatmapOptions(width=800, height=600, max_size=400), Size(400, 300)),
    ],
)
def test_picture_keeps_the_aspect_and_the_cap(options: HeatmapOptions, size: Size):
    assert heatmaps.picture_size(4 / 3, options) == size


@pytest.mark.parametrize(
    "options",
    [HeatmapOptions(n_bins=0), HeatmapOptions(sigma=2), HeatmapOptions(width=10**6), HeatmapOptions(max_size=-1)],
)
def test_what_cannot_be_drawn_is_refused(options: HeatmapOptions):
    with pytest.raises(QuadratError):
        options.check()


@pytest.mark.parametrize(
    ("colormap", "low", "high"),
    [
        (Colormap.VIRIDIS, (68, 1, 84), (253, 231, 37)),
        (Colormap.MAGMA, (0, 0, 4), (252, 253, 191)),
        (Colormap.INFERNO, (0, 0, 4), (252, 255, 164)),
        (Colormap.CIVIDIS, (0, 34, 78), (254, 232, 56)),
        (Colormap.TURBO, (48, 18, 59), (122, 4, 3)),
        (Colormap.JET, (0, 0, 128), (128, 0, 0)),
        (Colormap.TRAFFIC_LIGHT, (0, 255, 0), (255, 0, 0)),
    ],
)
def test_colour_maps_end_where_the_published_ones_do(colormap: Colormap, low: tuple, high: tuple):
    ends = heatmaps.colors(np.array([0.0, 1.0]), colormap).astype(int)
    assert np.abs(ends - np.array([low, high])).max() <= 35


def test_alpha_grows_with_the_value():
    values = np.zeros((10, 10))
    values[0, 0] = 1
    picture = np.asarray(Image.open(io.BytesIO(heatmaps.draw_png(values, Colormap.JET))))
    assert picture.shape == (10, 10, 4)
    assert picture[0, 0, 3] == 255
    assert picture[9, 9, 3] == 0


@pytest.mark.parametrize("size", [Size(37, 23), Size(400, 300), Size(11, 7)])
def test_enlarging_is_the_lanczos_filter_that_others_use(size: Size):
    grid = heatmaps.smooth(np.random.default_rng(1).random((23, 37)), 0.05)
    resized = Image.fromarray(grid.astype(np.float32)).resize((size.width, size.height), Image.Resampling.LANCZOS)
    assert np.abs(heatmaps.enlarge(grid, size) - np.clip(np.asarray(resized), 0, 1)).max() < 0.005


def test_overlay_shows_the_reference_image_where_nobody_looked():
    background = np.full((20, 20, 3), (10, 20, 30), np.uint8)
    laid = heatmaps.lay_over(np.zeros((20, 20)), background, Colormap.TURBO)
    assert Image.open(io.BytesIO(laid)).getpixel((5, 5)) == (10, 20, 30)
