"""What a folder of features was made with: ``manifest.json``."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from avground.errors import ConfigError, DataError, brief, check_choice, check_positive, check_whole
from avground.reading import check_plain, read_json

FILE = "manifest.json"
FORMAT = "avground features 1"

Kind = Literal["audio", "visual"]

MOST_ROWS = 100_000
"""More rows than any video has, so that no file can ask for all memory."""

_MOST_DIMENSIONS = 8
_MOST_BYTES = 2**24


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything that decides the values of a kind of feature, besides the video.

    Attributes:
        kind: ``"audio"`` or ``"visual"``.
        extractor: Name of what made the features, such as ``"resnet18"``.
        shape: Of a row, such as (512, 14, 14).
        rate: Rows a second of video.
        seconds: Seconds of a video that were looked at, at most.
        weights: SHA-256 of the file that the network's weights came from; None where there is no network.
        settings: Whatever else decides the values, such as ``{"statistics": "kinetics"}``: plain JSON values.
        versions: Packages the features were made with; for the record, never compared.
    """

    kind: Kind
    extractor: str
    shape: tuple[int, ...]
    rate: float = 1.0
    seconds: int = 60
    weights: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("audio", "visual"))
        object.__setattr__(self, "shape", tuple(self.shape))
        if not self.shape:
            raise ConfigError("shape: expected at least one dimension, got none")
        if len(self.shape) > _MOST_DIMENSIONS:
            raise ConfigError(f"shape: expected at most {_MOST_DIMENSIONS} dimensions, got {len(self.shape)}")
        for length in (*self.shape, self.seconds):
            check_whole("shape, seconds", length)
        check_positive("rate", self.rate)
        if not 0.5 <= self.rate * self.seconds <= MOST_ROWS:
            raise ConfigError(f"rate, seconds: expected 1 to {MOST_ROWS} rows, got {self.rate:g} x {self.seconds}")
        for name, value in (("extractor", self.extractor), ("weights", self.weights or "")):
            if not isinstance(value, str):
                raise ConfigError(f"{name}: expected a string, got {brief(value)}")
        for name in ("settings", "versions"):
            if not isinstance(getattr(self, name), Mapping):
                raise ConfigError(f"{name}: expected a mapping, got {brief(getattr(self, name))}")
            object.__setattr__(self, name, json.loads(json.dumps(dict(getattr(self, name)))))

    @property
    def rows(self) -> int:
        """Rows of a video that is not shorter than what was looked at."""
        return round(self.rate * self.seconds)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**dataclasses.asdict(self), "shape": list(self.shape)}

    @classmethod
    def from_dict(cls, values: Any, where: str) -> Self:
        """The inverse of :meth:`to_dict`.

        Raises:
            DataError: names ``where``, what was expected there and what came.
        """
        known = {item.name for item in dataclasses.fields(cls)}
        if not isinstance(values, Mapping) or set(values) != known:
            got = brief(sorted(map(str, values))) if isinstance(values, Mapping) else type(values).__name__
            raise DataError(f"{where}: expected the keys {sorted(known)}, got {got}")
        check_plain(values, where)
        try:
            return cls(**values)
        except (ConfigError, TypeError, ValueError) as error:
            raise DataError(f"{where}: {error}") from error

    def differences(self, other: "Manifest") -> str:
        """In words, what decides values and is not the same; empty if nothing: ``extractor 'vggish', not 'logmel'``."""
        mine, theirs = self.to_dict(), other.to_dict()
        found = [
            f"{name} {brief(mine[name])}, not {brief(theirs[name])}"
            for name in mine
            if name not in ("versions", "settings") and mine[name] != theirs[name]
        ]
        settings = sorted({*self.settings, *other.settings})
        found += [
            f"{name} {brief(self.settings.get(name))}, not {brief(other.settings.get(name))}"
            for name in settings
            if self.settings.get(name) != other.settings.get(name)
        ]
        return ", ".join(found)


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder of features; None if it has none, as the folders that others publish.

    Raises:
        DataError: if there is one that cannot be read.
    """
    path = folder / FILE
    try:
        content = read_json(path, "a manifest", most=_MOST_BYTES)
    except DataError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise DataError(f"{path}: expected a manifest of the format {FORMAT!r}, got another file")
    return Manifest.from_dict(content, str(path))


def dump_manifest(manifest: Manifest) -> str:
    """The text of ``manifest.json``."""
    return json.dumps({"format": FORMAT, **manifest.to_dict()}, indent=2) + "\n"
