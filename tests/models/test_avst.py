"""AVST against the official network, whose outputs on weights and inputs made by a recipe are frozen."""

import pytest
import torch
from torch.testing import assert_close

from avground.models import avst
from tests.golden import recipe

CLOSE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(scope="module", params=[0, 1], ids=lambda seed: f"seed {seed}")
def official(request):
    """Our AVST with official weights, the clips, and the outputs of the official network."""
    model = avst(padding="read").eval()
    model.load_state_dict(recipe.avst_state(request.param))
    return model, recipe.clips(request.param), {name: seeds[request.param] for name, seeds in recipe.expected().items()}


def test_a_batch_gives_what_the_official_network_gives(official):
    model, parts, expected = official
    with torch.no_grad():
        got = model(*parts)
    assert_close(got.answer_logits, expected["answer"], **CLOSE)
    assert_close(got.match_logits, expected["match"], **CLOSE)


def test_one_clip_at_a_time_gives_what_the_official_network_gives(official):
    model, parts, expected = official
    for i in range(4):
        with torch.no_grad():
            got = model(*(part[i : i + 1] for part in parts))
        assert_close(got.answer_logits[0], expected["answer"][i], **CLOSE)
        assert_close(got.match_logits[:, 0], expected["match"][:, i], **CLOSE)


def test_pairing_gives_what_the_official_first_stage_gives(official):
    """The network of stage I is the matching part of the whole one, under the same names."""
    model, (audio, visual, _, negative), expected = official
    with torch.no_grad():
        assert_close(model.pair(audio, visual, negative), expected["match"], **CLOSE)


def test_the_outputs_frozen_tell_clips_and_seeds_apart():
    """So that agreement says something: they differ by far more than the tolerance."""
    for values in recipe.expected().values():
        assert (values[0] - values[1]).abs().mean() > 1e-2
        clips = values.movedim(values.dim() - 3 if values.dim() > 3 else 1, 0)
        assert all((one - other).abs().mean() > 1e-3 for one, other in zip(clips[1:], clips[:-1], strict=True))


def test_skipping_padding_is_another_network():
    """What `padding="read"` is there for: the official network runs its LSTM through the padding."""
    audio, visual, question, _ = (part[:2, ..., :2, :2] if part.dim() == 5 else part[:2] for part in recipe.clips(0))
    answers = []
    for padding in ("read", "skip"):
        model = avst(padding=padding).eval()
        model.load_state_dict(recipe.avst_state(0))
        with torch.no_grad():
            answers.append(model(audio, visual, question).answer_logits)
    padded = (question == 0).any(1)
    assert padded.any()
    assert torch.equal((answers[0] - answers[1]).abs().amax(1) > 1e-3, padded)
