"""A model as an ONNX file, which answers without torch."""

import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from avground.data import Vocabulary
from avground.data.files import atomic_file
from avground.errors import ConfigError, DataError
from avground.export.check import check_same, has_hard_choice
from avground.export.lstm import onnx_translation
from avground.export.program import INPUTS, OUTPUTS, example_inputs, prepare, trace
from avground.models import Network
from avground.models.weights import line
from avground.reading import parse_json

OPSET = 18
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def export_onnx(
    model: Network,
    path: str | os.PathLike[str],
    *,
    vocabulary: Vocabulary | None = None,
    facts: Mapping[str, Any] | None = None,
    map_size: tuple[int, int] | None = None,
) -> None:
    """Export a model as an ONNX file.

    Its inputs are ``audio`` (clips, segments, audio_dim) and ``visual`` (clips, segments, visual_dim, rows, columns) in
    float32 and ``question`` (clips, words) in int64, 0 being padding behind the words; its outputs are those of
    :data:`avground.export.OUTPUTS`. Clips, segments and words may be any number of at least 1; so may rows and columns
    unless ``map_size`` fixes them. Before the file gets its name it was run in ONNX Runtime beside the model, on inputs
    of several sizes other than those that it was traced with.

    Its metadata hold ``words`` and ``answers``, JSON lists in the order of their numbers, and the ``facts``.

    Args:
        model: A model with weights in single precision; it is left as it is. What is exported is its evaluation mode.
        path: The file, ``.onnx``; it is written whole or not at all.
        vocabulary: The words and answers that the model knows.
        facts: What else is known: plain JSON values, each of which becomes an entry of the metadata, as JSON.
        map_size: Rows and columns of every map; None for any. A model with ``threshold_unit="relative"`` needs them.

    Raises:
        ConfigError: if the model is none that answers, is not in single precision, does not go with the vocabulary, or
            cannot be exported; if the file returns something else than the model; or if a package is missing.
    """
    _check_installed(_PACKAGES)
    entries = dict(facts or {})
    if vocabulary is not None:
        sizes, known = (len(vocabulary.words), len(vocabulary.answers)), model.config
        if sizes != (known.vocabulary_size, known.answers):
            expected = f"{known.vocabulary_size} words and {known.answers} answers, as the model has"
            raise ConfigError(f"vocabulary: expected {expected}, got {sizes[0]} and {sizes[1]}")
        entries |= vocabulary.to_dict()
    inference = prepare(model, map_size)
    content = _convert(trace(inference, map_size), entries)
    check_same(
        "ONNX file",
        inference,
        OnnxModel(content),
        lambda seed, **sizes: example_inputs(model, seed=seed, **sizes),
        map_size,
        has_hard_choice(model.config),
    )
    with atomic_file(path) as file:
        file.write(content)


class OnnxModel:
    """An exported model in ONNX Runtime on the CPU, called like the model.

    Args:
        source: The file, or its content.

    Attributes:
        metadata: The entries of its metadata, as they were before they became JSON.

    Raises:
        DataError: if it is no ONNX file, or its metadata are none of avground's.
        ConfigError: if the package onnxruntime is missing.
    """

    def __init__(self, source: bytes | str | os.PathLike[str]) -> None:
        _check_installed(("onnxruntime",))
        import onnxruntime

        given = source if isinstance(source, bytes) else os.fspath(source)
        name = "source" if isinstance(source, bytes) else os.fspath(source)
        try:
            self._session = onnxruntime.InferenceSession(given, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has a dozen errors of its own.
            raise DataError(f"{name}: expected an ONNX file, got {type(error).__name__}: {line(error)}") from error
        found = self._session.get_modelmeta().custom_metadata_map
        self.metadata: dict[str, Any] = {
            key: parse_json(value, f"{name}: metadata: {key}: expected JSON") for key, value in found.items()
        }

    def __call__(self, audio: Tensor, visual: Tensor, question: Tensor) -> list[Tensor]:
        """The outputs, in the order of :data:`avground.export.OUTPUTS`."""
        given = (tensor.numpy() for tensor in (audio, visual, question))
        return [torch.from_numpy(array) for array in self._session.run(OUTPUTS, dict(zip(INPUTS, given, strict=True)))]


def _check_installed(packages: tuple[str, ...]) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ConfigError(f'ONNX files: expected the package {missing[0]}: pip install "avground[export]"')


def _convert(program: torch.export.ExportedProgram, entries: Mapping[str, Any]) -> bytes:
    """The content of the file."""
    try:
        with torch.no_grad(), _quiet("onnxscript"):
            converted = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                custom_translation_table=onnx_translation(),
                input_names=INPUTS,
                output_names=OUTPUTS,
                verbose=False,
            )
    except Exception as error:  # As with tracing, converters fail in as many ways as there are models.
        reason = f"{type(error).__name__}: {line(error.__cause__ or error)}"
        raise ConfigError(f"model: expected one that torch.onnx can convert, got {reason}") from error
    if converted is None:
        raise ConfigError("model: expected one that torch.onnx can convert, got none back")
    proto = converted.model_proto
    for name, value in entries.items():
        proto.metadata_props.add(key=name, value=json.dumps(value, ensure_ascii=False))
    _name_sizes(proto)
    for node in proto.graph.node:
        del node.metadata_props[:]  # where in the source it comes from
    content: bytes = proto.SerializeToString()
    return content


def _name_sizes(proto: Any) -> None:
    """Call the sizes of inputs and outputs by what they count, where the trace has numbered them."""
    letters = {"audio": ("clips", "segments"), "visual": ("", "", "", "rows", "columns"), "question": ("", "words")}
    names = {}
    for value in proto.graph.input:
        for dim, name in zip(value.type.tensor_type.shape.dim, letters[value.name], strict=False):
            if name and dim.dim_param:
                names[dim.dim_param] = name
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in names:
                dim.dim_param = names[dim.dim_param]


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Without what libraries note about their own optimisations, and tell their own authors to change."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for category in (FutureWarning, DeprecationWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        logger.setLevel(before)
