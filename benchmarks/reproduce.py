"""The rows of the paper's tables on Pocket, several seeds each, through the training command that users run.

    python benchmarks/reproduce.py --table 2 --seeds 5                # on the target track
    python benchmarks/reproduce.py --table 1 --world core --jobs 4

Besides Tables 1 to 7 there are three groups of our own: "sharp" takes tjstg_sharp apart, "matching" shows TJSTG
without the matching loss, "released" trains the authors' released arithmetic. A seed decides everything at
once: the world's scenes and codes, the model's weights, the order of the questions; rows are compared seed by seed.
Runs that are done are not repeated, so an interrupted benchmark goes on where it stopped. Rows that are the same
configuration (the paper prints its full model in most tables) share their runs. Writes
benchmarks/results/table-<table>-<world>.json, and the same as a table in Markdown beside it.
"""

import argparse
import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import RESULTS, ROOT, Job, environment, paired, run_jobs, summary, write_result

from avground.data import pocket
from avground.models import ABLATIONS, MODELS
from avground.training import Run, pocket_run

#: The row that the others of a table are compared with, where that is not the full model.
REFERENCES = {"3": "avst", "released": "released_paired", "sharp": "tjstg_sharp"}

TABLES = {
    **{str(n): tuple(name for name, row in ABLATIONS.items() if n in row.tables) for n in range(1, 8)},
    "released": tuple(name for name in ABLATIONS if name.startswith("released")),
    "sharp": ("full", "tjstg_sharp", *(name for name in ABLATIONS if name.startswith("sharp_without"))),
    "matching": ("full", "without_matching"),
}
TABLES["1"] = ("question_lstm", *TABLES["1"], "tjstg_sharp")

#: What is reported of each run: shares from 0 to 1, and how many times uniform the largest weight is.
MEASURES = {
    "accuracy": lambda test: test["accuracy"]["All"],
    "prior": lambda test: test["prior"]["All"],
    "pointing": lambda test: test["grounding"]["pointing"]["accuracy"],
    "pointing_by_chance": lambda test: test["grounding"]["pointing"]["chance"],
    "pointing_with_answer": lambda test: test["grounding"]["pointing"]["accuracy_with_answer"],
    "pointing_with_answer_by_chance": lambda test: test["grounding"]["pointing"]["chance_with_answer"],
    "peak_over_uniform": lambda test: test["grounding"]["pointing"]["peak_over_uniform"],
    "overlap": lambda test: test["grounding"]["temporal_overlap"]["mean"],
    "overlap_uniform": lambda test: test["grounding"]["temporal_overlap"]["uniform"],
    "audio_shuffled": lambda test: test["shuffled"]["audio"]["All"],
    "visual_shuffled": lambda test: test["shuffled"]["visual"]["All"],
}


def main() -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter, allow_abbrev=False)
    parser.add_argument("--table", required=True, choices=[*TABLES, "all"], help="all: Tables 1 to 7")
    parser.add_argument("--world", choices=pocket.PRESETS, default="target")
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0, 1, ... of world and model (default: 5)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one thread each (default: 2)")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "reproduce", help="folder for the runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result files")
    options = parser.parse_args()
    if options.seeds < 1 or options.jobs < 1:
        parser.error("--seeds and --jobs: expected at least 1")
    tables = [str(n) for n in range(1, 8)] if options.table == "all" else [options.table]
    seeds = range(options.seeds)
    names = dict.fromkeys(representative(name) for table in tables for name in TABLES[table])
    jobs = [Job(name, command_of(name), options.world, seed) for seed in seeds for name in names]
    reports = {(job.name, job.seed): report for job, report in run_jobs(jobs, options.runs, options.jobs).items()}
    for (name, seed), report in reports.items():
        check_report(name, seed, report)
    for table in tables:
        result = tabulate(table, options.world, seeds, options.jobs, reports)
        path = write_result(f"table-{table}-{options.world}", result, options.results)
        path.with_suffix(".md").write_text(render(result) + "\n")
        print(f"\n{render(result)}\n\n{path}")


def command_of(name: str) -> tuple[str, ...]:
    """The options of the training command that make a row."""
    return ("--ablation" if name in ABLATIONS else "--model", name)


def run_of(name: str, data: str = "pocket", **changes: Any) -> Run:
    """The run of a row."""
    what = {"ablation": name} if name in ABLATIONS else {"model": name}
    return pocket_run(data, **what, **changes)


@functools.cache
def _configuration(name: str) -> tuple[Any, ...]:
    """All that sets a row apart from others, but its name."""
    run = run_of(name)
    return run.model, MODELS[run.model](**run.overrides).config, run.objective, run.stage_one_epochs


@functools.cache
def representative(name: str) -> str:
    """The first row that is the same configuration."""
    return next(other for other in (*ABLATIONS, *MODELS) if _configuration(other) == _configuration(name))


