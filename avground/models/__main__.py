"""Print the number of parameters of every model by part: ``python -m avground.models``."""

from torch import nn

from avground.models import MODELS

#: Million parameters that the paper gives in Table 7, by model; no rule of counting is stated there.
PAPER = {"tjstg": 11.1, "tjstg (dual stream)": 14.6}


def count(module: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def main() -> None:
    """Print the table."""
    models: dict[str, nn.Module] = {name: builder() for name, builder in MODELS.items()}
    models["tjstg (dual stream)"] = MODELS["tjstg"](stream="dual")
    parts = [name for name, _ in models["tjstg"].named_children()]
    print("Parameters by part. The rule: every element of every parameter of the model as trained, embeddings,")
    print("biases and matching head included; backbones are not part of a model. Sizes: 93 words, 42 answers,")
    print("audio 128, maps of 512 channels, dim 512. Paper: Table 7 of TJSTG, which states no rule.\n")
    print(f"{'model':<22}" + "".join(f"{part:>12}" for part in parts) + f"{'all':>12}{'paper':>10}")
    for name, model in models.items():
        counts = [count(getattr(model, part)) for part in parts]
        paper = f"{PAPER[name]:.1f} M" if name in PAPER else "-"
        print(f"{name:<22}" + "".join(f"{c:>12,}" for c in (*counts, sum(counts))) + f"{paper:>10}")


if __name__ == "__main__":
    main()
