"""Train and test a model: the command ``avground train`` as a script, as ``torchrun`` wants one.

python examples/train_music_avqa.py --help
torchrun --nproc-per-node 8 examples/train_music_avqa.py --data MUSIC-AVQA --device cuda
"""

import os
import sys

# Read when torch is loaded: threads that spin while they wait take the processor from others on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from avground.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
