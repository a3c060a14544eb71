"""The errors avground raises on bad input; each message names what was expected and what it got."""

import reprlib
import sys
from collections.abc import Iterable
from typing import TypeGuard

_LONGEST = 120
_MOST = sys.float_info.max  # A whole number may be larger, and is none that can be computed with.
_SHORT = reprlib.Repr()
_SHORT.maxlevel = 3
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = _SHORT.maxset = _SHORT.maxfrozenset = 20
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = _LONGEST


class AvgroundError(ValueError):
    """Base of every error avground raises on bad input."""

    def __init__(self, message: str = "") -> None:
        # torch raises an error of a loading process again, with a traceback around its message.
        start, name, own = message.rpartition(f"{type(self).__module__}.{type(self).__qualname__}: ")
        again = name and start.startswith("Caught ") and "Traceback" in start
        super().__init__(own.rstrip("\n") if again else message)
        if again:
            self.add_note(message)


class ShapeError(AvgroundError):
    """A tensor whose shape or dtype does not fit: names the argument, the expected and the actual shape."""


class ConfigError(AvgroundError):
    """A setting that does not exist or cannot be combined: names it and lists what can be chosen."""


class DataError(AvgroundError):
    """A file, row, video or word that cannot be used: names it, and what was expected there."""


def brief(value: object) -> str:
    """A value as an error message shows it: at most 120 characters, however large or deep it is."""
    try:
        text = _SHORT.repr(value)
    except Exception:  # A number of too many digits, for one, has none.
        text = f"something of type {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise :class:`ConfigError`, which lists the choices, if ``value`` is none of them."""
    listed = tuple(choices)
    if value not in listed:
        raise ConfigError(f"{name}: expected one of {', '.join(map(repr, listed))}, got {brief(value)}")


def check_whole(name: str, value: object, least: int = 1) -> None:
    """Raise :class:`ConfigError` unless ``value`` is a whole number of at least ``least`` that 64 bits hold."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**63:
        most = " and less than 2**63" if isinstance(value, int) and value >= 2**63 else ""
        raise ConfigError(f"{name}: expected a whole number of at least {least}{most}, got {brief(value)}")


def check_positive(name: str, value: object) -> None:
    """Raise :class:`ConfigError` unless ``value`` is a finite number above 0."""
    if not _is_number(value) or not 0 < value <= _MOST:
        raise ConfigError(f"{name}: expected a number above 0, got {brief(value)}")


def check_not_negative(name: str, value: object, *, below: float | None = None) -> None:
    """Raise :class:`ConfigError` unless ``value`` is a finite number from 0 up to, but not including, ``below``."""
    if not _is_number(value) or not 0 <= value <= _MOST or (below is not None and value >= below):
        limit = "" if below is None else f" and below {below:g}"
        raise ConfigError(f"{name}: expected a number that is at least 0{limit}, got {brief(value)}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
