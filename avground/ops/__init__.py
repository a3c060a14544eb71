"""Stateless maths: divergences, arrangements of two streams, and spatial grounding."""

from avground.ops.arrange import concatenate, deinterleave, interleave, separate
from avground.ops.divergence import js_divergence, kl_divergence
from avground.ops.spatial_grounding import GroundedCells, MapRows, cell_lengths, spatial_grounding
from avground.ops.weights import masked_softmax, normalize_weights

__all__ = [
    "GroundedCells",
    "MapRows",
    "cell_lengths",
    "concatenate",
    "deinterleave",
    "interleave",
    "js_divergence",
    "kl_divergence",
    "masked_softmax",
    "normalize_weights",
    "separate",
    "spatial_grounding",
]
