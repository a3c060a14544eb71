"""The paper's equations in Python's own floats and loops, one row at a time: what the tests compare with.

Features are lists of floats, a stream is a list of features, a map is ``cells[channel][row][column]``. Nothing here is
written for speed, and nothing is taken from the package but the parameters of its layers.
"""

import math


def plain(tensor):
    """Nested lists of floats."""
    return tensor.detach().tolist()


def dot(x, y):
    assert len(x) == len(y)
    return math.fsum(a * b for a, b in zip(x, y, strict=True))


def add(x, y):
    return [a + b for a, b in zip(x, y, strict=True)]


def multiply(x, y):
    return [a * b for a, b in zip(x, y, strict=True)]


def softmax(scores):
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    return [power / math.fsum(powers) for power in powers]


def mean(rows):
    return [math.fsum(column) / len(rows) for column in zip(*rows, strict=True)]


def tanh(x):
    return [math.tanh(value) for value in x]


def relu(x):
    return [max(value, 0.0) for value in x]


def unit(x):
    length = math.sqrt(dot(x, x))
    return [value / length for value in x]


def affine(weight, bias, x):
    return [dot(row, x) + shift for row, shift in zip(weight, bias, strict=True)]


def linear(layer, x):
    weight = plain(layer.weight)
    return affine(weight, [0.0] * len(weight) if layer.bias is None else plain(layer.bias), x)


def kl(p, q):
    """Eq. 12."""
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def js(p, q):
    """Eqs. 10 and 11."""
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return 0.5 * kl(p, middle) + 0.5 * kl(q, middle)


def cross_entropy(logits, label):
    return -math.log(softmax(logits)[label])


def target(words, sentence):
    """Eqs. 1-3: the weights and the word picked."""
    scores = softmax([dot(sentence, word) / math.sqrt(len(word)) for word in words])
    return scores, words[scores.index(max(scores))]


def grounding(
    audio,
    cells,
    target=None,
    *,
    threshold=0.005,
    combine="product",
    normalize="softmax",
    temperature=(1.0, 1.0),
    similarity="dot",
):
    """Eqs. 4-7 for one map, and the variants: the mean cell, the attended cell and the weights, row by row."""
    width = len(cells[0][0])
    listed = [[channel[i][j] for channel in cells] for i in range(len(cells[0])) for j in range(width)]
    average = mean(listed)
    if similarity == "cosine":
        listed, audio = [unit(cell) for cell in listed], unit(audio)
        target = target and unit(target)
    s_a = softmax([dot(audio, cell) / temperature[0] for cell in listed])
    if target is None:
        weights = s_a
    else:
        s_q = softmax([dot(target, cell) / temperature[1] for cell in listed])
        if combine == "product":
            joint = [a * (q if q >= threshold else 0.0) for a, q in zip(s_a, s_q, strict=True)]
        else:
            joint = [a + q if a + q >= threshold else 0.0 for a, q in zip(s_a, s_q, strict=True)]
        if normalize == "softmax":
            weights = softmax(joint)
        elif sum(joint) > 0:
            weights = [value / math.fsum(joint) for value in joint]
        else:
            weights = [1 / len(joint)] * len(joint)
    attended = [dot(weights, channel) for channel in zip(*listed, strict=True)]
    return average, attended, [weights[i : i + width] for i in range(0, len(weights), width)]


