"""What stands around the instruments: surroundings, clutter, a singer, and what covers a picture."""

from PIL import Image

from avground.data.pocket.pixels.brush import INK, Brush, Colour
from avground.data.pocket.streams import Stream

SIDE = 224  # units of a picture
_FINER = 2
_WALLS: tuple[Colour, ...] = ((196, 176, 150), (168, 158, 172), (150, 164, 152), (204, 190, 168))
_CURTAINS: tuple[Colour, ...] = ((132, 52, 58), (62, 82, 116), (70, 98, 72), (112, 84, 120))
_SKIES: tuple[Colour, ...] = ((150, 196, 232), (178, 206, 224), (226, 196, 170), (160, 176, 200))
_MUTED: tuple[Colour, ...] = ((136, 112, 92), (110, 122, 128), (146, 138, 118), (122, 104, 122))


def surroundings(outdoor: bool, background: float, clutter: float, size: int, stream: Stream) -> Image.Image:
    """The picture before anyone comes on stage.

    Args:
        outdoor: Sky, trees and grass, or else a wall with curtains and a floor.
        background: How much the colours of one stage differ from another's.
        clutter: How much stands about.
        size: Pixels of a side.
        stream: Decides what the arguments leave open.
    """
    red, green, blue = (1 + 0.25 * background * min(2.0, max(-2.0, float(value))) for value in stream.noise(3))
    brush = Brush(SIDE, SIDE, _FINER * size / SIDE, (red, green, blue))
    things = _OUTDOOR if outdoor else _INDOOR
    (_landscape if outdoor else _room)(brush, stream)
    for _ in range(round(12 * clutter)):
        thing, x, y, fill = stream.choose(things), stream.unit(), stream.unit(), stream.choose(_MUTED)
        thing(brush, 10 + 204 * x, y, fill)
    return brush.image.convert("RGB").resize((size, size), Image.Resampling.BOX)


def _room(brush: Brush, stream: Stream) -> None:
    brush.patch(0, 0, SIDE, SIDE, stream.choose(_WALLS))
    red, green, blue = stream.choose(_CURTAINS)
    width = 24 + 32 * stream.unit()
    for number in range(8):
        shade = 0.85 if number % 2 else 1.0
        fold = (round(red * shade), round(green * shade), round(blue * shade))
        at = width * number / 8
        brush.patch(at, 0, at + width / 8, 172, fold)
        brush.patch(SIDE - at - width / 8, 0, SIDE - at, 172, fold)
    brush.patch(0, 0, SIDE, 10, (red, green, blue))
    brush.patch(0, 170, SIDE, SIDE, (166, 126, 86))
    for number in range(4):
        brush.line([(0, 172 + 14 * number), (SIDE, 172 + 14 * number)], 1.2, (124, 90, 60))


def _landscape(brush: Brush, stream: Stream) -> None:
    red, green, blue = stream.choose(_SKIES)
    for number in range(10):
        pale = 1 + 0.02 * number
        fill = (round(red * pale), round(green * pale), round(blue * pale))
        brush.patch(0, 14 * number, SIDE, 14 * number + 14, fill)
    brush.oval(224 * stream.unit(), 190, 130, 70, (126, 160, 108))
    brush.patch(0, 140, SIDE, SIDE, (118, 168, 88))
    for _ in range(3):
        _tree(brush, 224 * stream.unit(), stream.unit(), (70, 122, 66))
    for _ in range(24):
        x, y = 224 * stream.unit(), 146 + 76 * stream.unit()
        brush.line([(x - 2, y - 3), (x, y), (x + 2, y - 3)], 1, (84, 132, 62))


def _tree(brush: Brush, x: float, y: float, fill: Colour) -> None:
    foot = 140 + 20 * y
    brush.tube([(x, foot), (x, foot - 40)], 5, (116, 86, 58))
    brush.blob([(x, foot - 56, 17, 22), (x - 10, foot - 44, 12, 12), (x + 10, foot - 44, 12, 12)], fill)


