import dataclasses
import json

import pytest
import torch

from avground.answer.result import make_answer
from avground.data import Vocabulary
from avground.models import tjstg

VOCABULARY = Vocabulary(("<pad>", "Is", "the", "flute", "heard"), ("yes", "no"))


@pytest.fixture
def out():
    """What a model returned for two questions: of t=3 segments, 2 x 2 cells and n=4 words."""
    model = tjstg(vocabulary_size=5, answers=2, audio_dim=4, visual_dim=4, dim=4).eval()
    with torch.no_grad():
        found = model(torch.randn(2, 3, 4), torch.rand(2, 3, 4, 2, 2), torch.tensor([[1, 2, 3, 4], [1, 3, 0, 0]]))
    target = torch.tensor([[0.1, 0.2, 0.6, 0.1], [0.3, 0.7, 0.0, 0.0]])
    return found._replace(target_weights=target)


def make(out, place, words, seconds=(0.0, 6.0, 12.0)):
    question = " ".join(words)
    return make_answer(out, place, VOCABULARY, question=question, words=words, seconds=seconds, template=None)


def test_each_question_of_a_batch_gets_its_own(out):
    first, second = make(out, 0, ["Is", "the", "flute", "heard"]), make(out, 1, ["Is", "flute"])
    assert first.target == ("flute", pytest.approx(0.6))
    assert second.target == ("flute", pytest.approx(0.7))
    for place, answer in enumerate((first, second)):
        shares = out.answer_logits[place].softmax(-1)
        assert dict(answer.answers) == pytest.approx(dict(zip(VOCABULARY.answers, shares.tolist(), strict=True)))
        assert [moment.visual_weight for moment in answer.moments] == pytest.approx(
            out.visual_weights[place].tolist(), rel=1e-5
        )
        torch.testing.assert_close(answer.cell_weights, out.cell_weights[place])
    torch.testing.assert_close(second.word_weights, torch.tensor([0.3, 0.7]))


def test_a_word_that_was_not_read_gets_no_weight_and_moves_none(out):
    answer = make(out, 1, ["Is", "zither", "flute"])
    torch.testing.assert_close(answer.word_weights, torch.tensor([0.3, 0.0, 0.7]))
    assert answer.target == ("flute", pytest.approx(0.7))


def test_where_padding_weighs_most_no_word_is_the_target(out):
    weighed = out._replace(target_weights=torch.tensor([[0.0] * 4, [0.2, 0.3, 0.5, 0.0]]))
    answer = make(weighed, 1, ["Is", "flute"])
    assert answer.target is None
    torch.testing.assert_close(answer.word_weights, torch.tensor([0.2, 0.3]))
    assert make(weighed, 0, ["Is", "the", "flute", "heard"]).word_weights is None


def test_segments_of_one_second_become_one_moment_with_the_map_of_the_first(out):
    answer = make(out, 0, ["Is", "the", "flute", "heard"], seconds=(0.0, 6.0, 6.0))
    heard = (out.audio_weights[0] / out.audio_weights[0].sum()).tolist()
    assert [(moment.start, moment.segment) for moment in answer.moments] == [(0, 0), (6, 1)]
    assert answer.moments[1].audio_weight == pytest.approx(heard[1] + heard[2], rel=1e-5)
    assert [moment.uniform for moment in answer.moments] == pytest.approx([1 / 3, 2 / 3])


def test_an_answer_as_json_has_words_and_their_weights(out):
    found = json.loads(json.dumps(make(out, 1, ["Is", "flute"]).to_dict()))
    assert found["words"] == [
        {"word": "Is", "weight": pytest.approx(0.3)},
        {"word": "flute", "weight": pytest.approx(0.7)},
    ]
    blank = dataclasses.replace(make(out, 1, ["Is", "flute"]), word_weights=None)
    assert [word["weight"] for word in blank.to_dict()["words"]] == [None, None]
