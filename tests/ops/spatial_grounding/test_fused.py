"""Both fast implementations against the definition in float64; the GPU's is interpreted where there is no GPU."""

from importlib import import_module

import pytest
import torch
import torch._dynamo.testing
from torch.testing import assert_close

from avground.data.memory import available_memory
from avground.errors import ConfigError, ShapeError
from avground.ops import MapRows, cell_lengths, spatial_grounding
from avground.ops.spatial_grounding import chunked, fused_runs_on
from avground.testing import assert_as_precise
from tests.ops.spatial_grounding.scenes import SHAPES, VARIANTS, bank_of, inputs, name_of, run
from tests.strategies import normal

CUDA = torch.cuda.is_available()
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
variants = pytest.mark.parametrize("variant", VARIANTS, ids=name_of)


@pytest.fixture(params=["chunked", "kernels"])
def device(request, monkeypatch):
    """Where maps lie so that the implementation is used; without a GPU Triton's interpreter runs its kernels."""
    if request.param == "chunked":
        return "cpu"
    pytest.importorskip("triton", reason="needs Triton")
    if CUDA:
        return "cuda"
    # By their full names, for the package's own is that of the function.
    registered, launch = (import_module(f"avground.ops.spatial_grounding.{name}") for name in ("registered", "launch"))
    monkeypatch.setattr(registered, "_implementation", lambda maps: launch)
    return "cpu"


def check(parts, variant, device, dtype, **options):
    """Outputs and all gradients are as near to the exact ones as those of the plain definition."""
    exact_parts = [None if part is None else part.double() for part in parts]
    exact = run(exact_parts, {**variant, "impl": "reference"}, **options)
    plain = run(parts, {**variant, "impl": "reference"}, device=device, **options)
    got = run(parts, {**variant, "impl": "fused"}, device=device, **options)
    assert got.keys() == exact.keys()
    for name, value in exact.items():
        if value is None:
            assert got[name] is None, name
        else:
            assert got[name].dtype == plain[name].dtype, name
            assert_as_precise(got[name], plain[name], value, dtype, name)


# ---- against the definition ----------------------------------------------------------------------------------------


@variants
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_as_precise_as_the_definition_at_every_size(variant, shape, device):
    check(inputs(*shape, torch.float32), variant, device, torch.float32, map_gradient=True)


@variants
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_as_precise_as_the_definition_in_every_type(variant, dtype, device):
    if dtype != torch.float32 and variant["threshold"] == 0.05:
        variant = {**variant, "threshold": 0.02}  # in half precision few weights may lie at the threshold
    check(inputs((3,), 16, 3, 4, dtype), variant, device, dtype, map_gradient=True)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_by_sound_alone(similarity, shape, device):
    for dtype in DTYPES:
        check(inputs(*shape, dtype, with_target=False), {"similarity": similarity}, device, dtype, map_gradient=True)


@variants
def test_the_cpu_is_exact_in_float64(variant):
    parts = inputs((2, 3), 9, 4, 5, torch.float64)
    expected = run(parts, {**variant, "impl": "reference"}, map_gradient=True)
    for name, value in run(parts, {**variant, "impl": "fused"}, map_gradient=True).items():
        assert_close(value, expected[name], rtol=1e-10, atol=1e-12, msg=name)


@pytest.mark.parametrize("maps", [torch.float16, torch.bfloat16])
def test_half_maps_go_with_single_queries_as_if_they_were_single(maps, device):
    audio, visual, target = inputs((3,), 16, 3, 4, torch.float32)
    visual = visual.to(maps)
    for variant in VARIANTS[::5]:
        expected = run((audio, visual.float(), target), {**variant, "impl": "fused"}, device=device)
        got = run((audio, visual, target), {**variant, "impl": "fused"}, device=device)
        for name, value in expected.items():
            assert_close(got[name], value, rtol=1e-5, atol=1e-6, msg=name)
        assert got["mean"].dtype == torch.float32


