"""Where on the map: weights over cells from one or two queries, and the features they pool.

``reference`` is the definition, ``chunked`` the same with every map read while it is in the processor's cache,
``kernels`` (with ``launch``) the same for GPUs. ``registered`` makes the last two an operation of torch, and ``op``
holds the public function.
"""

from avground.ops.spatial_grounding.chunked import cell_lengths
from avground.ops.spatial_grounding.op import IMPLS, Impl, fused_runs_on, spatial_grounding
from avground.ops.spatial_grounding.reference import (
    COMBINES,
    NORMALIZES,
    SIMILARITIES,
    Combine,
    GroundedCells,
    Normalize,
    Similarity,
)
from avground.ops.spatial_grounding.rows import MapRows, Maps, as_tensor, each_of

__all__ = [
    "COMBINES",
    "IMPLS",
    "NORMALIZES",
    "SIMILARITIES",
    "Combine",
    "GroundedCells",
    "Impl",
    "MapRows",
    "Maps",
    "Normalize",
    "Similarity",
    "as_tensor",
    "cell_lengths",
    "each_of",
    "fused_runs_on",
    "spatial_grounding",
]
