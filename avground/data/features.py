"""Precomputed features on disk, read by segment: a folder of ``.npy`` files, or one packed store."""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

from jaxtyping import Float
from torch import Tensor

from avground.data.kinds import FeatureKind, check_layout
from avground.data.manifest import FILE, Kind, Manifest, read_manifest
from avground.data.memory import available_memory
from avground.data.segments import LAYOUTS, FeatureFiles
from avground.errors import ConfigError, DataError, brief

Keep = Literal["auto", "memory", "disk"]

PRECISIONS = ("float16", "bfloat16", "float32", "float64")
"""Types that features may have on disk."""

PUBLISHED: dict[Kind, str] = {"audio": "vggish", "visual": "res18_14x14"}
"""Folders in which MUSIC-AVQA's features are published."""


class Features:
    """Sound and picture features of the videos of a data set, wherever they lie.

    Attributes:
        path: The folder or the file.
        segments: Segments of a video, t.
        kinds: Sound under ``"audio"``, pictures under ``"visual"``.
    """

    def __init__(self, path: Path, segments: int, audio: FeatureKind, visual: FeatureKind) -> None:
        self.path = path
        self.segments = segments
        self.kinds: Mapping[Kind, FeatureKind] = {"audio": audio, "visual": visual}
        made = [kind.manifest for kind in (audio, visual) if kind.manifest is not None]
        if len({manifest.seconds for manifest in made}) > 1:
            heard, seen = (f"{manifest.seconds} s of {manifest.extractor!r}" for manifest in made)
            raise DataError(f"{path}: expected sound and pictures of as many seconds, got {heard} and {seen}")

    def check(self, video_ids: Iterable[str], *, audio_ids: Iterable[str] | None = None, progress: bool = True) -> None:
        """Make sure that all videos needed are there, before training starts and not in the middle.

        Args:
            video_ids: Videos whose pictures are needed.
            audio_ids: Videos whose sound is needed; the same ones by default.
            progress: Whether to show a progress bar when it takes long (needs tqdm).

        Raises:
            DataError: if an id is not a plain file name, or a video is missing or cannot be used. Names the first few
                and how many there are.
        """
        self._check(video_ids, audio_ids, progress)

    def _check(self, video_ids: Iterable[str], audio_ids: Iterable[str] | None, progress: bool) -> bool:
        """Check both kinds; returns whether any video was new."""
        wanted = by_kind(video_ids, audio_ids)
        return any([self.kinds[kind].check(ids, progress) for kind, ids in wanted.items()])

    def missing(self, video_ids: Iterable[str], *, audio_ids: Iterable[str] | None = None) -> dict[Kind, list[str]]:
        """The videos that are not there, by kind of feature; arguments as for :meth:`check`."""
        return {kind: self.kinds[kind].missing(ids) for kind, ids in by_kind(video_ids, audio_ids).items()}

    def audio(self, video_ids: Sequence[str]) -> Float[Tensor, "b t c"]:
        """The sound of videos.

        Raises:
            DataError: if a video was not checked, its file has changed since, or a value is not finite.
        """
        return self.kinds["audio"].clips(video_ids)

    def visual(self, video_ids: Sequence[str]) -> Float[Tensor, "b t c h w"]:
        """The pictures of videos.

        Raises:
            DataError: if a video was not checked, its file has changed since, or a value is not finite.
        """
        return self.kinds["visual"].clips(video_ids)

    def frames(self, video_ids: Sequence[str], segments: Sequence[int]) -> Float[Tensor, "k c h w"]:
        """One picture of each of k videos; from disk only that picture is read.

        Args:
            video_ids: The videos; may hold one more than once.
            segments: The segment of each, from 0 to t - 1.

        Raises:
            DataError: if a video was not checked, its file has changed since, there is no such segment, or a value is
                not finite.
        """
        return self.kinds["visual"].frames(video_ids, segments)

    @property
    def audio_dim(self) -> int:
        """Channels of the sound features, c."""
        return self.kinds["audio"].item[0]

    @property
    def visual_shape(self) -> tuple[int, int, int]:
        """Channels, rows of cells and columns of cells of a picture: (c, h, w)."""
        channels, height, width = self.kinds["visual"].item
        return channels, height, width

    @property
    def in_memory(self) -> bool:
        """Whether the pictures are in memory, so that separate loading processes gain nothing."""
        return self.kinds["visual"].in_memory

    def hold(self, progress: bool = True) -> None:
        """Keep in memory what fits, where the system does not do so by itself.

        Args:
            progress: Whether to show a progress bar when reading takes long (needs tqdm).
        """

    def describe(self) -> dict[str, dict[str, Any]]:
        """What decides the values, for ``"audio"`` and ``"visual"``: what a trained model expects of features.

        Each holds ``manifest`` (see :class:`avground.data.Manifest`; None where the features have none), ``layout``,
        the rows of a full video, and ``precision``, the type of the numbers on disk.
        """
        return {name: kind.describe() for name, kind in self.kinds.items()}

    def differences(self, trained_on: Mapping[str, Any]) -> str:
        """In words, what of these features is not as a model expects it; empty if nothing.

        Args:
            trained_on: What :meth:`describe` returned for the features that the model was trained on.
        """
        found: list[str] = []
        for kind, here in self.describe().items():
            there = trained_on[kind]
            other = [f"{name} {here[name]!r}, not {there[name]!r}" for name in here if here[name] != there[name]]
            if other and here["manifest"] and there["manifest"]:
                made, wanted = (Manifest.from_dict(side["manifest"], kind) for side in (here, there))
                other = [made.differences(wanted), *(text for text in other if not text.startswith("manifest"))]
            found += [f"{kind}: {text}" for text in other if text]
        return "; ".join(found)


