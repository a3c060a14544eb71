"""Say what question files hold.

For each file: which published data set it seems to be, its SHA-256, how many questions, videos and marked rows it has,
questions by kind, duplicates and contradictions, and words and answers that the train file lacks. For several files:
the videos that two of them share, and how far the most frequent answer of each template goes (the template prior).
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from avground.data import QUESTION_TYPES, open_features
from avground.data.inspection import PRIORS, QuestionFile, inspect_files
from avground.data.table import row_name, rows_of
from avground.data.variants import list_question_files
from avground.errors import DataError

_SHOWN = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="question files, or folders of such")
    parser.add_argument("--prefix", help="which data set, where several lie in a folder: bias, balance, avqa")
    parser.add_argument("--features", type=Path, help="folder or file of features: names the videos it lacks")
    parser.add_argument("--audio-features", metavar="NAME", help="folder of sound features (default: the only one)")
    parser.add_argument("--visual-features", metavar="NAME", help="folder of picture features (default: the only one)")
    parser.add_argument(
        "--prior-from",
        choices=PRIORS,
        default="train",
        help="where the template prior counts answers: in the train file, the val file, or each file itself "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--head-tail", action="store_true", help="tell frequent from rare answers also where the files do not"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    paths = [path for given in options.paths for path in _question_files(given, options.prefix)]
    files = [QuestionFile.read(path) for path in paths]
    found = inspect_files(files, prior_from=options.prior_from, head_tail=options.head_tail)
    found["features"] = (
        None
        if options.features is None
        else _missing_features(options.features, files, options.audio_features, options.visual_features)
    )
    _print(json.dumps(found, indent=2) if options.json else "\n".join(_text(found)))
    return 0


def _question_files(path: Path, prefix: str | None) -> list[Path]:
    """The file itself, or those in a folder, or else those in its only folder with such."""
    if not path.is_dir():
        return [path]
    folders = [path, *sorted(child for child in path.iterdir() if child.is_dir())]
    named = {folder: files for folder in folders if (files := list_question_files(folder))}
    chosen = {path: named[path]} if path in named else named
    if len(chosen) > 1:
        raise DataError(f"{path}: expected one folder of question files, got {', '.join(map(str, chosen))}")
    files = next(iter(chosen.values()), {})
    kept = [file for file, name in files.items() if prefix in (None, name.prefix)]
    if not kept:
        wanted = "question files, such as avqa-train.json" + ("" if prefix is None else f", prefix {prefix!r}")
        raise DataError(f"{path}: expected {wanted}, got {', '.join(file.name for file in files) or 'none'}")
    return kept


def _missing_features(
    features: Path, files: Sequence[QuestionFile], audio: str | None, visual: str | None
) -> dict[str, Any]:
    records = [record for file in files for record in file.records]
    seen = dict.fromkeys(record.video_id for record in records)
    heard = dict.fromkeys(record.heard_id for record in records)
    found = open_features(features, segments=1, audio=audio, visual=visual)
    missing = found.missing(video_ids=seen, audio_ids=heard)
    return {"path": str(features), "missing": missing, "needed": {"audio": len(heard), "visual": len(seen)}}


def _print(text: str) -> None:
    """Print, also to a program that stops reading, such as head."""
    try:
        print(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer is flushed when Python ends, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _text(found: dict[str, Any]) -> Iterator[str]:
    for file in found["files"]:
        yield from _file_text(file)
        yield ""
    for pair in found["overlap"]:
        first, second = pair["files"]
        yield (
            f"{first} and {second}: {pair['videos']} videos in both, {pair['base_videos']} counting copies as one; "
            f"{pair['questions']} questions of the second are about these"
        )
    if found["vocabulary"] is None:
        yield "no train file given: words and answers are compared with none"
    else:
        yield "vocabulary of train: {words} words, {answers} answers, digest {digest}".format(**found["vocabulary"])
    if found["prior"] is None:
        yield "no template prior: no file to count answers in"
    else:
        yield from _prior_text(found["prior"])
    if found["features"]:
        for kind, missing in found["features"]["missing"].items():
            needed = found["features"]["needed"][kind]
            yield f"{found['features']['path']}, {kind}: {len(missing)} of {needed} videos missing{_some(missing)}"


def _file_text(file: dict[str, Any]) -> Iterator[str]:
    yield file["file"]
    yield f"  {file['variant']}{', ' + file['split'] if file['split'] else ''} (a guess)"
    yield f"  SHA-256 {file['sha256']}"
    yield (
        f"  {file['questions']} questions, {file['deleted']} of them marked deleted; {file['videos']} videos, "
        f"{file['base_videos']} counting copies as one"
    )
    yield f"  {file['unmatched_audio']} with the sound of another video, {file['without_id']} without a number"
    yield f"  {file['words']} words, {file['answers']} answers, at most {file['longest_question']} words in a question"
    for what, entries in (file["missing_in_train"] or {}).items():
        yield f"  {len(entries)} {what} that train lacks{_some(entries)}"
    contradictions = file["contradictions"]
    yield f"  {file['duplicates']} repeated questions, {len(contradictions)} questions with more than one answer"
    for entry in contradictions[:_SHOWN]:
        rows = ", ".join(f"row {row} {answer}" for row, answer in entry["rows"].items())
        yield f"    video {entry['video']}: {entry['question']}: {rows}"
    if file["frequencies"]:
        yield "  " + ", ".join(f"{count} {name}" for name, count in sorted(file["frequencies"].items()))
    yield f"  {'questions':<26} {'n':>7} {'not deleted':>12}"
    for row, count in file["count"].items():
        yield f"  {row_name(row):<26} {count:>7} {file['count_without_deleted'].get(row, 0):>12}"


def _prior_text(prior: dict[str, Any]) -> Iterator[str]:
    columns = [(file, part, scores) for file, parts in prior["accuracy"].items() for part, scores in parts.items()]
    yield f"\ntemplate prior, percent, from {prior['from']}"
    for number, (file, part, _) in enumerate(columns, 1):
        yield f"  ({number}) {file}{'' if part == 'both' else ', ' + part}"
    yield f"  {'questions':<26}" + "".join(f"{f'({number})':>8}" for number in range(1, len(columns) + 1))
    held = {row for *_, scores in columns for row in scores}
    for row in (row for row in rows_of(QUESTION_TYPES) if row in held):
        cells = (f"{100 * scores[row]:.2f}" if row in scores else "-" for *_, scores in columns)
        yield f"  {row_name(row):<26}" + "".join(f"{cell:>8}" for cell in cells)


def _some(entries: Sequence[str]) -> str:
    """The first few, after a colon."""
    more = ", ..." if len(entries) > _SHOWN else ""
    return f": {', '.join(entries[:_SHOWN])}{more}" if entries else ""
