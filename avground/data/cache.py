"""Where avground keeps what it can make again."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """The user's cache folder: ``AVGROUND_CACHE``, else ``XDG_CACHE_HOME/avground``, else ``~/.cache/avground``.

    Raises:
        RuntimeError: if none is set and the user has no home folder.
    """
    own, shared = os.environ.get("AVGROUND_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return Path(own or f"{shared or '~/.cache'}/avground").expanduser()
