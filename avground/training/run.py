"""A run: everything that decides what a training run computes, in one frozen object that every checkpoint keeps."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from avground.data.vocabulary import UnknownWords
from avground.errors import ConfigError, brief, check_choice, check_positive, check_whole
from avground.models import ABLATIONS, MODELS, OBJECTIVES, UNMATCHED
from avground.training.objective import Objective

LoggerName = Literal["csv", "tensorboard"]

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
FEATURES_ON = ("auto", "device", "host", "disk")
GRAPHS = ("auto", "on", "off")
LOGGERS: tuple[LoggerName, ...] = get_args(LoggerName)

# None changes a number: data may have moved (annotations are compared by content, features by their manifests where
# they have them), features are the same wherever they lie, processes that only load data may come and go, and a
# recorded step computes what a step computes.
_FREE_TO_CHANGE = frozenset({"data", "features", "features_on", "graph", "log", "workers"})


@dataclass(frozen=True, kw_only=True)
class Run:
    """A complete training configuration.

    Args:
        data: Folder of the data set: ``<annotations>/`` with its question files, and ``feats/``.
        annotations: Folder of the question files inside ``data``, under any of the published names, see
            :func:`avground.data.question_files`.
        prefix: Which data set, where several lie in that folder: ``"bias"``, ``"balance"``, ``"avqa"``.
        unknown_words: ``"error"``, or ``"skip"``: leave out words of val and test that train lacks, as the rephrased
            questions of MUSIC-AVQA-R have.
        features: Folder of ``.npy`` files, or a packed store; None for ``feats`` inside ``data``.
        audio_features: Folder of sound features in ``features``; None for the one that
            :class:`avground.data.FeatureFolder` finds.
        visual_features: The same of picture features.
        segments: Segments of a video, t.
        model: Name in :data:`avground.models.MODELS`.
        overrides: Keyword arguments for the model's builder.
        ablation: The row of the paper's tables this run repeats (:meth:`with_ablation`), or None.
        dim: Width of the model; None for the number of channels of the picture features.
        objective: Weights of the losses of stage II.
        stage_one_epochs: Passes over the train *videos*, learning which sound and sight belong together (Eqs. 21-22).
        epochs: Passes over the train *questions*, with the whole objective.
        batch_size: Samples a step, over all devices together.
        learning_rate: Adam's, at the start of either stage.
        decay_epochs: The learning rate is multiplied by ``decay_factor`` after every so many epochs of a stage.
        decay_factor: See ``decay_epochs``.
        seed: Of weights, order, negatives and dropout.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        devices: Devices a node.
        nodes: Nodes.
        precision: ``"32-true"``, ``"bf16-mixed"`` or ``"16-mixed"``.
        features_on: Where features lie: ``"device"``, ``"host"`` (in memory, from where batches are copied ahead),
            ``"disk"``, or ``"auto"``, the first of these that has room.
        graph: Whether a step is recorded as one CUDA graph and replayed: ``"on"``, ``"off"``, or ``"auto"``, where it
            can be: on one CUDA device that holds the features, and not with ``precision="16-mixed"``.
        workers: Processes that read features from disk; None for 0 where the features are in memory and a few where
            not.
        log: What every epoch is logged to: ``"csv"`` (``metrics.csv``), ``"tensorboard"``, both or nothing.

    Raises:
        ConfigError: names the field, what was expected and what it got.
    """

    data: str
    annotations: str = "json"
    prefix: str | None = None
    unknown_words: UnknownWords = "error"
    features: str | None = None
    audio_features: str | None = None
    visual_features: str | None = None
    segments: int = 10
    model: str = "tjstg"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    ablation: str | None = None
    dim: int | None = None
    objective: Objective = field(default_factory=Objective)
    stage_one_epochs: int
    epochs: int
    batch_size: int = 64
    learning_rate: float
    decay_epochs: int
    decay_factor: float = 0.1
    seed: int = 0
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "32-true"
    features_on: str = "auto"
    graph: str = "auto"
    workers: int | None = None
    log: tuple[LoggerName, ...] = ("csv",)

    def __post_init__(self) -> None:
        check_choice("model", self.model, MODELS)
        check_choice("ablation", self.ablation, (None, *ABLATIONS))
        check_choice("unknown_words", self.unknown_words, get_args(UnknownWords))
        check_choice("device", self.device, DEVICES)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("features_on", self.features_on, FEATURES_ON)
        check_choice("graph", self.graph, GRAPHS)
        object.__setattr__(self, "log", (self.log,) if isinstance(self.log, str) else tuple(self.log))
        for logger in self.log:
            check_choice("log", logger, LOGGERS)
        lowest = {
            "segments": 1,
            "stage_one_epochs": 0,
            "epochs": 1,
            "batch_size": 1,
            "decay_epochs": 1,
            "devices": 1,
            "nodes": 1,
            "seed": 0,
        }
        for name, least in lowest.items():
            check_whole(name, getattr(self, name), least)
        for name in ("dim", "workers"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), 0 if name == "workers" else 1)
        for name in ("learning_rate", "decay_factor"):
            check_positive(name, getattr(self, name))
        if self.batch_size % (processes := self.devices * self.nodes):
            raise ConfigError(
                f"batch_size: expected a multiple of devices * nodes = {processes}, got {self.batch_size}"
            )
        if self.model in UNMATCHED:
            asked = {"objective.matching": self.objective.matching, "stage_one_epochs": self.stage_one_epochs}
            for name, value in asked.items():
                if value:
                    raise ConfigError(f"{name}: expected 0 for {self.model!r}, which has no matching head, got {value}")

    def with_ablation(self, name: str) -> Self:
        """This run with the model and objective of one row of the paper's tables.

        Stage I is left out where the row has no matching loss.

        Raises:
            ConfigError: for a row that does not exist; the message lists those that do.
        """
        check_choice("ablation", name, ABLATIONS)
        row = ABLATIONS[name]
        objective = dataclasses.replace(self.objective, **{**OBJECTIVES[row.model], **row.objective})
        return dataclasses.replace(
            self,
            ablation=name,
            model=row.model,
            overrides={**self.overrides, **row.changes},
            stage_one_epochs=self.stage_one_epochs if objective.needs_negatives else 0,
            objective=objective,
        )

    def learning_rate_at(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0 in its stage."""
        rate: float = self.learning_rate * self.decay_factor ** (epoch // self.decay_epochs)
        return rate

    def to_dict(self) -> dict[str, Any]:
        """The run as plain values, for checkpoints and JSON."""
        return {**dataclasses.asdict(self), "overrides": dict(self.overrides)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`.

        Raises:
            ConfigError: if a field is missing, unknown or wrong.
        """
        try:
            run = cls(**{**values, "objective": Objective(**values["objective"])})
        except (TypeError, KeyError) as error:
            raise ConfigError(
                f"run: expected the fields {', '.join(f.name for f in dataclasses.fields(cls))}; {str(error)[:200]}"
            ) from error
        for name in ("data", "annotations", "prefix", "features", "audio_features", "visual_features"):
            value = getattr(run, name)
            if not isinstance(value, str) and (value is not None or name in ("data", "annotations")):
                raise ConfigError(f"{name}: expected a string, got {brief(value)}")
        if not isinstance(run.overrides, Mapping) or not all(isinstance(name, str) for name in run.overrides):
            raise ConfigError(f"overrides: expected settings by name, got {brief(run.overrides)}")
        return run

    def differences(self, other: "Run") -> dict[str, tuple[Any, Any]]:
        """The fields in which two runs differ, apart from those that change no number, such as ``data``."""
        mine, theirs = self.to_dict(), other.to_dict()
        return {
            name: (mine[name], theirs[name])
            for name in mine
            if name not in _FREE_TO_CHANGE and mine[name] != theirs[name]
        }


def music_avqa_run(data: str, **changes: Any) -> Run:
    """The paper's schedule, for real data: 30 epochs, batch 64, Adam 2e-4, times 0.1 every 10 epochs.

    The paper does not say how long stage I is; 10 passes over the videos are taken here.

    Args:
        data: Folder of the data set.
        **changes: Fields of :class:`Run` to change; ``ablation`` sets model and objective too, and ``objective``
            may be some of its weights by name. Without a matching loss stage I is left out unless asked for.
    """
    schedule = {"stage_one_epochs": 10, "epochs": 30, "batch_size": 64, "learning_rate": 2e-4, "decay_epochs": 10}
    return _make(data, schedule, changes)


def pocket_run(data: str, **changes: Any) -> Run:
    """A schedule for the embedded benchmark: 14 epochs, Adam 2e-3, times 0.1 for the last quarter.

    Args:
        data: Folder of a Pocket world.
        **changes: Fields of :class:`Run` to change; ``ablation`` sets model and objective too, and ``objective``
            may be some of its weights by name. Without a matching loss stage I is left out unless asked for.
    """
    epochs = changes.get("epochs", 14)
    decay = max(1, round(0.75 * epochs)) if isinstance(epochs, int) else 1
    schedule = {"stage_one_epochs": 2, "epochs": epochs, "batch_size": 64, "learning_rate": 2e-3, "decay_epochs": decay}
    return _make(data, schedule, changes)


def _make(data: str, schedule: dict[str, Any], changes: dict[str, Any]) -> Run:
    known = [item.name for item in dataclasses.fields(Run)]
    for name in changes:
        check_choice("field of Run", name, known)
    values = {"model": "tjstg", **schedule, **changes}
    row = values.pop("ablation", None)
    check_choice("model", values["model"], MODELS)
    weights = values.pop("objective", {})
    values["objective"] = _objective(Objective(**OBJECTIVES[values["model"]]), weights)

    def stage_one_epochs(objective: Objective) -> Any:
        return changes.get("stage_one_epochs", schedule["stage_one_epochs"] if objective.needs_negatives else 0)

    run = Run(data=data, **{**values, "stage_one_epochs": stage_one_epochs(values["objective"])})
    if row is None:
        return run
    ablated = run.with_ablation(row)
    if changes.get("model", ablated.model) != ablated.model:
        raise ConfigError(f"model: expected {ablated.model!r}, which the ablation {row!r} changes, got {run.model!r}")
    objective = _objective(ablated.objective, weights)
    return dataclasses.replace(ablated, objective=objective, stage_one_epochs=stage_one_epochs(objective))


def _objective(base: Objective, weights: Objective | Mapping[str, Any]) -> Objective:
    """The whole objective if one is given, else ``base`` with the weights given."""
    if isinstance(weights, Objective):
        return weights
    for name in weights:
        check_choice("objective", name, [item.name for item in dataclasses.fields(Objective)])
    return dataclasses.replace(base, **weights)
