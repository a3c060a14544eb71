"""AVST, the baseline of MUSIC-AVQA: the assembly of TJSTG with other parts."""

from typing import Any

from avground.models.tjstg import GroundingNetwork, tjstg


def avst(
    *,
    vocabulary_size: int = 93,
    answers: int = 42,
    audio_dim: int = 128,
    visual_dim: int = 512,
    dim: int = 512,
    **changes: Any,
) -> GroundingNetwork:
    """AVST (Li et al., CVPR 2022): sound alone grounds in space, and each stream is grounded in time by itself.

    ``avst(target="hard")`` is "AVST w/ T-A" of TJSTG's Table 3; "w/ CSL" is a matter of the objective.

    Args:
        vocabulary_size: Number of words, padding included.
        answers: Number of answers.
        audio_dim: Channels of the audio features.
        visual_dim: Channels of the visual maps.
        dim: Width of the model.
        **changes: Any other setting of :class:`avground.models.ModelConfig`.

    Raises:
        ConfigError: for a setting that does not exist; it lists those that do.

    Example:
        >>> import torch
        >>> from avground.models import avst
        >>> model = avst(visual_dim=64, dim=64)
        >>> out = model(torch.rand(2, 10, 128), torch.rand(2, 10, 64, 7, 7), torch.randint(1, 93, (2, 14)))
        >>> out.answer_logits.shape, out.cell_weights.shape
        (torch.Size([2, 42]), torch.Size([2, 10, 7, 7]))
    """
    theirs = {"target": None, "similarity": "cosine", "stream": "dual", "answer_activation": "tanh"}
    sizes = {"vocabulary_size": vocabulary_size, "answers": answers, "audio_dim": audio_dim, "visual_dim": visual_dim}
    return tjstg(**sizes, dim=dim, **{**theirs, **changes})
