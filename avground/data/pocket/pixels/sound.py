"""The sound of a scene: additive synthesis, one timbre for each type."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from avground.data.pocket.pixels.timbres import TIMBRES, VOWELS, Timbre
from avground.data.pocket.rendering import Rendering
from avground.data.pocket.scene import LOUDNESS, RHYTHM, Flags, Scene
from avground.data.pocket.streams import Stream
from avground.data.pocket.world import World

Wave = NDArray[np.float32]

RATE = 16_000  # samples a second
_BEAT = 0.5  # seconds
_SCALE = (0, 2, 4, 7, 9, 12)  # semitones above the lowest note
_FADE = 0.008  # seconds in which a sound comes and goes at the border of a segment
_CREST = 4.0  # the highest peak of a single sound, whose mean square is 1
_VOICE = 1.0  # loudness of a voice
_COVER = 2.0  # loudness of the noise that covers a sound
_HISS = 0.04  # loudness of the noise everywhere, where the knob is 1
# The loudest there can be but for the hiss: four on stage, one off it and a voice. One gain for all scenes.
_GAIN = 1 / (_CREST * (sum(LOUDNESS) + max(LOUDNESS) + _VOICE))
_HIGHEST = 0.46 * RATE  # Hz
_TABLE = 1024  # samples of one period


def soundtrack(scene: Scene, world: World, seed: int, rendering: Rendering) -> NDArray[np.int16]:
    """The sound of a scene, (seconds * RATE,), of which a segment holds the same number of samples.

    Loudness is the root of the mean square of an instrument's sound while it is heard, in every scene measured alike.
    """

    def stream(purpose: str) -> Stream:
        return Stream(seed, scene.split, scene.index, purpose)

    segment = rendering.seconds // world.segments * RATE
    total = np.zeros(world.segments * segment, dtype=np.float32)
    for number, one in enumerate(scene.instruments):
        for start, stop in stretches(one.sounding):
            tune = stream(f"tune {number} {start}")
            sound = melody(TIMBRES[one.type], (stop - start) * segment, one.rhythm, world.variety, tune)
            total[start * segment : stop * segment] += np.float32(one.loudness) * sound
    for start, stop in stretches(scene.voice):
        words = voice((stop - start) * segment, stream(f"words {start}"))
        total[start * segment : stop * segment] += np.float32(_VOICE) * words
    for t in np.flatnonzero(scene.burst).tolist():
        cover = stream(f"heard cover {t}").noise(segment)
        total[t * segment : (t + 1) * segment] = np.float32(_COVER) * _faded(cover)
    total += np.float32(_HISS * world.audio_noise) * stream("hiss").noise(len(total))
    samples: NDArray[np.int16] = np.rint((np.float32(_GAIN) * total).clip(-1, 1) * np.float32(32767)).astype(np.int16)
    return samples


def stretches(flags: Flags) -> Iterator[tuple[int, int]]:
    """The first segment of every unbroken stretch, and the one after its last."""
    edges = np.flatnonzero(np.diff(np.array([False, *flags, False], dtype=np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def melody(timbre: Timbre, length: int, rhythm: float, variety: float, stream: Stream) -> Wave:
    """A tune, (length,), of mean square 1 and no peak above ``_CREST``.

    Args:
        timbre: What plays it.
        length: Samples; the first note begins at once.
        rhythm: Strength of its beat.
        variety: How much the partials differ from those of the type.
        stream: Decides the tune, and the difference.
    """
    partials = np.array(timbre.partials) * np.exp(0.5 * variety * stream.noise(len(timbre.partials)))
    sound = np.zeros(length, dtype=np.float32)
    step, at = stream.below(len(_SCALE)), 0
    while at < length:
        size = min(length - at, round(stream.choose((0.5, 0.5, 1, 1, 2)) * _BEAT * RATE))
        sound[at : at + size] = _note(timbre, partials, timbre.lowest + _SCALE[step], size, stream)
        step = min(len(_SCALE) - 1, max(0, step + stream.choose((-2, -1, 1, 2))))
        at += size
    if timbre.drone:
        sound += np.float32(0.6) * _note(timbre, partials, timbre.lowest - 19, length, stream)
    return _levelled(sound * _beat(length, rhythm))


def voice(length: int, stream: Stream) -> Wave:
    """Somebody who speaks, (length,), of mean square 1 and no peak above ``_CREST``."""
    sound = np.zeros(length, dtype=np.float32)
    base, at = stream.choose((115.0, 150.0, 205.0)), 0
    while at < length:
        size = min(length - at, round((0.16 + 0.16 * stream.unit()) * RATE))
        pitch = base * (0.9 + 0.25 * stream.unit())
        numbers = np.arange(1, int(4000 / pitch) + 1)
        formants = np.array(stream.choose(VOWELS))
        near = np.exp(-(((numbers[:, None] * pitch - formants) / 130) ** 2)) * (1.0, 0.6, 0.3)
        glide = pitch * np.linspace(1.04, 0.94, size)
        syllable = _periodic(near.sum(1) + 0.3 / numbers**2, glide)
        sound[at : at + size] = syllable * np.sin(np.linspace(0, math.pi, size)) ** 0.6
        at += size
    return _levelled(sound)


def _note(timbre: Timbre, partials: NDArray[np.float64], key: int, length: int, stream: Stream) -> Wave:
    pitch = 440 * 2 ** ((key - 69) / 12)
    seconds = np.arange(length) / RATE
    if timbre.ratios:
        sound = sum(
            amplitude
            * np.sin(2 * math.pi * pitch * ratio * seconds)
            * np.exp(-seconds * (ratio - 1) / timbre.decay / 4)
            for amplitude, ratio in zip(partials, timbre.ratios, strict=True)
        )
    else:
        swing = timbre.vibrato * np.sin(2 * math.pi * 5.5 * seconds) if timbre.vibrato else np.zeros(length)
        sound = _periodic(partials, pitch * np.exp2(swing / 12))
    if timbre.breath:
        loudness = timbre.breath * math.sqrt(float((partials**2).sum()) / 2)
        sound = sound + loudness * stream.noise(length)
    if timbre.tremolo:
        sound = sound * (1 + timbre.tremolo * np.sin(2 * math.pi * 7 * seconds))
    since = seconds % (1 / timbre.strokes) if timbre.strokes else seconds
    shape = np.minimum(1, since / timbre.attack)
    if timbre.decay:
        shape = shape * np.exp(-since / timbre.decay)
    return _faded((shape * sound).astype(np.float32))


def _periodic(partials: NDArray[np.float64], pitch: NDArray[np.float64]) -> NDArray[np.float64]:
    """A sound of whole multiples of a pitch in Hz for each sample, none of them above what the samples can hold."""
    kept = partials[: max(1, int(_HIGHEST / pitch.max()))]
    numbers = np.arange(1, len(kept) + 1)
    # Phases that differ keep the peaks of a period from falling together.
    angles = 2 * math.pi * np.arange(_TABLE)[:, None] / _TABLE * numbers + 0.7 * numbers**2
    period = np.sin(angles) @ kept
    where = np.cumsum(pitch) * (_TABLE / RATE)
    sound: NDArray[np.float64] = period[where.astype(np.int64) % _TABLE]
    return sound


def _beat(length: int, rhythm: float) -> Wave:
    """Loudness that jumps up at every beat and falls until the next, the more the stronger the beat is."""
    depth = 0.9 * rhythm / max(RHYTHM)
    since = np.arange(length) % round(_BEAT * RATE) / (_BEAT * RATE)
    return (1 - depth + depth * np.exp(-6 * since)).astype(np.float32)


def _faded(sound: Wave) -> Wave:
    """Without a click where it begins and ends."""
    size = min(len(sound) // 2, round(_FADE * RATE))
    ramp = (np.arange(size, dtype=np.float32) + 1) / np.float32(size + 1)
    sound = sound.copy()
    sound[:size] *= ramp
    sound[len(sound) - size :] *= ramp[::-1]
    return sound


def _levelled(sound: Wave) -> Wave:
    """Of mean square 1, with peaks cut off where they reach too high."""
    for _ in range(12):  # What a cut takes from the mean square is made up for by the next turn.
        sound = sound / np.float32(math.sqrt(float(np.square(sound, dtype=np.float64).mean())))
        high = float(np.abs(sound).max())
        if high <= _CREST:
            break
        sound = sound.clip(-0.95 * _CREST, 0.95 * _CREST)
    return sound
