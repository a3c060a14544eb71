"""What commands check of the file that they are to write, before any work."""

from pathlib import Path

from avground.errors import ConfigError


def check_new_file(output: Path, overwrite: bool) -> None:
    """Raise :class:`ConfigError` if there is a file already that may not be replaced."""
    if output.exists() and not overwrite:
        raise ConfigError(
            f"--output: expected a new file, got {output}, which exists: choose another, or say --overwrite"
        )
