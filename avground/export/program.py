"""A model as a graph of torch: what others' compilers and runtimes take."""

import copy
import io
import json
import os
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from avground.data.files import atomic_file
from avground.errors import ConfigError, check_whole
from avground.export.check import check_same, has_hard_choice
from avground.export.lstm import KeptLSTM, with_torch_lstm
from avground.models import Network
from avground.models.weights import line

INPUTS = ("audio", "visual", "question")
OUTPUTS = ("answer_logits", "audio_weights", "visual_weights", "cell_weights", "target_weights")
"""What an exported model returns, in this order; see :class:`avground.models.Grounded`."""

FACTS = "avground.json"
"""The file inside a saved program that holds what is known about it."""


class Inference(nn.Module):
    """A model for answering alone: three inputs, five outputs.

    Args:
        model: The model.
    """

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, audio: Float[Tensor, "b t audio_dim"], visual: Float[Tensor, "b t c h w"], question: Int[Tensor, "b n"]
    ) -> tuple[Tensor, ...]:
        """Answer one question about each clip."""
        out = self.model(audio, visual, question)
        # Each by itself: a file has no two names for one tensor, as uniform weights of sound and picture may be.
        return tuple(getattr(out, name).clone() for name in OUTPUTS)


def prepare(model: Network, map_size: tuple[int, int] | None) -> Inference:
    """A copy of a model to trace: on the CPU, in evaluation mode.

    Raises:
        ConfigError: if it is no model that answers, has weights that are not in single precision, or ``map_size`` is
            wrong.
    """
    if not isinstance(model, Network) or not hasattr(model, "answer") or isinstance(model.answer, nn.Identity):
        raise ConfigError(f"model: expected a model that answers, got {type(model).__name__}")
    wrong = [f"{name} in {value.dtype}" for name, value in model.state_dict().items() if value.dtype != torch.float32]
    if wrong:
        raise ConfigError(f"model: expected weights in float32, as model.float() makes them, got {wrong[0]}")
    for length in map_size or ():
        check_whole("map_size", length)
    if map_size is not None and len(map_size) != 2:
        raise ConfigError(f"map_size: expected rows and columns, got {map_size!r}")
    if map_size is None and getattr(model.config, "threshold_unit", "absolute") == "relative":
        raise ConfigError(
            "map_size: expected rows and columns for threshold_unit='relative', whose threshold hangs on them, got None"
        )
    return Inference(copy.deepcopy(model).cpu().eval().requires_grad_(False))


def trace(inference: Inference, map_size: tuple[int, int] | None) -> ExportedProgram:
    """The graph of a prepared model, with ``avground::lstm`` in it.

    Raises:
        ConfigError: if torch cannot trace it.
    """
    clips, segments, words = Dim("clips"), Dim("segments"), Dim("words")
    cells = {} if map_size else {3: Dim("rows"), 4: Dim("columns")}
    shapes = {
        "audio": {0: clips, 1: segments},
        "visual": {0: clips, 1: segments, **cells},
        "question": {0: clips, 1: words},
    }
    example = example_inputs(inference.model, clips=3, segments=5, words=7, map_size=map_size or (4, 6))
    try:
        with torch.no_grad(), KeptLSTM(), warnings.catch_warnings():
            # Layers of torch that hold their weights in a list as well put them there anew while they are traced.
            warnings.filterwarnings("ignore", message="The tensor attribute")
            for category in (FutureWarning, DeprecationWarning):  # what torch tells its own authors to change
                warnings.simplefilter("ignore", category)
            program = torch.export.export(inference, example, dynamic_shapes=shapes, strict=False)
    except ConfigError:
        raise
    except Exception as error:  # A tracer fails in as many ways as there are models.
        raise ConfigError(
            f"model: expected one that torch.export can trace with any number of clips, segments and words, got "
            f"{type(error).__name__}: {line(error)}"
        ) from error
    for node in program.graph.nodes:
        for where in ("stack_trace", "nn_module_stack", "source_fn_stack"):  # paths of this machine
            node.meta.pop(where, None)
    return program


def export_program(model: Network, *, map_size: tuple[int, int] | None = None) -> ExportedProgram:
    """Export a model as a program of torch, which runs without avground.

    Call it as ``export_program(model).module()(audio, visual, question)``: the five :data:`OUTPUTS` come back as a
    tuple. Clips, segments and words may be any number of at least 1; so may rows and columns of the maps unless
    ``map_size`` fixes them. What it returns was compared with the model on inputs of several sizes.

    Args:
        model: A model with weights in single precision; it is left as it is. What is exported is its evaluation mode.
        map_size: Rows and columns of every map; None for any. A model with ``threshold_unit="relative"`` needs them.

    Raises:
        ConfigError: if the model is none that answers, is not in single precision, or cannot be traced; or if the
            program returns something else than the model.
    """
    inference = prepare(model, map_size)
    program = with_torch_lstm(trace(inference, map_size))
    run = program.module()
    check_same(
        "program",
        inference,
        run,
        lambda seed, **sizes: example_inputs(model, seed=seed, **sizes),
        map_size,
        has_hard_choice(model.config),
    )
    return program


def save_program(
    model: Network,
    path: str | os.PathLike[str],
    *,
    facts: Mapping[str, Any] | None = None,
    map_size: tuple[int, int] | None = None,
) -> None:
    """Write what :func:`export_program` makes to a file that :func:`torch.export.load` reads.

    Args:
        model: See :func:`export_program`.
        path: The file, ``.pt2``; it is written whole or not at all.
        facts: What else is known, such as the words and answers: plain JSON values. They are the extra file
            :data:`FACTS` inside.
        map_size: See :func:`export_program`.

    Raises:
        ConfigError: as :func:`export_program`.
    """
    content = io.BytesIO()
    extra = {FACTS: json.dumps(dict(facts or {}), ensure_ascii=False)}
    torch.export.save(export_program(model, map_size=map_size), content, extra_files=extra)
    with atomic_file(path) as file:
        file.write(content.getbuffer())


def example_inputs(
    model: Network, *, clips: int, segments: int, words: int, map_size: tuple[int, int], seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs of a model: random features, and questions of random words, of which all but the first have padding."""
    generator = torch.Generator().manual_seed(seed)
    config = model.config
    audio = torch.randn(clips, segments, config.audio_dim, generator=generator)
    visual = torch.randn(clips, segments, config.visual_dim, *map_size, generator=generator).abs()
    question = torch.randint(
        min(1, config.vocabulary_size - 1), config.vocabulary_size, (clips, words), generator=generator
    )
    lengths = torch.randint(1, words + 1, (clips, 1), generator=generator)
    lengths[0] = words
    return audio, visual, question * (torch.arange(words) < lengths)
