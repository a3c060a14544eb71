import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avground.data.segments import sample_rows


def naive(rows, layout, segments):
    """Continue the file by its last row, then take the first row of each stretch."""
    full = list(range(rows))
    while len(full) < layout:
        full.append(full[-1])
    stretch = layout // segments
    return [full[stretch * segment] for segment in range(segments)]


@given(st.data())
def test_against_the_naive_way(data):
    layout = data.draw(st.sampled_from([10, 60]) | st.integers(1, 60))
    rows = data.draw(st.integers(1, layout))
    segments = data.draw(st.integers(1, layout))
    assert sample_rows(rows, layout, segments).tolist() == naive(rows, layout, segments)


@pytest.mark.parametrize(
    ("rows", "layout", "expected"),
    [
        (60, 60, [0, 6, 12, 18, 24, 30, 36, 42, 48, 54]),
        (10, 10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (45, 60, [0, 6, 12, 18, 24, 30, 36, 42, 44, 44]),
        (7, 10, [0, 1, 2, 3, 4, 5, 6, 6, 6, 6]),
        (7, 60, [0, 6, 6, 6, 6, 6, 6, 6, 6, 6]),
        (1, 60, [0] * 10),
    ],
)
def test_ten_segments(rows, layout, expected):
    np.testing.assert_array_equal(sample_rows(rows, layout, 10), expected)
