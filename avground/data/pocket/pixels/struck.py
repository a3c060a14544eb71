"""Drawings of the keyboards and drums, upright in a field of 64 x 96 units."""

from avground.data.pocket.pixels.brush import INK, Brush, Colour

_WHITE: Colour = (250, 250, 246)
_STEEL: Colour = (186, 190, 200)
_CYMBAL: Colour = (232, 200, 84)
_BARS: tuple[Colour, ...] = (
    (214, 40, 40),
    (240, 130, 30),
    (246, 214, 50),
    (70, 176, 70),
    (50, 170, 190),
    (50, 90, 200),
    (130, 70, 180),
    (220, 90, 160),
)


def piano(brush: Brush) -> None:
    """A black upright case with a keyboard."""
    brush.box(5, 20, 59, 90, (36, 36, 42), radius=2)
    brush.box(10, 26, 54, 44, (62, 62, 72), radius=1)
    brush.box(2.5, 52, 61.5, 66, (36, 36, 42), radius=1)
    brush.box(5, 54, 59, 63, _WHITE)
    for number in range(1, 9):
        brush.line([(5 + 6 * number, 54), (5 + 6 * number, 63)], 0.8, INK)
        if number % 4:
            brush.box(3.8 + 6 * number, 54, 6.2 + 6 * number, 58.5, INK)
    for x in (28, 36):
        brush.oval(x, 86, 2.4, 1.4, _CYMBAL)


def drum(brush: Brush) -> None:
    """A kit: a large red drum, two small ones and two cymbals."""
    for x, side in ((9, -1), (55, 1)):
        brush.tube([(x, 28), (x - side, 92)], 1.2, _STEEL)
        brush.oval(x, 26, 8.5, 2.4, _CYMBAL)
    for x in (22, 42):
        brush.box(x - 8, 36, x + 8, 50, (196, 36, 40), radius=1)
        brush.oval(x, 36, 8, 3, _WHITE)
    brush.oval(32, 70, 21, 21, (196, 36, 40))
    brush.oval(32, 70, 16.5, 16.5, _WHITE)
    brush.oval(32, 70, 5, 5, INK)


def accordion(brush: Brush) -> None:
    """Red bellows between a keyboard and a board of buttons."""
    for number in range(7):
        x = 20 + 4 * number
        fill = (214, 40, 44) if number % 2 else (120, 16, 24)
        drop = 3 - abs(3 - number)
        brush.box(x - 2, 28 - drop, x + 2, 78 + drop, fill)
    brush.box(3, 24, 17, 82, (178, 24, 32), radius=2)
    brush.box(5, 28, 12, 78, _WHITE)
    for number in range(10):
        brush.line([(5, 33 + 5 * number), (12, 33 + 5 * number)], 0.8, INK)
        if number % 3:
            brush.box(8, 32 + 5 * number, 12, 34 + 5 * number, INK)
    brush.box(48, 24, 61, 82, (178, 24, 32), radius=2)
    for y in range(32, 80, 7):
        for column in (52, 57):
            brush.oval(column, y, 1.6, 1.6, (248, 236, 200))


def xylophone(brush: Brush) -> None:
    """Bars of all colours that grow shorter, on a slanting frame."""
    for foot in (14, 50):
        brush.tube([(foot, 60), (foot, 92)], 2.2, (90, 60, 40))
    brush.shape([(2, 34), (2, 38), (62, 46), (62, 42)], (110, 72, 44))
    brush.shape([(2, 70), (2, 66), (62, 56), (62, 60)], (110, 72, 44))
    for number, fill in enumerate(_BARS):
        x, half = 5 + 7.7 * number, 24 - 1.8 * number
        brush.box(x - 2.6, 52 - half, x + 2.6, 52 + half, fill, radius=1)
        for end in (3 - half, half - 3):
            brush.oval(x, 52 + end, 0.6, 0.6, INK)


def congas(brush: Brush) -> None:
    """Two tall barrels with skins, one higher than the other."""
    for x, top, fill in ((17, 30, (196, 96, 36)), (46, 24, (168, 66, 30))):
        brush.shape(
            [(x - 11, top), (x + 11, top), (x + 14, top + 24), (x + 8, 92), (x - 8, 92), (x - 14, top + 24)], fill
        )
        for side in (-5, 5):
            brush.line([(x + side, top + 4), (x + 1.3 * side, top + 24), (x + 0.7 * side, 90)], 0.8, INK)
        brush.line([(x - 13, top + 18), (x + 13, top + 18)], 2.2, _STEEL)
        brush.line([(x - 9, 84), (x + 9, 84)], 2.2, _STEEL)
        brush.oval(x, top, 11.5, 4.6, (244, 228, 196))
