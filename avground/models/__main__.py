"""Print the number of parameters of every model by part: ``python -m avground.models``."""

from torch import nn

from avground.models import MODELS

RULE = (
    "every element of every parameter of the model as trained, embeddings, biases and matching head included; "
    "backbones are no part of a model; 93 words, 42 answers, audio 128, maps of 512 channels, dim 512"
)

#: Million parameters that Table 7 of the paper gives, without a rule of counting.
PAPER = {"tjstg": 11.1, "tjstg (dual stream)": 14.6}


def counts() -> dict[str, dict[str, int]]:
    """Return the number of parameters by model and part, with ``"all"`` at the end."""
    models: dict[str, nn.Module] = {name: builder() for name, builder in MODELS.items()}
    models["tjstg (dual stream)"] = MODELS["tjstg"](stream="dual")
    found = {name: {part: _count(module) for part, module in model.named_children()} for name, model in models.items()}
    return {name: {**parts, "all": _count(models[name])} for name, parts in found.items()}


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def main() -> None:
    """Print the table."""
    found = counts()
    print(f"Parameters by part. The rule: {RULE}.\n")
    print(f"{'model':<22}" + "".join(f"{part:>11}" for part in found["tjstg"]) + f"{'paper':>9}")
    for name, parts in found.items():
        paper = f"{PAPER[name]:.1f} M" if name in PAPER else "-"
        print(f"{name:<22}" + "".join(f"{count:>11,}" for count in parts.values()) + f"{paper:>9}")


if __name__ == "__main__":
    main()