def lstm(layer, rows, *, reverse=False):
    """States at every row, and the last hidden and cell state, of one direction."""
    suffix = "_l0_reverse" if reverse else "_l0"
    from_input, from_hidden, input_bias, hidden_bias = (
        plain(getattr(layer, name + suffix)) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    size = len(from_hidden[0])
    hidden, cell, states = [0.0] * size, [0.0] * size, []
    for row in rows[::-1] if reverse else rows:
        gates = add(affine(from_input, input_bias, row), affine(from_hidden, hidden_bias, hidden))
        enter, forget, candidate, leave = (gates[i * size : (i + 1) * size] for i in range(4))
        cell = [
            c / (1 + math.exp(-f)) + math.tanh(g) / (1 + math.exp(-i))
            for c, f, g, i in zip(cell, forget, candidate, enter, strict=True)
        ]
        hidden = [math.tanh(c) / (1 + math.exp(-o)) for c, o in zip(cell, leave, strict=True)]
        states.append(hidden)
    return (states[::-1] if reverse else states), hidden, cell


def both_directions(layer, rows):
    """The two directions side by side, without the last states."""
    forward, backward = lstm(layer, rows)[0], lstm(layer, rows, reverse=True)[0]
    return [ahead + back for ahead, back in zip(forward, backward, strict=True)]


def question(encoder, words, *, read_padding=False):
    """Word features (of the real words) and the sentence feature of one question, given as word indices."""
    real = [word for word in words if word != 0]
    table = plain(encoder.embedding.weight)
    states, hidden, cell = lstm(encoder.lstm, [tanh(table[word]) for word in (words if read_padding else real)])
    return states[: len(real)], linear(encoder.sentence, tanh(hidden + cell))


def attention(block, query, rows):
    """Eqs. 14 and 15 with several heads: the attended feature, and the weights averaged over heads."""
    dim, heads = len(query), block.heads
    weight, bias = plain(block.in_proj_weight), plain(block.in_proj_bias)
    asked = affine(weight[:dim], bias[:dim], query)
    keys = [affine(weight[dim : 2 * dim], bias[dim : 2 * dim], row) for row in rows]
    values = [affine(weight[2 * dim :], bias[2 * dim :], row) for row in rows]
    attended, all_weights = [], []
    for head in range(heads):
        own = slice(head * dim // heads, (head + 1) * dim // heads)
        weights = softmax([dot(asked[own], key[own]) / math.sqrt(dim // heads) for key in keys])
        attended += [dot(weights, column) for column in zip(*(value[own] for value in values), strict=True)]
        all_weights.append(weights)
    return linear(block.out_proj, attended), mean(all_weights)


def normalized(row):
    return [value / math.fsum(row) for value in row]


def joint_temporal(block, audio, visual, sentence):
    """Eqs. 13-19: the fused feature, and the audio and the visual weights."""
    heard, seen = both_directions(block.audio_lstm, audio), both_directions(block.visual_lstm, visual)
    tagged = {
        "interleave_va": [item for v, a in zip(seen, heard, strict=True) for item in (("v", v), ("a", a))],
        "interleave_av": [item for v, a in zip(seen, heard, strict=True) for item in (("a", a), ("v", v))],
        "concat_va": [("v", v) for v in seen] + [("a", a) for a in heard],
        "concat_av": [("a", a) for a in heard] + [("v", v) for v in seen],
    }[block.order]
    rows = [row for _, row in tagged]
    attended, weights = attention(block.attention, sentence, rows)
    context = add(attended, linear(block.mlp[3], relu(linear(block.mlp[0], mean(rows)))))
    of = {kind: [w for (tag, _), w in zip(tagged, weights, strict=True) if tag == kind] for kind in "av"}
    return context, normalized(of["a"]), normalized(of["v"])


def relative_temporal(block, audio, visual, sentence):
    """What the joint block finds, and what lies at, before and after the moments asked for."""
    context, audio_weights, visual_weights = joint_temporal(block, audio, visual, sentence)
    c, k = len(sentence), len(plain(block.log_range))
    asked = linear(block.moments, sentence)
    queries = [asked[i * c : (i + 1) * c] for i in range(k)]
    ranges, temperatures = ([math.exp(x) for x in plain(p)] for p in (block.log_range, block.temperature.log))
    pooled = []
    for rows, keys, temperature in (
        (audio, block.audio_keys, temperatures[0]),
        (visual, block.visual_keys, temperatures[1]),
    ):
        t = len(rows)
        at = [softmax([dot(unit(query), unit(linear(keys, row))) / temperature for row in rows]) for query in queries]
        before = [
            [math.fsum(a[u] * math.exp((1 - (u - s)) / far) for u in range(s + 1, t)) for s in range(t)]
            for a, far in zip(at, ranges, strict=True)
        ]
        after = [
            [math.fsum(a[u] * math.exp((1 - (s - u)) / far) for u in range(s)) for s in range(t)]
            for a, far in zip(at, ranges, strict=True)
        ]
        sides = [[x / max(math.fsum(weights), 1e-6) for x in weights] for weights in before + after]
        pooled += [
            [math.fsum(w * row[j] for w, row in zip(weights, rows, strict=True)) for j in range(c)]
            for weights in at + sides
        ]
    signs = linear(block.choice, sentence)
    chosen = [math.fsum(sign * m[j] for sign, m in zip(signs, pooled, strict=True)) for j in range(c)]
    return add(context, linear(block.value, chosen)), audio_weights, visual_weights


def layer_norm(layer, x):
    center = math.fsum(x) / len(x)
    deviation = math.sqrt(math.fsum((value - center) ** 2 for value in x) / len(x) + layer.eps)
    return [
        (value - center) / deviation * scale + shift
        for value, scale, shift in zip(x, plain(layer.weight), plain(layer.bias), strict=True)
    ]


def dual_temporal(block, audio, visual, sentence):
    """Eqs. 8 and 9, with AVST's layers around them: the fused feature, and the audio and the visual weights."""

    def stream(part, rows):
        attended, weights = attention(part.attention, sentence, rows)
        fed = linear(part.feed_forward[3], relu(linear(part.feed_forward[0], attended)))
        return add(layer_norm(part.norm, add(attended, fed)), mean(rows)), weights

    heard, audio_weights = stream(block.audio, audio)
    seen, visual_weights = stream(block.visual, visual)
    return linear(block.fuse, tanh(heard + seen)), audio_weights, visual_weights


def match(head, audio, visual):
    """Eq. 22 before its softmax."""
    layers = [layer for layer in head.mlp if hasattr(layer, "weight")]
    hidden = audio + visual
    for layer in layers[:-1]:
        hidden = relu(linear(layer, hidden))
    return linear(layers[-1], hidden)
