import copy
import dataclasses

import numpy as np
import pytest
import torch

from avground.answer.dataset import AnsweredData, outlines_of
from avground.data import Record, pocket
from avground.errors import ConfigError, DataError
from avground.hub import PretrainedModel
from avground.training import evaluate

from ..media.clips import write_video


@pytest.fixture(scope="session")
def model(trained):
    return PretrainedModel.from_checkpoint(trained / "best.pt")


@pytest.fixture
def data(model):
    return AnsweredData({"ours": model}, device="cpu")


def test_answers_are_those_of_the_evaluation(data, model):
    records = data.splits.records["test"]
    examples = data.examples(records, top=3)
    found = evaluate(model.model, data.splits.dataset("test"))
    assert [example.attention[0].answers[0][0] for example in examples] == list(found.predicted)
    right = sum(example.right for example in examples) / len(examples)
    assert right == pytest.approx(found.accuracy["All"])
    assert all(len(example.attention[0].answers) == 3 for example in examples)
    assert [example.type for example in examples] == [record.type for record in records]


def test_weights_are_those_of_the_model_for_that_question(data, model):
    record = data.splits.records["test"][4]
    (alone,) = data.examples([record])
    features, n = data.splits.features, data.splits.question_length
    with torch.no_grad():
        out = model.model(
            features.audio([record.video_id]),
            features.visual([record.video_id]),
            torch.tensor([model.vocabulary.encode(record.words, n)]),
        )
    shown = alone.attention[0]
    np.testing.assert_allclose(shown.cell_weights, out.cell_weights[0], atol=1e-6)
    np.testing.assert_allclose(shown.word_weights, out.target_weights[0, : len(record.words)], atol=1e-6)
    among = data.examples(data.splits.records["test"])[4].attention[0]
    np.testing.assert_allclose(among.cell_weights, shown.cell_weights, atol=1e-6)


def test_segments_stand_where_they_lie_in_the_video(data):
    # A minute of sound and five pictures.
    assert data.seconds == 60
    assert data.examples(data.splits.records["test"][:1])[0].attention[0].starts.tolist() == [0, 12, 24, 36, 48]


def test_the_truth_is_drawn_around(data):
    truth = data.splits.truth
    for record in data.splits.records["test"]:
        outlines = outlines_of(record, truth)
        seen = [one for one in truth.videos[record.video_id] if one.cells]
        assert [outline.name for outline in outlines] == [one.type for one in seen]
        cells = {cell for outline in outlines if outline.target for cell in outline.cells}
        assert cells == truth.target_cells(record.question_id)
    assert any(outline.target for outline in outlines_of(record, truth) or ()) or cells == set()


def test_a_new_question_has_places_and_no_answer(data):
    known = data.splits.records["test"][0]
    asked = Record(known.video_id, None, ("", ""), "", known.words, "")
    (example,) = data.examples([asked])
    assert (example.answer, example.type, example.right) == (None, None, None)
    assert example.outlines
    assert not any(outline.target for outline in example.outlines)


def test_without_truth_nothing_is_drawn(data):
    assert outlines_of(data.splits.records["test"][0], None) == ()


def test_without_a_file_there_is_nothing_to_see(data):
    record = data.splits.records["test"][0]
    footage = data.footage(record.video_id)
    assert (footage.seconds, footage.video, footage.frames, footage.waveform) == (60, None, (), None)


def test_videos_beside_the_features_are_shown(model, tmp_path):
    record = pocket_record(model)
    write_video(tmp_path / f"{record.video_id}.mp4", seconds=61, fps=2)
    data = AnsweredData({"ours": model}, videos=tmp_path, device="cpu")
    whole, stills = data.footage(record.video_id), data.footage(record.video_id, show="stills")
    assert whole.seconds == pytest.approx(60, abs=0.1)
    assert whole.video is not None
    assert whole.frame_starts == stills.frame_starts == (0, 12, 24, 36, 48)
    assert whole.waveform.max() > 0.3
    assert whole.notes == ("60 of 61.0 s used",)
    assert stills.video is None
    assert stills.frames == whole.frames
    assert data.footage(record.video_id, show="nothing").frames == ()
    assert data.footage("another").frames == ()


def test_segments_behind_the_end_of_a_short_video_belong_to_its_last_row(model, tmp_path):
    record = pocket_record(model)
    write_video(tmp_path / f"{record.video_id}.mp4", seconds=30, fps=2)
    data = AnsweredData({"ours": model}, videos=tmp_path, device="cpu")
    # A row is 12 s: half of the third is there, and counts.
    shown = data.examples([record])[0].attention[0]
    assert shown.starts.tolist() == [0, 12, 24]
    assert shown.uniform.tolist() == [0.2, 0.2, pytest.approx(0.6)]
    assert data.footage(record.video_id).frame_starts == (0, 12, 24)
    assert data.footage(record.video_id, show="stills").seconds == 25


