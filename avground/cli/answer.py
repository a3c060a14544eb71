"""Answer questions about a video.

    avground answer concert.mp4 "How many instruments are sounding in the video?" --checkpoint runs/tjstg/best.pt
    avground answer concert.mp4 "Is the flute louder than the violin?" --checkpoint someone/model

Prints the likeliest answers, the word that says what is asked for, and the seconds that mattered. The video is looked
at once, however many questions there are.
"""

import argparse
import json
import sys
from pathlib import Path

from avground.answer import Answerer
from avground.media import AUDIO_EXTRACTORS, VISUAL_EXTRACTORS
from avground.training import DEVICES


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("video", metavar="VIDEO", type=Path)
    parser.add_argument("questions", metavar="QUESTION", nargs="+")
    add_model(parser)
    parser.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="where to begin (default: 0)")
    parser.add_argument("--top", type=int, default=3, help="answers and seconds to print (default: 3)")
    parser.add_argument("--json", action="store_true", help="print JSON, with all answers and seconds")
    add_extractors(parser)


def add_model(parser: argparse.ArgumentParser) -> None:
    """The options that say which model, and where it runs."""
    parser.add_argument(
        "--checkpoint",
        metavar="MODEL",
        required=True,
        help="best.pt of a training run, a folder that avground export wrote, or a name on Hugging Face's hub",
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")


def add_extractors(parser: argparse.ArgumentParser) -> None:
    """The options that say what turns a video into features."""
    unknown = "only if the checkpoint's features do not say what made them"
    parser.add_argument("--audio", choices=AUDIO_EXTRACTORS, help=f"extractor of sound, {unknown}")
    parser.add_argument("--visual", choices=VISUAL_EXTRACTORS, help=f"extractor of pictures, {unknown}")
    parser.add_argument(
        "--weights", metavar="DIR", type=Path, help="folder with published weights, by their published names"
    )
    parser.add_argument("--audio-weights", metavar="FILE", type=Path, help="weights of the extractor of sound")
    parser.add_argument("--visual-weights", metavar="FILE", type=Path, help="weights of the extractor of pictures")


def run(options: argparse.Namespace) -> int:
    """Watch, and answer every question."""
    answerer = make_answerer(options.checkpoint, options)
    for question in options.questions:
        answerer.words(question)  # A word it does not know is told before the video is looked at.
    video = answerer.watch(options.video, start=options.start)
    for note in video.notes:
        print(f"note: {options.video}: {note}", file=sys.stderr)
    answers = [video.ask(question) for question in options.questions]
    if options.json:
        print(
            json.dumps({"video": str(options.video), "notes": video.notes, "answers": [a.to_dict() for a in answers]})
        )
    else:
        print("\n".join(answer.describe(options.top) for answer in answers))
    return 0


def make_answerer(checkpoint: str, options: argparse.Namespace) -> Answerer:
    """A model, with the extractors asked for."""
    return Answerer(
        checkpoint,
        audio=options.audio,
        visual=options.visual,
        audio_weights=options.audio_weights,
        visual_weights=options.visual_weights,
        weights_folder=options.weights,
        device=options.device,
    )
