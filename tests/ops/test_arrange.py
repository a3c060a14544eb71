import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avground.errors import ShapeError
from avground.ops import concatenate, deinterleave, interleave, separate

PAIRS = {"interleave": (interleave, deinterleave), "concatenate": (concatenate, separate)}
SHAPES = st.tuples(st.lists(st.integers(1, 3), max_size=2), st.integers(0, 6), st.integers(1, 4)).map(
    lambda parts: (*parts[0], *parts[1:])
)
DTYPES = st.sampled_from((torch.float64, torch.float32, torch.bfloat16, torch.int64, torch.bool))


def two(shape, dtype=torch.float64):
    first = torch.arange(torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)
    return first.to(dtype), (first + 1000).to(dtype)


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_interleaving_alternates_segment_by_segment(leading):
    first, second = two((*leading, 4, 3))
    both = interleave(first, second)
    assert both.shape == (*leading, 8, 3)
    for segment in range(4):
        assert torch.equal(both[..., 2 * segment, :], first[..., segment, :])
        assert torch.equal(both[..., 2 * segment + 1, :], second[..., segment, :])


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_concatenating_puts_the_second_behind_the_first(leading):
    first, second = two((*leading, 4, 3))
    both = concatenate(first, second)
    for segment in range(4):
        assert torch.equal(both[..., segment, :], first[..., segment, :])
        assert torch.equal(both[..., 4 + segment, :], second[..., segment, :])


@pytest.mark.parametrize("name", PAIRS)
@given(shape=SHAPES, dtype=DTYPES)
def test_taking_apart_undoes_putting_together(name, shape, dtype):
    together, apart = PAIRS[name]
    first, second = two(shape, dtype)
    back = apart(together(first, second))
    assert torch.equal(back[0], first)
    assert torch.equal(back[1], second)


@pytest.mark.parametrize("name", PAIRS)
@given(shape=SHAPES, dtype=DTYPES)
def test_putting_together_undoes_taking_apart(name, shape, dtype):
    together, apart = PAIRS[name]
    both = two((*shape[:-2], 2 * shape[-2], shape[-1]), dtype)[0]
    assert torch.equal(together(*apart(both)), both)


@pytest.mark.parametrize("name", PAIRS)
def test_every_number_keeps_its_gradient(name):
    together, apart = PAIRS[name]
    first, second = (stream.requires_grad_() for stream in two((2, 3, 2)))
    assert torch.autograd.gradcheck(together, (first, second))
    assert torch.autograd.gradcheck(apart, (together(first, second).detach().requires_grad_(),))


@pytest.mark.parametrize("apart", [deinterleave, separate])
def test_an_odd_number_of_segments_is_an_error(apart):
    with pytest.raises(ShapeError) as caught:
        apart(torch.zeros(2, 3, 4))
    assert str(caught.value) == "both: expected (*b, two_t, c) with an even two_t, got (2, 3, 4)"
    with pytest.raises(ShapeError) as caught:
        apart(torch.zeros(4))
    assert str(caught.value) == "both: expected (*b, two_t, c), got (4,)"


@pytest.mark.parametrize("together", [interleave, concatenate])
@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 3, 4), "second: expected (*b=(2,), t=4, c=4), got (2, 3, 4)"),
        ((2, 4, 3), "second: expected (*b=(2,), t=4, c=4), got (2, 4, 3)"),
        ((3, 4, 4), "second: expected (*b=(2,), t=4, c=4), got (3, 4, 4)"),
        ((4, 4), "second: expected (*b=(2,), t=4, c=4), got (4, 4)"),
    ],
)
def test_streams_of_two_shapes_are_an_error(together, shape, expected):
    with pytest.raises(ShapeError) as caught:
        together(torch.zeros(2, 4, 4), torch.zeros(shape))
    assert str(caught.value) == expected
