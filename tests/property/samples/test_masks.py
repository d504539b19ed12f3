"""Masks against sets of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from quadrat.samples.rules import masks
from quadrat.samples.types import MaskOperation

INDEXES = st.sets(st.integers(0, 3000))


@given(INDEXES)
def test_mask_holds_exactly_its_indexes(indexes: set[int]):
    mask = masks.mask_of(iter(indexes))
    assert masks.indexes_of(mask) == sorted(indexes)
    assert mask == sum(1 << index for index in indexes)
    assert masks.from_bytes(masks.to_bytes(mask)) == mask
    assert masks.parse_mask(masks.format_mask(mask), 3001) == mask


@given(INDEXES, INDEXES)
def test_operations_are_those_of_sets(first: set[int], second: set[int]):
    one, other = masks.mask_of(iter(first)), masks.mask_of(iter(second))
    assert masks.indexes_of(masks.combine(one, other, MaskOperation.UNION)) == sorted(first | second)
    assert masks.indexes_of(masks.combine(one, other, MaskOperation.INTERSECTION)) == sorted(first & second)
    assert masks.indexes_of(masks.combine(one, other, MaskOperation.DIFFERENCE)) == sorted(first - second)


@given(st.integers(0, 5000))
def test_mask_of_all_samples_has_a_bit_for_each(n_samples: int):
    assert masks.indexes_of(masks.all_of(n_samples)) == list(range(n_samples))
