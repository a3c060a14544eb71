"""Turning videos into features."""

import dataclasses
import os
import platform
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

from avground.errors import AvgroundError, DataError, check_choice, check_whole
from avground.media.decode import check_installed
from avground.media.extractors import AUDIO_EXTRACTORS, VISUAL_EXTRACTORS, Extractor, make_extractor
from avground.media.folders import FeaturesOut, finished, make_folder, write_file
from avground.media.outcomes import Outcome, OutcomeLog
from avground.media.pipeline import Pipeline
from avground.media.processes import Processes, launch
from avground.media.progress import show_videos
from avground.media.report import FILE, ExtractionReport
from avground.media.videos import Videos, find_videos

DTYPES = ("float32", "float16")


def extract(
    videos: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    audio: str = "vggish",
    audio_weights: str | os.PathLike[str] | None = None,
    visual: str = "resnet18",
    visual_weights: str | os.PathLike[str] | None = None,
    weights_folder: str | os.PathLike[str] | None = None,
    statistics: str | None = None,
    seconds: int = 60,
    dtype: str = "float32",
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    workers: int | None = None,
    progress: bool = True,
) -> ExtractionReport:
    """Write the features of videos to ``<output>/<kind of feature>/<id>.npy``, one row a second.

    Videos whose features are there are skipped, so a run that was stopped goes on when it is asked for again, and its
    files are those of a run that was not. A video that cannot be used ends in the report, which is also written to
    ``<output>/extraction.json``, and the others go on. What becomes of each video is in ``<output>/extraction-*.jsonl``
    at once, so that the report also tells of earlier runs, and of those that were killed.

    Args:
        videos: A folder of videos, or files, or several of both. A video's id is its file's name without the suffix.
        output: Folder for the features.
        audio: Name of the extractor of sound, one of ``AUDIO_EXTRACTORS``.
        audio_weights: File with its weights, if it needs any.
        visual: Name of the extractor of pictures, one of ``VISUAL_EXTRACTORS``.
        visual_weights: File with its weights.
        weights_folder: Folder of published weights, in which both are looked for.
        statistics: Mean and deviation of pixels that pictures are normalised with; the extractor's own by default.
        seconds: Seconds of a video that are used, at most, from its start.
        dtype: Type of the values on disk, ``"float32"`` or ``"float16"``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        devices: Devices a machine, with a process each; more than one needs Lightning.
        nodes: Machines.
        workers: Videos that a process decodes at the same time; by default one for each processor it can have.
        progress: Whether to show how far it is, and a summary at the end.

    Returns:
        What became of each video; the same in every process.

    Raises:
        ConfigError: if a setting does not exist, or cannot be had here.
        DataError: before any work if there is no video, two have one id, an id is no plain file name, weights cannot be
            used, or a folder holds features made in another way; later if a file cannot be written.
        KeyboardInterrupt: after Ctrl-C; says how to go on.
    """
    # Before any check: a process that gave up alone would leave those of other machines waiting.
    processes = launch(device, devices, nodes)
    output, found = Path(output), Videos({}, {})
    problem: AvgroundError | None = None
    extractors: dict[str, Extractor] = {}
    kinds: dict[str, FeaturesOut] = {}
    try:
        check_choice("audio", audio, AUDIO_EXTRACTORS)
        check_choice("visual", visual, VISUAL_EXTRACTORS)
        check_choice("dtype", dtype, DTYPES)
        check_whole("seconds", seconds)
        if workers is not None:
            check_whole("workers", workers)
        check_installed()
        found = find_videos(videos)
        for name, weights, normalised in ((audio, audio_weights, None), (visual, visual_weights, statistics)):
            extractor = make_extractor(
                name,
                weights=None if weights is None else Path(weights),
                weights_folder=None if weights_folder is None else Path(weights_folder),
                statistics=normalised,
                seconds=seconds,
                device=processes.device,
            )
            extractors[extractor.kind] = extractor
            kinds[extractor.kind] = _features_out(extractor, output, dtype)
        _prepare(output, kinds)
    except AvgroundError as error:
        problem = error
    processes.agree(problem)
    _check_same(processes, list(found.paths))
    log = OutcomeLog(output, [kind.folder.name for kind in kinds.values()], processes.rank)
    pipeline = Pipeline(extractors, kinds, log, seconds, workers or _processors(processes), processes.device)
    start = time.monotonic()
    outcomes = _work_on_share(processes, pipeline, found.paths, progress)
    try:
        report = _report(processes, outcomes, found, pipeline, output, time.monotonic() - start)
        if processes.rank == 0:
            write_file(report.path, report.dump().encode())
            if progress:
                print(report.summary(), flush=True)
    finally:
        processes.end()
    return report


