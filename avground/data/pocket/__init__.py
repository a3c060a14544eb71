"""Pocket, the embedded benchmark: drawn scenes, MUSIC-AVQA's questions about them, and the truth beside the answers.

See ``docs/pocket.md``. No number from it is one of MUSIC-AVQA's.
"""

from avground.data.pocket.build import default_directory, generate, read_record
from avground.data.pocket.rendering import Rendering
from avground.data.pocket.templates import TEMPLATES
from avground.data.pocket.truth import Decides, Seen, Truth, read_truth
from avground.data.pocket.world import KNOBS, PRESETS, World

__all__ = [
    "KNOBS",
    "PRESETS",
    "TEMPLATES",
    "Decides",
    "Rendering",
    "Seen",
    "Truth",
    "World",
    "default_directory",
    "generate",
    "read_record",
    "read_truth",
]
