"""Streams and cyclic layers against the same equations in loops, and what reaches what."""

from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from avground.models.cyclic import CyclicLayer, SelfAttentionLayer, Stream, Streams, TokenAttention, sinusoids
from tests import naive
from tests.strategies import normal

EXACT = {"rtol": 0, "atol": 1e-12}
DIM, HEADS = 8, 2
LOOKS_AT = {"audio": "visual", "visual": "language", "language": "audio"}


def attention_by_hand(block, query, rows):
    """One token's attended feature, and its weights averaged over heads."""
    halves = [
        torch.cat(pair).detach() for pair in zip(block.query.parameters(), block.key_value.parameters(), strict=True)
    ]
    joined = SimpleNamespace(heads=block.heads, in_proj_weight=halves[0], in_proj_bias=halves[1], out_proj=block.out)
    return naive.attention(joined, query, rows)


def feed_forward_by_hand(block, x):
    norm, first, _, second, _ = block.layers
    return naive.add(x, naive.linear(second, naive.relu(naive.linear(first, naive.layer_norm(norm, x)))))


def self_attention_by_hand(layer, rows, real):
    """All tokens after a layer; ``real`` are the places of those that are no padding."""
    normed = [naive.layer_norm(layer.norm, row) for row in rows]
    seen = [attention_by_hand(layer.attention, row, [normed[i] for i in real])[0] for row in normed]
    return [feed_forward_by_hand(layer.feed_forward, naive.add(*pair)) for pair in zip(rows, seen, strict=True)]


def cyclic_by_hand(layer, streams, real):
    """All streams after a layer, and of each stream's first token the weights; ``real`` of language, as above."""
    normed = {
        name: [naive.layer_norm(norm, row) for row in streams[name]]
        for name, norm in zip(Streams._fields, layer.norm, strict=True)
    }
    after, weights = {}, {}
    for i, name in enumerate(Streams._fields):
        there = normed[LOOKS_AT[name]]
        there = [there[k] for k in real] if LOOKS_AT[name] == "language" else there
        seen = [attention_by_hand(layer.attention[i], row, there) for row in normed[name]]
        weights[name] = seen[0][1]
        after[name] = [
            feed_forward_by_hand(layer.feed_forward[i], naive.add(row, attended))
            for row, (attended, _) in zip(streams[name], seen, strict=True)
        ]
    return after, weights


def streams(seed=1, b=2):
    """Streams of 4, 5 and 6 tokens, and language's padding: none in the first clip, two tokens in the others."""
    padding = torch.zeros(b, 6, dtype=torch.bool)
    padding[1:, 4:] = True
    return Streams(*(normal(seed + k, b, k, DIM) for k in (4, 5, 6))), padding


def made(block):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn_like(parameter) / 2)
    return block.double().eval()


def test_attention_equals_its_equation():
    block, (tokens, padding) = made(TokenAttention(DIM, HEADS)), streams()
    attended, weights = block.with_weights(tokens.audio, tokens.language, padding)
    for i in range(2):
        rows = tokens.language[i][~padding[i]].tolist()
        for k, query in enumerate(tokens.audio[i].tolist()):
            expected, expected_weights = attention_by_hand(block, query, rows)
            assert_close(attended[i, k], torch.tensor(expected, dtype=torch.float64), **EXACT)
            assert_close(weights[i, k, : len(rows)], torch.tensor(expected_weights, dtype=torch.float64), **EXACT)
            assert not weights[i, k, len(rows) :].any()
    assert_close(block(tokens.audio, tokens.language, padding), attended, **EXACT)
    assert_close(block(tokens.audio, tokens.visual), block.with_weights(tokens.audio, tokens.visual)[0], **EXACT)


