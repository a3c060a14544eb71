r"""Write a page that shows where and when a model looked to answer questions about a video.

    avground explain concert.mp4 "How many instruments are sounding in the video?" --checkpoint best.pt --output p.html
    avground explain concert.mp4 "Is the flute playing longer than the violin?" --checkpoint tjstg.pt \
        --compare avst.pt --output page.html

The page is one file, which needs no network: the video plays with the heat over it, beside a timeline, the question's
words and the answers. With --data the video is one of a data set and named by its id: features are taken from there,
the video itself from the folder of videos if there is one, and without a question all of the data set's are asked.

    avground explain 00000123 --data MUSIC-AVQA --checkpoint best.pt --output page.html
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from avground.answer.dataset import AnsweredData
from avground.answer.explain import explain_video
from avground.answer.names import name_models
from avground.cli.answer import add_extractors, add_model, make_answerer
from avground.cli.output import check_new_file
from avground.data import Record
from avground.data.annotations import question_words
from avground.data.files import atomic_file
from avground.errors import ConfigError, DataError, check_whole
from avground.hub import PretrainedModel
from avground.media.preview import LEAST_HEIGHT
from avground.viz import Example, Footage, explain_page


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("video", metavar="VIDEO", help="a file, or with --data the id of a video")
    parser.add_argument("questions", metavar="QUESTION", nargs="*", help="with --data the data set's, if none is given")
    add_models(parser)
    add_output(parser)
    parser.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="where to begin (default: 0)")
    parser.add_argument("--height", type=int, default=360, help="rows of the video in the page, at most (default: 360)")
    add_data(parser)
    add_extractors(parser)


def add_models(parser: argparse.ArgumentParser) -> None:
    """The options that say which models."""
    add_model(parser)
    parser.add_argument(
        "--compare", metavar="MODEL", action="append", default=[], help="another one beside it; may be given again"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """The options that say what is written, and where."""
    parser.add_argument("--output", type=Path, required=True, metavar="PAGE", help="the page to write, an .html file")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    parser.add_argument("--top", type=int, default=5, help="answers to show of each model (default: 5)")


def add_data(parser: argparse.ArgumentParser) -> None:
    """The options that say where a data set lies."""
    data = parser.add_argument_group("data set")
    data.add_argument("--data", type=Path, metavar="DIR", help="a data set in MUSIC-AVQA's layout, as for training")
    data.add_argument("--annotations", metavar="NAME", help="folder of the question files (default: as in training)")
    data.add_argument("--features", type=Path, metavar="PATH", help="folder of features, or a packed store")
    data.add_argument("--videos", type=Path, metavar="DIR", help="folder of the videos (default: videos in DIR)")


def open_data(options: argparse.Namespace) -> AnsweredData:
    """The data set and the models asked for."""
    sources = [options.checkpoint, *options.compare]
    models = [PretrainedModel.load(source, metrics=False) for source in sources]
    names = name_models([model.run for model in models], sources)
    return AnsweredData(
        dict(zip(names, models, strict=True)),
        data=options.data,
        annotations=options.annotations,
        features=options.features,
        videos=options.videos,
        device=options.device,
    )


def run(options: argparse.Namespace) -> int:
    """Look, ask, and write the page."""
    check_output(options)
    check_whole("--height", options.height, LEAST_HEIGHT)
    if options.data is None:
        footage, examples = _explain_file(options)
    else:
        footage, examples = _explain_data(options)
    title = f"{options.video}: {examples[0].asked}" if len(examples) == 1 else str(options.video)
    write_page(options.output, explain_page(footage, examples, title=title))
    for example in examples:
        given = "; ".join(f"{one.model}: {one.answers[0][0]} ({one.answers[0][1]:.0%})" for one in example.attention)
        right = "" if example.answer is None else f" (right: {example.answer})"
        print(f"{example.asked} {given}{right}")
    print(options.output)
    return 0


def check_output(options: argparse.Namespace) -> None:
    """Tell before any work that the page cannot be written, or what it is to show makes no sense."""
    check_whole("--top", options.top)
    folder = next(parent for parent in options.output.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(f"--output: expected a folder that can be written to, got {folder}")
    if options.output.is_dir():
        raise ConfigError(f"--output: expected a file, got the folder {options.output}")
    check_new_file(options.output, options.overwrite)


def write_page(path: Path, page: str) -> None:
    """Write a page so that nobody sees half of it."""
    with atomic_file(path) as file:
        file.write(page.encode())


def _explain_file(options: argparse.Namespace) -> tuple[Footage, list[Example]]:
    for name in ("annotations", "features", "videos"):
        if getattr(options, name) is not None:
            raise ConfigError(f"--{name}: expected it together with --data, got it without")
    if not Path(options.video).exists():
        raise DataError(f"VIDEO: expected a file, or the id of a video together with --data, got {options.video!r}")
    if not options.questions:
        raise DataError("QUESTION: expected at least one, got none")
    sources = [options.checkpoint, *options.compare]
    answerers = [make_answerer(source, options) for source in sources]
    names = name_models([answerer.run for answerer in answerers], sources)
    return explain_video(
        options.video,
        options.questions,
        dict(zip(names, answerers, strict=True)),
        start=options.start,
        top=options.top,
        height=options.height,
    )


def _explain_data(options: argparse.Namespace) -> tuple[Footage, list[Example]]:
    if options.start:
        raise ConfigError(f"--start: expected 0 together with --data, whose features begin there, got {options.start}")
    for name in ("audio", "visual", "weights", "audio_weights", "visual_weights"):
        if getattr(options, name) is not None:
            raise ConfigError(f"--{name.replace('_', '-')}: expected none together with --data, which has features")
    data = open_data(options)
    records = [record for split in data.splits.records.values() for record in split if record.video_id == options.video]
    if options.questions:
        records = [one for question in options.questions for one in _find(records, question, options.video)]
    if not records:
        raise DataError(f"VIDEO: expected one that {options.data} asks about, got {options.video!r}")
    examples = data.examples(records, top=options.top)
    return data.footage(options.video, height=options.height), examples


def _find(records: Sequence[Record], question: str, video_id: str) -> list[Record]:
    """The data set's own questions of these words, or a new one."""
    words = tuple(question_words(question))
    if not words:
        raise DataError(f"question {question!r}: expected a question, got no word")
    own = [record for record in records if record.words == words]
    return own or [Record(video_id, None, ("", ""), "", words, "")]
