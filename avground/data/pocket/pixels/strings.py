"""Drawings of the string instruments, upright in a field of 64 x 96 units."""

from avground.data.pocket.pixels.brush import INK, Brush, Colour

_EBONY: Colour = (45, 35, 35)
_STRING: Colour = (235, 230, 215)
_CREAM: Colour = (245, 235, 210)


def _neck(brush: Brush, top: float, bottom: float, width: float, fill: Colour = _EBONY) -> None:
    brush.box(32 - width / 2, top, 32 + width / 2, bottom, fill)


def _pegs(brush: Brush, rows: tuple[float, ...], reach: float, fill: Colour) -> None:
    for y in rows:
        brush.tube([(32 - reach, y), (32 + reach, y)], 2.2, fill)


def _fiddle(brush: Brush, y: float, size: float, top: float, fill: Colour) -> None:
    """A body with a waist and f-holes around height ``y``; 24 units wide at size 1."""
    _pegs(brush, (top + 6, top + 9 + size), 4 * size, _EBONY)
    brush.oval(32, top + 3, 2.6 * size, 2.6 * size, fill)
    upper, lower = y - 9 * size, y + 9 * size
    brush.blob([(32, upper, 10 * size, 8 * size), (32, y, 7 * size, 8 * size), (32, lower, 12 * size, 10 * size)], fill)
    brush.box(32 - 1.6 * size, y - 12 * size, 32 + 1.6 * size, y - size, _EBONY)
    for side in (-1, 1):
        x = 32 + side * 5 * size
        brush.line(
            [(x + side * size, y - 4 * size), (x, y - size), (x, y + 3 * size), (x - side * size, y + 6 * size)],
            1.6 * size,
            INK,
        )
    brush.box(32 - 4 * size, y + 3 * size, 32 + 4 * size, y + 4 * size, _CREAM)
    for at in (-0.6, 0.6):
        brush.line([(32 + at * size, top + 6), (32 + at * size, y + 12 * size)], 0.5, _STRING)
    brush.shape(
        [(30.5, y + 18 * size), (33.5, y + 18 * size), (32 + 2 * size, y + 9 * size), (30, y + 9 * size)], _EBONY
    )


def violin(brush: Brush) -> None:
    """Small and bright orange."""
    _fiddle(brush, 58, 1.15, 14, (224, 122, 40))


def cello(brush: Brush) -> None:
    """As a violin, large and dark, on a spike."""
    brush.tube([(32, 80), (32, 95)], 1.2, (190, 190, 195))
    _fiddle(brush, 58, 1.75, 2, (122, 48, 30))


def erhu(brush: Brush) -> None:
    """A long thin stick with two pegs to one side on a small drum."""
    brush.tube([(32, 3), (32, 92)], 2.4, (84, 40, 26))
    for y in (10, 18):
        brush.tube([(30, y), (46, y - 2)], 2.8, (60, 28, 20))
    brush.shape([(24, 70), (40, 70), (45, 79), (40, 88), (24, 88), (19, 79)], (74, 34, 24))
    brush.oval(32, 79, 7.5, 7, (214, 206, 170))
    for x in (31, 33):
        brush.line([(x, 20), (x, 78)], 0.7, _STRING)


def pipa(brush: Brush) -> None:
    """A pear with a bent head, many frets and no hole."""
    brush.shape([(29, 8), (24, 3), (31, 1), (36, 8)], (70, 40, 28))
    _pegs(brush, (10, 14), 8, (70, 40, 28))
    brush.shape(
        [(29, 10), (35, 10), (40, 42), (51, 62), (51, 78), (42, 90), (22, 90), (13, 78), (13, 62), (24, 42)],
        (216, 172, 108),
    )
    for number in range(8):
        y = 18 + 5 * number
        brush.line([(28 - number / 2, y), (36 + number / 2, y)], 1.5, (92, 52, 30))
    brush.box(22, 78, 42, 81, (92, 52, 30))
    for x in (29.5, 32, 34.5):
        brush.line([(x, 14), (x, 78)], 0.6, _STRING)


