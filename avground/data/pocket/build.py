"""Writing a Pocket folder: annotations, features or videos, truth and a record of how it was made."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from avground.data.cache import cache_directory
from avground.data.manifest import FILE as MANIFEST_FILE
from avground.data.manifest import Manifest, dump_manifest
from avground.data.pocket.choose import Chooser, words
from avground.data.pocket.features import SECONDS, Array, Codes, audio_rows, visual_map
from avground.data.pocket.questions import Question, all_questions
from avground.data.pocket.rendering import Rendering
from avground.data.pocket.scene import Scene, make_scene
from avground.data.pocket.streams import Stream
from avground.data.pocket.templates import TEMPLATES
from avground.data.pocket.truth import FILE as TRUTH_FILE
from avground.data.pocket.truth import Decides, Seen, Truth
from avground.data.pocket.world import SPLITS, World, get_world
from avground.errors import ConfigError, DataError, brief, check_whole
from avground.reading import check_plain, read_json

# Writes what is seen and heard in the scenes of a split, calls a function after each, and returns the hashes.
_Writer = Callable[[Path, str, Sequence[Scene], Callable[[], object]], dict[str, str]]

VERSION = 1
RECORD_FILE = "pocket.json"
AUDIO_FOLDER, VISUAL_FOLDER = "feats/vggish", "feats/res18_14x14"
VIDEO_FOLDER = "videos"
_RENDERING_VERSION = 1  # of what is drawn and synthesised


def default_directory(world: str | World = "core", *, seed: int = 0, rendering: Rendering | None = None) -> Path:
    """A folder of the user's cache for this world and seed, such as ``~/.cache/avground/pocket-core-0``.

    ``AVGROUND_CACHE`` names another place for it, or ``XDG_CACHE_HOME`` the folder that holds it. A world of one's
    own gets a name that depends on its knobs, and videos one that depends on the rendering: ``pocket-core-pixels-0``.
    """
    name, knobs = get_world(world)
    if name == "custom":
        name += "-" + hashlib.sha256(_dump(knobs.to_dict()).encode()).hexdigest()[:8]
    if rendering is not None:
        name += "-pixels"
        if rendering != Rendering():
            name += f"-{rendering.seconds}s-{rendering.fps}fps-{rendering.size}"
    return cache_directory() / f"pocket-{name}-{seed}"


def generate(
    directory: str | Path,
    world: str | World = "core",
    *,
    seed: int = 0,
    progress: bool = True,
    rendering: Rendering | None = None,
    workers: int | None = None,
) -> Path:
    """Make a Pocket folder, or find that it is already there.

    The folder has the layout of MUSIC-AVQA: ``json/avqa-{train,val,test}.json``, ``feats/vggish/<id>.npy`` (60, ca)
    and ``feats/res18_14x14/<id>.npy`` (t, c, h, w), both float32 and with a manifest; beside them ``truth.json``, which
    :func:`read_truth` reads, and ``pocket.json``, the seed, the knobs, the version and the hashes of what was written.
    The same world and seed give the same bytes on any machine.

    With a rendering, ``videos/<id>.mp4`` takes the place of the features: the same scenes, questions and truth, drawn
    and synthesised, for an extraction of one's own. The hashes are then of what is drawn and synthesised, as the bytes
    of a video file depend on the version of the encoder.

    Args:
        directory: Where to make it. A folder is made whole or not at all, and never overwritten.
        world: A preset's name (see :data:`PRESETS`) or a world of one's own.
        seed: Decides everything that the knobs leave open.
        progress: Whether to show a progress bar, where ``tqdm`` is installed.
        rendering: How to film the scenes; ``None`` makes features. Needs ``pip install "avground[media]"``.
        workers: Videos made at once; by default one for each processor. It makes no difference to what is made.

    Returns:
        The folder.

    Raises:
        ConfigError: for a preset that does not exist, a world in which nothing can be asked, a rendering whose seconds
            are no multiple of the world's segments, or one without the packages for it.
        DataError: if there is something else at ``directory``: another world, another seed or no Pocket folder.
    """
    name, knobs = get_world(world)
    seed = int(seed)
    target = Path(directory).expanduser()
    asked: dict[str, Any] = {"version": VERSION, "world": name, "seed": seed, "knobs": knobs.to_dict()}
    if workers is not None:
        check_whole("workers", workers)
    if rendering is not None:
        rendering.check(knobs)
        asked["rendering"] = {"version": _RENDERING_VERSION, **rendering.to_dict()}
    if target.exists():
        _check_same(target, asked)
        return target
    if rendering is None:
        write: _Writer = partial(_write_features, world=knobs, seed=seed)
    else:
        write = partial(_write_videos, film=_film(knobs, seed, rendering), workers=workers)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished-{os.getpid()}")
    try:
        for folder in ("json", *((AUDIO_FOLDER, VISUAL_FOLDER) if rendering is None else (VIDEO_FOLDER,))):
            (unfinished / folder).mkdir(parents=True)
        hashes = _write(unfinished, knobs, seed, progress, write)
        if rendering is None:
            _write_manifests(unfinished, knobs, seed)
        _write_text(unfinished / RECORD_FILE, _dump({**asked, "sha256": hashes}))
        try:
            unfinished.rename(target)
        except OSError:
            # Another process finished the same folder first.
            _check_same(target, asked)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def read_record(directory: str | Path) -> dict[str, Any]:
    """The seed, the knobs, the version and the hashes of a Pocket folder.

    Raises:
        DataError: if the folder is none that :func:`generate` made.
    """
    path = Path(directory) / RECORD_FILE
    record = read_json(path, "the record of a Pocket folder")
    check_plain(record, str(path))
    if not isinstance(record, dict):
        raise DataError(f"{path}: expected the record of a Pocket folder, got {brief(record)}")
    missing = {"version", "world", "seed", "knobs", "sha256"}.difference(record)
    if missing:
        raise DataError(f"{path}: expected the record of a Pocket folder, got one without {', '.join(sorted(missing))}")
    if not isinstance(record["knobs"], dict):
        raise DataError(f"{path}: knobs: expected names and values, got {brief(record['knobs'])}")
    return record


def _check_same(target: Path, asked: dict[str, Any]) -> None:
    record = read_record(target)
    there = {**record["knobs"], "version": record["version"], "seed": record["seed"]}
    wanted = {**asked["knobs"], "version": asked["version"], "seed": asked["seed"]}
    there["rendering"], wanted["rendering"] = record.get("rendering"), asked.get("rendering")
    changes = [
        f"{key}={brief(there.get(key))} there, {wanted.get(key)!r} asked for"
        for key in sorted(there.keys() | wanted.keys())
        if there.get(key) != wanted.get(key)
    ]
    if changes:
        raise DataError(
            f"{target}: expected world {asked['world']!r} with seed {asked['seed']}, got world "
            f"{brief(record['world'])} with seed {brief(record['seed'])} ({'; '.join(changes[:20])}); "
            "it is left as it is: choose another folder"
        )


def _write(folder: Path, world: World, seed: int, progress: bool, write: _Writer) -> dict[str, str]:
    videos: dict[str, tuple[Seen, ...]] = {}
    decides: dict[int, Decides] = {}
    hashes: dict[str, str] = {}
    known_words: set[str] | None = None
    known_answers: set[str] | None = None
    with _bar(sum(getattr(world, split) for split in SPLITS), progress) as step:
        for split in SPLITS:
            # What train never asks or answers, val and test do not either.
            chooser = Chooser(known_words, known_answers)
            rows: list[dict[str, Any]] = []
            asked: list[Question] = []
            scenes = [make_scene(world, seed, split, index) for index in range(getattr(world, split))]
            for scene in scenes:
                stream = Stream(seed, split, scene.index, "questions")
                questions = chooser.choose(all_questions(scene, world), world.questions, stream)
                for number, question in enumerate(questions):
                    question_id = scene.number * 100 + number
                    rows.append(_row(scene, question, question_id))
                    decides[question_id] = Decides(
                        scene.video_id, question.targets, question.names, question.found, question.seconds
                    )
                asked += questions
                videos[scene.video_id] = _seen(scene)
            if not asked:
                raise ConfigError(f"world: expected one with questions, got none to ask in {split}: see its templates")
            if known_words is None:
                known_words = {word for question in asked for word in words(question)}
                known_answers = {question.answer for question in asked}
            hashes[f"json/avqa-{split}.json"] = _write_text(folder / "json" / f"avqa-{split}.json", _dump(rows))
            hashes.update(write(folder, split, scenes, step))
    truth = Truth(world.rows, world.columns, videos, decides)
    hashes[TRUTH_FILE] = _write_text(folder / TRUTH_FILE, json.dumps(truth.to_dict(), separators=(",", ":")))
    return hashes


def _write_features(
    folder: Path, split: str, scenes: Sequence[Scene], step: Callable[[], object], *, world: World, seed: int
) -> dict[str, str]:
    """The hashes are of the arrays' values, one after the other, without the headers of the files."""
    codes = Codes.draw(world, seed)
    sums = {kind: hashlib.sha256() for kind in (AUDIO_FOLDER, VISUAL_FOLDER)}
    for scene in scenes:
        for kind, render in ((AUDIO_FOLDER, audio_rows), (VISUAL_FOLDER, visual_map)):
            array = render(scene, world, seed, codes)
            sums[kind].update(array.data)
            _save(folder / kind / f"{scene.video_id}.npy", array)
        step()
    return {f"{kind} {split}": digest.hexdigest() for kind, digest in sums.items()}


