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
    print(f"Parameters in all and by part. The rule: {RULE}.\n")
    print(f"{'model':<22}{'all':>12}{'paper':>9}  parts")
    for name, parts in counts().items():
        paper = f"{PAPER[name]:.1f} M" if name in PAPER else "-"
        by_part = ", ".join(f"{part} {count:,}" for part, count in parts.items() if part != "all")
        print(f"{name:<22}{parts['all']:>12,}{paper:>9}  {by_part}")


if __name__ == "__main__":
    main()