# ---- maps that are named by their rows -----------------------------------------------------------------------------


@variants
@pytest.mark.parametrize("lengths", [False, True])
@pytest.mark.parametrize("impl", ["fused", "reference"])
def test_rows_of_a_bank_are_the_maps_they_name(variant, lengths, impl, device):
    parts = [part.to(device) for part in inputs((2, 3), 6, 3, 3, torch.float32)]
    named = bank_of(parts[1])
    if lengths:
        named = named._replace(lengths=cell_lengths(named.values.nan_to_num(1.0)))
    settings = {**variant, "impl": impl}
    expected = spatial_grounding(*parts, **settings)
    for name, value in zip(expected._fields, spatial_grounding(parts[0], named, parts[2], **settings), strict=True):
        assert_close(value, expected._asdict()[name], rtol=1e-5, atol=1e-6, msg=name)


@variants
def test_one_call_for_own_maps_and_those_of_others(variant, device):
    audio, visual, target = (part.to(device) for part in inputs((2, 3), 6, 3, 3, torch.float32))
    others = torch.roll(visual, 1, 0) * 0.5
    bank = torch.cat((others.flatten(0, 1), visual.flatten(0, 1)))
    rows = torch.arange(12, device=device).unflatten(0, (2, 2, 3))
    named = (MapRows(bank, rows[1]), MapRows(bank, rows[0]))
    settings = {**variant, "impl": "fused"}
    queries = [part.clone().requires_grad_() for part in (audio, target)]

    def gradients(loss):
        return torch.autograd.grad(loss, queries)

    one, other = (spatial_grounding(queries[0], maps, queries[1], **settings) for maps in (visual, others))
    wanted = gradients(one.attended.square().sum() + one.weights[0].sum() + 2 * other.attended.square().sum())
    for pair in (named, (visual, others)):
        both = spatial_grounding(queries[0], pair, queries[1], **settings)
        for name, value in both._asdict().items():
            assert_close(value, torch.stack((one._asdict()[name], other._asdict()[name])), rtol=1e-5, atol=1e-6)
        loss = both.attended[0].square().sum() + both.weights[0, 0].sum() + 2 * both.attended[1].square().sum()
        for got, value in zip(gradients(loss), wanted, strict=True):
            assert_close(got, value, rtol=1e-4, atol=1e-6)


def test_the_gradient_of_a_bank_is_that_of_the_maps_named_summed_up(device):
    audio, visual, target = inputs((4,), 6, 3, 3, torch.float32)
    rows = torch.tensor([2, 0, 2, 3], device=device)
    found = []
    for impl in ("reference", "fused"):
        bank = visual.to(device).clone().requires_grad_()
        out = spatial_grounding(
            audio.to(device), MapRows(bank, rows), target.to(device), similarity="cosine", threshold=0.05, impl=impl
        )
        (out.attended.square().sum() + out.weights.square().sum() + out.mean.sum()).backward()
        found.append(bank.grad)
    assert_close(found[1], found[0], rtol=1e-4, atol=1e-6)
    assert not found[1][1].any()


@pytest.mark.parametrize("impl", ["fused", "reference"])
@pytest.mark.parametrize(
    ("rows", "lengths", "expected"),
    [
        (torch.tensor([0, 3]), None, "rows: expected 0 to 2, got 0 to 3"),
        (torch.tensor([-1, 2]), None, "rows: expected 0 to 2, got -1 to 2"),
        (torch.tensor([0, 2], dtype=torch.int32), None, "rows: expected int64, got torch.int32"),
        (torch.tensor([0, 2]), torch.ones(3, 2, 2), "lengths: expected (3, 2, 3), got (3, 2, 2)"),
        (torch.tensor([[0], [2]]), None, "visual: expected (*b=(2,), c=4, h, w), got (2, 1, 4, 2, 3)"),
    ],
)
def test_rows_that_cannot_be_are_errors(impl, rows, lengths, expected):
    with pytest.raises(ShapeError) as caught:
        spatial_grounding(torch.ones(2, 4), MapRows(torch.ones(3, 4, 2, 3), rows, lengths), impl=impl)
    assert str(caught.value) == expected


