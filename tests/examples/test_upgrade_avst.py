"""The AVST in its authors' style, the same file with avground's blocks in it, and the page about the difference."""

import difflib
import doctest
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from avground.models import avst
from tests import naive
from tests.golden import recipe

ROOT = Path(__file__).parents[2]
BEFORE, AFTER = "examples/avst.py", "examples/upgrade_avst.py"
PAGE = (ROOT / "docs" / "tutorials" / "upgrade_avst.md").read_text(encoding="utf-8")
CLOSE = {"rtol": 0, "atol": 1e-5}
EXACT = {"rtol": 0, "atol": 1e-12}
REPEATED = ".repeat_interleave(t, dim=0)"
BLOCK = '        self.spatial = TargetAwareSpatialGrounding(dim, similarity="cosine")\n'
LOOP = "        for visual in (visual_posi.flatten(0, 1), visual_nega.flatten(0, 1)):  # (b*t, c, h, w)\n"


def load(name, *changes):
    """What a script defines, with some of its text changed."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    names = {"__name__": "script"}
    exec(compile(text, name, "exec"), names)
    return SimpleNamespace(**names)


def official_state(seed):
    """Official numbers under official names."""
    keys = json.loads((recipe.FOLDER / "avst_keys.json").read_text(encoding="utf-8"))
    return {official: recipe.parameter(official, tuple(shape), seed) for official, shape in keys.values()}


def official(script, seed):
    net = script.AVST().eval()
    net.load_state_dict(official_state(seed))
    return net


def small(script):
    """A small network in float64, of weights that do not depend on what else was drawn before."""
    net = script.AVST(vocabulary_size=30, answers=5, audio_dim=6, dim=16, heads=2).double().eval()
    net.load_state_dict({name: recipe.parameter(name, x.shape, 0).double() for name, x in net.state_dict().items()})
    return net


def clips(b=4, t=3):
    """Audio, visual, negative and question for the small network; two words of padding in every other question."""
    random = torch.Generator().manual_seed(1)
    visual, negative = torch.randn(2, b, t, 16, 14, 14, generator=random, dtype=torch.float64).relu()
    question = torch.randint(1, 30, (b, 7), generator=random)
    question[1::2, 5:] = 0
    return torch.randn(b, t, 6, generator=random, dtype=torch.float64), visual, negative, question


def lines(name):
    return (ROOT / name).read_text(encoding="utf-8").splitlines()


def unified(context):
    return list(difflib.unified_diff(lines(BEFORE), lines(AFTER), BEFORE, AFTER, n=context, lineterm=""))


def python_blocks():
    return re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def block_with(text):
    """The one block of the page that holds a text."""
    (found,) = (block for block in python_blocks() if text in block)
    return found


def weights_of(script, *parts):
    """The weights over cells of the small network, of the positives and of the negatives."""
    net, seen = small(script), []
    net.spatial.register_forward_hook(lambda _, __, out: seen.append(out.weights))
    net(*parts)
    return seen


@pytest.mark.parametrize("seed", [0, 1])
def test_before_it_is_the_official_network(seed):
    audio, visual, question, negative = recipe.clips(seed)
    with torch.no_grad():
        answer, positive, negative, *_ = official(load(BEFORE), seed)(audio, visual, negative, question)
    expected = {name: values[seed] for name, values in recipe.expected().items()}
    assert_close(answer, expected["answer"], **CLOSE)
    assert_close(torch.stack((positive, negative)).unflatten(1, (4, 10)), expected["match"], **CLOSE)


@pytest.mark.parametrize("seed", [0, 1])
def test_after_it_is_avst_with_target_aware_grounding(seed):
    audio, visual, question, negative = recipe.clips(seed)
    audio, visual, negative = (part[:, :3].double() for part in (audio, visual, negative))
    assert (question == 0).any()
    ours = avst(target="hard", padding="read").double().eval()
    ours.load_state_dict(recipe.avst_state(seed))
    with torch.no_grad():
        expected = ours(audio, visual, question, negative)
        got = official(load(AFTER), seed).double()(audio, visual, negative, question)
        before = official(load(BEFORE), seed).double()(audio, visual, negative, question)
    assert_close(got[0], expected.answer_logits, **EXACT)
    assert_close(torch.stack(got[1:3]).unflatten(1, (4, 3)), expected.match_logits, **EXACT)
    assert_close(got[3], expected.audio_weights, **EXACT)
    assert_close(got[4], expected.visual_weights, **EXACT)
    assert ((got[0] - before[0]).abs().amax(1) > 1e-6).all()


def test_fewer_than_fifteen_lines_change():
    changed = [line for line in unified(0) if line[0] in "+-" and line[:3] not in ("+++", "---")]
    added = sum(line[0] == "+" for line in changed)
    removed = len(changed) - added
    assert len(changed) < 15
    assert f"{len(changed)} lines: {added} added, {removed} removed." in PAGE
    assert f"They differ in {len(changed)} lines" in "\n".join(lines(BEFORE))
    assert sum("CrossModalSynchronyLoss()" in line for line in changed) == 1


def test_the_page_shows_the_difference_as_it_is():
    (shown,) = re.findall(r"```diff\n(.*?)```", PAGE, flags=re.DOTALL)
    assert shown.splitlines() == [line.rstrip() for line in unified(1)]


def test_the_page_says_what_torch_says():
    sessions = "\n".join(block for block in python_blocks() if ">>>" in block)
    session = doctest.DocTestParser().get_doctest(sessions, {}, "docs/tutorials/upgrade_avst.md", None, None)
    assert len(session.examples) == 6
    assert doctest.DocTestRunner().run(session).failed == 0


def test_a_clip_gives_the_same_alone_and_in_a_batch():
    parts = clips()
    net = small(load(AFTER))
    answer, positive, negative, heard, seen = net(*parts)
    for i in range(4):
        alone = net(*(part[i : i + 1] for part in parts))
        assert_close(alone[0][0], answer[i], **EXACT)
        for got, whole in zip(alone[1:3], (positive, negative), strict=True):
            assert_close(got, whole.unflatten(0, (4, 3))[i], **EXACT)
        assert_close(alone[3][0], heard[i], **EXACT)
        assert_close(alone[4][0], seen[i], **EXACT)


def test_repeating_targets_segment_by_segment_gives_clips_the_questions_of_others():
    """What the test above is there to find; one clip at a time does not show it."""
    right, wrong = load(AFTER), load(AFTER, (REPEATED, ".repeat(t, 1)"))
    parts = clips(b=4, t=4)
    for expected, got in zip(weights_of(right, *parts), weights_of(wrong, *parts), strict=True):
        own = ((expected - got).abs().amax((1, 2)) < 1e-12).unflatten(0, (4, 4))
        # Row i * t + j got the target of clip (i * t + j) % b, which is j here: one row in b is right.
        assert own.tolist() == torch.eye(4, dtype=torch.bool).tolist()
    assert ((small(right)(*parts)[0] - small(wrong)(*parts)[0]).abs().amax(1) > 1e-9).all()
    one = [part[:1] for part in parts]
    assert torch.equal(small(right)(*one)[0], small(wrong)(*one)[0])


def test_the_block_pairs_targets_with_clips_itself():
    call = block_with("# (b, c), not repeated").strip()
    flat = "            fused = self.spatial(audio, visual, target).feature\n"
    paired = load(AFTER, (REPEATED, ""), (flat, f"            fused = {call}\n"))
    parts = clips()
    for got, expected in zip(small(paired)(*parts), small(load(AFTER))(*parts), strict=True):
        assert_close(got, expected, **EXACT)


def test_padding_is_never_what_is_asked_for():
    """With any features at padding, even those that match the sentence best, the target stays the same."""
    script = load(AFTER)
    answers = []
    parts = clips()
    for at_padding in (0.0, 100.0):
        net = small(script)

        def change(_, given, out, at_padding=at_padding):
            states, last = out
            is_padding = torch.arange(7) >= torch.tensor([[7], [5], [7], [5]])
            return states.masked_fill(is_padding[..., None], at_padding), last

        net.question_encoder.lstm.register_forward_hook(change)
        # The sentence is made of the last state, of padding or not: here it is given.
        net.question_encoder.fc.register_forward_hook(lambda *_: torch.ones(4, 16, dtype=torch.float64))
        answers.append(net(*parts)[0])
    assert torch.equal(*answers)


def test_maps_of_cells_in_rows_need_one_line():
    audio, visual, negative, question = clips()
    page = {"visual": visual.flatten(3).mT.flatten(0, 1).contiguous()}
    start = page["visual"].data_ptr()
    exec(block_with("einops"), page)
    assert torch.equal(page["visual"], visual.flatten(0, 1))
    assert page["visual"].data_ptr() == start  # a view, as the page says

    (line,) = (line for line in block_with("einops").splitlines() if line.startswith("visual = "))
    rows = load(
        AFTER,
        ("from torch import nn\n", "from einops import rearrange\nfrom torch import nn\n"),
        (LOOP, f"{LOOP}            {line}\n"),
    )
    outputs = small(rows)(audio, visual.flatten(3).mT, negative.flatten(3).mT, question)
    for got, expected in zip(outputs, small(load(AFTER))(audio, visual, negative, question), strict=True):
        assert_close(got, expected, **EXACT)


def test_the_line_in_the_loss_adds_the_divergence_of_both_attentions():
    net, right = small(load(AFTER)), torch.tensor([0, 1, 2, 3])
    outputs = net(*clips())
    added = load(AFTER).total_loss(*outputs, right) - load(BEFORE).total_loss(*outputs, right)
    pairs = list(zip(*(weights.tolist() for weights in outputs[3:]), strict=True))
    assert added.item() == pytest.approx(sum(naive.js(heard, seen) for heard, seen in pairs) / 4, abs=1e-12)
    added.backward()
    for attention in (net.attn_a, net.attn_v):
        query, key, _ = attention.in_proj_weight.grad.chunk(3)
        assert query.abs().max() > 1e-6
        assert key.abs().max() > 1e-6
    assert not net.fc_ans.weight.grad.any()


def test_attention_in_training_returns_weights_after_dropout():
    """Why the page says that the loss divides rows by their sums."""
    net = small(load(AFTER))
    for weights in net(*clips())[3:]:
        assert_close(weights.sum(1), torch.ones(4, dtype=torch.float64), **EXACT)
    for weights in net.train()(*clips(t=10))[3:]:
        assert ((weights.sum(1) - 1).abs() > 1e-3).any()


def test_no_parameter_comes_or_goes():
    before, after = (load(name).AVST().state_dict() for name in (BEFORE, AFTER))
    assert {name: x.shape for name, x in after.items()} == {name: x.shape for name, x in before.items()}
    assert list(after) == list(before)


@pytest.mark.parametrize("name", [BEFORE, AFTER])
def test_a_released_checkpoint_loads_as_the_page_says(name):
    numbers = official_state(0)
    unused = {"fc_st.weight": torch.ones(512, 512), "visual_net.conv1.weight": torch.ones(64, 3, 7, 7)}
    state = {f"module.{key}": value for key, value in {**unused, **numbers}.items()}
    net = load(name).AVST()
    exec(block_with("removeprefix"), {"net": net, "state": state})
    assert all(torch.equal(value, numbers[key]) for key, value in net.state_dict().items())


def test_the_sharp_options_can_point_and_add_one_parameter():
    """With the paper's arithmetic no cell weighs more than 1.0014 times another, as the page says."""
    line = block_with("Temperature()").strip()
    sharp = load(AFTER, (BLOCK, f"        {line}\n"), ("import CrossModal", "import Temperature, CrossModal"))
    old = load(BEFORE).AVST()
    missing, unexpected = sharp.AVST().load_state_dict(old.state_dict(), strict=False)
    assert (missing, unexpected) == (["spatial.temperature.log"], [])
    parts = clips()
    ratios = []
    for script in (load(AFTER), load(AFTER, (BLOCK, f"        {line.replace('Temperature()', '0.1')}\n"))):
        weights = torch.cat(weights_of(script, *parts)).flatten(1)
        ratios.append((weights.amax(1) / weights.masked_fill(weights == 0, 1).amin(1)).tolist())
    assert max(ratios[0]) < 1.0014
    assert min(ratios[1]) > 2


def test_the_other_options_of_the_page_are_options():
    expected = small(load(AFTER))(*clips())
    changes = {
        'TargetAware("straight_through")': ("TargetAware()", 'TargetAware("straight_through")'),
        'TargetAware("soft")': ("TargetAware()", 'TargetAware("soft")'),
        'threshold=1, threshold_unit="relative"': (
            'similarity="cosine"',
            'similarity="cosine", threshold=1, threshold_unit="relative"',
        ),
    }
    for option, change in changes.items():
        assert option in PAGE
        answer, *_ = small(load(AFTER, change))(*clips())
        same = (answer - expected[0]).abs().max() < 1e-12
        assert same == ("straight_through" in option)  # which differs in its gradient only


@pytest.mark.parametrize("name", [BEFORE, AFTER])
def test_the_script_fits_a_few_clips(name, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(ROOT / name)]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    losses = [float(value) for value in re.findall(r"loss (\d+\.\d+)", done.stdout)]
    assert len(losses) == 5
    assert losses[-1] < losses[0] / 2
    assert done.stdout.endswith("8 of 8 answers right\n")
