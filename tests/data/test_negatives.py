import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avground.data import Negatives
from avground.errors import ConfigError, DataError

IDS = [f"v{number}" for number in range(7)]
# Written down once: a draw that changes would change every run made before.
VIDEOS, SEGMENTS = [[2, 3, 5, 5], [4, 3, 0, 2]], [[2, 0, 3, 3], [0, 3, 1, 2]]


@given(
    videos=st.integers(2, 9),
    seed=st.integers(0, 2**70),
    epoch=st.integers(0, 1000),
    samples=st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 20)), min_size=1, max_size=20),
    segments=st.integers(1, 12),
)
def test_never_the_own_video_and_always_in_range(videos, seed, epoch, samples, segments):
    pool = [f"v{number}" for number in range(videos)]
    negatives = Negatives(pool, seed, segments=segments)
    own = [f"v{video % videos}" for _, video in samples]
    drawn = negatives.draw([index for index, _ in samples], own, epoch)
    assert drawn.videos.shape == drawn.segments.shape == (len(samples), segments)
    assert drawn.videos.dtype == drawn.segments.dtype == np.int64
    assert ((drawn.videos >= 0) & (drawn.videos < videos)).all()
    assert ((drawn.segments >= 0) & (drawn.segments < segments)).all()
    for video_id, others in zip(own, drawn.videos.tolist(), strict=True):
        assert video_id not in [pool[place] for place in others]


@given(st.permutations(range(12)), st.integers(1, 11))
def test_independent_of_order_and_batch(order, cut):
    negatives = Negatives(IDS, 3)
    own = [IDS[number % 7] for number in range(12)]
    whole = negatives.draw(range(12), own, epoch=2)
    for part in (order[:cut], order[cut:]):
        drawn = negatives.draw(part, [own[number] for number in part], epoch=2)
        np.testing.assert_array_equal(drawn.videos, whole.videos[part])
        np.testing.assert_array_equal(drawn.segments, whole.segments[part])


def test_seed_epoch_and_sample_all_matter():
    def videos(seed, epoch, index):
        return tuple(Negatives(IDS * 20, seed).draw([index], ["v0"], epoch).videos[0].tolist())

    draws = {videos(seed, epoch, index) for seed in range(4) for epoch in range(4) for index in range(4)}
    assert len(draws) == 64


def test_the_same_on_every_machine():
    drawn = Negatives(IDS, 5, segments=4).draw([0, 31926], ["v0", "v6"], epoch=1)
    assert drawn.videos.tolist() == VIDEOS
    assert drawn.segments.tolist() == SEGMENTS


def test_uniform_over_others_and_segments():
    drawn = Negatives(IDS, 0).draw(range(7000), ["v2"] * 7000, epoch=0)
    videos = np.bincount(drawn.videos.ravel(), minlength=7)
    assert videos[2] == 0
    # 70,000 draws over 6 videos: a standard deviation of 99 around 11,667; over 10 segments 79 around 7,000.
    assert abs(np.delete(videos, 2) - 70_000 / 6).max() < 500
    assert abs(np.bincount(drawn.segments.ravel(), minlength=10) - 7000).max() < 400
    together = np.bincount((drawn.videos * 10 + drawn.segments).ravel(), minlength=70).reshape(7, 10)
    assert abs(np.delete(together, 2, axis=0) - 70_000 / 60).max() < 200
    # Neighbouring segments, and the same segment of neighbouring samples, are drawn independently.
    for first, second in ((drawn.videos[:, :-1], drawn.videos[:, 1:]), (drawn.videos[:-1], drawn.videos[1:])):
        assert abs((first == second).mean() - 1 / 6) < 0.01


def test_video_outside_the_pool_may_get_any():
    drawn = Negatives(IDS, 0).draw(range(200), ["elsewhere"] * 200, epoch=0)
    assert set(drawn.videos.ravel().tolist()) == set(range(7))


def test_empty_batch():
    assert Negatives(IDS).draw([], [], epoch=0).videos.shape == (0, 10)


def test_repeated_videos_count_once():
    assert Negatives(["b", "a", "b"]).video_ids == ("b", "a")


@pytest.mark.parametrize("video_ids", [[], ["a"], ["a", "a"]])
def test_too_few_videos(video_ids):
    with pytest.raises(DataError, match=r"video_ids: expected at least 2 videos to draw others from, got [01]"):
        Negatives(video_ids)


def test_bad_settings():
    with pytest.raises(ConfigError, match="got seed=-1"):
        Negatives(IDS, -1)
    with pytest.raises(ConfigError, match="segments=0"):
        Negatives(IDS, segments=0)
