"""Every model and every row of the paper's tables, trained for two steps by the path that real training takes."""

import dataclasses

import pytest
import torch

from avground import PairMatchingLoss
from avground.errors import DataError
from avground.models import ABLATIONS, MODELS, UNMATCHED, Grounded
from avground.training import load_checkpoint, pocket_run, train
from avground.training.stages import make_stages
from avground.training.train import make_model

ASKED = [*({"model": name} for name in MODELS), *({"ablation": name} for name in ABLATIONS)]


def two_steps(world, **asked):
    few = {"segments": 5, "epochs": 1, "batch_size": 16, "dim": 8, "device": "cpu"}
    return pocket_run(world, **few, **asked)


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: "-".join(*asked.items()))
def test_two_steps_of_training_are_finite_and_move_every_parameter(world, splits, tmp_path, asked):
    run = two_steps(world, **asked)
    matching = run.objective.matching > 0
    stages = make_stages(run, splits)
    assert [stage.name for stage in stages] == ["stage I"] * matching + ["stage II"]
    assert 16 < len(stages[-1].indices) <= 32  # two batches
    report = train(run, tmp_path)
    parts = {"total", "answer"} | ({"matching"} if matching else set())
    parts |= {"synchrony"} if run.objective.synchrony else set()
    assert set(report["history"][-1]["losses"]) == parts

    before, (after, _, loaded) = make_model(run, splits), load_checkpoint(tmp_path / "last.pt")
    assert (loaded, after.config) == (run, before.config)
    trained = after.state_dict()
    for name, parameter in before.named_parameters():
        assert trained[name].isfinite().all(), name
        unused = name.startswith("match.") and not matching
        unused |= name.startswith("target.attention.") and run.model == "tjstg_released"  # an argmax passes nothing on
        assert torch.equal(trained[name], parameter) == unused, name


@pytest.mark.parametrize("name", sorted(UNMATCHED))
def test_a_model_without_matching_head_reads_no_frame_of_another_video(world, splits, name):
    (stage,) = make_stages(two_steps(world, model=name), splits)
    assert stage.dataset.negatives is None


def test_a_question_heard_with_another_videos_sound_is_no_positive(splits):
    records = splits.records["train"]
    own, other = records[0].video_id, next(r.video_id for r in records if r.video_id != records[0].video_id)
    # The first question about a video, and every question about another, is heard with other sound.
    swapped = [
        dataclasses.replace(record, audio_id=own if record.video_id == other else other if place == 0 else None)
        for place, record in enumerate(records)
    ]
    changed = dataclasses.replace(splits, records={**splits.records, "train": swapped})
    first, second = make_stages(two_steps(str(splits.folder)), changed)
    chosen = [swapped[place] for place in first.indices]
    assert all(record.matched for record in chosen)
    assert sorted(record.video_id for record in chosen) == sorted({record.video_id for record in records} - {other})
    batch = second.dataset.__getitems__(range(len(swapped)))
    assert batch.matched.tolist() == [record.matched for record in swapped]
    b = len(swapped)
    weights, logits = torch.full((b, 5), 0.2), torch.randn(2, b, 5, 2)
    answers, cells, words = torch.randn(b, len(splits.vocabulary.answers)), torch.ones(b, 5, 1, 1), torch.ones(b, 14)
    out = Grounded(answers, weights, weights, cells, words, logits)
    found = second.losses(lambda *_: out, batch)["matching"]
    torch.testing.assert_close(found, PairMatchingLoss()(logits[:, batch.matched]))
    _, of_all = make_stages(two_steps(str(splits.folder)), splits)
    torch.testing.assert_close(of_all.losses(lambda *_: out, batch)["matching"], PairMatchingLoss()(logits))


def test_stage_one_needs_a_question_with_its_own_sound(splits):
    ids = list(dict.fromkeys(record.video_id for record in splits.records["train"]))
    other = dict(zip(ids, ids[1:] + ids[:1], strict=True))
    swapped = [dataclasses.replace(record, audio_id=other[record.video_id]) for record in splits.records["train"]]
    changed = dataclasses.replace(splits, records={**splits.records, "train": swapped})
    with pytest.raises(DataError, match="stage I: expected train questions that are heard with their own"):
        make_stages(two_steps(str(splits.folder)), changed)
    (stage,) = make_stages(two_steps(str(splits.folder), stage_one_epochs=0), changed)
    assert len(stage.indices) == len(swapped)
