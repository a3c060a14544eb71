"""The examples in the docstrings of public things do what they say."""

import doctest
import inspect

import pytest
import torch

import avground
from avground import ops

from .test_public import described, public_things


def examples():
    """The doctest of each public thing, and of each of its methods, that has one; one for a thing of two names."""
    parser, seen = doctest.DocTestParser(), set()
    for name, thing in public_things():
        if id(thing) in seen or not (inspect.isclass(thing) or inspect.isroutine(thing)):
            continue
        seen.add(id(thing))
        for part in described(thing):
            full = name if part is thing else f"{name}.{part.__name__}"
            test = parser.get_doctest(inspect.getdoc(part) or "", {}, full, None, 0)
            if test.examples:
                yield full, test


EXAMPLES = dict(examples())


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_an_example_does_what_it_says(name):
    torch.manual_seed(0)
    said = []
    failed, tried = doctest.DocTestRunner().run(EXAMPLES[name], out=said.append)
    assert tried > 0
    assert failed == 0, "".join(said)


def components():
    for name in avground.__all__:
        thing = getattr(avground, name)
        if inspect.isclass(thing) and issubclass(thing, torch.nn.Module):
            yield f"avground.{name}"
    for name in ops.__all__:
        if inspect.isfunction(getattr(ops, name)):
            yield f"avground.ops.{name}"


@pytest.mark.parametrize("name", list(components()))
def test_every_component_and_operation_has_an_example(name):
    assert name in EXAMPLES
