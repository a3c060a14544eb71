import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from avground.blocks import QuestionEncoder
from avground.errors import ConfigError, ShapeError
from tests import naive
from tests.strategies import SEEDS

QUESTIONS = [[3, 1, 4, 1, 5, 9], [2, 6, 0, 0, 0, 0], [5, 0, 0, 0, 0, 0], [3, 5, 8, 9, 7, 0]]


def encoder(padding="skip", dim=4):
    torch.manual_seed(0)
    return QuestionEncoder(10, dim, padding=padding).double()


def without_padding(block, words):
    """A plain LSTM over the words of one question and nothing else: word features and sentence feature."""
    embedded = torch.tanh(block.embedding(torch.tensor([word for word in words if word])))
    states, (hidden, cell) = block.lstm(embedded[None])
    return states[0], block.sentence(torch.tanh(torch.cat((hidden[0, 0], cell[0, 0]))))


def compare(got, words, states, sentence, i):
    real = sum(word != 0 for word in words)
    assert_close(got.words[i, :real], states, rtol=0, atol=1e-12)
    assert not got.words[i, real:].any()
    assert_close(got.sentence[i], sentence, rtol=0, atol=1e-12)
    assert got.mask[i].tolist() == [word != 0 for word in words]


@pytest.mark.parametrize("padding", ["skip", "read"])
def test_equals_the_equations_gate_by_gate(padding):
    block = encoder(padding)
    got = block(torch.tensor(QUESTIONS))
    for i, words in enumerate(QUESTIONS):
        states, sentence = naive.question(block, words, read_padding=padding == "read")
        compare(got, words, *(torch.tensor(value, dtype=torch.float64) for value in (states, sentence)), i)


def test_equals_a_plain_lstm_over_the_words_of_each_question():
    block = encoder()
    got = block(torch.tensor(QUESTIONS))
    for i, words in enumerate(QUESTIONS):
        compare(got, words, *without_padding(block, words), i)


def test_its_gradients_are_those_of_a_plain_lstm_over_the_words_of_each_question():
    block, other = encoder(), encoder()
    got = block(torch.tensor(QUESTIONS))
    (got.sentence.square().sum() + (got.words**3).sum()).backward()
    for words in QUESTIONS:
        states, sentence = without_padding(other, words)
        (sentence.square().sum() + (states**3).sum()).backward()
    for (name, ours), theirs in zip(block.named_parameters(), other.parameters(), strict=True):
        assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-12, msg=name)
    assert not block.embedding.weight.grad[0].any()


def test_reading_padding_equals_a_plain_lstm_over_everything():
    block = encoder("read")
    questions = torch.tensor(QUESTIONS)
    states, (hidden, cell) = block.lstm(torch.tanh(block.embedding(questions)))
    got = block(questions)
    assert_close(got.words, states * (questions != 0)[..., None], rtol=0, atol=1e-12)
    assert_close(got.sentence, block.sentence(torch.tanh(torch.cat((hidden[0], cell[0]), -1))), rtol=0, atol=1e-12)


@given(st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=1, max_size=4), st.integers(0, 5))
def test_padding_changes_nothing_however_much_there_is(questions, extra):
    block, length = encoder(), max(1, *map(len, questions), 1)

    def encode(width):
        return block(torch.tensor([words + [0] * (width - len(words)) for words in questions]))

    short, long = encode(length), encode(length + extra)
    assert_close(long.sentence, short.sentence, rtol=0, atol=1e-12)
    assert_close(long.words[:, :length], short.words, rtol=0, atol=1e-12)
    assert not long.words[:, length:].any()
    assert torch.equal(long.mask[:, :length], short.mask)
    assert not long.mask[:, length:].any()


@pytest.mark.parametrize("padding", ["skip", "read"])
def test_the_word_behind_the_padding_index_matters_only_where_padding_is_read(padding):
    block = encoder(padding)
    before = block(torch.tensor(QUESTIONS))
    with torch.no_grad():
        block.embedding.weight[0] += 1
    after = block(torch.tensor(QUESTIONS))
    padded = torch.tensor([0 in words for words in QUESTIONS])
    changed = (after.sentence != before.sentence).any(-1)
    assert torch.equal(changed, padded & torch.tensor(padding == "read"))
    assert torch.equal(after.words, before.words)


def test_a_question_without_words_is_the_start_of_the_lstm():
    block = encoder()
    got = block(torch.zeros(2, 3, dtype=torch.int64))
    assert not got.words.any()
    assert not got.mask.any()
    assert_close(got.sentence, block.sentence.bias.expand(2, -1), rtol=0, atol=1e-12)


@given(SEEDS)
def test_permuting_the_batch_permutes_the_results(seed):
    block = encoder()
    order = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
    for got, expected in zip(block(torch.tensor(QUESTIONS)[order]), block(torch.tensor(QUESTIONS)), strict=True):
        assert_close(got, expected[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "margin"), [(torch.float32, 1e-5), (torch.bfloat16, 5e-2), (torch.float16, 1e-2)])
def test_padding_is_skipped_in_every_precision(dtype, margin):
    block = encoder(dim=32)
    exact = block(torch.tensor(QUESTIONS))
    rough = block.to(dtype)(torch.tensor(QUESTIONS))
    assert_close(rough.sentence.double(), exact.sentence, rtol=0, atol=margin)
    assert_close(rough.words.double(), exact.words, rtol=0, atol=margin)


def test_any_leading_dimensions():
    got = encoder()(torch.tensor(QUESTIONS).unflatten(0, (2, 2)))
    assert (got.words.shape, got.sentence.shape, got.mask.shape) == ((2, 2, 6, 4), (2, 2, 4), (2, 2, 6))
    assert got.mask.dtype == torch.bool
    assert encoder()(torch.tensor(QUESTIONS[0])).sentence.shape == (4,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int32, torch.uint8, torch.bool])
def test_words_that_are_not_int64_are_an_error(dtype):
    with pytest.raises(ShapeError) as caught:
        encoder()(torch.ones(2, 3).to(dtype))
    assert str(caught.value) == f"question: expected int64 word indices, got {dtype}"


def test_no_dimension_of_words_is_an_error():
    with pytest.raises(ShapeError) as caught:
        encoder()(torch.tensor(3))
    assert str(caught.value) == "question: expected (*b, n), got ()"


def test_a_padding_that_does_not_exist_is_an_error():
    with pytest.raises(ConfigError) as caught:
        QuestionEncoder(10, 4, padding="pack")
    assert str(caught.value) == "padding: expected one of 'skip', 'read', got 'pack'"
