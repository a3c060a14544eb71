"""The comparison of models that travel stops where something is missing, has another shape, or is no number."""

from types import SimpleNamespace

import pytest
import torch

from .scripts import load

travel = load("travel")["travel"]
OUTPUTS = travel.OUTPUTS


class Tests:
    """Three questions, of which a batch holds all."""

    def __len__(self):
        return 3

    def __getitems__(self, rows):
        clips = torch.arange(len(rows), dtype=torch.float32)
        return SimpleNamespace(audio=clips, visual=clips, question=clips)


def model(audio, visual, question):
    return tuple(torch.eye(3) + place for place in range(len(OUTPUTS)))


def other(place, change):
    """The same but for one output."""
    return lambda *given: [change(value) if place == at else value for at, value in enumerate(model(*given))]


def test_the_largest_difference_and_the_same_answers_are_counted():
    ways = {"same": model, "far": other(2, lambda x: x + 0.25), "turned": other(0, lambda x: x.flip(-1))}
    found = travel.compare(model, ways, Tests())
    assert {way: entry["same_answer"] for way, entry in found.items()} == {"same": 3, "far": 3, "turned": 1}
    assert found["far"]["largest_difference"] == {**dict.fromkeys(OUTPUTS, 0.0), OUTPUTS[2]: 0.25}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x * torch.nan, "hub: visual_weights: expected finite numbers, got a difference of nan"),
        (lambda x: x.index_fill(0, torch.tensor([1]), torch.inf), "expected finite numbers, got a difference of inf"),
        (lambda x: x[:1], r"visual_weights: expected torch.float32 of \(3, 3\), got torch.float32 of \(1, 3\)"),
        (lambda x: x[..., None], r"got torch.float32 of \(3, 3, 1\)"),
        (lambda x: x.double(), r"got torch.float64 of \(3, 3\)"),
    ],
)
def test_what_is_no_small_difference_stops_it(change, message):
    with pytest.raises(ValueError, match=message):
        travel.compare(model, {"hub": other(2, change)}, Tests())


@pytest.mark.parametrize("count", [len(OUTPUTS) - 1, len(OUTPUTS) + 1])
def test_a_missing_output_stops_it(count):
    with pytest.raises(ValueError, match="zip"):
        travel.compare(model, {"onnx": lambda *given: (model(*given) * 2)[:count]}, Tests())
