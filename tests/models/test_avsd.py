import dataclasses

import pytest
import torch
from torch.testing import assert_close

from avground.errors import ConfigError
from avground.models import AVSD, AVSDConfig, Grounded, avsd
from tests import naive
from tests.models.clips import SIZES, make, sample

EXACT = {"rtol": 0, "atol": 1e-12}


def factors(utility):
    """Weight and bias of each embedding: left, for either other utility, right."""
    dim = len(utility.embed.bias) // 4
    weight, bias = naive.plain(utility.embed.weight), naive.plain(utility.embed.bias)
    return [(weight[i * dim : (i + 1) * dim], bias[i * dim : (i + 1) * dim]) for i in range(4)]


def pairwise(x, embed_x, ys, embed_y):
    """The mean cosine of an element with others, one pair at a time."""
    x = naive.unit(naive.affine(*embed_x, x))
    return naive.mean([[naive.dot(x, naive.unit(naive.affine(*embed_y, y)))] for y in ys])[0]


def attention_by_hand(attention, audio, maps, words):
    """Weights over the segments of sound, the cells of every map and the words."""
    utilities = [attention.audio, attention.cells, attention.words]
    groups = [[audio], maps, [words]]
    everything = [[x for group in of_utility for x in group] for of_utility in groups]
    found = []
    for i, utility in enumerate(utilities):
        others = [j for j in range(3) if j != i]
        of_all = []
        for group in groups[i]:
            scores = []
            for x in group:
                hidden = naive.relu(naive.linear(utility.unary[0], x))
                potentials = [naive.linear(utility.unary[2], hidden)[0]]
                potentials.append(pairwise(x, factors(utility)[0], group, factors(utility)[3]))
                for place, j in enumerate(others):
                    back = [k for k in range(3) if k != j].index(i)
                    own, other = factors(utility)[1 + place], factors(utilities[j])[1 + back]
                    potentials.append(pairwise(x, own, everything[j], other))
                scores.append(naive.dot(naive.plain(utility.mix), potentials))
            of_all.append(naive.softmax(scores))
        found.append(of_all)
    return found[0][0], found[1], found[2][0]


def attend(weights, rows):
    return [naive.dot(weights, column) for column in zip(*rows, strict=True)]


def by_hand(model, audio, visual, words):
    """Everything that the model returns for one clip, from the equations: lists of floats in place of tensors."""
    table = naive.plain(model.embedding.weight)
    read = naive.lstm(model.question, [naive.tanh(table[word]) for word in words if word != 0])[0]
    first, _, second = model.audio.layers
    heard = [naive.linear(second, naive.relu(naive.linear(first, row))) for row in audio]
    h, w = len(visual[0][0]), len(visual[0][0][0])
    maps = [[[channel[y][x] for channel in one] for y in range(h) for x in range(w)] for one in visual]
    audio_weights, cell_weights, word_weights = attention_by_hand(model.attention, heard, maps, read)
    frames = [naive.linear(model.visual, attend(*pair)) for pair in zip(cell_weights, maps, strict=True)]
    _, state, _ = naive.lstm(model.sequence, [attend(audio_weights, heard), *frames])
    hidden = naive.relu(naive.linear(model.answer[0], attend(word_weights, read) + state))
    return Grounded(
        naive.linear(model.answer[3], hidden),
        audio_weights,
        [1 / len(audio)] * len(audio),
        [[weights[y * w : (y + 1) * w] for y in range(h)] for weights in cell_weights],
        word_weights + [0.0] * (len(words) - len(word_weights)),
        None,
    )


def test_equals_the_equations_pair_by_pair():
    model, parts = make("avsd"), sample()[:3]
    got = model(*parts)
    for i in range(3):
        expected = by_hand(model, *(part[i].tolist() for part in parts))
        for field, values in expected._asdict().items():
            if values is not None:
                ours = getattr(got, field)[i]
                assert_close(ours, torch.tensor(values, dtype=torch.float64), **EXACT, msg=field)
    assert got.match_logits is None


def test_every_potential_counts_once_at_the_start():
    for utility in (part for name, part in avsd(**SIZES).attention.named_children()):
        assert utility.mix.tolist() == [1.0] * 4