class FeatureFolder(Features):
    """One ``.npy`` file a video and kind, as MUSIC-AVQA's features are published and ``avground extract`` writes them.

    Sound lies in ``<root>/<audio>/<id>.npy`` as (rows, c), pictures in ``<root>/<visual>/<id>.npy`` as (rows, c, h, w),
    in half, single or double precision; single precision is what is returned. In one folder a full video has either 60
    rows (one a second) or 10, or one for each segment, or as many as its manifest says; which is told from the longest
    file checked, so check the videos of a data set together rather than one by one. Where both manifests tell the same
    rate, sound and pictures are taken from the same seconds. A shorter file is continued by its last row. A value
    that is not finite is an error when it is read: as soon as the videos are checked where they are kept in memory.

    Args:
        root: The folder that holds both folders.
        segments: Segments of a video, t.
        audio: Name of the folder of sound features; by default the published name or, where there is no such folder,
            the only one whose manifest says that it holds sound.
        visual: Name of the folder of picture features; by default as for ``audio``.
        keep: ``"memory"`` reads all checked videos once and keeps their segments, ``"disk"`` reads them whenever they
            are asked for, ``"auto"`` keeps what fits: each kind of feature by itself, sound first. The values are the
            same.
        memory_limit: Bytes that ``"auto"`` may use; it never uses more than half of the free memory.

    Raises:
        ConfigError: if ``segments`` or ``keep`` cannot be used.
        DataError: if a folder does not exist, its manifest cannot be read, or sound and pictures are of different
            seconds.
    """

    def __init__(
        self,
        root: str | PathLike[str],
        *,
        segments: int = 10,
        audio: str | None = None,
        visual: str | None = None,
        keep: Keep = "auto",
        memory_limit: float = 2e9,
    ) -> None:
        if keep not in get_args(Keep):
            raise ConfigError(f"keep: expected one of {', '.join(get_args(Keep))}, got {keep!r}")
        if not 1 <= segments <= max(LAYOUTS):
            raise ConfigError(f"segments: expected 1 to {max(LAYOUTS)}, got {segments}")
        root = Path(root)
        self.keep = keep
        self.memory_limit = memory_limit
        heard = FeatureFiles(root / (audio or find_folder(root, "audio")), "audio", segments)
        seen = FeatureFiles(root / (visual or find_folder(root, "visual")), "visual", segments)
        super().__init__(root, segments, heard, seen)
        self.kinds: Mapping[Kind, FeatureFiles] = {"audio": heard, "visual": seen}

    def check(self, video_ids: Iterable[str], *, audio_ids: Iterable[str] | None = None, progress: bool = True) -> None:
        """Read the headers of all files needed, so that a bad one is found before training starts, not in the middle.

        What is found is remembered between runs in the user's cache folder, see
        :func:`avground.data.headers.read_headers`. Videos checked before are not read again. Features that are kept in
        memory are read here.

        Args:
            video_ids: Videos whose pictures are needed.
            audio_ids: Videos whose sound is needed; the same ones by default.
            progress: Whether to show a progress bar when it takes long (needs tqdm).

        Raises:
            DataError: if an id is not a plain file name, or a file is missing, is cut short, has no row or more rows
                than a video can have, another type or rank, or another size than the rest (or than the manifest says).
                Names the first few and how many there are. Where features are kept in memory, if a value is not finite.
            ConfigError: if ``keep="memory"`` asks for more memory than there is.
        """
        if self._check(video_ids, audio_ids, progress):
            self._align()
            self._load(progress)

    def hold(self, progress: bool = True) -> None:
        """Keep in memory what fits of the videos checked, as ``keep="auto"`` does."""
        self.keep = "auto"
        self._load(progress)

    def _align(self) -> None:
        """Take sound and pictures that have as many rows a second from the same seconds, whichever is longer."""
        rates = {kind.manifest.rate if kind.manifest else None for kind in self.kinds.values()}
        if len(rates) == 1 and None not in rates:
            longest = max(kind.layout for kind in self.kinds.values())
            for kind in self.kinds.values():
                kind.take_layout(longest)

    def _load(self, progress: bool) -> None:
        """Read what is to be kept in memory."""
        if self.keep == "disk":
            return
        free = available_memory()
        if self.keep == "memory":
            needed = sum(kind.bytes - kind.loaded_bytes for kind in self.kinds.values())
            if free is not None and needed > free:
                raise ConfigError(
                    f"keep='memory' needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free: use keep='disk'"
                )
        loaded = sum(kind.loaded_bytes for kind in self.kinds.values())
        budget = self.memory_limit if free is None else min(self.memory_limit, (free + loaded) / 2)
        for kind in self.kinds.values():
            if self.keep == "memory" or kind.bytes <= budget:
                kind.load(progress)
                budget -= kind.bytes
            else:
                kind.unload()


