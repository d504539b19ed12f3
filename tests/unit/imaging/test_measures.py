"""The numbers of a picture against a naive computation over all values."""

import math
from itertools import product
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from quadrat.imaging import decode
from quadrat.imaging.decode import measure, read_picture

KERNEL = (-1, -1, -1, -1, 8, -1, -1, -1, -1)


def noise(size: tuple[int, int]) -> Image.Image:
    return Image.merge("RGB", [Image.effect_noise(size, sigma) for sigma in (20, 60, 90)])


def deviation(values: list[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


# Sizes around the height of a strip and of a block, and pictures too small for the filter.
@pytest.mark.parametrize("strip_pixels", [1, 2**20])
@pytest.mark.parametrize("size", [(37, 255), (40, 256), (23, 257), (11, 600), (900, 130), (1, 1), (2, 5), (300, 1)])
def test_measures_equal_those_of_whole_arrays(
    size: tuple[int, int], strip_pixels: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(decode, "_STRIP_PIXELS", strip_pixels)
    image = noise(size)
    width, height = size
    found = measure(image)
    for band, channel in enumerate(image.split()):
        values = [value / 255 for value in channel.tobytes()]
        assert found.mean[band] == pytest.approx(math.fsum(values) / len(values), rel=1e-12)
        assert found.std[band] == pytest.approx(deviation(values), rel=1e-9, abs=1e-12)
        assert found.sum_of_values[band] == pytest.approx(math.fsum(values), rel=1e-12)
        assert found.sum_of_squares[band] == pytest.approx(math.fsum(v * v for v in values), rel=1e-12)
    raw = [float(value) for value in image.tobytes()]
    assert found.snr == pytest.approx(math.fsum(raw) / len(raw) / deviation(raw) if deviation(raw) else 0, rel=1e-9)
    whole = image.convert("L").filter(ImageFilter.Kernel((3, 3), KERNEL, scale=1))
    assert found.sharpness == pytest.approx(deviation([float(v) for v in whole.tobytes()]), rel=1e-9, abs=1e-9)
    assert found.shape == (height, width, 3)


def test_sharpness_is_that_of_a_filter_written_out():
    image = noise((9, 7)).convert("RGB")
    grey = image.convert("L")
    filtered = []
    for y, x in product(range(7), range(9)):
        if x in (0, 8) or y in (0, 6):
            filtered.append(float(grey.getpixel((x, y))))
            continue
        around = [grey.getpixel((x + dx, y + dy)) for dy, dx in product((-1, 0, 1), repeat=2)]
        total = sum(weight * value for weight, value in zip(KERNEL, around, strict=True))
        filtered.append(float(min(255, max(0, total))))
    assert measure(image).sharpness == pytest.approx(deviation(filtered), rel=1e-9)


def test_brightest_and_most_jagged_pictures_overflow_nothing():
    white = measure(Image.new("RGB", (640, 480), "white"))
    assert (white.luminance, white.mean) == (pytest.approx(100), (1, 1, 1))
    inside = 638 * 478 / (640 * 480)
    assert white.sharpness == pytest.approx(255 * math.sqrt(inside * (1 - inside)), rel=1e-12)
    # Every other pixel is white: the filter gives 255 and less than 0 in turn.
    board = Image.frombytes("L", (641, 401), (bytes((255, 0)) * (641 * 401 // 2 + 1))[: 641 * 401]).convert("RGB")
    filtered = board.convert("L").filter(ImageFilter.Kernel((3, 3), KERNEL, scale=1))
    assert measure(board).sharpness == pytest.approx(deviation([float(v) for v in filtered.tobytes()]), rel=1e-12)


def test_flat_picture_has_no_deviation_and_only_uniform_rows():
    found = measure(Image.new("RGB", (20, 30), (10, 10, 10)))
    assert (found.snr, found.std, found.uniform_row_ratio) == (0, (0, 0, 0), 1)
    half = Image.new("RGB", (20, 30), "black")
    half.paste(noise((20, 15)), (0, 15))
    assert measure(half).uniform_row_ratio == 0.5
    assert measure(Image.new("RGB", (4, 4), "white")).luminance == pytest.approx(100)


def test_perceptual_hash_survives_size_format_and_quality_and_tells_pictures_apart(tmp_path: Path):
    def bits(image: Image.Image, name: str, **options: int) -> int:
        image.save(tmp_path / name, **options)
        return read_picture(tmp_path / name, 10**9).perceptual_hash

    scene = Image.radial_gradient("L").crop((0, 0, 200, 150)).resize((640, 480)).convert("RGB")
    scene.paste((200, 30, 30), (50, 60, 220, 300))
    other = Image.linear_gradient("L").rotate(90).resize((640, 480)).convert("RGB")
    first = bits(scene, "a.png")
    assert (first ^ bits(scene, "b.jpg", quality=40)).bit_count() <= 4
    assert (first ^ bits(scene.resize((320, 240)), "c.webp", quality=60)).bit_count() <= 4
    assert (first ^ bits(other, "d.png")).bit_count() >= 12
    assert -(2**63) <= first < 2**63
