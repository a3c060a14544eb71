"""What a page carries: JSON, and what would be long in JSON as lines of base64."""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avground.errors import DataError, brief
from avground.viz.example import Attention, Example, Footage
from avground.viz.scale import spread

_LEVELS = 2**16 - 1
_SIGNATURES = ((4, b"ftyp", "video/mp4"), (0, b"\x1a\x45\xdf\xa3", "video/webm"), (0, b"OggS", "video/ogg"))
"""Where a file of each kind that browsers play says so, and how."""


def payload(footage: Mapping[str, Footage], examples: Sequence[Example]) -> dict[str, str]:
    """Turn examples, and the footage that they are about, into texts that can stand inside a page.

    Returns:
        Texts by name: ``data``, which is JSON; ``weights``, the maps of one model a line; and for video number k
        ``frames-k``, a picture a line, and ``video-k``. Apart from ``data`` all are base64.

    Raises:
        DataError: if there are no examples, or their footage is missing or does not fit.
    """
    if not examples:
        raise DataError("examples: expected at least one, got none")
    for number, example in enumerate(examples):
        if example.video not in footage:
            raise DataError(f"footage: expected that of video {brief(example.video)} of example {number}, got none")
        _check_starts(example, footage[example.video].seconds)
    videos = list(dict.fromkeys(example.video for example in examples))
    places = {video: place for place, video in enumerate(videos)}
    weights: list[str] = []
    data = {
        "footage": [_footage(video, footage[video]) for video in videos],
        "examples": [_example(example, places[example.video], weights) for example in examples],
    }
    texts = {"data": escape_json(data), "weights": "\n".join(weights)}
    for video, place in places.items():
        found = footage[video]
        if found.frames:
            texts[f"frames-{place}"] = "\n".join(map(_base64, found.frames))
        if found.video is not None:
            texts[f"video-{place}"] = _base64(found.video)
    return texts


def escape_json(value: object) -> str:
    """JSON in ASCII that HTML takes for nothing else: a string that ends scripts stays a string."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def pack_weights(maps: NDArray[np.float64]) -> tuple[str, list[float], list[float]]:
    r"""Maps as whole numbers of 16 bits, each map between its own smallest weight and its largest.

    .. math:: u = \mathrm{round}\left(65535 \, \frac{w - a}{b - a}\right), \qquad w' = a + \frac{u \, (b - a)}{65535},
        \qquad a = \min_i w_i, \quad b = \max_i w_i

    So :math:`|w' - w| \le (b - a) / 131070`; a and b stay what they are, and a map that is nearly flat keeps its
    structure.

    Args:
        maps: (t, s) Non-negative numbers.

    Returns:
        The numbers u, little-endian, in base64; a and b of each map.
    """
    low, high = maps.min(1), maps.max(1)
    width = np.where(high > low, high - low, 1)
    levels = np.rint((maps - low[:, None]) / width[:, None] * _LEVELS).astype("<u2")
    return _base64(levels.tobytes()), low.tolist(), high.tolist()


def _check_starts(example: Example, seconds: float) -> None:
    for one in example.attention:
        if one.starts[-1] >= seconds:
            raise DataError(
                f"starts: expected seconds below {seconds:g}, the length of video {brief(example.video)}, "
                f"got {one.starts[-1]:g}"
            )


def _footage(video: str, footage: Footage) -> dict[str, Any]:
    wave = footage.waveform
    return {
        "id": video,
        "seconds": footage.seconds,
        "type": None if footage.video is None else _media_type(video, footage.video),
        "frameStarts": _short(footage.frame_starts),
        "wave": None if wave is None else _base64(np.rint(np.asarray(wave) * 255).astype(np.uint8).tobytes()),
        "notes": list(footage.notes),
    }


def _media_type(name: str, video: bytes) -> str:
    for place, signature, kind in _SIGNATURES:
        if video[place:].startswith(signature):
            return kind
    raise DataError(f"video: expected a file in MP4, WebM or Ogg, got {video[:8]!r}... for {brief(name)}")


def _example(example: Example, place: int, weights: list[str]) -> dict[str, Any]:
    return {
        "footage": place,
        "words": list(example.words),
        "asked": example.asked,
        "answer": example.answer,
        "right": example.right,
        "type": example.type,
        "outlines": [
            {"name": one.name, "cells": one.cells, "rows": one.rows, "columns": one.columns, "target": one.target}
            for one in example.outlines
        ],
        "notes": list(example.notes),
        "attention": [_attention(one, weights) for one in example.attention],
    }


def _attention(attention: Attention, weights: list[str]) -> dict[str, Any]:
    t, rows, columns = attention.cell_weights.shape
    packed, low, high = pack_weights(attention.cell_weights.reshape(t, -1))
    weights.append(packed)
    return {
        "model": attention.model,
        "answers": [(answer, *_short([share])) for answer, share in attention.answers],
        "starts": _short(attention.starts),
        "audio": _short(attention.audio_weights),
        "visual": _short(attention.visual_weights),
        "uniform": _short(attention.uniform),
        "words": None if attention.word_weights is None else _short(attention.word_weights),
        "line": len(weights) - 1,
        "low": _digits(low, 12),
        "high": _digits(high, 12),
        "rows": rows,
        "columns": columns,
        "spreads": [_short(spread(one)) for one in attention.cell_weights],
    }


def _short(values: Iterable[float]) -> list[float]:
    """Six digits, which is more than can be seen."""
    return _digits(values, 6)


def _digits(values: Iterable[float], digits: int) -> list[float]:
    return [float(f"{value:.{digits}g}") for value in values]


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
