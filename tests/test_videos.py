"""The commands of docs/videos.md, one after the other, on a few small films."""

import json

import numpy as np
import pytest

from avground.cli import main
from avground.data import FeatureFolder, pocket


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Rendered, extracted and packed."""
    folder = tmp_path_factory.mktemp("films")
    small = pocket.World(types=4, most=2, segments=5, train=6, val=2, test=2, questions=3)
    pocket.generate(folder / "world", small, progress=False, rendering=pocket.Rendering(seconds=5, fps=4))
    extractors = ["--audio", "logmel", "--visual", "efficientnet_lite0", "--seconds", "5"]
    where = folder / "world"
    assert main(["extract", str(where / "videos"), "--output", str(where / "feats"), *extractors]) == 0
    packed = str(where / "feats.safetensors")
    assert main(["pack", str(where / "feats"), "--output", packed, "--segments", "5"]) == 0
    return where


def test_features_of_every_second_are_there_and_differ(world):
    features = FeatureFolder(world / "feats", segments=5)
    ids = sorted(path.stem for path in (world / "videos").iterdir())
    features.check(ids, progress=False)
    assert (features.audio_dim, features.visual_shape) == (128, (112, 7, 7))
    assert {kind.layout for kind in features.kinds.values()} == {5}
    assert len(np.unique(features.visual(ids).numpy().reshape(50, -1), axis=0)) == 50


def test_from_films_to_an_answer(world, tmp_path, capsys):
    few = ["--segments", "5", "--epochs", "1", "--dim", "16", "--batch-size", "4", "--device", "cpu"]
    run = ["train", "--data", str(world), "--model", "tjstg_sharp", *few]
    for name, features in (("folder", "feats"), ("store", "feats.safetensors")):
        assert main([*run, "--features", str(world / features), "--output", str(tmp_path / name)]) == 0
    reports = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("folder", "store")]
    losses = [report["history"][-1]["losses"]["total"] for report in reports]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)  # The store holds maps in half precision.
    for report, precision in zip(reports, ("float32", "float16"), strict=True):
        assert report["data"]["features"]["visual"]["manifest"]["extractor"] == "efficientnet_lite0"
        assert report["data"]["features"]["visual"]["precision"] == precision
        assert report["test"]["grounding"]["pointing"]["segments"] > 0

    rows = json.loads((world / "json" / "avqa-train.json").read_text())
    question = next(row["question_content"] for row in rows if "<" not in row["question_content"])
    film, checkpoint = str(world / "videos" / "20000000.mp4"), str(tmp_path / "store" / "best.pt")
    capsys.readouterr()
    assert main(["answer", film, question, "--checkpoint", checkpoint, "--device", "cpu"]) == 0
    assert capsys.readouterr().out.startswith(question)


def test_a_checkpoint_refuses_features_of_another_extraction(world, tmp_path, capsys):
    few = ["--segments", "5", "--epochs", "1", "--dim", "16", "--batch-size", "4", "--device", "cpu", "--model", "avst"]
    run = ["train", "--data", str(world), *few, "--stage-one-epochs", "0", "--output", str(tmp_path / "run")]
    assert main(run) == 0
    packed = ["--features", str(world / "feats.safetensors")]
    assert main([*run, *packed, "--resume"]) == 1
    assert "was trained on: visual: precision 'float16', not 'float32'" in capsys.readouterr().err
