import math

import pytest
import torch

from avground.errors import ShapeError
from avground.models import MODELS, Grounded
from avground.training import make_model
from avground.training.attention import COUNTS, AttentionMetric

B, T, H, W, N = 5, 4, 2, 3, 6
WORDS = torch.tensor([6, 3, 2, 1, 0])


def _out(b=B, t=T, h=H, w=W, n=N, *, dtype=torch.float64, words=WORDS):
    """Weights of any sum; no weight behind the words."""
    generator = torch.Generator().manual_seed(0)
    audio, visual = torch.rand(2, b, t, generator=generator, dtype=torch.float64)
    cells = torch.rand(b, t, h, w, generator=generator, dtype=torch.float64)
    target = torch.rand(b, n, generator=generator, dtype=torch.float64) * (torch.arange(n) < words[:b, None])
    return Grounded(torch.zeros(b, 2), *(part.to(dtype) for part in (audio, visual, cells, target)), None)


def _measure(out, words=WORDS, by=None):
    metric = AttentionMetric()
    size = by or len(words)
    for first in range(0, len(words), size):
        some = slice(first, first + size)
        metric.update(Grounded(*(None if part is None else part[some] for part in out)), words[some])
    return metric.compute()


def _shares(row):
    total = sum(row)
    return [x / total for x in row]


def _entropy(row, places=None):
    return -sum(p * math.log(p) for p in _shares(row) if p > 0) / math.log(places or len(row))


def _js(p, q):
    p, q = _shares(p), _shares(q)
    m = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return sum(sum(x * math.log(x / y) for x, y in zip(row, m, strict=True) if x > 0) for row in (p, q)) / 2


def _mean(values):
    values = list(values)
    return sum(values) / len(values)


@pytest.mark.parametrize("by", [None, 1, 2])
def test_measures_are_those_of_a_loop(by):
    out = _out()
    audio, visual, cells, target = (part.tolist() for part in out[1:5])
    segments = [[x for row in segment for x in row] for question in cells for segment in question]
    js = _mean(map(_js, audio, visual))
    expected = {
        "time": {"agreement": 1 - js / math.log(2), "js_nats": js, "questions": B},
        "audio": {"entropy": _mean(map(_entropy, audio)), "questions": B},
        "visual": {"entropy": _mean(map(_entropy, visual)), "questions": B},
        "cells": {
            "entropy": _mean(map(_entropy, segments)),
            "peak_over_uniform": _mean(max(_shares(row)) * H * W for row in segments),
            "segments": B * T,
        },
        # The last two questions have one word and none.
        "target": {"entropy": _mean(_entropy(target[i], int(WORDS[i])) for i in range(3)), "questions": 3},
    }
    found = _measure(out, by=by)
    assert found.keys() == expected.keys()
    for of, measures in expected.items():
        assert found[of] == pytest.approx(measures, rel=1e-12)
        assert isinstance(found[of][COUNTS[of]], int)


def test_weight_behind_the_words_makes_all_places_count():
    words = torch.tensor([2, 2])
    target = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]])
    out = _out(2, n=4, words=words)._replace(target_weights=target)
    assert _measure(out, words)["target"] == pytest.approx({"entropy": 1.0, "questions": 2})
    out = out._replace(target_weights=target[1:].expand(2, 4))
    assert _measure(out, words)["target"]["entropy"] == pytest.approx(1.0)


def test_sharp_and_flat_weights_are_the_ends_of_the_scale():
    sharp, flat = torch.zeros(B, T, H, W), torch.ones(B, T, H, W)
    sharp[..., 0, 1] = 3.0
    found = _measure(_out()._replace(cell_weights=sharp))["cells"]
    assert found == {"entropy": 0.0, "peak_over_uniform": H * W, "segments": B * T}
    assert _measure(_out()._replace(cell_weights=flat))["cells"] == pytest.approx(
        {"entropy": 1.0, "peak_over_uniform": 1.0, "segments": B * T}, abs=1e-15
    )
    first, second = torch.eye(T)[0].expand(B, T), torch.eye(T)[1].expand(B, T)
    apart = _measure(_out()._replace(audio_weights=first, visual_weights=second))["time"]
    assert apart == pytest.approx({"agreement": 0.0, "js_nats": math.log(2), "questions": B}, abs=1e-12)
    same = _measure(_out()._replace(audio_weights=first, visual_weights=5 * first))["time"]
    assert same == {"agreement": 1.0, "js_nats": 0.0, "questions": B}


