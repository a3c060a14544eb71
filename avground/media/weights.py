"""Published weights: found on disk, or fetched once into the user's cache folder."""

import hashlib
import http.client
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

from torch import Tensor, nn

from avground.data.cache import cache_directory
from avground.errors import DataError
from avground.models.weights import line, load_weights, read_safely
from avground.reading import open_regular


class Found(NamedTuple):
    """A file of weights.

    Attributes:
        path: Where it is.
        digest: Its SHA-256.
    """

    path: Path
    digest: str


@dataclass(frozen=True)
class Published:
    """Weights that somebody published, under a name that ends in the beginning of their SHA-256.

    Attributes:
        url: Where they are, such as ``".../resnet18-f37072fd.pth"``.
        option: The option that names such a file; empty if there is none.
    """

    url: str
    option: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[1]

    @property
    def prefix(self) -> str:
        """What the SHA-256 of the file begins with."""
        return self.name.rsplit(".", 1)[0].rsplit("-", 1)[1]

    def find(self, file: Path | None = None, folder: Path | None = None) -> Found:
        """The file that was given, else that of the published name in the folder or the cache, else a download.

        Args:
            file: Any file, which is taken as it is.
            folder: A folder that may hold the file under its published name.

        Raises:
            DataError: if what was given is not there, a file is not the one that its name says, or it cannot be
                fetched; says what to fetch and where to put it.
        """
        if file is not None:
            return examine(file)
        if folder is not None and not folder.is_dir():
            raise DataError(f"{folder}: expected a folder of weights, got no such folder")
        cached = _cache() / self.name
        for path in (cached,) if folder is None else (folder / self.name, cached):
            if path.is_file():
                return self._check(path)
        self._fetch(cached)
        return self._check(cached)

    def _check(self, path: Path) -> Found:
        found = examine(path)
        if not found.digest.startswith(self.prefix):
            expected = f"the file published as {self.name}, whose SHA-256 begins with {self.prefix}"
            raise DataError(
                f"{path}: expected {expected}, got {found.digest[:16]}...: it is cut short or another one; remove it"
            )
        return found

    def _fetch(self, path: Path) -> None:
        print(f"fetching {self.url}", file=sys.stderr)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Renamed only when it is complete, so that no other process finds half a file.
            with TemporaryDirectory(dir=path.parent, prefix=self.name) as temporary:
                partial = Path(temporary) / self.name
                with urlopen(self.url, timeout=60) as response, partial.open("wb") as file:
                    shutil.copyfileobj(response, file, 2**20)
                digest = examine(partial).digest
                if not digest.startswith(self.prefix):
                    raise OSError(f"what came is cut short or another file: its SHA-256 is {digest[:16]}...")
                partial.replace(path)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, HTTPError):
                error.close()
            named = f", or name it with {self.option}" if self.option else ""
            raise DataError(
                f"{self.name}: could not be fetched from {self.url}: {line(error)}. Fetch it elsewhere and put it into "
                f"{path.parent}, or into a folder given with --weights{named}"
            ) from error


def load(network: nn.Module, path: Path) -> None:
    """Load a file of weights that must be exactly the network's, but for counts of batches, which old files lack.

    Args:
        network: Gets the weights.
        path: The file.

    Raises:
        DataError: if the file cannot be read, or does not fit.
    """
    weights = read_safely(path, "file of weights")
    if not isinstance(weights, Mapping) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise DataError(f"{path}: expected a file of named weights, got a {type(weights).__name__} of something else")
    kept = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    load_weights(network, {**kept, **weights}, str(path))


def _cache() -> Path:
    try:
        return cache_directory() / "weights"
    except RuntimeError as error:
        raise DataError(f"no folder for weights: {error}; set AVGROUND_CACHE") from error


def examine(path: Path) -> Found:
    """A file, taken as it is.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        with open_regular(path, "a file of weights") as file:
            return Found(path, hashlib.file_digest(file, "sha256").hexdigest())  # type: ignore[arg-type]
    except OSError as error:
        raise DataError(f"{path}: expected a file of weights, got {line(error)}") from error
