"""Drawings of the wind instruments, upright in a field of 64 x 96 units."""

from avground.data.pocket.pixels.brush import INK, Brush, Colour, bend

_BRASS: Colour = (242, 190, 50)
_SILVER: Colour = (206, 212, 222)
_BLACK: Colour = (44, 42, 48)


def _keys(brush: Brush, x: float, rows: tuple[float, ...], radius: float, fill: Colour) -> None:
    for y in rows:
        brush.oval(x, y, radius, radius, fill)


def flute(brush: Brush) -> None:
    """A thin silver tube held across."""
    brush.tube([(2, 47), (62, 47)], 5.6, _SILVER)
    brush.box(8, 43, 15, 48, (150, 158, 172), radius=1)
    for x in (26, 32, 38, 46, 52):
        brush.oval(x, 46, 2.3, 2.3, (130, 140, 156))


def trumpet(brush: Brush) -> None:
    """A loop of brass across the picture with three valves and a bell."""
    brush.tube([(3, 44), (44, 44)], 3.2, _BRASS)
    brush.tube([*bend(18, 51, 7, 7, 270, 90), *bend(44, 51, 7, 7, 90, -90)], 3.2, _BRASS)
    for x in (24, 31, 38):
        brush.box(x - 2, 40, x + 2, 62, (222, 166, 36), radius=1)
        brush.tube([(x, 34), (x, 40)], 1.4, _SILVER)
        brush.oval(x, 33, 2.4, 1.4, _SILVER)
    brush.shape([(44, 41.5), (52, 40), (61, 32), (61, 57), (52, 48.5), (44, 46.5)], _BRASS)
    brush.box(1.5, 41.5, 4, 46.5, _SILVER)


def saxophone(brush: Brush) -> None:
    """Golden, bent up into a bell, with a crook at the top."""
    brush.tube([(12, 12), (20, 8), (27, 11), (29, 18)], 3, (226, 168, 40))
    brush.tube([(7, 15), (12, 12)], 3, _BLACK)
    brush.shape([(26, 17), (32, 17), (36, 70), (26, 70)], _BRASS)
    brush.tube(bend(38, 72, 9, 12, 180, 0), 8, _BRASS)
    brush.shape([(42, 73), (52, 73), (60, 44), (38, 47)], _BRASS)
    brush.oval(49, 45.5, 11.5, 3.4, (176, 120, 24))
    _keys(brush, 30, (26, 34, 42, 50, 58, 66), 2.5, (250, 240, 200))


def clarinet(brush: Brush) -> None:
    """A straight black tube with silver keys and a small bell."""
    brush.shape([(30, 4), (34, 4), (35, 14), (29, 14)], (70, 66, 72))
    brush.box(29, 14, 35, 80, _BLACK)
    brush.shape([(29, 80), (35, 80), (42, 93), (22, 93)], _BLACK)
    for y in (17, 45, 78):
        brush.box(28.5, y, 35.5, y + 2, _SILVER)
    _keys(brush, 32, (24, 31, 38, 53, 60, 67), 1.8, _SILVER)
    brush.tube([(37, 50), (37, 74)], 1, _SILVER)


def tuba(brush: Brush) -> None:
    """A huge brass coil under a wide bell."""
    brush.shape([(6, 6), (44, 6), (34, 24), (31, 44), (20, 44), (17, 24)], _BRASS)
    brush.oval(25, 7, 20, 5, (170, 118, 24))
    brush.tube([*bend(32, 70, 20, 20, 240, 480), (32, 50)], 9, _BRASS)
    brush.oval(34, 70, 9, 10, (196, 142, 30))
    for x in (28, 34, 40):
        brush.box(x - 2.2, 56, x + 2.2, 76, (250, 216, 110), radius=1)
    brush.tube([(50, 62), (57, 48), (54, 38)], 3, (222, 166, 36))
    brush.oval(53.5, 36.5, 3, 2.4, _SILVER)


def bassoon(brush: Brush) -> None:
    """Two long dark red tubes side by side with a thin silver crook."""
    brush.box(34, 30, 41, 90, (140, 40, 34), radius=2)
    brush.box(25, 3, 33, 90, (122, 30, 30), radius=2)
    brush.box(25, 3, 33, 7, (248, 244, 236))
    brush.box(24, 82, 42, 92, (96, 24, 26), radius=2)
    brush.tube([(38, 30), (40, 22), (48, 20), (56, 26)], 1.8, _SILVER)
    brush.tube([(56, 26), (60, 29)], 2.4, (220, 190, 120))
    for y in (28, 54, 76):
        brush.box(24.5, y, 33.5, y + 2, _SILVER)
    _keys(brush, 37.5, (40, 48, 62, 70), 2, _SILVER)


def suona(brush: Brush) -> None:
    """A short brown cone with holes above a wide brass bell."""
    brush.tube([(32, 12), (32, 24)], 1.8, _SILVER)
    brush.oval(32, 20, 5, 1.6, _BRASS)
    brush.shape([(30, 26), (34, 26), (38, 68), (26, 68)], (150, 84, 44))
    for y in (32, 39, 46, 53, 60):
        brush.oval(32, y, 1.3, 1.3, INK)
    brush.shape([(27, 66), (37, 66), (41, 76), (54, 90), (10, 90), (23, 76)], _BRASS)
    brush.oval(32, 90, 22, 3.6, (190, 134, 28))


def bagpipe(brush: Brush) -> None:
    """A green checked bag with three drones and a chanter."""
    for foot, top in (((22, 54), (8, 10)), ((29, 52), (25, 3)), ((36, 54), (43, 8))):
        brush.tube([foot, top], 3.4, _BLACK)
        x, y = top
        brush.oval(x, y + 2, 3, 3, (246, 240, 222))
        brush.oval((foot[0] + x) / 2, (foot[1] + y) / 2, 2.6, 2.6, (246, 240, 222))
    brush.tube([(46, 56), (55, 44)], 3, _BLACK)
    brush.tube([(44, 74), (50, 92)], 3.2, _BLACK)
    brush.blob([(28, 66, 21, 15), (40, 64, 13, 11)], (34, 112, 60))
    for x in (16, 26, 36, 46):
        brush.line([(x, 58), (x - 2, 74)], 1.6, (214, 52, 48))
    for y in (60, 66, 72):
        brush.line([(11, y), (49, y)], 1.2, (240, 214, 70))
