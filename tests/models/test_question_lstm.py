import pytest
import torch
from torch.testing import assert_close

from avground.errors import ConfigError
from avground.models import ModelSizes, QuestionLSTM, question_lstm
from tests import naive
from tests.models.clips import SIZES, make, sample
from tests.strategies import normal


def test_equals_the_equation():
    model, (audio, visual, question, _) = make("question_lstm"), sample()
    got = model(audio, visual, question).answer_logits
    for i in range(3):
        _, sentence = naive.question(model.question, question[i].tolist())
        expected = torch.tensor(naive.linear(model.answer, naive.tanh(sentence)), dtype=torch.float64)
        assert_close(got[i], expected, rtol=0, atol=1e-12)


def test_it_neither_hears_nor_sees():
    model, (audio, visual, question, _) = make("question_lstm"), sample()
    expected = model(audio, visual, question)
    for other in (
        model(normal(8, *audio.shape), normal(9, *visual.shape), question),
        model(torch.full_like(audio, torch.nan), visual.fill_(torch.nan), question),
    ):
        for got, before in zip(other[:-1], expected[:-1], strict=True):
            assert torch.equal(got, before)
    longer = model(normal(1, 3, 9, 3), normal(2, 3, 9, 6, 5, 5), question)
    assert torch.equal(longer.answer_logits, expected.answer_logits)


def test_it_weighs_nothing():
    model, parts = make("question_lstm"), sample()
    out = model(*parts)
    assert torch.equal(out.audio_weights, torch.full((3, 4), 1 / 4, dtype=torch.float64))
    assert torch.equal(out.visual_weights, out.audio_weights)
    assert torch.equal(out.cell_weights, torch.full((3, 4, 2, 3), 1 / 6, dtype=torch.float64))
    assert not out.target_weights.any()
    assert out.match_logits is None


def test_it_has_no_settings_but_the_sizes():
    model = question_lstm(**SIZES)
    assert isinstance(model, QuestionLSTM)
    assert type(model.config) is ModelSizes
    with pytest.raises(ConfigError) as caught:
        question_lstm(heads=2)
    names = "'vocabulary_size', 'answers', 'audio_dim', 'visual_dim', 'dim'"
    assert str(caught.value) == f"model setting: expected one of {names}, got 'heads'"