def _features_out(extractor: Extractor, output: Path, dtype: str) -> FeaturesOut:
    """The folder of an extractor's features; the type on disk is one of the settings that decide values."""
    manifest = extractor.manifest
    settings = {**manifest.settings, "dtype": dtype}
    return FeaturesOut(output / extractor.folder, dataclasses.replace(manifest, settings=settings))


def _prepare(output: Path, kinds: Mapping[str, FeaturesOut]) -> None:
    """Check all folders before anything is written to one."""
    make_folder(output)
    for kind in kinds.values():
        kind.check()
    for kind in kinds.values():
        kind.prepare()


def _check_same(processes: Processes, names: list[str]) -> None:
    """Shares of different lists would leave videos out."""
    others = processes.gather(names)
    differing = [rank for rank, other in enumerate(others) if other != others[0]]
    problem = f"expected the same videos in all processes, got others in {differing}" if differing else ""
    processes.agree(DataError(problem) if problem else None)


def _work_on_share(
    processes: Processes, pipeline: Pipeline, paths: Mapping[str, Path], progress: bool
) -> dict[str, Outcome]:
    """What becomes of the videos of this process that are not finished yet."""
    share = islice(paths.items(), processes.rank, None, processes.size)
    todo = {video: path for video, path in share if not finished(pipeline.kinds, video)}
    work = pipeline.run(todo)
    if progress and processes.rank == 0:
        of = f" (process 1 of {processes.size})" if processes.size > 1 else ""
        work = show_videos(work, len(todo), f"extracting{of}")
    outcomes: dict[str, Outcome] = {}
    problem: AvgroundError | None = None
    try:
        outcomes.update(work)
    except AvgroundError as error:
        problem = error
    except KeyboardInterrupt as stop:
        processes.end(wait=False)
        done = sum(finished(pipeline.kinds, video) for video in todo)
        raise KeyboardInterrupt(
            f"interrupted with {done:,} of {len(todo):,} videos done. To go on, run the same again"
        ) from stop
    processes.agree(problem)
    return outcomes


def _processors(processes: Processes) -> int:
    """Processors that a process can have to itself."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, there // processes.here)


def _report(
    processes: Processes,
    outcomes: Mapping[str, Outcome],
    found: Videos,
    pipeline: Pipeline,
    output: Path,
    seconds: float,
) -> ExtractionReport:
    """The report over all processes, and over earlier runs."""
    parts = processes.gather((dict(outcomes), seconds, pipeline.log.read()))
    kinds, earlier = pipeline.kinds, parts[0][2]
    together = {video: outcome for part, *_ in parts for video, outcome in part.items()}
    worked = {video: together[video] for video in found.paths if video in together}
    known = dict(sorted({**earlier, **together}.items()))
    there = {video for video in known if finished(kinds, video)}
    return ExtractionReport(
        path=output / FILE,
        done=tuple(video for video, outcome in worked.items() if not outcome.reason),
        already_there=tuple(video for video in found.paths if video not in worked),
        failed={video: outcome.reason for video, outcome in worked.items() if outcome.reason},
        failed_before={
            video: outcome.reason
            for video, outcome in known.items()
            if outcome.reason and video not in found.paths and video not in there
        },
        notes={video: outcome.notes for video, outcome in known.items() if outcome.notes and video in there},
        ignored=found.ignored,
        features={kind: {"folder": out.folder.name, "manifest": out.manifest.to_dict()} for kind, out in kinds.items()},
        device=processes.device.type,
        processes=processes.size,
        versions={
            "python": platform.python_version(),
            **kinds["audio"].manifest.versions,
            **kinds["visual"].manifest.versions,
        },
        seconds=round(max(spent for _, spent, _ in parts), 3),
    )
