import pytest
import torch
from torch.testing import assert_close

from avground.blocks import AudioEncoder
from avground.errors import ShapeError
from tests import naive
from tests.strategies import normal


def test_equals_the_equation_segment_by_segment():
    block, audio = AudioEncoder(3, 4).double(), normal(1, 2, 5, 3)
    first, _, second = block.layers
    expected = [[naive.linear(second, naive.relu(naive.linear(first, row))) for row in clip] for clip in audio.tolist()]
    assert_close(block(audio), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)


def test_segments_do_not_see_each_other():
    block, audio = AudioEncoder(3, 4).double(), normal(1, 5, 3)
    changed = audio.clone()
    changed[2] += 1
    assert (block(changed) != block(audio)).any(-1).tolist() == [False, False, True, False, False]


def test_the_defaults_are_those_of_vggish_and_the_paper():
    assert AudioEncoder()(torch.zeros(2, 10, 128)).shape == (2, 10, 512)


@pytest.mark.parametrize(("shape", "got"), [((64, 10, 64), "(64, 10, 64)"), ((), "()")])
def test_another_width_is_an_error(shape, got):
    with pytest.raises(ShapeError) as caught:
        AudioEncoder()(torch.zeros(shape))
    assert str(caught.value) == f"audio: expected (*b, 128), got {got}"
