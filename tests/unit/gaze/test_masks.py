import io

import numpy as np
import pytest
from PIL import Image

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.rules import masks
from quadrat.gaze.types import Box, Size


def refused(call, *arguments) -> QuadratError:
    with pytest.raises(QuadratError) as caught:
        call(*arguments)
    assert caught.value.kind is ErrorKind.INVALID
    return caught.value


def test_empty_mask_and_another_aspect_are_refused():
    full = np.ones((10, 20), bool)
    assert "empty" in refused(masks.check_mask, ~full, Size(200, 100)).message
    assert "aspect" in refused(masks.check_mask, full, Size(100, 100)).message
    assert "aspect" in refused(masks.check_mask, full, Size(206, 100)).message
    # A smaller mask is fine, and so are 2 %.
    assert masks.check_mask(full, Size(203, 100)) is full
    assert masks.check_mask(full, None) is full


@pytest.mark.parametrize("url", ["", "data:image/jpeg;base64,AAAA", "data:image/png;base64,***"])
def test_what_is_no_png_data_address_is_refused(url: str):
    refused(masks.decode_data_url, url)


def test_box_is_filled_at_the_size_of_the_image_with_rounded_edges():
    inside = masks.fill_box(Box(0.1, 0.5, 0.9, 0.2), Size(40, 30))
    expected = np.zeros((30, 40), bool)
    expected[6:27, 4:20] = True
    assert (inside == expected).all()
    refused(masks.fill_box, Box(1.5, 2, 0, 1), Size(40, 30))


def test_facts_are_in_normalised_coordinates_with_the_origin_at_the_top_left():
    inside = np.zeros((10, 20), bool)
    inside[2:5, 4:10] = True
    facts = masks.describe(inside)
    assert facts.box == Box(left=0.2, right=0.5, top=0.2, bottom=0.5)
    assert facts.centroid == pytest.approx((7 / 20, 3.5 / 10))
    assert facts.area_px == 18
    assert facts.area_share == pytest.approx(18 / 200)


def test_centroid_may_lie_in_a_hole():
    inside = np.ones((5, 5), bool)
    inside[1:4, 1:4] = False
    assert masks.describe(inside).centroid == (0.5, 0.5)


@pytest.mark.parametrize(
    ("color", "painted"),
    [
        ("#32CD32", (50, 205, 50)),
        ("#000000", (255, 255, 255)),
        ("#0F0F0F", (255, 255, 255)),
        ("tomato", (255, 255, 255)),
        (None, (255, 255, 255)),
    ],
)
def test_canonical_picture_reads_the_same_as_grey_and_as_alpha(color: str | None, painted: tuple[int, int, int]):
    inside = np.zeros((6, 7), bool)
    inside[1:4, 2:5] = True
    picture = np.asarray(Image.open(io.BytesIO(masks.paint(inside, color))))
    assert tuple(picture[2, 3]) == (*painted, 255)
    assert tuple(picture[0, 0]) == (0, 0, 0, 0)
    assert ((picture[..., 3] > 0) == inside).all()
    # As the tutorials decode: grey, alpha dropped.
    assert ((np.asarray(Image.fromarray(picture[..., :3]).convert("L")) > 0) == inside).all()


def test_packed_mask_comes_back():
    inside = np.random.default_rng(3).random((13, 17)) < 0.3
    assert (masks.unpack(masks.pack(inside), Size(17, 13)) == inside).all()


def test_run_lengths_begin_outside_and_have_to_add_up():
    assert masks.decode_rle([2, 3, 1], Size(3, 2)).tolist() == [[False, False, True], [True, True, False]]
    refused(masks.decode_rle, [2, 3], Size(3, 2))
    refused(masks.decode_rle, [-1, 7], Size(3, 2))


def test_polygon_covers_the_pixels_whose_centres_are_inside():
    square = masks.fill_polygon([(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)], Size(8, 8))
    expected = np.zeros((8, 8), bool)
    expected[2:6, 2:6] = True
    assert (square == expected).all()
    refused(masks.fill_polygon, [(0, 0), (1, 1)], Size(8, 8))
