"""Names of models for readers."""

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
    if len(set(names)) < len(names):
        names = [f"{name} ({_place(source)})" for name, source in zip(names, sources, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name} #{number}" for number, name in enumerate(names, start=1)]
    return names


def _name(run: Run) -> str:
    shown = _SHOWN.get(run.model, run.model)
    return shown if run.ablation is None else f"{shown}, {run.ablation.replace('_', ' ')}"


def _place(source: str) -> str:
    """The folder of a checkpoint, which says more than its own name does."""
    path = Path(source)
    return path.parent.name or path.name if path.suffix == ".pt" else path.name
