"""The report of a run: ``metrics.json``, and the same as text."""

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

from avground.data import template_prior
from avground.data.annotations import FREQUENCIES
from avground.data.headtail import score_head_tail
from avground.data.table import ALL
from avground.training.checkpoint import write_atomically
from avground.training.evaluate import Evaluation
from avground.training.health import Alert, answer_alerts, attention_alerts
from avground.training.loop import METRICS, Loop
from avground.training.metrics import prior_scores, table
from avground.training.saver import BEST, LAST
from avground.training.versions import versions


def make_report(loop: Loop) -> dict[str, Any]:
    """Test the best model of a run that is done, and write ``metrics.json``.

    All accuracies are shares from 0 to 1; rows are those of :class:`avground.training.Scores`. Keys:

    - ``model``, ``ablation``, ``parameters``, ``seed``, ``run``, ``model_config``, ``versions``, ``seconds``;
    - ``data``: ``folder``, ``files`` (SHA-256, questions and videos of each), ``features`` (see
      :meth:`avground.data.Features.describe`), ``vocabulary`` (words, answers, digest);
    - ``validation`` and ``test``: ``accuracy``, ``prior`` and ``count``, each by row;
    - ``test.head`` and ``test.tail``: the same for frequent and for rare answers, as the files tell them apart, or
      :func:`avground.data.head_tail` where they do not;
    - ``test.shuffled.audio`` and ``.visual``: the accuracy by row with the sound, or the pictures, of other videos;
    - ``test.grounding``: see :class:`avground.training.GroundingMetric`; only where the truth is known;
    - ``test.attention``: see :class:`avground.training.AttentionMetric`;
    - ``warnings``: ``kind`` and ``text`` of what :mod:`avground.training.health` found in the test questions;
    - ``best_epoch`` of stage II, and ``history``: one entry for each epoch.

    A number that is not finite, as a measure of weights with NaN in them, is null.
    """
    run, splits = loop.run, loop.splits
    checkpoint = loop.load_best()
    test = loop.test
    found = {
        "validation": loop.evaluate("validation", loop.validation),
        "test": loop.evaluate("test", test, truth=splits.truth),
    }
    shuffled = {
        what: loop.evaluate(f"test, {what} shuffled", test, shuffle=what).accuracy
        for what in ("audio", "visual")
        if len({record.video_id for record in test.records}) > 1
    }
    vocabulary = splits.vocabulary
    sizes = {"words": len(vocabulary.words), "answers": len(vocabulary.answers), "digest": vocabulary.digest}
    report: dict[str, Any] = {
        "model": run.model,
        "ablation": run.ablation,
        "parameters": sum(parameter.numel() for parameter in loop.plain.parameters()),
        "seed": run.seed,
        "checkpoint": checkpoint,
        "best_epoch": loop.progress.best_epoch,
        "data": {
            "folder": str(splits.folder),
            "files": splits.files,
            "features": splits.features.describe(),
            "vocabulary": sizes,
        },
        "validation": _scores(loop, "val", found["validation"]),
        "test": {
            **_scores(loop, "test", found["test"]),
            **_head_tail(loop, found["test"]),
            "shuffled": shuffled,
            **({"grounding": found["test"].grounding} if found["test"].grounding else {}),
            "attention": found["test"].attention,
        },
        "warnings": [{"kind": alert.kind, "text": alert.text} for alert in _alerts(loop, found["test"])],
        "run": run.to_dict(),
        "model_config": vars(loop.plain.config),
        "history": list(loop.progress.history),
        "versions": versions(),
        "seconds": round(loop.seconds, 1),
    }
    report = _finite(report)
    if loop.fabric.is_global_zero:
        write_atomically(loop.output / METRICS, (json.dumps(report, indent=2, allow_nan=False) + "\n").encode())
    return report


def print_report(report: dict[str, Any], output: Path, told: Collection[str] = ()) -> None:
    """Print a report.

    Args:
        report: What :func:`make_report` returned.
        output: Folder of the run.
        told: Kinds of warnings that need not be said again.
    """
    test = report["test"]
    print(
        f"\ntest, percent (epoch {report['best_epoch']} of stage II, the best on validation; "
        "prior: the majority answer of the template)"
    )
    print(table(test["accuracy"], test["prior"], test["count"]))
    for part in FREQUENCIES:
        if count := test[part]["count"].get(ALL):
            accuracy, prior = (100 * test[part][key][ALL] for key in ("accuracy", "prior"))
            print(f"{part} answers ({count}): {accuracy:.2f} (prior {prior:.2f})")
    for what, accuracy in test["shuffled"].items():
        print(f"{what} of other videos: {100 * accuracy[ALL]:.2f}")
    grounding = test.get("grounding", {})
    if where := grounding.get("pointing"):
        sharp = f"largest weight {where['peak_over_uniform']:.1f} x uniform"
        print(f"pointing accuracy {100 * where['accuracy']:.2f} (chance {100 * where['chance']:.2f}; {sharp})")
    if when := grounding.get("temporal_overlap"):
        streams = f"audio {100 * when['audio']:.2f}, visual {100 * when['visual']:.2f}"
        print(f"temporal overlap {100 * when['mean']:.2f} (uniform {100 * when['uniform']:.2f}; {streams})")
    if attention := _attention_line(test["attention"]):
        print(attention)
    for alert in report["warnings"]:
        if alert["kind"] not in told:
            print(f"warning: {alert['text']}")
    print(f"\n{output / METRICS}, {output / BEST}, {output / LAST}; {report['seconds']:.0f} s in all")


def _attention_line(attention: dict[str, dict[str, float | None]]) -> str:
    """Agreement, entropies and the largest weight; empty if a model weighs nothing."""
    parts = []
    if when := attention.get("time"):
        parts.append(f"temporal agreement {_number(when['agreement'])} (JS {_number(when['js_nats'])} nats)")
    if entropies := [f"{of} {_number(part['entropy'])}" for of, part in attention.items() if "entropy" in part]:
        parts.append(f"entropy, share of the most: {', '.join(entropies)}")
    if cells := attention.get("cells"):
        parts.append(f"largest cell {_number(cells['peak_over_uniform'], 2)} x uniform")
    return "; ".join(parts)


def _number(value: float | None, digits: int = 4) -> str:
    return "not finite" if value is None else f"{value:.{digits}f}"


def _alerts(loop: Loop, found: Evaluation) -> list[Alert]:
    """What :mod:`avground.training.health` finds in the best model."""
    records = loop.splits.records
    right, prior = [record.answer for record in records["test"]], template_prior(records["train"], records["test"])
    return [
        *answer_alerts(found.predicted, right, prior.answers, "test"),
        *attention_alerts(found.attention, vars(loop.plain.config)),
    ]


def _finite(value: Any) -> Any:
    """The same with None for numbers that are not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _head_tail(loop: Loop, found: Evaluation) -> dict[str, dict[str, Any]]:
    """``head`` and ``tail`` of the test questions, as :func:`_scores` has the whole."""
    train, test = loop.splits.records["train"], loop.splits.records["test"]
    scores = score_head_tail(found.predicted, test)
    priors = score_head_tail(template_prior(train, test).answers, test)
    return {
        part: {"accuracy": scores[part].accuracy, "prior": priors[part].accuracy, "count": scores[part].count}
        for part in FREQUENCIES
    }


def _scores(loop: Loop, split: str, found: Evaluation) -> dict[str, dict[str, Any]]:
    records = loop.splits.records
    prior = prior_scores(records["train"], records[split], loop.splits.vocabulary)
    return {"accuracy": found.accuracy, "prior": prior.accuracy, "count": found.count}
