"""The sound says what the truth says, when it says so, and as loud as it says."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from avground.data.pocket import Rendering, World
from avground.data.pocket.pixels.sound import RATE, melody, soundtrack, stretches, voice
from avground.data.pocket.pixels.timbres import TIMBRES
from avground.data.pocket.scene import LOUDNESS, RHYTHM, Instrument, Scene, make_scene
from avground.data.pocket.streams import Stream
from avground.data.pocket.templates import INSTRUMENTS

CLEAN = World(most=2, occluded=0.0, burst=0.0, audio_noise=0.0, voice=0.4)
TEN = Rendering()


def heard(scene: Scene, world: World = CLEAN, rendering: Rendering = TEN) -> NDArray[np.float64]:
    """The sound of each segment, (segments, samples)."""
    samples = soundtrack(scene, world, 0, rendering)
    assert samples.dtype == np.int16
    assert samples.shape == (rendering.seconds * RATE,)
    return samples.reshape(world.segments, -1).astype(np.float64)


def solo(type_: str, sounding: str = "0001111000", loudness: float = 1.2, rhythm: float = 0.0) -> Scene:
    """One instrument off stage, heard in the segments marked 1."""
    flags = tuple(mark == "1" for mark in sounding)
    nothing = (False,) * len(flags)
    one = Instrument(type_, None, (), flags, nothing, loudness, rhythm)
    return Scene("train", 0, (one,), False, nothing, (), nothing, nothing)


def rms(sound: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.square(sound).mean()))


def test_same_arguments_same_sound_whatever_other_scenes_there_are() -> None:
    world = World()
    first = soundtrack(make_scene(world, 0, "train", 1), world, 0, TEN)
    other = soundtrack(make_scene(world, 0, "train", 2), world, 0, TEN)
    again = soundtrack(make_scene(world.replace(train=9), 0, "train", 1), world, 0, TEN)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_silence_where_nothing_sounds() -> None:
    silent = 0
    for index in range(15):
        scene = make_scene(CLEAN, 0, "train", index)
        sounding = np.array([one.sounding for one in scene.heard] + [scene.voice]).any(0)
        levels = [rms(segment) for segment in heard(scene)]
        assert [level > 100 for level in levels] == sounding.tolist()
        assert all(level == 0 for level, there in zip(levels, sounding, strict=True) if not there)
        silent += int((~sounding).sum())
    assert silent


@pytest.mark.parametrize("type_", INSTRUMENTS)
def test_begins_and_ends_with_its_segments(type_: str) -> None:
    sound = heard(solo(type_)).ravel()
    loud = np.flatnonzero(np.abs(sound) > 20)
    assert 3 * RATE <= loud[0] < 3.02 * RATE
    assert loud[-1] < 7 * RATE
    # No click at the borders.
    assert np.abs(sound[3 * RATE]) < 0.2 * np.abs(sound).max()
    assert np.abs(sound[7 * RATE - 1]) < 0.2 * np.abs(sound).max()


def test_segments_divide_the_seconds() -> None:
    sound = heard(solo("violin"), CLEAN, Rendering(seconds=60, fps=1))
    assert sound.shape[1] == 6 * RATE
    assert [bool(segment.any()) for segment in sound] == [mark == "1" for mark in "0001111000"]


@pytest.mark.parametrize("rhythm", RHYTHM)
def test_every_sound_has_the_same_level_and_bounded_peaks(rhythm: float) -> None:
    for type_, seed in itertools.product(INSTRUMENTS, range(2)):
        sound = melody(TIMBRES[type_], 2 * RATE, rhythm, 0.3, Stream("test", seed)).astype(np.float64)
        assert abs(rms(sound) - 1) < 0.03
        assert np.abs(sound).max() <= 4.01
    speech = voice(2 * RATE, Stream("test")).astype(np.float64)
    assert abs(rms(speech) - 1) < 0.03
    assert np.abs(speech).max() <= 4.01


@pytest.mark.parametrize("type_", ["violin", "drum", "piano"])
def test_loudness_is_kept(type_: str) -> None:
    levels = [rms(heard(solo(type_, loudness=loudness))[3:7]) for loudness in LOUDNESS]
    assert np.allclose(np.array(levels) / levels[0], np.array(LOUDNESS) / LOUDNESS[0], rtol=0.02)
    # Against another instrument too.
    other = rms(heard(solo("tuba", loudness=LOUDNESS[0]))[3:7])
    assert abs(levels[0] / other - 1) < 0.05


def test_nothing_clips_however_many_sound() -> None:
    always = (True,) * 10
    ones = tuple(
        Instrument(type_, None, (), always, always, loudness, 1.4)
        for type_, loudness in zip(("drum", "congas", "banjo", "pipa", "bagpipe"), (*LOUDNESS, 1.7), strict=True)
    )
    nothing = (False,) * 10
    everything = Scene("train", 0, ones, False, always, (), nothing, nothing)
    assert 8000 < np.abs(heard(everything)).max() < 32767


def spectrum(type_: str) -> NDArray[np.float64]:
    """Share of the energy in each third of an octave, and how it varies in time, for a tune of the type."""
    sound = melody(TIMBRES[type_], 8 * RATE, 0.0, 0.0, Stream("tune", 1)).reshape(-1, 800).astype(np.float64)
    power = np.abs(np.fft.rfft(sound * np.hanning(800), axis=1)) ** 2
    edges = np.unique(np.round(np.geomspace(2, 400, 20)).astype(int))
    bands = np.stack([power[:, low:high].sum(1) for low, high in itertools.pairwise(edges)])
    logs = np.log10(bands / power.sum(1).mean() + 1e-3)
    features: NDArray[np.float64] = np.concatenate([logs.mean(1), logs.std(1)])
    return features


def test_timbres_differ() -> None:
    assert set(TIMBRES) == set(INSTRUMENTS)
    found = {type_: spectrum(type_) for type_ in INSTRUMENTS}
    for one, other in itertools.combinations(INSTRUMENTS, 2):
        assert np.linalg.norm(found[one] - found[other]) > 0.7, (one, other)


def test_a_strong_beat_is_heard_every_half_second() -> None:
    def contrast(rhythm: float) -> float:
        beats = heard(solo("clarinet", "1111111111", rhythm=rhythm)).reshape(-1, RATE // 2)
        return rms(beats[:, : RATE // 8]) / rms(beats[:, -RATE // 8 :])

    weak, middle, strong = (contrast(rhythm) for rhythm in RHYTHM)
    assert weak < 1.3 < middle < 3 < strong


def test_bursts_cover_a_segment_and_leave_the_others_as_they_are() -> None:
    world = CLEAN.replace(burst=0.4, audio_noise=0.5)
    scene = make_scene(world, 0, "train", 0)
    assert any(scene.burst)
    sound, clean = heard(scene, world), heard(replace(scene, burst=(False,) * 10), world)
    assert (sound == clean).all(1).tolist() == [not covered for covered in scene.burst]
    for t in np.flatnonzero(scene.burst):
        power = np.abs(np.fft.rfft(sound[t])) ** 2
        # White: as much in the lower half of the band as in the upper.
        assert 0.8 < power[:4000].sum() / power[4000:].sum() < 1.25
        assert abs(np.corrcoef(sound[t], clean[t])[0, 1]) < 0.05


def test_noise_everywhere() -> None:
    levels = []
    for amount in (0.5, 1.0):
        world = CLEAN.replace(audio_noise=amount)
        levels.append(rms(heard(solo("violin"), world)[:3]))
    assert abs(levels[1] / levels[0] - 2) < 0.05
    assert levels[1] < 0.1 * rms(heard(solo("violin", loudness=0.6))[3:7])


def test_off_stage_and_voice_are_heard() -> None:
    for index in range(30):
        scene = make_scene(CLEAN, 0, "train", index)
        away = [one for one in scene.instruments if not one.on_stage]
        if away and any(scene.voice):
            break
    everything = heard(scene)
    without = heard(replace(scene, instruments=scene.stage))
    assert (everything != without).any(1).tolist() == list(away[0].sounding)
    speechless = heard(replace(scene, voice=(False,) * 10))
    assert (everything != speechless).any(1).tolist() == list(scene.voice)


def test_variety_changes_the_timbre_and_not_the_tune() -> None:
    plain, varied = (melody(TIMBRES["piano"], 2 * RATE, 0.0, amount, Stream("a")) for amount in (0.0, 0.5))
    assert not np.allclose(plain, varied)
    quiet = [np.abs(sound.reshape(-1, 160)).max(1) < 0.05 for sound in (plain, varied)]
    assert np.mean(quiet[0] == quiet[1]) > 0.95


def test_stretches() -> None:
    assert list(stretches((True, True, False, True))) == [(0, 2), (3, 4)]
    assert list(stretches((False, False))) == []
