"""``model.safetensors``: the weights. They come from strangers: looked through before memory is taken for them."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from avground.errors import ConfigError, DataError, brief
from avground.models.weights import check_weight_shapes, line
from avground.reading import open_regular
from avground.training.checkpoint import outline

FILE = "model.safetensors"
MOST_HEADER_BYTES = 2**20
"""A model has some hundred weights, each of which takes about a hundred bytes there."""

_FLOATS = ("F16", "BF16", "F32", "F64")


def pack_weights(weights: Mapping[str, Tensor]) -> bytes:
    """The content of the file."""
    from safetensors.torch import save

    content: bytes = save(
        {name: value.detach().cpu().contiguous() for name, value in weights.items()}, {"format": "pt"}
    )
    return content


def read_weights(path: Path, model: str, config: Mapping[str, Any], sha256: str) -> dict[str, Tensor]:
    """Read weights that fit a model.

    The header is compared with the model, of which no weight exists yet, so that no file and no configuration can take
    more memory than the file has bytes.

    Args:
        path: The file.
        model: Name in :data:`avground.models.MODELS`.
        config: The model's configuration.
        sha256: What the checksum of the file must be.

    Raises:
        DataError: if it is missing, damaged or holds other weights than the model has, or if there is no such
            configuration.
    """
    shapes = _read_shapes(path)
    known = outline(model, config, len(shapes), str(path.parent))
    check_weight_shapes(known, shapes, str(path))
    with open_regular(path, "the weights of a model") as file:
        found = hashlib.file_digest(cast(Any, file), "sha256").hexdigest()
    if found != sha256:
        raise DataError(f"{path}: expected the SHA-256 {brief(sha256)}, as config.json has it, got {found}")
    with _opened(path) as opened:
        return {name: opened.get_tensor(name) for name in shapes}


def _read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes, from the header alone; the library checks that they fill the file exactly."""
    with open_regular(path, "the weights of a model") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(MOST_HEADER_BYTES, size - 8):
        most = max(0, min(MOST_HEADER_BYTES, size - 8))
        raise DataError(f"{path}: expected a header of at most {most:,} bytes in {size:,}, got one of {length:,}")
    with _opened(path) as file:
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        types = {name: part.get_dtype() for name, part in parts.items()}
        shapes = {name: tuple(part.get_shape()) for name, part in parts.items()}
    for name, dtype in types.items():
        if dtype not in _FLOATS:
            raise DataError(f"{path}: {name}: expected one of {', '.join(_FLOATS)}, got {dtype}")
    return shapes


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, whose errors become :class:`DataError`."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            yield file
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path}: expected a safetensors file, got {type(error).__name__}: {line(error)}") from error


def check_installed(*packages: str) -> None:
    """Raise :class:`ConfigError` where a package is missing that models for the hub need."""
    from importlib.util import find_spec

    for package in packages:
        if find_spec(package) is None:
            raise ConfigError(f'models for the hub: expected the package {package}: pip install "avground[hub]"')
