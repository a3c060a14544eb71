"""What reads files that strangers made, each with good files and the ways to make them bad."""

import contextlib
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import nn

from avground.cli import main
from avground.data import (
    Bank,
    FeatureFolder,
    Manifest,
    Vocabulary,
    open_features,
    pack,
    pocket,
    read_annotations,
    verify,
)
from avground.data.annotations import parse_rows
from avground.data.features import check_description
from avground.data.headers import read_headers
from avground.data.manifest import FILE, dump_manifest, read_manifest
from avground.data.pocket.build import read_record
from avground.data.store import Stored, digest_of
from avground.errors import AvgroundError, DataError
from avground.hub import PretrainedModel
from avground.media.outcomes import Outcome, OutcomeLog
from avground.media.vggish import read_quantised
from avground.media.weights import load
from avground.models import tjstg
from avground.models.official import KEYS, read_official
from avground.reading import parse_json
from avground.training import Run, load_checkpoint, pocket_run
from avground.training.checkpoint import make_checkpoint, write_atomically

from .mutate import Mutation, anyhow, within_array, within_json, within_pickle, within_zip

DOCUMENTED = (AvgroundError, FloatingPointError, OSError)
"""The errors that a bad file may end in."""


@dataclass(frozen=True)
class Target:
    """Something that reads a file.

    Attributes:
        make: Writes good files into a folder, and returns their contents.
        read: Reads a file, of which the content is given, in a folder of its own.
        mutations: The ways to make a file bad.
    """

    make: Callable[[Path], list[bytes]]
    read: Callable[[bytes, Path], object]
    mutations: tuple[Mutation, ...]

    @property
    def seeds(self) -> list[bytes]:
        """Good files; made once."""
        return _seeds(self)

    def bad(self, random: Random) -> bytes:
        """A file that is bad, or not so bad."""
        content = random.choice(self.seeds)
        try:
            return random.choice(self.mutations)(content, random)
        except Exception:  # That change means nothing for this file.
            return anyhow(content, random)


@cache
def _seeds(target: Target) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return target.make(Path(folder))


# Questions.

_ROW = {
    "video_id": "00000108",
    "question_id": 10,
    "type": '["Audio", "Comparative"]',
    "question_content": "Is the <Object> louder than the <Object>?",
    "templ_values": '["guzheng", "piano"]',
    "question_deleted": 0,
    "anser": "yes",
    "unmatch_audio": "00000109",
}


def _questions(_: Path) -> list[bytes]:
    return [
        json.dumps([_ROW, {**_ROW, "question_id": 11, "anser": "no"}]).encode(),
        b"\xef\xbb\xbf" + json.dumps([_ROW]).encode(),
    ]


def _read_questions(content: bytes, folder: Path) -> object:
    path = folder / "avqa-train.json"
    path.write_bytes(content)
    records = read_annotations(path)
    vocabulary = Vocabulary.from_annotations(records)
    json.dumps(vocabulary.to_dict()).encode()
    for record in records:
        record.where.encode()
        vocabulary.encode(record.words, 14, where=record.where)
        vocabulary.encode(("what", *record.words), 14, where=record.where, unknown="skip")
        vocabulary.answer_index(record.answer)
    return records


def _json(value: Any) -> Callable[[Path], list[bytes]]:
    return lambda _: [json.dumps(value).encode()]


def _parsed(read: Callable[[Any], object]) -> Callable[[bytes, Path], object]:
    return lambda content, _: read(parse_json(content, "file: expected JSON"))


# Features.

_SOUND = Manifest(kind="audio", extractor="logmel", shape=(4,), settings={"dtype": "float32", "more": [1, {"a": None}]})
_SEEN = Manifest(kind="visual", extractor="resnet18", shape=(2, 3, 3), weights="ab" * 32)
_IDS = ("a", "b")


