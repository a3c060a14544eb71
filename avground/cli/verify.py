"""Check features.

    avground verify feats.safetensors

Every video of a store must fit its checksum, every file of a folder must be whole, and all values must be finite. If
any is not, the message names it and the exit status is 1.
"""

import argparse
from pathlib import Path

from avground.data import verify


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("features", metavar="FEATURES", type=Path, help="a packed store or a folder of features")


def run(options: argparse.Namespace) -> int:
    """Verify, and say what was checked."""
    counts = verify(options.features)
    print(
        f"{options.features}: " + ", ".join(f"{kind} of {count:,} videos" for kind, count in counts.items()) + ": good"
    )
    return 0
