import dataclasses
import json
import math

import pytest
import torch

from avground import cli
from avground.answer import Answer, Answerer, Moment, answerer
from avground.errors import ConfigError, DataError
from avground.hub import PretrainedModel
from avground.media import decode, make_extractor
from avground.training import load_checkpoint

from ..media.clips import write_video
from .untrained import SECONDS, TEMPLATES, VOCABULARY, WORDS


def test_the_answer_is_that_of_the_model_on_extracted_features(save, film):
    found = Answerer(path := save(), device="cpu")
    given = found.watch(film).ask(TEMPLATES[0])
    clip = decode(film, seconds=SECONDS)
    audio = make_extractor("logmel")(torch.from_numpy(clip.sound).reshape(-1, 16_000))
    visual = make_extractor("efficientnet_lite0")(torch.from_numpy(clip.frames).permute(0, 3, 1, 2).contiguous())
    model, vocabulary, _ = load_checkpoint(path)
    words = torch.tensor([vocabulary.encode(TEMPLATES[0][:-1].split(), 14)])
    with torch.no_grad():
        out = model(audio[None], visual[None], words)
    shares = out.answer_logits[0].softmax(-1)
    assert [name for name, _ in given.answers] == [
        VOCABULARY.answers[place] for place in shares.argsort(descending=True)
    ]
    assert dict(given.answers) == pytest.approx(dict(zip(VOCABULARY.answers, shares.tolist(), strict=True)), rel=1e-5)
    assert given.best == given.answers[0][0]
    assert given.target == (
        WORDS[place := int(out.target_weights.argmax())],
        pytest.approx(out.target_weights[0, place]),
    )
    assert [moment.start for moment in given.moments] == [0, 1, 2, 3]
    assert [moment.audio_weight for moment in given.moments] == pytest.approx(out.audio_weights[0].tolist(), rel=1e-4)
    assert [moment.visual_weight for moment in given.moments] == pytest.approx(out.visual_weights[0].tolist(), rel=1e-4)
    torch.testing.assert_close(given.cell_weights, out.cell_weights[0], rtol=1e-4, atol=1e-6)
    assert given.cell_weights.shape == (4, 7, 7)


def test_many_questions_cost_one_extraction(save, film, monkeypatch):
    calls = []
    monkeypatch.setattr(answerer, "decode", lambda *a, **k: calls.append(a) or decode(*a, **k))
    video = Answerer(save(), device="cpu").watch(film)
    first, second = video.ask(TEMPLATES[0]), video.ask("Is the flute louder than the acoustic_guitar？")  # noqa: RUF001
    assert len(calls) == 1
    assert (first.template, second.template) == TEMPLATES
    assert first.answers != second.answers
    assert video.ask("How many instruments").template is None
    assert "no question of this form" in str(video.ask("How many instruments"))


def test_a_video_that_ends_early_is_continued_by_its_last_second(save, film, tmp_path):
    short = write_video(tmp_path / "short.mp4", seconds=2)
    given = Answerer(save(), device="cpu").watch(short).ask(TEMPLATES[0])
    assert [moment.start for moment in given.moments] == [0, 1]
    assert math.fsum(moment.audio_weight for moment in given.moments) == pytest.approx(1)
    assert [moment.uniform for moment in given.moments] == [0.25, 0.75]
    later = Answerer(save(), device="cpu").watch(film, start=2).ask(TEMPLATES[0])
    assert [moment.start for moment in later.moments] == [2, 3]


def test_segments_stand_for_the_seconds_they_stood_for_in_training(save, film, manifests):
    longer = {kind: dataclasses.replace(manifest, seconds=60) for kind, manifest in manifests.items()}
    given = Answerer(save(layout=60, **longer), device="cpu").watch(film).ask(TEMPLATES[0])
    assert [moment.start for moment in given.moments] == [0, 3]  # of 0, 15, 30 and 45


def test_features_are_as_precise_as_in_training(save, film):
    exact = Answerer(save(), device="cpu").watch(film)
    half = Answerer(save(precision="float16"), device="cpu").watch(film)
    assert torch.equal(half.visual, exact.visual.half().float())
    assert not torch.equal(half.visual, exact.visual)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("How many flutes are sounding in the video?", "word 'flutes' is not among .*near ones: 'flute'"),
        ("Is the acoustic guitar louder than the flute?", "word 'acoustic' .*near ones: 'acoustic_guitar'"),
        ("how many instruments", "word 'how' .*near ones: 'How'"),
        (" ? ", "expected a question, got no word"),
    ],
)
def test_an_unknown_word_is_an_error_that_lists_near_ones_and_the_known_questions(save, question, message):
    with pytest.raises(DataError, match=message) as error:
        Answerer(save(), device="cpu").words(question)
    assert all(f"\n  {template}" in str(error.value) for template in TEMPLATES)


def test_features_that_no_extractor_makes_here_are_named(save, manifests):
    other = dataclasses.replace(manifests["visual"], weights="ab" * 32)
    here = manifests["visual"].weights
    with pytest.raises(
        ConfigError, match=f"visual: expected the extractor that .* weights '{here}', not '{'ab' * 32}'"
    ):
        Answerer(save(visual=other))
    world = dataclasses.replace(manifests["audio"], extractor="pocket")
    with pytest.raises(
        ConfigError, match=r"expected audio features of vggish, .*, got those of 'pocket', which is made"
    ):
        Answerer(save(audio=world))
    with pytest.raises(ConfigError, match=r"audio: expected 'logmel', which .* was trained on, got 'vggish'"):
        Answerer(save(), audio="vggish")


