"""Where: spatial grounding blocks; see :func:`avground.ops.spatial_grounding`."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from avground.blocks.temperature import Temperature
from avground.errors import ShapeError, check_choice, check_not_negative, check_positive
from avground.ops.spatial_grounding import (
    COMBINES,
    NORMALIZES,
    SIMILARITIES,
    Combine,
    GroundedCells,
    Maps,
    Normalize,
    Similarity,
    as_tensor,
    each_of,
    spatial_grounding,
)
from avground.shapes import check_shapes

ThresholdUnit = Literal["absolute", "relative"]


class Spatial(NamedTuple):
    r"""What the spatial blocks return.

    Shapes: ``feature`` (\*b, c); ``weights`` (\*b, h, w), which sum to 1 over the map.
    """

    feature: Tensor
    weights: Tensor


class _SpatialGrounding(nn.Module):
    r"""Shared ground of the spatial blocks: :math:`f_v = FC(\tanh [f_{vg}; f_{vi}])` of whatever weights a block makes.

    The map is never projected: where its width differs from the model's, the queries are brought to the map's.
    """

    reads_rows = True  # takes MapRows, and a tuple of maps; see ground_each

    def __init__(
        self, dim: int, visual_dim: int | None, temperature: float | Temperature, similarity: Similarity
    ) -> None:
        super().__init__()
        check_choice("similarity", similarity, SIMILARITIES)
        if not isinstance(temperature, Temperature):
            check_positive("temperature", temperature)
        self.dim = dim
        self.visual_dim = dim if visual_dim is None else visual_dim
        self.similarity: Similarity = similarity
        self.temperature = temperature
        self.audio_query = self._query()
        self.fuse: nn.Module = nn.Linear(2 * self.visual_dim, dim)

    def _query(self) -> nn.Module:
        return nn.Identity() if self.visual_dim == self.dim else nn.Linear(self.dim, self.visual_dim, bias=False)

    def _temperature(self) -> float | Tensor:
        return self.temperature() if isinstance(self.temperature, Temperature) else self.temperature

    def _check(self, audio: Tensor, visual: Maps | tuple[Maps, ...]) -> None:
        for maps in each_of(visual):
            check_shapes(audio=(audio, f"*b {self.dim}"), visual=(maps, f"*b {self.visual_dim} h w"))

    def _fuse(self, grounded: GroundedCells) -> Spatial:
        feature = self.fuse(torch.tanh(torch.cat((grounded.mean, grounded.attended), dim=-1)))
        return Spatial(feature, grounded.weights)

    def extra_repr(self) -> str:
        """The settings that are numbers or names, for ``print(model)``."""
        return ", ".join(
            f"{k}={v!r}"
            for k, v in vars(self).items()
            if isinstance(v, int | float | str) and k[0] != "_" and k != "training"
        )


class AudioVisualSpatialGrounding(_SpatialGrounding):
    r"""Grounding by sound alone, as in AVST.

    .. math::
        f_{vi} = f_{vm} \cdot \mathrm{softmax}(f_a^\top f_{vm} / \theta), \quad f_v = FC(\tanh [f_{vg}; f_{vi}])

    Source: AVST (Li et al., 2022), Eqs. 1-2: with the default cosine similarity and :math:`\theta = 1`, cells and
    sound have unit length.

    Args:
        dim: Width c of audio and of the result.
        visual_dim: Channels of the map; None for ``dim``. Where it differs, the audio query is projected to it.
        temperature: :math:`\theta`, or a :class:`Temperature` to learn it.
        similarity: ``"cosine"`` or ``"dot"``.

    Example:
        >>> import torch
        >>> from avground import AudioVisualSpatialGrounding
        >>> audio, visual = torch.rand(2, 10, 64), torch.rand(2, 10, 512, 7, 7)
        >>> found = AudioVisualSpatialGrounding(dim=64, visual_dim=512)(audio, visual)
        >>> found.feature.shape, found.weights.shape
        (torch.Size([2, 10, 64]), torch.Size([2, 10, 7, 7]))
    """

    def __init__(
        self,
        dim: int = 512,
        visual_dim: int | None = None,
        *,
        temperature: float | Temperature = 1.0,
        similarity: Similarity = "cosine",
    ) -> None:
        super().__init__(dim, visual_dim, temperature, similarity)

    def forward(
        self, audio: Float[Tensor, "*b c"], visual: Maps | tuple[Maps, ...], target: Tensor | None = None
    ) -> Spatial:
        r"""Ground every segment.

        Args:
            audio: Sound feature of each segment.
            visual: Map of each segment, (\*b, c, h, w), or several: see :func:`avground.ops.spatial_grounding`.
            target: Ignored: it is here so that this block can stand where a target-aware one does.

        Returns:
            The visual feature :math:`f_v` and the weights of the cells.

        Raises:
            ShapeError: for example ``visual: expected (*b=(64, 10), 512, h, w), got (64, 10, 14, 14, 512)``.
        """
        self._check(audio, visual)
        return self._fuse(
            spatial_grounding(
                self.audio_query(audio), visual, temperature=self._temperature(), similarity=self.similarity
            )
        )


class TargetAwareSpatialGrounding(_SpatialGrounding):
    r"""Grounding by what is heard and what is asked for.

    .. math::
        s_a = \mathrm{softmax}(f_a^\top f_{vm}), \quad
        s_q = \mathrm{softmax}(f_{tgt}^\top f_{vm}), \quad
        \hat s_q = s_q \, \mathbb{1}[s_q \ge \tau]

    .. math::
        f_{vi} = f_{vm} \cdot \mathrm{softmax}(s_a \hat s_q), \quad f_v = FC(\tanh [f_{vg}; f_{vi}])

    Source: TJSTG (Jiang and Yin, 2023), Eqs. 4-7. The defaults are the paper's; they cannot point (see
    :func:`avground.ops.spatial_grounding`); ``normalize="sum"`` with ``similarity="cosine"`` and a
    :class:`Temperature` can. The authors' released code has ``combine="sum"``, ``threshold=0.01`` and
    ``similarity="cosine"``.

    Args:
        dim: Width c of audio, target and result.
        visual_dim: Channels of the map; None for ``dim``. Where it differs, both queries are projected to it.
        threshold: :math:`\tau`, the smallest weight that counts.
        threshold_unit: ``"absolute"``, or ``"relative"``: the threshold counts in uniform weights 1 / (h w), so that 1
            means the same on every map. The paper's 0.005 is about 1 / (14 * 14).
        combine: ``"product"`` or ``"sum"``.
        normalize: ``"softmax"`` or ``"sum"``.
        temperature: Divides the scores; a :class:`Temperature` learns it.
        similarity: ``"dot"`` or ``"cosine"``.

    Example:
        >>> import torch
        >>> from avground import Temperature, TargetAwareSpatialGrounding
        >>> audio, visual, target = torch.rand(2, 10, 64), torch.rand(2, 10, 512, 7, 7), torch.rand(2, 64)
        >>> found = TargetAwareSpatialGrounding(dim=64, visual_dim=512)(audio, visual, target)
        >>> found.feature.shape, found.weights.shape
        (torch.Size([2, 10, 64]), torch.Size([2, 10, 7, 7]))

        The form that can point:

        >>> where = TargetAwareSpatialGrounding(64, similarity="cosine", normalize="sum", temperature=Temperature())
    """

    def __init__(
        self,
        dim: int = 512,
        visual_dim: int | None = None,
        *,
        threshold: float = 0.005,
        threshold_unit: ThresholdUnit = "absolute",
        combine: Combine = "product",
        normalize: Normalize = "softmax",
        temperature: float | Temperature = 1.0,
        similarity: Similarity = "dot",
    ) -> None:
        super().__init__(dim, visual_dim, temperature, similarity)
        check_choice("threshold_unit", threshold_unit, ("absolute", "relative"))
        check_choice("combine", combine, COMBINES)
        check_choice("normalize", normalize, NORMALIZES)
        check_not_negative("threshold", threshold)
        self.threshold = threshold
        self.threshold_unit = threshold_unit
        self.combine: Combine = combine
        self.normalize: Normalize = normalize
        self.target_query = self._query()

    def forward(
        self,
        audio: Float[Tensor, "*b c"],
        visual: Maps | tuple[Maps, ...],
        target: Float[Tensor, "*b c"] | None = None,
    ) -> Spatial:
        r"""Ground every segment.

        Args:
            audio: Sound feature of each segment.
            visual: Map of each segment, (\*b, c, h, w), or several: see :func:`avground.ops.spatial_grounding`.
            target: Feature of the asked-for thing of each segment, or of each clip: (\*b, c) under audio of
                (\*b, t, c) serves all t segments. None grounds by sound alone, for training without questions.

        Returns:
            The visual feature :math:`f_v` and the weights of the cells.

        Raises:
            ShapeError: for example ``target: expected (64, 10, 512) or (64, 512), got (640, 512)``.
        """
        self._check(audio, visual)
        height, width = each_of(visual)[0].shape[-2:]
        return self._fuse(
            spatial_grounding(
                self.audio_query(audio),
                visual,
                None if target is None else self.target_query(_for_each_segment(target, audio)),
                threshold=self.threshold / (height * width) if self.threshold_unit == "relative" else self.threshold,
                combine=self.combine,
                normalize=self.normalize,
                temperature=self._temperature(),
                similarity=self.similarity,
            )
        )


def ground_each(block: nn.Module, audio: Tensor, maps: tuple[Maps, ...], target: Tensor | None) -> list[Spatial]:
    """Ground several maps of every segment, in one call where the block takes them so.

    A block of a user's own, which has no ``reads_rows``, is called once for each, with a tensor.
    """
    if not getattr(block, "reads_rows", False):
        return [block(audio, as_tensor(one, audio), target) for one in maps]
    found = block(audio, maps, target)
    return [Spatial(*parts) for parts in zip(found.feature, found.weights, strict=True)]


def _for_each_segment(target: Tensor, audio: Tensor) -> Tensor:
    """Give every segment the target of its own clip."""
    if target.ndim == audio.ndim and target.shape == audio.shape:
        return target
    if target.ndim == audio.ndim - 1 and target.shape == (*audio.shape[:-2], audio.shape[-1]):
        return target[..., None, :].expand_as(audio)
    of_clip = f" or {(*audio.shape[:-2], audio.shape[-1])}" if audio.ndim >= 2 else ""
    raise ShapeError(f"target: expected {tuple(audio.shape)}{of_clip}, got {tuple(target.shape)}")
