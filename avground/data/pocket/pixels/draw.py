"""The frames of a scene, one after the other."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avground.data.pocket.pixels.instruments import PHASES, Variety, sprite
from avground.data.pocket.pixels.stage import cover, singer, surroundings
from avground.data.pocket.rendering import Rendering
from avground.data.pocket.scene import Scene
from avground.data.pocket.streams import Stream
from avground.data.pocket.world import World

Frame = NDArray[np.uint8]
_GRAIN = 12.0  # deviation of a pixel, of 255, where the knob is 1
_SLACK = 32  # pixels by which the noise is larger than a picture

Place = tuple[int, int, int, int]


def frames(scene: Scene, world: World, seed: int, rendering: Rendering) -> Iterator[Frame]:
    """Each frame of a scene, (size, size, 3) RGB, of which a segment holds the same number.

    What hides a picture has its own stream, as has every other kind of decision, so that a knob changes only what it
    is about.
    """

    def stream(purpose: str) -> Stream:
        return Stream(seed, scene.split, scene.index, purpose)

    size, ground = rendering.size, stream("drawn surroundings")
    empty = surroundings(scene.outdoor, world.background, world.clutter, size, ground)
    sprites = _sprites(scene, world, size, stream("drawn look"))
    heads = [_head(free_cell(cell, scene, world), world, size) for cell in scene.singer]
    covers = {t: cover(size, stream(f"drawn cover {t}")) for t in np.flatnonzero(scene.occluded).tolist()}
    noise, tremble = _noise(world, size, stream("drawn noise")), stream("drawn tremble")
    total = rendering.seconds * rendering.fps
    for number in range(total):
        t = number * world.segments // total
        # One step further every second, so that a frame a second shows every phase.
        step = number + number // rendering.fps
        picture = covers[t] if t in covers else empty.copy()
        if t not in covers:
            for one, (poses, (left, top, _, _), offset) in zip(scene.stage, sprites, strict=True):
                pose = poses[1 + (step + offset) % PHASES if one.played[t] else 0]
                picture.paste(pose, (left, top), pose)
            for closed, opened, corner in heads:
                head = opened if scene.voice[t] else closed
                picture.paste(head, corner, head)
        row, column = tremble.below(_SLACK + 1), tremble.below(_SLACK + 1)
        loud = noise[row : row + size, column : column + size] + np.asarray(picture)
        yield loud.clip(0, 255).astype(np.uint8)


def field(cells: tuple[tuple[int, int], ...], world: World, size: int) -> Place:
    """The pixels of a block of cells: left, top, right and bottom, of which the last two lie outside."""
    rows, columns = zip(*cells, strict=True)
    return (
        round(min(columns) * size / world.columns),
        round(min(rows) * size / world.rows),
        round((max(columns) + 1) * size / world.columns),
        round((max(rows) + 1) * size / world.rows),
    )


def _sprites(scene: Scene, world: World, size: int, stream: Stream) -> list[tuple[list[Image.Image], Place, int]]:
    """For each instrument on stage: left alone and in every phase of being played, its field, and where it begins."""
    found = []
    for one in scene.stage:
        place = field(one.cells, world, size)
        variety, offset = _variety(world, stream), stream.below(PHASES)
        shape = place[2] - place[0], place[3] - place[1]
        poses = [sprite(one.type, False, 0, *shape, variety)]
        if any(one.played):
            poses += [sprite(one.type, True, phase, *shape, variety) for phase in range(PHASES)]
        found.append((poses, place, offset))
    return found


def _variety(world: World, stream: Stream) -> Variety:
    amount = world.variety
    red, green, blue, x, y = (min(2.0, max(-2.0, float(value))) for value in stream.noise(5))
    return Variety(
        (1 + 0.35 * amount * red, 1 + 0.35 * amount * green, 1 + 0.35 * amount * blue),
        1 - min(0.3, 0.4 * amount * stream.unit()),
        (4 * amount * x, 4 * amount * y),
        stream.choose((-1, 1)),
    )


def free_cell(cell: tuple[int, int], scene: Scene, world: World) -> tuple[int, int]:
    """The nearest cell that no instrument covers: a singer must hide nothing that the truth says is to be seen."""
    taken = {other for one in scene.stage for other in one.cells}
    free = [(r, c) for r in range(world.rows) for c in range(world.columns) if (r, c) not in taken]
    return min(free, key=lambda other: ((other[0] - cell[0]) ** 2 + (other[1] - cell[1]) ** 2, other))


def _head(cell: tuple[int, int], world: World, size: int) -> tuple[Image.Image, Image.Image, tuple[int, int]]:
    left, top, right, bottom = field((cell,), world, size)
    side = min(right - left, bottom - top)
    return singer(side, False), singer(side, True), (left, top)


def _noise(world: World, size: int, stream: Stream) -> NDArray[np.int16]:
    side = size + _SLACK
    grains: NDArray[np.int16] = np.rint(np.float32(_GRAIN * world.noise) * stream.noise(side, side, 3)).astype(np.int16)
    return grains