def make_features(root: Path, manifests: bool = False) -> Path:
    """Two small videos."""
    random = np.random.default_rng(0)
    for kind, shape, manifest in (("vggish", (60, 4), _SOUND), ("res18_14x14", (60, 2, 3, 3), _SEEN)):
        (root / kind).mkdir(parents=True, exist_ok=True)
        for video_id in _IDS:
            np.save(root / kind / f"{video_id}.npy", random.standard_normal(shape).astype(np.float32))
        if manifests:
            (root / kind / FILE).write_text(dump_manifest(manifest))
    return root


def _read_folder(root: Path) -> object:
    found = []
    for keep in ("memory", "disk"):
        folder = FeatureFolder(root, keep=keep)  # type: ignore[arg-type]
        folder.check(_IDS, progress=False)
        found.append((folder.audio(_IDS), folder.visual(_IDS), folder.frames(_IDS, (0, 9)), folder.missing(_IDS)))
        json.dumps(folder.describe())
        check_description(folder.describe(), "here")
        Bank.load(folder, _IDS, progress=False)
    for tensors in zip(*found, strict=True):
        assert all(torch.isfinite(tensor).all() for tensor in tensors if isinstance(tensor, torch.Tensor))
    return found


def _array(folder: Path) -> list[bytes]:
    return [(make_features(folder) / "vggish" / "a.npy").read_bytes()]


def _read_array(content: bytes, folder: Path) -> object:
    root = make_features(folder / "feats")
    (root / "vggish" / "a.npy").write_bytes(content)
    with contextlib.suppress(AvgroundError):
        verify(root, progress=False)
    return _read_folder(root)


def _manifest(_: Path) -> list[bytes]:
    return [dump_manifest(_SOUND).encode()]


def _read_manifest(content: bytes, folder: Path) -> object:
    root = make_features(folder / "feats", manifests=True)
    (root / "vggish" / FILE).write_bytes(content)
    found = read_manifest(root / "vggish")
    assert found is not None
    _SOUND.differences(found).encode()
    return _read_folder(root)


def _headers(folder: Path) -> list[bytes]:
    entries = {f"{video_id}.npy": [1088, 10**18, [60, 4], "<f4"] for video_id in _IDS}
    return [json.dumps(entries).encode()]


def _read_remembered(content: bytes, folder: Path) -> object:
    """The times of the seed are those of the files."""
    root = make_features(folder / "feats") / "vggish"
    with _cache_in(folder / "cache"):
        names = [f"{video_id}.npy" for video_id in _IDS]
        read_headers(root, names, progress=False)
        (memory,) = (folder / "cache" / "headers").iterdir()
        for name in names:
            time = str((root / name).stat().st_mtime_ns)
            content = content.replace(b"1000000000000000000", time.encode(), 1)
        memory.write_bytes(content)
        return _read_folder(folder / "feats")


