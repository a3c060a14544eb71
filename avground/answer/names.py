"""Names of models for readers."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from avground.training import Run

_SHOWN = {
    "tjstg": "TJSTG",
    "tjstg_sharp": "TJSTG sharp",
    "tjstg_released": "TJSTG, released",
    "avst": "AVST",
    "avsd": "AVSD, port",
    "pano_avqa": "Pano-AVQA, port",
    "question_lstm": "question only",
}


def name_models(runs: Sequence[Run], sources: Sequence[str]) -> list[str]:
    """A name for each model: what it is and, where several would be called the same, where it came from.

    Args:
        runs: The runs that trained them.
        sources: Where each came from: a checkpoint, a folder or a name on the hub.
    """
    names = [_name(run) for run in runs]
    for told_apart in ([f"({_place(source)})" for source in sources], [f"#{k + 1}" for k in range(len(sources))]):
        times = Counter(names)
        names = [name if times[name] == 1 else f"{name} {more}" for name, more in zip(names, told_apart, strict=True)]
    return names


def _name(run: Run) -> str:
    shown = _SHOWN.get(run.model, run.model)
    return shown if run.ablation is None else f"{shown}, {run.ablation.replace('_', ' ')}"


def _place(source: str) -> str:
    """The folder of a checkpoint, which says more than its own name does."""
    path = Path(source)
    return path.parent.name or path.name if path.suffix == ".pt" else path.name
