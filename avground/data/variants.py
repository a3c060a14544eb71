"""The published question files: how they are named, which one a file is, and which video an id comes from."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from avground.data.annotations import FREQUENCIES, Record
from avground.errors import DataError

SPLITS = ("train", "val", "test")

_SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_TEST_PARTS = ("headtail", *FREQUENCIES)

# Rows of train, val and test, as published.
_SIZES = {
    "MUSIC-AVQA (json)": (32_087, 4_595, 9_185),
    "MUSIC-AVQA (json_update)": (31_927, 4_568, 9_129),
}
_REPHRASED = 211_572

_NUMBERED = re.compile(r"(?:e?(?:sa|va|vv))?([0-9]{8})")
_COPY = re.compile(r"(_flip|_#\d+)+$")


class FileName(NamedTuple):
    """What the name of a question file says.

    Attributes:
        prefix: The data set: ``"avqa"``, ``"music-avqa"``, ``"bias"``, ``"balance"``; may be empty.
        split: ``"train"``, ``"val"`` or ``"test"``.
        part: ``"headtail"``, ``"head"`` or ``"tail"`` for the test files of MUSIC-AVQA-R, otherwise empty.
    """

    prefix: str
    split: str
    part: str


def parse_file_name(path: str | PathLike[str]) -> FileName | None:
    """Take the name of a question file apart: ``avqa-val.json``, ``bias_valid.json``, ``test_bias.json``, ...

    Returns:
        What it says, or None if the file is no ``.json`` or names no split, or two.
    """
    path = Path(path)
    words = re.split(r"[-_.\s]+", path.stem.lower())
    splits = [word for word in words if word in _SPLIT_NAMES]
    if path.suffix.lower() != ".json" or len(splits) != 1:
        return None
    part = words[-1] if words[-1] in _TEST_PARTS and _SPLIT_NAMES[splits[0]] == "test" else ""
    rest = [word for word in words if word not in (splits[0], part)]
    return FileName("-".join(rest), _SPLIT_NAMES[splits[0]], part)


def list_question_files(folder: str | PathLike[str]) -> dict[Path, FileName]:
    """The question files in a folder itself, by name; in the order prefix, split, part.

    Raises:
        DataError: if there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of question files, got {'a file' if folder.exists() else 'none'}")
    named = {path: name for path in folder.iterdir() if path.is_file() and (name := parse_file_name(path))}
    order = sorted(named, key=lambda path: (named[path].prefix, SPLITS.index(named[path].split), path.name))
    return {path: named[path] for path in order}


def question_files(folder: str | PathLike[str], *, prefix: str | None = None) -> dict[str, Path]:
    """Find the train, val and test questions of a data set in a folder, under any of the published names.

    Those are ``avqa-{train,val,test}.json``, ``{bias,balance}_{train,valid,test}.json`` and
    ``{train,valid,test}_{bias,balance}.json`` of the second version, and those of MUSIC-AVQA-R, which puts
    ``avqa-test-headtail.json`` beside the train and val questions of the first: it is the test file where there is no
    ``avqa-test.json``.

    Args:
        folder: Where they lie.
        prefix: Which data set, where several lie there: ``"bias"``, ``"balance"``, ``"avqa"``.

    Returns:
        The paths of ``"train"``, ``"val"`` and ``"test"``.

    Raises:
        DataError: if a split is missing, or there are several data sets or files to choose from; lists what was found.
    """
    named = list_question_files(folder)
    sets: dict[str, dict[tuple[str, str], list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path, name in named.items():
        sets[name.prefix][name.split, name.part].append(path)
    if prefix is not None:
        sets = {prefix: sets[prefix]} if prefix in sets else {}
    complete = {name: chosen for name, found in sets.items() if (chosen := _choose(found)) is not None}
    if len(complete) != 1:
        wanted = "avqa-{train,val,test}.json or {bias,balance}_{train,valid,test}.json"
        wanted += "" if prefix is None else f", prefix {prefix!r}"
        if len(complete) > 1:
            wanted = f"one data set, or a prefix among {', '.join(map(repr, complete))}"
        found = ", ".join(path.name for path in named) or "no question file"
        raise DataError(f"{folder}: expected {wanted}, got {found}")
    return next(iter(complete.values()))


def _choose(found: Mapping[tuple[str, str], list[Path]]) -> dict[str, Path] | None:
    """One file for each split; None if a split has none or more than one."""
    chosen = {}
    for split in SPLITS:
        paths = found.get((split, "")) or found.get((split, "headtail")) or []
        if len(paths) != 1:
            return None
        chosen[split] = paths[0]
    return chosen


def guess_variant(path: str | PathLike[str], records: Sequence[Record]) -> str:
    """Which published data set a file belongs to, from its name, size and rows; a guess in words."""
    name = parse_file_name(path)
    for variant, sizes in _SIZES.items():
        if len(records) in (sizes if name is None else (sizes[SPLITS.index(name.split)],)):
            return variant
    if len(records) == _REPHRASED or (name is not None and name.part):
        return "MUSIC-AVQA-R"
    if any(record.frequency for record in records):
        return "FortisAVQA"
    ids = {record.video_id for record in records}
    if any(record.audio_id for record in records) or any(not _NUMBERED.fullmatch(video_id) for video_id in ids):
        second = [word for word in ("bias", "balance") if name is not None and word in name.prefix.split("-")]
        return f"MUSIC-AVQA v2{f' ({second[0]})' if second else ''}"
    return "MUSIC-AVQA, of a size that was not published"


def base_video(video_id: str) -> str:
    """The video that an id comes from; its own id for a video as it was recorded.

    The ids of MUSIC-AVQA are numbers of eight digits. A synthetic video has letters in front: ``sa``, ``va`` or ``vv``
    where it takes the recorded video's place, ``esa``, ``eva`` or ``evv`` where both are in the data set. What was
    mixed in (another sound, a second picture) the id does not tell. The second version adds YouTube ids, mirrored
    copies of videos (``_flip``) and further clips of one (``_#02``).
    """
    plain = _COPY.sub("", video_id)
    numbered = _NUMBERED.fullmatch(plain)
    return numbered[1] if numbered else plain or video_id
