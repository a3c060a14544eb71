"""Weights and inputs of the frozen outputs in this folder: nothing is stored that a name and a seed can make again.

The official AVST and TJSTG networks were run once, one clip at a time, on these weights and inputs. What they returned
is ``avst.npz`` and ``tjstg.npz``: ``answer`` (2 seeds, 4 clips, 42 answers), ``match`` (2 seeds, positives and
negatives, 4 clips, 10 segments, 2 classes), and of TJSTG ``audio_weights``, ``visual_weights`` (2 seeds, 4 clips,
10 segments) and ``target`` (2 seeds, 4 clips), the word chosen. The network of AVST's first stage returns ``match`` of
``avst.npz``. ``official_keys.json`` gives the official name and shape of every parameter of each network;
``avst_keys.json``, for every parameter of our AVST, the official name and the shape.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent


def parameter(name, shape, seed):
    """One parameter by its official name: normal numbers, scaled so that no layer saturates and no bias is zero."""
    draws = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32).standard_normal(shape)
    if len(shape) == 1:
        draws = 0.1 * draws + (1.0 if name.startswith("norm") and name.endswith("weight") else 0.0)
    elif "word2vec" not in name:
        strong = any(part in name for part in ("in_proj", "weight_ih", "weight_hh"))
        draws = draws * ((4.0 if strong else 1.0) / np.sqrt(shape[1]))
    return torch.from_numpy(draws.astype(np.float32))


def official_state(network, seed):
    """What a checkpoint of an official network holds, of such numbers: "avst", "stage1" or "tjstg"."""
    keys = json.loads((FOLDER / "official_keys.json").read_text(encoding="utf-8"))[network]
    return {name: parameter(name, tuple(shape), seed) for name, shape in keys.items()}


def avst_state(seed):
    """The state of our AVST, of official numbers."""
    keys = json.loads((FOLDER / "avst_keys.json").read_text(encoding="utf-8"))
    return {ours: parameter(official, tuple(shape), seed) for ours, (official, shape) in keys.items()}


def clips(seed, b=4, t=10, n=14):
    """Audio, visual, question with padding behind, and negative maps; the maps are those of a ReLU."""
    random = np.random.RandomState(1000 + seed)
    question = random.randint(1, 93, (b, n))
    lengths = random.randint(4, n + 1, b)
    question[np.arange(n) >= lengths[:, None]] = 0
    audio = random.standard_normal((b, t, 128))
    visual, negative = (np.maximum(random.standard_normal((b, t, 512, 14, 14)), 0) for _ in range(2))
    floats = (torch.from_numpy(values.astype(np.float32)) for values in (audio, visual, negative))
    audio, visual, negative = floats
    return audio, visual, torch.from_numpy(question.astype(np.int64)), negative


def expected(network="avst"):
    """What the official network returned."""
    with np.load(FOLDER / f"{network}.npz") as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}