def test_a_device_that_is_not_there_is_an_error(save, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device: expected 'auto' or 'cpu', as torch finds no CUDA"):
        Answerer(save(), device="cuda")
    with pytest.raises(ConfigError, match="device: expected one of 'auto', 'cpu', 'cuda', got 'gpu'"):
        Answerer(save(), device="gpu")


def test_without_manifests_the_extractors_must_be_named(save, film):
    path = save(audio=None, visual=None, layout=10)
    with pytest.raises(ConfigError, match="audio: expected one of vggish, vggish_pca, logmel: the features that"):
        Answerer(path)
    with pytest.raises(ConfigError, match=r"audio: expected one of 'vggish', .*, got 'resnet18'"):
        Answerer(path, audio="resnet18", visual="resnet18")
    found = Answerer(path, audio="logmel", visual="efficientnet_lite0", device="cpu")
    assert found.seconds == 60
    assert found.watch(film).ask(TEMPLATES[0]).moments


def test_a_model_that_chooses_no_word_names_none(save, film):
    given = Answerer(save(model="question_lstm"), device="cpu").watch(film).ask(TEMPLATES[0])
    assert given.target is None
    assert "asked for" not in str(given)
    assert "none stands out (largest 1.0 x uniform)" in str(given)


def test_a_folder_for_the_hub_answers_as_the_checkpoint_does(save, film, tmp_path, capsys):
    path = save()
    PretrainedModel.from_checkpoint(path).save_pretrained(tmp_path / "model")
    first, again = (
        Answerer(source, device="cpu").watch(film).ask(TEMPLATES[0]) for source in (path, tmp_path / "model")
    )
    assert (first.answers, first.moments, first.target) == (again.answers, again.moments, again.target)
    options = ["answer", str(film), TEMPLATES[0], "--checkpoint", str(tmp_path / "model"), "--device", "cpu"]
    assert cli.main(options) == 0
    assert TEMPLATES[0] in capsys.readouterr().out


def test_a_name_on_the_hub_is_fetched(save, tmp_path, monkeypatch):
    PretrainedModel.from_checkpoint(save()).save_pretrained(tmp_path / "model")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda name, file, **_: str(tmp_path / "model" / file))
    assert Answerer("someone/name", device="cpu").vocabulary == VOCABULARY


def test_a_metrics_file_of_another_run_does_not_matter_here(save, tmp_path):
    path = save()
    (tmp_path / "metrics.json").write_text("{}")
    assert Answerer(path, device="cpu").vocabulary == VOCABULARY


def test_what_is_printed():
    moments = Moment(0.0, 0.1, 0.0, 0.5, 0), Moment(2.0, 0.9, 1.0, 0.5, 1)
    answers, weights = (("yes", 0.75), ("no", 0.25)), torch.tensor([0.5, 0.5])
    given = Answer(
        "Is it?", ("Is", "it"), answers, ("it", 0.5), moments, "Is it?", torch.ones(2, 1, 1), word_weights=weights
    )
    assert str(given).splitlines() == [
        "Is it?",
        "   75.0%  yes",
        "   25.0%  no",
        "  asked for: it (weight 0.50)",
        "  seconds: 2-3 s (sound 0.90, pictures 1.00)",
    ]
    assert "no" not in given.describe(1)
    with pytest.raises(ConfigError, match="top: expected a whole number of at least 1, got 0"):
        given.describe(0)


def test_the_last_second_of_a_short_video_does_not_stand_out_for_standing_for_many(save, tmp_path):
    short = write_video(tmp_path / "short.mp4", seconds=2)
    given = Answerer(save(model="question_lstm"), device="cpu").watch(short).ask(TEMPLATES[0])
    assert [moment.audio_weight for moment in given.moments] == pytest.approx([0.25, 0.75])
    assert "none stands out (largest 1.0 x uniform)" in str(given)


def test_questions_are_read_as_training_reads_them(save):
    found = Answerer(save(), device="cpu")
    found.templates = ("In the video, is the <Object> louder", "How many <Object>s are there?")
    assert found.template_of(["In", "the", "video", "is", "the", "flute", "louder"]) == found.templates[0]
    assert found.template_of(["How", "many", "flutes", "are", "there"]) == found.templates[1]
    assert found.template_of(["How", "many", "flutes"]) is None
    assert found.words("Is the video, louder than the flute") == [
        "Is",
        "the",
        "video",
        "louder",
        "than",
        "the",
        "flute",
    ]


def test_the_command(save, film, tmp_path, capsys):
    path = str(save())
    assert cli.main(["answer", str(film), *TEMPLATES[:1], "--checkpoint", path, "--device", "cpu", "--top", "1"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == TEMPLATES[0]
    assert out[1].endswith(tuple(VOCABULARY.answers))
    assert cli.main(["answer", str(film), *TEMPLATES[:1], "--checkpoint", path, "--device", "cpu", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert math.fsum(entry["probability"] for entry in printed["answers"][0]["answers"]) == pytest.approx(1)
    assert cli.main(["answer", "nowhere.mp4", "What flutes?", "--checkpoint", path, "--device", "cpu"]) == 1
    assert "word 'What' is not among" in capsys.readouterr().err
    assert cli.main(["answer", "nowhere.mp4", *TEMPLATES[:1], "--checkpoint", path, "--device", "cpu"]) == 1
    assert "nowhere.mp4: expected a video, got no such file" in capsys.readouterr().err
