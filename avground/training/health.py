"""What can be wrong with a model although its loss falls: answers that the prior has too, and weights that are flat."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

FLAT = 0.99
"""Entropy, as a share of the largest possible, from which on weights count as flat."""

_LEVEL = 0.05
_FEW = 0.25
_UNIFORM = 1 - 1e-12
_AGREES = 0.99

Attention = Mapping[str, Mapping[str, float | int]]


class Alert(NamedTuple):
    """Something to look at.

    Attributes:
        kind: Which it is, the same whenever it is found again: ``"answers/few"``, ``"answers/prior"``,
            ``"attention/cells"``, ``"attention/time"``, ``"attention/target"``, ``"attention/agreement"`` or
            ``"attention/not_finite"``.
        text: What was found, what it means and what to try, in one line.
        by_design: Whether the model cannot be otherwise: then it is worth a word at the end, not one an epoch.
    """

    kind: str
    text: str
    by_design: bool = False


def is_due(epoch: int, epochs: int) -> bool:
    """Whether to look at the answers after an epoch, counted from 1: from half of them on.

    Before that it is no wonder that a model answers as the prior does, or the same to all.
    """
    return 2 * epoch >= epochs


def answer_alerts(predicted: Sequence[str], answers: Sequence[str], prior: Sequence[str], when: str) -> list[Alert]:
    """Look for a model that has learned no more than the questions give away.

    *Like the prior*: model and prior answer the same questions, so they are compared in pairs. Of the questions that
    only one of the two has right, a model that is no better has each with probability 1/2. The exact probability that
    it then has as many as it has, or more (a one-sided sign test), must be below 0.05; if not, the model cannot be told
    from the prior. The fewer questions, the more it takes. Where the prior is right everywhere nothing can be told.

    *Few answers*: how many answers are in use is counted by the exponential of their entropy, which is the number of
    answers where all are equally frequent. Fewer than a quarter of what the right answers have is too few.

    Args:
        predicted: The answer that the model gives to each question (:attr:`avground.training.Evaluation.predicted`).
        answers: The right ones.
        prior: Those of the template prior (:attr:`avground.data.TemplatePrior.answers`).
        when: What the questions are and when they were answered, such as ``"validation, epoch 15 of 30"``.

    Returns:
        None, one or both of them.
    """
    alerts = []
    given, there = _in_use(predicted), _in_use(answers)
    if given < _FEW * there or (len(set(predicted)) == 1 < len(set(answers))):
        (most, times), *_ = Counter(predicted).most_common(1)
        alerts.append(
            Alert(
                "answers/few",
                f"{when}: {len(set(predicted))} of {len(set(answers))} answers are given, {most!r} to "
                f"{100 * times / len(predicted):.1f} % of the questions. The model has collapsed to what is frequent: "
                "try a lower learning rate, and look whether the features differ from video to video",
            )
        )
    model_right = [one == right for one, right in zip(predicted, answers, strict=True)]
    prior_right = [one == right for one, right in zip(prior, answers, strict=True)]
    better = sum(mine and not its for mine, its in zip(model_right, prior_right, strict=True))
    worse = sum(its and not mine for mine, its in zip(model_right, prior_right, strict=True))
    chance = _at_least(better, better + worse)
    if chance >= _LEVEL and not all(prior_right):
        mine, its = (100 * sum(right) / len(right) for right in (model_right, prior_right))
        alerts.append(
            Alert(
                "answers/prior",
                f"{when}: {mine:.2f} % are right, and {its:.2f} % with the template's most frequent answer. Of the "
                f"{better + worse} questions that only one of the two has right the model has {better}, as many as "
                f"tossing a coin gives with p = {chance:.2g} (below {_LEVEL} would tell them apart). It may have "
                "learned the questions alone: try more epochs or another learning rate, compare --model question_lstm, "
                "and look at test.shuffled in metrics.json",
            )
        )
    return alerts


def attention_alerts(attention: Attention, config: Mapping[str, Any]) -> list[Alert]:
    """Look for weights that weigh nothing.

    Flat is an entropy of 0.99 of the largest possible or more, on average. Agreement is trivial where both streams are
    flat and it is 0.99 or more: two rows that look nowhere agree.

    Args:
        attention: What :class:`avground.training.AttentionMetric` computed.
        config: The settings of the model, ``vars(model.config)``.

    Returns:
        One of each kind at most.
    """
    broken = [f"{of} {name}" for of, part in attention.items() for name, x in part.items() if not math.isfinite(x)]
    if broken:
        text = f"the weights are not finite ({', '.join(broken)}): look for NaN in the features and in the loss"
        return [Alert("attention/not_finite", text)]
    cells, time = attention.get("cells", {}), attention.get("time", {})
    streams = {of: float(attention[of]["entropy"]) for of in ("audio", "visual") if of in attention}
    flat = {of: entropy for of, entropy in streams.items() if entropy >= FLAT}
    alerts = []
    if cells and cells["entropy"] >= FLAT:
        alerts.append(_flat_cells(cells, config))
    if flat:
        listed = ", ".join(f"{of} {entropy:.4f}" for of, entropy in flat.items())
        uniform = all(entropy >= _UNIFORM for entropy in flat.values())
        advice = (
            "They are exactly uniform: the model weighs no segments there"
            if uniform
            else "The loss may ask for it, since flat rows agree best: try a smaller weight of the synchrony loss "
            "(--synchrony)"
        )
        text = f"the weights over time are flat (entropy, share of the most: {listed}): no moment counts more. {advice}"
        alerts.append(Alert("attention/time", text, uniform))
    if len(flat) == 2 and time and time["agreement"] >= _AGREES:
        text = (
            f"sound and picture agree in time ({time['agreement']:.4f}) because both look nowhere in particular: two "
            "flat rows agree whatever they show, so this agreement says nothing about grounding"
        )
        alerts.append(Alert("attention/agreement", text, all(entropy >= _UNIFORM for entropy in flat.values())))
    if "target" in attention and attention["target"]["entropy"] >= FLAT:
        mean, why = config.get("target") == "mean", "so what is asked for is the mean of all"
        if mean:
            why = "by construction, as it is the mean of all words"
        elif config.get("target") in ("hard", "straight_through"):
            why = "so the word that is picked stands out by next to nothing"
        text = f"the weights over words are flat (entropy {attention['target']['entropy']:.4f} of the most), {why}"
        alerts.append(Alert("attention/target", text, mean))
    return alerts


def _flat_cells(cells: Mapping[str, float | int], config: Mapping[str, Any]) -> Alert:
    design = _flat_by_design(config)
    if cells["entropy"] >= _UNIFORM:
        design = design or "they are exactly uniform: the model weighs no cells"
    reason = f"No training changes that: {design}. " if design else ""
    text = (
        f"the weights over cells are flat (entropy {cells['entropy']:.4f} of the most, largest weight "
        f"{cells['peak_over_uniform']:.2f} x uniform): what is pooled with them is hardly more than the mean of the "
        f"map. {reason}For a grounding that can point try --model tjstg_sharp; docs/account.md has the mathematics"
    )
    return Alert("attention/cells", text, bool(design))


def _flat_by_design(config: Mapping[str, Any]) -> str:
    """Why a model with these settings cannot weigh cells sharply; empty if it can."""
    if "pairing" in config:
        return "a softmax over the sum of two others, as the released code has it, is flat by construction"
    if config.get("normalize") != "softmax":
        return ""
    if config["target"] is not None:
        return "a softmax over what are probabilities already (Eq. 4 of TJSTG) is flat by construction"
    if config["similarity"] == "cosine" and config["temperature"] != "learned" and config["temperature"] >= 1:
        return "a softmax of cosines gives no cell more than e^2 = 7.4 times the weight of another"
    return ""


def _in_use(answers: Sequence[str]) -> float:
    """How many answers are in use: the exponential of their entropy."""
    shares = [count / len(answers) for count in Counter(answers).values()]
    return math.exp(-sum(share * math.log(share) for share in shares))


def _at_least(heads: int, tosses: int) -> float:
    """The exact probability of so many heads or more in so many tosses of a fair coin."""
    ways, total = 1, 0  # of exactly ``tosses - k`` heads, and of at least as many
    for k in range(tosses - heads + 1):
        total += ways
        ways = ways * (tosses - k) // (k + 1)
    return float(total / 2**tosses)
