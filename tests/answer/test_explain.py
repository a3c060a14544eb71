from io import BytesIO

import numpy as np
import pytest

from avground.answer import Answerer, answerer
from avground.answer.explain import BARS, envelope, explain_video
from avground.errors import ConfigError, DataError
from avground.media import decode

from ..media.clips import write_video
from .untrained import TEMPLATES


@pytest.fixture
def models(save):
    return {name: Answerer(save(name, name=f"{name}.pt"), device="cpu") for name in ("tjstg_sharp", "avst")}


def test_what_is_shown_is_what_each_model_answers(models, film):
    footage, examples = explain_video(film, TEMPLATES[:1], models, top=2)
    (example,) = examples
    assert example.words == tuple(TEMPLATES[0][:-1].split())
    assert (example.asked, example.video, example.answer) == (TEMPLATES[0], "film.mp4", None)
    for shown, model in zip(example.attention, models.values(), strict=True):
        answer = model.watch(film).ask(TEMPLATES[0])
        assert shown.answers == answer.answers[:2]
        assert shown.starts.tolist() == [0, 1, 2, 3]
        np.testing.assert_allclose(shown.cell_weights, answer.cell_weights, atol=1e-6)
        np.testing.assert_allclose(shown.visual_weights, [moment.visual_weight for moment in answer.moments], atol=1e-6)
        if answer.word_weights is None:
            assert shown.word_weights is None
        else:
            np.testing.assert_allclose(shown.word_weights, answer.word_weights, atol=1e-6)
    assert [shown.model for shown in example.attention] == list(models)
    assert footage.seconds == pytest.approx(4, abs=0.01)
    assert b"ftyp" in footage.video[:16]
    assert footage.frame_starts == (0, 1, 2, 3)


def test_frames_are_those_of_the_seconds_looked_at(models, film):
    from PIL import Image

    footage, _ = explain_video(film, TEMPLATES[:1], models)
    expected = decode(film, seconds=4, size=64).frames
    shown = [np.asarray(Image.open(BytesIO(frame)), float) for frame in footage.frames]
    nearest = [np.argmin([abs(frame - other).mean() for other in expected]) for frame in shown]
    assert nearest == [0, 1, 2, 3]


def test_the_video_is_looked_at_once_for_models_of_the_same_features(models, film, monkeypatch):
    calls = []
    monkeypatch.setattr(answerer, "decode", lambda *a, **k: calls.append(a) or decode(*a, **k))
    explain_video(film, TEMPLATES[:1], models)
    assert len(calls) == 1


def test_models_of_other_features_look_for_themselves(save, film, monkeypatch):
    calls = []
    monkeypatch.setattr(answerer, "decode", lambda *a, **k: calls.append(a) or decode(*a, **k))
    exact, half = save(name="a.pt"), save(name="b.pt", precision="float16")
    explain_video(film, TEMPLATES[:1], {"a": Answerer(exact, device="cpu"), "b": Answerer(half, device="cpu")})
    assert len(calls) == 2


def test_time_begins_where_the_look_begins(models, film):
    footage, examples = explain_video(film, TEMPLATES[:1], models, start=2)
    assert footage.seconds == pytest.approx(2, abs=0.01)
    for shown in examples[0].attention:
        assert shown.starts.tolist() == [0, 1]
        assert shown.uniform.tolist() == [0.25, 0.75]


def test_sound_that_goes_on_after_the_pictures_has_its_own_seconds(models, tmp_path):
    path = write_video(tmp_path / "film.mkv", seconds=2, audio_seconds=4)
    footage, examples = explain_video(path, TEMPLATES[:1], models)
    assert examples[0].attention[0].starts.tolist() == [0, 1, 2, 3]
    assert footage.seconds == 4
    assert "pictures end after 2.0 s" in footage.notes[-1]


def test_the_waveform_is_the_loudness_where_it_is_loud(models, tmp_path):
    path = write_video(tmp_path / "film.mkv", seconds=4, sound=lambda time: 0.5 * (time >= 2) * np.sin(2765 * time))
    footage, _ = explain_video(path, TEMPLATES[:1], models)
    wave = footage.waveform
    assert wave.shape == (BARS,)
    assert wave[: BARS // 2 - 2].max() < 0.01
    assert wave[BARS // 2 + 2 : -2].min() > 0.45
    assert wave.max() < 0.55


def test_an_envelope_by_hand():
    sound = np.zeros(BARS * 10, np.float32)
    sound[10 * 7 + 3] = -0.25
    sound[-1] = 1.0
    wave = envelope(sound, 20.0, rate=BARS)
    assert wave[:3].tolist() == [0, 0, 0]
    assert wave[np.flatnonzero(wave)].tolist() == [0.25, 1.0]
    assert np.flatnonzero(wave).tolist() == [73 // 20, BARS // 2 - 1]


def test_a_word_unknown_to_any_model_is_told_before_the_video_is_read(models, tmp_path):
    with pytest.raises(DataError, match="word 'zither' is not among"):
        explain_video(tmp_path / "none.mp4", ["Is the zither louder than the flute?"], models)


def test_bad_arguments_are_told(models, film):
    with pytest.raises(DataError, match="questions: expected at least one, got none"):
        explain_video(film, [], models)
    with pytest.raises(DataError, match="answerers: expected at least one, got none"):
        explain_video(film, TEMPLATES[:1], {})
    with pytest.raises(ConfigError, match="top: expected a whole number of at least 1, got 0"):
        explain_video(film, TEMPLATES[:1], models, top=0)
    with pytest.raises(ConfigError, match="height: expected a whole number of at least 16, got 3"):
        explain_video(film, TEMPLATES[:1], models, height=3)
