"""Share questions among train, val and test anew, so that no video is in two of them.

The published splits of MUSIC-AVQA share out questions, not videos: its val file holds a tenth of the questions, and
these are about two fifths of the videos. Such a test does not tell what a network makes of a video it has never seen.
"""

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from avground.data.annotations import Record, parse_rows, read_rows
from avground.data.variants import SPLITS, base_video
from avground.errors import DataError, check_whole

RECORD_FILE = "split.json"

Cells = Counter[Hashable]


def group_videos(records: Iterable[Record]) -> dict[str, str]:
    """Which videos belong together: those of one base video, and those that a question hears and sees together.

    Args:
        records: The questions.

    Returns:
        For every base video (see :func:`avground.data.variants.base_video`) the first of its group, in order of names.
    """
    parent: dict[str, str] = {}

    def find(video: str) -> str:
        while parent.setdefault(video, video) != video:
            parent[video] = parent[parent[video]]
            video = parent[video]
        return video

    for record in records:
        seen = find(base_video(record.video_id))
        heard = find(base_video(record.heard_id))
        parent[max(seen, heard)] = min(seen, heard)
    return {video: find(video) for video in parent}


def disjoint_split(records: Sequence[Record], sizes: Mapping[str, int], *, seed: int = 0) -> list[str]:
    """Assign questions to splits by video.

    Groups of related videos (:func:`group_videos`) are shared out one by one, those with most questions first, each to
    the split that it brings nearest to its share of all questions, of each kind of question and of each answer to it
    (the sum of squared differences, each over what is wanted). Then groups that hold an answer or a word which train
    lacks move there. The order of the records does not matter.

    Args:
        records: The questions.
        sizes: How many questions each split should get; only the proportions count. Must hold ``"train"``.
        seed: Orders groups of the same size, so that another seed gives another split.

    Returns:
        The split of each question.

    Raises:
        DataError: if a size is not positive, or there are too few unrelated videos for every split to get one.
        ConfigError: if ``seed`` is not a whole number from 0.
    """
    check_whole("seed", seed, least=0)
    if "train" not in sizes:
        raise DataError(f"sizes: expected 'train' among the splits, got {', '.join(sizes) or 'none'}")
    for name, size in sizes.items():
        if size < 1:
            raise DataError(f"{name}: expected at least one question, got {size}")
    group_of = group_videos(records)
    members: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        members[group_of[base_video(record.video_id)]].append(record)
    keys = {group: hashlib.sha256(f"{seed}/{group}".encode("utf-8", "surrogatepass")).hexdigest() for group in members}
    order = sorted(members, key=lambda group: (-len(members[group]), keys[group]))
    chosen = _share_out({group: _cells(members[group]) for group in order}, sizes)
    _complete_train(chosen, members, list(reversed(order)))
    for name in sizes:
        if name not in chosen.values():
            raise DataError(
                f"{name}: expected a group of videos for each of {', '.join(sizes)}, got {len(members)} groups in all, "
                "of which train needs those that hold its words and answers"
            )
    return [chosen[group_of[base_video(record.video_id)]] for record in records]


def _cells(records: Sequence[Record]) -> Cells:
    """How many questions there are in all, of each kind, and with each answer to a kind."""
    return Counter(cell for record in records for cell in ("all", record.type, (record.type, record.answer)))


def _share_out(groups: Mapping[str, Cells], sizes: Mapping[str, int]) -> dict[str, str]:
    total: Cells = Counter()
    for cells in groups.values():
        total.update(cells)
    shares = {name: size / sum(sizes.values()) for name, size in sizes.items()}
    held: dict[str, Cells] = {name: Counter() for name in sizes}

    def cost(name: str, cells: Cells) -> float:
        """By how much the squared differences of a split grow, each over the number wanted."""
        wanted = ((cell, count, shares[name] * total[cell]) for cell, count in cells.items())
        # A plain sum would depend on the order of the cells, which is that of the records.
        return math.fsum(count * (count + 2 * (held[name][cell] - goal)) / goal for cell, count, goal in wanted)

    chosen = {}
    for group, cells in groups.items():
        chosen[group] = min(sizes, key=lambda name: cost(name, cells))
        held[chosen[group]].update(cells)
    return chosen


def _complete_train(chosen: dict[str, str], members: Mapping[str, Sequence[Record]], order: Sequence[str]) -> None:
    """Move to train the first group with each answer or word that train lacks."""

    def entries(group: str) -> set[tuple[str, str]]:
        words = {("word", word) for record in members[group] for word in record.words}
        return words | {("answer", record.answer) for record in members[group]}

    held = {entry for group, name in chosen.items() if name == "train" for entry in entries(group)}
    for group in order:
        if chosen[group] != "train" and (found := entries(group)) - held:
            chosen[group] = "train"
            held |= found


def write_disjoint_split(
    sources: Mapping[str, str | PathLike[str]], output: str | PathLike[str], *, seed: int = 0
) -> dict[str, Any]:
    """Share out the questions of three files anew, by video, and write them as ``avqa-{train,val,test}.json``.

    The rows are written with all they hold, in the order of the sources. Beside them ``split.json`` records the seed,
    and of each source and each new file its SHA-256, questions and videos.

    Args:
        sources: The files of ``"train"``, ``"val"`` and ``"test"``; each split keeps its number of questions as nearly
            as whole videos allow.
        output: The folder to write to; made if there is none.
        seed: See :func:`disjoint_split`.

    Returns:
        What ``split.json`` holds.

    Raises:
        DataError: if a file cannot be read, a file to be written exists, or the questions cannot be shared out.
    """
    folder = Path(output)
    paths = {name: folder / f"avqa-{name}.json" for name in SPLITS}
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: expected a folder to write to, got a file")
    taken = [path.name for path in (*paths.values(), folder / RECORD_FILE) if path.exists()]
    if taken:
        raise DataError(f"{folder}: expected a folder without question files, got {', '.join(taken)}")
    rows = {name: read_rows(sources[name]) for name in SPLITS}
    records = {name: parse_rows(rows[name], str(sources[name])) for name in SPLITS}
    every = [record for name in SPLITS for record in records[name]]
    splits = disjoint_split(every, {name: len(records[name]) for name in SPLITS}, seed=seed)
    raw = [row for name in SPLITS for row in rows[name]]
    written = {name: [row for row, split in zip(raw, splits, strict=True) if split == name] for name in SPLITS}
    again = {name: [record for record, split in zip(every, splits, strict=True) if split == name] for name in SPLITS}
    texts = {name: (json.dumps(written[name], indent=1) + "\n").encode() for name in SPLITS}
    groups = Counter(group_videos(every).values())
    entry: dict[str, Any] = {
        "seed": seed,
        "sources": {
            name: {"file": str(sources[name]), **_describe(Path(sources[name]).read_bytes(), records[name])}
            for name in SPLITS
        },
        "files": {name: {"file": paths[name].name, **_describe(texts[name], again[name])} for name in SPLITS},
        "groups": len(groups),
        "base_videos_of_the_largest_group": max(groups.values()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        _write(paths[name], text)
    _write(folder / RECORD_FILE, (json.dumps(entry, indent=2) + "\n").encode())
    return entry


def _describe(content: bytes, records: Sequence[Record]) -> dict[str, Any]:
    kinds = Counter("/".join(record.type) for record in records)
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "questions": len(records),
        "videos": len({record.video_id for record in records}),
        "kinds": dict(sorted(kinds.items())),
    }


def _write(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise DataError(f"{path}: expected to write a file, got {error.strerror or error}") from error
