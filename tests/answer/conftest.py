"""Checkpoints of untrained models, and a film."""

import dataclasses

import numpy as np
import pytest
import torch

from avground.media import make_extractor
from avground.models import MODELS
from avground.training import pocket_run
from avground.training.checkpoint import make_checkpoint, write_atomically
from tests.trained import no_cache, trained

from ..media.clips import write_video
from .untrained import SECONDS, TEMPLATES, VOCABULARY

__all__ = ["no_cache", "trained"]


@pytest.fixture(scope="session")
def manifests():
    made = (make_extractor(name, seconds=SECONDS).manifest for name in ("logmel", "efficientnet_lite0"))
    written = {"dtype": "float32"}  # as the extraction adds
    return {one.kind: dataclasses.replace(one, settings={**one.settings, **written}) for one in made}


@pytest.fixture
def save(tmp_path, manifests):
    """A checkpoint of an untrained model, trained on features of the given manifests and precision."""

    def write(model="tjstg_sharp", layout=SECONDS, precision="float32", name="best.pt", **changed):
        torch.manual_seed(1)
        sizes = {"audio_dim": 128, "visual_dim": 112, "dim": 16, "vocabulary_size": 14, "answers": 3}
        made = {**manifests, **changed}
        features = {
            kind: {"manifest": made[kind] and made[kind].to_dict(), "layout": layout, "precision": precision}
            for kind in ("audio", "visual")
        }
        rest = {name: {} for name in ("files", "progress", "optimizer", "precision", "versions")}
        network = MODELS[model](**sizes)
        content = make_checkpoint(
            network,
            pocket_run("data", model=model, segments=4),
            VOCABULARY,
            templates=list(TEMPLATES),
            features=features,
            **rest,
        )
        write_atomically(tmp_path / name, content)
        return tmp_path / name

    return write


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """Four seconds, every one of another gray and with another tone."""
    generator = np.random.default_rng(0)
    scenes = generator.integers(0, 256, size=(4, 64, 64, 3), dtype=np.uint8)

    def picture(index, height, width):
        return scenes[min(3, index // 8)]

    def sound(time):
        return 0.4 * np.sin(2 * np.pi * (300 + 200 * np.floor(time)) * time)

    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return write_video(path, seconds=4, fps=8, size=64, picture=picture, sound=sound)
