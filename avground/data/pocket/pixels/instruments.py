"""Sprites of the 22 instruments in two poses: upright in somebody's hands, or tilted and left alone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PIL import Image

from avground.data.pocket.pixels import strings, struck, winds
from avground.data.pocket.pixels.brush import INK, Brush, Colour, Point

WIDTH, HEIGHT = 64, 96  # units of the field in which an instrument is drawn
PHASES = 4  # of the movement of hands, bows and sticks
TILT = 38  # degrees
_FINER = 3  # pixels drawn for each pixel kept, in each direction
_SKIN: Colour = (238, 186, 148)
_SLEEVE: Colour = (52, 60, 130)
_ARC: Colour = (255, 236, 80)
# How far hands are from the middle of their movement in each phase.
_SWING = (0.0, 1.0, 0.0, -1.0)

Player = Callable[[Brush, float], None]


def _hand(brush: Brush, x: float, y: float, shoulder: Point) -> None:
    brush.tube([shoulder, (x, y)], 6, _SLEEVE)
    brush.oval(x, y, 4.6, 4.2, _SKIN)


def _hands(brush: Brush, swing: float, *, left: Point, right: Point, across: bool = False) -> None:
    """Both hands on the instrument; the right one goes up and down, or from side to side."""
    _hand(brush, left[0], left[1] - 1.5 * swing, (0, left[1] + 16))
    x, y = (right[0] + 5 * swing, right[1]) if across else (right[0], right[1] + 4 * swing)
    _hand(brush, x, y, (64, right[1] + 16))


def _bow(brush: Brush, swing: float, *, left: Point, y: float) -> None:
    """The left hand on the neck, and a bow drawn across the strings by the right one."""
    _hand(brush, *left, (0, left[1] + 18))
    x = 34 + 8 * swing
    brush.tube([(x - 26, y - 6), (x + 24, y)], 1.4, (120, 64, 30))
    brush.line([(x - 26, y - 4), (x + 24, y + 2.4)], 1.4, (250, 250, 250))
    _hand(brush, min(x + 22, 58), y + 1, (64, y + 18))


def _sticks(brush: Brush, swing: float, *, left: Point, right: Point) -> None:
    """A stick in each hand, one up while the other is down, that hit what lies under the given points."""
    for (x, y), side in ((left, -1), (right, 1)):
        up = 7 * (1 + side * swing)
        head = (x, y - up)
        hand = (x + side * 15, y - 4 - up / 2)
        _hand(brush, *hand, (32 + side * 32, y + 6))
        brush.tube([hand, head], 1.6, (240, 214, 160))
        brush.oval(*head, 2.6, 2.2, (250, 246, 230))


@dataclass(frozen=True, slots=True)
class Look:
    """How an instrument looks.

    Args:
        draw: Draws the instrument alone.
        play: Draws the hands that play it, given where they are in their movement, from -1 to 1.
    """

    draw: Callable[[Brush], None]
    play: Player


LOOKS = {
    "violin": Look(strings.violin, partial(_bow, left=(30, 34), y=66)),
    "piano": Look(struck.piano, partial(_hands, left=(20, 61), right=(44, 61), across=True)),
    "flute": Look(winds.flute, partial(_hands, left=(26, 51), right=(46, 51))),
    "acoustic_guitar": Look(strings.acoustic_guitar, partial(_hands, left=(29, 24), right=(38, 70))),
    "drum": Look(struck.drum, partial(_sticks, left=(24, 34), right=(40, 34))),
    "trumpet": Look(winds.trumpet, partial(_hands, left=(24, 64), right=(33, 36))),
    "cello": Look(strings.cello, partial(_bow, left=(29, 22), y=70)),
    "accordion": Look(struck.accordion, partial(_hands, left=(8, 54), right=(55, 54), across=True)),
    "saxophone": Look(winds.saxophone, partial(_hands, left=(27, 36), right=(33, 60))),
    "erhu": Look(strings.erhu, partial(_bow, left=(30, 36), y=68)),
    "xylophone": Look(struck.xylophone, partial(_sticks, left=(20, 44), right=(44, 46))),
    "pipa": Look(strings.pipa, partial(_hands, left=(28, 28), right=(40, 66))),
    "clarinet": Look(winds.clarinet, partial(_hands, left=(29, 36), right=(35, 62))),
    "ukulele": Look(strings.ukulele, partial(_hands, left=(30, 43), right=(38, 66))),
    "tuba": Look(winds.tuba, partial(_hands, left=(14, 72), right=(38, 56))),
    "guzheng": Look(strings.guzheng, partial(_hands, left=(20, 50), right=(44, 48))),
    "congas": Look(struck.congas, partial(_hands, left=(16, 30), right=(46, 26))),
    "bassoon": Look(winds.bassoon, partial(_hands, left=(27, 46), right=(39, 68))),
    "banjo": Look(strings.banjo, partial(_hands, left=(29, 28), right=(40, 72))),
    "suona": Look(winds.suona, partial(_hands, left=(29, 40), right=(35, 56))),
    "electric_bass": Look(strings.electric_bass, partial(_hands, left=(29, 28), right=(36, 72))),
    "bagpipe": Look(winds.bagpipe, partial(_hands, left=(14, 66), right=(47, 82))),
}


@dataclass(frozen=True, slots=True)
class Variety:
    """What is peculiar to one instrument of its type.

    Args:
        tint: Factors of red, green and blue.
        scale: How much of its field it fills.
        shift: Where it stands, in units from the middle.
        lean: To which side it is tilted when nobody plays it, -1 or 1.
    """

    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    scale: float = 1.0
    shift: Point = (0.0, 0.0)
    lean: int = 1


def sprite(type_: str, played: bool, phase: int, width: int, height: int, variety: Variety) -> Image.Image:
    """An instrument on a transparent ground.

    Args:
        type_: One of the 22 types.
        played: Whether it is upright in hands, with sound around it, or tilted and left alone.
        phase: Where the hands are, 0 to ``PHASES`` - 1; of no effect where there are none.
        width: Pixels of the picture from left to right.
        height: Pixels from top to bottom. What is drawn keeps its proportions and fits.
        variety: What is peculiar to this one.

    Returns:
        A picture of the given size, with transparency.
    """
    unit = min(width / WIDTH, height / HEIGHT)
    brush = Brush(WIDTH, HEIGHT, _FINER * unit, variety.tint)
    LOOKS[type_].draw(brush)
    drawn = brush.image
    if played:
        hands = Brush(WIDTH, HEIGHT, _FINER * unit)
        LOOKS[type_].play(hands, _SWING[phase])
        _arcs(hands, phase)
        drawn = Image.alpha_composite(drawn, hands.image)
    else:
        drawn = _tilted(drawn, variety.lean * TILT)
    inner = round(WIDTH * unit * variety.scale), round(HEIGHT * unit * variety.scale)
    small = drawn.resize(inner, Image.Resampling.BOX)
    result = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    left = (width - inner[0]) / 2 + variety.shift[0] * unit
    top = (height - inner[1]) / 2 + variety.shift[1] * unit
    # Whatever the shift, all of it stays inside its own cells.
    result.paste(small, (round(min(max(left, 0), width - inner[0])), round(min(max(top, 0), height - inner[1]))))
    return result


def _arcs(brush: Brush, phase: int) -> None:
    """The waves of sound at both sides, which spread from phase to phase."""
    for x, start in ((20, 180), (44, -60)):
        for number in range(2):
            radius = 8 + 6 * number + phase
            for width, colour in ((3.4, INK), (2.0, _ARC)):
                brush.arc(x, 20, radius, start, start + 60, width, colour)


def _tilted(drawn: Image.Image, degrees: float) -> Image.Image:
    """The drawing turned, and made smaller as far as it would not fit."""
    turned = drawn.crop(drawn.getbbox()).rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    turned = turned.crop(turned.getbbox())
    fit = min(1.0, drawn.width / turned.width, drawn.height / turned.height)
    if fit < 1:
        turned = turned.resize((int(turned.width * fit), int(turned.height * fit)), Image.Resampling.BILINEAR)
    result = Image.new("RGBA", drawn.size, (0, 0, 0, 0))
    result.paste(turned, ((drawn.width - turned.width) // 2, drawn.height - turned.height))
    return result