def _guitar(brush: Brush, y: float, size: float, top: float, fill: Colour, edge: Colour) -> None:
    """A body with a waist and a round hole; 40 units wide at size 1."""
    brush.box(32 - 4 * size, top, 32 + 4 * size, top + 10 * size, edge, radius=1)
    for number in range(3):
        for side in (-1, 1):
            brush.oval(32 + side * 5.6 * size, top + (1.5 + 3.2 * number) * size, 1, 1, _CREAM)
    ovals = [
        (32, y - 13 * size, 14 * size, 11 * size),
        (32, y, 12 * size, 9 * size),
        (32, y + 11 * size, 19 * size, 15 * size),
    ]
    brush.blob(ovals, edge)
    brush.blob([(x, at, rx - 2 * size, ry - 2 * size) for x, at, rx, ry in ovals], fill)
    _neck(brush, top + 10 * size, y - 3 * size, 4.4 * size, (100, 62, 40))
    for number in range(6):
        at = top + 13 * size + number * (y - top - 18 * size) / 6
        brush.line([(32 - 2.2 * size, at), (32 + 2.2 * size, at)], 0.9, _CREAM)
    brush.oval(32, y + size, 5.5 * size, 5.5 * size, INK)
    brush.box(32 - 7 * size, y + 15 * size, 32 + 7 * size, y + 17.5 * size, (80, 45, 30))
    for x in (-1.2, 0, 1.2):
        brush.line([(32 + x * size, top + 6), (32 + x * size, y + 15 * size)], 0.5, _STRING)


def acoustic_guitar(brush: Brush) -> None:
    """Large and yellow, with a round hole."""
    _guitar(brush, 65, 1.05, 3, (236, 188, 104), (150, 92, 44))


def ukulele(brush: Brush) -> None:
    """A small guitar of reddish wood with a short neck."""
    _guitar(brush, 66, 0.78, 20, (206, 92, 72), (110, 42, 38))


def banjo(brush: Brush) -> None:
    """A round white drum on a long neck."""
    brush.box(27.5, 2, 36.5, 12, (60, 42, 34), radius=2)
    _pegs(brush, (4, 9), 7, _CREAM)
    _neck(brush, 12, 52, 4.4, (120, 70, 40))
    for number in range(7):
        brush.line([(30, 16 + 5 * number), (34, 16 + 5 * number)], 0.9, _CREAM)
    brush.oval(32, 70, 22, 22, (168, 172, 180))
    brush.oval(32, 70, 18, 18, (250, 248, 240))
    _neck(brush, 50, 56, 4.4, (120, 70, 40))
    brush.box(26, 77, 38, 79, (110, 64, 36))
    for x in (30.5, 32, 33.5):
        brush.line([(x, 10), (x, 86)], 0.6, INK)


def electric_bass(brush: Brush) -> None:
    """Solid and blue, with two horns, pickups and a very long neck."""
    brush.shape([(29, 1), (36, 1), (37, 14), (29, 14)], (30, 64, 150))
    for y in (3, 6, 9, 12):
        brush.oval(39.5, y, 1.4, 1.2, (210, 210, 215))
    body = [
        (27, 54),
        (18, 46),
        (14, 50),
        (18, 64),
        (12, 76),
        (17, 91),
        (33, 94),
        (48, 90),
        (51, 76),
        (44, 66),
        (50, 54),
        (45, 50),
        (37, 56),
    ]
    brush.shape(body, (34, 78, 190))
    brush.shape([(36, 60), (43, 66), (47, 80), (40, 88), (35, 78)], (246, 246, 246))
    _neck(brush, 14, 62, 4.2, (206, 160, 96))
    for number in range(9):
        brush.line([(30, 18 + 4.6 * number), (34, 18 + 4.6 * number)], 0.9, (110, 80, 50))
    for y in (67, 75):
        brush.box(26, y, 38, y + 3.2, _EBONY)
    brush.box(27, 84, 37, 87, (190, 190, 196))
    for x in (30.8, 32.4, 34):
        brush.line([(x, 4), (x, 84)], 0.5, (220, 220, 225))


def guzheng(brush: Brush) -> None:
    """A long dark red board of many strings and slanting bridges, on two stands."""
    for x in (13, 51):
        brush.shape([(x - 5, 88), (x + 5, 88), (x + 2, 58), (x - 2, 58)], (70, 34, 24))
    brush.shape([(1.5, 44), (62.5, 36), (62.5, 58), (1.5, 64)], (128, 30, 34))
    brush.shape([(4, 46), (60, 39), (60, 53), (4, 60)], (222, 180, 120))
    for number in range(7):
        brush.line([(5, 47.5 + 1.9 * number), (59, 40.5 + 1.9 * number)], 0.6, INK)
        x = 16 + 5 * number
        brush.shape([(x - 1.5, 48 + number), (x + 1.5, 48 + number), (x, 43.5 + number)], _CREAM)
