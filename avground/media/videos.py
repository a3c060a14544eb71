"""Which videos there are."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from avground.data.headers import file_name
from avground.errors import DataError

SUFFIXES = frozenset((
    ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts",
    ".vob", ".webm", ".wmv",
))  # fmt: skip
"""What the name of a video in a folder ends with, in capitals or not."""


@dataclass(frozen=True)
class Videos:
    """The videos to work on.

    Attributes:
        paths: The file of each video by its id, in the order of ids.
        ignored: What lies in the folders and is no video by its name, and why it is none.
    """

    paths: dict[str, Path]
    ignored: dict[str, str]


def find_videos(places: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Videos:
    """The videos in folders (not in folders within them), and files, whatever those are called.

    The id of a video is the name of its file without the suffix.

    Raises:
        DataError: if a place does not exist, an id is no plain name, two files have one id, or there is no video.
    """
    chosen: list[Path] = []
    ignored: dict[str, str] = {}
    given = [Path(place) for place in ([places] if isinstance(places, str | os.PathLike) else places)]
    for place in given:
        if not os.path.isdir(place):  # Unlike that of a Path, never an error, as for a name that is too long.
            if not os.path.lexists(place):
                raise DataError(f"{place}: expected a video or a folder of videos, got nothing there")
            chosen.append(place)
            continue
        for path in _entries(place):
            reason = _not_a_video(path)
            if reason:
                ignored[str(path)] = reason
            else:
                chosen.append(path)
    paths: dict[str, Path] = {}
    for path in dict.fromkeys(chosen):
        try:
            file_name(path.stem)
        except DataError as error:
            raise DataError(f"{str(path)!r}: {error}") from error
        if path.stem in paths:
            raise DataError(f"two videos with the id {path.stem!r}, expected one: {paths[path.stem]} and {path}")
        paths[path.stem] = path
    if not paths:
        listed = ", ".join(map(str, given)) or "no place"
        raise DataError(f"expected videos ({' '.join(sorted(SUFFIXES))}), got none in {listed}")
    return Videos(dict(sorted(paths.items())), ignored)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: expected a folder of videos, got {type(error).__name__}: {error}") from error


def _not_a_video(path: Path) -> str:
    """Why something in a folder is left out; empty for a video. A broken link is a video: one that fails."""
    if path.name.startswith("."):
        return "hidden"
    if path.is_dir():
        return "a folder within the folder"
    return "" if path.suffix.lower() in SUFFIXES else "not the suffix of a video"
