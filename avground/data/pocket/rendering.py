"""How a Pocket world is filmed."""

from dataclasses import asdict, dataclass

from avground.data.pocket.world import World
from avground.errors import ConfigError, check_whole


@dataclass(frozen=True, slots=True)
class Rendering:
    """How the videos of a Pocket world are made.

    Args:
        seconds: Length of every video, at most 60; a multiple of the world's segments.
        fps: Frames a second.
        size: Pixels of a side of the square picture, an even number from 64 on.
    """

    seconds: int = 10
    fps: int = 8
    size: int = 224

    def __post_init__(self) -> None:
        check_whole("seconds", self.seconds)
        check_whole("fps", self.fps)
        check_whole("size", self.size, least=64)
        for name, most in (("seconds", 60), ("fps", 60), ("size", 2048)):
            if getattr(self, name) > most:
                raise ConfigError(f"{name}: expected at most {most}, got {getattr(self, name)}")
        if self.size % 2:
            raise ConfigError(f"size: expected an even number of pixels, got {self.size}")

    def check(self, world: World) -> None:
        """Raise :class:`ConfigError` if a segment of the world is no whole number of seconds, or a cell too small."""
        if self.seconds % world.segments:
            raise ConfigError(
                f"seconds: expected a multiple of the world's {world.segments} segments, got {self.seconds}"
            )

        cells = max(world.rows, world.columns)
        if self.size < 4 * cells:
            raise ConfigError(f"size: expected 4 pixels for each of the world's {cells} cells, got {self.size}")

    def to_dict(self) -> dict[str, int]:
        """The rendering as plain JSON values."""
        return asdict(self)
