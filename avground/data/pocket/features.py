"""What a scene looks and sounds like to a frozen network: maps of cells and rows of sound.

Everything is a sum of fixed codes and noise, in exact arithmetic (additions and products in a fixed order, rounded to
2 to the power -10), so that the same seed gives the same bytes on every machine.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avground.data.pocket.scene import Scene, neighbours
from avground.data.pocket.streams import Stream
from avground.data.pocket.templates import INSTRUMENTS
from avground.data.pocket.world import PLACES, World

Array = NDArray[np.float32]

SECONDS = 60
_GRAIN = np.float32(1024)
# A covered picture or sound is noise of this many times the usual deviation of what it covers.
_COVER = np.float32(1.0)


@dataclass(frozen=True, slots=True)
class Codes:
    """The fixed codes of a world, drawn from its seed alone: shared by its scenes and its splits.

    Args:
        look: Code of each type, (types, c).
        view: What is peculiar to each type at each place, (types, places, c).
        beside: What a neighbour of each type to the left, and one to the right, adds to a cell, (2, types, c).
        played: The one code of looking played, (c,).
        singer: Code of a singer, (c,).
        surroundings: Codes of indoor and outdoor, (2, c).
        position: Code of each cell's row and column, (h, w, c).
        sound: Code of each type's sound, (types, ca).
        beat: Code of each type's beat, (types, ca).
        voice: Code of a voice, (ca,).
    """

    look: Array
    view: Array
    beside: Array
    played: Array
    singer: Array
    surroundings: Array
    position: Array
    sound: Array
    beat: Array
    voice: Array

    @classmethod
    def draw(cls, world: World, seed: int) -> "Codes":
        """The codes of a world."""
        seen, heard = Stream(seed, "look codes"), Stream(seed, "sound codes")
        # Types come last and one by one, so that those of a small world are the first ones of a large world.
        own = 1 + 2 + len(PLACES)
        codes = orthogonal_codes(8 + own * world.types, world.channels, seen)
        types = codes[8:].reshape(world.types, own, -1)
        sounds = orthogonal_codes(1 + 2 * world.types, world.audio_channels, heard)
        return cls(
            look=types[:, 0],
            view=types[:, 3:],
            beside=types[:, 1:3].swapaxes(0, 1),
            played=codes[0],
            singer=codes[1],
            surroundings=codes[2:4],
            position=_positions(world, codes[4:8]),
            sound=sounds[1::2],
            beat=sounds[2::2],
            voice=sounds[0],
        )


def orthogonal_codes(count: int, channels: int, stream: Stream) -> Array:
    """Random codes of +1 and -1, (count, channels), orthogonal as far as the channels reach.

    Rows of a Hadamard matrix with random signs of its columns: by chance alone, some types of some seeds would look
    more alike than others, and their world would be harder. They are exactly orthogonal if the channels are a power
    of two and not fewer than the codes.
    """
    order = 1
    while order < channels:
        order *= 2
    matrix = np.ones((1, 1), dtype=np.float32)
    while len(matrix) < order:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    found: list[Array] = []
    for _ in range(0, count, order):
        found.append(matrix[stream.shuffled(range(order)), :channels] * stream.signs(channels))
    return np.concatenate(found)[:count]


def _positions(world: World, corners: Array) -> Array:
    """Codes that change gradually from the left to the right edge and from the back to the front."""
    left, right, back, front = corners
    across = np.linspace(0, 1, world.columns, dtype=np.float32).reshape(1, -1, 1)
    along = np.linspace(0, 1, world.rows, dtype=np.float32).reshape(-1, 1, 1)
    codes: Array = (1 - across) * left + across * right + np.float32(0.5) * ((1 - along) * back + along * front)
    return codes


def visual_map(scene: Scene, world: World, seed: int, codes: Codes) -> Array:
    """The map of every segment, (t, c, h, w)."""
    # What covers a picture has its own stream, so that the other segments are the same without it.
    stream = Stream(seed, scene.split, scene.index, "look")
    cover = Stream(seed, scene.split, scene.index, "covered look")
    c, h, w = world.channels, world.rows, world.columns
    ground = codes.surroundings[int(scene.outdoor)] + stream.noise(c)
    still = np.float32(world.position) * codes.position + np.float32(world.background) * ground
    still += np.float32(world.clutter) * stream.noise(h, w, c)
    for row, column in scene.singer:
        still[row, column] += codes.singer
    stage = scene.stage
    types = [INSTRUMENTS.index(one.type) for one in stage]
    for one, type_ in zip(stage, types, strict=True):
        look = codes.look[type_] + np.float32(world.view) * codes.view[type_, PLACES.index(str(one.place))]
        look += np.float32(world.variety) * stream.noise(c)
        for side, others in enumerate(neighbours(scene, one)):
            for other in others:
                beside = INSTRUMENTS.index(other.type)
                look += np.float32((world.context_left, world.context_right)[side]) * codes.beside[side, beside]
        for row, column in one.cells:
            still[row, column] += look
    clip = np.repeat(np.ascontiguousarray(still.transpose(2, 0, 1))[None], world.segments, axis=0)
    cue = np.float32(world.cue) * codes.played
    for one in stage:
        rows, columns = np.array(one.cells).T
        for t in np.flatnonzero(one.played):
            clip[t][:, rows, columns] += cue[:, None]
    for t in np.flatnonzero(scene.occluded):
        clip[t] = _COVER * cover.noise(c, h, w)
    clip += np.float32(world.noise) * stream.noise(world.segments, c, h, w)
    return _rounded(clip)


def audio_rows(scene: Scene, world: World, seed: int, codes: Codes) -> Array:
    """A row for each of the 60 seconds, (60, ca)."""
    stream = Stream(seed, scene.split, scene.index, "sound")
    cover = Stream(seed, scene.split, scene.index, "covered sound")
    ca = world.audio_channels
    rows = np.zeros((world.segments, ca), dtype=np.float32)
    for one in scene.heard:
        type_ = INSTRUMENTS.index(one.type)
        sound = codes.sound[type_] + np.float32(one.rhythm) * codes.beat[type_]
        sound += np.float32(world.variety) * stream.noise(ca)
        rows[np.array(one.sounding)] += np.float32(one.loudness) * sound
    rows[np.array(scene.voice)] += codes.voice
    for t in np.flatnonzero(scene.burst):
        rows[t] = _COVER * cover.noise(ca)
    seconds = np.repeat(rows, SECONDS // world.segments, axis=0)
    seconds += np.float32(world.audio_noise) * stream.noise(SECONDS, ca)
    return _rounded(seconds)


def _rounded(values: Array) -> Array:
    values *= _GRAIN
    np.rint(values, out=values)
    values /= _GRAIN
    # Minus zero and zero are equal and have different bytes.
    values += np.float32(0)
    return values.astype("<f4", copy=False)
