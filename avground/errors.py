"""The errors avground raises on bad input; each message names what was expected and what it got."""

from collections.abc import Iterable


class AvgroundError(ValueError):
    """Base of every error avground raises on bad input."""


class ShapeError(AvgroundError):
    """A tensor whose shape or dtype does not fit: names the argument, the expected and the actual shape."""


class ConfigError(AvgroundError):
    """A setting that does not exist or cannot be combined: names it and lists what can be chosen."""


class DataError(AvgroundError):
    """A file, row, video or word that cannot be used: names it, and what was expected there."""


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise :class:`ConfigError`, which lists the choices, if ``value`` is none of them."""
    listed = tuple(choices)
    if value not in listed:
        raise ConfigError(f"{name}: expected one of {', '.join(map(repr, listed))}, got {value!r}")
