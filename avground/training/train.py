"""Training from a run to a report, and going on where one stopped."""

import dataclasses
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from avground.data.manifest import Kind
from avground.errors import ConfigError, DataError
from avground.models import MODELS, Network
from avground.training.checkpoint import read_checkpoint
from avground.training.graph import find_recorder
from avground.training.interrupt import Interrupted, StoppedTogether, stop_on_signals
from avground.training.launch import check_launcher
from avground.training.lock import lock_folder
from avground.training.logs import check_logs
from avground.training.loop import METRICS, Loop
from avground.training.placement import load_features, place_features
from avground.training.report import make_report, print_report
from avground.training.run import Run
from avground.training.saver import BEST, LAST, remove_unfinished
from avground.training.splits import Splits, load_splits


def train(run: Run, output: str | Path, *, resume: bool = False) -> dict[str, Any]:
    """Train as a run says, test the best model, and write checkpoints and ``metrics.json``.

    Ctrl-C and SIGTERM stop after the step under way and leave a checkpoint; with ``resume`` the run goes on from it
    exactly, as if it had not been interrupted.

    Args:
        run: What to train, see :func:`avground.training.pocket_run` and :func:`avground.training.music_avqa_run`.
        output: Folder for ``last.pt``, ``best.pt``, ``metrics.json`` and the logs that the run asks for.
        resume: Go on from the last good checkpoint there.

    Returns:
        What ``metrics.json`` holds, see :func:`avground.training.make_report`.

    Raises:
        ConfigError: if ``output`` holds a run and ``resume`` is False; if it holds none, or one with another
            configuration, and ``resume`` is True; if another run uses it; if the device, the precision or the processes
            are not to be had; if the features do not fit where the run wants them, or a step cannot be recorded and
            must be.
        DataError: if the data or a checkpoint cannot be used.
        FloatingPointError: if a loss or gradient is not finite; names the step and its videos, and what was saved.
        OSError: if a checkpoint cannot be written.
        Interrupted: after Ctrl-C or SIGTERM; says how to go on.
    """
    output, run = Path(output), dataclasses.replace(run, device=_device(run))
    seen = _files(output)
    content, path = _find_checkpoint(output, run) if resume else (None, "")
    if not resume:
        _refuse_to_overwrite(output)
    check_logs(run.log, output, resume=resume)
    fabric = make_fabric(run)
    fabric.launch()
    # What training holds in memory itself is not held a second time for reading.
    splits = load_splits(run, keep="auto" if run.features_on == "disk" else "disk")
    if content is not None and content["files"] != splits.files:
        raise ConfigError(f"{run.data}: expected the question files of {path}, got others (their SHA-256 differ)")
    if content is not None and (different := splits.features.differences(content["features"])):
        raise ConfigError(f"{splits.features.path}: expected the features that {path} was trained on: {different}")
    model = make_model(run, splits)
    placement = place_features(run, splits, model, fabric)
    recorder, why = find_recorder(run, fabric, placement.device)
    if fabric.is_global_zero:
        _describe(run, splits, model, fabric, path)
        print(f"features  {placement.text}")
        if fabric.device.type == "cuda":
            print(f"graph   {f'off: {why}' if why else 'each step is one'}", flush=True)
    fabric.barrier()  # No process may look for a run in the folder, or for free memory, once another fills it.
    bank = load_features(placement, splits, progress=fabric.is_global_zero)
    with stop_on_signals() as stop:
        loop = Loop(run, model, splits, output, fabric, stop, bank, recorder)
        if content is not None:
            loop.restore(content, path)
        with ExitStack() as held:
            _take_folder(output, seen, fabric, held)
            try:
                loop.fit()
                report = make_report(loop)
            except KeyboardInterrupt as error:
                left = _leave(loop)
                if isinstance(error, StoppedTogether):
                    fabric.barrier()  # Whoever is first to end may take the one along that still writes.
                raise Interrupted(left) from error
    if fabric.is_global_zero:
        print_report(report, output, loop.observer.told)
    return report


def _take_folder(output: Path, seen: dict[str, int], fabric: Fabric, held: ExitStack) -> None:
    """Hold the folder of a run, for all processes or for none, and remove what a killed run left half written there.

    Raises:
        ConfigError: in every process, if another run holds it, or wrote there while this one was starting.
    """
    problem = ""
    if fabric.is_global_zero:
        try:
            held.enter_context(lock_folder(output))
            if _files(output) != seen:
                problem = f"output: expected {output} as it was a moment ago, but another run wrote there: start again"
            else:
                remove_unfinished(output, BEST, LAST, METRICS)
        except ConfigError as error:
            problem = str(error)
    if problem := fabric.broadcast(problem):
        raise ConfigError(problem)


