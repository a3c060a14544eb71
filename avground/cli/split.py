"""Share questions among train, val and test so that no video is in two of them.

Copies of a video (mirrored, synthetic, or heard in place of another's sound) count as that video. Each split keeps its
number of questions, and its shares of kinds and answers, as nearly as whole videos allow; train holds every answer and
word. Writes avqa-train.json, avqa-val.json, avqa-test.json and split.json, which records where they come from.
"""

import argparse
from pathlib import Path
from typing import Any

from avground.data.disjoint import RECORD_FILE, write_disjoint_split
from avground.data.table import row_name, rows_of
from avground.data.variants import SPLITS, question_files
from avground.errors import ConfigError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="the train, val and test files, or the folder they lie in"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write to; nothing in it is overwritten")
    parser.add_argument("--prefix", help="which data set, where several lie in the folder: bias, balance, avqa")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives another split (default: 0)")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if len(options.paths) == 1:
        sources = question_files(options.paths[0], prefix=options.prefix)
    elif len(options.paths) == len(SPLITS):
        sources = dict(zip(SPLITS, options.paths, strict=True))
    else:
        raise ConfigError(f"PATH: expected one folder, or the train, val and test files, got {len(options.paths)}")
    entry = write_disjoint_split(sources, options.output, seed=options.seed)
    print(_text(entry))
    print(f"\n{options.output / RECORD_FILE}")
    return 0


def _text(entry: dict[str, Any]) -> str:
    files = entry["files"]
    lines = [f"{'questions':<26}" + "".join(f"{name:>10}" for name in SPLITS)]
    kinds = {tuple(kind.split("/")) for name in SPLITS for kind in files[name]["kinds"]}
    for row in rows_of(sorted(kinds)):
        counts = [_count(files[name]["kinds"], row) for name in SPLITS]
        lines.append(f"{row_name(row):<26}" + "".join(f"{count:>10}" for count in counts))
    for title, part in (("videos", files), ("questions before", entry["sources"])):
        key = title.split()[0]
        lines.append(f"{title:<26}" + "".join(f"{part[name][key]:>10}" for name in SPLITS))
    return "\n".join(lines)


def _count(kinds: dict[str, int], row: str) -> int:
    """Questions of a row of the table; that of all counts every kind."""
    return sum(count for kind, count in kinds.items() if row in ("All", kind, kind.partition("/")[0]))