def by_kind(video_ids: Iterable[str], audio_ids: Iterable[str] | None) -> dict[Kind, list[str]]:
    """The videos needed, each once: whose sound and whose pictures."""
    pictures = list(dict.fromkeys(video_ids))
    return {"audio": pictures if audio_ids is None else list(dict.fromkeys(audio_ids)), "visual": pictures}


def check_description(description: Any, where: str) -> None:
    """Check what was once returned by :meth:`Features.describe` and comes back from a file.

    Args:
        description: What came back.
        where: What to call it in errors.

    Raises:
        DataError: names what was expected and what came.
    """
    if not isinstance(description, Mapping) or set(description) != set(PUBLISHED):
        raise DataError(f"{where}: expected audio and visual, got {_keys(description)}")
    for kind, about in description.items():
        if not isinstance(about, Mapping) or set(about) != {"manifest", "layout", "precision"}:
            raise DataError(f"{where}: {kind}: expected manifest, layout and precision, got {_keys(about)}")
        if about["manifest"] is not None:
            Manifest.from_dict(about["manifest"], f"{where}: {kind}")
        if about["precision"] not in PRECISIONS:
            raise DataError(
                f"{where}: {kind}: expected one of {', '.join(PRECISIONS)}, got {brief(about['precision'])}"
            )
        check_layout(about["layout"], f"{where}: {kind}")


def _keys(value: Any) -> str:
    return ", ".join(sorted(map(str, value)))[:200] if isinstance(value, Mapping) and value else brief(value)


def find_folder(root: Path, kind: Kind) -> str:
    """The folder of a kind of feature: the published name, or else the only one whose manifest says so.

    Raises:
        DataError: if several manifests say so; names them.
    """
    if (root / PUBLISHED[kind]).is_dir() or not root.is_dir():
        return PUBLISHED[kind]
    manifests = {path.parent.name: read_manifest(path.parent) for path in sorted(root.glob(f"*/{FILE}"))}
    found = [name for name, manifest in manifests.items() if manifest is not None and manifest.kind == kind]
    if len(found) > 1:
        raise DataError(f"{root}: expected one folder of {kind} features, got {', '.join(found)}: name the one to use")
    return found[0] if found else PUBLISHED[kind]