def _bush(brush: Brush, x: float, y: float, fill: Colour) -> None:
    foot = 146 + 70 * y
    brush.blob([(x - 8, foot, 9, 7), (x + 8, foot, 9, 7), (x, foot - 4, 10, 9)], (86, 136, 74))


def _stone(brush: Brush, x: float, y: float, fill: Colour) -> None:
    foot = 150 + 68 * y
    brush.shape([(x - 12, foot), (x - 7, foot - 9), (x + 5, foot - 10), (x + 12, foot)], fill)


def _bench(brush: Brush, x: float, y: float, fill: Colour) -> None:
    foot = 160 + 58 * y
    for side in (-14, 14):
        brush.box(x + side - 1, foot - 10, x + side + 1, foot, fill)
    brush.box(x - 18, foot - 14, x + 18, foot - 10, fill)
    brush.box(x - 18, foot - 26, x + 18, foot - 21, fill)


def _cloud(brush: Brush, x: float, y: float, fill: Colour) -> None:
    at = 12 + 60 * y
    brush.blob([(x - 12, at, 12, 7), (x + 12, at, 13, 7), (x, at - 4, 13, 9)], (228, 232, 236))


def _chair(brush: Brush, x: float, y: float, fill: Colour) -> None:
    foot = 180 + 40 * y
    for side in (-9, 9):
        brush.tube([(x + side, foot - 18), (x + side, foot)], 1.6, fill)
    brush.box(x - 10, foot - 22, x + 10, foot - 17, fill)
    brush.box(x - 10, foot - 44, x - 7, foot - 22, fill)


def _frame(brush: Brush, x: float, y: float, fill: Colour) -> None:
    at = 30 + 90 * y
    brush.box(x - 14, at - 11, x + 14, at + 11, fill)
    brush.box(x - 10, at - 7, x + 10, at + 7, (198, 204, 196))


def _lamp(brush: Brush, x: float, y: float, fill: Colour) -> None:
    foot = 176 + 40 * y
    brush.tube([(x, foot), (x, foot - 56)], 1.4, (110, 104, 100))
    brush.shape([(x - 6, foot - 70), (x + 6, foot - 70), (x + 12, foot - 54), (x - 12, foot - 54)], fill)


def _plant(brush: Brush, x: float, y: float, fill: Colour) -> None:
    foot = 180 + 40 * y
    brush.blob([(x - 6, foot - 24, 6, 11), (x + 6, foot - 24, 6, 11), (x, foot - 30, 6, 12)], (88, 128, 80))
    brush.shape([(x - 9, foot - 14), (x + 9, foot - 14), (x + 6, foot), (x - 6, foot)], fill)


_INDOOR = (_chair, _frame, _lamp, _plant)
_OUTDOOR = (_tree, _bush, _stone, _bench, _cloud)


def singer(size: int, singing: bool) -> Image.Image:
    """A head, with the mouth open if there is a voice; ``size`` pixels a side, on a transparent ground."""
    brush = Brush(32, 32, 3 * size / 32)
    brush.blob([(16, 33, 13, 8)], (146, 60, 120))
    brush.oval(16, 12, 11, 11, (92, 58, 36))
    brush.oval(16, 15, 9, 10, (238, 186, 148))
    for x in (12, 20):
        brush.oval(x, 13, 0.7, 1, INK)
    if singing:
        brush.oval(16, 20, 4.2, 3.6, (150, 26, 34))
    else:
        brush.line([(13, 20), (19, 20)], 1.4, (150, 60, 54))
    return brush.image.resize((size, size), Image.Resampling.BOX)


def cover(size: int, stream: Stream) -> Image.Image:
    """A picture that shows nothing: coloured blots."""
    blots = (128 + 45 * stream.noise(14, 14, 3)).clip(0, 255).astype("u1")
    return Image.fromarray(blots).resize((size, size), Image.Resampling.BILINEAR)
