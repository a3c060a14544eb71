import inspect
import pkgutil
import re
from importlib import import_module

import pytest
import torch

from avground.blocks import (
    AnswerHead,
    AudioEncoder,
    AudioVisualSpatialGrounding,
    JointTemporalGrounding,
    MatchHead,
    QuestionAttention,
    TargetAware,
    TargetAwareSpatialGrounding,
)
from avground.errors import AvgroundError, ConfigError, DataError, ShapeError, check_choice
from avground.losses import CrossModalSynchronyLoss, PairMatchingLoss
from avground.models import (
    AVSD,
    GroundingNetwork,
    Network,
    PanoAVQA,
    QuestionLSTM,
    avsd,
    pano_avqa,
    question_lstm,
    tjstg,
)
from avground.ops import interleave, js_divergence, kl_divergence, spatial_grounding
from avground.shapes import check_shapes

AUDIO, MAPS, SENTENCE = (64, 10, 512), (64, 10, 512, 14, 14), (64, 512)

#: Every message that a docstring gives as an example: where, what is called (on zeros of which shapes), the message.
EXAMPLES = [
    (kl_divergence, kl_divergence, [(64, 10), (64, 9)], "q: expected (*b=(64,), t=10), got (64, 9)"),
    (js_divergence, js_divergence, [(64, 10), (64, 9)], "q: expected (*b=(64,), t=10), got (64, 9)"),
    (interleave, interleave, [AUDIO, (64, 9, 512)], "second: expected (*b=(64,), t=10, c=512), got (64, 9, 512)"),
    (
        spatial_grounding,
        spatial_grounding,
        [AUDIO, MAPS, SENTENCE],
        "target: expected (*b=(64, 10), c=512), got (64, 512)",
    ),
    (
        CrossModalSynchronyLoss.forward,
        CrossModalSynchronyLoss(),
        [(64, 10), (64, 9)],
        "visual_weights: expected (*b=(64,), t=10), got (64, 9)",
    ),
    (
        QuestionAttention.forward,
        QuestionAttention(),
        [SENTENCE, (64, 10, 256)],
        "segments: expected (*b=(64,), t, 512), got (64, 10, 256)",
    ),
    (AudioEncoder.forward, AudioEncoder(), [(64, 10, 64)], "audio: expected (*b, 128), got (64, 10, 64)"),
    (
        TargetAware.forward,
        TargetAware(),
        [(64, 14, 512), (64, 256)],
        "sentence: expected (*b=(64,), c=512), got (64, 256)",
    ),
    (
        AudioVisualSpatialGrounding.forward,
        AudioVisualSpatialGrounding(),
        [AUDIO, (64, 10, 14, 14, 512)],
        "visual: expected (*b=(64, 10), 512, h, w), got (64, 10, 14, 14, 512)",
    ),
    (
        TargetAwareSpatialGrounding.forward,
        TargetAwareSpatialGrounding(),
        [AUDIO, MAPS, (640, 512)],
        "target: expected (64, 10, 512) or (64, 512), got (640, 512)",
    ),
    (
        JointTemporalGrounding.forward,
        JointTemporalGrounding(),
        [AUDIO, (64, 9, 512), SENTENCE],
        "visual: expected (*b=(64,), t=10, 512), got (64, 9, 512)",
    ),
    (AnswerHead.forward, AnswerHead(), [SENTENCE, (1, 512)], "sentence: expected (*b=(64,), 512), got (1, 512)"),
    (MatchHead.forward, MatchHead(), [AUDIO, SENTENCE], "visual: expected (*b=(64, 10), 512), got (64, 512)"),
    (
        PairMatchingLoss.forward,
        lambda logits, matched: PairMatchingLoss()(logits, matched.bool()),
        [(2, 64, 10, 2), (32,)],
        "matched: expected (b=64,), or further dimensions of (64, 10), got (32,)",
    ),
    *(
        (
            where,
            called,
            [(64, 10, 128), (64, 9, 512, 14, 14)] + [(64, 14)] * (where is not Network.check),
            "visual: expected (b=64, t=10, 512, h, w), got (64, 9, 512, 14, 14)",
        )
        for where, called in (
            (Network.check, lambda *shapes: tjstg(dim=8).check(*shapes)),
            (GroundingNetwork.forward, lambda *shapes: tjstg(dim=8)(*shapes)),
            (AVSD.forward, lambda *shapes: avsd(dim=8)(*shapes)),
            (PanoAVQA.forward, lambda *shapes: pano_avqa(dim=8)(*shapes)),
            (QuestionLSTM.forward, lambda *shapes: question_lstm(dim=8)(*shapes)),
        )
    ),
    (
        check_shapes,
        lambda p, q: check_shapes(p=(p, "*b t"), q=(q, "*b t")),
        [(64, 10), (64, 9)],
        "q: expected (*b=(64,), t=10), got (64, 9)",
    ),
]


def examples_in(thing):
    """The messages that a docstring gives, ``name: expected ... got ...``."""
    text = " ".join(inspect.getdoc(thing).split())
    return re.findall(r"``(\w+: expected [^`]+)``", text)


@pytest.mark.parametrize(("where", "called", "shapes", "message"), EXAMPLES)
def test_the_example_in_the_docstring_is_what_is_raised(where, called, shapes, message):
    assert message in examples_in(where)
    with pytest.raises(ShapeError) as caught:
        called(*(torch.zeros(()).expand(shape) for shape in shapes))
    assert str(caught.value) == message


def core_modules():
    for name in ("errors", "shapes", "losses", "ops", "blocks", "models", "testing"):
        module = import_module(f"avground.{name}")
        yield module
        for part in pkgutil.walk_packages(getattr(module, "__path__", ()), f"avground.{name}."):
            if not part.name.endswith(("kernels", "launch")):  # they need Triton, and nobody calls them
                yield import_module(part.name)


def documented(module):
    for thing in vars(module).values():
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__module__ == module.__name__:
            yield thing
            if inspect.isclass(thing):
                yield from (method for method in vars(thing).values() if inspect.isfunction(method))


def test_no_docstring_gives_an_example_that_is_not_tried_here():
    tried = {(where.__module__, where.__qualname__, message) for where, _, _, message in EXAMPLES}
    found = {
        (thing.__module__, thing.__qualname__, message)
        for module in core_modules()
        for thing in documented(module)
        if thing.__doc__
        for message in examples_in(thing)
    }
    assert found == tried


@pytest.mark.parametrize("error", [ShapeError, ConfigError, DataError])
def test_every_error_is_a_value_error_and_can_be_caught_as_one_of_ours(error):
    assert issubclass(error, AvgroundError)
    assert issubclass(error, ValueError)
    with pytest.raises(AvgroundError, match="why"):
        raise error("why")


def test_a_choice_that_exists_passes():
    check_choice("padding", "skip", ("skip", "read"))
    check_choice("target", None, (name for name in ("hard", None)))


@pytest.mark.parametrize("value", ["Skip", "", None, 3, True])
def test_a_choice_that_does_not_exist_lists_those_that_do(value):
    with pytest.raises(ConfigError) as caught:
        check_choice("padding", value, ("skip", "read"))
    assert str(caught.value) == f"padding: expected one of 'skip', 'read', got {value!r}"


def test_choices_may_be_the_keys_of_a_mapping():
    with pytest.raises(ConfigError, match=r"^order: expected one of 'a', 'b', got 'c'$"):
        check_choice("order", "c", {"a": 1, "b": 2})
