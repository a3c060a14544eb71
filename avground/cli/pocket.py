"""Make the embedded benchmark: a small made-up world with the questions of MUSIC-AVQA.

  avground pocket                           the default world, as features
  avground pocket DIR --world pixels --pixels   as videos, to extract features from

The same world and seed give the same benchmark. What is there already is reused, and never overwritten.
"""

from avground.data.pocket.__main__ import configure, run

__all__ = ["configure", "run"]