@pytest.mark.parametrize("c", [1, 7, 64, 509])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_large_maps_are_gathered_whole(c, dtype):
    """More numbers than torch leaves to one thread, and channels that are a prime."""
    maps = normal(1, 6, c, 40_000 // c + 1, dtype=torch.float64).to(dtype)
    rows = torch.tensor([5, 0, 0, 3, 1])
    queries = normal(2, 5, 1, c, dtype=torch.float64).float()
    settings = (None, True, 0.0, "product", "softmax")
    named, plain = (
        chunked.forward(values, queries, which, *settings) for values, which in ((maps, rows), (maps[rows], None))
    )
    for got, expected in zip(named, plain, strict=True):
        assert torch.equal(got, expected)


def test_row_numbers_are_not_cut_to_32_bits(device):
    """Of a bank of more than 2^31 numbers the last map is read; the system makes no page of it that nobody touches."""
    if device == "cpu":
        free = available_memory()
        if free is not None and free < 10e9:
            pytest.skip("needs 10 GB of free memory")
    c, h, w = 64, 32, 32
    many = 2**31 // (c * h * w) + 2
    bank = torch.empty(many, c, h, w, dtype=torch.float16, device=device)
    bank[-1] = normal_map = torch.linspace(0, 1, c * h * w, device=device).half().unflatten(0, (c, h, w))
    audio = torch.linspace(-1, 1, c, device=device)[None]
    got = spatial_grounding(audio, MapRows(bank, torch.tensor([many - 1], device=device)), impl="fused")
    expected = spatial_grounding(audio, normal_map[None], impl="reference")
    for name, value in expected._asdict().items():
        assert_close(got._asdict()[name].to(value), value, rtol=1e-3, atol=1e-4, msg=name)


# ---- as an operation of torch --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")  # opcheck's own
@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("k", [1, 2])
def test_registered_as_torch_asks(device, rows, k):
    maps = torch.randn(6, 5, 12, device=device, requires_grad=not rows)
    queries = torch.randn(3, k, 5, device=device, requires_grad=True)
    numbers = torch.tensor([5, 0, 1, 1, 2, 3], device=device) if rows else None
    lengths = maps.detach().norm(dim=1) if rows else None
    for settings in ((True, 0.05, "product", "softmax"), (False, 0.0, "sum", "sum")):
        given = (maps, queries, numbers, lengths if settings[0] else None, *settings)
        torch.library.opcheck(torch.ops.avground.spatial_grounding.default, given)
        with torch.no_grad():
            _, _, weights, scores, scale = torch.ops.avground.spatial_grounding(*given)
        slopes = (maps.detach(), queries.detach(), numbers, weights, scores, scale)
        given = (*slopes, torch.randn(6, 5, device=device), torch.randn(6, 12, device=device), *settings[1:])
        torch.library.opcheck(torch.ops.avground.spatial_grounding_backward.default, given)


def test_compiles_as_one_graph_for_any_size(device):
    def ground(audio, visual, target):
        grounded = spatial_grounding(audio, visual, target, similarity="cosine", impl="fused")
        return grounded.attended.sum() + grounded.weights.square().sum()

    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(ground, backend=counter, fullgraph=True, dynamic=True)
    counts = []
    for leading, c, h, w in (((3,), 8, 2, 5), ((5,), 8, 4, 3), ((4,), 6, 3, 3), ((7,), 9, 5, 2)):
        parts = [part.to(device).requires_grad_() for part in inputs(leading, c, h, w, torch.float32)]
        expected = torch.autograd.grad(ground(*parts), parts)
        for got, value in zip(torch.autograd.grad(compiled(*parts), parts), expected, strict=True):
            assert_close(got, value, rtol=1e-5, atol=1e-6)
        counts.append(counter.frame_count)
    assert counts[1:] == counts[1:2] * 3


def test_every_number_of_the_results_is_written(device, monkeypatch):
    """With memory that is full of NaN to begin with."""
    empty, empty_like = torch.Tensor.new_empty, torch.empty_like

    def poisoned(made):
        return made.fill_(float("nan")) if made.is_floating_point() else made

    monkeypatch.setattr(torch.Tensor, "new_empty", lambda *a, **k: poisoned(empty(*a, **k)))
    monkeypatch.setattr(torch, "empty_like", lambda *a, **k: poisoned(empty_like(*a, **k)))
    for shape in SHAPES:
        for variant in VARIANTS[::7]:
            found = run(inputs(*shape, torch.float32), {**variant, "impl": "fused"}, device=device)
            assert all(value.isfinite().all() for value in found.values())


def test_maps_that_lie_otherwise_in_memory_give_the_same(device):
    audio, visual, target = (part.to(device) for part in inputs((2, 3), 6, 4, 3, torch.float32))
    expected = spatial_grounding(audio, visual, target, impl="fused")
    strided = [part.movedim(0, -1).contiguous().movedim(-1, 0) for part in (audio, visual, target)]
    for got, value in zip(spatial_grounding(*strided, impl="fused"), expected, strict=True):
        assert_close(got, value, rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # of the interpreter
@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if variant["threshold"] < 1], ids=name_of)
@pytest.mark.parametrize("impl", ["fused", "reference"])
def test_what_is_not_a_number_is_not_hidden(variant, impl, device):
    audio, visual, target = (part.to(device) for part in inputs((3,), 8, 2, 3, torch.float32))
    for query in (audio, target):
        query[1, 0] = torch.nan
        grounded = spatial_grounding(audio, visual, target, **variant, impl=impl)
        assert grounded.attended[1].isnan().all()
        assert grounded.weights[1].isnan().all()
        assert grounded.attended[[0, 2]].isfinite().all()
        query[1, 0] = 0


