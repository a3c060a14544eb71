"""The errors avground raises on bad input; each message names what was expected and what it got."""

import math
from collections.abc import Iterable
from typing import TypeGuard


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


def check_whole(name: str, value: object, least: int = 1) -> None:
    """Raise :class:`ConfigError` unless ``value`` is a whole number of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name}: expected a whole number of at least {least}, got {value!r}")


def check_positive(name: str, value: object) -> None:
    """Raise :class:`ConfigError` unless ``value`` is a finite number above 0."""
    if not _is_number(value) or not 0 < value < math.inf:
        raise ConfigError(f"{name}: expected a number above 0, got {value!r}")


def check_not_negative(name: str, value: object, *, below: float = math.inf) -> None:
    """Raise :class:`ConfigError` unless ``value`` is a number from 0 up to, but not including, ``below``."""
    if not _is_number(value) or not 0 <= value < below:
        limit = "" if below == math.inf else f" and below {below:g}"
        raise ConfigError(f"{name}: expected a number that is at least 0{limit}, got {value!r}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
