"""The model card: ``README.md`` of a model, written from what is known of it. What is not known is left out."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from avground.data.annotations import FREQUENCIES
from avground.data.pocket.build import RECORD_FILE
from avground.data.table import ALL, row_name
from avground.hub.config import files_without_folders, last_name
from avground.media import AUDIO_EXTRACTORS, VISUAL_EXTRACTORS

if TYPE_CHECKING:
    from avground.hub.pretrained import PretrainedModel

CARD = "README.md"

_STREAMS = {"audio": "sound", "visual": "pictures"}


def make_card(trained: "PretrainedModel") -> str:
    """The model card of a model, with the front matter that the hub reads."""
    from huggingface_hub import EvalResult, ModelCardData

    tags = ["audio-visual-question-answering", "avground", "grounding", trained.run.model]
    results: dict[str, Any] = {}
    if trained.metrics is not None:
        test = trained.metrics["test"]
        name = "Audio-visual question answering"
        score = EvalResult(
            task_type="visual-question-answering",
            task_name=name,
            dataset_type=_dataset(trained),
            dataset_name=_dataset(trained),
            dataset_split="test",
            metric_type="accuracy",
            metric_name="Accuracy",
            metric_value=round(test["accuracy"][ALL], 4),
        )
        results = {"model_name": _title(trained), "eval_results": [score]}
    front = ModelCardData(
        library_name="avground", pipeline_tag="visual-question-answering", tags=sorted(set(tags)), **results
    )
    sections = (_what, _scores, _grounding, _use, _data, _training, _limits)
    parts = [part for section in sections if (part := section(trained))]
    return f"---\n{front.to_yaml().strip()}\n---\n\n" + "\n\n".join(parts) + "\n"


def _title(trained: "PretrainedModel") -> str:
    return trained.run.ablation or trained.run.model


def _dataset(trained: "PretrainedModel") -> str:
    return last_name(trained.run.data) or "unnamed"


def _on_pocket(trained: "PretrainedModel") -> bool:
    return RECORD_FILE in trained.files


def _what(trained: "PretrainedModel") -> str:
    known = trained.vocabulary
    parameters = sum(parameter.numel() for parameter in trained.model.parameters())
    return (
        f"# {_title(trained)}\n\n"
        "Answers questions about sound and pictures of a video, and says where and when it looked and listened: the "
        f"model `{trained.run.model}` of avground, with {parameters:,} parameters. It reads {len(known.words) - 1} "
        f"words and chooses among {len(known.answers)} answers."
    )


def _scores(trained: "PretrainedModel") -> str:
    if trained.metrics is None:
        return ""
    test = trained.metrics["test"]
    lines = [
        "## What it scores",
        "",
        "Accuracy on the test questions in percent. Prior: the most frequent answer to each question template in the "
        "train questions, which looks at nothing and listens to nothing.",
        "",
        "| questions | n | accuracy | prior | gain |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [_row(" ".join(row_name(row).split()), test, row) for row in test["accuracy"]]
    for part in FREQUENCIES:
        if test.get(part, {}).get("count", {}).get(ALL):
            lines.append(_row(f"{part} answers", test[part], ALL))
    for what, accuracy in test.get("shuffled", {}).items():
        lines += ["", f"With the {_STREAMS[what]} of other videos: {100 * accuracy[ALL]:.2f}."]
    return "\n".join(lines)


def _row(name: str, scores: Mapping[str, Any], row: str) -> str:
    accuracy, prior = 100 * scores["accuracy"][row], 100 * scores["prior"][row]
    return f"| {name} | {scores['count'][row]:,} | {accuracy:.2f} | {prior:.2f} | {accuracy - prior:+.2f} |"


def _grounding(trained: "PretrainedModel") -> str:
    found = (trained.metrics or {}).get("test", {}).get("grounding", {})
    lines = []
    where, when = found.get("pointing", {}), found.get("temporal_overlap", {})
    if where.get("accuracy") is not None and where.get("chance") is not None:
        lines.append(
            "- Where: the heaviest cell lies on an instrument that was asked for in "
            f"{100 * where['accuracy']:.2f} % of segments; a random cell does in {100 * where['chance']:.2f} %."
        )
    if when.get("mean") is not None and when.get("uniform") is not None:
        lines.append(
            f"- When: {100 * when['mean']:.2f} % of the weight lies on the segments that decide the answer; of uniform "
            f"weights {100 * when['uniform']:.2f} % does."
        )
    return "\n".join(["## What it is grounded in", "", *lines]) if lines else ""


def _use(trained: "PretrainedModel") -> str:
    config, t = trained.model.config, trained.run.segments
    word = json.dumps(trained.vocabulary.words[-1], ensure_ascii=False)
    words = max([14, *(len(template.split()) for template in trained.templates)])
    lines = [
        "## How to use it",
        "",
        '```bash\npip install "avground[hub,train]"\n```',
        "",
        "FOLDER_OR_NAME is this folder, or its name on the hub.",
        "",
    ]
    if _from_videos(trained):
        question = next((one for one in trained.templates if "<" not in one), "")
        lines += [
            "With a video, through the extractors that its features were made with; this needs the extra `media` too:",
            "",
            "```python",
            "from avground.answer import Answerer",
            "",
            'video = Answerer("FOLDER_OR_NAME").watch("concert.mp4")',
            f"print(video.ask({json.dumps(question or 'a question', ensure_ascii=False)}))",
            "```",
            "",
        ]
    lines += [
        "With features:",
        "",
        "```python",
        "import torch",
        "",
        "from avground.hub import PretrainedModel",
        "",
        'trained = PretrainedModel.from_pretrained("FOLDER_OR_NAME")',
        f"audio = torch.zeros(1, {t}, {config.audio_dim})  # clips, segments, channels",
        f"visual = torch.zeros(1, {t}, {config.visual_dim}, {_map_size(trained)})  # and rows and columns of cells",
        f"question = torch.tensor([trained.vocabulary.encode([{word}], {words})])",
        "with torch.no_grad():",
        "    out = trained.model(audio, visual, question)",
        "print(trained.vocabulary.answers[out.answer_logits.argmax()])",
        "```",
    ]
    return "\n".join(lines)


def _from_videos(trained: "PretrainedModel") -> bool:
    """Whether there are extractors that make its features of a video."""
    choices = {"audio": AUDIO_EXTRACTORS, "visual": VISUAL_EXTRACTORS}
    made = {kind: trained.features[kind]["manifest"] for kind in choices}
    return all(made[kind] is not None and made[kind]["extractor"] in names for kind, names in choices.items())


def _map_size(trained: "PretrainedModel") -> str:
    made = trained.features["visual"]["manifest"]
    return "14, 14" if made is None else ", ".join(str(length) for length in made["shape"][1:])


def _data(trained: "PretrainedModel") -> str:
    lines = ["## Data", "", f"Data set `{_dataset(trained)}`."]
    if trained.files:
        lines += ["", "| file | questions | videos | SHA-256 |", "|---|---:|---:|---|"]
    for name, about in files_without_folders(trained.files).items():
        lines.append(f"| `{name}` | {about.get('questions', '')} | {about.get('videos', '')} | `{about['sha256']}` |")
    lines.append("")
    for kind in ("audio", "visual"):
        about = trained.features[kind]
        if (made := about["manifest"]) is None:
            lines.append(f"- {kind} features: no record of what made them; stored as {about['precision']}")
            continue
        shape = " x ".join(str(length) for length in made["shape"])
        weights = f", weights `{made['weights']}`" if made["weights"] else ""
        lines.append(f"- {kind} features: `{made['extractor']}`, {shape}{weights}; stored as {about['precision']}")
    return "\n".join(lines)


def _training(trained: "PretrainedModel") -> str:
    run, metrics = trained.run, trained.metrics or {}
    settings = json.dumps(run.to_dict()["objective"])
    lines = [
        "## How it was trained",
        "",
        f"- {run.stage_one_epochs} epochs over videos, then {run.epochs} over questions; batches of {run.batch_size}; "
        f"Adam {run.learning_rate:g}, times {run.decay_factor:g} every {run.decay_epochs} epochs; seed {run.seed}; "
        f"precision {run.precision}",
        f"- objective: `{settings}`; model: `{json.dumps(vars(trained.model.config))}`",
    ]
    if "best_epoch" in metrics:
        lines.append(f"- kept: epoch {metrics['best_epoch']}, the best on the validation questions")
    if "seconds" in metrics:
        lines.append(f"- time: {metrics['seconds']:,.1f} s")
    if trained.versions:
        lines.append("- versions: " + ", ".join(f"{name} {version}" for name, version in trained.versions.items()))
    return "\n".join(lines)


def _limits(trained: "PretrainedModel") -> str:
    lines = [
        "## Limits",
        "",
        f"- It knows {len(trained.vocabulary.words) - 1} words and {len(trained.vocabulary.answers)} answers, and was "
        f"trained on {len(trained.templates)} forms of question. A word it does not know is an error; a form it does "
        "not know gets an answer that means little.",
        "- Its features must be made as those above were; with any others the answers mean nothing.",
        "- Weights say what the model attended to. They do not prove that an answer is right, or why.",
    ]
    if _on_pocket(trained):
        lines.append("- It was trained on Pocket, a made-up world of avground: it says nothing about real videos.")
    if trained.metrics is None:
        lines.append("- What it scores is not recorded.")
    lines += [f"- {' '.join(one['text'].split())}" for one in (trained.metrics or {}).get("warnings", [])]
    return "\n".join(lines)