def test_lengths_of_maps_that_learn_are_plain_numbers():
    maps = torch.randn(3, 4, 2, 2, requires_grad=True)
    assert not cell_lengths(maps).requires_grad


# ---- which one runs ------------------------------------------------------------------------------------------------


def test_fused_where_it_does_not_run_is_an_error():
    with pytest.raises(ConfigError, match="impl='fused': expected the CPU, or a CUDA device"):
        spatial_grounding(torch.ones(2, 4, device="meta"), torch.ones(2, 4, 2, 2, device="meta"), impl="fused")
    with pytest.raises(ConfigError, match="impl: expected one of 'auto', 'fused', 'reference', got 'fast'"):
        spatial_grounding(torch.ones(2, 4), torch.ones(2, 4, 2, 2), impl="fast")


def test_auto_runs_everywhere():
    got = spatial_grounding(torch.ones(2, 4, device="meta"), torch.ones(2, 4, 2, 2, device="meta"))
    assert got.weights.shape == (2, 2, 2)
    assert fused_runs_on(torch.device("cpu"), torch.float64)
    assert not fused_runs_on(torch.device("cuda"), torch.float64)
    assert not fused_runs_on(torch.device("mps"), torch.float32)


def test_only_the_definition_can_be_differentiated_twice():
    audio, visual, target = inputs((2,), 4, 2, 2, torch.float64)
    audio.requires_grad_()
    for impl, works in (("reference", True), ("fused", False)):
        loss = spatial_grounding(audio, visual, target, impl=impl).attended.square().sum()
        (gradient,) = torch.autograd.grad(loss, audio, create_graph=True)
        if works:
            assert torch.autograd.grad(gradient.square().sum(), audio)[0].isfinite().all()
        else:
            with pytest.raises(RuntimeError):
                torch.autograd.grad(gradient.square().sum(), audio)
