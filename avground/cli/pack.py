"""Put features into one file that loads fast.

    avground pack MUSIC-AVQA/feats --output feats.safetensors

The file holds the sampled segments of all videos, with a checksum for each. It is memory-mapped: a random batch costs
about the bytes it returns. Train on it with "avground train --features feats.safetensors".
"""

import argparse
from pathlib import Path

from avground.data import pack, store


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "features", metavar="FEATURES", type=Path, help="a folder with one folder for sound and pictures each"
    )
    parser.add_argument("--output", metavar="STORE", type=Path, required=True, help=f"NAME{store.SUFFIX}")
    parser.add_argument("--dtype", choices=store.DTYPES, default="float16", help="of the pictures (default: float16)")
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--segments", type=int, default=10, help="segments of a full video to keep (default: 10)")
    kept.add_argument("--every", type=int, metavar="N", help="keep one row in N instead; 6 leaves 10 of 60")
    parser.add_argument("--audio-features", metavar="NAME", help="folder of sound features (default: the only one)")
    parser.add_argument("--visual-features", metavar="NAME", help="folder of picture features (default: the only one)")


def run(options: argparse.Namespace) -> int:
    """Pack, and say what came out."""
    path = pack(
        options.features,
        options.output,
        dtype=options.dtype,
        segments=options.segments,
        every=options.every,
        audio=options.audio_features,
        visual=options.visual_features,
    )
    found = store.FeatureStore(path, segments=1)
    sounds, pictures = (len(found.kinds[kind].ids) for kind in ("audio", "visual"))
    c, h, w = found.visual_shape
    size = path.stat().st_size / 1e6
    print(f"{path}: {size:,.1f} MB; sound of {sounds:,} videos, pictures of {pictures:,}, {c} x {h} x {w}")
    return 0
