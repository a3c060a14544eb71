import pytest
from hypothesis import given
from hypothesis import strategies as st

from avground.errors import ConfigError
from avground.training.sampler import EpochSampler

samples = st.integers(1, 60)
processes = st.integers(1, 4)


@given(n=samples, processes=processes, size=st.integers(1, 8), seed=st.integers(0, 5))
def test_every_sample_comes_once_and_processes_share_the_batches_of_one(n, processes, size, seed):
    indices = range(100, 100 + n)
    parts = [
        list(EpochSampler(indices, size * processes, (seed, 0), rank=rank, processes=processes))
        for rank in range(processes)
    ]
    alone = EpochSampler(indices, size * processes, (seed, 0))
    assert sorted(index for batch in alone for index in batch) == list(indices)
    for batch, *shares in zip(alone, *parts, strict=True):
        assert sorted(index for share in shares for index in share) == sorted(batch)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
        assert len(shares[0]) <= size


@given(n=samples, start=st.integers(0, 10))
def test_starting_later_gives_the_rest_of_the_same_epoch(n, start):
    whole = EpochSampler(range(n), 7, (0, 3))
    rest = EpochSampler(range(n), 7, (0, 3), start=min(start, whole.batches))
    assert list(rest) == list(whole)[start:]
    assert len(rest) == len(list(rest))
    assert rest.batches == len(whole)


def test_the_order_is_a_function_of_the_key():
    assert list(EpochSampler(range(50), 8, (1, 2))) == list(EpochSampler(range(50), 8, (1, 2)))
    orders = {str(list(EpochSampler(range(50), 8, key))) for key in ((1, 2), (1, 3), (2, 2), (2, 1))}
    assert len(orders) == 4


@pytest.mark.parametrize("size", [0, 7])
def test_a_batch_is_shared_by_all_processes(size):
    with pytest.raises(ConfigError, match=f"batch_size.*2 processes, got {size}"):
        EpochSampler(range(9), size, (0, 0), processes=2)