def test_self_attention_equals_its_equation():
    layer, (tokens, padding) = made(SelfAttentionLayer(DIM, HEADS, dropout=0.1)), streams()
    after = layer(tokens.language, padding)
    for i in range(2):
        real = [k for k in range(6) if not padding[i, k]]
        expected = self_attention_by_hand(layer, tokens.language[i].tolist(), real)
        assert_close(after[i], torch.tensor(expected, dtype=torch.float64), **EXACT)


def test_a_cyclic_layer_equals_its_equations():
    layer, (tokens, padding) = made(CyclicLayer(DIM, HEADS, dropout=0.1)), streams()
    after, (first, weights) = layer(tokens, padding), layer.first_tokens(tokens, padding)
    for i in range(2):
        real = [k for k in range(6) if not padding[i, k]]
        expected, expected_weights = cyclic_by_hand(layer, {n: getattr(tokens, n)[i].tolist() for n in LOOKS_AT}, real)
        for name in Streams._fields:
            rows = torch.tensor(expected[name], dtype=torch.float64)
            assert_close(getattr(after, name)[i], rows, **EXACT, msg=name)
            assert_close(getattr(first, name)[i], rows[0], **EXACT, msg=name)
            row = torch.tensor(expected_weights[name], dtype=torch.float64)
            assert_close(getattr(weights, name)[i, : len(row)], row, **EXACT, msg=name)
            assert not getattr(weights, name)[i, len(row) :].any()


@pytest.mark.parametrize("changed", LOOKS_AT)
def test_a_layer_passes_each_stream_to_itself_and_to_the_one_that_looks_at_it(changed):
    """Two layers pass it to all three: the circle is closed."""
    layer, (tokens, padding) = made(CyclicLayer(DIM, HEADS, dropout=0.1)), streams()
    other = tokens._replace(**{changed: getattr(streams(seed=9)[0], changed)})
    reached = {changed} | {name for name, seen in LOOKS_AT.items() if seen == changed}
    once = layer(tokens, padding), layer(other, padding)
    assert {n for n in LOOKS_AT if not torch.equal(getattr(once[0], n), getattr(once[1], n))} == reached
    twice = [layer(out, padding) for out in once]
    assert all(not torch.equal(getattr(twice[0], name), getattr(twice[1], name)) for name in LOOKS_AT)
    _, weights = layer.first_tokens(tokens, padding)
    _, others = layer.first_tokens(other, padding)
    assert {n for n in LOOKS_AT if not torch.equal(getattr(weights, n), getattr(others, n))} == reached


def test_training_drops_features_and_no_weights():
    layer, (tokens, padding) = made(CyclicLayer(DIM, HEADS, dropout=0.5)), streams()
    first, weights = layer.first_tokens(tokens, padding)
    layer.train()
    dropped, kept = layer.first_tokens(tokens, padding)
    assert not torch.equal(first.audio, dropped.audio)
    assert all(torch.equal(*pair) for pair in zip(weights, kept, strict=True))


def test_a_stream_is_its_features_told_their_positions_behind_a_first_token():
    stream = made(Stream(DIM, HEADS, layers=0, dropout=0.1))
    features, positions = normal(1, 2, 3, DIM), normal(2, 3, DIM)
    tokens = stream(features, positions)
    assert torch.equal(tokens[:, 0], stream.first.expand(2, -1))
    for i in range(2):
        for k in range(3):
            expected = naive.add(naive.layer_norm(stream.norm, features[i, k].tolist()), positions[k].tolist())
            assert_close(tokens[i, k + 1], torch.tensor(expected, dtype=torch.float64), **EXACT)


def test_sinusoids_have_the_wave_lengths_of_their_source():
    got = sinusoids(7, 6, torch.empty(0))
    for k in range(7):
        for i in range(3):
            angle = torch.tensor(k / 10000 ** (2 * i / 6))
            assert_close(got[k, 2 * i], angle.sin(), rtol=0, atol=1e-6)
            assert_close(got[k, 2 * i + 1], angle.cos(), rtol=0, atol=1e-6)