def check_report(name: str, seed: int, report: dict[str, Any]) -> None:
    """Refuse a run that was kept from another configuration."""
    run = Run.from_dict(report["run"])
    wanted = run_of(name, report["run"]["data"], seed=seed, device=run.device)
    if differences := wanted.differences(dataclasses.replace(run, ablation=wanted.ablation)):
        raise SystemExit(f"{name}, seed {seed}: expected a run of this configuration, got one with {differences}")


def tabulate(
    table: str, world: str, seeds: Sequence[int], jobs: int, reports: dict[tuple[str, int], dict[str, Any]]
) -> dict[str, Any]:
    """The result file of a table."""

    def values(name: str, key: str) -> list[float]:
        return [MEASURES[key](reports[representative(name), seed]["test"]) for seed in seeds]

    reference = REFERENCES.get(table, "full")
    first = reports[representative(reference), seeds[0]]
    rows = {}
    for name in TABLES[table]:
        ours = [reports[representative(name), seed] for seed in seeds]
        row, run = ABLATIONS.get(name), run_of(name)
        accuracy = values(name, "accuracy")
        rows[name] = {
            "row": row.row if row else name,
            "paper": row.paper if row else None,
            "model": run.model,
            "overrides": dict(run.overrides),
            "objective": dataclasses.asdict(run.objective),
            "stage_one_epochs": run.stage_one_epochs,
            "same_runs_as": representative(name),
            "parameters": ours[0]["parameters"],
            "parameters_at_published_sizes": published_size(name),
            **{key: summary(values(name, key)) for key in MEASURES},
            "difference": None
            if representative(name) == representative(reference)
            else paired(accuracy, values(reference, "accuracy")),
            "seconds": summary([report["seconds"] for report in ours]),
            "accuracy_by_type": [report["test"]["accuracy"] for report in ours],
        }
    schedule = ("epochs", "batch_size", "learning_rate", "decay_epochs", "decay_factor")
    return {
        "script": f"benchmarks/reproduce.py --table {table} --world {world} --seeds {len(seeds)} --jobs {jobs}",
        **environment(),
        "runs_at_once": jobs,
        "threads_a_run": 1,
        "table": table,
        "world": {"name": world, **pocket.read_record(first["data"]["folder"])["knobs"]},
        "schedule": {name: first["run"][name] for name in schedule},
        "dim": first["model_config"]["dim"],
        "questions": first["test"]["count"]["All"],
        "seeds": list(seeds),
        "reference": reference,
        "prior": summary(values(reference, "prior")),
        "rows": rows,
    }


@functools.cache
def published_size(name: str) -> int:
    """Parameters of a row's model at the published sizes: 93 words, 42 answers, maps of 512 channels, dim 512."""
    run = run_of(name)
    return sum(parameter.numel() for parameter in MODELS[run.model](**run.overrides).parameters())


def render(result: dict[str, Any]) -> str:
    """A result file as a table in Markdown: means and standard deviations over seeds."""
    reference = next(row["row"] for row in result["rows"].values() if row["difference"] is None)
    world, n = result["world"]["name"], len(result["seeds"])
    heads = ["row", "paper, %", "Pocket, %", f"against {reference}, points (95 %)", "p", "pointing, %", "overlap, %"]
    lines = [f"| {' | '.join([*heads, 'parameters'])} |", "|---|" + "---:|" * len(heads)]
    for name, row in result["rows"].items():
        difference = row["difference"]
        if difference is None:
            against, p = "-", ""
        elif n == 1:
            against, p = f"{100 * difference['mean']:+.1f}", ""
        else:
            low, high = difference["interval"]
            against = f"{100 * difference['mean']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
            p = _p(difference["p"]) if "p" in difference else ""
        label = f"{row['row']} (`{name}`)" if row["row"] != name else f"`{name}`"
        paper = "-" if row["paper"] is None else f"{row['paper']:.2f}"
        cells = [label, paper, _spread(row["accuracy"]), against, p, _spread(row["pointing"]), _spread(row["overlap"])]
        lines.append(f"| {' | '.join([*cells, _millions(row)])} |")
    rows = list(result["rows"].values())
    chance, uniform = _spread(rows[0]["pointing_by_chance"]), _spread(rows[0]["overlap_uniform"])
    lines.append(f"| prior, flat map, uniform weights | | {_spread(result['prior'])} | | | {chance} | {uniform} | |")
    lines.append(
        f"\nPocket's {world} track, {result['questions']:,} test questions, {n} seeds of world and model, mean "
        "± standard deviation. *Paper*: on MUSIC-AVQA's test set, so other data: compare the order, not the numbers. "
        f"*p*: paired t-test. *Parameters*: here (dim {result['dim']}) / at the published sizes."
    )
    return "\n".join(lines)


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _millions(row: dict[str, Any]) -> str:
    return f"{row['parameters'] / 1e6:.2f} M / {row['parameters_at_published_sizes'] / 1e6:.2f} M"


def _spread(measured: dict[str, Any]) -> str:
    spread = f" ± {100 * measured['deviation']:.1f}" if "deviation" in measured else ""
    return f"{100 * measured['mean']:.1f}{spread}"


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command goes on where it stopped") from None
