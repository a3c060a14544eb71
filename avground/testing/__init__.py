"""Tests that a block of your own can inherit: see :class:`avground.testing.BlockContract`."""

from avground.testing.contract import BlockContract, outputs_of

__all__ = ["BlockContract", "outputs_of"]