def _files(output: Path) -> dict[str, int]:
    """The files of a run that are there, and when each was written."""
    return {name: path.stat().st_mtime_ns for name in (LAST, BEST, METRICS) if (path := output / name).exists()}


def make_fabric(run: Run) -> Fabric:
    """The devices, processes and precision of a run; not launched.

    Raises:
        ConfigError: if they are not to be had on this machine.
    """
    cuda, device = torch.cuda.is_available(), _device(run)
    if device == "cuda" and (not cuda or run.devices > torch.cuda.device_count()):
        there = torch.cuda.device_count() if cuda else 0
        raise ConfigError(f"device='cuda', devices={run.devices}: expected at most the {there} that torch finds here")
    if device == "cpu" and run.precision == "16-mixed":
        raise ConfigError("precision: expected '32-true' or 'bf16-mixed' on the CPU, got '16-mixed'")
    check_launcher(run.devices, run.nodes)
    precision: Any = run.precision
    return Fabric(accelerator=device, devices=run.devices, num_nodes=run.nodes, precision=precision)


def _device(run: Run) -> str:
    """The kind of device that a run means."""
    return run.device if run.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def make_model(run: Run, splits: Splits) -> Network:
    """The untrained model of a run: its sizes come from the data, its weights from the seed."""
    torch.manual_seed(run.seed)
    visual_dim = splits.features.visual_shape[0]
    return MODELS[run.model](
        vocabulary_size=len(splits.vocabulary.words),
        answers=len(splits.vocabulary.answers),
        audio_dim=splits.features.audio_dim,
        visual_dim=visual_dim,
        dim=run.dim or visual_dim,
        **run.overrides,
    )


def _find_checkpoint(output: Path, run: Run) -> tuple[dict[str, Any], str]:
    """The content of the last good checkpoint of this very run, and its file."""
    there = [path for name in (LAST, BEST) if (path := output / name).exists()]
    if not there:
        raise ConfigError(f"resume: expected {LAST} or {BEST} in {output}, got neither; to start, leave resume off")
    problems: list[DataError] = []
    for path in there:
        try:
            content = read_checkpoint(path)
        except DataError as error:
            problems.append(error)
            continue
        differences = Run.from_dict(content["run"]).differences(run)
        if differences:
            listed = "; ".join(f"{name}: {old!r} there, {new!r} asked for" for name, (old, new) in differences.items())
            raise ConfigError(f"resume: expected the configuration of {path}, got another one: {listed}")
        return content, str(path)
    raise problems[0]


def _refuse_to_overwrite(output: Path) -> None:
    there = [name for name in (LAST, BEST, METRICS) if (output / name).exists()]
    if there:
        raise ConfigError(
            f"output: expected a folder without a run, got {output} with {', '.join(there)}: "
            "resume it (--resume) or choose another folder"
        )


def _leave(loop: Loop) -> str:
    """Save what can be saved, and say how to go on."""
    path = loop.output / LAST
    if not loop.consistent:
        return f"interrupted within a step, of which nothing was saved; {path}, if there, is from before"
    if not loop.done:  # Once all is done the last checkpoint is written, and the weights may be those of the best.
        loop.save()
    return f"interrupted {loop.where()}; {path} holds that. To go on, run the same again with --resume (resume=True)"


def _name(splits: Splits, kind: Kind) -> str:
    """What made a kind of features, and how precise they are."""
    manifest = splits.features.kinds[kind].manifest
    return f"{'unnamed ' + kind if manifest is None else manifest.extractor} ({splits.features.kinds[kind].precision})"


def _describe(run: Run, splits: Splits, model: Network, fabric: Fabric, path: str) -> None:
    counts = ", ".join(
        f"{entry['questions']:,} in {name}" for name, entry in splits.files.items() if "questions" in entry
    )
    c, h, w = splits.features.visual_shape
    parameters = sum(parameter.numel() for parameter in model.parameters())
    ablation = f", ablation {run.ablation}" if run.ablation else ""
    print(f"data    {splits.folder}\n        questions: {counts}; maps {c} x {h} x {w}")
    print(f"        features: {splits.features.path}, {_name(splits, 'audio')} and {_name(splits, 'visual')}")
    print(f"model   {run.model}{ablation}, dim {model.config.dim}, {parameters:,} parameters")
    print(f"device  {fabric.world_size} x {fabric.device.type}, {run.precision}")
    if path:
        print(f"resume  {path}")