def test_rows_of_zeros_are_left_out():
    out = _out()
    audio, cells = out.audio_weights.clone(), out.cell_weights.clone()
    audio[1], cells[2, 3] = 0, 0
    found = _measure(out._replace(audio_weights=audio, cell_weights=cells))
    kept = torch.tensor([0, 2, 3, 4])
    expected = _measure(Grounded(*(None if part is None else part[kept] for part in out)), WORDS[kept])
    assert found["audio"] == pytest.approx(expected["audio"], rel=1e-12)
    assert found["time"] == pytest.approx(expected["time"], rel=1e-12)
    assert found["visual"]["questions"] == B
    assert found["cells"]["segments"] == B * T - 1
    none = out._replace(target_weights=torch.zeros(B, N))
    assert "target" not in _measure(none)


def test_one_segment_one_cell_and_one_word_leave_nothing_to_weigh():
    ones = torch.ones(B, dtype=torch.int64)
    found = _measure(_out(t=1, words=ones), ones)
    assert list(found) == ["cells"]
    assert found["cells"]["segments"] == B
    assert _measure(_out(t=1, h=1, w=1, words=ones), ones) == {}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_is_measured_in_double(dtype):
    out = _out(dtype=dtype)
    exact = Grounded(*(None if part is None else part.double() for part in out))
    assert _measure(out) == _measure(exact)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("field", ["audio_weights", "visual_weights", "cell_weights", "target_weights"])
def test_what_is_not_finite_is_seen(field, value):
    out = _out()
    broken = getattr(out, field).clone()
    broken[0, 0] = value
    found = _measure(out._replace(**{field: broken}))
    fine = _measure(out)
    of = {"cell_weights": ("cells",), "target_weights": ("target",)}.get(field, (field.split("_")[0], "time"))
    for part, measures in found.items():
        for name in measures.keys() - {COUNTS[part]}:
            assert math.isnan(measures[name]) == (part in of), (part, name)
        if part not in of:
            assert measures == fine[part]


def test_a_padded_nan_is_seen_too():
    target = _out().target_weights.clone()
    target[2, 5] = float("nan")
    assert math.isnan(_measure(_out()._replace(target_weights=target))["target"]["entropy"])


def test_processes_add_up_their_parts():
    out, parts = _out(), (slice(0, 2), slice(2, B))
    metrics = [AttentionMetric() for _ in parts]
    for metric, part in zip(metrics, parts, strict=True):
        metric.update(Grounded(*(None if x is None else x[part] for x in out)), WORDS[part])
    first, second = metrics
    others = iter((second.sums, second.counts))
    first.distributed_available_fn = lambda: True
    first.dist_sync_fn = lambda mine, group: [mine, next(others)]  # what gathers where there are processes
    for of, measures in _measure(out).items():
        assert first.compute()[of] == pytest.approx(measures, rel=1e-12)


def test_weights_of_another_batch_are_an_error():
    metric = AttentionMetric()
    with pytest.raises(ShapeError, match="visual_weights"):
        metric.update(_out()._replace(visual_weights=torch.rand(B, T + 1)), WORDS)
    with pytest.raises(ShapeError, match=r"words: expected \(b=5\), got \(4,\)"):
        metric.update(_out(), WORDS[:4])


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_measured(make_run, splits, name):
    without = {"stage_one_epochs": 0} if name in ("avsd", "pano_avqa", "question_lstm") else {}
    model = make_model(make_run(model=name, **without), splits).eval()
    dataset = splits.dataset("test")
    batch = dataset.__getitems__(range(4))
    out = model(batch.audio, batch.visual, batch.question)
    found = _measure(out, (batch.question != 0).sum(-1))
    for of, measures in found.items():
        for measure in measures.keys() - {COUNTS[of], "peak_over_uniform"}:
            assert -1e-12 <= measures[measure] <= 1 + 1e-12
    assert ("target" in found) == (name not in ("avst", "question_lstm"))
    assert (found["visual"]["entropy"] == pytest.approx(1, abs=1e-12)) == (name in ("avsd", "question_lstm"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_cuda_nothing_waits_for_the_device():
    out, words = Grounded(*(None if part is None else part.cuda() for part in _out())), WORDS.cuda()
    metric = AttentionMetric().cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        metric.update(out, words)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for of, measures in _measure(_out()).items():
        assert metric.compute()[of] == pytest.approx(measures, rel=1e-12)
