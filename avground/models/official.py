"""The files of the authors of AVST and TJSTG: what their networks call each parameter, and how they are read."""

import os
from collections.abc import Mapping
from itertools import product

import torch
from torch import Tensor

from avground.errors import DataError, brief
from avground.models.weights import read_safely
from avground.reading import is_finite


def _layers(**names: str) -> dict[str, str]:
    """Weight and bias of layers, ours to theirs; ``__`` stands for the dot in our names."""
    pairs = product(names.items(), ("weight", "bias"))
    return {f"{ours.replace('__', '.')}.{part}": f"{theirs}.{part}" for (ours, theirs), part in pairs}


def _lstm(ours: str, theirs: str, suffixes: tuple[str, ...]) -> dict[str, str]:
    parts = product(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), suffixes)
    return {f"{ours}.{part}{suffix}": f"{theirs}.{part}{suffix}" for part, suffix in parts}


def _attention(ours: str, theirs: str) -> dict[str, str]:
    parts = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    return {f"{ours}.{part}": f"{theirs}.{part}" for part in parts}


_MATCHING = _layers(
    audio__layers__0="fc_a1",
    audio__layers__2="fc_a2",
    spatial__fuse="fc_gl",
    match__mlp__0="fc1",
    match__mlp__2="fc2",
    match__mlp__4="fc3",
    match__mlp__6="fc4",
)

_ANSWERING = {
    **_MATCHING,
    "question.embedding.weight": "question_encoder.word2vec.weight",
    **_lstm("question.lstm", "question_encoder.lstm", ("",)),
    **_layers(question__sentence="question_encoder.fc", temporal__fuse="fc_fusion", answer__classify="fc_ans"),
}

#: For each official network, our name of each parameter and theirs.
KEYS: Mapping[str, Mapping[str, str]] = {
    "stage1": _MATCHING,
    "avst": {
        **_ANSWERING,
        **_attention("temporal.audio.attention", "attn_a"),
        **_attention("temporal.visual.attention", "attn_v"),
        **_layers(
            temporal__audio__feed_forward__0="linear21",
            temporal__audio__feed_forward__3="linear22",
            temporal__audio__norm="norm2",
            temporal__visual__feed_forward__0="linear11",
            temporal__visual__feed_forward__3="linear12",
            temporal__visual__norm="norm1",
        ),
    },
    "tjstg": {
        **_ANSWERING,
        **_attention("target.attention", "question_encoder.attn"),
        **_layers(target__mlp__0="question_encoder.fc1", target__mlp__2="question_encoder.fc2"),
        **_lstm("temporal.audio_lstm", "a_gru", ("", "_reverse")),
        **_lstm("temporal.visual_lstm", "v_gru", ("", "_reverse")),
        **_attention("temporal.attention", "attn_av"),
        **_layers(
            temporal__feed_forward__0="linearav1", temporal__feed_forward__3="linearav2", temporal__norm="normav"
        ),
    },
}

#: Layers that the official networks build and never call.
NEVER_CALLED: Mapping[str, tuple[str, ...]] = {
    "stage1": (),
    "avst": ("fc_a1_pure", "fc_a2_pure", "fc_v", "fc_st", "fc", "fc_aq", "fc_vq", "norm3"),
    "tjstg": ("fc_a1_pure", "fc_a2_pure", "fc_avq", "qvfc"),
}

_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

#: The ResNet18 that AVST builds beside the features it is given.
UNUSED_BACKBONE = "visual_net."


def read_official(
    source: str | os.PathLike[str] | Mapping[str, Tensor], network: str, own: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Read the parameters of an official network.

    Args:
        source: A file, or what it holds.
        network: A name in :data:`KEYS`.
        own: The state of a network of ours, for names and shapes.

    Returns:
        The same parameters under our names, and the keys of the file that no output depends on.

    Raises:
        DataError: names what is missing, unknown or of another shape, and the network that the keys rather belong to.
    """
    what = f"checkpoint of the official network {network!r}"
    where = "state_dict" if isinstance(source, Mapping) else str(source)
    content = source if isinstance(source, Mapping) else read_safely(source, what)
    if not isinstance(content, Mapping) or not content:
        raise DataError(f"{where}: expected a {what}, got {type(content).__name__} without parameters")
    found: dict[str, object] = {}
    for key, value in content.items():
        if not isinstance(key, str):
            raise DataError(f"{where}: expected a {what}, got a key that is no name but {type(key).__name__}")
        name = key.removeprefix("module.")
        if name in found:
            raise DataError(f"{where}: expected every key once, got {brief(name)} with and without 'module.'")
        found[name] = value
    ours = KEYS[network]
    ignored = tuple(name for name in found if _is_ignored(name, network))
    missing, unknown = _misfits(found, network)
    if missing or unknown:
        other = next((name for name in KEYS if not any(_misfits(found, name))), None)
        rather = f"; its keys are those of {other!r}" if other else ""
        raise DataError(f"{where}: expected a {what}; missing: {_few(missing)}; unknown: {_few(unknown)}{rather}")
    state = {name: _parameter(found[theirs], own[name].shape, f"{where}: {theirs}") for name, theirs in ours.items()}
    return state, ignored


def _is_ignored(name: str, network: str) -> bool:
    return name.startswith(UNUSED_BACKBONE) or name.rpartition(".")[0] in NEVER_CALLED[network]


def _misfits(found: Mapping[str, object], network: str) -> tuple[list[str], list[str]]:
    """The keys of a network that are missing, and those that it does not know."""
    theirs = dict.fromkeys(KEYS[network].values())
    missing = [name for name in theirs if name not in found]
    return missing, [name for name in found if name not in theirs and not _is_ignored(name, network)]


def _parameter(value: object, shape: torch.Size, where: str) -> Tensor:
    """The value as float32 on the CPU, if it can be one."""
    expected = f"{where}: expected finite floating-point numbers of shape {tuple(shape)}"
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.dtype not in _DTYPES:
        kind = f"{value.dtype}, {value.layout}" if isinstance(value, Tensor) else type(value).__name__
        raise DataError(f"{expected}, got {kind}")
    if value.shape != shape:
        raise DataError(f"{expected}, got {tuple(value.shape)}")
    if value.is_meta:
        raise DataError(f"{expected}, got no numbers")
    number = torch.Tensor.detach(value).to("cpu", torch.float32)
    if not is_finite(number):
        raise DataError(f"{expected}, got NaN or infinity")
    return number


def _few(names: list[str]) -> str:
    listed = ", ".join(name[:100] for name in names[:5]) or "none"
    return f"{listed} and {len(names) - 5} more" if len(names) > 5 else listed
