"""A run on a small Pocket world."""

from tests.trained import no_cache, trained

__all__ = ["no_cache", "trained"]