@contextlib.contextmanager
def _cache_in(folder: Path) -> Any:
    before = os.environ.get("AVGROUND_CACHE")
    os.environ["AVGROUND_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["AVGROUND_CACHE"]
        else:
            os.environ["AVGROUND_CACHE"] = before


def _store(folder: Path) -> list[bytes]:
    root = make_features(folder / "feats", manifests=True)
    return [pack(root, folder / "s.safetensors", progress=False).read_bytes()]


def _read_store(content: bytes, folder: Path) -> object:
    path = folder / "s.safetensors"
    path.write_bytes(content)
    with contextlib.suppress(AvgroundError):
        verify(path, progress=False)
    store = open_features(path)
    store.check(_IDS, progress=False)
    json.dumps(store.describe())
    check_description(store.describe(), "here")
    Bank.load(store, _IDS, progress=False)
    return store.audio(_IDS), store.visual(_IDS), store.frames(_IDS, (0, 9))


def _within_header(content: bytes, random: Random) -> bytes:
    """Another header of a safetensors file, or one of another length."""
    length = int.from_bytes(content[:8], "little")
    header = within_json(content[8 : 8 + length], random)
    lengths = (len(header), len(header), len(header), 2**60, 2**63, len(content), 0, len(header) - 1)
    return random.choice(lengths).to_bytes(8, "little") + header + content[8 + length :]


def _signed(content: bytes, random: Random) -> bytes:
    """Other metadata, and a checksum that fits them."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    about = header.pop("__metadata__")
    kind = random.choice(("audio", "visual"))
    about[kind] = within_json(about[kind].encode(), random).decode()
    tensors = {name: Stored(entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}
    del about["digest"]
    rest = {name: value for name, value in about.items() if name != "format"}
    text = json.dumps({"__metadata__": {**about, "digest": digest_of(rest, tensors)}, **header}).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


# Pocket.


def _truth(folder: Path) -> list[bytes]:
    return [(_world(folder) / "truth.json").read_bytes()]


def _record(folder: Path) -> list[bytes]:
    return [(_world(folder) / "pocket.json").read_bytes()]


def _world(folder: Path) -> Path:
    small = pocket.PRESETS["tiny"].replace(train=3, val=1, test=1, channels=8, audio_channels=8, questions=2)
    return pocket.generate(folder / "world", small, progress=False)


def _read_truth(content: bytes, folder: Path) -> object:
    (folder / "truth.json").write_bytes(content)
    truth = pocket.read_truth(folder)
    json.dumps(truth.to_dict())
    return [truth.target_cells(number) for number in truth.questions]


def _read_record(content: bytes, folder: Path) -> object:
    (folder / "pocket.json").write_bytes(content)
    with contextlib.suppress(AvgroundError):
        pocket.generate(folder, "tiny", progress=False)
    return read_record(folder)


# What torch.save writes.


def _saved(value: object, folder: Path) -> list[bytes]:
    contents = []
    for legacy in (False, True):
        torch.save(value, folder / "saved.pt", _use_new_zipfile_serialization=not legacy)
        contents.append((folder / "saved.pt").read_bytes())
    return contents


def make_content() -> dict[str, Any]:
    """What a small checkpoint holds."""
    model = tjstg(vocabulary_size=3, answers=2, audio_dim=4, visual_dim=4, dim=4)
    about = {"manifest": _SOUND.to_dict(), "layout": 60, "precision": "float32"}
    seen = {"manifest": _SEEN.to_dict(), "layout": 10, "precision": "float16"}
    optimizer = torch.optim.Adam(model.parameters())
    rest: dict[str, Any] = {"files": {}, "precision": {}, "versions": {}, "templates": ["Is the <Object> on the <LR>?"]}
    progress = {"stage": 0, "sums": [0.0], "history": []}
    vocabulary = Vocabulary(("<pad>", "Is", "it"), ("yes", "no"))
    features = {"audio": about, "visual": seen}
    state = optimizer.state_dict()
    return make_checkpoint(
        model, pocket_run("data", dim=4), vocabulary, features=features, progress=progress, optimizer=state, **rest
    )


def _checkpoint(folder: Path) -> list[bytes]:
    write_atomically(folder / "best.pt", make_content())
    return [(folder / "best.pt").read_bytes(), *_saved(make_content(), folder)[1:]]


def _read_checkpoint(content: bytes, folder: Path) -> object:
    (folder / "best.pt").write_bytes(content)
    model, vocabulary, run = load_checkpoint(folder / "best.pt")
    json.dumps([vocabulary.to_dict(), run.to_dict()])
    clip = torch.zeros(1, 2, 4), torch.zeros(1, 2, model.config.visual_dim, 2, 2), torch.tensor([[1]])
    return model(*clip)


def _settings(_: Path) -> list[bytes]:
    content = make_content()
    return [json.dumps({"run": content["run"], "model_config": content["model_config"]}).encode()]


def _read_settings(content: bytes, folder: Path) -> object:
    settings = parse_json(content, "file: expected JSON")
    if not isinstance(settings, dict):
        raise DataError("expected settings")
    with contextlib.suppress(RecursionError):  # What cannot be written need not be read.
        torch.save({**make_content(), **settings}, folder / "best.pt")
    return _read_checkpoint((folder / "best.pt").read_bytes(), folder)


# Models of a hub.


@cache
def _hub() -> dict[str, bytes]:
    """The files of such a folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_atomically(folder / "best.pt", {**make_content(), "files": {"json/train.json": {"sha256": "ab" * 32}}})
        rows = {"All": 1.0, "Audio": 0.5, "Audio/Counting": 0.5}
        scores = {"accuracy": rows, "prior": rows, "count": dict.fromkeys(rows, 2)}
        more = {"shuffled": {"audio": rows}, "grounding": {"pointing": {"accuracy": 0.5, "chance": 0.1}}}
        trained = PretrainedModel.from_checkpoint(folder / "best.pt")
        trained.metrics = {"test": {**scores, "head": scores, **more}, "warnings": [{"text": "flat"}], "seconds": 1.0}
        trained.save_pretrained(folder / "hub")
        return {path.name: path.read_bytes() for path in (folder / "hub").iterdir()}


def _read_hub(folder: Path, **changed: bytes) -> object:
    """Read the folder, some of whose files are others, and write it again, with the card that says what it read."""
    files = _hub()
    (folder / "config.json").write_bytes(changed.get("config", files["config.json"]))
    (folder / "model.safetensors").write_bytes(changed.get("weights", files["model.safetensors"]))
    trained = PretrainedModel.from_pretrained(folder)
    trained.save_pretrained(folder / "again")
    return trained.model(torch.zeros(1, 2, 4), torch.zeros(1, 2, 4, 2, 2), torch.tensor([[1]]))


def _read_hub_weights(content: bytes, folder: Path) -> object:
    """The checksum in the configuration is that of the file, so that what comes behind it is reached."""
    config = {**json.loads(_hub()["config.json"]), "weights_sha256": hashlib.sha256(content).hexdigest()}
    return _read_hub(folder, config=json.dumps(config).encode(), weights=content)


def _official(folder: Path) -> list[bytes]:
    state = {f"module.{name}": torch.ones(2) for name in KEYS["stage1"].values()}
    return _saved({**state, "module.fc_a1.weight": nn.Parameter(torch.ones(2))}, folder)


def _read_official(content: bytes, folder: Path) -> object:
    (folder / "avst.pt").write_bytes(content)
    return read_official(folder / "avst.pt", "stage1", {name: torch.ones(2) for name in KEYS["stage1"]})


def _weights(folder: Path) -> list[bytes]:
    return _saved(nn.Linear(3, 2).state_dict(), folder)


def _read_weights(content: bytes, folder: Path) -> object:
    (folder / "w.pth").write_bytes(content)
    return load(nn.Linear(3, 2), folder / "w.pth")


def _components(folder: Path) -> list[bytes]:
    arrays = {"pca_eigen_vectors": np.ones((128, 128), np.float32), "pca_means": np.ones((128, 1))}
    return _saved(arrays, folder)


def _read_components(content: bytes, folder: Path) -> object:
    (folder / "pca.pth").write_bytes(content)
    return read_quantised(folder / "pca.pth")


def _outcomes(folder: Path) -> list[bytes]:
    log = OutcomeLog(folder, ["a"], 0)
    log.add("v", Outcome("", ("short",)))
    log.add("w", Outcome("broken"))
    return [log.path.read_bytes(), log.path.read_bytes().splitlines()[1]]


def _read_outcomes(content: bytes, folder: Path) -> object:
    (folder / "extraction-0.jsonl").write_bytes(content)
    return json.dumps(OutcomeLog(folder, ["a"], 0).read())


# The command line.

_WORDS = (
    "", "-", "--", "-1", "0", "1", "1e400", "nan", "inf", "9" * 30, "9" * 5000, "../../x", "/dev/null", ".", "..",
    "/", "x" * 300, "\udcff",
    "\x1b[2J", "a b", "--seed", "--segments", "--every", "--help", "--output", "--version", "\u20ac", "é", "@x", "=",
    "--seed=1", "-h",
)  # fmt: skip


def _arguments(_: Path) -> list[bytes]:
    lines = (
        ["verify", "feats"],
        ["pack", "feats", "--output", "s.safetensors", "--segments", "10"],
        ["pack", "feats", "--output", "s.safetensors", "--every", "6", "--dtype", "bfloat16"],
        ["inspect", "avqa-train.json", "--json"],
        ["inspect", "avqa-train.json"],
        ["split", "avqa-train.json", "avqa-train.json", "avqa-train.json", "--output", "out", "--seed", "1"],
        ["pocket", "nowhere/x", "--world", "nonsense"],
        ["train", "--data", "nowhere", "--segments", "10", "--epochs", "1", "--features", "feats"],
        ["answer", "nowhere.mp4", "Is it?", "--checkpoint", "best.pt", "--start", "1", "--top", "2"],
    )
    return [json.dumps(line).encode() for line in lines]


def _other_words(content: bytes, random: Random) -> bytes:
    words = json.loads(content)
    for _ in range(random.choice((1, 1, 2, 3))):
        place = random.randrange(len(words) + 1)
        words[place : place + random.randrange(2)] = [random.choice(_WORDS)]
    return json.dumps(words).encode()


def _read_arguments(content: bytes, folder: Path) -> object:
    words = parse_json(content, "file: expected JSON")
    if not isinstance(words, list) or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise DataError("expected words as a command line has them")
    if {"pocket", "train"} & set(words[:1]) and not {"nowhere", "nonsense"} & set(words):
        return None  # That may well be a good command, which takes its time.
    if words[:1] == ["answer"] and "best.pt" not in words:
        return None  # Another name may be that of a model to fetch.
    make_features(folder / "feats")
    (folder / "avqa-train.json").write_bytes(_questions(folder)[0])
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _cache_in(folder):
        try:
            status = main(words)
        except SystemExit as stop:
            status = stop.code  # type: ignore[assignment]
        out.flush()
        err.flush()
    said = err.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert status in (0, 1, 2), f"exit status {status}"
    assert "Traceback" not in said, said
    if status == 1:
        assert said.count("error: ") >= 1, said
        raise AvgroundError(said[:200])
    if status == 2:
        raise AvgroundError("usage")
    return status


_JSON = (within_json, within_json, anyhow)
_SAVED = (within_zip, within_zip, within_pickle, anyhow)

TARGETS: dict[str, Target] = {
    "annotations": Target(_questions, _read_questions, _JSON),

    "rows": Target(_json(_ROW), _parsed(lambda value: parse_rows([value], "x")), _JSON),
    "vocabulary": Target(_json({"words": ["<pad>", "a"], "answers": ["b"]}), _parsed(Vocabulary.from_dict), _JSON),
    "run": Target(_json(pocket_run("data").to_dict()), _parsed(Run.from_dict), _JSON),
    "description": Target(
        _json({"audio": {"manifest": None, "layout": 10, "precision": "float16"},
               "visual": {"manifest": _SEEN.to_dict(), "layout": 60, "precision": "float32"}}),
        _parsed(lambda value: check_description(value, "x")), _JSON,
    ),
    "features": Target(_array, _read_array, (within_array, within_array, anyhow)),
    "manifest": Target(_manifest, _read_manifest, _JSON),
    "remembered headers": Target(_headers, _read_remembered, _JSON),
    "store": Target(_store, _read_store, (_within_header, _signed, _signed, anyhow)),
    "truth": Target(_truth, _read_truth, _JSON),
    "pocket record": Target(_record, _read_record, _JSON),
    "checkpoint": Target(_checkpoint, _read_checkpoint, _SAVED),
    "settings of a checkpoint": Target(_settings, _read_settings, _JSON),
    "model of a hub: configuration": Target(
        lambda _: [_hub()["config.json"]], lambda content, folder: _read_hub(folder, config=content), _JSON
    ),
    "model of a hub: weights": Target(
        lambda _: [_hub()["model.safetensors"]], _read_hub_weights, (_within_header, _within_header, anyhow)
    ),
    "official checkpoint": Target(_official, _read_official, _SAVED),
    "weights": Target(_weights, _read_weights, _SAVED),
    "principal components": Target(_components, _read_components, _SAVED),
    "outcomes": Target(_outcomes, _read_outcomes, _JSON),
    "arguments": Target(_arguments, _read_arguments, (_other_words,)),
}  # fmt: skip
"""By what is read."""