def test_a_video_that_cannot_be_read_is_a_note(model, tmp_path):
    record = pocket_record(model)
    (tmp_path / f"{record.video_id}.mp4").write_bytes(b"no film")
    data = AnsweredData({"ours": model}, videos=tmp_path, device="cpu")
    for show in ("video", "stills"):
        footage = data.footage(record.video_id, show=show)
        assert (footage.video, footage.frames) == (None, ())
        assert "The video is not shown." in footage.notes[0]
        assert "FFmpeg cannot open" in footage.notes[0]
    assert data.examples([record])[0].attention[0].starts.tolist() == [0, 12, 24, 36, 48]


def test_a_video_without_sound_is_shown_without(model, tmp_path):
    record = pocket_record(model)
    write_video(tmp_path / f"{record.video_id}.mp4", seconds=60, fps=1, audio=False)
    footage = AnsweredData({"ours": model}, videos=tmp_path, device="cpu").footage(record.video_id)
    assert footage.video is not None
    assert footage.waveform is None
    assert "without a track of sound" in footage.notes[0]


def test_what_is_not_as_it_looks_is_noted(data, model):
    record, other = data.splits.records["test"][0], data.splits.records["test"][-1]
    assert data.examples([record])[0].notes == ()
    heard = dataclasses.replace(record, audio_id=other.video_id)
    (shown,) = data.examples([heard])
    assert shown.notes == (f"The models heard the sound of {other.video_id} instead.",)
    with torch.no_grad():
        out = model.model(
            data.splits.features.audio([other.video_id]),
            data.splits.features.visual([record.video_id]),
            torch.tensor([model.vocabulary.encode(record.words, data.splits.question_length)]),
        )
    np.testing.assert_allclose(shown.attention[0].cell_weights, out.cell_weights[0], atol=1e-6)


def test_words_that_were_left_out_are_noted(model):
    run = dataclasses.replace(model.run, unknown_words="skip")
    rest = {name: getattr(model, name) for name in ("vocabulary", "templates", "features", "files", "versions")}
    data = AnsweredData({"ours": PretrainedModel(model.model, run=run, **rest)}, device="cpu")
    record = data.splits.records["test"][0]
    (shown,) = data.examples([dataclasses.replace(record, words=("zither", *record.words))])
    assert shown.notes == ("ours did not read: zither.",)
    assert shown.attention[0].word_weights[0] == 0


def test_weights_that_are_not_finite_name_the_question(model):
    data = AnsweredData({"ours": model}, device="cpu")
    record = data.splits.records["test"][0]
    broken = copy.deepcopy(model)
    with torch.no_grad():
        for weights in broken.model.answer.parameters():
            weights.fill_(float("nan"))
    data = AnsweredData({"ours": broken}, device="cpu")
    with pytest.raises(DataError, match=r"avqa-test.json, .*: ours: answers: expected probabilities .*, got nan"):
        data.examples([record])


@pytest.mark.parametrize("top", [0, -1, 2.5])
def test_top_is_a_whole_number(data, top):
    with pytest.raises(ConfigError, match="top: expected a whole number of at least 1"):
        data.examples(data.splits.records["test"][:1], top=top)


def pocket_record(model):
    return AnsweredData({"ours": model}, device="cpu").splits.records["test"][0]


def test_what_does_not_belong_together_is_told(model, trained, tmp_path):
    with pytest.raises(DataError, match="models: expected at least one, got none"):
        AnsweredData({})
    other = pocket.generate(
        tmp_path / "other", dataclasses.replace(pocket.PRESETS["tiny"], segments=5, channels=8), progress=False
    )
    with pytest.raises(ConfigError, match="ours: expected the features that it was trained on, got others: "):
        AnsweredData({"ours": model}, data=other, device="cpu")
    with pytest.raises(DataError, match=r"nowhere: expected a folder of videos, got none"):
        AnsweredData({"ours": model}, videos=tmp_path / "nowhere", device="cpu")
    with pytest.raises(DataError, match=r"gone: expected json/ with question files"):
        AnsweredData({"ours": model}, data=tmp_path / "gone", device="cpu")
    with pytest.raises(ConfigError, match="show: expected one of 'video', 'stills', 'nothing', got 'all'"):
        AnsweredData({"ours": model}, device="cpu").footage("x", show="all")
