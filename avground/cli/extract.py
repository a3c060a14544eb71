"""Turn videos into features: one row a second for sound and for pictures.

Writes FEATURES/KIND/ID.npy for each video, and FEATURES/extraction.json with what became of each. Videos whose features
are there are skipped: after a stop, run the same again. The exit status is 0 if the features of all videos are there.
"""

import argparse
from pathlib import Path

from avground.media.extraction import DTYPES, extract
from avground.media.extractors import AUDIO_EXTRACTORS, VISUAL_EXTRACTORS
from avground.media.processes import DEVICES
from avground.media.resnet import STATISTICS


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("videos", nargs="+", type=Path, metavar="VIDEOS", help="a folder of videos, or files")
    add("--output", required=True, type=Path, metavar="FEATURES", help="folder for the features")
    add("--audio", default="vggish", choices=AUDIO_EXTRACTORS, help="extractor of sound (default: %(default)s)")
    add("--visual", default="resnet18", choices=VISUAL_EXTRACTORS, help="extractor of pictures (default: %(default)s)")
    add("--weights", type=Path, metavar="DIR", help="folder of published weights")
    add("--audio-weights", type=Path, metavar="FILE", help="weights of the extractor of sound")
    add("--visual-weights", type=Path, metavar="FILE", help="weights of the extractor of pictures")
    add("--statistics", choices=tuple(STATISTICS), help="mean and deviation that pictures are normalised with")
    add("--seconds", type=int, default=60, help="seconds of a video to use, at most (default: %(default)s)")
    add("--dtype", default="float32", choices=DTYPES, help="type of the values (default: %(default)s)")
    add("--device", default="auto", choices=DEVICES, help="where to compute (default: %(default)s)")
    add("--devices", type=int, default=1, help="devices of a machine, with a process each (default: %(default)s)")
    add("--nodes", type=int, default=1, help="machines (default: %(default)s)")
    add("--workers", type=int, help="videos a process decodes at once (default: one for each processor)")


def run(options: argparse.Namespace) -> int:
    """Extract, and say whether all went well."""
    report = extract(
        options.videos,
        options.output,
        audio=options.audio,
        visual=options.visual,
        audio_weights=options.audio_weights,
        visual_weights=options.visual_weights,
        weights_folder=options.weights,
        statistics=options.statistics,
        seconds=options.seconds,
        dtype=options.dtype,
        device=options.device,
        devices=options.devices,
        nodes=options.nodes,
        workers=options.workers,
    )
    return report.exit_status
