"""The rows of the paper's ablation tables, each as what it changes in a model or in its objective."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

#: What the objective of a model is where it is not TJSTG's. AVST has no synchrony loss. Ours does without matching:
#: TJSTG is as good without on Pocket's target track, and no frame of another video is read. The other comparison models
#: learn from answers alone, as published.
OBJECTIVES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "tjstg": {},
        "tjstg_sharp": {"matching": 0.0},
        "avst": {"synchrony": 0.0},
        "avsd": {"synchrony": 0.0, "matching": 0.0},
        "pano_avqa": {"synchrony": 0.0, "matching": 0.0},
        "question_lstm": {"synchrony": 0.0, "matching": 0.0},
        "tjstg_released": {"divergence": "released"},
    }
)

#: Models without a matching head: no run can ask them for the matching loss or for stage I. For the synchrony loss it
#: can: beside weights that are uniform by construction it pulls the others towards uniform (``avsd``), and between two
#: such it is the constant 0 (``question_lstm``).
UNMATCHED = frozenset({"avsd", "pano_avqa", "question_lstm"})


@dataclass(frozen=True)
class Ablation:
    """One row of the tables of TJSTG (Jiang and Yin, 2023).

    Attributes:
        tables: Numbers of the tables it is in; none for a combination that the paper does not list.
        row: The row's name there.
        paper: Accuracy (All, percent) printed there, on MUSIC-AVQA's test set; None if not listed.
        model: Name of the model it changes.
        changes: Settings of the model, by name; see :class:`avground.models.ModelConfig`.
        objective: Weights of the objective, by name.
    """

    tables: tuple[int, ...]
    row: str
    paper: float | None
    model: str = "tjstg"
    changes: Mapping[str, Any] = field(default_factory=dict)
    objective: Mapping[str, Any] = field(default_factory=dict)


_released = partial(Ablation, (), paper=None, model="tjstg_released")


def _sharp(what: str, **rest: Any) -> Ablation:
    return Ablation((), f"tjstg_sharp, {what}", None, "tjstg_sharp", **rest)


ABLATIONS: Mapping[str, Ablation] = MappingProxyType(
    {
        "avsd": Ablation((1,), "AVSD", 67.32, "avsd"),
        "pano_avqa": Ablation((1,), "Pano-AVQA", 69.53, "pano_avqa"),
        "full": Ablation((1, 2), "TJSTG", 73.04),
        "without_target": Ablation((2,), "w/o T-A", 72.44, changes={"target": None}),
        "without_synchrony": Ablation((2,), "w/o CSL", 72.28, objective={"synchrony": 0.0}),
        "without_both": Ablation(
            (2,), "w/o T-A and CSL", 71.78, changes={"target": None}, objective={"synchrony": 0.0}
        ),
        "avst": Ablation((1, 3), "AVST", 71.59, "avst"),
        "avst_with_target": Ablation((3,), "AVST w/ T-A", 72.43, "avst", changes={"target": "hard"}),
        "avst_with_synchrony": Ablation((3,), "AVST w/ CSL", 72.47, "avst", objective={"synchrony": 1.0}),
        "avst_with_both": Ablation(
            (), "AVST w/ T-A and CSL", None, "avst", changes={"target": "hard"}, objective={"synchrony": 1.0}
        ),
        "target_mean": Ablation((4,), "TSG w/ mean", 72.65, changes={"target": "mean"}),
        "target_max": Ablation((4,), "TSG w/ max", 72.70, changes={"target": "max"}),
        "target_sentence": Ablation((4,), "TSG w/ hidden", 72.74, changes={"target": "sentence"}),
        "target_hard": Ablation((4,), "TSG w/ TA", 73.04, changes={"target": "hard"}),
        "threshold_0.000": Ablation((5,), "tau = 0.000", 72.23, changes={"threshold": 0.0}),
        "threshold_0.002": Ablation((5,), "tau = 0.002", 72.65, changes={"threshold": 0.002}),
        "threshold_0.005": Ablation((5,), "tau = 0.005", 73.04, changes={"threshold": 0.005}),
        "threshold_0.010": Ablation((5,), "tau = 0.010", 72.71, changes={"threshold": 0.010}),
        "concat_av": Ablation((6,), "Cat(A;V)", 72.53, changes={"order": "concat_av"}),
        "concat_va": Ablation((6,), "Cat(V;A)", 72.74, changes={"order": "concat_va"}),
        "interleave_av": Ablation((6,), "IL(A;V)", 73.04, changes={"order": "interleave_av"}),
        "interleave_va": Ablation((6,), "IL(V;A)", 73.04, changes={"order": "interleave_va"}),
        "dual_stream": Ablation((7,), "dual stream", 72.89, changes={"stream": "dual"}),
        "single_stream": Ablation((7,), "single stream", 73.04, changes={"stream": "joint"}),
        # What the authors released: with the pairing of its training and its synchrony loss, then with these mended.
        "released": _released("released code", changes={"pairing": "time_major"}),
        "released_paired": _released("released code, pairing mended"),
        "released_js": _released("released code, pairing and JS mended", objective={"divergence": "js"}),
        # The matching loss, which the tables keep, and tjstg_sharp without one of its parts.
        "without_matching": Ablation((), "TJSTG w/o matching", None, objective={"matching": 0.0}),
        "sharp_without_target": _sharp("w/o target", changes={"target": None}),
        "sharp_without_relative": _sharp("joint stream", changes={"stream": "joint"}),
    }
)
