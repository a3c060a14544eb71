"""Drawing in units on a transparent picture, always with a dark outline."""

import math
from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

INK: Colour = (38, 26, 22)
OUTLINE = 1.3  # units


class Brush:
    """Draws on a transparent picture.

    Args:
        width: Width of the picture in units.
        height: Height of the picture in units.
        scale: Pixels a unit.
        tint: Factors of red, green and blue of everything drawn, but the outlines.
    """

    def __init__(
        self, width: float, height: float, scale: float, tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    ) -> None:
        self.image = Image.new("RGBA", (round(width * scale), round(height * scale)), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.image)
        self._scale = scale
        self._tint = tint

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        """An ellipse around (x, y)."""
        self.blob([(x, y, rx, ry)], fill)

    def blob(self, ovals: Sequence[tuple[float, float, float, float]], fill: Colour) -> None:
        """Ellipses (x, y, rx, ry) that flow into each other, with one outline around all."""
        for grow, colour in ((OUTLINE, INK), (0.0, self._tinted(fill))):
            for x, y, rx, ry in ovals:
                corners = ((x - rx - grow, y - ry - grow), (x + rx + grow, y + ry + grow))
                self._draw.ellipse(self._pixels(corners), fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Colour, radius: float = 0.0) -> None:
        """A rectangle, with round corners if there is a radius."""
        for grow, colour in ((OUTLINE, INK), (0.0, self._tinted(fill))):
            corners = self._pixels(((left - grow, top - grow), (right + grow, bottom + grow)))
            if radius:
                self._draw.rounded_rectangle(corners, self._scale * (radius + grow), fill=colour)
            else:
                self._draw.rectangle(corners, fill=colour)

    def shape(self, points: Sequence[Point], fill: Colour) -> None:
        """A polygon."""
        pixels = self._pixels(points)
        self._draw.polygon(pixels, fill=self._tinted(fill))
        self._draw.line([*pixels, pixels[0], pixels[1]], fill=INK, width=self._width(OUTLINE), joint="curve")

    def patch(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """A rectangle without an outline."""
        self._draw.rectangle(self._pixels(((left, top), (right, bottom))), fill=self._tinted(fill))

    def tube(self, points: Sequence[Point], width: float, fill: Colour) -> None:
        """A bent tube along the points."""
        self.line(points, width + 2 * OUTLINE, INK)
        self.line(points, width, self._tinted(fill))

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """A bent line with round corners, neither outlined nor tinted."""
        pixels = self._pixels(points)
        self._draw.line(pixels, fill=colour, width=self._width(width), joint="curve")

    def arc(self, x: float, y: float, radius: float, start: float, end: float, width: float, colour: Colour) -> None:
        """A piece of a circle, from one angle to another in degrees, clockwise from the right."""
        self.line([around(x, y, radius, radius, start + (end - start) * i / 8) for i in range(9)], width, colour)

    def _tinted(self, colour: Colour) -> Colour:
        red, green, blue = (
            min(255, max(0, round(value * factor))) for value, factor in zip(colour, self._tint, strict=True)
        )
        return red, green, blue

    def _pixels(self, points: Iterable[Point]) -> list[Point]:
        return [(x * self._scale, y * self._scale) for x, y in points]

    def _width(self, units: float) -> int:
        return max(1, round(units * self._scale))


def around(x: float, y: float, rx: float, ry: float, degrees: float) -> Point:
    """The point of an ellipse around (x, y) at an angle, clockwise from the right."""
    angle = math.radians(degrees)
    return x + rx * math.cos(angle), y + ry * math.sin(angle)


def bend(x: float, y: float, rx: float, ry: float, start: float, end: float) -> list[Point]:
    """Points along a piece of an ellipse, for a tube."""
    return [around(x, y, rx, ry, start + (end - start) * i / 10) for i in range(11)]
