import numpy as np
import pytest

from avground.errors import ConfigError, DataError
from avground.viz import Attention, Example, Footage, Outline

JPEG = b"\xff\xd8 and so on"


def _attention(**changed):
    given = {
        "model": "tjstg",
        "answers": [("violin", 0.7), ("cello", 0.3)],
        "starts": [0, 6],
        "cell_weights": np.full((2, 2, 2), 0.25),
        "audio_weights": [0.5, 0.5],
        "visual_weights": [0.25, 0.75],
        **changed,
    }
    return Attention(**given)


def test_attention_without_preference_is_flat_unless_told_otherwise():
    assert _attention().uniform.tolist() == [0.5, 0.5]
    assert _attention(uniform=[0.1, 0.9]).uniform.tolist() == [0.1, 0.9]
    assert _attention().word_weights is None


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"answers": []}, "answers: expected at least one, got none"),
        ({"answers": [("violin", 1.2)]}, r"answers: expected probabilities from 0 to 1, got 1\.2 for 'violin'"),
        ({"starts": [6, 0]}, "starts: expected ascending seconds of at least 0"),
        ({"cell_weights": np.full((3, 2, 2), 0.25)}, "cell_weights: expected t=2 segments, as starts has, got 3"),
        ({"cell_weights": np.full((2, 2, 2), 0.2)}, r"cell_weights: expected weights that sum to 1, got a sum of 0\.8"),
        ({"cell_weights": np.ones((2, 1, 1))}, r"cell_weights: expected maps of at least 2 cells, got shape"),
        ({"audio_weights": [1.0]}, "audio_weights: expected t=2 segments, as starts has, got 1"),
        ({"visual_weights": [0.5, 0.6]}, "visual_weights: expected weights that sum to 1"),
        ({"uniform": [0.3, 0.3, 0.4]}, "uniform: expected t=2 segments, as starts has, got 3"),
        ({"word_weights": [0.9, 0.9]}, "word_weights: expected weights that sum to at most 1"),
    ],
)
def test_attention_that_does_not_fit_is_told(changed, told):
    with pytest.raises(DataError, match=told):
        _attention(**changed)


def test_an_outline_lies_in_its_map():
    assert Outline("violin", ((6, 6),), 7, 7).cells == ((6, 6),)
    with pytest.raises(DataError, match=r"cells: expected places in a map of 7 x 7, got \(7, 0\)"):
        Outline("violin", ((0, 0), (7, 0)), 7, 7)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"frames": (JPEG,)}, "frame_starts: expected one for each of 1 frames, got 0"),
        ({"frames": (b"GIF89a",), "frame_starts": (0.0,)}, "frames: expected JPEG files, got one .* with b'GIF8'"),
        ({"waveform": np.array([0.5, 1.5])}, r"waveform: expected amplitudes from 0 to 1, got 0\.5 to 1\.5"),
        ({"waveform": np.array([[0.5]])}, r"waveform: expected 1 dimensions"),
    ],
)
def test_footage_that_does_not_fit_is_told(changed, told):
    with pytest.raises(DataError, match=told):
        Footage(60.0, **changed)


def test_footage_lasts():
    with pytest.raises(ConfigError, match="seconds: expected a number above 0"):
        Footage(0.0)
    assert Footage(2.0, frames=(JPEG,), frame_starts=(0.0,), waveform=np.array([0.0, 1.0])).video is None


def test_an_example_knows_its_question_and_whether_the_first_model_is_right():
    words = ("which", "instrument")
    example = Example("v", words, (_attention(), _attention(model="avst", answers=[("cello", 1.0)])), answer="violin")
    assert example.asked == "which instrument"
    assert example.right is True
    assert Example("v", words, example.attention, question="Which instrument?").asked == "Which instrument?"
    assert Example("v", words, example.attention, answer="cello").right is False
    assert Example("v", words, example.attention).right is None


@pytest.mark.parametrize(
    ("words", "attention", "told"),
    [
        ((), (_attention(),), "words: expected at least one, got none"),
        (("a",), (), "attention: expected that of at least one model, got none"),
        (("a",), (_attention(word_weights=[0.5, 0.5]),), "word_weights: expected n=1 of the question's words, got 2"),
    ],
)
def test_an_example_that_does_not_fit_is_told(words, attention, told):
    with pytest.raises(DataError, match=told):
        Example("v", words, attention)
