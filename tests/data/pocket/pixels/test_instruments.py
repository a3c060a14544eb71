"""The sprites: every type and pose differs from every other, in a single frame."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("PIL")

from avground.data.pocket.pixels.instruments import HEIGHT, LOOKS, PHASES, WIDTH, Variety, sprite
from avground.data.pocket.templates import INSTRUMENTS


def drawn(
    type_: str, played: bool, phase: int = 0, *, size: tuple[int, int] = (WIDTH, HEIGHT), variety: Variety | None = None
) -> NDArray[np.float64]:
    """The sprite on grey, (h, w, 3)."""
    picture = np.asarray(sprite(type_, played, phase, *size, variety or Variety()), dtype=np.float64)
    assert picture.shape == (size[1], size[0], 4)
    opaque = picture[..., 3:] / 255
    mixed: NDArray[np.float64] = opaque * picture[..., :3] + (1 - opaque) * 128
    return mixed


def blurred(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of 8 x 8 pixels, which is less than what any network sees of it."""
    height, width, _ = picture.shape
    means: NDArray[np.float64] = picture.reshape(height // 8, 8, width // 8, 8, 3).mean((1, 3))
    return means


def test_all_instruments_can_be_drawn() -> None:
    assert set(LOOKS) == set(INSTRUMENTS)


@pytest.mark.parametrize("played", [True, False])
def test_types_differ(played: bool) -> None:
    looks = {type_: drawn(type_, played) for type_ in INSTRUMENTS}
    for one, other in itertools.combinations(INSTRUMENTS, 2):
        assert np.abs(looks[one] - looks[other]).mean() > 6, (one, other)
        assert np.abs(blurred(looks[one]) - blurred(looks[other])).max() > 30, (one, other)


@pytest.mark.parametrize("type_", INSTRUMENTS)
def test_the_pose_shows_in_one_frame(type_: str) -> None:
    left_alone = [drawn(type_, False, variety=Variety(lean=lean)) for lean in (-1, 1)]
    for phase in range(PHASES):
        for alone in left_alone:
            assert np.abs(blurred(drawn(type_, True, phase)) - blurred(alone)).max() > 30


@pytest.mark.parametrize("type_", INSTRUMENTS)
def test_hands_move_and_what_is_left_alone_does_not(type_: str) -> None:
    for one, other in itertools.combinations(range(PHASES), 2):
        assert np.abs(drawn(type_, True, one) - drawn(type_, True, other)).max() > 50
        assert np.array_equal(drawn(type_, False, one), drawn(type_, False, other))


@pytest.mark.parametrize("size", [(64, 96), (32, 48), (64, 64), (37, 74), (18, 27)])
@pytest.mark.parametrize("played", [True, False])
def test_fits_whatever_the_cells_are(size: tuple[int, int], played: bool) -> None:
    for type_ in INSTRUMENTS:
        opaque = np.asarray(sprite(type_, played, 1, *size, Variety(scale=0.8, shift=(40.0, -40.0))))[..., 3] > 0
        assert 0.02 < opaque.mean() < 0.8


def test_variety() -> None:
    plain = np.asarray(sprite("violin", False, 0, WIDTH, HEIGHT, Variety()))
    tinted = np.asarray(sprite("violin", False, 0, WIDTH, HEIGHT, Variety(tint=(0.8, 1.0, 1.2))))
    assert np.array_equal(plain[..., 3], tinted[..., 3])
    assert tinted[..., 0].mean() < plain[..., 0].mean()
    assert tinted[..., 2].mean() > plain[..., 2].mean()
    small = np.asarray(sprite("violin", False, 0, WIDTH, HEIGHT, Variety(scale=0.8)))[..., 3]
    assert (small > 0).sum() < 0.75 * (plain[..., 3] > 0).sum()
    moved = np.asarray(sprite("violin", False, 0, WIDTH, HEIGHT, Variety(scale=0.8, shift=(6, 0))))[..., 3]
    assert np.array_equal(moved[:, 6:], small[:, :-6])
    mirrored = np.asarray(sprite("violin", False, 0, WIDTH, HEIGHT, Variety(lean=-1)))
    assert not np.array_equal(mirrored, plain)
