"""From a video file to features: decoding, and the networks that describe each second."""

from avground.media.decode import RATE, Clip, decode
from avground.media.extraction import extract
from avground.media.extractors import AUDIO_EXTRACTORS, VISUAL_EXTRACTORS, Extractor, make_extractor
from avground.media.report import ExtractionReport

__all__ = [
    "AUDIO_EXTRACTORS",
    "RATE",
    "VISUAL_EXTRACTORS",
    "Clip",
    "ExtractionReport",
    "Extractor",
    "decode",
    "extract",
    "make_extractor",
]
