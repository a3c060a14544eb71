"""Pocket, the embedded benchmark: a small world with MUSIC-AVQA's questions, made on the user's machine from a seed.

It has what no real data set gives: where and when each thing is seen and heard. It is not MUSIC-AVQA.
"""

from avground.data.pocket.build import default_directory, generate, read_record
from avground.data.pocket.templates import TEMPLATES
from avground.data.pocket.truth import Decides, Seen, Truth, read_truth
from avground.data.pocket.world import KNOBS, PRESETS, World

__all__ = [
    "KNOBS",
    "PRESETS",
    "TEMPLATES",
    "Decides",
    "Seen",
    "Truth",
    "World",
    "default_directory",
    "generate",
    "read_record",
    "read_truth",
]
