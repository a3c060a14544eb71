import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

import avground

INVENTORY = Path(__file__).with_name("public_names.txt")
PUBLIC = (
    "avground",
    "avground.answer",
    "avground.blocks",
    "avground.data",
    "avground.data.pocket",
    "avground.export",
    "avground.hub",
    "avground.media",
    "avground.models",
    "avground.ops",
    "avground.testing",
    "avground.training",
    "avground.viz",
)
OPTIONAL = (
    *("triton", "torchvision", "lightning", "matplotlib", "torchmetrics", "tqdm"),
    *("av", "PIL", "safetensors", "efficientnet_lite_pytorch"),
    *("onnx", "onnxscript", "onnxruntime", "huggingface_hub", "tensorboard"),
)


def public_names():
    return sorted(f"{module}.{name}" for module in PUBLIC for name in import_module(module).__all__)


def public_things():
    for name in public_names():
        module, _, attribute = name.rpartition(".")
        yield name, getattr(import_module(module), attribute)


def test_the_public_names_are_those_of_the_inventory():
    """A name that goes is a change to announce; a name that comes is added to public_names.txt."""
    assert public_names() == INVENTORY.read_text(encoding="utf-8").split()


@pytest.mark.parametrize("module", PUBLIC)
def test_each_list_of_names_is_sorted_and_free_of_repeats(module):
    names = import_module(module).__all__
    assert len(set(names)) == len(names)
    assert set(names) <= set(dir(import_module(module)))


def test_a_name_given_in_two_places_is_one_thing():
    by_name = {}
    for name, thing in public_things():
        assert by_name.setdefault(name.rpartition(".")[2], thing) is thing


def test_importing_needs_nothing_that_is_optional():
    """In a process of its own where an import of any of them fails, as it does where it is not installed."""
    code = (
        "import torch, sys\n"
        f"sys.modules.update(dict.fromkeys({OPTIONAL!r}))\n"
        "import avground.blocks, avground.models, avground.ops, avground.testing\n"
        "assert not torch.cuda.is_initialized()\n"
        "above = [n for n in sys.modules if n.startswith(('avground.data', 'avground.training'))]\n"
        "assert not above, above\n"
        "import avground.data.pocket, avground.viz\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def described(thing):
    yield thing
    if inspect.isclass(thing):
        for name, method in vars(thing).items():
            if not name.startswith("_") and inspect.isfunction(method):
                yield method


@pytest.mark.parametrize(("name", "thing"), [pair for pair in public_things() if callable(pair[1])])
def test_everything_public_has_a_docstring_of_its_own(name, thing):
    for part in described(thing):
        assert part.__doc__, f"{name}: {part.__qualname__}"
        first = inspect.getdoc(part).splitlines()[0]
        assert first.endswith((".", ":", "?")), f"{part.__qualname__}: {first}"
        assert not part.__doc__.startswith(f"{part.__name__}("), f"{part.__qualname__}: the docstring is generated"


@pytest.mark.parametrize(
    ("name", "thing"),
    [(name, thing) for name, thing in public_things() if inspect.isclass(thing) and issubclass(thing, torch.nn.Module)],
)
def test_every_block_says_what_its_arguments_are(name, thing):
    if "forward" not in vars(thing):
        return
    arguments = [p for p in inspect.signature(thing).parameters if p not in ("self", "args", "kwargs")]
    for argument in arguments:
        assert f"{argument}:" in thing.__doc__, f"{name}: {argument} is not described"


def test_the_version_is_that_of_the_package():
    assert avground.__version__ in (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")


def test_audio_comes_before_visual_and_visual_before_question_everywhere():
    order = ("audio", "audio_weights", "visual", "visual_weights", "question")
    for name, thing in public_things():
        called = getattr(thing, "forward", thing) if inspect.isclass(thing) else thing
        if not callable(called) or name.startswith("avground.testing"):
            continue
        try:
            parameters = list(inspect.signature(called).parameters)
        except ValueError:  # a built-in
            continue
        known = [parameter for parameter in parameters if parameter in order]
        assert known == sorted(known, key=order.index), name