def _film(world: World, seed: int, rendering: Rendering) -> Callable[[Path, Scene], tuple[bytes, bytes]]:
    try:
        from avground.data.pocket.pixels.film import film
    except ImportError as error:
        raise ConfigError(
            f'rendering: expected Pillow and PyAV to make videos with, got {error}: pip install "avground[media]"'
        ) from error
    return partial(film, world=world, seed=seed, rendering=rendering)


def _write_videos(
    folder: Path,
    split: str,
    scenes: Sequence[Scene],
    step: Callable[[], object],
    *,
    film: Callable[[Path, Scene], tuple[bytes, bytes]],
    workers: int | None,
) -> dict[str, str]:
    """The hashes are of the hashes of the videos, one after the other."""
    seen, heard = hashlib.sha256(), hashlib.sha256()
    paths = [folder / VIDEO_FOLDER / f"{scene.video_id}.mp4" for scene in scenes]
    # The encoders, which take most of the time, let other threads run.
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for pictures, sound in pool.map(film, paths, scenes):
            seen.update(pictures)
            heard.update(sound)
            step()
    return {f"{VIDEO_FOLDER} frames {split}": seen.hexdigest(), f"{VIDEO_FOLDER} sound {split}": heard.hexdigest()}


def _row(scene: Scene, question: Question, question_id: int) -> dict[str, Any]:
    """One entry of an annotation file, with the keys that MUSIC-AVQA's files have, misspelt one included."""
    template = TEMPLATES[question.template]
    return {
        "video_id": scene.video_id,
        "question_id": question_id,
        "type": template.type_string,
        "question_content": template.text,
        "templ_values": json.dumps(list(question.values)),
        "question_deleted": 0,
        "anser": question.answer,
    }


