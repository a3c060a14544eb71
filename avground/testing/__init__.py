"""Tests that a block of your own can inherit, :class:`avground.testing.BlockContract`, and how to compare precision."""

from avground.testing.contract import BlockContract, outputs_of
from avground.testing.numerics import FLOORS, assert_as_precise, error_of

__all__ = ["FLOORS", "BlockContract", "assert_as_precise", "error_of", "outputs_of"]
