"""Figures and pages of what a model grounded: functions of arrays, which know no model."""

from avground.viz.confusion import confusion_figure
from avground.viz.curves import curves_figure
from avground.viz.example import Attention, Example, Footage, Outline
from avground.viz.heatmap import heatmap_figure
from avground.viz.page import explain_page, gallery_page
from avground.viz.scale import Spread, spread, stretched_scale, true_scale
from avground.viz.timeline import timeline_figure
from avground.viz.words import words_figure

__all__ = [
    "Attention",
    "Example",
    "Footage",
    "Outline",
    "Spread",
    "confusion_figure",
    "curves_figure",
    "explain_page",
    "gallery_page",
    "heatmap_figure",
    "spread",
    "stretched_scale",
    "timeline_figure",
    "true_scale",
    "words_figure",
]