def change(model, parts, name, value):
    before = model(*parts.values())
    after = model(*{**parts, name: value}.values())
    return {field: not torch.equal(getattr(before, field), getattr(after, field)) for field in before._fields[:-1]}


def test_every_utility_sees_every_other():
    """A word, a segment of sound or a cell that changes moves the weights over all three."""
    model = make("avsd")
    parts = dict(zip(("audio", "visual", "question"), sample(), strict=False))
    for name in parts:
        value = parts[name].clone()
        value.flatten(1)[:, 0] = 7
        moved = change(model, parts, name, value)
        assert moved.pop("visual_weights") is False
        assert all(moved.values()), (name, moved)


def test_segments_share_parameters_and_are_told_apart_by_order_only():
    """Segments in another order: the same attention, permuted, for every map is a utility of its own."""
    model, (audio, visual, question, _) = make("avsd"), sample()
    order = torch.tensor([2, 0, 3, 1])
    before, after = model(audio, visual, question), model(audio[:, order], visual[:, order], question)
    assert_close(after.cell_weights, before.cell_weights[:, order], **EXACT)
    assert_close(after.audio_weights, before.audio_weights[:, order], **EXACT)
    assert_close(after.target_weights, before.target_weights, **EXACT)
    assert not torch.allclose(after.answer_logits, before.answer_logits)


def test_sounds_know_no_order():
    """They are a set to the attention, and enter the LSTM as one vector; frames enter one by one."""
    model, (audio, visual, question, _) = make("avsd"), sample()
    shuffled = audio[:, torch.tensor([2, 0, 3, 1])]
    assert_close(model(shuffled, visual, question).answer_logits, model(audio, visual, question).answer_logits, **EXACT)


def test_permuting_cells_permutes_their_weights():
    model, (audio, visual, question, _) = make("avsd"), sample()
    before, after = model(audio, visual, question), model(audio, visual.flip(-1), question)
    assert_close(after.cell_weights, before.cell_weights.flip(-1), **EXACT)
    assert_close(after.answer_logits, before.answer_logits, **EXACT)


def test_a_question_without_words_has_no_weights_and_moves_nothing():
    """Such a clip is scored by sound and sight, whatever the number of padding words."""
    model, (audio, visual, question, _) = make("avsd"), sample()
    empty = torch.zeros_like(question)
    out = model(audio, visual, empty)
    assert not out.target_weights.any()
    assert_close(out.answer_logits, model(audio, visual, empty[:, :1]).answer_logits, **EXACT)
    assert out.answer_logits.isfinite().all()


def test_a_cell_without_features_does_no_harm():
    """Its embeddings may have no length at all."""
    model, (audio, visual, question, _) = make("avsd"), sample()
    with torch.no_grad():
        model.attention.cells.embed.bias.zero_()
    visual = visual.clone()
    visual[0, 1] = 0
    visual.requires_grad_()
    out = model(audio, visual, question)
    out.answer_logits.sum().backward()
    assert_close(out.cell_weights[0, 1], torch.full((2, 3), 1 / 6, dtype=torch.float64), **EXACT)
    assert visual.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_settings():
    model = avsd(**SIZES, dropout=0.3)
    assert isinstance(model, AVSD)
    assert model.config == AVSDConfig(**SIZES, dropout=0.3)
    assert model.answer[2].p == 0.3
    assert model.sequence.hidden_size == 4
    assert dataclasses.asdict(AVSDConfig()) == {
        "vocabulary_size": 93,
        "answers": 42,
        "audio_dim": 128,
        "visual_dim": 512,
        "dim": 512,
        "dropout": 0.1,
    }


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"dim": 7}, "dim: expected an even number, for an LSTM of half the width, got 7"),
        ({"dropout": 1.0}, "dropout: expected a number that is at least 0 and below 1, got 1.0"),
        ({"heads": 2}, "model setting: expected one of 'vocabulary_size', .*'dropout', got 'heads'"),
    ],
)
def test_what_cannot_be_is_an_error(setting, expected):
    with pytest.raises(ConfigError, match=f"^{expected}$"):
        avsd(**{**SIZES, **setting})
