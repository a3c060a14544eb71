"""What a run was made with."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("avground", "torch", "lightning", "torchmetrics", "numpy")


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # Run from a folder that was not installed.
            found[package] = "not installed"
    return found