def _seen(scene: Scene) -> tuple[Seen, ...]:
    return tuple(
        Seen(one.type, one.on_stage, one.place, one.cells, one.sounding, one.played) for one in scene.instruments
    )


def _write_manifests(folder: Path, world: World, seed: int) -> None:
    """What the features are: codes of this world and no other."""
    knobs = hashlib.sha256(_dump(world.to_dict()).encode()).hexdigest()[:16]
    settings = {"version": VERSION, "knobs": knobs, "seed": seed}
    made = partial(Manifest, extractor="pocket", seconds=SECONDS, settings=settings)
    visual_shape, rate = (world.channels, world.rows, world.columns), world.segments / SECONDS
    manifests = {
        AUDIO_FOLDER: made(kind="audio", shape=(world.audio_channels,)),
        VISUAL_FOLDER: made(kind="visual", shape=visual_shape, rate=rate),
    }
    for where, manifest in manifests.items():
        _write_text(folder / where / MANIFEST_FILE, dump_manifest(manifest))


def _save(path: Path, array: Array) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)


def _dump(value: object) -> str:
    return json.dumps(value, indent=2)


def _write_text(path: Path, text: str) -> str:
    content = text.encode()
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def _bar(total: int, progress: bool) -> Iterator[Any]:
    """A function to call after every scene, which moves a progress bar where there is one."""
    try:
        if not progress:
            raise ImportError
        from tqdm import tqdm
    except ImportError:
        yield lambda: None
        return
    with tqdm(total=total, desc="making Pocket scenes", unit="scene", disable=None) as bar:
        yield bar.update
